//! The demo: a preset and its account, and what to try with them.

use std::{net::SocketAddr, path::Path, sync::Arc};

use crate::{
    files,
    presets::INFOBIP_CLASSIC,
    service::{ErrorReason, Service, ServiceError, apply_account, apply_catalog},
};

/// Loads the preset and its account, the way that `apply` would.
pub(super) async fn load(service: &Service) -> Result<(), ServiceError> {
    let invalid = |problems: files::Problems| ServiceError::new(ErrorReason::FileInvalid, problems.to_string());
    let catalog = files::parse_catalog(INFOBIP_CLASSIC.catalog.as_bytes()).map_err(invalid)?;
    let account = files::parse_account(INFOBIP_CLASSIC.account.as_bytes()).map_err(invalid)?;
    service.write(apply_catalog(catalog, true, None, Arc::default())).await?;
    service.write(apply_account(account, None, Arc::default())).await?;
    Ok(())
}

/// Three commands to try, as they are typed. `program` is how this program was started.
pub(super) fn commands(program: &str, tcp: Option<SocketAddr>, socket: Option<&Path>) -> [String; 3] {
    let question =
        r#"'{"account": "accounts/demo", "subject": "users/beatriz", "permission": "reports.detailed.view"}'"#;
    let (at, target) = match (tcp, socket) {
        (Some(address), _) if address.port() == 50051 => (String::new(), address.to_string()),
        (Some(address), _) => (format!(" --address http://{address}"), address.to_string()),
        (None, socket) => {
            let socket = socket.unwrap_or(Path::new("")).display();
            (format!(" --address unix:{socket}"), format!("-unix -authority localhost {socket}"))
        }
    };
    [
        format!("{program} check{at} --account demo users/beatriz reports.detailed.view"),
        format!("{program} permissions{at} --account demo users/beatriz"),
        format!("grpcurl -plaintext -d {question} {target} rolecall.v1.AuthorizationService/Check"),
    ]
}
