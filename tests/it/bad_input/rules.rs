//! What a field of a request can have to be. The tables of methods are made of these: [`super::methods`] has those about
//! who holds what, [`super::access_methods`] those about policies, resources, access lists, exceptions and questions.
//!
//! A field of the descriptors without a rule fails the test, and so does a rule without a field. The texts beside the
//! rules are the values of a request that is right; `{account}`, `{binding}`, `{spare}` and the files are filled in by
//! [`super::fixture`].

use super::things::Thing::{self, *};

/// What a field has to be.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// The full name of one of these; it says which account or catalog the request is about.
    Anchor(&'static [Thing]),
    /// The full name of one of these, of the account that the request is about.
    Inside(&'static [Thing]),
    /// The same; may be left out.
    Filter(&'static [Thing]),
    /// The name within the account that the request is about, such as `users/ana`.
    Short(&'static [Thing]),
    /// The same; may be left out.
    ShortFilter(&'static [Thing]),
    /// Who is asked about. One that does not exist is a denial and no error.
    Subject,
    /// The id of something that is created.
    NewId(Thing),
    /// The id of something of the account's catalog, and the reason if it has no such thing.
    Known(&'static str),
    /// The same; has to be given.
    RequiredKnown(&'static str),
    /// The same of a permission, which has segments.
    KnownPermission,
    /// A text of at most so many bytes.
    Text(usize),
    /// The same, of at least one byte.
    RequiredText(usize),
    /// An email address.
    Email,
    /// What a list is searched for, at most so many bytes.
    Search(usize),
    /// The order of a list; this is another one than the base has.
    Order(&'static str),
    /// A value of an enum; this is another one than the base has.
    OneOf(&'static str),
    /// A state, which an update that names it has to give.
    State,
    /// The etag of a thing.
    Etag(Thing),
    /// The id of a request.
    RequestId,
    /// How many elements a page has.
    PageSize,
    /// Where a list goes on.
    PageToken,
    /// A consistency token.
    Token,
    /// The fields to change, of the message beside it.
    Mask(&'static [&'static str]),
    /// A list of so many of something.
    List(&'static Rule, usize, usize),
    /// Messages, so many.
    Many(usize, usize),
    /// A message that has to be there.
    Required,
    /// A time that is not ahead of the server.
    Past,
    /// A time that is ahead of the server; may be left out.
    Future,
    /// The path of a resource that is to be registered.
    NewPath,
    /// The path of a resource that is registered; may be left out.
    RegisteredPath,
    /// What a question is about: a path that need not be registered; may be left out.
    Place,
    /// Facets by name, each with a path of its type.
    Facets,
    /// What conditions can look at.
    Attributes,
    /// A value of an access list: the path of a registered line.
    Value,
    /// A pattern of permissions.
    PermissionPattern,
    /// A pattern of resources.
    ResourcePattern,
    /// What has to hold, in CEL.
    Condition,
    /// What a statement does.
    Effect,
    /// A piece of a file.
    Chunk,
    /// The mark of the last message of a stream.
    Last,
    /// Any value is right.
    Free,
    /// Not read: any value is accepted.
    Unread,
}

use Rule::*;

/// A method, and its fields: their paths, what they have to be, and a value that is right.
pub type MethodRules = (&'static str, &'static [(&'static str, Rule, &'static str)]);

/// A custom or a managed role.
pub const ROLE: &[Thing] = &[CustomRole, ManagedRole];
pub const HOLDER: &[Thing] = &[User, Team, ServiceAccount];
pub const ONE_ROLE: Rule = Inside(ROLE);
pub const ONE_MANAGED: Rule = Inside(&[ManagedRole]);
/// A custom or a managed access policy.
pub const POLICY: &[Thing] = &[CustomPolicy, ManagedPolicy];
pub const ONE_POLICY: Rule = Inside(POLICY);
pub const ONE_FACET: Rule = RequiredKnown("RESOURCE_TYPE_NOT_FOUND");
pub const ONE_USER: Rule = Short(&[User]);
pub const ONE_TEAM: Rule = Short(&[Team]);
pub const ONE_HOLDER: Rule = Short(HOLDER);
pub const ONE_BINDING: Rule = Inside(&[Binding]);
pub const ONE_SECTION: Rule = Known("SECTION_NOT_FOUND");
pub const ONE_FEATURE: Rule = Known("FEATURE_NOT_FOUND");
pub const ONE_API_SCOPE: Rule = Known("API_SCOPE_NOT_FOUND");
pub const ONE_PERMISSION: Rule = KnownPermission;
pub const ONE_VALUE: Rule = Value;
pub const ONE_PERMISSION_PATTERN: Rule = PermissionPattern;
pub const ONE_RESOURCE_PATTERN: Rule = ResourcePattern;

pub const PERMISSIONS: Rule = List(&ONE_PERMISSION, 0, 20_000);
pub const SECTIONS: Rule = List(&ONE_SECTION, 0, 100);
pub const LEFT_OUT: Rule = List(&ONE_API_SCOPE, 0, 1000);
pub const SOME_ROLES: Rule = List(&ONE_ROLE, 0, 100);
pub const ALL_ROLES: Rule = List(&ONE_ROLE, 0, 256);
pub const SOME_POLICIES: Rule = List(&ONE_POLICY, 0, 100);
pub const FACETS: Rule = List(&ONE_FACET, 0, 101);
pub const VALUES: Rule = List(&ONE_VALUE, 0, 1000);
pub const SOME_VALUES: Rule = List(&ONE_VALUE, 1, 1000);

/// Fields that mean the same wherever they stand.
pub const COMMON: &[(&str, Rule, &str)] = &[
    ("consistency", Free, ""),
    ("consistency.minimize_latency", Free, ""),
    ("consistency.at_least_as_fresh", Token, ""),
    ("consistency.at_exact_revision", Token, ""),
    ("consistency.fully_consistent", Free, ""),
    ("page_size", PageSize, ""),
    ("page_token", PageToken, ""),
    ("validate_only", Free, ""),
    ("request_id", RequestId, ""),
    ("show_internal", Free, ""),
    ("allow_internal_role", Free, ""),
    // What is deleted here is used.
    ("force", Free, "true"),
];
