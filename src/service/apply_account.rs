//! Making an account equal to a file, in one atomic write.
//!
//! What the file has and the account has not is created, what differs is changed, what the file does not have is
//! deleted; what is the same is not touched, and keeps its number and its bindings' ids.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    accounts::{existing_catalog, insert_account},
    bindings::{insert_binding, remove_binding},
    custom_roles::{insert_role, permission_number, remove_role, with_void},
    error::{ErrorReason, ServiceError},
    facts,
    manners::Etag,
    memberships::set_membership,
    plan::Plan,
    roles::{listed_left_out, listed_permissions, offers_custom_roles},
    service_accounts::{insert_service_account, remove_service_account},
    teams::{insert_team, remove_team},
    users::{insert_user, put_profile, remove_user},
    writer::Write,
};
use crate::{
    engine::CompiledCatalog,
    files::{AccountDefinition, Located, Problems, RoleDefinition, RoleName},
    model::{
        AccountRecord, ApiScopeId, Applied, AppliedAction, Holder, Key, KeyRange, Number, ProfileRecord, Record,
        Revision, RoleId, RoleRecord, ServiceAccountRecord, TeamId, TeamRecord, UserRecord, difference,
    },
};

/// Why a file was not applied.
pub(super) enum Refused {
    Problems(Problems),
    Error(ServiceError),
}

impl From<ServiceError> for Refused {
    fn from(error: ServiceError) -> Self {
        Self::Error(error)
    }
}

impl From<crate::store::StoreError> for Refused {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Error(error.into())
    }
}

/// Makes an account equal to a definition. Refused if the account is another version than expected, or the file does not
/// fit the catalog: then `problems` is told everything that is wrong. Cost: linear in the account and in the definition.
#[must_use]
pub fn apply_account(
    definition: AccountDefinition,
    expected: Option<Etag>,
    problems: Arc<Mutex<Option<Problems>>>,
) -> Write<Vec<Applied>> {
    Write::new("ApplyAccount", move |plan| match apply(plan, &definition, expected) {
        Ok(changes) => Ok(changes),
        Err(Refused::Error(error)) => Err(error),
        Err(Refused::Problems(found)) => {
            *problems.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
            Err(ServiceError::new(ErrorReason::FileInvalid, "the file has problems; nothing was changed"))
        }
    })
}

/// A file's account while it is applied.
struct Application<'p, 'c> {
    plan: &'p mut Plan<'c>,
    account: Number,
    changes: Vec<Applied>,
}

fn apply(plan: &mut Plan<'_>, file: &AccountDefinition, expected: Option<Etag>) -> Result<Vec<Applied>, Refused> {
    let existing = match facts::find_account(plan, &file.id.value) {
        Ok(found) => Some(found),
        Err(error) if error.reason == ErrorReason::AccountNotFound => None,
        Err(error) => return Err(error.into()),
    };
    // What is not there yet has no version that could be expected.
    let none = Etag { number: Number(0), revision: Revision(0) };
    existing.as_ref().map_or(none, facts::FoundAccount::etag).expect(expected)?;
    let mut problems = Problems::default();
    let catalog_number = facts::get_name(plan, &Key::CatalogName(file.catalog.value.clone()))?.map(|name| name.value);
    let Some(catalog_number) = catalog_number else {
        problems.add(
            file.catalog.at,
            format_args!(
                "catalog: there is no catalog {:?} on this server; apply it first",
                file.catalog.value.as_str()
            ),
        );
        return Err(Refused::Problems(problems));
    };
    if let Some(found) = existing.as_ref().filter(|found| found.record.catalog != catalog_number) {
        let fixed = existing_catalog(plan.catalog(found.record.catalog)?)?;
        problems.add(
            file.catalog.at,
            format_args!(
                "catalog: the account lives under {:?} and cannot move to {:?}",
                fixed.compiled.catalog().definition.id.as_str(),
                file.catalog.value.as_str()
            ),
        );
        return Err(Refused::Problems(problems));
    }
    let catalog = existing_catalog(plan.catalog(catalog_number)?)?.compiled;
    let names = resolve(&catalog, file, &mut problems);
    if !problems.is_empty() {
        return problems.into_result(Vec::new()).map_err(Refused::Problems);
    }
    let mut changes = Vec::new();
    let account = apply_account_itself(plan, file, existing, catalog_number, &names, &catalog, &mut changes)?;
    let mut application = Application { plan, account, changes };
    let custom = application.apply_roles(file, &catalog)?;
    let role_number = |name: &RoleName| match name {
        RoleName::Managed(id) => catalog.role(id.as_str()).map(|role| role.number),
        RoleName::Custom(id) => custom.get(id).copied(),
    };
    let teams = application.apply_teams(file, &catalog, &role_number)?;
    application.apply_users(file, &catalog, &role_number, &teams)?;
    application.apply_service_accounts(file, &catalog, &role_number)?;
    Ok(application.changes)
}

/// The numbers of what a file names in the catalog.
struct Names {
    features: Vec<Number>,
}

/// Looks up every name that only the catalog can tell, and reports each that it does not have.
fn resolve(catalog: &CompiledCatalog, file: &AccountDefinition, problems: &mut Problems) -> Names {
    let definition = &catalog.catalog().definition;
    let mut features = Vec::new();
    for (index, feature) in file.features.iter().enumerate() {
        match catalog.feature_number(feature.value.as_str()) {
            Some(number) => features.push(number),
            None => problems.add_unknown(
                feature.at,
                format_args!("features[{index}]"),
                feature.value.as_str(),
                "a feature of the catalog",
                definition.features.iter().map(|feature| feature.id.as_str()),
            ),
        }
    }
    features.sort_unstable();
    features.dedup();
    for (index, role) in file.roles.iter().enumerate() {
        for (position, permission) in role.permissions.iter().enumerate() {
            if permission_number(catalog, &permission.value).is_none() {
                problems.add_unknown(
                    permission.at,
                    format_args!("roles[{index}].permissions[{position}]"),
                    permission.value.as_str(),
                    "a permission of the catalog",
                    definition.permissions.iter().filter(|each| !each.internal).map(|each| each.id.as_str()),
                );
            }
        }
    }
    for (index, role) in file.roles.iter().enumerate() {
        for (position, scope) in role.left_out_api_scopes.iter().enumerate() {
            if catalog.api_scope(scope.value.as_str()).is_none() {
                problems.add_unknown(
                    scope.at,
                    format_args!("roles[{index}].left_out_api_scopes[{position}]"),
                    scope.value.as_str(),
                    "an API scope of the catalog",
                    definition.api_scopes.iter().map(|each| each.id.as_str()),
                );
            }
        }
    }
    let mut check_roles = |place: &str, index: usize, roles: &[Located<RoleName>]| {
        for (position, role) in roles.iter().enumerate() {
            let RoleName::Managed(id) = &role.value else { continue };
            if catalog.role(id.as_str()).is_none() {
                problems.add_unknown(
                    role.at,
                    format_args!("{place}[{index}].roles[{position}]"),
                    id.as_str(),
                    "a managed role of the catalog (a custom one is written custom/ID)",
                    definition.roles.iter().map(|role| role.id.as_str()),
                );
            }
        }
    };
    for (index, team) in file.teams.iter().enumerate() {
        check_roles("teams", index, &team.roles);
    }
    for (index, user) in file.users.iter().enumerate() {
        check_roles("users", index, &user.roles);
    }
    for (index, service_account) in file.service_accounts.iter().enumerate() {
        check_roles("service_accounts", index, &service_account.roles);
    }
    Names { features }
}

fn apply_account_itself(
    plan: &mut Plan<'_>,
    file: &AccountDefinition,
    existing: Option<facts::FoundAccount>,
    catalog_number: Number,
    names: &Names,
    catalog: &CompiledCatalog,
    changes: &mut Vec<Applied>,
) -> Result<Number, Refused> {
    let subject = format!("accounts/{}", file.id.value);
    let Some(found) = existing else {
        changes.push(Applied { action: AppliedAction::Create, subject, detail: String::new() });
        let record = AccountRecord {
            id: file.id.value.clone(),
            display_name: file.display_name.clone(),
            catalog: catalog_number,
            state: file.state,
            features: names.features.clone(),
            created: plan.time,
            updated: plan.time,
        };
        return Ok(insert_account(plan, record)?);
    };
    let feature_ids = |numbers: &[Number]| -> BTreeSet<String> {
        let definition = &catalog.catalog().definition;
        let feature = |number: &Number| definition.features.get(catalog.feature_of_number(*number)?.position());
        numbers.iter().filter_map(feature).map(|feature| feature.id.to_string()).collect()
    };
    let mut details = Vec::new();
    if found.record.display_name != file.display_name {
        details.push("display_name".to_owned());
    }
    if found.record.state != file.state {
        details.push("state".to_owned());
    }
    details.extend(difference("features", &feature_ids(&found.record.features), &feature_ids(&names.features)));
    if !details.is_empty() {
        changes.push(Applied { action: AppliedAction::Update, subject, detail: details.join(", ") });
        let record = AccountRecord {
            display_name: file.display_name.clone(),
            state: file.state,
            features: names.features.clone(),
            updated: plan.time,
            ..found.record
        };
        plan.put(Key::Account(found.number), Record::Account(record))?;
    }
    Ok(found.number)
}

impl Application<'_, '_> {
    fn note(&mut self, action: AppliedAction, subject: String, details: &[String]) {
        self.changes.push(Applied { action, subject, detail: details.join(", ") });
    }

    /// Makes the custom roles equal to the file's. Gives the number of each.
    fn apply_roles(
        &mut self,
        file: &AccountDefinition,
        catalog: &CompiledCatalog,
    ) -> Result<HashMap<RoleId, Number>, Refused> {
        let account = self.account;
        let mut existing: BTreeMap<RoleId, (Number, RoleRecord)> = BTreeMap::new();
        for (key, value) in facts::scan_all(self.plan, KeyRange::Roles(account))? {
            if let (Key::Role { role, .. }, Record::Role(record)) = (key, value.value) {
                existing.insert(record.id.clone(), (role, record));
            }
        }
        let count_before = existing.len();
        let mut numbers = HashMap::new();
        for role in &file.roles {
            let id = &role.id.value;
            let mut permissions: Vec<Number> =
                role.permissions.iter().filter_map(|each| permission_number(catalog, &each.value)).collect();
            permissions.sort_unstable();
            permissions.dedup();
            let left_out: Vec<_> = role.left_out_api_scopes.iter().map(|scope| scope.value.clone()).collect();
            let subject = format!("roles/{id}");
            let Some((number, record)) = existing.remove(id) else {
                refuse_if_not_offered(catalog, role)?;
                self.note(AppliedAction::Create, subject, &[]);
                let time = self.plan.time;
                let record = RoleRecord {
                    id: id.clone(),
                    display_name: role.display_name.clone(),
                    description: role.description.clone(),
                    permissions,
                    left_out_api_scopes: with_void(catalog, left_out, &[]),
                    policies: Vec::new(),
                    parents: Vec::new(),
                    covers: Vec::new(),
                    created: time,
                    updated: time,
                };
                numbers.insert(id.clone(), insert_role(self.plan, account, record)?);
                continue;
            };
            numbers.insert(id.clone(), number);
            let mut details = changed_texts(&[
                ("display_name", &record.display_name, &role.display_name),
                ("description", &record.description, &role.description),
            ]);
            let wanted: BTreeSet<String> = role.permissions.iter().map(|each| each.value.to_string()).collect();
            let listed = listed_permissions(catalog, &record).iter().map(ToString::to_string).collect();
            details.extend(difference("permissions", &listed, &wanted));
            // What has become internal is in no file. The role loses it for good: it is to have what the file says, and
            // no more should the permission cease to be internal one day.
            let known = record.permissions.iter().filter_map(|number| catalog.permission_of_number(*number)).count();
            if known > listed.len() {
                details.push(format!("permissions -{} internal", known - listed.len()));
            }
            if listed != wanted {
                refuse_if_not_offered(catalog, role)?;
            }
            let texts = |scopes: &[ApiScopeId]| scopes.iter().map(ToString::to_string).collect();
            let left_out_before = listed_left_out(catalog, &record);
            details.extend(difference("left_out_api_scopes", &texts(&left_out_before), &texts(&left_out)));
            if !details.is_empty() {
                self.note(AppliedAction::Update, subject, &details);
                let record = RoleRecord {
                    display_name: role.display_name.clone(),
                    description: role.description.clone(),
                    permissions,
                    left_out_api_scopes: with_void(catalog, left_out, &record.left_out_api_scopes),
                    updated: self.plan.time,
                    ..record
                };
                self.plan.put(Key::Role { account, role: number }, Record::Role(record))?;
            }
        }
        for (id, (number, _)) in existing {
            self.note(AppliedAction::Delete, format!("roles/{id}"), &[]);
            remove_role(self.plan, account, number, id)?;
        }
        self.plan.count(account, 0, grown(count_before, file.roles.len()))?;
        Ok(numbers)
    }

    fn apply_teams(
        &mut self,
        file: &AccountDefinition,
        catalog: &CompiledCatalog,
        role_number: &dyn Fn(&RoleName) -> Option<Number>,
    ) -> Result<HashMap<TeamId, Number>, Refused> {
        let account = self.account;
        let mut existing: BTreeMap<TeamId, (Number, TeamRecord)> = BTreeMap::new();
        for (key, value) in facts::scan_all(self.plan, KeyRange::Teams(account))? {
            if let (Key::Team { team, .. }, Record::Team(record)) = (key, value.value) {
                existing.insert(record.id.clone(), (team, record));
            }
        }
        let count_before = existing.len();
        let mut numbers = HashMap::new();
        for team in &file.teams {
            let id = &team.id.value;
            let subject = format!("teams/{id}");
            let (number, mut details, is_new) = match existing.remove(id) {
                None => {
                    let time = self.plan.time;
                    let record = TeamRecord {
                        id: id.clone(),
                        display_name: team.display_name.clone(),
                        description: team.description.clone(),
                        created: time,
                        updated: time,
                    };
                    (insert_team(self.plan, account, record)?, Vec::new(), true)
                }
                Some((number, record)) => {
                    let details = changed_texts(&[
                        ("display_name", &record.display_name, &team.display_name),
                        ("description", &record.description, &team.description),
                    ]);
                    if !details.is_empty() {
                        let record = TeamRecord {
                            display_name: team.display_name.clone(),
                            description: team.description.clone(),
                            updated: self.plan.time,
                            ..record
                        };
                        self.plan.put(Key::Team { account, team: number }, Record::Team(record))?;
                    }
                    (number, details, false)
                }
            };
            numbers.insert(id.clone(), number);
            details.extend(self.apply_bindings(Holder::Team(number), is_new, &team.roles, catalog, role_number)?);
            if is_new {
                self.note(AppliedAction::Create, subject, &[]);
            } else if !details.is_empty() {
                self.note(AppliedAction::Update, subject, &details);
            }
        }
        for (id, (number, _)) in existing {
            self.note(AppliedAction::Delete, format!("teams/{id}"), &[]);
            remove_team(self.plan, account, number, id)?;
        }
        self.plan.count(account, grown(count_before, file.teams.len()), 0)?;
        Ok(numbers)
    }

    fn apply_users(
        &mut self,
        file: &AccountDefinition,
        catalog: &CompiledCatalog,
        role_number: &dyn Fn(&RoleName) -> Option<Number>,
        teams: &HashMap<TeamId, Number>,
    ) -> Result<(), Refused> {
        let account = self.account;
        let mut existing = BTreeMap::new();
        for (key, value) in facts::scan_all(self.plan, KeyRange::Users(account))? {
            if let (Key::User { user, .. }, Record::User(record)) = (key, value.value) {
                existing.insert(record.id.clone(), (user, record));
            }
        }
        for user in &file.users {
            let id = &user.id.value;
            let profile = ProfileRecord {
                display_name: user.display_name.clone(),
                username: user.username.clone(),
                email: user.email.clone(),
            };
            let (number, mut details, is_new) = match existing.remove(id) {
                None => {
                    let time = self.plan.time;
                    let record = UserRecord { id: id.clone(), state: user.state, created: time, updated: time };
                    (insert_user(self.plan, account, record, profile)?, Vec::new(), true)
                }
                Some((number, record)) => {
                    let before = super::users::profile(self.plan, account, number)?;
                    let mut details = changed_texts(&[
                        ("display_name", &before.display_name, &profile.display_name),
                        ("username", &before.username, &profile.username),
                        ("email", &before.email, &profile.email),
                    ]);
                    if record.state != user.state {
                        details.push("state".to_owned());
                    }
                    if !details.is_empty() {
                        let record = UserRecord { state: user.state, updated: self.plan.time, ..record };
                        self.plan.put(Key::User { account, user: number }, Record::User(record))?;
                        put_profile(self.plan, account, number, profile)?;
                    }
                    (number, details, false)
                }
            };
            details.extend(self.apply_memberships(number, is_new, &user.teams, teams)?);
            details.extend(self.apply_bindings(Holder::User(number), is_new, &user.roles, catalog, role_number)?);
            if is_new {
                self.note(AppliedAction::Create, format!("users/{id}"), &[]);
            } else if !details.is_empty() {
                self.note(AppliedAction::Update, format!("users/{id}"), &details);
            }
        }
        for (id, (number, _)) in existing {
            self.note(AppliedAction::Delete, format!("users/{id}"), &[]);
            remove_user(self.plan, account, number, id)?;
        }
        Ok(())
    }

    fn apply_service_accounts(
        &mut self,
        file: &AccountDefinition,
        catalog: &CompiledCatalog,
        role_number: &dyn Fn(&RoleName) -> Option<Number>,
    ) -> Result<(), Refused> {
        let account = self.account;
        let mut existing = BTreeMap::new();
        for (key, value) in facts::scan_all(self.plan, KeyRange::ServiceAccounts(account))? {
            if let (Key::ServiceAccount { service_account, .. }, Record::ServiceAccount(record)) = (key, value.value) {
                existing.insert(record.id.clone(), (service_account, record));
            }
        }
        for given in &file.service_accounts {
            let id = &given.id.value;
            let (display_name, description) = (given.display_name.clone(), given.description.clone());
            let time = self.plan.time;
            let (number, mut details, is_new) = match existing.remove(id) {
                None => {
                    let (id, state, created, updated) = (id.clone(), given.state, time, time);
                    let record = ServiceAccountRecord { id, display_name, description, state, created, updated };
                    (insert_service_account(self.plan, account, record)?, Vec::new(), true)
                }
                Some((number, record)) => {
                    let mut details = changed_texts(&[
                        ("display_name", &record.display_name, &display_name),
                        ("description", &record.description, &description),
                    ]);
                    if record.state != given.state {
                        details.push("state".to_owned());
                    }
                    if !details.is_empty() {
                        let (state, updated) = (given.state, time);
                        let record = ServiceAccountRecord { display_name, description, state, updated, ..record };
                        let key = Key::ServiceAccount { account, service_account: number };
                        self.plan.put(key, Record::ServiceAccount(record))?;
                    }
                    (number, details, false)
                }
            };
            let holder = Holder::ServiceAccount(number);
            details.extend(self.apply_bindings(holder, is_new, &given.roles, catalog, role_number)?);
            if is_new {
                self.note(AppliedAction::Create, format!("serviceAccounts/{id}"), &[]);
            } else if !details.is_empty() {
                self.note(AppliedAction::Update, format!("serviceAccounts/{id}"), &details);
            }
        }
        for (id, (number, _)) in existing {
            self.note(AppliedAction::Delete, format!("serviceAccounts/{id}"), &[]);
            remove_service_account(self.plan, account, number, id)?;
        }
        Ok(())
    }

    fn apply_memberships(
        &mut self,
        user: Number,
        is_new: bool,
        wanted: &[Located<TeamId>],
        teams: &HashMap<TeamId, Number>,
    ) -> Result<Option<String>, Refused> {
        let account = self.account;
        let wanted: BTreeMap<String, Number> =
            wanted.iter().filter_map(|team| Some((team.value.to_string(), *teams.get(&team.value)?))).collect();
        let held: BTreeMap<String, Number> = match is_new {
            true => BTreeMap::new(),
            false => facts::teams_of(self.plan, account, user, &mut |_| {})?
                .into_iter()
                .map(|(number, id)| (id.to_string(), number))
                .collect(),
        };
        for (_, team) in wanted.iter().filter(|(id, _)| !held.contains_key(*id)) {
            set_membership(self.plan, account, user, *team, true)?;
        }
        for (_, team) in held.iter().filter(|(id, _)| !wanted.contains_key(*id)) {
            set_membership(self.plan, account, user, *team, false)?;
        }
        Ok(difference("teams", &held.into_keys().collect(), &wanted.into_keys().collect()))
    }

    fn apply_bindings(
        &mut self,
        holder: Holder,
        is_new: bool,
        wanted: &[Located<RoleName>],
        catalog: &CompiledCatalog,
        role_number: &dyn Fn(&RoleName) -> Option<Number>,
    ) -> Result<Option<String>, Refused> {
        let account = self.account;
        let wanted: BTreeMap<String, Number> =
            wanted.iter().filter_map(|role| Some((role.value.to_string(), role_number(&role.value)?))).collect();
        let mut held: BTreeMap<String, Number> = BTreeMap::new();
        if !is_new {
            for facts::HeldBinding { binding: binding, role, .. } in
                facts::bindings_of(self.plan, account, holder.number())?
            {
                let Some((facts, _)) = facts::role_of_number(self.plan, account, catalog, role, &mut |_| {})? else {
                    continue;
                };
                let name = match facts.origin {
                    crate::engine::RoleOrigin::Catalog { .. } => RoleName::Managed(facts.id.clone()),
                    crate::engine::RoleOrigin::Account => RoleName::Custom(facts.id.clone()),
                };
                held.insert(name.to_string(), binding);
            }
        }
        for (_, role) in wanted.iter().filter(|(name, _)| !held.contains_key(*name)) {
            insert_binding(self.plan, account, holder, *role, None, None)?;
        }
        for (_, binding) in held.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
            remove_binding(self.plan, account, *binding)?;
        }
        Ok(difference("roles", &held.into_keys().collect(), &wanted.into_keys().collect()))
    }
}

/// Custom roles that were there before their catalog withdrew them stay as they are; none is made or given more.
fn refuse_if_not_offered(catalog: &CompiledCatalog, role: &RoleDefinition) -> Result<(), Refused> {
    if offers_custom_roles(catalog).is_ok() {
        return Ok(());
    }
    let mut problems = Problems::default();
    let id = &catalog.catalog().definition.id;
    problems.add(role.id.at, format_args!("roles: the catalog {:?} offers no custom roles", id.as_str()));
    problems.into_result(()).map_err(Refused::Problems)
}

/// The names of the texts that differ.
fn changed_texts(texts: &[(&str, &String, &String)]) -> Vec<String> {
    texts.iter().filter(|(_, before, after)| before != after).map(|(name, ..)| (*name).to_owned()).collect()
}

/// By how much a list grows.
fn grown(before: usize, after: usize) -> i64 {
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    count(after) - count(before)
}
