//! Account files: from text to an [`AccountDefinition`].
//!
//! What the file alone can tell is checked here: formats, required fields, sizes, and that the teams and custom roles
//! that it refers to are in it. What its catalog must know (features, managed roles, permissions) is for whoever has the
//! catalog: those references are [`Located`], and the entries of all lists keep the file's order. Read
//! [`parse_account`] first.

use super::{
    node::{self, Node, Position},
    problem::{Given, Problems},
    read::{MAX_DESCRIPTION_BYTES, MAX_DISPLAY_NAME_BYTES, Names, Path, Reader},
};
use crate::model::{
    AccountId, AccountState, ApiScopeId, CatalogId, FeatureId, InvalidId, PermissionId, RoleId, ServiceAccountId,
    ServiceAccountState, TeamId, UserId, UserState,
};

/// How many roles, and how many teams, a user may have in a file.
pub const MAX_HOLDER_REFERENCES: usize = 256;

const MAX_ROLES: usize = 10_000;
const MAX_TEAMS: usize = 10_000;

/// How a file writes that a role is one of its own.
const CUSTOM: &str = "custom/";

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
    /// Its custom roles, ids unique.
    pub roles: Vec<RoleDefinition>,
    /// Its teams, ids unique.
    pub teams: Vec<TeamDefinition>,
    /// Its users, ids unique.
    pub users: Vec<UserDefinition>,
    /// Its service accounts, ids unique.
    pub service_accounts: Vec<ServiceAccountDefinition>,
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
    /// The roles that it holds, each once.
    pub roles: Vec<Located<RoleName>>,
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
    /// The roles that the user holds itself, each once.
    pub roles: Vec<Located<RoleName>>,
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
    /// The roles that it holds, each once.
    pub roles: Vec<Located<RoleName>>,
}

/// A role, by the name that it has in an account. Managed roles come first in the canonical order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RoleName {
    /// A role of the catalog; not known to exist.
    Managed(RoleId),
    /// A custom role of the account; the file has it.
    Custom(RoleId),
}

impl RoleName {
    fn parse(text: &str) -> Result<Self, InvalidId> {
        match text.strip_prefix(CUSTOM) {
            Some(id) => RoleId::new(id).map(Self::Custom),
            None => RoleId::new(text).map(Self::Managed),
        }
    }
}

impl std::fmt::Display for RoleName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Managed(id) => f.write_str(id.as_str()),
            Self::Custom(id) => write!(f, "{CUSTOM}{id}"),
        }
    }
}

impl AccountDefinition {
    /// Puts every list in the canonical order, in which [`super::write_account`] writes them.
    pub fn sort(&mut self) {
        fn by_value<T: Ord>(list: &mut [Located<T>]) {
            list.sort_unstable_by(|left, right| left.value.cmp(&right.value));
        }
        by_value(&mut self.features);
        self.roles.sort_unstable_by(|left, right| left.id.value.cmp(&right.id.value));
        self.teams.sort_unstable_by(|left, right| left.id.value.cmp(&right.id.value));
        self.users.sort_unstable_by(|left, right| left.id.value.cmp(&right.id.value));
        self.service_accounts.sort_unstable_by(|left, right| left.id.value.cmp(&right.id.value));
        for role in &mut self.roles {
            by_value(&mut role.permissions);
            by_value(&mut role.left_out_api_scopes);
        }
        self.service_accounts.iter_mut().for_each(|each| by_value(&mut each.roles));
        self.teams.iter_mut().for_each(|team| by_value(&mut team.roles));
        for user in &mut self.users {
            by_value(&mut user.teams);
            by_value(&mut user.roles);
        }
    }
}

/// Reads an account file.
///
/// # Errors
/// Everything that is wrong with it as far as the file alone tells; the first thing only if it is not well-formed.
pub fn parse_account(bytes: &[u8]) -> Result<AccountDefinition, Problems> {
    let mut problems = Problems::default();
    let root = node::read(bytes, &mut problems);
    let account = root.and_then(|root| Reader { problems: &mut problems }.account(root));
    match account {
        Some(account) => problems.into_result(account),
        None => Err(problems.sorted()),
    }
}

/// What can be referred to within an account file.
struct AccountNames<'a> {
    roles: Names<'a>,
    teams: Names<'a>,
}

impl Reader<'_> {
    fn account(&mut self, root: Node<'_>) -> Option<AccountDefinition> {
        if !self.is_kind(&root, "account") {
            return None;
        }
        let (at, path) = (root.at, Path::Root);
        let [kind, id, display_name, catalog, state, features, roles, teams, users, service_accounts] = self.fields(
            root,
            &path,
            &[
                "kind",
                "id",
                "display_name",
                "catalog",
                "state",
                "features",
                "roles",
                "teams",
                "users",
                "service_accounts",
            ],
        )?;
        self.required(kind, at, &path, "kind");
        let id = self.declared(id, at, &path, AccountId::new, &mut Names::new("an account"));
        let display_name = self.text(display_name, &path.field("display_name"), MAX_DISPLAY_NAME_BYTES);
        let catalog = self
            .required(catalog, at, &path, "catalog")
            .and_then(|node| self.string(node, &path.field("catalog")))
            .and_then(|(text, at)| self.located(&text, at, &path.field("catalog"), CatalogId::new));
        let states = [("active", AccountState::Active), ("suspended", AccountState::Suspended)];
        let state = self.choice(state, &path.field("state"), &states);
        let features = self.ids(features, &path.field("features"), FeatureId::new);

        let mut names =
            AccountNames { roles: Names::new("a custom role of this file"), teams: Names::new("a team of this file") };
        let roles = self.custom_roles(roles, &path.field("roles"), &mut names);
        let teams = self.teams(teams, &path.field("teams"), &mut names);
        let users = self.users(users, &path.field("users"), &names);
        let service_accounts = self.service_accounts(service_accounts, &path.field("service_accounts"), &names);
        let (id, at) = id?;
        Some(AccountDefinition {
            id: Located { value: id, at },
            display_name,
            catalog: catalog?,
            state: state?,
            features,
            roles,
            teams,
            users,
            service_accounts,
        })
    }

    fn custom_roles<'a>(
        &mut self,
        node: Option<Node<'a>>,
        path: &Path<'_>,
        names: &mut AccountNames<'a>,
    ) -> Vec<RoleDefinition> {
        let mut roles = Vec::new();
        for (index, item) in self.list(node, path, MAX_ROLES).into_iter().enumerate() {
            let (at, path) = (item.at, path.item(index));
            let names_of = ["id", "display_name", "description", "permissions", "left_out_api_scopes"];
            let Some([id, display_name, description, permissions, left_out]) = self.fields(item, &path, &names_of)
            else {
                continue;
            };
            let id = self.declared(id, at, &path, RoleId::new, &mut names.roles);
            let display_name = self.display_name(display_name, at, &path);
            let description = self.text(description, &path.field("description"), MAX_DESCRIPTION_BYTES);
            let permissions = self.ids(permissions, &path.field("permissions"), PermissionId::new);
            let left_out_api_scopes = self.ids(left_out, &path.field("left_out_api_scopes"), ApiScopeId::new);
            roles.extend(id.map(|(value, at)| RoleDefinition {
                id: Located { value, at },
                display_name,
                description,
                permissions,
                left_out_api_scopes,
            }));
        }
        roles
    }

    fn teams<'a>(
        &mut self,
        node: Option<Node<'a>>,
        path: &Path<'_>,
        names: &mut AccountNames<'a>,
    ) -> Vec<TeamDefinition> {
        let mut teams = Vec::new();
        for (index, item) in self.list(node, path, MAX_TEAMS).into_iter().enumerate() {
            let (at, path) = (item.at, path.item(index));
            let Some([id, display_name, description, roles]) =
                self.fields(item, &path, &["id", "display_name", "description", "roles"])
            else {
                continue;
            };
            let id = self.declared(id, at, &path, TeamId::new, &mut names.teams);
            let display_name = self.text(display_name, &path.field("display_name"), MAX_DISPLAY_NAME_BYTES);
            let description = self.text(description, &path.field("description"), MAX_DESCRIPTION_BYTES);
            let roles = self.role_names(roles, &path.field("roles"), MAX_HOLDER_REFERENCES, names);
            teams.extend(id.map(|(value, at)| TeamDefinition {
                id: Located { value, at },
                display_name,
                description,
                roles,
            }));
        }
        teams
    }

    fn users<'a>(&mut self, node: Option<Node<'a>>, path: &Path<'_>, names: &AccountNames<'a>) -> Vec<UserDefinition> {
        const STATES: [(&str, UserState); 3] =
            [("active", UserState::Active), ("invited", UserState::Invited), ("suspended", UserState::Suspended)];
        let mut users = Vec::new();
        let mut user_names = Names::new("a user of this file");
        for (index, item) in self.list(node, path, usize::MAX).into_iter().enumerate() {
            let (at, path) = (item.at, path.item(index));
            let Some([id, display_name, username, email, state, teams, roles]) =
                self.fields(item, &path, &["id", "display_name", "username", "email", "state", "teams", "roles"])
            else {
                continue;
            };
            let id = self.declared(id, at, &path, UserId::new, &mut user_names);
            let display_name = self.text(display_name, &path.field("display_name"), MAX_DISPLAY_NAME_BYTES);
            let username = self.text(username, &path.field("username"), MAX_DISPLAY_NAME_BYTES);
            let email = self.email(email, &path.field("email"));
            let state = self.choice(state, &path.field("state"), &STATES);
            let teams = self.team_ids(teams, &path.field("teams"), names);
            let roles = self.role_names(roles, &path.field("roles"), MAX_HOLDER_REFERENCES, names);
            users.extend(id.zip(state).map(|((value, at), state)| UserDefinition {
                id: Located { value, at },
                display_name,
                username,
                email,
                state,
                teams,
                roles,
            }));
        }
        users
    }

    fn service_accounts(
        &mut self,
        node: Option<Node<'_>>,
        path: &Path<'_>,
        names: &AccountNames<'_>,
    ) -> Vec<ServiceAccountDefinition> {
        const STATES: [(&str, ServiceAccountState); 2] =
            [("active", ServiceAccountState::Active), ("suspended", ServiceAccountState::Suspended)];
        let mut service_accounts = Vec::new();
        let mut own_names = Names::new("a service account of this file");
        for (index, item) in self.list(node, path, usize::MAX).into_iter().enumerate() {
            let (at, path) = (item.at, path.item(index));
            let Some([id, display_name, description, state, roles]) =
                self.fields(item, &path, &["id", "display_name", "description", "state", "roles"])
            else {
                continue;
            };
            let id = self.declared(id, at, &path, ServiceAccountId::new, &mut own_names);
            let display_name = self.text(display_name, &path.field("display_name"), MAX_DISPLAY_NAME_BYTES);
            let description = self.text(description, &path.field("description"), MAX_DESCRIPTION_BYTES);
            let state = self.choice(state, &path.field("state"), &STATES);
            let roles = self.role_names(roles, &path.field("roles"), MAX_HOLDER_REFERENCES, names);
            service_accounts.extend(id.zip(state).map(|((value, at), state)| ServiceAccountDefinition {
                id: Located { value, at },
                display_name,
                description,
                state,
                roles,
            }));
        }
        service_accounts
    }

    fn email(&mut self, node: Option<Node<'_>>, path: &Path<'_>) -> String {
        let at = node.as_ref().map_or(Position::START, |node| node.at);
        let email = self.text(node, path, MAX_DISPLAY_NAME_BYTES);
        if !email.is_empty() && email.matches('@').count() != 1 {
            self.add(at, path, format_args!("{} was given; expected an email address, with one @", Given(&email)));
        }
        email
    }

    fn located<Id>(
        &mut self,
        text: &str,
        at: Position,
        path: &Path<'_>,
        new: fn(&str) -> Result<Id, InvalidId>,
    ) -> Option<Located<Id>> {
        match new(text) {
            Ok(value) => Some(Located { value, at }),
            Err(error) => {
                self.add(at, path, error);
                None
            }
        }
    }

    fn ids<Id>(
        &mut self,
        node: Option<Node<'_>>,
        path: &Path<'_>,
        new: fn(&str) -> Result<Id, InvalidId>,
    ) -> Vec<Located<Id>> {
        let strings = self.strings(node, path, usize::MAX);
        strings.into_iter().filter_map(|(index, text, at)| self.located(&text, at, &path.item(index), new)).collect()
    }

    fn team_ids(&mut self, node: Option<Node<'_>>, path: &Path<'_>, names: &AccountNames<'_>) -> Vec<Located<TeamId>> {
        let mut teams = Vec::new();
        for (index, text, at) in self.strings(node, path, MAX_HOLDER_REFERENCES) {
            if self.reference(&text, at, &path.item(index), &names.teams).is_some() {
                // A team of this file with a malformed id was reported where it is defined.
                teams.extend(TeamId::new(&text).ok().map(|value| Located { value, at }));
            }
        }
        teams
    }

    fn role_names(
        &mut self,
        node: Option<Node<'_>>,
        path: &Path<'_>,
        max: usize,
        names: &AccountNames<'_>,
    ) -> Vec<Located<RoleName>> {
        let mut roles = Vec::new();
        for (index, text, at) in self.strings(node, path, max) {
            match text.strip_prefix(CUSTOM) {
                Some(id) if names.roles.contains(id) => {
                    roles.extend(RoleName::parse(&text).ok().map(|value| Located { value, at }));
                }
                Some(id) => {
                    let expected = names.roles.expected();
                    self.problems.add_unknown_after(CUSTOM, at, path.item(index), id, expected, names.roles.iter());
                }
                None => roles.extend(self.located(&text, at, &path.item(index), RoleName::parse)),
            }
        }
        roles
    }
}
