//! Why a request cannot be answered, as its caller is told. A denial is an answer and never stands here.

use std::ops::{Deref, DerefMut};

use thiserror::Error;

use crate::{cache::LoadError, store::StoreError};

/// The kinds of errors that a caller can tell apart by their status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusKind {
    /// The request can never be right as it is.
    InvalidArgument,
    /// Something that it names does not exist.
    NotFound,
    /// Something that it would create exists.
    AlreadyExists,
    /// It is well formed, but the state of things does not allow it.
    FailedPrecondition,
    /// Somebody else was faster.
    Aborted,
    /// A limit is reached.
    ResourceExhausted,
    /// It asks for a time that is out of reach.
    OutOfRange,
    /// Nothing is wrong with it; try again.
    Unavailable,
    /// A fault of the server.
    Internal,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident, $text:literal, $kind:ident, $explanation:literal;)*) => {
        /// Why, for programs: the `reason` of `google.rpc.ErrorInfo`, with the domain `rolecall`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorReason {
            $(#[doc = $explanation] $name,)*
        }

        impl ErrorReason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its name on the wire.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The kind of status that it comes with.
            #[must_use]
            pub fn status(self) -> StatusKind {
                match self { $(Self::$name => StatusKind::$kind,)* }
            }

            /// What it means and what to do about it, for people.
            #[must_use]
            pub fn explanation(self) -> &'static str {
                match self { $(Self::$name => $explanation,)* }
            }
        }
    };
}

reasons! {
    FieldInvalid, "FIELD_INVALID", InvalidArgument,
        "Fields are missing or malformed. `google.rpc.BadRequest` names every one of them, what was given and what is expected.";
    FileInvalid, "FILE_INVALID", InvalidArgument,
        "A file has problems and changed nothing; of an import, the steps before them stay. Every problem was sent before this \
         status, with its line and column.";
    FileTooLarge, "FILE_TOO_LARGE", ResourceExhausted,
        "A file, or a chunk of one, is larger than the limit that the message names.";
    EtagMismatch, "ETAG_MISMATCH", Aborted,
        "The thing is not the version that the etag names: somebody has changed it since. Read it again, and decide afresh.";
    RequestIdReused, "REQUEST_ID_REUSED", InvalidArgument,
        "The request id was used within 24 hours for another request of the same method. Give each request an id of its own.";
    RequestErased, "REQUEST_ERASED", FailedPrecondition,
        "The request was done before. It is not done again, and its answer is gone, because personal fields that it repeated \
         were erased.";
    TokenInvalid, "CONSISTENCY_TOKEN_INVALID", InvalidArgument,
        "The consistency token was not given out by rolecall.";
    TokenForeign, "CONSISTENCY_TOKEN_FOREIGN", FailedPrecondition,
        "The consistency token comes from another store, or from a revision that this one has not reached.";
    RevisionGone, "REVISION_GONE", OutOfRange,
        "The revision that is asked for is no longer kept; the message names the oldest one that is.";
    PageTokenInvalid, "PAGE_TOKEN_INVALID", InvalidArgument,
        "The page token was not given out for this list with these arguments.";
    PageTokenExpired, "PAGE_TOKEN_EXPIRED", FailedPrecondition,
        "The page token is older than an hour. Begin again with the first page.";
    CatalogNotFound, "CATALOG_NOT_FOUND", NotFound,
        "There is no catalog of that id.";
    AccountNotFound, "ACCOUNT_NOT_FOUND", NotFound,
        "There is no account of that id. Ids are case-sensitive.";
    UserNotFound, "USER_NOT_FOUND", NotFound,
        "The account has no user of that id. Ids are case-sensitive.";
    ServiceAccountNotFound, "SERVICE_ACCOUNT_NOT_FOUND", NotFound,
        "The account has no service account of that id. Ids are case-sensitive.";
    TeamNotFound, "TEAM_NOT_FOUND", NotFound,
        "The account has no team of that id. Ids are case-sensitive.";
    RoleNotFound, "ROLE_NOT_FOUND", NotFound,
        "Neither the account nor its catalog has that role for this caller.";
    BindingNotFound, "ROLE_BINDING_NOT_FOUND", NotFound,
        "The account has no such role binding.";
    PermissionNotFound, "PERMISSION_NOT_FOUND", NotFound,
        "The account's catalog has no permission of that id. A typo is an error, never a denial.";
    SectionNotFound, "SECTION_NOT_FOUND", NotFound,
        "The account's catalog has no section of that id.";
    ApiScopeNotFound, "API_SCOPE_NOT_FOUND", NotFound,
        "The account's catalog has no API scope of that id. A typo is an error, never a denial.";
    FeatureNotFound, "FEATURE_NOT_FOUND", NotFound,
        "The account's catalog has no feature of that id.";
    ResourceTypeNotFound, "RESOURCE_TYPE_NOT_FOUND", NotFound,
        "The account's catalog has no resource type of that id, or no facet of that name.";
    ResourceNotFound, "RESOURCE_NOT_FOUND", NotFound,
        "The account has no registered resource of that path. Register it first; the resource right above it before it.";
    PolicyNotFound, "ACCESS_POLICY_NOT_FOUND", NotFound,
        "Neither the account nor its catalog has that access policy.";
    ExceptionNotFound, "EXCEPTION_NOT_FOUND", NotFound,
        "The user has no exception for that permission.";
    AlreadyExists, "ALREADY_EXISTS", AlreadyExists,
        "Something with that id exists, or the role is held already.";
    InUse, "IN_USE", FailedPrecondition,
        "It is used: the message says by whom and how often. Set `force` to delete it with what uses it.";
    LastRole, "LAST_ROLE", FailedPrecondition,
        "The catalog demands that everybody holds a role, and somebody would be left without one; the message says who. Give \
         another role first.";
    AlwaysHeldRole, "ALWAYS_HELD_ROLE", FailedPrecondition,
        "The catalog demands that somebody holds the role that the message names, and nobody would any more: an active user, on \
         the whole account, for good, and out of reach of every deny of another role. Give the role to somebody else first.";
    MutuallyExclusiveRoles, "MUTUALLY_EXCLUSIVE_ROLES", FailedPrecondition,
        "Somebody would have two roles that nobody may have together, directly, through a team or through a parent role; the \
         message names them.";
    TooManyHolders, "TOO_MANY_HOLDERS", FailedPrecondition,
        "More would hold the role than the catalog allows. Take it from somebody else first.";
    RoleCycle, "ROLE_CYCLE", FailedPrecondition,
        "The role would come to be its own parent; the message names the cycle.";
    RoleTooDeep, "ROLE_TOO_DEEP", FailedPrecondition,
        "From a role to the last of its parents there would be more steps than there can be.";
    CatalogInUse, "CATALOG_IN_USE", FailedPrecondition,
        "Accounts live under the catalog. Delete them first.";
    CatalogDropsInUse, "CATALOG_DROPS_IN_USE", FailedPrecondition,
        "The file drops permissions, features, roles, resource types or policies that accounts use. What uses them was sent \
         before this status. Set `allow_drops` to drop them all the same.";
    CatalogFixed, "CATALOG_FIXED", FailedPrecondition,
        "An account stays under the catalog that it was created with.";
    CustomRolesNotOffered, "CUSTOM_ROLES_NOT_OFFERED", FailedPrecondition,
        "The account's catalog does not offer custom roles, or not with the part that the message names: permissions, parents, \
         managed policies, custom policies.";
    RoleNotHeld, "ROLE_NOT_HELD", FailedPrecondition,
        "The user does not hold the role.";
    RoleInherited, "ROLE_INHERITED", FailedPrecondition,
        "The user holds the role through the teams that the message names, and loses it only by leaving them. \
         Set `leave_teams` to confirm that.";
    LimitReached, "LIMIT_REACHED", ResourceExhausted,
        "A quota of the account is reached; the message names it and the maximum.";
    Overloaded, "OVERLOADED", ResourceExhausted,
        "The server has as much to do as it takes on. Try again in a moment.";
    ErasurePending, "ERASURE_PENDING", Unavailable,
        "The user's personal fields are being erased. It can be given new ones as soon as that is done: try again in a moment.";
    Disturbed, "DISTURBED", Unavailable,
        "Writes kept changing what the answer depends on. Try again.";
    WritesStopped, "WRITES_STOPPED", Unavailable,
        "A write could not be brought to stable storage, and its outcome is unknown. Questions are still answered; the \
         server has to be restarted before it takes writes.";
    DiskNearlyFull, "DISK_NEARLY_FULL", ResourceExhausted,
        "The disk of the data directory is nearly full: nothing is written until there is room again.";
    StoreUnavailable, "STORE_UNAVAILABLE", Unavailable,
        "The store cannot be read. The server's log says why.";
    ShuttingDown, "SHUTTING_DOWN", Unavailable,
        "The server is stopping. Ask another one, or this one again when it is back.";
    Internal, "INTERNAL", Internal,
        "A fault of the server. Its log says more.";
}

/// One field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which field, as a path such as `user.email` or `items[3].subject`.
    pub field: String,
    /// What was given and what is expected.
    pub description: String,
}

/// Why a request cannot be answered. One word, so that whoever hands on an answer does not carry the room of an error.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{}", .0.message)]
pub struct ServiceError(Box<ErrorDetails>);

/// What an error says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorDetails {
    /// For programs.
    pub reason: ErrorReason,
    /// For people: what was given, and what was expected.
    pub message: String,
    /// Every field that is wrong, if fields are what is wrong.
    pub violations: Vec<Violation>,
    /// Names and values that the message is made of.
    pub metadata: Vec<(&'static str, String)>,
}

impl ServiceError {
    /// An error without violations.
    #[must_use]
    pub fn new(reason: ErrorReason, message: impl Into<String>) -> Self {
        let details = ErrorDetails { reason, message: message.into(), violations: Vec::new(), metadata: Vec::new() };
        Self(Box::new(details))
    }

    /// The same with a name and a value for programs.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.metadata.push((name, value.into()));
        self
    }

    /// The same with every field that is wrong.
    #[must_use]
    pub fn with_violations(mut self, violations: Vec<Violation>) -> Self {
        self.violations = violations;
        self
    }

    /// What it says, for whoever takes it apart.
    #[must_use]
    pub fn into_details(self) -> ErrorDetails {
        *self.0
    }

    /// The error for fields that are wrong. At least one has to be.
    #[must_use]
    pub fn fields(violations: Vec<Violation>) -> Self {
        let message = match violations.as_slice() {
            [one] => format!("{}: {}", one.field, one.description),
            several => {
                let fields: Vec<_> = several.iter().map(|violation| violation.field.as_str()).collect();
                format!("{} fields are wrong: {}", fields.len(), fields.join(", "))
            }
        };
        Self::new(ErrorReason::FieldInvalid, message).with_violations(violations)
    }

    /// The same for fields that lie in another one.
    #[must_use]
    pub fn below(self, field: &str) -> Self {
        if self.reason != ErrorReason::FieldInvalid {
            return self;
        }
        let mut violations = self.into_details().violations;
        for violation in &mut violations {
            violation.field = format!("{field}.{}", violation.field);
        }
        Self::fields(violations)
    }

    /// The error for a single field.
    #[must_use]
    pub fn field(field: &str, description: impl Into<String>) -> Self {
        Self::fields(vec![Violation { field: field.to_owned(), description: description.into() }])
    }
}

impl Deref for ServiceError {
    type Target = ErrorDetails;

    fn deref(&self) -> &ErrorDetails {
        &self.0
    }
}

impl DerefMut for ServiceError {
    fn deref_mut(&mut self) -> &mut ErrorDetails {
        &mut self.0
    }
}

impl From<StoreError> for ServiceError {
    /// Store errors never reach a client in their own words: paths and damage are the operator's business.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::RevisionGone { asked, oldest } => Self::new(
                ErrorReason::RevisionGone,
                format!("revision {} is no longer kept; the oldest is {}", asked.0, oldest.0),
            )
            .with("oldest_revision", oldest.0.to_string()),
            StoreError::DiskNearlyFull { .. } => {
                Self::new(ErrorReason::DiskNearlyFull, "the server's disk is nearly full; nothing was written")
            }
            StoreError::Stopped => {
                Self::new(ErrorReason::WritesStopped, "the server takes no writes until it is restarted")
            }
            other => {
                tracing::error!(error = %other, "the store failed");
                Self::new(ErrorReason::StoreUnavailable, "the store cannot be read")
            }
        }
    }
}

impl From<LoadError<ServiceError>> for ServiceError {
    fn from(error: LoadError<ServiceError>) -> Self {
        match error {
            LoadError::Failed(error) => error,
            LoadError::Disturbed => {
                Self::new(ErrorReason::Disturbed, "writes kept changing what the answer depends on; try again")
            }
        }
    }
}
