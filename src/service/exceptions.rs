//! Exceptions: extra permissions of single users.

use super::{error::ServiceError, facts, plan::Plan};
use crate::model::{Key, KeyRange, Number};

/// Takes all exceptions of a user out of a plan.
pub(super) fn remove_exceptions(plan: &mut Plan<'_>, account: Number, user: Number) -> Result<(), ServiceError> {
    for (key, _) in facts::scan_all(plan, KeyRange::Exceptions { account, user })? {
        let Key::Exception { permission, .. } = key else { continue };
        plan.remove(Key::Exception { account, user, permission })?;
        plan.remove(Key::PermissionException { account, permission, user })?;
    }
    Ok(())
}
