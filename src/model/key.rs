//! Where facts are kept: the keys of all records, and what an answer can depend on.
//!
//! Every key below an account carries the account's number. Numbers are given out once and never again, so a key that
//! names a deleted thing can never come to mean another.

use super::{
    AccountId, CatalogId, FacetNumber, Holder, HolderKind, PolicyId, RequestKey, ResourcePath, RoleId,
    ServiceAccountId, TeamId, Timestamp, UserId,
};

/// An internal number: given to a thing when it is created, unique in the store, never given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Number(pub u64);

/// The kinds of things that have a number and a record of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// [`super::Record::Catalog`].
    Catalog,
    /// [`super::Record::Account`].
    Account,
    /// [`super::Record::User`].
    User,
    /// [`super::Record::Team`].
    Team,
    /// [`super::Record::Role`]: a custom role. Managed ones live inside their catalog.
    Role,
    /// [`super::Record::Binding`].
    Binding,
    /// [`super::Record::Policy`]: a custom policy. Managed ones live inside their catalog.
    Policy,
    /// [`super::Record::Resource`]: a resource of a type that a catalog dropped.
    Resource,
}

/// The key of one record. The record that belongs to each variant is named after the arrow.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the fields are the things that the variant names")]
pub enum Key {
    /// A catalog -> `Catalog`.
    Catalog(Number),
    /// A catalog's id -> `Name`.
    CatalogName(CatalogId),
    /// An account -> `Account`.
    Account(Number),
    /// An account's id -> `Name`.
    AccountName(AccountId),
    /// Which accounts live under a catalog -> `Present`.
    CatalogAccount { catalog: Number, account: Number },
    /// How much an account holds -> `Counts`.
    Counts { account: Number },
    /// A user -> `User`.
    User { account: Number, user: Number },
    /// A user's id -> `Name`.
    UserName { account: Number, id: UserId },
    /// A user's personal fields -> `Profile`.
    Profile { account: Number, user: Number },
    /// A team -> `Team`.
    Team { account: Number, team: Number },
    /// A team's id -> `Name`.
    TeamName { account: Number, id: TeamId },
    /// A custom role -> `Role`.
    Role { account: Number, role: Number },
    /// A custom role's id -> `Name`.
    RoleName { account: Number, id: RoleId },
    /// A user belongs to a team, found from the user -> `Present`.
    Membership { account: Number, user: Number, team: Number },
    /// The same, found from the team -> `Present`.
    Member { account: Number, team: Number, user: Number },
    /// A role binding -> `Binding`.
    Binding { account: Number, binding: Number },
    /// A binding found from whoever holds it -> `Name` (the role's number) if it is on the whole account and for good,
    /// else `Held`.
    HolderBinding { account: Number, holder: Number, binding: Number },
    /// A binding found from its role, in the order of those who hold it -> `Present`.
    RoleBinding { account: Number, role: Number, holder: Holder, binding: Number },
    /// How many hold a role directly -> `RoleHolders`.
    RoleHolders { account: Number, role: Number },
    /// How many members a team has -> `Count`.
    TeamSize { account: Number, team: Number },
    /// A service account -> `ServiceAccount`.
    ServiceAccount { account: Number, service_account: Number },
    /// A service account's id -> `Name`.
    ServiceAccountName { account: Number, id: ServiceAccountId },
    /// When a user last signed in -> `Time`.
    SignIn { account: Number, user: Number },
    /// A request that was answered, while sending it again gives the same answer -> `Request`.
    Request(RequestKey),
    /// The same, found from the instant at which it may be forgotten -> `Present`.
    RequestExpiry { expires: Timestamp, request: RequestKey },
    /// A user whose personal fields are yet to be erased from the journal, the history and the snapshots -> `Present`.
    Erasure { account: Number, user: Number },
    /// A deleted thing whose left-over references are yet to be swept -> `Retired`.
    Retired(Number),
    /// A registered resource -> `Resource`.
    Resource { account: Number, resource: Number },
    /// A registered resource's path -> `Name`.
    ResourceName { account: Number, path: ResourcePath },
    /// A binding found from the resource that it is on -> `Present`.
    ResourceBinding { account: Number, resource: Number, binding: Number },
    /// What of a facet a user or a team has access to -> `Access`.
    Access { account: Number, holder: Number, facet: FacetNumber },
    /// An access list found from a resource that it names -> `Present`.
    ResourceAccess { account: Number, resource: Number, holder: Holder },
    /// A custom policy -> `Policy`.
    Policy { account: Number, policy: Number },
    /// A custom policy's id -> `Name`.
    PolicyName { account: Number, id: PolicyId },
    /// Which custom roles contain a policy, managed or custom -> `Present`.
    PolicyRole { account: Number, policy: Number, role: Number },
    /// Which custom roles have a role, managed or custom, as a parent -> `Present`.
    RoleChild { account: Number, parent: Number, child: Number },
    /// One extra permission of one user -> `Exception`.
    Exception { account: Number, user: Number, permission: Number },
    /// The same, found from the permission -> `Present`.
    PermissionException { account: Number, permission: Number, user: Number },
}

/// A run of keys of one kind, in key order: ids by bytes, numbers ascending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the fields are the things that the variant names")]
pub enum KeyRange {
    /// All [`Key::CatalogName`].
    CatalogNames,
    /// All [`Key::AccountName`].
    AccountNames,
    /// All [`Key::CatalogAccount`] of a catalog.
    CatalogAccounts(Number),
    /// All [`Key::User`] of an account.
    Users(Number),
    /// All [`Key::UserName`] of an account.
    UserNames(Number),
    /// All [`Key::Profile`] of an account.
    Profiles(Number),
    /// All [`Key::Team`] of an account.
    Teams(Number),
    /// All [`Key::TeamName`] of an account.
    TeamNames(Number),
    /// All [`Key::Role`] of an account.
    Roles(Number),
    /// All [`Key::RoleName`] of an account.
    RoleNames(Number),
    /// All [`Key::Membership`] of an account.
    AccountMemberships(Number),
    /// All [`Key::Membership`] of a user.
    Memberships { account: Number, user: Number },
    /// All [`Key::Member`] of an account.
    AccountMembers(Number),
    /// All [`Key::Member`] of a team.
    Members { account: Number, team: Number },
    /// All [`Key::Binding`] of an account.
    Bindings(Number),
    /// All [`Key::HolderBinding`] of an account.
    AccountHolderBindings(Number),
    /// All [`Key::HolderBinding`] of a user or team.
    HolderBindings { account: Number, holder: Number },
    /// All [`Key::RoleBinding`] of an account.
    AccountRoleBindings(Number),
    /// All [`Key::RoleBinding`] of a role.
    RoleBindings { account: Number, role: Number },
    /// All [`Key::RoleBinding`] of a role that users hold, that teams hold, or that service accounts hold.
    RoleBindingsOf { account: Number, role: Number, kind: HolderKind },
    /// All [`Key::RoleHolders`] of an account.
    AccountRoleHolders(Number),
    /// All [`Key::TeamSize`] of an account.
    TeamSizes(Number),
    /// All [`Key::ServiceAccount`] of an account.
    ServiceAccounts(Number),
    /// All [`Key::ServiceAccountName`] of an account.
    ServiceAccountNames(Number),
    /// All [`Key::SignIn`] of an account.
    SignIns(Number),
    /// All [`Key::RequestExpiry`], in the order of their instants.
    RequestExpiries,
    /// All [`Key::Erasure`].
    Erasures,
    /// All [`Key::Retired`].
    Retired,
    /// All [`Key::Resource`] of an account.
    Resources(Number),
    /// All [`Key::ResourceName`] of an account: what lies below a resource follows it.
    ResourceNames(Number),
    /// All [`Key::ResourceBinding`] of an account.
    AccountResourceBindings(Number),
    /// All [`Key::ResourceBinding`] of a resource.
    ResourceBindings { account: Number, resource: Number },
    /// All [`Key::Access`] of an account.
    AccountAccess(Number),
    /// All [`Key::Access`] of a user or a team.
    Access { account: Number, holder: Number },
    /// All [`Key::ResourceAccess`] of an account.
    AccountResourceAccess(Number),
    /// All [`Key::ResourceAccess`] of a resource.
    ResourceAccess { account: Number, resource: Number },
    /// All [`Key::Policy`] of an account.
    Policies(Number),
    /// All [`Key::PolicyName`] of an account.
    PolicyNames(Number),
    /// All [`Key::PolicyRole`] of an account.
    AccountPolicyRoles(Number),
    /// All [`Key::PolicyRole`] of a policy.
    PolicyRoles { account: Number, policy: Number },
    /// All [`Key::RoleChild`] of an account.
    AccountRoleChildren(Number),
    /// All [`Key::RoleChild`] of a role.
    RoleChildren { account: Number, parent: Number },
    /// All [`Key::Exception`] of an account.
    AccountExceptions(Number),
    /// All [`Key::Exception`] of a user.
    Exceptions { account: Number, user: Number },
    /// All [`Key::PermissionException`] of an account.
    AccountPermissionExceptions(Number),
    /// All [`Key::PermissionException`] of a permission.
    PermissionExceptions { account: Number, permission: Number },
}

/// One thing that an answer can depend on. Absence counts: an answer about an unknown user depends on that user's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the fields are the things that the variant names")]
pub enum Dependency {
    /// That an account of this id exists or not, and which.
    AccountName(AccountId),
    /// That a user of this id exists or not, and which.
    UserName { account: Number, id: UserId },
    /// That a service account of this id exists or not, and which.
    ServiceAccountName { account: Number, id: ServiceAccountId },
    /// A thing with its own record: its fields, its bindings, its memberships.
    Thing(Number),
}

impl Key {
    /// The newest of the things that the key names by number: before that was created, nothing can have been kept under the
    /// key. None: it names nothing by number.
    #[must_use]
    pub fn newest(&self) -> Option<Number> {
        let newest = match *self {
            Self::CatalogName(_) | Self::AccountName(_) | Self::Request(_) | Self::RequestExpiry { .. } => return None,
            Self::Catalog(number) | Self::Account(number) | Self::Retired(number) => number,
            Self::Counts { account }
            | Self::UserName { account, .. }
            | Self::TeamName { account, .. }
            | Self::RoleName { account, .. }
            | Self::ServiceAccountName { account, .. }
            | Self::ResourceName { account, .. }
            | Self::PolicyName { account, .. } => account,
            Self::CatalogAccount { catalog, account } => catalog.max(account),
            Self::User { account, user }
            | Self::Profile { account, user }
            | Self::SignIn { account, user }
            | Self::Erasure { account, user } => account.max(user),
            Self::Team { account, team } | Self::TeamSize { account, team } => account.max(team),
            Self::Role { account, role } | Self::RoleHolders { account, role } => account.max(role),
            Self::Membership { account, user, team } | Self::Member { account, team, user } => {
                account.max(user).max(team)
            }
            Self::Binding { account, binding } => account.max(binding),
            Self::HolderBinding { account, holder, binding } => account.max(holder).max(binding),
            Self::RoleBinding { account, role, holder, binding } => account.max(role).max(holder.number()).max(binding),
            Self::ServiceAccount { account, service_account } => account.max(service_account),
            Self::Resource { account, resource } => account.max(resource),
            Self::ResourceBinding { account, resource, binding } => account.max(resource).max(binding),
            Self::Access { account, holder, .. } => account.max(holder),
            Self::ResourceAccess { account, resource, holder } => account.max(resource).max(holder.number()),
            Self::Policy { account, policy } => account.max(policy),
            Self::PolicyRole { account, policy, role } => account.max(policy).max(role),
            Self::RoleChild { account, parent, child } => account.max(parent).max(child),
            Self::Exception { account, user, permission } | Self::PermissionException { account, permission, user } => {
                account.max(user).max(permission)
            }
        };
        Some(newest)
    }
}

impl KeyRange {
    /// A key that no key of the range comes before. Keys of one range lie together in the order of keys.
    #[must_use]
    pub fn first_key(self) -> Key {
        const NONE: Number = Number(0);
        match self {
            Self::CatalogNames => Key::CatalogName(CatalogId::smallest()),
            Self::AccountNames => Key::AccountName(AccountId::smallest()),
            Self::CatalogAccounts(catalog) => Key::CatalogAccount { catalog, account: NONE },
            Self::Users(account) => Key::User { account, user: NONE },
            Self::UserNames(account) => Key::UserName { account, id: UserId::smallest() },
            Self::Profiles(account) => Key::Profile { account, user: NONE },
            Self::Teams(account) => Key::Team { account, team: NONE },
            Self::TeamNames(account) => Key::TeamName { account, id: TeamId::smallest() },
            Self::Roles(account) => Key::Role { account, role: NONE },
            Self::RoleNames(account) => Key::RoleName { account, id: RoleId::smallest() },
            Self::AccountMemberships(account) => Key::Membership { account, user: NONE, team: NONE },
            Self::Memberships { account, user } => Key::Membership { account, user, team: NONE },
            Self::AccountMembers(account) => Key::Member { account, team: NONE, user: NONE },
            Self::Members { account, team } => Key::Member { account, team, user: NONE },
            Self::Bindings(account) => Key::Binding { account, binding: NONE },
            Self::AccountHolderBindings(account) => Key::HolderBinding { account, holder: NONE, binding: NONE },
            Self::HolderBindings { account, holder } => Key::HolderBinding { account, holder, binding: NONE },
            Self::AccountRoleBindings(account) => {
                Key::RoleBinding { account, role: NONE, holder: Holder::User(NONE), binding: NONE }
            }
            Self::RoleBindings { account, role } => {
                Key::RoleBinding { account, role, holder: Holder::User(NONE), binding: NONE }
            }
            Self::RoleBindingsOf { account, role, kind } => {
                Key::RoleBinding { account, role, holder: kind.of(NONE), binding: NONE }
            }
            Self::AccountRoleHolders(account) => Key::RoleHolders { account, role: NONE },
            Self::TeamSizes(account) => Key::TeamSize { account, team: NONE },
            Self::ServiceAccounts(account) => Key::ServiceAccount { account, service_account: NONE },
            Self::ServiceAccountNames(account) => Key::ServiceAccountName { account, id: ServiceAccountId::smallest() },
            Self::SignIns(account) => Key::SignIn { account, user: NONE },
            Self::RequestExpiries => Key::RequestExpiry { expires: Timestamp(0), request: RequestKey::smallest() },
            Self::Erasures => Key::Erasure { account: NONE, user: NONE },
            Self::Retired => Key::Retired(NONE),
            Self::Resources(account) => Key::Resource { account, resource: NONE },
            Self::ResourceNames(account) => Key::ResourceName { account, path: ResourcePath::smallest() },
            Self::AccountResourceBindings(account) => Key::ResourceBinding { account, resource: NONE, binding: NONE },
            Self::ResourceBindings { account, resource } => Key::ResourceBinding { account, resource, binding: NONE },
            Self::AccountAccess(account) => Key::Access { account, holder: NONE, facet: FacetNumber::Feature },
            Self::Access { account, holder } => Key::Access { account, holder, facet: FacetNumber::Feature },
            Self::AccountResourceAccess(account) => {
                Key::ResourceAccess { account, resource: NONE, holder: Holder::User(NONE) }
            }
            Self::ResourceAccess { account, resource } => {
                Key::ResourceAccess { account, resource, holder: Holder::User(NONE) }
            }
            Self::Policies(account) => Key::Policy { account, policy: NONE },
            Self::PolicyNames(account) => Key::PolicyName { account, id: PolicyId::smallest() },
            Self::AccountPolicyRoles(account) => Key::PolicyRole { account, policy: NONE, role: NONE },
            Self::PolicyRoles { account, policy } => Key::PolicyRole { account, policy, role: NONE },
            Self::AccountRoleChildren(account) => Key::RoleChild { account, parent: NONE, child: NONE },
            Self::RoleChildren { account, parent } => Key::RoleChild { account, parent, child: NONE },
            Self::AccountExceptions(account) => Key::Exception { account, user: NONE, permission: NONE },
            Self::Exceptions { account, user } => Key::Exception { account, user, permission: NONE },
            Self::AccountPermissionExceptions(account) => {
                Key::PermissionException { account, permission: NONE, user: NONE }
            }
            Self::PermissionExceptions { account, permission } => {
                Key::PermissionException { account, permission, user: NONE }
            }
        }
    }

    /// The newest of the things that every key of the range names by number, as in [`Key::newest`].
    #[must_use]
    pub fn newest(self) -> Option<Number> {
        // No number comes before the one that stands for any.
        self.first_key().newest()
    }

    /// Whether a key lies in the range.
    #[must_use]
    pub fn contains(self, key: &Key) -> bool {
        match (self, key) {
            (Self::CatalogNames, Key::CatalogName(_))
            | (Self::AccountNames, Key::AccountName(_))
            | (Self::RequestExpiries, Key::RequestExpiry { .. })
            | (Self::Erasures, Key::Erasure { .. })
            | (Self::Retired, Key::Retired(_)) => true,
            (Self::CatalogAccounts(mine), Key::CatalogAccount { catalog, .. }) => mine == *catalog,
            (Self::Users(mine), Key::User { account, .. })
            | (Self::UserNames(mine), Key::UserName { account, .. })
            | (Self::Profiles(mine), Key::Profile { account, .. })
            | (Self::Teams(mine), Key::Team { account, .. })
            | (Self::TeamNames(mine), Key::TeamName { account, .. })
            | (Self::Roles(mine), Key::Role { account, .. })
            | (Self::RoleNames(mine), Key::RoleName { account, .. })
            | (Self::AccountMemberships(mine), Key::Membership { account, .. })
            | (Self::AccountMembers(mine), Key::Member { account, .. })
            | (Self::Bindings(mine), Key::Binding { account, .. })
            | (Self::AccountHolderBindings(mine), Key::HolderBinding { account, .. })
            | (Self::AccountRoleBindings(mine), Key::RoleBinding { account, .. })
            | (Self::AccountRoleHolders(mine), Key::RoleHolders { account, .. })
            | (Self::TeamSizes(mine), Key::TeamSize { account, .. })
            | (Self::ServiceAccounts(mine), Key::ServiceAccount { account, .. })
            | (Self::ServiceAccountNames(mine), Key::ServiceAccountName { account, .. })
            | (Self::SignIns(mine), Key::SignIn { account, .. })
            | (Self::Resources(mine), Key::Resource { account, .. })
            | (Self::ResourceNames(mine), Key::ResourceName { account, .. })
            | (Self::AccountResourceBindings(mine), Key::ResourceBinding { account, .. })
            | (Self::AccountAccess(mine), Key::Access { account, .. })
            | (Self::AccountResourceAccess(mine), Key::ResourceAccess { account, .. })
            | (Self::Policies(mine), Key::Policy { account, .. })
            | (Self::PolicyNames(mine), Key::PolicyName { account, .. })
            | (Self::AccountPolicyRoles(mine), Key::PolicyRole { account, .. })
            | (Self::AccountRoleChildren(mine), Key::RoleChild { account, .. })
            | (Self::AccountExceptions(mine), Key::Exception { account, .. })
            | (Self::AccountPermissionExceptions(mine), Key::PermissionException { account, .. }) => mine == *account,
            (
                Self::ResourceBindings { account: mine, resource: whose },
                Key::ResourceBinding { account, resource, .. },
            )
            | (
                Self::ResourceAccess { account: mine, resource: whose },
                Key::ResourceAccess { account, resource, .. },
            ) => mine == *account && whose == *resource,
            (Self::Access { account: mine, holder: whose }, Key::Access { account, holder, .. }) => {
                mine == *account && whose == *holder
            }
            (Self::PolicyRoles { account: mine, policy: whose }, Key::PolicyRole { account, policy, .. }) => {
                mine == *account && whose == *policy
            }
            (Self::RoleChildren { account: mine, parent: whose }, Key::RoleChild { account, parent, .. }) => {
                mine == *account && whose == *parent
            }
            (Self::Exceptions { account: mine, user: whose }, Key::Exception { account, user, .. }) => {
                mine == *account && whose == *user
            }
            (
                Self::PermissionExceptions { account: mine, permission: whose },
                Key::PermissionException { account, permission, .. },
            ) => mine == *account && whose == *permission,
            (Self::Memberships { account: mine, user: whose }, Key::Membership { account, user, .. }) => {
                mine == *account && whose == *user
            }
            (Self::Members { account: mine, team: whose }, Key::Member { account, team, .. }) => {
                mine == *account && whose == *team
            }
            (Self::HolderBindings { account: mine, holder: whose }, Key::HolderBinding { account, holder, .. }) => {
                mine == *account && whose == *holder
            }
            (Self::RoleBindings { account: mine, role: whose }, Key::RoleBinding { account, role, .. }) => {
                mine == *account && whose == *role
            }
            (
                Self::RoleBindingsOf { account: mine, role: whose, kind },
                Key::RoleBinding { account, role, holder, .. },
            ) => mine == *account && whose == *role && holder.kind() == kind,
            _ => false,
        }
    }
}

impl Key {
    /// The account that the key lies below, if it lies below one.
    #[must_use]
    pub fn account(&self) -> Option<Number> {
        match self {
            Self::Catalog(_)
            | Self::CatalogName(_)
            | Self::Account(_)
            | Self::AccountName(_)
            | Self::CatalogAccount { .. }
            | Self::Request(_)
            | Self::RequestExpiry { .. }
            | Self::Retired(_) => None,
            Self::Counts { account }
            | Self::User { account, .. }
            | Self::UserName { account, .. }
            | Self::Profile { account, .. }
            | Self::Team { account, .. }
            | Self::TeamName { account, .. }
            | Self::Role { account, .. }
            | Self::RoleName { account, .. }
            | Self::Membership { account, .. }
            | Self::Member { account, .. }
            | Self::Binding { account, .. }
            | Self::HolderBinding { account, .. }
            | Self::RoleBinding { account, .. }
            | Self::RoleHolders { account, .. }
            | Self::TeamSize { account, .. }
            | Self::ServiceAccount { account, .. }
            | Self::ServiceAccountName { account, .. }
            | Self::SignIn { account, .. }
            | Self::Erasure { account, .. }
            | Self::Resource { account, .. }
            | Self::ResourceName { account, .. }
            | Self::ResourceBinding { account, .. }
            | Self::Access { account, .. }
            | Self::ResourceAccess { account, .. }
            | Self::Policy { account, .. }
            | Self::PolicyName { account, .. }
            | Self::PolicyRole { account, .. }
            | Self::RoleChild { account, .. }
            | Self::Exception { account, .. }
            | Self::PermissionException { account, .. } => Some(*account),
        }
    }

    /// What becomes doubtful when the record of this key changes; none if no answer of `Check` or `ListPermissions`
    /// ever reads it.
    ///
    /// The list of a load's dependencies and this function must agree: whatever a load reads has to be covered here.
    #[must_use]
    pub fn dependency(&self) -> Option<Dependency> {
        match self {
            Self::Catalog(number) | Self::Account(number) => Some(Dependency::Thing(*number)),
            Self::AccountName(id) => Some(Dependency::AccountName(id.clone())),
            Self::UserName { account, id } => Some(Dependency::UserName { account: *account, id: id.clone() }),
            Self::ServiceAccountName { account, id } => {
                Some(Dependency::ServiceAccountName { account: *account, id: id.clone() })
            }
            Self::ServiceAccount { service_account, .. } => Some(Dependency::Thing(*service_account)),
            Self::User { user, .. } | Self::Membership { user, .. } => Some(Dependency::Thing(*user)),
            Self::Team { team, .. } => Some(Dependency::Thing(*team)),
            Self::Role { role, .. } => Some(Dependency::Thing(*role)),
            Self::HolderBinding { holder, .. } | Self::Access { holder, .. } => Some(Dependency::Thing(*holder)),
            Self::Exception { user, .. } => Some(Dependency::Thing(*user)),
            Self::Policy { policy, .. } => Some(Dependency::Thing(*policy)),
            Self::CatalogName(_)
            | Self::CatalogAccount { .. }
            | Self::Counts { .. }
            | Self::Profile { .. }
            | Self::TeamName { .. }
            | Self::RoleName { .. }
            | Self::Member { .. }
            | Self::Binding { .. }
            | Self::RoleBinding { .. }
            | Self::RoleHolders { .. }
            | Self::TeamSize { .. }
            | Self::SignIn { .. }
            | Self::Request(_)
            | Self::RequestExpiry { .. }
            | Self::Erasure { .. }
            | Self::Retired(_)
            // A resource's path is for good, and deleting one rewrites in the same change whatever names it.
            | Self::Resource { .. }
            | Self::ResourceName { .. }
            | Self::ResourceBinding { .. }
            | Self::ResourceAccess { .. }
            | Self::PolicyName { .. }
            | Self::PolicyRole { .. }
            | Self::RoleChild { .. }
            | Self::PermissionException { .. } => None,
        }
    }
}
