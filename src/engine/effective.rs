//! What a subject may do, worked out before anybody asks.
//!
//! An [`EffectiveSet`] is what bindings, access lists and exceptions come to, with everything decided that does not depend
//! on the question: its `settled` permissions are allowed wherever they are asked for. For the rest it keeps the grants
//! and denies, which [`super::decide`] goes through.

use std::sync::Arc;

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
        let Holdings { bindings, mut roles, exceptions: given, access } = holdings;
        roles.sort_by_key(|role| role.number);
        roles.dedup_by_key(|role| role.number);
        let mut set = Self {
            grants: Vec::with_capacity(bindings.len()),
            denies: Vec::new(),
            exceptions: PermissionSet::default(),
            granted: PermissionSet::with_capacity(catalog.catalog().definition.permissions.len()),
            expired: PermissionSet::default(),
            entitled: catalog.entitled(features),
            settled: PermissionSet::default(),
            settled_api_scopes: catalog.no_api_scopes(),
            catalog,
            roles,
            bindings,
            access,
        };
        let mut denied = PermissionSet::default();
        for binding in 0..set.bindings.len() {
            set.take_in(binding, &mut denied);
        }
        for (permission, is_expired) in given {
            let mut one = set.catalog.no_permissions();
            one.insert(permission);
            one.intersect_with(set.catalog.assignable());
            let to = if is_expired { &mut set.expired } else { &mut set.exceptions };
            to.union_with(&one);
        }
        set.granted.union_with(&set.exceptions);
        set.settle(&denied);
        set
    }

    /// Takes in what a binding brings: its role, and all that this reaches as parents, each once. Cycles, which no file and
    /// no write can make, end.
    fn take_in(&mut self, binding: usize, denied: &mut PermissionSet) {
        let Some(bound) = self.bindings.get(binding) else { return };
        let (from, is_expired) = (bound.role, bound.is_expired);
        let Some(role) = self.role(from).cloned() else { return };
        if role.parents.is_empty() {
            return self.take_in_role(binding, is_expired, &role, denied);
        }
        let (mut reached, mut open) = (vec![from], role.parents.clone());
        self.take_in_role(binding, is_expired, &role, denied);
        while let Some(number) = open.pop() {
            if let Some(role) = self.role(number).cloned()
                && !reached.contains(&number)
            {
                reached.push(number);
                open.extend(&role.parents);
                self.take_in_role(binding, is_expired, &role, denied);
            }
        }
    }

    fn take_in_role(&mut self, binding: usize, is_expired: bool, role: &Arc<RoleFacts>, denied: &mut PermissionSet) {
        let statements = role.statements.iter().map(|statement| Some(Arc::clone(statement)));
        for statement in std::iter::once(None).chain(statements) {
            let denies = statement.as_ref().is_some_and(|statement| statement.effect == Effect::Deny);
            let chain = Chain { binding, role: Arc::clone(role), statement };
            match (denies, is_expired) {
                _ if chain.permissions().is_empty() => {}
                (true, true) => {}
                (false, true) => self.expired.union_with(chain.permissions()),
                (true, false) => {
                    denied.union_with(chain.permissions());
                    self.denies.push(chain);
                }
                (false, false) => {
                    self.granted.union_with(chain.permissions());
                    self.grants.push(chain);
                }
            }
        }
    }

    /// Finds what is allowed wherever it is asked for.
    fn settle(&mut self, denied: &PermissionSet) {
        let catalog = Arc::clone(&self.catalog);
        let mut candidates = self.entitled.clone();
        candidates.subtract(denied);
        candidates.subtract(catalog.conditional());
        // Grants of roles that cover nothing and leave nothing out are looked at together: each permission once, however
        // many contain it.
        let mut plain = self.exceptions.clone();
        let mut settled = catalog.no_permissions();
        let everywhere = |chain: &&Chain| {
            let is_bound = self.bindings.get(chain.binding).is_none_or(|bound| bound.resource.is_some());
            !is_bound && chain.is_unlimited()
        };
        for chain in self.grants.iter().filter(everywhere) {
            if chain.role.covers.is_empty() && chain.role.left_out.is_empty() {
                plain.union_with(chain.permissions());
                continue;
            }
            let mut passed = chain.permissions().clone();
            passed.intersect_with(&candidates);
            self.keep_unbounded(&mut passed, &chain.role.covers);
            settled.union_with(&passed);
            for permission in passed.iter() {
                catalog.add_api_scopes(permission, &chain.role.left_out, &mut self.settled_api_scopes);
            }
        }
        plain.intersect_with(&candidates);
        self.keep_unbounded(&mut plain, &[]);
        let nothing = ApiScopeSet::default();
        for permission in plain.iter() {
            catalog.add_api_scopes(permission, &nothing, &mut self.settled_api_scopes);
        }
        settled.union_with(&plain);
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

/// Everything that a decision about a subject needs. Shared by all who hold the same.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Whether it can be allowed anything at all.
    pub standing: Standing,
    /// What it may do if it can.
    pub set: Arc<EffectiveSet>,
}

/// How one subject comes to what it may do. No decision needs it; lists show it.
#[derive(Debug, Default)]
pub struct Evidence {
    /// How it comes to hold its roles.
    pub held: Vec<HeldRole>,
    /// Its exceptions.
    pub exceptions: Vec<HeldException>,
}
