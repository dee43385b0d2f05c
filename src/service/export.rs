//! An account as a file, piece by piece, at one revision.

use super::{
    access_lists,
    accounts::{account_and_catalog_at, account_view},
    apply_account::{grants_of, policy_name, role_name},
    core::{ReadAt, Service},
    error::ServiceError,
    exceptions, facts, roles, users,
};
use crate::{
    engine::CompiledCatalog,
    files::{
        AccessDefinition, AccountDefinition, AccountWriter, ExceptionDefinition, FacetName, Located, PolicyDefinition,
        ResourceDefinition, RoleDefinition, RoleGrant, ServiceAccountDefinition, StatementDefinition, TeamDefinition,
        UserDefinition,
    },
    model::{
        AccountId, Facet, Key, KeyRange, Number, PolicyId, Record, ResourcePath, Revision, RoleId, RoleRecord,
        ServiceAccountId, TeamId, UserId, UserRecord,
    },
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
    Resources(Option<ResourcePath>),
    Policies(Option<PolicyId>),
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
            Next::Resources(None)
        }
        Next::Resources(after) => {
            let after = after.map(|path| Key::ResourceName { account, path });
            let names = view.scan(KeyRange::ResourceNames(account), after.as_ref(), STEP)?;
            let last = names.last().and_then(|(key, _)| match key {
                Key::ResourceName { path, .. } => Some(path.clone()),
                _ => None,
            });
            for (_, name) in names {
                let Record::Name(resource) = name.value else { continue };
                let Some(record) = facts::get_resource(view, &Key::Resource { account, resource })? else { continue };
                let record = record.value;
                if catalog.resource_type_of_number(record.resource_type).is_some() {
                    let (path, display_name) = (record.path.into(), record.display_name);
                    piece += &writer.resource(&ResourceDefinition { path, display_name });
                }
            }
            last.map_or(Next::Policies(None), |last| Next::Resources(Some(last)))
        }
        Next::Policies(after) => {
            let after = after.map(|id| Key::PolicyName { account, id });
            let names = view.scan(KeyRange::PolicyNames(account), after.as_ref(), STEP)?;
            let last = names.last().and_then(|(key, _)| match key {
                Key::PolicyName { id, .. } => Some(id.clone()),
                _ => None,
            });
            for (_, name) in names {
                let Record::Name(policy) = name.value else { continue };
                let Some(record) = facts::get_policy(view, &Key::Policy { account, policy })? else { continue };
                let record = record.value;
                piece += &writer.policy(&PolicyDefinition {
                    id: record.id.into(),
                    display_name: record.display_name,
                    description: record.description,
                    statements: record.statements.into_iter().map(StatementDefinition::from).collect(),
                });
            }
            last.map_or(Next::Roles(None), |last| Next::Policies(Some(last)))
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
                piece += &writer.role(&role_definition(view, account, catalog, record.value)?);
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
                    roles: grants(view, account, catalog, team)?,
                    access: access(view, account, catalog, team)?,
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
                piece += &writer.user(&user_definition(view, account, catalog, user, record.value)?);
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
                    roles: grants(view, account, catalog, service_account)?,
                });
            }
            last.map_or(Next::Nothing, |last| Next::ServiceAccounts(Some(last)))
        }
        Next::Nothing => Next::Nothing,
    };
    Ok((piece, next, writer))
}

/// A user with all that it holds itself.
pub(super) fn user_definition(
    view: &dyn View,
    account: Number,
    catalog: &CompiledCatalog,
    user: Number,
    record: UserRecord,
) -> Result<UserDefinition, ServiceError> {
    let profile = users::profile(view, account, user)?;
    let teams = facts::teams_of(view, account, user, &mut |_| {})?;
    let mut teams: Vec<TeamId> = teams.into_iter().map(|(_, id)| id).collect();
    teams.sort();
    Ok(UserDefinition {
        id: record.id.into(),
        display_name: profile.display_name,
        username: profile.username,
        email: profile.email,
        state: record.state,
        teams: teams.into_iter().map(Located::from).collect(),
        roles: grants(view, account, catalog, user)?,
        access: access(view, account, catalog, user)?,
        exceptions: exceptions(view, account, catalog, user)?,
    })
}

/// A custom role, without what is gone or internal.
fn role_definition(
    view: &dyn View,
    account: Number,
    catalog: &CompiledCatalog,
    record: RoleRecord,
) -> Result<RoleDefinition, ServiceError> {
    let permissions = roles::listed_permissions(catalog, &record);
    let left_out = roles::listed_left_out(catalog, &record);
    let (mut policies, mut parents) = (Vec::new(), Vec::new());
    for policy in &record.policies {
        policies.extend(policy_name(view, account, catalog, *policy)?.map(Located::from));
    }
    for parent in &record.parents {
        parents.extend(role_name(view, account, catalog, *parent)?.map(Located::from));
    }
    let covers = record.covers.iter().filter_map(|facet| facet_name(catalog, catalog.facet_of_number(*facet)?));
    Ok(RoleDefinition {
        permissions: permissions.into_iter().map(Located::from).collect(),
        policies,
        parents,
        covers: covers.map(Located::from).collect(),
        left_out_api_scopes: left_out.into_iter().map(Located::from).collect(),
        id: record.id.into(),
        display_name: record.display_name,
        description: record.description,
    })
}

pub(super) fn facet_name(catalog: &CompiledCatalog, facet: Facet) -> Option<FacetName> {
    match facet {
        Facet::Feature => Some(FacetName::Feature),
        Facet::Type(index) => {
            let of = catalog.catalog().definition.resource_types.get(index.position())?;
            Some(FacetName::Type(of.id.clone()))
        }
    }
}

/// The roles that a holder has on what exists, expired ones too.
fn grants(
    view: &dyn View,
    account: Number,
    catalog: &CompiledCatalog,
    holder: Number,
) -> Result<Vec<RoleGrant>, ServiceError> {
    let grants = grants_of(view, account, catalog, holder)?;
    let grants = grants.into_keys().map(|held| RoleGrant {
        role: held.role.into(),
        resource: held.resource.map(Located::from),
        expires: held.expires,
    });
    Ok(grants.collect())
}

fn access(
    view: &dyn View,
    account: Number,
    catalog: &CompiledCatalog,
    holder: Number,
) -> Result<Vec<AccessDefinition>, ServiceError> {
    let lists = access_lists::access_lists_of(view, account, catalog, holder)?;
    let lists = lists.into_iter().filter_map(|list| {
        Some(AccessDefinition {
            facet: facet_name(catalog, catalog.facet(&list.facet)?)?.into(),
            all: list.all,
            values: list.values.into_iter().map(Located::from).collect(),
        })
    });
    Ok(lists.collect())
}

/// The exceptions of a user, expired ones too.
fn exceptions(
    view: &dyn View,
    account: Number,
    catalog: &CompiledCatalog,
    user: Number,
) -> Result<Vec<ExceptionDefinition>, ServiceError> {
    let exceptions = exceptions::exceptions_of(view, account, catalog, user)?;
    let exceptions = exceptions.into_iter().map(|exception| ExceptionDefinition {
        permission: exception.permission.into(),
        reason: exception.record.reason,
        expires: exception.record.expires,
    });
    Ok(exceptions.collect())
}
