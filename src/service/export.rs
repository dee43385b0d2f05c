//! An account as a file, piece by piece, at one revision.

use super::{
    accounts::{account_and_catalog_at, account_view},
    core::{ReadAt, Service},
    error::ServiceError,
    facts, roles, users,
};
use crate::{
    engine::{CompiledCatalog, RoleOrigin},
    files::{
        AccountDefinition, AccountWriter, Located, RoleDefinition, RoleGrant, RoleName, ServiceAccountDefinition,
        TeamDefinition, UserDefinition,
    },
    model::{AccountId, Key, KeyRange, Number, Record, Revision, RoleId, ServiceAccountId, TeamId, UserId},
    store::View,
};

/// How many things one step reads.
const STEP: usize = 200;

/// An account being written as a file. Holds no more than a step's worth of it.
pub struct AccountExport {
    service: Service,
    account: AccountId,
    revision: Revision,
    writer: AccountWriter,
    next: Next,
}

enum Next {
    Header,
    Roles(Option<RoleId>),
    Teams(Option<TeamId>),
    Users(Option<UserId>),
    ServiceAccounts(Option<ServiceAccountId>),
    Nothing,
}

impl Service {
    /// Begins to write an account as a file.
    ///
    /// # Errors
    /// If it does not exist.
    pub async fn export_account(&self, account: AccountId, at: ReadAt) -> Result<AccountExport, ServiceError> {
        let id = account.clone();
        let (_, revision) = self.read(at, move |_, view| facts::find_account(&view, &id).map(|_| ())).await?;
        let writer = AccountWriter::default();
        Ok(AccountExport { service: self.clone(), account, revision, writer, next: Next::Header })
    }
}

impl AccountExport {
    /// The revision that the file shows.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The next piece of the file; none at its end. Cost: linear in the piece.
    ///
    /// # Errors
    /// If the facts cannot be read.
    pub async fn next(&mut self) -> Result<Option<String>, ServiceError> {
        loop {
            let next = std::mem::replace(&mut self.next, Next::Nothing);
            let writer = std::mem::take(&mut self.writer);
            if matches!(next, Next::Nothing) {
                return Ok(None);
            }
            let account = self.account.clone();
            let step = move |core: &super::core::Core, view: crate::store::At<'_>| {
                let (found, catalog) = account_and_catalog_at(core, &view, &account)?;
                step(&view, &account, &found, &catalog.compiled, next, writer)
            };
            let ((piece, next, writer), _) = self.service.read(ReadAt::Exact(self.revision), step).await?;
            self.next = next;
            self.writer = writer;
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
    }
}

fn step(
    view: &dyn View,
    account_id: &AccountId,
    found: &facts::FoundAccount,
    catalog: &CompiledCatalog,
    next: Next,
    mut writer: AccountWriter,
) -> Result<(String, Next, AccountWriter), ServiceError> {
    let account = found.number;
    let mut piece = String::new();
    let next = match next {
        Next::Header => {
            let shown = account_view(found, catalog);
            piece = writer.header(&AccountDefinition {
                id: account_id.clone().into(),
                display_name: shown.display_name,
                catalog: shown.catalog.into(),
                state: shown.state,
                features: shown.features.into_iter().map(Located::from).collect(),
                resources: Vec::new(),
                policies: Vec::new(),
                roles: Vec::new(),
                teams: Vec::new(),
                users: Vec::new(),
                service_accounts: Vec::new(),
            });
            Next::Roles(None)
        }
        Next::Roles(after) => {
            let after = after.map(|id| Key::RoleName { account, id });
            let names = view.scan(KeyRange::RoleNames(account), after.as_ref(), STEP)?;
            let last = names.last().and_then(|(key, _)| match key {
                Key::RoleName { id, .. } => Some(id.clone()),
                _ => None,
            });
            for (_, name) in names {
                let Record::Name(role) = name.value else { continue };
                let Some(record) = facts::get_role(view, &Key::Role { account, role })? else { continue };
                let permissions = roles::listed_permissions(catalog, &record.value);
                let left_out = roles::listed_left_out(catalog, &record.value);
                piece += &writer.role(&RoleDefinition {
                    id: record.value.id.into(),
                    display_name: record.value.display_name,
                    description: record.value.description,
                    permissions: permissions.into_iter().map(Located::from).collect(),
                    policies: Vec::new(),
                    parents: Vec::new(),
                    covers: Vec::new(),
                    left_out_api_scopes: left_out.into_iter().map(Located::from).collect(),
                });
            }
            last.map_or(Next::Teams(None), |last| Next::Roles(Some(last)))
        }
        Next::Teams(after) => {
            let after = after.map(|id| Key::TeamName { account, id });
            let names = view.scan(KeyRange::TeamNames(account), after.as_ref(), STEP)?;
            let last = names.last().and_then(|(key, _)| match key {
                Key::TeamName { id, .. } => Some(id.clone()),
                _ => None,
            });
            for (_, name) in names {
                let Record::Name(team) = name.value else { continue };
                let Some(record) = facts::get_team(view, &Key::Team { account, team })? else { continue };
                piece += &writer.team(&TeamDefinition {
                    id: record.value.id.into(),
                    display_name: record.value.display_name,
                    description: record.value.description,
                    roles: role_names(view, account, catalog, team)?,
                    access: Vec::new(),
                });
            }
            last.map_or(Next::Users(None), |last| Next::Teams(Some(last)))
        }
        Next::Users(after) => {
            let after = after.map(|id| Key::UserName { account, id });
            let names = view.scan(KeyRange::UserNames(account), after.as_ref(), STEP)?;
            let last = names.last().and_then(|(key, _)| match key {
                Key::UserName { id, .. } => Some(id.clone()),
                _ => None,
            });
            for (_, name) in names {
                let Record::Name(user) = name.value else { continue };
                let Some(record) = facts::get_user(view, &Key::User { account, user })? else { continue };
                let profile = users::profile(view, account, user)?;
                let mut teams: Vec<TeamId> =
                    facts::teams_of(view, account, user, &mut |_| {})?.into_iter().map(|(_, id)| id).collect();
                teams.sort();
                piece += &writer.user(&UserDefinition {
                    id: record.value.id.into(),
                    display_name: profile.display_name,
                    username: profile.username,
                    email: profile.email,
                    state: record.value.state,
                    teams: teams.into_iter().map(Located::from).collect(),
                    roles: role_names(view, account, catalog, user)?,
                    access: Vec::new(),
                    exceptions: Vec::new(),
                });
            }
            last.map_or(Next::ServiceAccounts(None), |last| Next::Users(Some(last)))
        }
        Next::ServiceAccounts(after) => {
            let after = after.map(|id| Key::ServiceAccountName { account, id });
            let names = view.scan(KeyRange::ServiceAccountNames(account), after.as_ref(), STEP)?;
            let last = names.last().and_then(|(key, _)| match key {
                Key::ServiceAccountName { id, .. } => Some(id.clone()),
                _ => None,
            });
            for (_, name) in names {
                let Record::Name(service_account) = name.value else { continue };
                let key = Key::ServiceAccount { account, service_account };
                let Some(record) = facts::get_service_account(view, &key)? else { continue };
                piece += &writer.service_account(&ServiceAccountDefinition {
                    id: record.value.id.into(),
                    display_name: record.value.display_name,
                    description: record.value.description,
                    state: record.value.state,
                    roles: role_names(view, account, catalog, service_account)?,
                });
            }
            last.map_or(Next::Nothing, |last| Next::ServiceAccounts(Some(last)))
        }
        Next::Nothing => Next::Nothing,
    };
    Ok((piece, next, writer))
}

/// The roles that a holder has bindings of and that exist.
fn role_names(
    view: &dyn View,
    account: Number,
    catalog: &CompiledCatalog,
    holder: Number,
) -> Result<Vec<RoleGrant>, ServiceError> {
    let mut names = Vec::new();
    for facts::HeldBinding { binding: _, role, .. } in facts::bindings_of(view, account, holder)? {
        if let Some((role, _)) = facts::role_of_number(view, account, catalog, role, &mut |_| {})? {
            names.push(match role.origin {
                RoleOrigin::Catalog { .. } => RoleName::Managed(role.id.clone()),
                RoleOrigin::Account => RoleName::Custom(role.id.clone()),
            });
        }
    }
    names.sort();
    Ok(names.into_iter().map(RoleGrant::from).collect())
}
