//! What a subject may do, worked out before anybody asks.

use std::sync::Arc;

use super::{ApiScopeSet, CompiledCatalog, PermissionSet};
use crate::model::{Number, PermissionIndex, RoleId, TeamId};

/// Where a role comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RoleOrigin {
    /// The catalog: managed or internal.
    Catalog {
        /// Its position in the catalog's roles.
        position: usize,
    },
    /// The account: custom.
    Account,
}

/// A role made ready for decisions.
#[derive(Debug, PartialEq, Eq)]
pub struct RoleFacts {
    /// Its number.
    pub number: Number,
    /// Its id within its catalog or account.
    pub id: RoleId,
    /// Where it comes from.
    pub origin: RoleOrigin,
    /// What it contains: an internal permission only if the role is internal.
    pub permissions: PermissionSet,
    /// The API scopes that it does not provide, whatever its permissions do.
    pub left_out: ApiScopeSet,
}

/// The effective permissions of everybody who holds the same roles in an account.
///
/// It knows nothing of persons, so a million users with the same roles share one.
#[derive(Debug)]
pub struct EffectiveSet {
    catalog: Arc<CompiledCatalog>,
    roles: Vec<Arc<RoleFacts>>,
    granted: PermissionSet,
    allowed: PermissionSet,
    api_scopes: ApiScopeLevels,
}

/// How far the grants of a subject come for each API scope.
#[derive(Debug)]
struct ApiScopeLevels {
    /// A permission that some role contains provides it.
    granted: ApiScopeSet,
    /// A permission that some role contains and the account is entitled to provides it.
    entitled: ApiScopeSet,
    /// One of those roles does not leave it out.
    allowed: ApiScopeSet,
}

impl ApiScopeLevels {
    fn new(
        catalog: &CompiledCatalog,
        roles: &[Arc<RoleFacts>],
        granted: &PermissionSet,
        allowed: &PermissionSet,
    ) -> Self {
        let none = ApiScopeSet::default();
        let of = |permissions: &PermissionSet| {
            let mut scopes = catalog.no_api_scopes();
            for permission in permissions.iter() {
                catalog.add_api_scopes(permission, &none, &mut scopes);
            }
            scopes
        };
        let entitled = of(allowed);
        let mut provided = catalog.no_api_scopes();
        // Roles that leave nothing out are looked at together: each permission once, however many contain it.
        let mut whole = PermissionSet::with_capacity(catalog.catalog().definition.permissions.len());
        for role in roles {
            if role.left_out.is_empty() {
                whole.union_with(&role.permissions);
                continue;
            }
            for permission in role.permissions.iter().filter(|permission| allowed.contains(*permission)) {
                catalog.add_api_scopes(permission, &role.left_out, &mut provided);
            }
        }
        whole.intersect_with(allowed);
        provided.union_with(&of(&whole));
        Self { granted: of(granted), entitled, allowed: provided }
    }
}

impl EffectiveSet {
    /// Works out what roles come to in an account with these features (by number). Roles may come in any order; each
    /// counts once. Cost: linear in the roles and in the catalog's permissions.
    #[must_use]
    pub fn new(catalog: Arc<CompiledCatalog>, features: &[Number], mut roles: Vec<Arc<RoleFacts>>) -> Self {
        roles.sort_by_key(|role| role.number);
        roles.dedup_by_key(|role| role.number);
        let mut granted = PermissionSet::with_capacity(catalog.catalog().definition.permissions.len());
        for role in &roles {
            granted.union_with(&role.permissions);
        }
        let mut allowed = catalog.entitled(features);
        allowed.intersect_with(&granted);
        let api_scopes = ApiScopeLevels::new(&catalog, &roles, &granted, &allowed);
        Self { catalog, roles, granted, allowed, api_scopes }
    }

    /// The catalog that it was worked out from.
    #[must_use]
    pub fn catalog(&self) -> &Arc<CompiledCatalog> {
        &self.catalog
    }

    /// One of its roles.
    #[must_use]
    pub fn role(&self, number: Number) -> Option<&Arc<RoleFacts>> {
        let position = self.roles.binary_search_by_key(&number, |role| role.number).ok()?;
        self.roles.get(position)
    }

    /// What some role contains, entitled or not.
    #[must_use]
    pub fn granted(&self) -> &PermissionSet {
        &self.granted
    }

    /// What some role contains and the account is entitled to.
    #[must_use]
    pub fn allowed(&self) -> &PermissionSet {
        &self.allowed
    }

    /// The API scopes that permissions of some role provide, entitled or not, left out or not.
    #[must_use]
    pub fn granted_api_scopes(&self) -> &ApiScopeSet {
        &self.api_scopes.granted
    }

    /// The API scopes that permissions of some role provide that the account is entitled to, left out or not.
    #[must_use]
    pub fn entitled_api_scopes(&self) -> &ApiScopeSet {
        &self.api_scopes.entitled
    }

    /// The API scopes that may be used.
    #[must_use]
    pub fn allowed_api_scopes(&self) -> &ApiScopeSet {
        &self.api_scopes.allowed
    }

    /// The API scopes that a permission provides through these roles of the set, included ones too, less what each of
    /// them leaves out. Cost: linear in the roles.
    pub fn provided<'a>(
        &self,
        permission: PermissionIndex,
        roles: impl IntoIterator<Item = &'a HeldRole>,
    ) -> ApiScopeSet {
        let mut scopes = self.catalog.no_api_scopes();
        for role in roles.into_iter().filter_map(|held| self.role(held.role)) {
            self.catalog.add_api_scopes(permission, &role.left_out, &mut scopes);
        }
        scopes
    }

    /// What it takes in memory itself, in bytes, without the catalog and the roles that it shares.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let scopes = &self.api_scopes;
        let scopes = scopes.granted.bytes() + scopes.entitled.bytes() + scopes.allowed.bytes();
        size_of::<Self>() + self.granted.bytes() + self.allowed.bytes() + scopes + self.roles.len() * size_of::<usize>()
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
}
