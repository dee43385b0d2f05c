//! What a subject may do, worked out before anybody asks.
//!
//! An [`EffectiveSet`] is what bindings, access lists and exceptions come to, with everything decided that does not depend
//! on the question: its `settled` permissions are allowed wherever they are asked for. For the rest it keeps the grants
//! and denies, which [`super::decide`] goes through.

use std::{collections::HashMap, sync::Arc};

use super::{ApiScopeSet, CompiledCatalog, PermissionSet, RoleFacts, StatementFacts};
use crate::model::{
    Effect, Facet, FeatureIndex, Number, PermissionIndex, ResourcePath, ResourceTypeIndex, TeamId, Timestamp,
};

/// A registered resource that a role is bound on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundResource {
    /// Its number.
    pub number: Number,
    /// What it is called.
    pub path: ResourcePath,
    /// Its type.
    pub resource_type: ResourceTypeIndex,
}

/// A role that is held somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundRole {
    /// The role.
    pub role: Number,
    /// Where; none: on the whole account.
    pub resource: Option<BoundResource>,
    /// It counted until a time that has passed.
    pub is_expired: bool,
}

/// What of one facet a subject has access to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessList<T> {
    /// All of it.
    pub all: bool,
    /// Ascending, each once; empty if it is all.
    pub values: Vec<T>,
}

impl<T> Default for AccessList<T> {
    fn default() -> Self {
        Self { all: false, values: Vec::new() }
    }
}

/// What a subject has access to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Of the features.
    pub features: AccessList<FeatureIndex>,
    /// Of the resources of each type that it has a list of.
    pub resources: Vec<(ResourceTypeIndex, AccessList<ResourcePath>)>,
}

impl Access {
    /// The list of one type.
    #[must_use]
    pub fn resources(&self, resource_type: ResourceTypeIndex) -> Option<&AccessList<ResourcePath>> {
        self.resources.iter().find(|(of, _)| *of == resource_type).map(|(_, list)| list)
    }

    /// Whether a permission passes a facet wherever it is asked for.
    fn passes_always(&self, catalog: &CompiledCatalog, facet: Facet, permission: PermissionIndex) -> bool {
        match facet {
            Facet::Type(resource_type) => self.resources(resource_type).is_some_and(|list| list.all),
            Facet::Feature => self.has_feature_of(catalog, permission),
        }
    }

    /// Whether a permission passes a facet anywhere.
    pub(super) fn passes_somewhere(
        &self,
        catalog: &CompiledCatalog,
        facet: Facet,
        permission: PermissionIndex,
    ) -> bool {
        match facet {
            Facet::Type(resource_type) => {
                self.resources(resource_type).is_some_and(|list| list.all || !list.values.is_empty())
            }
            Facet::Feature => self.has_feature_of(catalog, permission),
        }
    }

    /// Whether the list of features has the one that a permission belongs to.
    pub(super) fn has_feature_of(&self, catalog: &CompiledCatalog, permission: PermissionIndex) -> bool {
        let feature = catalog.definition(permission).and_then(|definition| definition.feature);
        feature.is_some_and(|feature| self.features.all || self.features.values.binary_search(&feature).is_ok())
    }

    fn bytes(&self) -> usize {
        let paths = self.resources.iter().flat_map(|(_, list)| &list.values);
        self.features.values.len() * size_of::<FeatureIndex>()
            + self.resources.len() * size_of::<(ResourceTypeIndex, AccessList<ResourcePath>)>()
            + paths.map(|path| size_of::<ResourcePath>() + path.as_str().len()).sum::<usize>()
    }
}

/// All that is given to somebody.
#[derive(Debug, Default)]
pub struct Holdings {
    /// The roles that are held, and where: in any order, each once.
    pub bindings: Vec<BoundRole>,
    /// Those roles and all that they reach as parents. One that is missing gives nothing.
    pub roles: Vec<Arc<RoleFacts>>,
    /// Single permissions, and whether each counted until a time that has passed. Internal ones give nothing.
    pub exceptions: Vec<(PermissionIndex, bool)>,
    /// What it has access to.
    pub access: Access,
}

/// One way by which permissions come to somebody, or are taken away: a binding, a role that it reaches, and what that role
/// lists or a statement that it contains.
#[derive(Debug)]
pub(super) struct Chain {
    /// The position of the binding in [`EffectiveSet::bindings`].
    pub(super) binding: usize,
    /// The role that lists it.
    pub(super) role: Arc<RoleFacts>,
    /// The statement; none: the role lists the permissions themselves.
    pub(super) statement: Option<Arc<StatementFacts>>,
}

impl Chain {
    pub(super) fn permissions(&self) -> &PermissionSet {
        self.statement.as_ref().map_or(&self.role.permissions, |statement| statement.permissions(&self.role))
    }

    /// Whether a statement's own limits leave every resource and every question in.
    pub(super) fn is_unlimited(&self) -> bool {
        self.statement.as_ref().is_none_or(|statement| statement.condition.is_none() && statement.is_everywhere())
    }
}

/// The effective permissions of everybody who holds the same in an account.
///
/// It knows nothing of persons, so a million users with the same bindings and access lists share one.
#[derive(Debug)]
pub struct EffectiveSet {
    catalog: Arc<CompiledCatalog>,
    roles: Vec<Arc<RoleFacts>>,
    bindings: Vec<BoundRole>,
    pub(super) grants: Vec<Chain>,
    pub(super) denies: Vec<Chain>,
    pub(super) exceptions: PermissionSet,
    access: Access,
    /// Some live grant or exception contains it.
    granted: PermissionSet,
    /// Some expired grant or exception contains it.
    expired: PermissionSet,
    /// The account is entitled to its feature.
    entitled: PermissionSet,
    /// Allowed wherever it is asked for.
    settled: PermissionSet,
    /// Allowed wherever it is asked for.
    settled_api_scopes: ApiScopeSet,
}

impl EffectiveSet {
    /// Works out what holdings come to in an account with these features (by number). Cost: linear in the roles that each
    /// binding reaches and in the catalog's permissions for each.
    #[must_use]
    pub fn new(catalog: Arc<CompiledCatalog>, features: &[Number], holdings: Holdings) -> Self {
        let none = || PermissionSet::with_capacity(catalog.catalog().definition.permissions.len());
        let Holdings { bindings, mut roles, exceptions: given, access } = holdings;
        roles.sort_by_key(|role| role.number);
        roles.dedup_by_key(|role| role.number);
        let by_number: HashMap<Number, &Arc<RoleFacts>> = roles.iter().map(|role| (role.number, role)).collect();
        let (mut grants, mut denies) = (Vec::new(), Vec::new());
        let (mut granted, mut expired, mut exceptions, mut denied) = (none(), none(), none(), none());
        for (binding, bound) in bindings.iter().enumerate() {
            for role in reached(&by_number, bound.role) {
                let listed = Chain { binding, role: Arc::clone(role), statement: None };
                let statements = role.statements.iter().map(|statement| Chain {
                    binding,
                    role: Arc::clone(role),
                    statement: Some(Arc::clone(statement)),
                });
                for chain in std::iter::once(listed).chain(statements) {
                    let denies_it = chain.statement.as_ref().is_some_and(|statement| statement.effect == Effect::Deny);
                    match (denies_it, bound.is_expired) {
                        _ if chain.permissions().is_empty() => {}
                        (true, true) => {}
                        (false, true) => expired.union_with(chain.permissions()),
                        (true, false) => {
                            denied.union_with(chain.permissions());
                            denies.push(chain);
                        }
                        (false, false) => {
                            granted.union_with(chain.permissions());
                            grants.push(chain);
                        }
                    }
                }
            }
        }
        for (permission, is_expired) in given {
            match (catalog.assignable().contains(permission), is_expired) {
                (false, _) => {}
                (true, true) => expired.insert(permission),
                (true, false) => exceptions.insert(permission),
            }
        }
        granted.union_with(&exceptions);
        let entitled = catalog.entitled(features);
        let mut set = Self {
            settled: none(),
            settled_api_scopes: catalog.no_api_scopes(),
            catalog,
            roles: Vec::new(),
            bindings,
            grants,
            denies,
            exceptions,
            access,
            granted,
            expired,
            entitled,
        };
        set.settle(&denied);
        set.roles = roles;
        set
    }

    /// Finds what is allowed wherever it is asked for.
    fn settle(&mut self, denied: &PermissionSet) {
        let catalog = Arc::clone(&self.catalog);
        let none = || PermissionSet::with_capacity(catalog.catalog().definition.permissions.len());
        let mut candidates = self.entitled.clone();
        candidates.subtract(denied);
        candidates.subtract(catalog.conditional());
        let mut settled = none();
        // Grants that leave nothing out are looked at together: each permission once, however many contain it.
        let mut whole = none();
        let everywhere = |chain: &&Chain| {
            let is_bound = self.bindings.get(chain.binding).is_none_or(|bound| bound.resource.is_some());
            !is_bound && chain.is_unlimited()
        };
        for chain in self.grants.iter().filter(everywhere) {
            let mut passed = chain.permissions().clone();
            passed.intersect_with(&candidates);
            self.keep_unbounded(&mut passed, &chain.role.covers);
            settled.union_with(&passed);
            if chain.role.left_out.is_empty() {
                whole.union_with(&passed);
            } else {
                for permission in passed.iter() {
                    catalog.add_api_scopes(permission, &chain.role.left_out, &mut self.settled_api_scopes);
                }
            }
        }
        let mut excepted = self.exceptions.clone();
        excepted.intersect_with(&candidates);
        self.keep_unbounded(&mut excepted, &[]);
        settled.union_with(&excepted);
        whole.union_with(&excepted);
        for permission in whole.iter() {
            catalog.add_api_scopes(permission, &ApiScopeSet::default(), &mut self.settled_api_scopes);
        }
        self.settled = settled;
    }

    /// Keeps what no facet bounds, a role that covers these, or the access lists, lets through wherever it is asked for.
    fn keep_unbounded(&self, permissions: &mut PermissionSet, covers: &[Facet]) {
        for (facet, bounded) in self.catalog.bounded().iter().filter(|(facet, _)| !covers.contains(facet)) {
            let mut stopped = bounded.clone();
            stopped.intersect_with(permissions);
            for permission in bounded.iter().filter(|permission| permissions.contains(*permission)) {
                if self.access.passes_always(&self.catalog, *facet, permission) {
                    stopped.remove(permission);
                }
            }
            permissions.subtract(&stopped);
        }
    }

    /// The catalog that it was worked out from.
    #[must_use]
    pub fn catalog(&self) -> &Arc<CompiledCatalog> {
        &self.catalog
    }

    /// One of its roles: of those that are held, and of those that they reach.
    #[must_use]
    pub fn role(&self, number: Number) -> Option<&Arc<RoleFacts>> {
        let position = self.roles.binary_search_by_key(&number, |role| role.number).ok()?;
        self.roles.get(position)
    }

    /// The roles that are held, and where.
    #[must_use]
    pub fn bindings(&self) -> &[BoundRole] {
        &self.bindings
    }

    /// What there is access to.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// What some live grant contains, wherever, entitled or not.
    #[must_use]
    pub fn granted(&self) -> &PermissionSet {
        &self.granted
    }

    /// What some expired grant contains.
    #[must_use]
    pub fn expired(&self) -> &PermissionSet {
        &self.expired
    }

    /// What the account is entitled to, granted or not.
    #[must_use]
    pub fn entitled(&self) -> &PermissionSet {
        &self.entitled
    }

    /// What is allowed wherever it is asked for.
    #[must_use]
    pub fn settled(&self) -> &PermissionSet {
        &self.settled
    }

    /// The API scopes that may be used wherever they are asked for.
    #[must_use]
    pub fn settled_api_scopes(&self) -> &ApiScopeSet {
        &self.settled_api_scopes
    }

    /// What it takes in memory itself, in bytes, without the catalog and the roles that it shares.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let sets = [&self.exceptions, &self.granted, &self.expired, &self.entitled, &self.settled];
        let paths = self.bindings.iter().filter_map(|bound| bound.resource.as_ref()).map(|on| on.path.as_str().len());
        size_of::<Self>()
            + sets.into_iter().map(PermissionSet::bytes).sum::<usize>()
            + self.settled_api_scopes.bytes()
            + self.roles.len() * size_of::<usize>()
            + self.bindings.len() * size_of::<BoundRole>()
            + paths.sum::<usize>()
            + (self.grants.len() + self.denies.len()) * size_of::<Chain>()
            + self.access.bytes()
    }
}

/// A role and all that it reaches as parents, each once. Cycles, which no file and no write can make, end.
fn reached<'a>(roles: &HashMap<Number, &'a Arc<RoleFacts>>, from: Number) -> Vec<&'a Arc<RoleFacts>> {
    let mut reached: Vec<&Arc<RoleFacts>> = Vec::new();
    let mut open = vec![from];
    while let Some(number) = open.pop() {
        if let Some(role) = roles.get(&number)
            && !reached.iter().any(|each| each.number == number)
        {
            reached.push(role);
            open.extend(&role.parents);
        }
    }
    reached
}

/// Whether a subject can be allowed anything at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// The account is suspended.
    AccountSuspended,
    /// The account has no such subject.
    Unknown,
    /// The subject is invited or suspended.
    NotActive,
    /// Account and subject are active.
    Active,
}

/// One binding by which a subject holds a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRole {
    /// The role.
    pub role: Number,
    /// The team whose binding it is; none: the subject's own.
    pub team: Option<(Number, TeamId)>,
    /// The binding.
    pub binding: Number,
    /// The resource that it is on; none: the whole account.
    pub resource: Option<Number>,
    /// The instant from which it does not count any more.
    pub expires: Option<Timestamp>,
    /// That instant has passed.
    pub is_expired: bool,
}

/// One exception of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldException {
    /// The permission.
    pub permission: PermissionIndex,
    /// Why it was given.
    pub reason: String,
    /// The instant from which it does not count any more.
    pub expires: Option<Timestamp>,
    /// That instant has passed.
    pub is_expired: bool,
}

/// Everything that a question about one subject needs.
#[derive(Debug)]
pub struct Subject {
    /// Whether it can be allowed anything at all.
    pub standing: Standing,
    /// What it may do if it can.
    pub set: Arc<EffectiveSet>,
    /// How it comes to hold its roles.
    pub held: Vec<HeldRole>,
    /// Its exceptions.
    pub exceptions: Vec<HeldException>,
}
