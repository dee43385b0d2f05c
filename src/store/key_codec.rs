//! [`Key`] as bytes whose order is the order of the keys, and [`KeyRange`] as a prefix of them.
//!
//! The first byte says which kind of key it is, then come the numbers, big-endian, and an id only as the last part: so
//! no key can be read in two ways, and an id (which never contains a zero byte) may be followed by a zero byte and more.

use super::StoreError;
use crate::model::{
    AccountId, CatalogId, FacetNumber, Holder, HolderKind, InvalidId, Key, KeyRange, Number, PolicyId, ProfileRecord,
    Record, RequestKey, RequestRecord, ResourcePath, RoleId, ServiceAccountId, TeamId, Timestamp, UserId,
};

mod tag {
    pub(super) const CATALOG: u8 = 1;
    pub(super) const CATALOG_NAME: u8 = 2;
    pub(super) const ACCOUNT: u8 = 3;
    pub(super) const ACCOUNT_NAME: u8 = 4;
    pub(super) const CATALOG_ACCOUNT: u8 = 5;
    pub(super) const COUNTS: u8 = 6;
    pub(super) const USER: u8 = 7;
    pub(super) const USER_NAME: u8 = 8;
    pub(super) const PROFILE: u8 = 9;
    pub(super) const TEAM: u8 = 10;
    pub(super) const TEAM_NAME: u8 = 11;
    pub(super) const ROLE: u8 = 12;
    pub(super) const ROLE_NAME: u8 = 13;
    pub(super) const MEMBERSHIP: u8 = 14;
    pub(super) const MEMBER: u8 = 15;
    pub(super) const BINDING: u8 = 16;
    pub(super) const HOLDER_BINDING: u8 = 17;
    pub(super) const ROLE_BINDING: u8 = 18;
    pub(super) const ROLE_HOLDERS: u8 = 19;
    pub(super) const TEAM_SIZE: u8 = 20;
    pub(super) const SERVICE_ACCOUNT: u8 = 21;
    pub(super) const SERVICE_ACCOUNT_NAME: u8 = 22;
    pub(super) const SIGN_IN: u8 = 23;
    pub(super) const REQUEST: u8 = 24;
    pub(super) const REQUEST_EXPIRY: u8 = 25;
    pub(super) const ERASURE: u8 = 26;
    pub(super) const RETIRED: u8 = 27;
    pub(super) const RESOURCE: u8 = 28;
    pub(super) const RESOURCE_NAME: u8 = 29;
    pub(super) const RESOURCE_BINDING: u8 = 30;
    pub(super) const ACCESS: u8 = 31;
    pub(super) const RESOURCE_ACCESS: u8 = 32;
    pub(super) const POLICY: u8 = 33;
    pub(super) const POLICY_NAME: u8 = 34;
    pub(super) const POLICY_ROLE: u8 = 35;
    pub(super) const ROLE_CHILD: u8 = 36;
    pub(super) const EXCEPTION: u8 = 37;
    pub(super) const PERMISSION_EXCEPTION: u8 = 38;
}

fn join(tag: u8, numbers: &[Number], id: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + numbers.len() * 8 + id.len());
    bytes.push(tag);
    for number in numbers {
        bytes.extend_from_slice(&number.0.to_be_bytes());
    }
    bytes.extend_from_slice(id.as_bytes());
    bytes
}

/// The bytes of a key. Cost: linear in the length of its id.
pub(super) fn encode_key(key: &Key) -> Vec<u8> {
    match key {
        Key::Catalog(number) => join(tag::CATALOG, &[*number], ""),
        Key::CatalogName(id) => join(tag::CATALOG_NAME, &[], id.as_str()),
        Key::Account(number) => join(tag::ACCOUNT, &[*number], ""),
        Key::AccountName(id) => join(tag::ACCOUNT_NAME, &[], id.as_str()),
        Key::CatalogAccount { catalog, account } => join(tag::CATALOG_ACCOUNT, &[*catalog, *account], ""),
        Key::Counts { account } => join(tag::COUNTS, &[*account], ""),
        Key::User { account, user } => join(tag::USER, &[*account, *user], ""),
        Key::UserName { account, id } => join(tag::USER_NAME, &[*account], id.as_str()),
        Key::Profile { account, user } => join(tag::PROFILE, &[*account, *user], ""),
        Key::Team { account, team } => join(tag::TEAM, &[*account, *team], ""),
        Key::TeamName { account, id } => join(tag::TEAM_NAME, &[*account], id.as_str()),
        Key::Role { account, role } => join(tag::ROLE, &[*account, *role], ""),
        Key::RoleName { account, id } => join(tag::ROLE_NAME, &[*account], id.as_str()),
        Key::Membership { account, user, team } => join(tag::MEMBERSHIP, &[*account, *user, *team], ""),
        Key::Member { account, team, user } => join(tag::MEMBER, &[*account, *team, *user], ""),
        Key::Binding { account, binding } => join(tag::BINDING, &[*account, *binding], ""),
        Key::HolderBinding { account, holder, binding } => {
            join(tag::HOLDER_BINDING, &[*account, *holder, *binding], "")
        }
        Key::RoleBinding { account, role, holder, binding } => {
            let (kind, holder) = (kind_number(holder.kind()), holder.number());
            join(tag::ROLE_BINDING, &[*account, *role, kind, holder, *binding], "")
        }
        Key::RoleHolders { account, role } => join(tag::ROLE_HOLDERS, &[*account, *role], ""),
        Key::TeamSize { account, team } => join(tag::TEAM_SIZE, &[*account, *team], ""),
        Key::ServiceAccount { account, service_account } => {
            join(tag::SERVICE_ACCOUNT, &[*account, *service_account], "")
        }
        Key::ServiceAccountName { account, id } => join(tag::SERVICE_ACCOUNT_NAME, &[*account], id.as_str()),
        Key::SignIn { account, user } => join(tag::SIGN_IN, &[*account, *user], ""),
        Key::Request(request) => join(tag::REQUEST, &[], request.as_str()),
        Key::RequestExpiry { expires, request } => join(tag::REQUEST_EXPIRY, &[Number(expires.0)], request.as_str()),
        Key::Erasure { account, user } => join(tag::ERASURE, &[*account, *user], ""),
        Key::Retired(number) => join(tag::RETIRED, &[*number], ""),
        Key::Resource { account, resource } => join(tag::RESOURCE, &[*account, *resource], ""),
        // The slash becomes a byte that no other comes before, so that what lies below a resource follows it.
        Key::ResourceName { account, path } => {
            join(tag::RESOURCE_NAME, &[*account], &path.as_str().replace('/', SLASH))
        }
        Key::ResourceBinding { account, resource, binding } => {
            join(tag::RESOURCE_BINDING, &[*account, *resource, *binding], "")
        }
        Key::Access { account, holder, facet } => {
            let (kind, of) = match facet {
                FacetNumber::Feature => (Number(0), Number(0)),
                FacetNumber::Type(number) => (Number(1), *number),
            };
            join(tag::ACCESS, &[*account, *holder, kind, of], "")
        }
        Key::ResourceAccess { account, resource, holder } => {
            let (kind, holder) = (kind_number(holder.kind()), holder.number());
            join(tag::RESOURCE_ACCESS, &[*account, *resource, kind, holder], "")
        }
        Key::Policy { account, policy } => join(tag::POLICY, &[*account, *policy], ""),
        Key::PolicyName { account, id } => join(tag::POLICY_NAME, &[*account], id.as_str()),
        Key::PolicyRole { account, policy, role } => join(tag::POLICY_ROLE, &[*account, *policy, *role], ""),
        Key::RoleChild { account, parent, child } => join(tag::ROLE_CHILD, &[*account, *parent, *child], ""),
        Key::Exception { account, user, permission } => join(tag::EXCEPTION, &[*account, *user, *permission], ""),
        Key::PermissionException { account, permission, user } => {
            join(tag::PERMISSION_EXCEPTION, &[*account, *permission, *user], "")
        }
    }
}

/// What stands for the slash in the bytes of a path.
const SLASH: &str = "\u{1}";

fn kind_number(kind: HolderKind) -> Number {
    match kind {
        HolderKind::User => Number(0),
        HolderKind::Team => Number(1),
        HolderKind::ServiceAccount => Number(2),
    }
}

/// The prefix that exactly the keys of a range begin with.
pub(super) fn encode_range(range: KeyRange) -> Vec<u8> {
    match range {
        KeyRange::CatalogNames => join(tag::CATALOG_NAME, &[], ""),
        KeyRange::AccountNames => join(tag::ACCOUNT_NAME, &[], ""),
        KeyRange::CatalogAccounts(catalog) => join(tag::CATALOG_ACCOUNT, &[catalog], ""),
        KeyRange::Users(account) => join(tag::USER, &[account], ""),
        KeyRange::UserNames(account) => join(tag::USER_NAME, &[account], ""),
        KeyRange::Profiles(account) => join(tag::PROFILE, &[account], ""),
        KeyRange::Teams(account) => join(tag::TEAM, &[account], ""),
        KeyRange::TeamNames(account) => join(tag::TEAM_NAME, &[account], ""),
        KeyRange::Roles(account) => join(tag::ROLE, &[account], ""),
        KeyRange::RoleNames(account) => join(tag::ROLE_NAME, &[account], ""),
        KeyRange::AccountMemberships(account) => join(tag::MEMBERSHIP, &[account], ""),
        KeyRange::Memberships { account, user } => join(tag::MEMBERSHIP, &[account, user], ""),
        KeyRange::AccountMembers(account) => join(tag::MEMBER, &[account], ""),
        KeyRange::Members { account, team } => join(tag::MEMBER, &[account, team], ""),
        KeyRange::Bindings(account) => join(tag::BINDING, &[account], ""),
        KeyRange::AccountHolderBindings(account) => join(tag::HOLDER_BINDING, &[account], ""),
        KeyRange::HolderBindings { account, holder } => join(tag::HOLDER_BINDING, &[account, holder], ""),
        KeyRange::AccountRoleBindings(account) => join(tag::ROLE_BINDING, &[account], ""),
        KeyRange::RoleBindings { account, role } => join(tag::ROLE_BINDING, &[account, role], ""),
        KeyRange::RoleBindingsOf { account, role, kind } => {
            join(tag::ROLE_BINDING, &[account, role, kind_number(kind)], "")
        }
        KeyRange::AccountRoleHolders(account) => join(tag::ROLE_HOLDERS, &[account], ""),
        KeyRange::TeamSizes(account) => join(tag::TEAM_SIZE, &[account], ""),
        KeyRange::ServiceAccounts(account) => join(tag::SERVICE_ACCOUNT, &[account], ""),
        KeyRange::ServiceAccountNames(account) => join(tag::SERVICE_ACCOUNT_NAME, &[account], ""),
        KeyRange::SignIns(account) => join(tag::SIGN_IN, &[account], ""),
        KeyRange::RequestExpiries => join(tag::REQUEST_EXPIRY, &[], ""),
        KeyRange::Erasures => join(tag::ERASURE, &[], ""),
        KeyRange::Retired => join(tag::RETIRED, &[], ""),
        KeyRange::Resources(account) => join(tag::RESOURCE, &[account], ""),
        KeyRange::ResourceNames(account) => join(tag::RESOURCE_NAME, &[account], ""),
        KeyRange::AccountResourceBindings(account) => join(tag::RESOURCE_BINDING, &[account], ""),
        KeyRange::ResourceBindings { account, resource } => join(tag::RESOURCE_BINDING, &[account, resource], ""),
        KeyRange::AccountAccess(account) => join(tag::ACCESS, &[account], ""),
        KeyRange::Access { account, holder } => join(tag::ACCESS, &[account, holder], ""),
        KeyRange::AccountResourceAccess(account) => join(tag::RESOURCE_ACCESS, &[account], ""),
        KeyRange::ResourceAccess { account, resource } => join(tag::RESOURCE_ACCESS, &[account, resource], ""),
        KeyRange::Policies(account) => join(tag::POLICY, &[account], ""),
        KeyRange::PolicyNames(account) => join(tag::POLICY_NAME, &[account], ""),
        KeyRange::AccountPolicyRoles(account) => join(tag::POLICY_ROLE, &[account], ""),
        KeyRange::PolicyRoles { account, policy } => join(tag::POLICY_ROLE, &[account, policy], ""),
        KeyRange::AccountRoleChildren(account) => join(tag::ROLE_CHILD, &[account], ""),
        KeyRange::RoleChildren { account, parent } => join(tag::ROLE_CHILD, &[account, parent], ""),
        KeyRange::AccountExceptions(account) => join(tag::EXCEPTION, &[account], ""),
        KeyRange::Exceptions { account, user } => join(tag::EXCEPTION, &[account, user], ""),
        KeyRange::AccountPermissionExceptions(account) => join(tag::PERMISSION_EXCEPTION, &[account], ""),
        KeyRange::PermissionExceptions { account, permission } => {
            join(tag::PERMISSION_EXCEPTION, &[account, permission], "")
        }
    }
}

/// What is left of a key's bytes while it is read.
struct Reader<'a> {
    whole: &'a [u8],
    rest: &'a [u8],
}

impl Reader<'_> {
    fn bad(&self, what: &str) -> StoreError {
        StoreError::DamagedState(format!("the key {:02x?} is not one that rolecall writes: {what}", self.whole))
    }

    fn number(&mut self) -> Result<Number, StoreError> {
        let (number, rest) = self.rest.split_first_chunk().ok_or_else(|| self.bad("a number was expected"))?;
        self.rest = rest;
        Ok(Number(u64::from_be_bytes(*number)))
    }

    fn path(&mut self) -> Result<ResourcePath, StoreError> {
        let text = std::str::from_utf8(self.rest).map_err(|_| self.bad("a path was expected"))?;
        let path = ResourcePath::new(&text.replace(SLASH, "/")).map_err(|error| self.bad(&error.to_string()))?;
        // A slash itself would be a second way to write the same path.
        if text.contains('/') {
            return Err(self.bad("a path was expected"));
        }
        self.rest = &[];
        Ok(path)
    }

    fn holder(&mut self) -> Result<Holder, StoreError> {
        match self.number()? {
            Number(0) => Ok(Holder::User(self.number()?)),
            Number(1) => Ok(Holder::Team(self.number()?)),
            Number(2) => Ok(Holder::ServiceAccount(self.number()?)),
            _ => Err(self.bad("a kind of holder was expected")),
        }
    }

    fn facet(&mut self) -> Result<FacetNumber, StoreError> {
        match (self.number()?, self.number()?) {
            (Number(0), Number(0)) => Ok(FacetNumber::Feature),
            (Number(1), number) => Ok(FacetNumber::Type(number)),
            _ => Err(self.bad("a facet was expected")),
        }
    }

    fn id<T>(&mut self, parse: fn(&str) -> Result<T, InvalidId>) -> Result<T, StoreError> {
        let text = std::str::from_utf8(self.rest).map_err(|_| self.bad("an id was expected"))?;
        let id = parse(text).map_err(|error| self.bad(&error.to_string()))?;
        self.rest = &[];
        Ok(id)
    }
}

/// The key that some bytes are.
///
/// # Errors
/// [`StoreError::DamagedState`] if they are none.
pub(super) fn decode_key(bytes: &[u8]) -> Result<Key, StoreError> {
    let Some((&first, rest)) = bytes.split_first() else {
        return Err(StoreError::DamagedState("a key is empty".to_owned()));
    };
    let mut reader = Reader { whole: bytes, rest };
    let r = &mut reader;
    let key = match first {
        tag::CATALOG => Key::Catalog(r.number()?),
        tag::CATALOG_NAME => Key::CatalogName(r.id(CatalogId::new)?),
        tag::ACCOUNT => Key::Account(r.number()?),
        tag::ACCOUNT_NAME => Key::AccountName(r.id(AccountId::new)?),
        tag::CATALOG_ACCOUNT => Key::CatalogAccount { catalog: r.number()?, account: r.number()? },
        tag::COUNTS => Key::Counts { account: r.number()? },
        tag::USER => Key::User { account: r.number()?, user: r.number()? },
        tag::USER_NAME => Key::UserName { account: r.number()?, id: r.id(UserId::new)? },
        tag::PROFILE => Key::Profile { account: r.number()?, user: r.number()? },
        tag::TEAM => Key::Team { account: r.number()?, team: r.number()? },
        tag::TEAM_NAME => Key::TeamName { account: r.number()?, id: r.id(TeamId::new)? },
        tag::ROLE => Key::Role { account: r.number()?, role: r.number()? },
        tag::ROLE_NAME => Key::RoleName { account: r.number()?, id: r.id(RoleId::new)? },
        tag::MEMBERSHIP => Key::Membership { account: r.number()?, user: r.number()?, team: r.number()? },
        tag::MEMBER => Key::Member { account: r.number()?, team: r.number()?, user: r.number()? },
        tag::BINDING => Key::Binding { account: r.number()?, binding: r.number()? },
        tag::HOLDER_BINDING => Key::HolderBinding { account: r.number()?, holder: r.number()?, binding: r.number()? },
        tag::ROLE_BINDING => {
            Key::RoleBinding { account: r.number()?, role: r.number()?, holder: r.holder()?, binding: r.number()? }
        }
        tag::ROLE_HOLDERS => Key::RoleHolders { account: r.number()?, role: r.number()? },
        tag::TEAM_SIZE => Key::TeamSize { account: r.number()?, team: r.number()? },
        tag::SERVICE_ACCOUNT => Key::ServiceAccount { account: r.number()?, service_account: r.number()? },
        tag::SERVICE_ACCOUNT_NAME => Key::ServiceAccountName { account: r.number()?, id: r.id(ServiceAccountId::new)? },
        tag::SIGN_IN => Key::SignIn { account: r.number()?, user: r.number()? },
        tag::REQUEST => Key::Request(r.id(RequestKey::new)?),
        tag::REQUEST_EXPIRY => {
            Key::RequestExpiry { expires: Timestamp(r.number()?.0), request: r.id(RequestKey::new)? }
        }
        tag::ERASURE => Key::Erasure { account: r.number()?, user: r.number()? },
        tag::RETIRED => Key::Retired(r.number()?),
        tag::RESOURCE => Key::Resource { account: r.number()?, resource: r.number()? },
        tag::RESOURCE_NAME => Key::ResourceName { account: r.number()?, path: r.path()? },
        tag::RESOURCE_BINDING => {
            Key::ResourceBinding { account: r.number()?, resource: r.number()?, binding: r.number()? }
        }
        tag::ACCESS => Key::Access { account: r.number()?, holder: r.number()?, facet: r.facet()? },
        tag::RESOURCE_ACCESS => {
            Key::ResourceAccess { account: r.number()?, resource: r.number()?, holder: r.holder()? }
        }
        tag::POLICY => Key::Policy { account: r.number()?, policy: r.number()? },
        tag::POLICY_NAME => Key::PolicyName { account: r.number()?, id: r.id(PolicyId::new)? },
        tag::POLICY_ROLE => Key::PolicyRole { account: r.number()?, policy: r.number()?, role: r.number()? },
        tag::ROLE_CHILD => Key::RoleChild { account: r.number()?, parent: r.number()?, child: r.number()? },
        tag::EXCEPTION => Key::Exception { account: r.number()?, user: r.number()?, permission: r.number()? },
        tag::PERMISSION_EXCEPTION => {
            Key::PermissionException { account: r.number()?, permission: r.number()?, user: r.number()? }
        }
        _ => return Err(reader.bad("the first byte is no kind of key")),
    };
    if reader.rest.is_empty() { Ok(key) } else { Err(reader.bad("bytes are left over")) }
}

/// As [`is_personal`], for a key in bytes.
pub(super) fn is_personal_key(key: &[u8]) -> bool {
    matches!(key.first(), Some(&(tag::PROFILE | tag::REQUEST)))
}

/// Whether a key's values are personal, and so lie outside the journal's hash chain.
pub(super) fn is_personal(key: &Key) -> bool {
    // An answer repeats what was asked, personal fields too.
    matches!(key, Key::Profile { .. } | Key::Request(_))
}

/// What a personal value reads as once it was erased; none: the key's values are not personal.
pub(super) fn erased(key: &Key) -> Option<Record> {
    match key {
        Key::Profile { .. } => Some(Record::Profile(ProfileRecord::default())),
        Key::Request(_) => {
            Some(Record::Request(RequestRecord { fingerprint: [0; 32], answer: Vec::new(), expires: Timestamp(0) }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;

    fn every_key(a: u64, b: u64, c: u64, id: &str) -> Vec<Key> {
        let (account, x, y) = (Number(a), Number(b), Number(c));
        vec![
            Key::Catalog(x),
            Key::CatalogName(CatalogId::new(id).unwrap()),
            Key::Account(account),
            Key::AccountName(AccountId::new(id).unwrap()),
            Key::CatalogAccount { catalog: x, account },
            Key::Counts { account },
            Key::User { account, user: x },
            Key::UserName { account, id: UserId::new(id).unwrap() },
            Key::Profile { account, user: x },
            Key::Team { account, team: x },
            Key::TeamName { account, id: TeamId::new(id).unwrap() },
            Key::Role { account, role: x },
            Key::RoleName { account, id: RoleId::new(id).unwrap() },
            Key::Membership { account, user: x, team: y },
            Key::Member { account, team: x, user: y },
            Key::Binding { account, binding: x },
            Key::HolderBinding { account, holder: x, binding: y },
            Key::RoleBinding { account, role: x, holder: Holder::User(y), binding: y },
            Key::RoleBinding { account, role: x, holder: Holder::Team(y), binding: y },
            Key::RoleBinding { account, role: x, holder: Holder::ServiceAccount(y), binding: y },
            Key::RoleHolders { account, role: x },
            Key::TeamSize { account, team: x },
            Key::ServiceAccount { account, service_account: x },
            Key::ServiceAccountName { account, id: ServiceAccountId::new(id).unwrap() },
            Key::SignIn { account, user: x },
            Key::Request(RequestKey::new(&format!("local/{id}/{id}")).unwrap()),
            Key::RequestExpiry {
                expires: Timestamp(b),
                request: RequestKey::new(&format!("local/{id}/{id}")).unwrap(),
            },
            Key::Erasure { account, user: x },
            Key::Retired(x),
            Key::Resource { account, resource: x },
            Key::ResourceName { account, path: ResourcePath::new(&format!("a/{id}")).unwrap() },
            Key::ResourceName { account, path: ResourcePath::new(&format!("a/{id}/b/{id}")).unwrap() },
            Key::ResourceBinding { account, resource: x, binding: y },
            Key::Access { account, holder: x, facet: FacetNumber::Feature },
            Key::Access { account, holder: x, facet: FacetNumber::Type(y) },
            Key::ResourceAccess { account, resource: x, holder: Holder::User(y) },
            Key::ResourceAccess { account, resource: x, holder: Holder::Team(y) },
            Key::Policy { account, policy: x },
            Key::PolicyName { account, id: PolicyId::new(id).unwrap() },
            Key::PolicyRole { account, policy: x, role: y },
            Key::RoleChild { account, parent: x, child: y },
            Key::Exception { account, user: x, permission: y },
            Key::PermissionException { account, permission: x, user: y },
        ]
    }

    fn many_keys() -> Vec<Key> {
        let numbers = [0, 1, 255, 256, u64::MAX];
        let mut keys: Vec<_> = numbers
            .iter()
            .flat_map(|&a| numbers.iter().map(move |&b| (a, b)))
            .flat_map(|(a, b)| {
                ["a", "ab", "b", "~", "A.b:c"].into_iter().flat_map(move |id| every_key(a, b, a ^ b, id))
            })
            .collect();
        keys.sort();
        keys.dedup();
        keys
    }

    #[test]
    fn every_key_reads_back_as_itself() {
        for key in many_keys() {
            assert_eq!(decode_key(&encode_key(&key)).unwrap(), key);
        }
    }

    #[test]
    fn the_order_of_bytes_is_the_order_of_keys_also_with_a_suffix_of_zero_and_more() {
        let keys = many_keys();
        for pair in keys.windows(2) {
            let (mut low, mut high) = (encode_key(&pair[0]), encode_key(&pair[1]));
            assert!(low < high, "{pair:?}");
            low.extend([0, 0xff, 0xff]);
            high.extend([0, 0, 0]);
            assert!(low < high, "{pair:?} with a suffix");
        }
    }

    #[test]
    fn a_range_holds_the_keys_that_it_names_and_no_others() {
        let account = Number(256);
        let all = many_keys();
        let held = |range| {
            let prefix = encode_range(range);
            all.iter().filter(|key| encode_key(key).starts_with(&prefix)).cloned().collect::<Vec<_>>()
        };
        let expect = |test: &dyn Fn(&Key) -> bool| all.iter().filter(|key| test(key)).cloned().collect::<Vec<_>>();
        let same = |range, test: &dyn Fn(&Key) -> bool| assert_eq!(held(range), expect(test), "{range:?}");
        let of = |key: &Key| key.account() == Some(account);
        let one = Number(1);
        same(KeyRange::CatalogNames, &|k| matches!(k, Key::CatalogName(_)));
        same(KeyRange::AccountNames, &|k| matches!(k, Key::AccountName(_)));
        same(KeyRange::CatalogAccounts(one), &|k| matches!(k, Key::CatalogAccount { catalog, .. } if *catalog == one));
        same(KeyRange::Users(account), &|k| of(k) && matches!(k, Key::User { .. }));
        same(KeyRange::UserNames(account), &|k| of(k) && matches!(k, Key::UserName { .. }));
        same(KeyRange::Profiles(account), &|k| of(k) && matches!(k, Key::Profile { .. }));
        same(KeyRange::Teams(account), &|k| of(k) && matches!(k, Key::Team { .. }));
        same(KeyRange::TeamNames(account), &|k| of(k) && matches!(k, Key::TeamName { .. }));
        same(KeyRange::Roles(account), &|k| of(k) && matches!(k, Key::Role { .. }));
        same(KeyRange::RoleNames(account), &|k| of(k) && matches!(k, Key::RoleName { .. }));
        same(KeyRange::AccountMemberships(account), &|k| of(k) && matches!(k, Key::Membership { .. }));
        same(KeyRange::Memberships { account, user: one }, &|k| {
            of(k) && matches!(k, Key::Membership { user, .. } if *user == one)
        });
        same(KeyRange::AccountMembers(account), &|k| of(k) && matches!(k, Key::Member { .. }));
        same(KeyRange::Members { account, team: one }, &|k| {
            of(k) && matches!(k, Key::Member { team, .. } if *team == one)
        });
        same(KeyRange::Bindings(account), &|k| of(k) && matches!(k, Key::Binding { .. }));
        same(KeyRange::AccountHolderBindings(account), &|k| of(k) && matches!(k, Key::HolderBinding { .. }));
        same(KeyRange::HolderBindings { account, holder: one }, &|k| {
            of(k) && matches!(k, Key::HolderBinding { holder, .. } if *holder == one)
        });
        same(KeyRange::AccountRoleBindings(account), &|k| of(k) && matches!(k, Key::RoleBinding { .. }));
        same(KeyRange::RoleBindings { account, role: one }, &|k| {
            of(k) && matches!(k, Key::RoleBinding { role, .. } if *role == one)
        });
        same(KeyRange::RoleBindingsOf { account, role: one, kind: HolderKind::Team }, &|k| {
            of(k) && matches!(k, Key::RoleBinding { role, holder: Holder::Team(_), .. } if *role == one)
        });
        same(KeyRange::AccountRoleHolders(account), &|k| of(k) && matches!(k, Key::RoleHolders { .. }));
        same(KeyRange::TeamSizes(account), &|k| of(k) && matches!(k, Key::TeamSize { .. }));
        same(KeyRange::ServiceAccounts(account), &|k| of(k) && matches!(k, Key::ServiceAccount { .. }));
        same(KeyRange::ServiceAccountNames(account), &|k| of(k) && matches!(k, Key::ServiceAccountName { .. }));
        same(KeyRange::SignIns(account), &|k| of(k) && matches!(k, Key::SignIn { .. }));
        same(KeyRange::RequestExpiries, &|k| matches!(k, Key::RequestExpiry { .. }));
        same(KeyRange::Erasures, &|k| matches!(k, Key::Erasure { .. }));
        same(KeyRange::Retired, &|k| matches!(k, Key::Retired(_)));
        same(KeyRange::Resources(account), &|k| of(k) && matches!(k, Key::Resource { .. }));
        same(KeyRange::ResourceNames(account), &|k| of(k) && matches!(k, Key::ResourceName { .. }));
        same(KeyRange::AccountResourceBindings(account), &|k| of(k) && matches!(k, Key::ResourceBinding { .. }));
        same(KeyRange::ResourceBindings { account, resource: one }, &|k| {
            of(k) && matches!(k, Key::ResourceBinding { resource, .. } if *resource == one)
        });
        same(KeyRange::AccountAccess(account), &|k| of(k) && matches!(k, Key::Access { .. }));
        same(KeyRange::Access { account, holder: one }, &|k| {
            of(k) && matches!(k, Key::Access { holder, .. } if *holder == one)
        });
        same(KeyRange::AccountResourceAccess(account), &|k| of(k) && matches!(k, Key::ResourceAccess { .. }));
        same(KeyRange::ResourceAccess { account, resource: one }, &|k| {
            of(k) && matches!(k, Key::ResourceAccess { resource, .. } if *resource == one)
        });
        same(KeyRange::Policies(account), &|k| of(k) && matches!(k, Key::Policy { .. }));
        same(KeyRange::PolicyNames(account), &|k| of(k) && matches!(k, Key::PolicyName { .. }));
        same(KeyRange::AccountPolicyRoles(account), &|k| of(k) && matches!(k, Key::PolicyRole { .. }));
        same(KeyRange::PolicyRoles { account, policy: one }, &|k| {
            of(k) && matches!(k, Key::PolicyRole { policy, .. } if *policy == one)
        });
        same(KeyRange::AccountRoleChildren(account), &|k| of(k) && matches!(k, Key::RoleChild { .. }));
        same(KeyRange::RoleChildren { account, parent: one }, &|k| {
            of(k) && matches!(k, Key::RoleChild { parent, .. } if *parent == one)
        });
        same(KeyRange::AccountExceptions(account), &|k| of(k) && matches!(k, Key::Exception { .. }));
        same(KeyRange::Exceptions { account, user: one }, &|k| {
            of(k) && matches!(k, Key::Exception { user, .. } if *user == one)
        });
        same(KeyRange::AccountPermissionExceptions(account), &|k| {
            of(k) && matches!(k, Key::PermissionException { .. })
        });
        same(KeyRange::PermissionExceptions { account, permission: one }, &|k| {
            of(k) && matches!(k, Key::PermissionException { permission, .. } if *permission == one)
        });
    }

    #[test]
    fn bytes_that_are_no_key_are_an_error() {
        for bad in [&[][..], &[0], &[99, 1], &[1, 0, 0], &[1, 0, 0, 0, 0, 0, 0, 0, 1, 9], &[2], b"\x02a/b", b"\x02a\0"]
        {
            assert!(matches!(decode_key(bad), Err(StoreError::DamagedState(_))), "{bad:?}");
        }
    }
}
