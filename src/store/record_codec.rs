//! [`Record`] and [`Change`] as protobuf, and back.
//!
//! Encoding is deterministic (no maps, fields in order), because digests and the hash chain are taken over the bytes.
//! Decoding checks again what parsing checked once: ids, positions, enums. A record that cannot be read is an error,
//! never a default. Catalogs have a file of their own, `catalog_codec`.

use prost::Message as _;

use super::{StoreError, catalog_codec, key_codec, proto};
use crate::model::{
    AccessRecord, AccountId, AccountRecord, AccountState, Actor, ApiScopeId, BindingRecord, Change, CountsRecord,
    ExceptionRecord, FacetNumber, HeldRecord, Holder, InvalidId, Key, Kind, Number, PolicyId, PolicyRecord,
    ProfileRecord, Record, RecordChange, RequestRecord, ResourcePath, ResourceRecord, RetiredRecord, Revision,
    RoleHoldersRecord, RoleId, RoleRecord, ServiceAccountId, ServiceAccountRecord, ServiceAccountState, Stamped, Sums,
    TeamId, TeamRecord, Timestamp, UserId, UserRecord, UserState,
};

/// How a damaged record is reported.
pub(super) fn damaged(what: impl std::fmt::Display) -> StoreError {
    StoreError::DamagedState(format!("a record cannot be read: {what}"))
}

pub(super) fn id<T>(text: &str, parse: fn(&str) -> Result<T, InvalidId>) -> Result<T, StoreError> {
    parse(text).map_err(damaged)
}

pub(super) fn numbers(values: &[Number]) -> Vec<u64> {
    values.iter().map(|number| number.0).collect()
}

fn ascending(values: Vec<u64>) -> Result<Vec<Number>, StoreError> {
    if values.is_sorted_by(|low, high| low < high) {
        Ok(values.into_iter().map(Number).collect())
    } else {
        Err(damaged("a list of numbers was expected to ascend"))
    }
}

/// The bytes of a record. Cost: linear in its size.
pub(super) fn encode_record(record: &Record) -> Vec<u8> {
    use proto::record::Value;
    let value = match record {
        Record::Catalog(catalog) => Value::Catalog(catalog_codec::to_proto(catalog)),
        Record::Account(account) => Value::Account(proto::Account {
            id: account.id.as_str().to_owned(),
            display_name: account.display_name.clone(),
            catalog: account.catalog.0,
            state: match account.state {
                AccountState::Active => proto::AccountState::Active,
                AccountState::Suspended => proto::AccountState::Suspended,
            }
            .into(),
            features: numbers(&account.features),
            created_ms: account.created.0,
            updated_ms: account.updated.0,
        }),
        Record::Counts(counts) => Value::Counts(proto::Counts {
            teams: counts.teams,
            roles: counts.roles,
            policies: counts.policies,
            resources: counts.resources,
        }),
        Record::User(user) => Value::User(proto::User {
            id: user.id.as_str().to_owned(),
            state: match user.state {
                UserState::Invited => proto::UserState::Invited,
                UserState::Active => proto::UserState::Active,
                UserState::Suspended => proto::UserState::Suspended,
            }
            .into(),
            created_ms: user.created.0,
            updated_ms: user.updated.0,
        }),
        Record::Profile(profile) => Value::Profile(proto::Profile {
            display_name: profile.display_name.clone(),
            username: profile.username.clone(),
            email: profile.email.clone(),
        }),
        Record::Team(team) => Value::Team(proto::Team {
            id: team.id.as_str().to_owned(),
            display_name: team.display_name.clone(),
            description: team.description.clone(),
            created_ms: team.created.0,
            updated_ms: team.updated.0,
        }),
        Record::Role(role) => Value::Role(proto::Role {
            id: role.id.as_str().to_owned(),
            display_name: role.display_name.clone(),
            description: role.description.clone(),
            permissions: numbers(&role.permissions),
            left_out_api_scopes: role.left_out_api_scopes.iter().map(ToString::to_string).collect(),
            policies: numbers(&role.policies),
            parents: numbers(&role.parents),
            covers: role.covers.iter().map(|facet| facet_to_proto(*facet)).collect(),
            created_ms: role.created.0,
            updated_ms: role.updated.0,
        }),
        Record::Binding(binding) => Value::Binding(proto::Binding {
            holder: Some(match binding.holder {
                Holder::User(user) => proto::binding::Holder::User(user.0),
                Holder::Team(team) => proto::binding::Holder::Team(team.0),
                Holder::ServiceAccount(number) => proto::binding::Holder::ServiceAccount(number.0),
            }),
            role: binding.role.0,
            resource: binding.resource.map(|number| number.0),
            expires_ms: binding.expires.map(|time| time.0),
            created_ms: binding.created.0,
        }),
        Record::Held(held) => Value::Held(proto::Held {
            role: held.role.0,
            resource: held.resource.map(|number| number.0),
            expires_ms: held.expires.map(|time| time.0),
        }),
        Record::Resource(resource) => Value::Resource(proto::Resource {
            path: resource.path.as_str().to_owned(),
            resource_type: resource.resource_type.0,
            display_name: resource.display_name.clone(),
            created_ms: resource.created.0,
            updated_ms: resource.updated.0,
        }),
        Record::Policy(policy) => Value::Policy(proto::Policy {
            id: policy.id.as_str().to_owned(),
            display_name: policy.display_name.clone(),
            description: policy.description.clone(),
            statements: policy.statements.iter().map(catalog_codec::statement_to_proto).collect(),
            created_ms: policy.created.0,
            updated_ms: policy.updated.0,
        }),
        Record::Access(access) => Value::Access(proto::Access { all: access.all, values: numbers(&access.values) }),
        Record::Exception(exception) => Value::Exception(proto::Exception {
            reason: exception.reason.clone(),
            expires_ms: exception.expires.map(|time| time.0),
            created_ms: exception.created.0,
        }),
        Record::ServiceAccount(account) => Value::ServiceAccount(proto::ServiceAccount {
            id: account.id.as_str().to_owned(),
            display_name: account.display_name.clone(),
            description: account.description.clone(),
            state: match account.state {
                ServiceAccountState::Active => proto::ServiceAccountState::Active,
                ServiceAccountState::Suspended => proto::ServiceAccountState::Suspended,
            }
            .into(),
            created_ms: account.created.0,
            updated_ms: account.updated.0,
        }),
        Record::RoleHolders(counts) => Value::RoleHolders(proto::RoleHolders {
            users: counts.users,
            service_accounts: counts.service_accounts,
            teams: counts.teams,
        }),
        Record::Count(count) => Value::Count(*count),
        Record::Time(time) => Value::TimeMs(time.0),
        Record::Request(request) => Value::Request(proto::Request {
            fingerprint: request.fingerprint.to_vec(),
            answer: request.answer.clone(),
            expires_ms: request.expires.0,
        }),
        Record::Name(number) => Value::Name(number.0),
        Record::Present => Value::Present(proto::Present {}),
        Record::Retired(retired) => Value::Retired(proto::Retired {
            kind: match retired.kind {
                Kind::Catalog => proto::Kind::Catalog,
                Kind::Account => proto::Kind::Account,
                Kind::User => proto::Kind::User,
                Kind::Team => proto::Kind::Team,
                Kind::Role => proto::Kind::Role,
                Kind::Binding => proto::Kind::Binding,
                Kind::Policy => proto::Kind::Policy,
                Kind::Resource => proto::Kind::Resource,
            }
            .into(),
            account: retired.account.map(|number| number.0),
        }),
    };
    proto::Record { value: Some(value) }.encode_to_vec()
}

/// The record that some bytes are. Cost: linear in their number.
///
/// # Errors
/// [`StoreError::DamagedState`] if they are none.
pub(super) fn decode_record(bytes: &[u8]) -> Result<Record, StoreError> {
    use proto::record::Value;
    let value = proto::Record::decode(bytes).map_err(damaged)?.value;
    Ok(match value.ok_or_else(|| damaged("its kind is missing or unknown"))? {
        Value::Catalog(catalog) => Record::Catalog(Box::new(catalog_codec::from_proto(catalog)?)),
        Value::Account(account) => Record::Account(AccountRecord {
            state: match account.state() {
                proto::AccountState::Active => AccountState::Active,
                proto::AccountState::Suspended => AccountState::Suspended,
                proto::AccountState::Unspecified => return Err(damaged("an account's state is missing or unknown")),
            },
            id: id(&account.id, AccountId::new)?,
            display_name: account.display_name,
            catalog: Number(account.catalog),
            features: ascending(account.features)?,
            created: Timestamp(account.created_ms),
            updated: Timestamp(account.updated_ms),
        }),
        Value::Counts(counts) => Record::Counts(CountsRecord {
            teams: counts.teams,
            roles: counts.roles,
            policies: counts.policies,
            resources: counts.resources,
        }),
        Value::User(user) => Record::User(UserRecord {
            state: match user.state() {
                proto::UserState::Invited => UserState::Invited,
                proto::UserState::Active => UserState::Active,
                proto::UserState::Suspended => UserState::Suspended,
                proto::UserState::Unspecified => return Err(damaged("a user's state is missing or unknown")),
            },
            id: id(&user.id, UserId::new)?,
            created: Timestamp(user.created_ms),
            updated: Timestamp(user.updated_ms),
        }),
        Value::Profile(profile) => Record::Profile(ProfileRecord {
            display_name: profile.display_name,
            username: profile.username,
            email: profile.email,
        }),
        Value::Team(team) => Record::Team(TeamRecord {
            id: id(&team.id, TeamId::new)?,
            display_name: team.display_name,
            description: team.description,
            created: Timestamp(team.created_ms),
            updated: Timestamp(team.updated_ms),
        }),
        Value::Role(role) => Record::Role(RoleRecord {
            id: id(&role.id, RoleId::new)?,
            display_name: role.display_name,
            description: role.description,
            permissions: ascending(role.permissions)?,
            left_out_api_scopes: {
                let scopes = role.left_out_api_scopes.iter();
                let scopes = scopes.map(|text| id(text, ApiScopeId::new)).collect::<Result<Vec<_>, _>>()?;
                if !scopes.is_sorted_by(|low, high| low < high) {
                    return Err(damaged("a list of API scopes was expected to ascend"));
                }
                scopes
            },
            policies: ascending(role.policies)?,
            parents: ascending(role.parents)?,
            covers: {
                let covers = role.covers.into_iter().map(facet_from_proto).collect::<Result<Vec<_>, _>>()?;
                if !covers.is_sorted_by(|low, high| low < high) {
                    return Err(damaged("a list of facets was expected to ascend"));
                }
                covers
            },
            created: Timestamp(role.created_ms),
            updated: Timestamp(role.updated_ms),
        }),
        Value::Binding(binding) => Record::Binding(BindingRecord {
            holder: match binding.holder {
                Some(proto::binding::Holder::User(user)) => Holder::User(Number(user)),
                Some(proto::binding::Holder::Team(team)) => Holder::Team(Number(team)),
                Some(proto::binding::Holder::ServiceAccount(number)) => Holder::ServiceAccount(Number(number)),
                None => return Err(damaged("a binding's holder is missing or unknown")),
            },
            role: Number(binding.role),
            resource: binding.resource.map(Number),
            expires: binding.expires_ms.map(Timestamp),
            created: Timestamp(binding.created_ms),
        }),
        Value::Held(held) => Record::Held(HeldRecord {
            role: Number(held.role),
            resource: held.resource.map(Number),
            expires: held.expires_ms.map(Timestamp),
        }),
        Value::Resource(resource) => Record::Resource(ResourceRecord {
            path: id(&resource.path, ResourcePath::new)?,
            resource_type: Number(resource.resource_type),
            display_name: resource.display_name,
            created: Timestamp(resource.created_ms),
            updated: Timestamp(resource.updated_ms),
        }),
        Value::Policy(policy) => Record::Policy(PolicyRecord {
            id: id(&policy.id, PolicyId::new)?,
            display_name: policy.display_name,
            description: policy.description,
            statements: catalog_codec::statements_from_proto(policy.statements)?,
            created: Timestamp(policy.created_ms),
            updated: Timestamp(policy.updated_ms),
        }),
        Value::Access(access) => Record::Access(AccessRecord { all: access.all, values: ascending(access.values)? }),
        Value::Exception(exception) => Record::Exception(ExceptionRecord {
            reason: exception.reason,
            expires: exception.expires_ms.map(Timestamp),
            created: Timestamp(exception.created_ms),
        }),
        Value::ServiceAccount(account) => Record::ServiceAccount(ServiceAccountRecord {
            state: match account.state() {
                proto::ServiceAccountState::Active => ServiceAccountState::Active,
                proto::ServiceAccountState::Suspended => ServiceAccountState::Suspended,
                proto::ServiceAccountState::Unspecified => {
                    return Err(damaged("a service account's state is missing or unknown"));
                }
            },
            id: id(&account.id, ServiceAccountId::new)?,
            display_name: account.display_name,
            description: account.description,
            created: Timestamp(account.created_ms),
            updated: Timestamp(account.updated_ms),
        }),
        Value::RoleHolders(counts) => Record::RoleHolders(RoleHoldersRecord {
            users: counts.users,
            service_accounts: counts.service_accounts,
            teams: counts.teams,
        }),
        Value::Count(count) => Record::Count(count),
        Value::TimeMs(time) => Record::Time(Timestamp(time)),
        Value::Request(request) => Record::Request(RequestRecord {
            fingerprint: request
                .fingerprint
                .try_into()
                .map_err(|_| damaged("a request's fingerprint was expected to have 32 bytes"))?,
            answer: request.answer,
            expires: Timestamp(request.expires_ms),
        }),
        Value::Name(number) => Record::Name(Number(number)),
        Value::Present(proto::Present {}) => Record::Present,
        Value::Retired(retired) => Record::Retired(RetiredRecord {
            kind: match retired.kind() {
                proto::Kind::Catalog => Kind::Catalog,
                proto::Kind::Account => Kind::Account,
                proto::Kind::User => Kind::User,
                proto::Kind::Team => Kind::Team,
                proto::Kind::Role => Kind::Role,
                proto::Kind::Binding => Kind::Binding,
                proto::Kind::Policy => Kind::Policy,
                proto::Kind::Resource => Kind::Resource,
                proto::Kind::Unspecified => return Err(damaged("a retired thing's kind is missing or unknown")),
            },
            account: retired.account.map(Number),
        }),
    })
}

fn facet_to_proto(facet: FacetNumber) -> proto::FacetNumber {
    use proto::facet_number::Facet;
    proto::FacetNumber {
        facet: Some(match facet {
            FacetNumber::Feature => Facet::Feature(proto::Present {}),
            FacetNumber::Type(number) => Facet::ResourceType(number.0),
        }),
    }
}

fn facet_from_proto(facet: proto::FacetNumber) -> Result<FacetNumber, StoreError> {
    use proto::facet_number::Facet;
    match facet.facet {
        Some(Facet::Feature(proto::Present {})) => Ok(FacetNumber::Feature),
        Some(Facet::ResourceType(number)) => Ok(FacetNumber::Type(Number(number))),
        None => Err(damaged("a facet is missing or unknown")),
    }
}

/// A change for the journal: what is hashed, and what is personal. `salt` gives 16 random bytes for each personal
/// value. Cost: linear in the change.
pub(super) fn change_to_proto(
    change: &Change,
    personal: &mut Vec<proto::PersonalValue>,
    salt: &mut dyn FnMut() -> Result<[u8; 16], StoreError>,
) -> Result<proto::Change, StoreError> {
    use proto::record_value::Content;
    let mut value = |key, revision, record| -> Result<proto::RecordValue, StoreError> {
        let record = encode_record(record);
        let content = if key_codec::is_personal(key) {
            let salt = salt()?.to_vec();
            let content = Content::PersonalHash(personal_hash(&salt, &record).to_vec());
            personal.push(proto::PersonalValue { salt, record, ..proto::PersonalValue::default() });
            content
        } else {
            Content::Record(record)
        };
        Ok(proto::RecordValue { revision, content: Some(content) })
    };
    let mut records = Vec::with_capacity(change.records.len());
    for RecordChange { key, before, after } in &change.records {
        records.push(proto::RecordChange {
            key: key_codec::encode_key(key),
            before: before.as_ref().map(|before| value(key, before.revision.0, &before.value)).transpose()?,
            after: after.as_ref().map(|after| value(key, 0, after)).transpose()?,
        });
    }
    let actor = match change.actor {
        Actor::LocalOperator => proto::actor::Actor::LocalOperator(proto::actor::LocalOperator {}),
        Actor::Server => proto::actor::Actor::Server(proto::actor::Server {}),
    };
    Ok(proto::Change {
        revision: change.revision.0,
        time_ms: change.time.0,
        actor: Some(proto::Actor { actor: Some(actor) }),
        method: change.method.clone(),
        next_number: change.next_number,
        records,
    })
}

/// The change that [`change_to_proto`] took apart. Takes the personal values that it needs from `personal`, and checks
/// each against its hash, unless it is marked as erased.
///
/// # Errors
/// [`StoreError::DamagedState`] if it cannot be read or a personal value is not the one that was hashed.
pub(super) fn change_from_proto(
    change: proto::Change,
    personal: &mut impl Iterator<Item = proto::PersonalValue>,
) -> Result<Change, StoreError> {
    use proto::record_value::Content;
    let mut value = |key: &Key, value: proto::RecordValue| match value.content {
        Some(Content::Record(record)) => Ok((value.revision, decode_record(&record)?)),
        Some(Content::PersonalHash(hash)) => {
            let next = personal.next().ok_or_else(|| damaged("a personal value is missing"))?;
            check_personal(&PersonalParts::of(&next), &hash, || key_codec::is_personal(key)).map_err(damaged)?;
            let record = if next.erased { key_codec::erased(key) } else { Some(decode_record(&next.record)?) };
            Ok((value.revision, record.ok_or_else(|| damaged("an erased value was not personal"))?))
        }
        None => Err(damaged("a value's content is missing or unknown")),
    };
    let mut records = Vec::with_capacity(change.records.len());
    for record in change.records {
        let key = key_codec::decode_key(&record.key)?;
        let before = record.before.map(|before| value(&key, before)).transpose()?;
        let after = record.after.map(|after| value(&key, after)).transpose()?;
        records.push(RecordChange {
            key,
            before: before.map(|(revision, value)| Stamped { revision: Revision(revision), value }),
            after: after.map(|(_, value)| value),
        });
    }
    let actor = match change.actor.and_then(|actor| actor.actor) {
        Some(proto::actor::Actor::LocalOperator(proto::actor::LocalOperator {})) => Actor::LocalOperator,
        Some(proto::actor::Actor::Server(proto::actor::Server {})) => Actor::Server,
        None => return Err(damaged("a change's actor is missing or unknown")),
    };
    Ok(Change {
        revision: Revision(change.revision),
        time: Timestamp(change.time_ms),
        actor,
        method: change.method,
        next_number: change.next_number,
        records,
        sums: Sums::default(),
    })
}

/// The length of a salt, and of its field.
const SALT_BYTES: usize = 16;

/// What stands in the place of a personal value that was erased: as long as the value, and nothing of it.
pub(super) fn erased_value(value: &proto::PersonalValue) -> proto::PersonalValue {
    // The mark takes two bytes, and the filler's field two: with the filler as many as the salt and its field.
    let filler = vec![0; SALT_BYTES - 2];
    proto::PersonalValue { salt: Vec::new(), record: vec![0; value.record.len()], erased: true, filler }
}

/// A value of the personal section, where it lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PersonalParts<'a> {
    pub salt: &'a [u8],
    pub record: &'a [u8],
    pub erased: bool,
    pub filler: &'a [u8],
}

impl<'a> PersonalParts<'a> {
    fn of(value: &'a proto::PersonalValue) -> Self {
        let proto::PersonalValue { salt, record, erased, filler } = value;
        Self { salt, record, erased: *erased, filler }
    }

    /// Whether it is what [`erased_value`] puts in the place of a value.
    fn is_mark(&self) -> bool {
        let is_zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
        self.salt.is_empty() && self.filler.len() == SALT_BYTES - 2 && is_zero(self.filler) && is_zero(self.record)
    }
}

/// Checks a personal value against its hash, unless it is marked as erased, which only a value can be whose key is
/// personal.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check_personal(
    value: &PersonalParts<'_>,
    hash: &[u8],
    is_personal: impl FnOnce() -> bool,
) -> Result<(), &'static str> {
    if value.erased {
        let is_good = value.is_mark() && is_personal();
        return if is_good { Ok(()) } else { Err("the mark of an erased value is not one that is written") };
    }
    if personal_hash(value.salt, value.record) == hash {
        Ok(())
    } else {
        Err("a personal value is not the one that was hashed")
    }
}

fn personal_hash(salt: &[u8], record: &[u8]) -> [u8; 32] {
    use sha2::{Digest as _, Sha256};
    // The salt has a fixed length, so that the two cannot be told apart in more than one way.
    Sha256::new().chain_update(salt).chain_update(record).finalize().into()
}
