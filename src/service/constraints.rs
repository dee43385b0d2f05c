//! What a catalog demands of who holds what, checked at the end of every write, over the facts as they will be.
//!
//! A write is refused for what it makes worse, not for what was so before. Because writes are planned one after another on
//! one thread, two that are right each by itself cannot both take away the last of something. Accounts whose catalog
//! demands nothing cost a look at the keys that the write changes. Read [`check`].

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    core::CatalogAt,
    error::{ErrorReason, ServiceError},
    facts,
    plan::Plan,
};
use crate::{
    engine::{CompiledCatalog, RoleFacts},
    model::{CatalogDefinition, Effect, Holder, HolderKind, Key, KeyRange, Number, RoleIndex, Timestamp, UserState},
    store::View,
};

/// How many subjects a message names.
const NAMED: usize = 10;
/// How many who hold a role are looked at at a time.
const PIECE: usize = 64;

/// Refuses a write that breaks what the catalogs of the accounts that it touches demand. Cost: linear in the keys that it
/// changes; where a catalog demands something, in the roles of everybody whose roles it changes; for a catalog, in all
/// users of the accounts under it.
///
/// # Errors
/// The first demand that is broken, with those who break it.
pub(super) fn check(plan: &Plan<'_>) -> Result<(), ServiceError> {
    let touched = Touched::of(plan);
    for (account, touched) in touched.accounts {
        check_account(plan, account, &touched, false)?;
    }
    for catalog in touched.catalogs {
        for (key, _) in facts::scan_all(plan, KeyRange::CatalogAccounts(catalog))? {
            if let Key::CatalogAccount { account, .. } = key {
                check_account(plan, account, &TouchedAccount::default(), true)?;
            }
        }
    }
    Ok(())
}

/// What a write changes of what constraints are about.
#[derive(Default)]
struct Touched {
    accounts: BTreeMap<Number, TouchedAccount>,
    catalogs: BTreeSet<Number>,
}

#[derive(Default)]
struct TouchedAccount {
    /// Users and service accounts that are touched themselves.
    subjects: BTreeSet<Subject>,
    /// Teams all of whose members are touched.
    teams: BTreeSet<Number>,
    /// Custom roles all of whose holders are touched.
    roles: BTreeSet<Number>,
    /// Policies that are changed.
    policies: BTreeSet<Number>,
    /// Roles that are given or taken.
    bound: BTreeSet<Number>,
    /// Teams that somebody joins or leaves.
    joined: BTreeSet<Number>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    User(Number),
    ServiceAccount(Number),
}

impl Touched {
    fn of(plan: &Plan<'_>) -> Self {
        let mut touched = Self::default();
        for key in plan.changed_keys() {
            if let Key::Catalog(catalog) = key {
                touched.catalogs.insert(*catalog);
            }
            let Some(account) = key.account() else { continue };
            let mut of = |note: &dyn Fn(&mut TouchedAccount)| note(touched.accounts.entry(account).or_default());
            match *key {
                Key::RoleBinding { role, holder, .. } => of(&|touched| {
                    touched.bound.insert(role);
                    match holder {
                        Holder::User(user) => _ = touched.subjects.insert(Subject::User(user)),
                        Holder::ServiceAccount(number) => {
                            touched.subjects.insert(Subject::ServiceAccount(number));
                        }
                        Holder::Team(team) => _ = touched.teams.insert(team),
                    }
                }),
                Key::Membership { user, team, .. } => of(&|touched| {
                    touched.subjects.insert(Subject::User(user));
                    touched.joined.insert(team);
                }),
                Key::User { user, .. } => of(&|touched| _ = touched.subjects.insert(Subject::User(user))),
                Key::ServiceAccount { service_account, .. } => {
                    of(&|touched| _ = touched.subjects.insert(Subject::ServiceAccount(service_account)));
                }
                Key::Team { team, .. } => of(&|touched| {
                    touched.teams.insert(team);
                    touched.joined.insert(team);
                }),
                Key::Role { role, .. } => of(&|touched| _ = touched.roles.insert(role)),
                Key::Policy { policy, .. } => of(&|touched| _ = touched.policies.insert(policy)),
                _ => {}
            }
        }
        touched
    }
}

fn demands_something(definition: &CatalogDefinition) -> bool {
    definition.must_hold_role
        || !definition.mutually_exclusive.is_empty()
        || definition.roles.iter().any(|role| role.always_held || role.max_holders.is_some())
}

fn check_account(plan: &Plan<'_>, account: Number, touched: &TouchedAccount, whole: bool) -> Result<(), ServiceError> {
    // An account that goes takes everything with it.
    let Some(record) = facts::get_account(plan, &Key::Account(account))? else { return Ok(()) };
    let Some(catalog) = plan.catalog(record.value.catalog)? else { return Ok(()) };
    if !demands_something(&catalog.compiled.catalog().definition) {
        return Ok(());
    }
    let before = plan.before();
    let (now, old_catalog) = (plan.time, plan.catalog_before(record.value.catalog)?);
    let mut after = State::new(plan, account, &catalog, now);
    let old_catalog = old_catalog.unwrap_or_else(|| catalog.clone());
    let mut before = State::new(&before, account, &old_catalog, now);
    let subjects = if whole { after.everybody()? } else { affected(touched, &after, &before)? };
    check_subjects(&subjects, &mut before, &mut after)?;
    let mut bound = touched.bound.clone();
    for team in touched.joined.iter().chain(&touched.teams) {
        for state in [&before, &after] {
            bound.extend(facts::bindings_of(state.view, account, *team)?.into_iter().map(|held| held.role));
        }
    }
    check_holders(&bound, whole, &mut before, &mut after)
}

/// Everybody whose roles a write changes.
fn affected(
    touched: &TouchedAccount,
    after: &State<'_>,
    before: &State<'_>,
) -> Result<BTreeSet<Subject>, ServiceError> {
    let mut subjects = touched.subjects.clone();
    let mut teams = touched.teams.clone();
    let mut roles: Vec<Number> = touched.roles.iter().copied().collect();
    for state in [before, after] {
        for policy in &touched.policies {
            let range = KeyRange::PolicyRoles { account: state.account, policy: *policy };
            for (key, _) in facts::scan_all(state.view, range)? {
                if let Key::PolicyRole { role, .. } = key {
                    roles.push(role);
                }
            }
        }
    }
    let mut seen = BTreeSet::new();
    while let Some(role) = roles.pop() {
        if !seen.insert(role) {
            continue;
        }
        for state in [before, after] {
            let account = state.account;
            for (key, _) in facts::scan_all(state.view, KeyRange::RoleChildren { account, parent: role })? {
                if let Key::RoleChild { child, .. } = key {
                    roles.push(child);
                }
            }
            for (key, _) in facts::scan_all(state.view, KeyRange::RoleBindings { account, role })? {
                match key {
                    Key::RoleBinding { holder: Holder::User(user), .. } => _ = subjects.insert(Subject::User(user)),
                    Key::RoleBinding { holder: Holder::ServiceAccount(number), .. } => {
                        subjects.insert(Subject::ServiceAccount(number));
                    }
                    Key::RoleBinding { holder: Holder::Team(team), .. } => _ = teams.insert(team),
                    _ => {}
                }
            }
        }
    }
    for team in teams {
        for state in [before, after] {
            subjects.extend(state.members(team)?.into_iter().map(Subject::User));
        }
    }
    Ok(subjects)
}

fn check_subjects(
    subjects: &BTreeSet<Subject>,
    before: &mut State<'_>,
    after: &mut State<'_>,
) -> Result<(), ServiceError> {
    let (old, new) = (before.definition(), after.definition());
    let (must_before, must_after) = (old.must_hold_role, new.must_hold_role);
    let pairs = after.exclusive();
    let pairs_before = before.exclusive();
    let mut without = Vec::new();
    for subject in subjects {
        let Some(held) = after.held(*subject)? else { continue };
        let held_before = before.held(*subject)?;
        if must_after && !held.iter().any(|held| held.lasts()) {
            let was_so = must_before && held_before.as_ref().is_some_and(|held| !held.iter().any(|held| held.lasts()));
            if !was_so {
                without.push(*subject);
            }
        }
        if pairs.is_empty() {
            continue;
        }
        let reached = after.reached_by(&held)?;
        let mut reached_before = None;
        for (one, other) in pairs.iter().filter(|(one, other)| reached.contains(one) && reached.contains(other)) {
            let reached_before = match &mut reached_before {
                Some(reached) => reached,
                none => none.insert(before.reached_by(held_before.as_deref().unwrap_or_default())?),
            };
            let was_so = pairs_before.contains(&(*one, *other))
                && reached_before.contains(one)
                && reached_before.contains(other);
            if !was_so {
                let (subject, one, other) = (after.name(*subject)?, after.role_id(*one), after.role_id(*other));
                return Err(ServiceError::new(
                    ErrorReason::MutuallyExclusiveRoles,
                    format!("{subject} would have both {one:?} and {other:?}, which nobody may have together"),
                )
                .with("subject", subject)
                .with("roles", format!("{one},{other}")));
            }
        }
    }
    if without.is_empty() {
        return Ok(());
    }
    let names = without.iter().take(NAMED).map(|subject| after.name(*subject)).collect::<Result<Vec<_>, _>>()?;
    let more = if without.len() > names.len() { " and more" } else { "" };
    Err(ServiceError::new(
        ErrorReason::LastRole,
        format!("{} would hold no role for good: {}{more}", without.len(), names.join(", ")),
    )
    .with("subjects", names.join(","))
    .with("count", without.len().to_string()))
}

fn check_holders(
    bound: &BTreeSet<Number>,
    whole: bool,
    before: &mut State<'_>,
    after: &mut State<'_>,
) -> Result<(), ServiceError> {
    let catalog = Arc::clone(&after.catalog.compiled);
    let old = Arc::clone(&before.catalog.compiled);
    let limits = |catalog: &CompiledCatalog, number: Number| {
        let position = catalog.catalog().role_numbers.iter().position(|each| *each == number)?;
        catalog.catalog().definition.roles.get(position).map(|role| (role.always_held, role.max_holders))
    };
    for (role, number) in catalog.catalog().definition.roles.iter().zip(&catalog.catalog().role_numbers) {
        let limits_before = limits(&old, *number);
        if role.always_held && !after.has_lasting_holder(*number)? {
            // Newly marked, it is refused only where it was held and ceases to be.
            if limits_before.is_some() && before.has_lasting_holder(*number)? {
                return Err(ServiceError::new(
                    ErrorReason::AlwaysHeldRole,
                    format!("nobody would hold the role {:?} any more, which has to be held always", role.id.as_str()),
                )
                .with("role", role.id.as_str()));
            }
        }
        let Some(maximum) = role.max_holders.filter(|_| whole || bound.contains(number)) else { continue };
        let count = after.holders(*number)?.len() as u64;
        if count <= maximum {
            continue;
        }
        let is_lowered = limits_before.is_some_and(|(_, before)| before.is_none_or(|before| before > maximum));
        if is_lowered || count > before.holders(*number)?.len() as u64 {
            return Err(ServiceError::new(
                ErrorReason::TooManyHolders,
                format!("{count} would hold the role {:?}; the maximum is {maximum}", role.id.as_str()),
            )
            .with("role", role.id.as_str())
            .with("count", count.to_string())
            .with("maximum", maximum.to_string()));
        }
    }
    Ok(())
}

/// A role that is held and counts.
#[derive(Clone, Copy, Debug)]
struct Held {
    role: Number,
    on_account: bool,
    expires: bool,
}

impl Held {
    fn lasts(self) -> bool {
        !self.expires
    }
}

/// The facts of one account, before or after a write.
struct State<'a> {
    view: &'a dyn View,
    account: Number,
    catalog: &'a CatalogAt,
    now: Timestamp,
    roles: HashMap<Number, Option<Arc<RoleFacts>>>,
}

impl<'a> State<'a> {
    fn new(view: &'a dyn View, account: Number, catalog: &'a CatalogAt, now: Timestamp) -> Self {
        Self { view, account, catalog, now, roles: HashMap::new() }
    }

    fn definition(&self) -> &'a CatalogDefinition {
        &self.catalog.compiled.catalog().definition
    }

    /// The pairs of roles that nobody may have both of, by number.
    fn exclusive(&self) -> BTreeSet<(Number, Number)> {
        let number = |index: &RoleIndex| self.catalog.compiled.catalog().role_numbers.get(index.position()).copied();
        let pair = |(one, other): &(RoleIndex, RoleIndex)| {
            let (one, other) = (number(one)?, number(other)?);
            Some((one.min(other), one.max(other)))
        };
        self.definition().mutually_exclusive.iter().filter_map(pair).collect()
    }

    fn everybody(&self) -> Result<BTreeSet<Subject>, ServiceError> {
        let mut all = BTreeSet::new();
        for (key, _) in facts::scan_all(self.view, KeyRange::Users(self.account))? {
            if let Key::User { user, .. } = key {
                all.insert(Subject::User(user));
            }
        }
        for (key, _) in facts::scan_all(self.view, KeyRange::ServiceAccounts(self.account))? {
            if let Key::ServiceAccount { service_account, .. } = key {
                all.insert(Subject::ServiceAccount(service_account));
            }
        }
        Ok(all)
    }

    fn members(&self, team: Number) -> Result<Vec<Number>, ServiceError> {
        let account = self.account;
        let member = |(key, _): (Key, _)| match key {
            Key::Member { user, .. } => Some(user),
            _ => None,
        };
        Ok(facts::scan_all(self.view, KeyRange::Members { account, team })?.into_iter().filter_map(member).collect())
    }

    /// A role with its policies, if it is there.
    fn role(&mut self, number: Number) -> Result<Option<Arc<RoleFacts>>, ServiceError> {
        if let Some(known) = self.roles.get(&number) {
            return Ok(known.clone());
        }
        let catalog = &self.catalog.compiled;
        let found = match catalog.role_of_number(number) {
            Some(role) => Some(Arc::clone(role)),
            None => match facts::get_role(self.view, &Key::Role { account: self.account, role: number })? {
                None => None,
                Some(record) => {
                    let mut policies = Vec::new();
                    for policy in &record.value.policies {
                        let key = Key::Policy { account: self.account, policy: *policy };
                        let policy_record = facts::get_policy(self.view, &key)?;
                        policies.extend(policy_record.map(|it| Arc::new(catalog.custom_policy(*policy, &it.value))));
                    }
                    Some(Arc::new(catalog.custom_role_with(number, &record.value, &policies)))
                }
            },
        };
        self.roles.insert(number, found.clone());
        Ok(found)
    }

    /// A role and all that it reaches as parents.
    fn reached(&mut self, from: Number) -> Result<BTreeMap<Number, Arc<RoleFacts>>, ServiceError> {
        let mut reached = BTreeMap::new();
        let mut open = vec![from];
        while let Some(number) = open.pop() {
            if reached.contains_key(&number) {
                continue;
            }
            if let Some(role) = self.role(number)? {
                open.extend(&role.parents);
                reached.insert(number, role);
            }
        }
        Ok(reached)
    }

    fn reached_by(&mut self, held: &[Held]) -> Result<BTreeSet<Number>, ServiceError> {
        let roles: BTreeSet<Number> = held.iter().map(|held| held.role).collect();
        let mut all = BTreeSet::new();
        for role in roles {
            all.extend(self.reached(role)?.into_keys());
        }
        Ok(all)
    }

    /// What somebody holds, as far as it counts; none: there is no such subject.
    fn held(&mut self, subject: Subject) -> Result<Option<Vec<Held>>, ServiceError> {
        let account = self.account;
        let all = match subject {
            Subject::User(user) => {
                if facts::get_user(self.view, &Key::User { account, user })?.is_none() {
                    return Ok(None);
                }
                facts::held_roles(self.view, account, user, &mut |_| {})?
            }
            Subject::ServiceAccount(service_account) => {
                let key = Key::ServiceAccount { account, service_account };
                if facts::get_service_account(self.view, &key)?.is_none() {
                    return Ok(None);
                }
                let own = facts::bindings_of(self.view, account, service_account)?.into_iter();
                own.map(|held| held.into_role(None)).collect()
            }
        };
        let mut held = Vec::new();
        for each in all {
            let counts = each.expires.is_none_or(|expires| self.now < expires);
            if counts && self.is_there(each.resource)? && self.role(each.role)?.is_some() {
                let (on_account, expires) = (each.resource.is_none(), each.expires.is_some());
                held.push(Held { role: each.role, on_account, expires });
            }
        }
        Ok(Some(held))
    }

    /// Whether a resource is there, under a type that is.
    fn is_there(&self, resource: Option<Number>) -> Result<bool, ServiceError> {
        let Some(resource) = resource else { return Ok(true) };
        let record = facts::get_resource(self.view, &Key::Resource { account: self.account, resource })?;
        let known = |number| self.catalog.compiled.resource_type_of_number(number).is_some();
        Ok(record.is_some_and(|record| known(record.value.resource_type)))
    }

    /// Whether somebody counts as holder of a role that has to be held always: an active user, on the whole account, for
    /// good, out of reach of every deny of another role. Cost: linear in those who hold it until one counts.
    fn has_lasting_holder(&mut self, role: Number) -> Result<bool, ServiceError> {
        let account = self.account;
        for kind in [HolderKind::User, HolderKind::Team] {
            let mut after = None;
            loop {
                // Few at a time: the first one counts nearly always, and there can be a million behind it.
                let piece = self.view.scan(KeyRange::RoleBindingsOf { account, role, kind }, after.as_ref(), PIECE)?;
                let Some((last, _)) = piece.last() else { break };
                after = Some(last.clone());
                for (key, _) in piece {
                    let Key::RoleBinding { holder, .. } = key else { continue };
                    let users = match holder {
                        Holder::User(user) => vec![user],
                        Holder::Team(team) => self.members(team)?,
                        Holder::ServiceAccount(_) => Vec::new(),
                    };
                    for user in users {
                        if self.is_lasting_holder(user, role)? {
                            return Ok(true);
                        }
                    }
                }
            }
        }
        Ok(false)
    }

    fn is_lasting_holder(&mut self, user: Number, role: Number) -> Result<bool, ServiceError> {
        let record = facts::get_user(self.view, &Key::User { account: self.account, user })?;
        if record.is_none_or(|record| record.value.state != UserState::Active) {
            return Ok(false);
        }
        let Some(held) = self.held(Subject::User(user))? else { return Ok(false) };
        if !held.iter().any(|held| held.role == role && held.on_account && held.lasts()) {
            return Ok(false);
        }
        let others: BTreeSet<Number> = held.iter().map(|held| held.role).filter(|other| *other != role).collect();
        for other in others {
            let denies = |role: &Arc<RoleFacts>| role.statements.iter().any(|each| each.effect == Effect::Deny);
            if self.reached(other)?.values().any(denies) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Everybody who is bound to a role, directly or through a team. Cost: linear in them.
    fn holders(&self, role: Number) -> Result<BTreeSet<Subject>, ServiceError> {
        let account = self.account;
        let mut holders = BTreeSet::new();
        for (key, _) in facts::scan_all(self.view, KeyRange::RoleBindings { account, role })? {
            let Key::RoleBinding { holder, binding, .. } = key else { continue };
            let record = facts::get_binding(self.view, &Key::Binding { account, binding })?;
            let Some(record) = record.map(|record| record.value) else { continue };
            if record.expires.is_some_and(|expires| self.now >= expires) || !self.is_there(record.resource)? {
                continue;
            }
            match holder {
                Holder::User(user) => _ = holders.insert(Subject::User(user)),
                Holder::ServiceAccount(number) => _ = holders.insert(Subject::ServiceAccount(number)),
                Holder::Team(team) => {
                    if facts::get_team(self.view, &Key::Team { account, team })?.is_some() {
                        holders.extend(self.members(team)?.into_iter().map(Subject::User));
                    }
                }
            }
        }
        Ok(holders)
    }

    fn name(&self, subject: Subject) -> Result<String, ServiceError> {
        let account = self.account;
        Ok(match subject {
            Subject::User(user) => {
                let record = facts::get_user(self.view, &Key::User { account, user })?;
                record.map(|record| format!("users/{}", record.value.id))
            }
            Subject::ServiceAccount(service_account) => {
                let key = Key::ServiceAccount { account, service_account };
                let record = facts::get_service_account(self.view, &key)?;
                record.map(|record| format!("serviceAccounts/{}", record.value.id))
            }
        }
        .unwrap_or_default())
    }

    fn role_id(&self, number: Number) -> String {
        self.catalog.compiled.role_of_number(number).map(|role| role.id.to_string()).unwrap_or_default()
    }
}
