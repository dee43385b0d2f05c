//! How much roles contain: what they list, what the allow statements of their policies match, and what all their parents
//! contain, each permission and each API scope once.
//!
//! What a deny takes away is not looked at, nor where a statement allows what it allows. Read [`RoleTotals::of`] first.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    rc::Rc,
};

use super::{error::ServiceError, facts};
use crate::{
    engine::{ApiScopeSet, CompiledCatalog, PermissionSet, RoleFacts},
    files::PermissionPatterns,
    model::{Effect, Key, Number, RoleRecord, Stamped},
    store::View,
};

/// How much a role contains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoleTotal {
    /// How many permissions.
    pub permissions: usize,
    /// How many API scopes these provide, included ones too, less what each role that gives them leaves out.
    pub api_scopes: usize,
}

/// What a role contains without its parents.
struct Own {
    permissions: PermissionSet,
    api_scopes: ApiScopeSet,
    parents: Vec<Number>,
}

/// The totals of roles that are shown together: what several of them reach is looked at once.
pub(super) struct RoleTotals<'a> {
    view: &'a dyn View,
    /// Whose custom roles are reached; none: only those of the catalog are asked about.
    account: Option<Number>,
    catalog: &'a CompiledCatalog,
    /// None: the role is gone.
    own: RefCell<HashMap<Number, Option<Rc<Own>>>>,
    /// What the allow statements of each custom policy match.
    policies: RefCell<HashMap<Number, Rc<PermissionSet>>>,
}

impl<'a> RoleTotals<'a> {
    pub(super) fn new(view: &'a dyn View, account: Option<Number>, catalog: &'a CompiledCatalog) -> Self {
        Self { view, account, catalog, own: RefCell::default(), policies: RefCell::default() }
    }

    pub(super) fn catalog(&self) -> &'a CompiledCatalog {
        self.catalog
    }

    /// How much a role contains; nothing if it is gone. Cost: for each role that it reaches linear in the permissions, and in
    /// the patterns of its policies the first time that one of these is reached.
    pub(super) fn of(&self, role: Number) -> Result<RoleTotal, ServiceError> {
        let mut permissions = self.catalog.no_permissions();
        let mut api_scopes = self.catalog.no_api_scopes();
        let (mut seen, mut open) = (HashSet::new(), vec![role]);
        while let Some(role) = open.pop() {
            if seen.insert(role)
                && let Some(own) = self.own(role)?
            {
                permissions.union_with(&own.permissions);
                api_scopes.union_with(&own.api_scopes);
                open.extend(&own.parents);
            }
        }
        Ok(RoleTotal { permissions: permissions.len(), api_scopes: api_scopes.len() })
    }

    fn own(&self, number: Number) -> Result<Option<Rc<Own>>, ServiceError> {
        if let Some(own) = self.own.borrow().get(&number) {
            return Ok(own.clone());
        }
        let own = match (self.catalog.role_of_number(number), self.account) {
            (Some(role), _) => Some(self.contents(role, &[])?),
            (None, Some(account)) => {
                let record = facts::get_role(self.view, &Key::Role { account, role: number })?;
                let contents = |record: Stamped<RoleRecord>| {
                    self.contents(&self.catalog.custom_role(number, &record.value), &record.value.policies)
                };
                record.map(contents).transpose()?
            }
            (None, None) => None,
        };
        let own = own.map(Rc::new);
        self.own.borrow_mut().insert(number, own.clone());
        Ok(own)
    }

    /// What a role contains that is made ready but for its custom policies.
    fn contents(&self, role: &RoleFacts, policies: &[Number]) -> Result<Own, ServiceError> {
        let mut permissions = role.permissions.clone();
        for statement in role.statements.iter().filter(|statement| statement.effect == Effect::Allow) {
            permissions.union_with(statement.permissions(role));
        }
        for policy in policies {
            permissions.union_with(&*self.matched(*policy)?);
        }
        let mut api_scopes = self.catalog.no_api_scopes();
        for permission in permissions.iter() {
            self.catalog.add_api_scopes(permission, &role.left_out, &mut api_scopes);
        }
        Ok(Own { permissions, api_scopes, parents: role.parents.clone() })
    }

    /// What the allow statements of a custom policy match; nothing if it is a managed one, or gone.
    fn matched(&self, policy: Number) -> Result<Rc<PermissionSet>, ServiceError> {
        if let Some(matched) = self.policies.borrow().get(&policy) {
            return Ok(Rc::clone(matched));
        }
        let mut matched = self.catalog.no_permissions();
        let record = match self.account {
            Some(account) => facts::get_policy(self.view, &Key::Policy { account, policy })?,
            None => None,
        };
        if let Some(record) = record {
            let allowed = record.value.statements.iter().filter(|statement| statement.effect == Effect::Allow);
            let patterns = PermissionPatterns::new(allowed.flat_map(|statement| &statement.permissions));
            let definitions = self.catalog.assignable().iter().map(|index| (index, self.catalog.definition(index)));
            for (index, definition) in definitions {
                if definition.is_some_and(|definition| patterns.matches(definition.id.as_str())) {
                    matched.insert(index);
                }
            }
        }
        let matched = Rc::new(matched);
        self.policies.borrow_mut().insert(policy, Rc::clone(&matched));
        Ok(matched)
    }
}
