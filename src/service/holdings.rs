//! What a subject holds, read for a question: bindings, roles with their parents and policies, access lists, exceptions.
//!
//! Each thing is noted before it is read. What comes of it is shared by everybody who holds the same, found by a
//! [`Signature`] of numbers and revisions, so that a million agents cost one compiled set.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    core::{CatalogAt, Core},
    error::ServiceError,
    facts::{self, Note},
};
use crate::{
    engine::{
        Access, AccessList, BoundResource, BoundRole, CompiledCatalog, EffectiveSet, HeldException, HeldRole, Holdings,
        PolicyFacts, RoleFacts,
    },
    model::{
        Dependency, Facet, FacetNumber, FeatureIndex, Key, KeyRange, Number, PolicyRecord, Record, ResourcePath,
        ResourceTypeIndex, Revision, RoleRecord, Stamped, TeamId, Timestamp,
    },
    store::{StoreError, View},
};

/// What makes a compiled set what it is. Equal signatures make equal sets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Signature {
    catalog: (Number, Revision),
    features: Vec<Number>,
    /// Role, resource, and whether it has expired.
    bindings: Vec<(Number, Option<Number>, bool)>,
    roles: Vec<RoleSignature>,
    access: Vec<(FacetNumber, bool, Vec<Number>)>,
    exceptions: Vec<(Number, bool)>,
}

/// What makes a compiled custom role what it is, under one version of a catalog.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RoleSignature {
    role: (Number, Revision),
    policies: Vec<(Number, Revision)>,
}

/// What a subject has of its own, as it is stored. With what its account, its teams and all that it names are, this is what
/// makes all that it may do: whoever has the same has the same answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct OwnHoldings {
    /// A user, and not a service account.
    is_user: bool,
    /// Whether access lists were read: where no permission is bounded, they have no say.
    has_access: bool,
    /// Role, resource, and until when.
    bindings: Vec<(Number, Option<Number>, Option<Timestamp>)>,
    /// Its teams, whether they are still there or not.
    teams: Vec<Number>,
    access: Vec<(FacetNumber, bool, Vec<Number>)>,
    /// Permission, and until when.
    exceptions: Vec<(Number, Option<Timestamp>)>,
}

impl OwnHoldings {
    /// The memory that it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let access = self
            .access
            .iter()
            .map(|(.., values)| size_of::<(FacetNumber, bool, Vec<Number>)>() + size_of_val(&**values));
        size_of::<Self>()
            + size_of_val(&*self.bindings)
            + size_of_val(&*self.teams)
            + access.sum::<usize>()
            + size_of_val(&*self.exceptions)
    }
}

/// What somebody holds, as it is stored.
#[derive(Default)]
pub(super) struct Held {
    own: OwnHoldings,
    pub(super) roles: Vec<HeldRole>,
    pub(super) access: BTreeMap<FacetNumber, (bool, BTreeSet<Number>)>,
    exceptions: Vec<(Number, HeldExceptionRecord)>,
}

struct HeldExceptionRecord {
    reason: String,
    expires: Option<Timestamp>,
}

/// A custom role as it is stored, with those of its policies that are the account's.
struct CustomRole {
    record: Stamped<RoleRecord>,
    policies: Vec<(Number, Stamped<PolicyRecord>)>,
}

/// What a subject's holdings come to.
pub(super) struct Gathered {
    /// The compiled set, shared with everybody who holds the same.
    pub(super) set: Arc<EffectiveSet>,
    /// How the subject comes to hold its roles, less what is gone.
    pub(super) held: Vec<HeldRole>,
    /// Its exceptions, less what is gone.
    pub(super) exceptions: Vec<HeldException>,
    /// The first instant at which something of it ceases to count; none: nothing does.
    pub(super) expires: Option<Timestamp>,
    /// What of all this is the subject's own.
    pub(super) own: Arc<OwnHoldings>,
}

/// Who is asked about.
#[derive(Clone, Copy)]
pub(super) enum Holding {
    /// Nobody who can be allowed anything.
    Nothing,
    /// A user.
    User(Number),
    /// A service account.
    ServiceAccount(Number),
}

/// One question's way through the facts.
pub(super) struct Gatherer<'a> {
    pub(super) core: &'a Core,
    pub(super) view: &'a dyn View,
    pub(super) account: Number,
    pub(super) catalog: &'a CatalogAt,
    /// The instant of the question.
    pub(super) now: Timestamp,
}

impl Gatherer<'_> {
    /// Everything that somebody holds, worked out. `features`: what the account is entitled to.
    ///
    /// # Errors
    /// What keeps the facts from being read.
    pub(super) fn gather(
        &self,
        holding: Holding,
        features: Vec<Number>,
        note: Note<'_>,
    ) -> Result<Gathered, ServiceError> {
        let mut held = match holding {
            Holding::Nothing => Held::default(),
            Holding::User(user) => self.of_user(user, note)?,
            Holding::ServiceAccount(number) => {
                let roles = self.bindings(number, None)?;
                let own = OwnHoldings { bindings: own_bindings(&roles), ..OwnHoldings::default() };
                Held { own, roles, ..Held::default() }
            }
        };
        // As it is stored: what is gone or has passed is left out of the rest only.
        let own = Arc::new(std::mem::take(&mut held.own));
        #[cfg(test)]
        self.with_fault(&mut held)?;
        let catalog = &self.catalog.compiled;
        for role in &mut held.roles {
            role.is_expired = self.has_passed(role.expires);
        }
        let resources = self.resources(&held)?;
        held.roles.retain(|held| held.resource.is_none_or(|number| resources.contains_key(&number)));
        let roles = self.roles(&held.roles, note)?;
        held.roles.retain(|held| catalog.role_of_number(held.role).is_some() || roles.contains_key(&held.role));

        let exceptions: Vec<HeldException> = held
            .exceptions
            .iter()
            .filter_map(|(number, record)| {
                Some(HeldException {
                    permission: catalog.permission_of_number(*number)?,
                    reason: record.reason.clone(),
                    expires: record.expires,
                    is_expired: self.has_passed(record.expires),
                })
            })
            .collect();
        let ahead = held.roles.iter().map(|held| held.expires).chain(exceptions.iter().map(|each| each.expires));
        let expires = ahead.flatten().filter(|expires| self.now < *expires).min();

        let signature = self.signature(&held, &resources, &roles, &exceptions, features);
        let features = signature.features.clone();
        let make = || {
            let holdings = Holdings {
                bindings: bound(&signature, &resources),
                roles: self.compiled(&signature, &held.roles, &roles),
                exceptions: exceptions.iter().map(|each| (each.permission, each.is_expired)).collect(),
                access: access(&signature, &resources, catalog),
            };
            EffectiveSet::new(Arc::clone(catalog), &features, holdings)
        };
        let set = self.core.sets.get_or_make(signature.clone(), make);
        Ok(Gathered { set, held: held.roles, exceptions, expires, own })
    }

    fn has_passed(&self, expires: Option<Timestamp>) -> bool {
        expires.is_some_and(|expires| self.now >= expires)
    }

    /// A user's own, which is noted already, and what it has through its teams.
    fn of_user(&self, user: Number, note: Note<'_>) -> Result<Held, StoreError> {
        let mut held = Held { roles: self.bindings(user, None)?, ..Held::default() };
        let has_facets = !self.catalog.compiled.bounded().is_empty();
        if has_facets {
            self.add_access(user, &mut held.access)?;
        }
        let list = |(facet, (all, values)): (&FacetNumber, &(bool, BTreeSet<Number>))| {
            (*facet, *all, values.iter().copied().collect())
        };
        let (bindings, access) = (own_bindings(&held.roles), held.access.iter().map(list).collect());
        held.own = OwnHoldings { is_user: true, has_access: has_facets, bindings, access, ..OwnHoldings::default() };
        let mut note_team = |dependency: Dependency| {
            if let Dependency::Thing(team) = dependency {
                held.own.teams.push(team);
            }
            note(dependency);
        };
        for (team, id) in facts::teams_of(self.view, self.account, user, &mut note_team)? {
            held.roles.extend(self.bindings(team, Some((team, id)))?);
            if has_facets {
                self.add_access(team, &mut held.access)?;
            }
        }
        for (key, value) in facts::scan_all(self.view, KeyRange::Exceptions { account: self.account, user })? {
            if let (Key::Exception { permission, .. }, Record::Exception(record)) = (key, value.value) {
                held.own.exceptions.push((permission, record.expires));
                let record = HeldExceptionRecord { reason: record.reason, expires: record.expires };
                held.exceptions.push((permission, record));
            }
        }
        Ok(held)
    }

    fn bindings(&self, holder: Number, team: Option<(Number, TeamId)>) -> Result<Vec<HeldRole>, StoreError> {
        let held = facts::bindings_of(self.view, self.account, holder)?.into_iter();
        Ok(held.map(|held| held.into_role(team.clone())).collect())
    }

    pub(super) fn add_access(
        &self,
        holder: Number,
        to: &mut BTreeMap<FacetNumber, (bool, BTreeSet<Number>)>,
    ) -> Result<(), StoreError> {
        for (key, value) in facts::scan_all(self.view, KeyRange::Access { account: self.account, holder })? {
            if let (Key::Access { facet, .. }, Record::Access(record)) = (key, value.value) {
                let (all, values) = to.entry(facet).or_default();
                *all |= record.all;
                values.extend(record.values);
            }
        }
        Ok(())
    }

    /// Every resource that is named, and is there, under a type that is. Their paths are for good, and deleting one rewrites
    /// whatever names it: they need not be noted.
    fn resources(&self, held: &Held) -> Result<BTreeMap<Number, (ResourcePath, ResourceTypeIndex)>, StoreError> {
        let listed = held.access.iter().filter(|(facet, (all, _))| **facet != FacetNumber::Feature && !all);
        let listed = listed.flat_map(|(_, (_, values))| values.iter().copied());
        let wanted: BTreeSet<Number> = held.roles.iter().filter_map(|held| held.resource).chain(listed).collect();
        let mut found = BTreeMap::new();
        for resource in wanted {
            let record = facts::get_resource(self.view, &Key::Resource { account: self.account, resource })?;
            let Some(record) = record.map(|record| record.value) else { continue };
            if let Some(resource_type) = self.catalog.compiled.resource_type_of_number(record.resource_type) {
                found.insert(resource, (record.path, resource_type));
            }
        }
        Ok(found)
    }

    /// Every custom role that is held or reached as a parent, with its policies, if it is there.
    fn roles(&self, held: &[HeldRole], note: Note<'_>) -> Result<BTreeMap<Number, CustomRole>, StoreError> {
        let catalog = &self.catalog.compiled;
        let mut found = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let mut open: Vec<Number> = held.iter().map(|held| held.role).collect();
        while let Some(role) = open.pop() {
            // The parents of a catalog's role are its catalog's.
            if catalog.role_of_number(role).is_some() || !seen.insert(role) {
                continue;
            }
            note(Dependency::Thing(role));
            let record = facts::get_role(self.view, &Key::Role { account: self.account, role })?;
            let Some(record) = record else { continue };
            open.extend(&record.value.parents);
            let mut policies = Vec::new();
            for policy in &record.value.policies {
                if catalog.policy_of_number(*policy).is_some() {
                    continue;
                }
                note(Dependency::Thing(*policy));
                let key = Key::Policy { account: self.account, policy: *policy };
                policies.extend(facts::get_policy(self.view, &key)?.map(|record| (*policy, record)));
            }
            found.insert(role, CustomRole { record, policies });
        }
        Ok(found)
    }

    fn signature(
        &self,
        held: &Held,
        resources: &BTreeMap<Number, (ResourcePath, ResourceTypeIndex)>,
        roles: &BTreeMap<Number, CustomRole>,
        exceptions: &[HeldException],
        features: Vec<Number>,
    ) -> Signature {
        let catalog = &self.catalog.compiled;
        let mut bindings: Vec<_> = held.roles.iter().map(|held| (held.role, held.resource, held.is_expired)).collect();
        bindings.sort_unstable();
        bindings.dedup();
        let role = |(number, role): (&Number, &CustomRole)| RoleSignature {
            role: (*number, role.record.revision),
            policies: role.policies.iter().map(|(number, record)| (*number, record.revision)).collect(),
        };
        let list = |(facet, (all, values)): (&FacetNumber, &(bool, BTreeSet<Number>))| {
            let is_there = |number: &&Number| match facet {
                FacetNumber::Feature => catalog.feature_of_number(**number).is_some(),
                FacetNumber::Type(_) => resources.contains_key(*number),
            };
            let values = values.iter().filter(|_| !all).filter(is_there).copied().collect();
            (*facet, *all, values)
        };
        let mut exceptions: Vec<_> = exceptions
            .iter()
            .filter_map(|each| Some((catalog.number_of_permission(each.permission)?, each.is_expired)))
            .collect();
        exceptions.sort_unstable();
        Signature {
            catalog: (catalog.catalog().number, self.catalog.revision),
            features,
            bindings,
            roles: roles.iter().map(role).collect(),
            access: held.access.iter().map(list).collect(),
            exceptions,
        }
    }

    /// The roles made ready: those of the catalog with all that they reach, and custom ones, shared.
    fn compiled(
        &self,
        signature: &Signature,
        held: &[HeldRole],
        custom: &BTreeMap<Number, CustomRole>,
    ) -> Vec<Arc<RoleFacts>> {
        let catalog = &self.catalog.compiled;
        let mut roles: BTreeMap<Number, Arc<RoleFacts>> = BTreeMap::new();
        let mut open: Vec<Number> = held.iter().map(|held| held.role).collect();
        for role in &signature.roles {
            let (number, _) = role.role;
            let Some(found) = custom.get(&number) else { continue };
            open.extend(&found.record.value.parents);
            let make = || {
                let policies: Vec<Arc<PolicyFacts>> = found
                    .policies
                    .iter()
                    .map(|(number, record)| Arc::new(self.custom_policy(catalog, *number, &record.value)))
                    .collect();
                catalog.custom_role_with(number, &found.record.value, &policies)
            };
            let facts = self.core.roles.get_or_make((signature.catalog, role.clone()), make);
            roles.insert(number, facts);
        }
        while let Some(number) = open.pop() {
            if let Some(role) = catalog.role_of_number(number)
                && !roles.contains_key(&number)
            {
                open.extend(&role.parents);
                roles.insert(number, Arc::clone(role));
            }
        }
        #[cfg(test)]
        let roles = self.with_faulty_roles(held, roles);
        roles.into_values().collect()
    }

    fn custom_policy(&self, catalog: &CompiledCatalog, number: Number, record: &PolicyRecord) -> PolicyFacts {
        #[cfg(test)]
        let record = &self.core.with_faulty_statements(record.clone());
        catalog.custom_policy(number, record)
    }
}

/// The bindings of a subject itself, each once.
fn own_bindings(roles: &[HeldRole]) -> Vec<(Number, Option<Number>, Option<Timestamp>)> {
    let mut bindings: Vec<_> = roles.iter().map(|held| (held.role, held.resource, held.expires)).collect();
    bindings.sort_unstable();
    bindings.dedup();
    bindings
}

/// The bindings of a signature, with their resources.
fn bound(signature: &Signature, resources: &BTreeMap<Number, (ResourcePath, ResourceTypeIndex)>) -> Vec<BoundRole> {
    let bound = |(role, resource, is_expired): &(Number, Option<Number>, bool)| {
        let resource = match resource {
            None => None,
            Some(number) => {
                let (path, resource_type) = resources.get(number)?;
                Some(BoundResource { number: *number, path: path.clone(), resource_type: *resource_type })
            }
        };
        Some(BoundRole { role: *role, resource, is_expired: *is_expired })
    };
    signature.bindings.iter().filter_map(bound).collect()
}

/// The access lists of a signature.
fn access(
    signature: &Signature,
    resources: &BTreeMap<Number, (ResourcePath, ResourceTypeIndex)>,
    catalog: &CompiledCatalog,
) -> Access {
    let mut access = Access::default();
    for (facet, all, values) in &signature.access {
        match catalog.facet_of_number(*facet) {
            None => {}
            Some(Facet::Feature) => {
                let mut values: Vec<FeatureIndex> =
                    values.iter().filter_map(|number| catalog.feature_of_number(*number)).collect();
                values.sort_unstable();
                access.features = AccessList { all: *all, values };
            }
            Some(Facet::Type(resource_type)) => {
                let of_type = |number: &Number| resources.get(number).filter(|(_, of)| *of == resource_type);
                let mut values: Vec<ResourcePath> =
                    values.iter().filter_map(of_type).map(|(path, _)| path.clone()).collect();
                values.sort_unstable();
                access.resources.push((resource_type, AccessList { all: *all, values }));
            }
        }
    }
    access
}
