//! What holders are given: roles, access, exceptions, made equal to a file.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{
        MAX_EXCEPTIONS,
        access_lists::{access_lists_of, put_list},
        bindings::{insert_binding, remove_binding},
        custom_roles::permission_number,
        error::ServiceError,
        exceptions::{exceptions_of, is_live, remove_exception},
        facts,
    },
    Application, Refused,
};
use crate::{
    engine::{CompiledCatalog, RoleOrigin},
    files::{AccessDefinition, ExceptionDefinition, RoleGrant, RoleName, write_time},
    model::{
        AccessRecord, ExceptionRecord, Facet, HeldRecord, Holder, Key, KeyRange, Number, Record, ResourcePath,
        Timestamp, difference,
    },
    store::View,
};

/// A role that somebody holds, by the names that files have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::service) struct HeldGrant {
    pub(in crate::service) role: RoleName,
    pub(in crate::service) resource: Option<ResourcePath>,
    pub(in crate::service) expires: Option<Timestamp>,
}

impl std::fmt::Display for HeldGrant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.role)?;
        if let Some(resource) = &self.resource {
            write!(f, " on {resource}")?;
        }
        self.expires.map_or(Ok(()), |expires| write!(f, " until {}", write_time(expires)))
    }
}

/// The name that files have for a role that is held, internal or not; none: it is gone.
pub(in crate::service) fn role_name_of(
    view: &dyn View,
    account: Number,
    catalog: &CompiledCatalog,
    role: Number,
) -> Result<Option<RoleName>, ServiceError> {
    let role = facts::role_of_number(view, account, catalog, role, &mut |_| {})?;
    Ok(role.map(|(role, _)| match role.origin {
        RoleOrigin::Catalog { .. } => RoleName::Managed(role.id.clone()),
        RoleOrigin::Account => RoleName::Custom(role.id.clone()),
    }))
}

/// The roles that a holder has on what exists, each with its binding, in the order of names.
pub(in crate::service) fn grants_of(
    view: &dyn View,
    account: Number,
    catalog: &CompiledCatalog,
    holder: Number,
) -> Result<BTreeMap<HeldGrant, Number>, ServiceError> {
    let mut grants = BTreeMap::new();
    for held in facts::bindings_of(view, account, holder)? {
        let Some(role) = role_name_of(view, account, catalog, held.role)? else { continue };
        let resource = match held.resource {
            None => None,
            Some(resource) => {
                let record = facts::get_resource(view, &Key::Resource { account, resource })?.map(|found| found.value);
                let live = record.filter(|found| catalog.resource_type_of_number(found.resource_type).is_some());
                let Some(record) = live else { continue };
                Some(record.path)
            }
        };
        grants.insert(HeldGrant { role, resource, expires: held.expires }, held.binding);
    }
    Ok(grants)
}

impl Application<'_, '_> {
    /// Makes a holder hold the file's roles. Those that it holds already, in the same place and as long, stay.
    pub(super) fn apply_bindings(
        &mut self,
        holder: Holder,
        is_new: bool,
        place: &str,
        grants: &[RoleGrant],
    ) -> Result<Option<String>, Refused> {
        let held = match is_new {
            true => BTreeMap::new(),
            false => grants_of(self.plan, self.account, self.catalog, holder.number())?,
        };
        let mut wanted = BTreeMap::new();
        for (index, given) in grants.iter().enumerate() {
            let Some(role) = self.role_number(&given.role.value) else { continue };
            let path = given.resource.as_ref().map(|resource| resource.value.clone());
            let resource = path.as_ref().and_then(|path| self.resources.get(path).copied());
            let grant = HeldGrant { role: given.role.value.clone(), resource: path, expires: given.expires };
            if given.expires.is_some_and(|expires| expires <= self.plan.time) && !held.contains_key(&grant) {
                self.problems.add(given.role.at, format_args!("{place}.roles[{index}].expires: {EXPIRED}"));
            }
            wanted.insert(grant, HeldRecord { role, resource, expires: given.expires });
        }
        // First what goes: the same role in the same place can be wanted for another time.
        for (_, binding) in held.iter().filter(|(grant, _)| !wanted.contains_key(grant)) {
            remove_binding(self.plan, self.account, *binding)?;
        }
        for (_, given) in wanted.iter().filter(|(grant, _)| !held.contains_key(grant)) {
            let HeldRecord { role, resource, expires } = *given;
            insert_binding(self.plan, self.account, holder, role, resource, expires)?;
        }
        if is_new {
            return Ok(None);
        }
        let texts = |grants: Vec<HeldGrant>| grants.iter().map(ToString::to_string).collect();
        let (held, wanted) = (texts(held.into_keys().collect()), texts(wanted.into_keys().collect()));
        Ok(difference("roles", &held, &wanted))
    }

    /// Makes the access lists of a user or a team equal to the file's. Gives what of each facet differs.
    pub(super) fn apply_access(
        &mut self,
        holder: Holder,
        is_new: bool,
        access: &[AccessDefinition],
    ) -> Result<Vec<String>, Refused> {
        type Lists = BTreeMap<String, BTreeSet<String>>;
        let (account, catalog) = (self.account, self.catalog);
        let mut held: Lists = BTreeMap::new();
        if !is_new {
            for list in access_lists_of(self.plan, account, catalog, holder.number())? {
                held.insert(list.facet, texts(list.all, list.values));
            }
        }
        let mut wanted: Lists = BTreeMap::new();
        for given in access {
            let values = given.values.iter().map(|value| value.value.clone()).collect();
            wanted.insert(given.facet.value.to_string(), texts(given.all, values));
        }
        let mut details = Vec::new();
        let facets: BTreeSet<String> = held.keys().chain(wanted.keys()).cloned().collect();
        for name in facets {
            let (held, values) = (held.remove(&name).unwrap_or_default(), wanted.remove(&name).unwrap_or_default());
            let Some(detail) = difference(&format!("access {name}"), &held, &values) else { continue };
            details.push(detail);
            let Some(facet) = catalog.facet(&name) else { continue };
            let Some(number) = catalog.number_of_facet(facet) else { continue };
            let all = values.contains(ALL);
            let numbers: BTreeSet<Number> = match facet {
                _ if all => BTreeSet::new(),
                Facet::Feature => values.iter().filter_map(|id| catalog.feature_number(id)).collect(),
                Facet::Type(_) => {
                    let paths = values.iter().filter_map(|path| ResourcePath::new(path).ok());
                    paths.filter_map(|path| self.resources.get(&path).copied()).collect()
                }
            };
            let record = AccessRecord { all, values: numbers.into_iter().collect() };
            put_list(self.plan, account, holder, number, record)?;
        }
        Ok(details)
    }

    /// Makes the exceptions of a user equal to the file's. Those that are there already, as they are to be, stay.
    pub(super) fn apply_exceptions(
        &mut self,
        user: Number,
        is_new: bool,
        place: &str,
        exceptions: &[ExceptionDefinition],
    ) -> Result<Option<String>, Refused> {
        let (account, catalog, time) = (self.account, self.catalog, self.plan.time);
        let mut held = BTreeMap::new();
        if !is_new {
            for exception in exceptions_of(self.plan, account, catalog, user)? {
                held.insert(exception.permission.clone(), exception.record);
            }
        }
        if is_new && exceptions.is_empty() {
            return Ok(None);
        }
        let shown = |permission: &dyn std::fmt::Display, reason: &str, expires: Option<Timestamp>| {
            let until = expires.map(|expires| format!(" until {}", write_time(expires))).unwrap_or_default();
            format!("{permission}{until} ({reason})")
        };
        let before: BTreeSet<String> =
            held.iter().map(|(permission, record)| shown(permission, &record.reason, record.expires)).collect();
        let mut after = BTreeSet::new();
        let mut live = 0;
        for (index, given) in exceptions.iter().enumerate() {
            let id = &given.permission.value;
            after.insert(shown(id, &given.reason, given.expires));
            let (reason, expires) = (given.reason.clone(), given.expires);
            let record = ExceptionRecord { reason, expires, created: time };
            live += usize::from(is_live(&record, time));
            let is_same = |held: &ExceptionRecord| held.reason == record.reason && held.expires == record.expires;
            if held.remove(id).is_some_and(|held| is_same(&held)) {
                continue;
            }
            if !is_live(&record, time) {
                let at = given.permission.at;
                self.problems.add(at, format_args!("{place}.exceptions[{index}].expires: {EXPIRED}"));
            }
            let Some(permission) = permission_number(catalog, id) else { continue };
            self.plan.put(Key::Exception { account, user, permission }, Record::Exception(record))?;
            self.plan.put(Key::PermissionException { account, permission, user }, Record::Present)?;
        }
        if live > MAX_EXCEPTIONS
            && let Some(first) = exceptions.first()
        {
            let message = format_args!("{place}.exceptions: {live} were given; expected at most {MAX_EXCEPTIONS}");
            self.problems.add(first.permission.at, message);
        }
        for permission in held.into_keys().filter_map(|id| permission_number(catalog, &id)) {
            remove_exception(self.plan, account, user, permission)?;
        }
        let hidden = if is_new { 0 } else { self.remove_hidden_exceptions(user)? };
        let hidden = (hidden > 0).then(|| format!("exceptions -{hidden} internal"));
        let details = [difference("exceptions", &before, &after), hidden];
        let details: Vec<String> = details.into_iter().flatten().collect();
        Ok((!details.is_empty()).then(|| details.join(", ")))
    }

    /// Takes away the exceptions of a user for what has become internal, which no file shows: should that cease to be so,
    /// the user is to have what the file says, and no more. Gives how many there were.
    fn remove_hidden_exceptions(&mut self, user: Number) -> Result<usize, Refused> {
        let mut hidden = 0;
        for (key, _) in facts::scan_all(self.plan, KeyRange::Exceptions { account: self.account, user })? {
            let Key::Exception { permission, .. } = key else { continue };
            let definition = self.catalog.permission_of_number(permission);
            let definition = definition.and_then(|permission| self.catalog.definition(permission));
            if definition.is_some_and(|definition| definition.internal) {
                remove_exception(self.plan, self.account, user, permission)?;
                hidden += 1;
            }
        }
        Ok(hidden)
    }
}

const EXPIRED: &str =
    "a time that has passed was given, of what the account does not have; expected one that lies ahead";
/// How changes show that a list is all of its facet. No path and no feature is called so.
const ALL: &str = "*";

fn texts(all: bool, values: Vec<String>) -> BTreeSet<String> {
    if all { BTreeSet::from([ALL.to_owned()]) } else { values.into_iter().collect() }
}
