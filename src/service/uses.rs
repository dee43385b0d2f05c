//! What uses a thing that is to be deleted, or went with it.

use super::error::{ErrorReason, ServiceError};

/// Those of one kind that use a thing, or that went with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The kind, such as `role_bindings`.
    pub kind: &'static str,
    /// How many.
    pub count: u64,
    /// Some of them: at most 10 names.
    pub names: Vec<String>,
}

/// Refuses to delete what is used.
pub(super) fn refuse_if_used(uses: Vec<Use>) -> Result<(), ServiceError> {
    let used: Vec<&Use> = uses.iter().filter(|each| each.count > 0).collect();
    if used.is_empty() {
        return Ok(());
    }
    let shown = |each: &&Use| {
        let more = if each.count > each.names.len() as u64 { " and more" } else { "" };
        format!("{} {} ({}{more})", each.count, each.kind, each.names.join(", "))
    };
    let shown: Vec<String> = used.iter().map(shown).collect();
    let error = ServiceError::new(
        ErrorReason::InUse,
        format!("it is used by {}; set force to delete it with what uses it", shown.join(", ")),
    );
    Err(used.into_iter().fold(error, |error, each| error.with(each.kind, each.count.to_string())))
}
