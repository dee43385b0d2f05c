//! Account files: from text to an [`AccountDefinition`].
//!
//! What the file alone can tell is checked here: formats, required fields, sizes, and that the teams, resources, custom
//! policies and custom roles that it refers to are in it. What its catalog must know (features, managed roles and
//! policies, permissions, types) is for whoever has the catalog: those references are [`Located`], and the entries of all
//! lists keep the file's order. Read [`parse_account`] first; `parts` reads what is in an account, `holders` who is.

mod holders;
mod parts;

pub use holders::{MAX_HOLDER_REFERENCES, MAX_REASON_BYTES};
pub(super) use parts::MAX_PARENTS;

use super::{
    definition::{AccountDefinition, CUSTOM, Located, RoleName},
    node::{self, Node, Position},
    problem::Problems,
    read::{MAX_DISPLAY_NAME_BYTES, Names, Path, Reader},
};
use crate::model::{AccountId, AccountState, CatalogId, FeatureId, InvalidId};

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
    resources: Names<'a>,
    policies: Names<'a>,
    roles: Names<'a>,
    teams: Names<'a>,
}

impl AccountNames<'_> {
    fn new() -> Self {
        Self {
            resources: Names::new("a resource of this file"),
            policies: Names::new("a custom policy of this file"),
            roles: Names::new("a custom role of this file"),
            teams: Names::new("a team of this file"),
        }
    }
}

impl Reader<'_> {
    fn account(&mut self, root: Node<'_>) -> Option<AccountDefinition> {
        if !self.is_kind(&root, "account") {
            return None;
        }
        let (at, path) = (root.at, Path::Root);
        let [
            kind,
            id,
            display_name,
            catalog,
            state,
            features,
            resources,
            policies,
            roles,
            teams,
            users,
            service_accounts,
        ] = self.fields(
            root,
            &path,
            &[
                "kind",
                "id",
                "display_name",
                "catalog",
                "state",
                "features",
                "resources",
                "policies",
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

        let mut names = AccountNames::new();
        let resources = self.resources(resources, &path.field("resources"), &mut names.resources);
        let policies = self.custom_policies(policies, &path.field("policies"), &mut names.policies);
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
            resources,
            policies,
            roles,
            teams,
            users,
            service_accounts,
        })
    }

    /// A name that is written with [`CUSTOM`] before it if the file has the thing.
    fn custom_or_managed<Name>(
        &mut self,
        text: &str,
        at: Position,
        path: &Path<'_>,
        parse: fn(&str) -> Result<Name, InvalidId>,
        names: &Names<'_>,
    ) -> Option<Located<Name>> {
        match text.strip_prefix(CUSTOM) {
            // A thing of this file with a malformed id was reported where it is defined.
            Some(id) if names.contains(id) => parse(text).ok().map(|value| Located { value, at }),
            Some(id) => {
                self.problems.add_unknown_after(CUSTOM, at, path, id, names.expected(), names.iter());
                None
            }
            None => self.located(text, at, path, parse),
        }
    }

    fn role_name(
        &mut self,
        text: &str,
        at: Position,
        path: &Path<'_>,
        names: &AccountNames<'_>,
    ) -> Option<Located<RoleName>> {
        self.custom_or_managed(text, at, path, RoleName::parse, &names.roles)
    }
}
