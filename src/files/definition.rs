//! What an account file says: [`AccountDefinition`] and its parts, as values without their text.
//!
//! References to what only the account's catalog knows are [`Located`], so that whoever has the catalog can say where
//! one is wrong. Nothing is read or written here; start with [`AccountDefinition`].

use super::node::Position;
use crate::model::{
    AccountId, AccountState, ApiScopeId, CatalogId, Condition, Effect, FeatureId, InvalidId, PermissionId,
    PermissionPattern, PolicyId, ResourcePath, ResourcePattern, ResourceTypeId, RoleId, ServiceAccountId,
    ServiceAccountState, Statement, TeamId, Timestamp, UserId, UserState,
};

/// How a file writes that a role or a policy is one of its own.
pub(super) const CUSTOM: &str = "custom/";

/// The facet that is built in, as files write it.
pub(super) const FEATURE: &str = "feature";

/// A value and where the file has it. Two are equal if the values are, wherever they come from.
#[derive(Clone, Copy, Debug)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it begins; line 1, column 1 if it comes from no file.
    pub at: Position,
}

impl<T> From<T> for Located<T> {
    /// A value that comes from no file.
    fn from(value: T) -> Self {
        Self { value, at: Position::START }
    }
}

impl<T: PartialEq> PartialEq for Located<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Located<T> {}

/// An account with everything in it, as a file says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountDefinition {
    /// Names the account.
    pub id: Located<AccountId>,
    /// For people; may be empty.
    pub display_name: String,
    /// The catalog that it lives under.
    pub catalog: Located<CatalogId>,
    /// Whether it is in use.
    pub state: AccountState,
    /// The features that it is entitled to, each once; not known to be the catalog's.
    pub features: Vec<Located<FeatureId>>,
    /// Its registered resources, paths unique. What is right above each of them is registered too.
    pub resources: Vec<ResourceDefinition>,
    /// Its custom policies, ids unique.
    pub policies: Vec<PolicyDefinition>,
    /// Its custom roles, ids unique; none is its own parent, however far up.
    pub roles: Vec<RoleDefinition>,
    /// Its teams, ids unique.
    pub teams: Vec<TeamDefinition>,
    /// Its users, ids unique.
    pub users: Vec<UserDefinition>,
    /// Its service accounts, ids unique.
    pub service_accounts: Vec<ServiceAccountDefinition>,
}

/// A registered resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceDefinition {
    /// Unique within the account; not known to be of the catalog's types.
    pub path: Located<ResourcePath>,
    /// For people; may be empty.
    pub display_name: String,
}

/// A custom policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDefinition {
    /// Unique among the account's custom policies.
    pub id: Located<PolicyId>,
    /// For people.
    pub display_name: String,
    /// For people; may be empty.
    pub description: String,
    /// What it says; at least one.
    pub statements: Vec<StatementDefinition>,
}

/// One sentence of a policy: a [`Statement`] with the places of its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementDefinition {
    /// Whether it grants or takes away.
    pub effect: Effect,
    /// The permissions that it is about, at least one pattern, each once; not known to match any of the catalog's.
    pub permissions: Vec<Located<PermissionPattern>>,
    /// The resources that it is about, each once; none: every resource. Not known to match any of the catalog's types.
    pub resources: Vec<Located<ResourcePattern>>,
    /// What else has to hold; none: nothing.
    pub condition: Option<Located<Condition>>,
}

impl StatementDefinition {
    /// The statement without places.
    #[must_use]
    pub fn statement(&self) -> Statement {
        Statement {
            effect: self.effect,
            permissions: self.permissions.iter().map(|pattern| pattern.value.clone()).collect(),
            resources: self.resources.iter().map(|pattern| pattern.value.clone()).collect(),
            condition: self.condition.as_ref().map(|condition| condition.value.clone()),
        }
    }
}

impl From<Statement> for StatementDefinition {
    /// A statement that comes from no file.
    fn from(statement: Statement) -> Self {
        Self {
            effect: statement.effect,
            permissions: statement.permissions.into_iter().map(Located::from).collect(),
            resources: statement.resources.into_iter().map(Located::from).collect(),
            condition: statement.condition.map(Located::from),
        }
    }
}

/// A custom role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleDefinition {
    /// Unique among the account's custom roles.
    pub id: Located<RoleId>,
    /// For people.
    pub display_name: String,
    /// For people; may be empty.
    pub description: String,
    /// What it contains, each once; not known to be the catalog's.
    pub permissions: Vec<Located<PermissionId>>,
    /// The policies that it contains, each once.
    pub policies: Vec<Located<PolicyName>>,
    /// The roles all of whose contents it has too, each once.
    pub parents: Vec<Located<RoleName>>,
    /// The facets that it covers whole, each once; not known to be the catalog's.
    pub covers: Vec<Located<FacetName>>,
    /// The API scopes that it does not provide, each once; not known to be the catalog's.
    pub left_out_api_scopes: Vec<Located<ApiScopeId>>,
}

/// A team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamDefinition {
    /// Unique within the account.
    pub id: Located<TeamId>,
    /// For people; may be empty.
    pub display_name: String,
    /// For people; may be empty.
    pub description: String,
    /// The roles that it holds, each once on the same resource.
    pub roles: Vec<RoleGrant>,
    /// What its members have access to, each facet once.
    pub access: Vec<AccessDefinition>,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserDefinition {
    /// Unique within the account.
    pub id: Located<UserId>,
    /// The person's name; may be empty.
    pub display_name: String,
    /// The name that the person signs in with; may be empty.
    pub username: String,
    /// May be empty.
    pub email: String,
    /// Where the user stands.
    pub state: UserState,
    /// The teams of this account that the user is a member of, each once.
    pub teams: Vec<Located<TeamId>>,
    /// The roles that the user holds itself, each once on the same resource.
    pub roles: Vec<RoleGrant>,
    /// What the user itself has access to, each facet once.
    pub access: Vec<AccessDefinition>,
    /// The permissions that the user has besides, each once.
    pub exceptions: Vec<ExceptionDefinition>,
}

/// A service account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccountDefinition {
    /// Unique among the account's service accounts.
    pub id: Located<ServiceAccountId>,
    /// For people; may be empty.
    pub display_name: String,
    /// For people; may be empty.
    pub description: String,
    /// Where it stands.
    pub state: ServiceAccountState,
    /// The roles that it holds, each once on the same resource.
    pub roles: Vec<RoleGrant>,
}

/// That somebody holds a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleGrant {
    /// The role.
    pub role: Located<RoleName>,
    /// The registered resource that it is on, which the file has; none: the whole account.
    pub resource: Option<Located<ResourcePath>>,
    /// The instant from which it does not count any more; none: it does for good.
    pub expires: Option<Timestamp>,
}

impl From<RoleName> for RoleGrant {
    /// The role on the whole account, for good.
    fn from(role: RoleName) -> Self {
        Self { role: role.into(), resource: None, expires: None }
    }
}

impl RoleGrant {
    /// What is unique about it in its list, in the canonical order.
    pub(super) fn key(&self) -> (&RoleName, Option<&ResourcePath>) {
        (&self.role.value, self.resource.as_ref().map(|resource| &resource.value))
    }
}

/// What of one facet somebody has access to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessDefinition {
    /// The facet; not known to be the catalog's.
    pub facet: Located<FacetName>,
    /// All of it. Then there are no values.
    pub all: bool,
    /// Of [`FacetName::Feature`] well-formed feature ids, not known to be the catalog's; otherwise paths of resources that
    /// the file has, not known to be of the facet's type. Each once.
    pub values: Vec<Located<String>>,
}

/// One extra permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExceptionDefinition {
    /// The permission; not known to be the catalog's.
    pub permission: Located<PermissionId>,
    /// Why, for people; not empty.
    pub reason: String,
    /// The instant from which it does not count any more; none: it does for good.
    pub expires: Option<Timestamp>,
}

/// A facet, by the name that it has in files. The built-in one comes first in the canonical order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FacetName {
    /// The features that a user may use.
    Feature,
    /// The resources of a type; not known to be the catalog's.
    Type(ResourceTypeId),
}

impl FacetName {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidId> {
        if text == FEATURE { Ok(Self::Feature) } else { ResourceTypeId::new(text).map(Self::Type) }
    }

    /// The facet as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Feature => FEATURE,
            Self::Type(id) => id.as_str(),
        }
    }
}

impl std::fmt::Display for FacetName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $id:ident, $managed:literal, $custom:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            #[doc = $managed]
            Managed($id),
            #[doc = $custom]
            Custom($id),
        }

        impl $name {
            pub(super) fn parse(text: &str) -> Result<Self, InvalidId> {
                match text.strip_prefix(CUSTOM) {
                    Some(id) => $id::new(id).map(Self::Custom),
                    None => $id::new(text).map(Self::Managed),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    Self::Managed(id) => f.write_str(id.as_str()),
                    Self::Custom(id) => write!(f, "{CUSTOM}{id}"),
                }
            }
        }
    };
}

name!(
    /// A role, by the name that it has in an account. Managed roles come first in the canonical order.
    RoleName, RoleId, "A role of the catalog; not known to exist.", "A custom role of the account; the file has it."
);
name!(
    /// A policy, by the name that it has in an account. Managed policies come first in the canonical order.
    PolicyName, PolicyId, "A policy of the catalog; not known to exist.", "A custom policy of the account; the file has it."
);

impl AccountDefinition {
    /// Puts every list in the canonical order, in which [`super::write_account`] writes them. Statements and patterns
    /// stay as they are: their order is their author's.
    pub fn sort(&mut self) {
        fn by_value<T: Ord>(list: &mut [Located<T>]) {
            list.sort_unstable_by(|left, right| left.value.cmp(&right.value));
        }
        fn grants(list: &mut [RoleGrant]) {
            list.sort_by(|left, right| left.key().cmp(&right.key()));
        }
        fn access(list: &mut [AccessDefinition]) {
            list.sort_by(|left, right| left.facet.value.cmp(&right.facet.value));
            list.iter_mut().for_each(|each| by_value(&mut each.values));
        }
        by_value(&mut self.features);
        self.resources.sort_unstable_by(|left, right| left.path.value.cmp(&right.path.value));
        self.policies.sort_unstable_by(|left, right| left.id.value.cmp(&right.id.value));
        self.roles.sort_unstable_by(|left, right| left.id.value.cmp(&right.id.value));
        self.teams.sort_unstable_by(|left, right| left.id.value.cmp(&right.id.value));
        self.users.sort_unstable_by(|left, right| left.id.value.cmp(&right.id.value));
        self.service_accounts.sort_unstable_by(|left, right| left.id.value.cmp(&right.id.value));
        for role in &mut self.roles {
            by_value(&mut role.permissions);
            by_value(&mut role.policies);
            by_value(&mut role.parents);
            by_value(&mut role.covers);
            by_value(&mut role.left_out_api_scopes);
        }
        self.service_accounts.iter_mut().for_each(|each| grants(&mut each.roles));
        for team in &mut self.teams {
            grants(&mut team.roles);
            access(&mut team.access);
        }
        for user in &mut self.users {
            by_value(&mut user.teams);
            grants(&mut user.roles);
            access(&mut user.access);
            user.exceptions.sort_by(|left, right| left.permission.value.cmp(&right.permission.value));
        }
    }
}
