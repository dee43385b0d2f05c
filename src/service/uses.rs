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
    let count: u64 = uses.iter().map(|each| each.count).sum();
    if count == 0 {
        return Ok(());
    }
    let (mut shown, mut names) = (Vec::new(), Vec::new());
    for each in uses.into_iter().filter(|each| each.count > 0) {
        let more = if each.count > each.names.len() as u64 { " and more" } else { "" };
        let named = if each.names.is_empty() { String::new() } else { format!(" ({}{more})", each.names.join(", ")) };
        shown.push(format!("{} {}{named}", each.count, each.kind.replace('_', " ")));
        names.extend(each.names);
    }
    let message = format!("it is used by {}; set force to delete it with what uses it", shown.join(" and "));
    Err(ServiceError::new(ErrorReason::InUse, message)
        .with("used_by", names.join(","))
        .with("count", count.to_string()))
}
