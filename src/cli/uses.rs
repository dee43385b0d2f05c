//! Deleting what others use: what uses a thing is shown, and goes with it only where that was said or confirmed.
//!
//! Start with [`Session::delete`].

use super::{
    Failure,
    client::Client,
    names::{role_of, within},
    session::{Mode, RiskyArgs, Session, confirm, count},
};
use crate::proto::Use;

impl Session<'_> {
    /// Deletes something: tries it, says what would go with it, asks, and does it.
    ///
    /// With `may_force`, what uses it goes too, but not what has come to use it after it was shown. Without, the server
    /// refuses to delete what is used, and this says how to have it done all the same.
    ///
    /// # Errors
    /// As the call; that it was not confirmed.
    pub async fn delete<T>(
        &mut self,
        risky: &RiskyArgs,
        may_force: bool,
        call: impl AsyncFn(&Client, Mode, bool) -> Result<T, Failure>,
        removed: impl Fn(&T) -> &[Use],
        consequence: impl FnOnce(&T) -> String,
    ) -> Result<T, Failure> {
        let mut force = may_force;
        if !risky.yes && !risky.write.dry_run {
            let trial =
                call(&self.client, Mode::trial(), may_force).await.map_err(|failure| next(failure, may_force))?;
            let uses = removed(&trial);
            let mut consequences = vec![consequence(&trial)];
            consequences.extend(uses.iter().map(|each| format!("with it would go {}", shown(each))));
            force &= !uses.is_empty();
            confirm(consequences, self.output)?;
        }
        call(&self.client, risky.write.mode(), force).await.map_err(|failure| next(failure, may_force))
    }
}

/// What to do about a thing that is used.
fn next(failure: Failure, may_force: bool) -> Failure {
    if !failure.details.iter().any(|detail| detail.starts_with("reason: IN_USE")) {
        return failure;
    }
    failure.with_next(if may_force {
        "it came to be used meanwhile: look at it again, and repeat the command"
    } else {
        "to delete it with what uses it: --force"
    })
}

/// What went with a thing, to stand behind the sentence that says that it was deleted.
pub fn went(removed: &[Use]) -> String {
    removed.iter().map(|each| format!("\n  with it went {}", shown(each))).collect()
}

/// Those of one kind: `2 role bindings (users/ana, teams/support)`.
fn shown(Use { kind, count: number, names }: &Use) -> String {
    let kind = kind.replace('_', " ");
    let kind = kind.strip_suffix('s').unwrap_or(&kind);
    let count = count(*number, kind);
    if names.is_empty() {
        return count;
    }
    let is_owned = |name: &str| name.contains("/roles/") || name.contains("/accessPolicies/");
    let short: Vec<_> = names.iter().map(|name| if is_owned(name) { role_of(name) } else { within(name) }).collect();
    let is_all = usize::try_from(*number).is_ok_and(|number| number <= names.len());
    format!("{count} ({}{})", short.join(", "), if is_all { "" } else { ", ..." })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Exit;

    fn uses(kind: &str, count: i64, names: &[&str]) -> Use {
        Use { kind: kind.to_owned(), count, names: names.iter().map(|&name| name.to_owned()).collect() }
    }

    #[test]
    fn what_goes_is_counted_and_named() {
        let removed = [
            uses("role_bindings", 3, &["users/ana", "teams/support"]),
            uses("roles", 1, &["accounts/demo/roles/lead"]),
            uses("members", 2, &[]),
        ];
        assert_eq!(
            went(&removed),
            "\n  with it went 3 role bindings (users/ana, teams/support, ...)\n  with it went 1 role (custom/lead)\n  \
             with it went 2 members"
        );
        assert_eq!(went(&[]), "");
    }

    #[test]
    fn a_refusal_says_how_to_have_it_done_all_the_same() {
        let mut refused = Failure::new(Exit::Conflict, "it is used by 1 role");
        refused.details.push("reason: IN_USE, count: 1".to_owned());
        assert!(next(refused.clone(), false).next.unwrap().contains("--force"));
        assert!(next(refused, true).next.unwrap().contains("repeat"));
        assert_eq!(next(Failure::new(Exit::NotFound, "no such thing"), false).next, None);
    }
}
