//! What is kept under each [`super::Key`].

use super::{
    AccountId, ApiScopeId, Catalog, Kind, Number, PolicyId, ResourcePath, RoleId, ServiceAccountId, Statement, TeamId,
    Timestamp, UserId,
};

/// The value of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A catalog, whole.
    Catalog(Box<Catalog>),
    /// An account.
    Account(AccountRecord),
    /// How much an account holds.
    Counts(CountsRecord),
    /// A user, without personal fields.
    User(UserRecord),
    /// A user's personal fields, apart so that they can be erased.
    Profile(ProfileRecord),
    /// A team.
    Team(TeamRecord),
    /// A custom role.
    Role(RoleRecord),
    /// A role binding.
    Binding(BindingRecord),
    /// What a holder's bindings come to, where it is more than a role on the whole account for good.
    Held(HeldRecord),
    /// A registered resource.
    Resource(ResourceRecord),
    /// A custom policy.
    Policy(PolicyRecord),
    /// An access list.
    Access(AccessRecord),
    /// An exception.
    Exception(ExceptionRecord),
    /// A service account.
    ServiceAccount(ServiceAccountRecord),
    /// How many hold a role directly.
    RoleHolders(RoleHoldersRecord),
    /// How many there are of something.
    Count(u64),
    /// When something happened.
    Time(Timestamp),
    /// A request that was answered.
    Request(RequestRecord),
    /// The number that a name, or a reference, stands for.
    Name(Number),
    /// The key says it all.
    Present,
    /// A deleted thing that is yet to be swept.
    Retired(RetiredRecord),
}

/// Whether an account is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccountState {
    /// In use.
    Active,
    /// Nobody of it is allowed anything.
    Suspended,
}

/// Where a user stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UserState {
    /// Known, and not allowed anything yet.
    Invited,
    /// In use.
    Active,
    /// Not allowed anything.
    Suspended,
}

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRecord {
    /// Its id.
    pub id: AccountId,
    /// For people; may be empty.
    pub display_name: String,
    /// The catalog that it lives under, for good.
    pub catalog: Number,
    /// Whether it is in use.
    pub state: AccountState,
    /// Numbers of the features that it is entitled to, ascending, each once.
    pub features: Vec<Number>,
    /// When it was created.
    pub created: Timestamp,
    /// When its own fields were last changed.
    pub updated: Timestamp,
}

/// How much an account holds, kept so that limits need no counting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CountsRecord {
    /// Teams.
    pub teams: u64,
    /// Custom roles.
    pub roles: u64,
    /// Custom policies.
    pub policies: u64,
    /// Registered resources.
    pub resources: u64,
}

/// A user, without personal fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRecord {
    /// Its id.
    pub id: UserId,
    /// Where it stands.
    pub state: UserState,
    /// When it was created.
    pub created: Timestamp,
    /// When its own fields were last changed.
    pub updated: Timestamp,
}

/// A user's personal fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileRecord {
    /// The person's name; may be empty.
    pub display_name: String,
    /// The name that the person signs in with; may be empty.
    pub username: String,
    /// May be empty.
    pub email: String,
}

/// Where a service account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServiceAccountState {
    /// In use.
    Active,
    /// Not allowed anything.
    Suspended,
}

/// A program that acts in an account: it holds roles, and belongs to no team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccountRecord {
    /// Its id.
    pub id: ServiceAccountId,
    /// For people; may be empty.
    pub display_name: String,
    /// For people; may be empty.
    pub description: String,
    /// Where it stands.
    pub state: ServiceAccountState,
    /// When it was created.
    pub created: Timestamp,
    /// When its own fields were last changed.
    pub updated: Timestamp,
}

/// How many hold a role directly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoleHoldersRecord {
    /// Users.
    pub users: u64,
    /// Service accounts.
    pub service_accounts: u64,
    /// Teams.
    pub teams: u64,
}

/// A request that was answered. The revision that wrote it is the one of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    /// What tells the request from every other: SHA-256 of its bytes.
    pub fingerprint: [u8; 32],
    /// The answer, in the form that the API sends.
    pub answer: Vec<u8>,
    /// From when on it counts no more.
    pub expires: Timestamp,
}

/// A set of users that can hold roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamRecord {
    /// Its id.
    pub id: TeamId,
    /// For people; may be empty.
    pub display_name: String,
    /// For people; may be empty.
    pub description: String,
    /// When it was created.
    pub created: Timestamp,
    /// When its own fields were last changed.
    pub updated: Timestamp,
}

/// A custom role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRecord {
    /// Its id.
    pub id: RoleId,
    /// For people.
    pub display_name: String,
    /// For people; may be empty.
    pub description: String,
    /// Numbers of the permissions that it contains, ascending, each once. A number that the catalog has no more is void.
    pub permissions: Vec<Number>,
    /// The API scopes that it does not provide, whatever its permissions do; ascending, each once. By id: one that a
    /// catalog drops and brings back stays left out.
    pub left_out_api_scopes: Vec<ApiScopeId>,
    /// Numbers of the policies that it contains, managed or custom, ascending, each once. One that is gone is void.
    pub policies: Vec<Number>,
    /// Numbers of the roles all of whose contents it has too, managed or custom, ascending, each once. One that is gone
    /// is void.
    pub parents: Vec<Number>,
    /// The facets that it covers whole, ascending, each once. One that the catalog has no more is void.
    pub covers: Vec<FacetNumber>,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
}

/// Who holds a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Holder {
    /// A user.
    User(Number),
    /// A team, and through it each of its members.
    Team(Number),
    /// A service account.
    ServiceAccount(Number),
}

/// The kinds of things that can hold a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HolderKind {
    /// [`Holder::User`].
    User,
    /// [`Holder::Team`].
    Team,
    /// [`Holder::ServiceAccount`].
    ServiceAccount,
}

impl HolderKind {
    /// The holder of this kind with a number.
    #[must_use]
    pub fn of(self, number: Number) -> Holder {
        match self {
            Self::User => Holder::User(number),
            Self::Team => Holder::Team(number),
            Self::ServiceAccount => Holder::ServiceAccount(number),
        }
    }
}

impl Holder {
    /// Of which kind it is.
    #[must_use]
    pub fn kind(self) -> HolderKind {
        match self {
            Self::User(_) => HolderKind::User,
            Self::Team(_) => HolderKind::Team,
            Self::ServiceAccount(_) => HolderKind::ServiceAccount,
        }
    }

    /// The holder's number, of whichever kind it is.
    #[must_use]
    pub fn number(self) -> Number {
        match self {
            Self::User(number) | Self::Team(number) | Self::ServiceAccount(number) => number,
        }
    }
}

/// A user, a team or a service account holds a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindingRecord {
    /// Who holds it.
    pub holder: Holder,
    /// The role, managed or custom.
    pub role: Number,
    /// The registered resource that it is on; none: the whole account.
    pub resource: Option<Number>,
    /// The instant from which it does not count any more; none: it does for good.
    pub expires: Option<Timestamp>,
    /// When it was created.
    pub created: Timestamp,
}

/// A binding as it is found from its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HeldRecord {
    /// The role, managed or custom.
    pub role: Number,
    /// The registered resource that it is on; none: the whole account.
    pub resource: Option<Number>,
    /// The instant from which it does not count any more; none: it does for good.
    pub expires: Option<Timestamp>,
}

/// A facet by the number of what it is about, which stays with it from one version of a catalog to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FacetNumber {
    /// The features that a user may use.
    Feature,
    /// The resources of a type.
    Type(Number),
}

/// A registered resource. Its path is for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceRecord {
    /// What it is called.
    pub path: ResourcePath,
    /// The type that its path ends at. One that the catalog has no more makes the resource void.
    pub resource_type: Number,
    /// For people; may be empty.
    pub display_name: String,
    /// When it was registered.
    pub created: Timestamp,
    /// When its own fields were last changed.
    pub updated: Timestamp,
}

/// A custom policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRecord {
    /// Its id.
    pub id: PolicyId,
    /// For people.
    pub display_name: String,
    /// For people; may be empty.
    pub description: String,
    /// What it says; at least one.
    pub statements: Vec<Statement>,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
}

/// What of one facet a user or a team has access to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessRecord {
    /// All of it, whatever else is listed.
    pub all: bool,
    /// Numbers of registered resources, or of features, ascending, each once. One that is gone is void.
    pub values: Vec<Number>,
}

/// One extra permission of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExceptionRecord {
    /// Why it was given, for people.
    pub reason: String,
    /// The instant from which it does not count any more; none: it does for good.
    pub expires: Option<Timestamp>,
    /// When it was given.
    pub created: Timestamp,
}

/// A deleted thing whose left-over references are yet to be swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetiredRecord {
    /// What it was.
    pub kind: Kind,
    /// The account that it lay in; for an account, itself; for a catalog's role, none.
    pub account: Option<Number>,
}
