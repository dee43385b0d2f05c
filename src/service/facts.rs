//! Finding things among the records: by id, by number, and all that a question about a subject needs.

use std::sync::Arc;

use super::{
    error::{ErrorReason, ServiceError},
    manners::Etag,
};
use crate::{
    engine::{CompiledCatalog, HeldRole, RoleFacts},
    model::{
        AccessRecord, AccountId, AccountRecord, BindingRecord, Catalog, CatalogId, Dependency, HeldRecord, Holder, Key,
        KeyRange, Number, PolicyId, PolicyRecord, ProfileRecord, Record, ResourcePath, ResourceRecord, Revision,
        RoleHoldersRecord, RoleId, RoleRecord, ServiceAccountId, ServiceAccountRecord, Stamped, TeamId, TeamRecord,
        Timestamp, UserId, UserRecord,
    },
    store::{StoreError, View},
};

/// A role as a caller names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RoleName {
    /// `catalogs/{catalog}/roles/{role}`.
    Catalog(CatalogId, RoleId),
    /// `accounts/{account}/roles/{role}`.
    Account(AccountId, RoleId),
}

impl std::fmt::Display for RoleName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Catalog(catalog, role) => write!(f, "catalogs/{catalog}/roles/{role}"),
            Self::Account(account, role) => write!(f, "accounts/{account}/roles/{role}"),
        }
    }
}

/// The records that a load notes as it reads them. Plans and lists need none.
pub(super) type Note<'a> = &'a mut dyn FnMut(Dependency);

macro_rules! typed {
    ($name:ident, $variant:ident, $type:ty) => {
        pub(super) fn $name(view: &dyn View, key: &Key) -> Result<Option<Stamped<$type>>, StoreError> {
            match view.get(key)? {
                None => Ok(None),
                Some(Stamped { revision, value: Record::$variant(value) }) => {
                    Ok(Some(Stamped { revision, value: value.into() }))
                }
                Some(_) => Err(StoreError::DamagedState(format!("{key:?} holds a record of another kind"))),
            }
        }
    };
}

typed!(get_account, Account, AccountRecord);
typed!(get_catalog, Catalog, Box<Catalog>);
typed!(get_user, User, UserRecord);
typed!(get_profile, Profile, ProfileRecord);
typed!(get_team, Team, TeamRecord);
typed!(get_role, Role, RoleRecord);
typed!(get_service_account, ServiceAccount, ServiceAccountRecord);
typed!(get_role_holders, RoleHolders, RoleHoldersRecord);
typed!(get_count, Count, u64);
typed!(get_time, Time, Timestamp);
typed!(get_binding, Binding, BindingRecord);
typed!(get_name, Name, Number);
typed!(get_resource, Resource, ResourceRecord);
typed!(get_policy, Policy, PolicyRecord);
typed!(get_access, Access, AccessRecord);

/// An access policy as a caller names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PolicyName {
    /// `catalogs/{catalog}/accessPolicies/{access_policy}`.
    Catalog(CatalogId, PolicyId),
    /// `accounts/{account}/accessPolicies/{access_policy}`.
    Account(AccountId, PolicyId),
}

impl std::fmt::Display for PolicyName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Catalog(catalog, policy) => write!(f, "catalogs/{catalog}/accessPolicies/{policy}"),
            Self::Account(account, policy) => write!(f, "accounts/{account}/accessPolicies/{policy}"),
        }
    }
}

/// Everything of a range, however much it is, read in pieces.
pub(super) fn scan_all(view: &dyn View, range: KeyRange) -> Result<Vec<(Key, Stamped<Record>)>, StoreError> {
    const PIECE: usize = 1024;
    let mut all: Vec<(Key, Stamped<Record>)> = Vec::new();
    loop {
        let after = all.last().map(|(key, _)| key.clone());
        let mut piece = view.scan(range, after.as_ref(), PIECE)?;
        let is_last = piece.len() < PIECE;
        all.append(&mut piece);
        if is_last {
            return Ok(all);
        }
    }
}

/// An account with its number.
pub(super) struct FoundAccount {
    pub(super) number: Number,
    pub(super) record: AccountRecord,
    pub(super) revision: Revision,
}

impl FoundAccount {
    /// Its version.
    pub(super) fn etag(&self) -> Etag {
        Etag { number: self.number, revision: self.revision }
    }
}

/// The account of an id.
pub(super) fn find_account(view: &dyn View, id: &AccountId) -> Result<FoundAccount, ServiceError> {
    let missing = || {
        ServiceError::new(ErrorReason::AccountNotFound, format!("there is no account {:?}", id.as_str()))
            .with("account", id.as_str())
    };
    let number = get_name(view, &Key::AccountName(id.clone()))?.ok_or_else(missing)?.value;
    let record = get_account(view, &Key::Account(number))?.ok_or_else(missing)?;
    Ok(FoundAccount { number, record: record.value, revision: record.revision })
}

/// The number of a catalog.
pub(super) fn find_catalog(view: &dyn View, id: &CatalogId) -> Result<Number, ServiceError> {
    get_name(view, &Key::CatalogName(id.clone()))?.map(|name| name.value).ok_or_else(|| {
        ServiceError::new(ErrorReason::CatalogNotFound, format!("there is no catalog {:?}", id.as_str()))
            .with("catalog", id.as_str())
    })
}

/// A user of an account with its number.
pub(super) fn find_user(
    view: &dyn View,
    account: Number,
    id: &UserId,
) -> Result<(Number, Stamped<UserRecord>), ServiceError> {
    let missing = || {
        ServiceError::new(ErrorReason::UserNotFound, format!("the account has no user {:?}", id.as_str()))
            .with("user", id.as_str())
    };
    let user = get_name(view, &Key::UserName { account, id: id.clone() })?.ok_or_else(missing)?.value;
    Ok((user, get_user(view, &Key::User { account, user })?.ok_or_else(missing)?))
}

/// A service account of an account with its number.
pub(super) fn find_service_account(
    view: &dyn View,
    account: Number,
    id: &ServiceAccountId,
) -> Result<(Number, Stamped<ServiceAccountRecord>), ServiceError> {
    let missing = || {
        ServiceError::new(
            ErrorReason::ServiceAccountNotFound,
            format!("the account has no service account {:?}", id.as_str()),
        )
        .with("service_account", id.as_str())
    };
    let name = Key::ServiceAccountName { account, id: id.clone() };
    let service_account = get_name(view, &name)?.ok_or_else(missing)?.value;
    let found = get_service_account(view, &Key::ServiceAccount { account, service_account })?;
    Ok((service_account, found.ok_or_else(missing)?))
}

/// A team of an account with its number.
pub(super) fn find_team(
    view: &dyn View,
    account: Number,
    id: &TeamId,
) -> Result<(Number, Stamped<TeamRecord>), ServiceError> {
    let missing = || {
        ServiceError::new(ErrorReason::TeamNotFound, format!("the account has no team {:?}", id.as_str()))
            .with("team", id.as_str())
    };
    let team = get_name(view, &Key::TeamName { account, id: id.clone() })?.ok_or_else(missing)?.value;
    Ok((team, get_team(view, &Key::Team { account, team })?.ok_or_else(missing)?))
}

pub(super) fn role_missing(id: &RoleId) -> ServiceError {
    ServiceError::new(ErrorReason::RoleNotFound, format!("there is no role {:?} here", id.as_str()))
        .with("role", id.as_str())
}

/// A custom role of an account with its number.
pub(super) fn find_custom_role(
    view: &dyn View,
    account: Number,
    id: &RoleId,
) -> Result<(Number, Stamped<RoleRecord>), ServiceError> {
    let missing = || role_missing(id);
    let role = get_name(view, &Key::RoleName { account, id: id.clone() })?.ok_or_else(missing)?.value;
    Ok((role, get_role(view, &Key::Role { account, role })?.ok_or_else(missing)?))
}

/// The number of any role that an account can use. Internal ones are there only for who may see them.
pub(super) fn find_role(
    view: &dyn View,
    account: &FoundAccount,
    catalog: &CompiledCatalog,
    name: &RoleName,
    show_internal: bool,
) -> Result<Number, ServiceError> {
    match name {
        RoleName::Catalog(catalog_id, id) if *catalog_id == catalog.catalog().definition.id => {
            let role = catalog.role(id.as_str()).ok_or_else(|| role_missing(id))?;
            if is_internal(catalog, role) && !show_internal {
                return Err(role_missing(id));
            }
            Ok(role.number)
        }
        RoleName::Account(account_id, id) if *account_id == account.record.id => {
            Ok(find_custom_role(view, account.number, id)?.0)
        }
        RoleName::Catalog(_, id) | RoleName::Account(_, id) => Err(role_missing(id)),
    }
}

pub(super) fn policy_missing(id: &PolicyId) -> ServiceError {
    ServiceError::new(ErrorReason::PolicyNotFound, format!("there is no access policy {:?} here", id.as_str()))
        .with("access_policy", id.as_str())
}

/// A custom policy of an account with its number.
pub(super) fn find_custom_policy(
    view: &dyn View,
    account: Number,
    id: &PolicyId,
) -> Result<(Number, Stamped<PolicyRecord>), ServiceError> {
    let missing = || policy_missing(id);
    let policy = get_name(view, &Key::PolicyName { account, id: id.clone() })?.ok_or_else(missing)?.value;
    Ok((policy, get_policy(view, &Key::Policy { account, policy })?.ok_or_else(missing)?))
}

/// The number of any policy that an account can use.
pub(super) fn find_policy(
    view: &dyn View,
    account: &FoundAccount,
    catalog: &CompiledCatalog,
    name: &PolicyName,
) -> Result<Number, ServiceError> {
    match name {
        PolicyName::Catalog(catalog_id, id) if *catalog_id == catalog.catalog().definition.id => {
            catalog.policy_number(id.as_str()).ok_or_else(|| policy_missing(id))
        }
        PolicyName::Account(account_id, id) if *account_id == account.record.id => {
            Ok(find_custom_policy(view, account.number, id)?.0)
        }
        PolicyName::Catalog(_, id) | PolicyName::Account(_, id) => Err(policy_missing(id)),
    }
}

/// A registered resource with its number. One whose type the catalog has no more is not there.
pub(super) fn find_resource(
    view: &dyn View,
    account: Number,
    catalog: &CompiledCatalog,
    path: &ResourcePath,
) -> Result<(Number, Stamped<ResourceRecord>), ServiceError> {
    let missing = || {
        ServiceError::new(
            ErrorReason::ResourceNotFound,
            format!("the account has no registered resource {:?}", path.as_str()),
        )
        .with("resource", path.as_str())
    };
    let resource = get_name(view, &Key::ResourceName { account, path: path.clone() })?.ok_or_else(missing)?.value;
    let record = get_resource(view, &Key::Resource { account, resource })?.ok_or_else(missing)?;
    catalog.resource_type_of_number(record.value.resource_type).ok_or_else(missing)?;
    Ok((resource, record))
}

/// Whether a role is an internal one of the catalog.
pub(super) fn is_internal(catalog: &CompiledCatalog, role: &RoleFacts) -> bool {
    catalog_role(catalog, role).is_some_and(|role| role.internal)
}

/// A role's entry in the catalog; none for a custom role.
pub(super) fn catalog_role<'a>(
    catalog: &'a CompiledCatalog,
    role: &RoleFacts,
) -> Option<&'a crate::model::CatalogRole> {
    match role.origin {
        crate::engine::RoleOrigin::Catalog { position } => catalog.catalog().definition.roles.get(position),
        crate::engine::RoleOrigin::Account => None,
    }
}

/// The name of a role that an account uses.
pub(super) fn role_name(account: &AccountId, catalog: &CompiledCatalog, role: &RoleFacts) -> RoleName {
    match role.origin {
        crate::engine::RoleOrigin::Catalog { .. } => {
            RoleName::Catalog(catalog.catalog().definition.id.clone(), role.id.clone())
        }
        crate::engine::RoleOrigin::Account => RoleName::Account(account.clone(), role.id.clone()),
    }
}

/// The name of a policy that an account uses.
pub(super) fn policy_name(
    account: &AccountId,
    catalog: &CompiledCatalog,
    policy: &crate::engine::PolicyName,
) -> PolicyName {
    match policy {
        crate::engine::PolicyName::Managed(_, id) => {
            PolicyName::Catalog(catalog.catalog().definition.id.clone(), id.clone())
        }
        crate::engine::PolicyName::Custom(id) => PolicyName::Account(account.clone(), id.clone()),
    }
}

/// A role by its number, with the revision that it was written at (0 for those of the catalog); none: it is gone.
pub(super) fn role_of_number(
    view: &dyn View,
    account: Number,
    catalog: &CompiledCatalog,
    role: Number,
    note: Note<'_>,
) -> Result<Option<(Arc<RoleFacts>, Revision)>, StoreError> {
    if let Some(facts) = catalog.role_of_number(role) {
        return Ok(Some((Arc::clone(facts), Revision(0))));
    }
    note(Dependency::Thing(role));
    let record = get_role(view, &Key::Role { account, role })?;
    Ok(record.map(|record| (Arc::new(catalog.custom_role(role, &record.value)), record.revision)))
}

/// How many things a page of a search looks at, at most.
pub(super) const LOOKED_AT: usize = 20_000;

/// All things of a range that a search finds: at most `size` of them after `after`, and the key after which the next
/// page begins if there may be more. Looks at a bounded number of keys, so a page can be shorter than it might be.
pub(super) fn find_in<T>(
    view: &dyn View,
    range: KeyRange,
    mut after: Option<Key>,
    size: usize,
    mut look: impl FnMut(&Key, &Record) -> Result<Option<T>, ServiceError>,
) -> Result<(Vec<T>, Option<Key>), ServiceError> {
    let mut items = Vec::new();
    let mut looked_at = 0;
    loop {
        let piece = view.scan(range, after.as_ref(), size.max(100) + 1)?;
        let is_last = piece.len() <= size.max(100);
        for (key, value) in piece {
            if items.len() == size || looked_at == LOOKED_AT {
                // What is looked at now may be found by the next page.
                return Ok((items, after));
            }
            looked_at += 1;
            items.extend(look(&key, &value.value)?);
            after = Some(key);
        }
        if is_last {
            return Ok((items, None));
        }
    }
}

/// Whether one of the texts contains what is searched for; capital letters and small ones are the same.
pub(super) fn matches(search: &str, texts: &[&str]) -> bool {
    search.is_empty() || texts.iter().any(|text| text.to_lowercase().contains(search))
}

/// The teams of a user that exist, by number.
pub(super) fn teams_of(
    view: &dyn View,
    account: Number,
    user: Number,
    note: Note<'_>,
) -> Result<Vec<(Number, TeamId)>, StoreError> {
    let mut teams = Vec::new();
    for (key, _) in scan_all(view, KeyRange::Memberships { account, user })? {
        let Key::Membership { team, .. } = key else { continue };
        note(Dependency::Thing(team));
        if let Some(record) = get_team(view, &Key::Team { account, team })? {
            teams.push((team, record.value.id));
        }
    }
    Ok(teams)
}

/// One binding of a holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeldBinding {
    pub(super) binding: Number,
    pub(super) role: Number,
    /// The resource that it is on; none: the whole account.
    pub(super) resource: Option<Number>,
    /// The instant from which it does not count any more; none: it does for good.
    pub(super) expires: Option<Timestamp>,
}

impl HeldBinding {
    /// The role that is held by it, directly or through a team.
    pub(super) fn into_role(self, team: Option<(Number, TeamId)>) -> HeldRole {
        let Self { binding, role, resource, expires } = self;
        HeldRole { role, team, binding, resource, expires, is_expired: false }
    }

    /// Whether it counts at an instant.
    pub(super) fn is_live(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

/// The bindings of one holder, in the order of their creation.
pub(super) fn bindings_of(view: &dyn View, account: Number, holder: Number) -> Result<Vec<HeldBinding>, StoreError> {
    let mut bindings = Vec::new();
    for (key, value) in scan_all(view, KeyRange::HolderBindings { account, holder })? {
        let Key::HolderBinding { binding, .. } = key else { continue };
        let held = match value.value {
            Record::Name(role) => HeldRecord { role, resource: None, expires: None },
            Record::Held(held) => held,
            _ => return Err(StoreError::DamagedState(format!("{key:?} holds a record of another kind"))),
        };
        let HeldRecord { role, resource, expires } = held;
        bindings.push(HeldBinding { binding, role, resource, expires });
    }
    Ok(bindings)
}

/// Every binding by which a user holds a role, its own ones first, whether the role still exists or not, and whether it still
/// counts or not.
pub(super) fn held_roles(
    view: &dyn View,
    account: Number,
    user: Number,
    note: Note<'_>,
) -> Result<Vec<HeldRole>, StoreError> {
    note(Dependency::Thing(user));
    let mut held = Vec::new();
    held.extend(bindings_of(view, account, user)?.into_iter().map(|held| held.into_role(None)));
    for (team, id) in teams_of(view, account, user, note)? {
        let of_team = bindings_of(view, account, team)?.into_iter();
        held.extend(of_team.map(|held| held.into_role(Some((team, id.clone())))));
    }
    Ok(held)
}

/// A user, a team or a service account by its name.
pub(super) fn find_holder(view: &dyn View, account: Number, name: &super::HolderName) -> Result<Holder, ServiceError> {
    Ok(match name {
        super::HolderName::User(id) => Holder::User(find_user(view, account, id)?.0),
        super::HolderName::Team(id) => Holder::Team(find_team(view, account, id)?.0),
        super::HolderName::ServiceAccount(id) => Holder::ServiceAccount(find_service_account(view, account, id)?.0),
    })
}

/// Who holds a binding, by name; none: the holder is gone.
pub(super) fn holder_name(
    view: &dyn View,
    account: Number,
    holder: Holder,
) -> Result<Option<super::HolderName>, StoreError> {
    Ok(match holder {
        Holder::User(user) => {
            get_user(view, &Key::User { account, user })?.map(|user| super::HolderName::User(user.value.id))
        }
        Holder::Team(team) => {
            get_team(view, &Key::Team { account, team })?.map(|team| super::HolderName::Team(team.value.id))
        }
        Holder::ServiceAccount(service_account) => {
            get_service_account(view, &Key::ServiceAccount { account, service_account })?
                .map(|found| super::HolderName::ServiceAccount(found.value.id))
        }
    })
}
