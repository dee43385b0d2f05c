//! Ridding the store of personal fields that were erased: what users no longer see has to leave the disk too.

use std::sync::Arc;

use thiserror::Error;

use crate::{
    service::{Service, ServiceError, finish_erasures, repeats_personal_fields},
    store::{Opened, StoreError},
};

/// Erases what is left of the personal fields of users that are marked for it. Interrupted, it is done by the next run.
///
/// # Errors
/// [`EraseError`]; the marks stay.
pub(super) async fn run(service: &Service, opened: &Arc<Opened>) -> Result<(), EraseError> {
    let users = service.pending_erasures().await?;
    if users.is_empty() {
        return Ok(());
    }
    let (store, of) = (Arc::clone(opened), users.clone());
    let requests = tokio::task::spawn_blocking(move || store.personal_requests(&of)).await??;
    let requests: Vec<_> = requests.into_iter().filter(repeats_personal_fields).collect();
    let (store, of) = (Arc::clone(opened), users.clone());
    tokio::task::spawn_blocking(move || store.erase_personal(&of, &requests)).await??;
    let count = users.len();
    service.write(finish_erasures(users)).await?;
    tracing::info!(users = count, "erased personal fields from the journal, the history and the snapshots");
    Ok(())
}

/// Why personal fields could not be erased.
#[derive(Debug, Error)]
pub(super) enum EraseError {
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("it ended abnormally: {0}")]
    Ended(#[from] tokio::task::JoinError),
}
