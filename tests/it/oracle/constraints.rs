//! The constraints that a catalog lays on every account under it: which of them a write breaks. Only unexpired bindings
//! count.

use std::collections::BTreeSet;

use super::{Account, Catalog, Effect, Oracle, RoleName, State, Subject, questions::is_expired};

/// A constraint that a write breaks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Broken {
    /// The subject holds no role that lasts.
    MustHoldRole(Subject),
    /// Nobody counts as a holder of the role any more.
    AlwaysHeld(String),
    /// The subject reaches both roles.
    MutuallyExclusive(Subject, String, String),
    /// The role has too many holders.
    MaxHolders(String),
}

impl Oracle {
    /// Every constraint that a write breaks in an account, given the facts before it; these are the facts after it. What
    /// was as bad before is not this write's doing.
    pub fn broken(&self, before: &Self, account: &str, now: u64) -> BTreeSet<Broken> {
        let Ok((new, catalog)) = self.find(account) else { return BTreeSet::new() };
        let (none, nothing) = Default::default();
        let (old, old_catalog) = before.find(account).unwrap_or((&none, &nothing));

        let was_so = old.misfits(old_catalog, now);
        let mut broken: BTreeSet<Broken> = new.misfits(catalog, now).difference(&was_so).cloned().collect();
        for (id, role) in &catalog.roles {
            let was_held = !old.lasting_holders(old_catalog, id, now).is_empty();
            if role.always_held && was_held && new.lasting_holders(catalog, id, now).is_empty() {
                broken.insert(Broken::AlwaysHeld(id.clone()));
            }
            let Some(maximum) = role.max_holders else { continue };
            let (held, was_held) = (new.bound_to(id, now).len(), old.bound_to(id, now).len());
            let old_maximum = old_catalog.roles.get(id).and_then(|role| role.max_holders);
            let is_lower = old_maximum.is_none_or(|old_maximum| maximum < old_maximum);
            if held > maximum && (held > was_held || is_lower) {
                broken.insert(Broken::MaxHolders(id.clone()));
            }
        }
        broken
    }
}

impl Account {
    /// The subjects that do not fit the catalog as things stand, whatever their state.
    fn misfits(&self, catalog: &Catalog, now: u64) -> BTreeSet<Broken> {
        let mut misfits = BTreeSet::new();
        for subject in self.subjects() {
            let held = self.held_roles(&subject, now);
            if catalog.must_hold_role && !held.iter().any(|held| held.lasts) {
                misfits.insert(Broken::MustHoldRole(subject.clone()));
            }
            let reached: BTreeSet<RoleName> = held.iter().flat_map(|held| self.reached(catalog, &held.role)).collect();
            let reaches = |id: &String| reached.contains(&RoleName::Managed(id.clone()));
            for (one, other) in &catalog.mutually_exclusive {
                if reaches(one) && reaches(other) {
                    misfits.insert(Broken::MutuallyExclusive(subject.clone(), one.clone(), other.clone()));
                }
            }
        }
        misfits
    }

    /// Every role that is bound to a subject or to one of its teams, on anything, by an unexpired binding.
    fn held_roles(&self, subject: &Subject, now: u64) -> Vec<Held> {
        let mut held = Vec::new();
        for ((holder, role, resource), binding) in &self.bindings {
            if self.through(holder, subject).is_some() && !is_expired(binding.expires, now) {
                let (lasts, everywhere) = (binding.expires.is_none(), resource.is_none());
                held.push(Held { role: role.clone(), lasts, everywhere });
            }
        }
        held
    }

    /// Who counts as a holder of a managed role that must always be held: active users to whom it is bound for good on the
    /// whole account, and whom no deny of another role that they hold reaches, whatever it denies.
    pub fn lasting_holders(&self, catalog: &Catalog, role: &str, now: u64) -> BTreeSet<Subject> {
        let role = RoleName::Managed(role.to_owned());
        let counts = |subject: &Subject| {
            let held = self.held_roles(subject, now);
            matches!(subject, Subject::User(_))
                && self.state_of(subject) == Some(State::Active)
                && held.iter().any(|held| held.role == role && held.lasts && held.everywhere)
                && !held.iter().any(|held| held.role != role && self.has_deny(catalog, &held.role))
        };
        self.subjects().into_iter().filter(counts).collect()
    }

    /// Whether a role or a parent of it lists a deny.
    fn has_deny(&self, catalog: &Catalog, role: &RoleName) -> bool {
        let reached = self.reached(catalog, role);
        let policies = reached.iter().flat_map(|role| self.policies(catalog, role));
        policies
            .into_iter()
            .any(|policy| self.statements(catalog, &policy).iter().any(|statement| statement.effect == Effect::Deny))
    }

    /// The subjects to whom a managed role is bound, directly or through teams, each once. Parents do not matter.
    pub fn bound_to(&self, role: &str, now: u64) -> BTreeSet<Subject> {
        let role = RoleName::Managed(role.to_owned());
        let is_bound = |subject: &Subject| self.held_roles(subject, now).iter().any(|held| held.role == role);
        self.subjects().into_iter().filter(is_bound).collect()
    }
}

/// A role that a subject holds.
struct Held {
    role: RoleName,
    /// Without expiry.
    lasts: bool,
    /// On the whole account.
    everywhere: bool,
}
