//! What every field of every request has to be: the table that bad input is made from.
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
const ROLE: &[Thing] = &[CustomRole, ManagedRole];
const HOLDER: &[Thing] = &[User, Team, ServiceAccount];
const ONE_ROLE: Rule = Inside(ROLE);
const ONE_MANAGED: Rule = Inside(&[ManagedRole]);
const ONE_USER: Rule = Short(&[User]);
const ONE_TEAM: Rule = Short(&[Team]);
const ONE_HOLDER: Rule = Short(HOLDER);
const ONE_BINDING: Rule = Inside(&[Binding]);
const ONE_SECTION: Rule = Known("SECTION_NOT_FOUND");
const ONE_FEATURE: Rule = Known("FEATURE_NOT_FOUND");
const ONE_API_SCOPE: Rule = Known("API_SCOPE_NOT_FOUND");
const ONE_PERMISSION: Rule = KnownPermission;

const PERMISSIONS: Rule = List(&ONE_PERMISSION, 0, 20_000);
const SECTIONS: Rule = List(&ONE_SECTION, 0, 100);
const LEFT_OUT: Rule = List(&ONE_API_SCOPE, 0, 1000);
const SOME_ROLES: Rule = List(&ONE_ROLE, 0, 100);
const ALL_ROLES: Rule = List(&ONE_ROLE, 0, 256);

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
];

/// Every method, and what is its own.
pub const METHODS: &[MethodRules] = &[
    (
        "Check",
        &[
            ("account", Anchor(&[Account]), "accounts/{account}"),
            ("subject", Subject, "users/ana"),
            ("permission", ONE_PERMISSION, "desk.tickets.view"),
            ("api_scope", ONE_API_SCOPE, ""),
        ],
    ),
    (
        "BatchCheck",
        &[
            ("account", Anchor(&[Account]), "accounts/{account}"),
            ("items", Many(1, 1000), ""),
            ("items[0].subject", Subject, "users/ana"),
            ("items[0].permission", ONE_PERMISSION, "desk.tickets.view"),
            ("items[0].api_scope", ONE_API_SCOPE, ""),
        ],
    ),
    ("ListPermissions", &[("account", Anchor(&[Account]), "accounts/{account}"), ("subject", Subject, "users/ana")]),
    ("ListApiScopes", &[("account", Anchor(&[Account]), "accounts/{account}"), ("subject", Subject, "users/ana")]),
    ("GetCatalog", &[("name", Anchor(&[Catalog]), "catalogs/c")]),
    ("ListCatalogs", &[]),
    (
        "ApplyCatalog",
        &[
            ("chunk", Chunk, "{catalog_file}"),
            ("last", Last, "true"),
            ("etag", Etag(Catalog), ""),
            ("allow_drops", Free, ""),
        ],
    ),
    ("ExportCatalog", &[("name", Anchor(&[Catalog]), "catalogs/c")]),
    (
        "CompareCatalogs",
        &[
            ("before", Anchor(&[Catalog]), "catalogs/c"),
            ("before_token", Token, ""),
            ("after", Filter(&[Catalog]), "catalogs/d"),
            ("after_token", Token, ""),
        ],
    ),
    ("DeleteCatalog", &[("name", Anchor(&[Catalog]), "catalogs/{spare}"), ("etag", Etag(Catalog), "")]),
    ("GetAccount", &[("name", Anchor(&[Account]), "accounts/{account}")]),
    ("ListAccounts", &[]),
    (
        "CreateAccount",
        &[
            ("account_id", NewId(Account), "new-{account}"),
            ("account", Required, ""),
            ("account.display_name", Text(256), "New"),
            ("account.catalog", Anchor(&[Catalog]), "catalogs/c"),
            ("account.state", State, ""),
            ("account.features", List(&ONE_FEATURE, 0, usize::MAX), "desk"),
            ("account.name account.create_time account.update_time account.etag", Unread, ""),
        ],
    ),
    (
        "UpdateAccount",
        &[
            ("account", Required, ""),
            ("account.name", Anchor(&[Account]), "accounts/{account}"),
            ("account.display_name", Text(256), "Another"),
            ("account.catalog", Filter(&[Catalog]), "catalogs/c"),
            ("account.state", State, "STATE_ACTIVE"),
            ("account.features", List(&ONE_FEATURE, 0, usize::MAX), "desk"),
            ("account.etag", Etag(Account), ""),
            ("account.create_time account.update_time", Unread, ""),
            ("update_mask", Mask(&["display_name", "catalog", "state", "features"]), ""),
        ],
    ),
    ("DeleteAccount", &[("name", Anchor(&[Account]), "accounts/{account}"), ("etag", Etag(Account), "")]),
    ("ApplyAccount", &[("chunk", Chunk, "{account_file}"), ("last", Last, "true"), ("etag", Etag(Account), "")]),
    ("ExportAccount", &[("name", Anchor(&[Account]), "accounts/{account}")]),
    ("GetRole", &[("name", Anchor(ROLE), "accounts/{account}/roles/agent"), ("account", Filter(&[Account]), "")]),
    (
        "ListRoles",
        &[
            ("parent", Anchor(&[Account]), "accounts/{account}"),
            ("kind", OneOf("KIND_CUSTOM"), ""),
            ("search", Search(128), ""),
            ("order_by", Order("display_name"), ""),
            ("view", OneOf("ROLE_VIEW_BASIC"), ""),
        ],
    ),
    (
        "CreateRole",
        &[
            ("parent", Anchor(&[Account]), "accounts/{account}"),
            ("role_id", NewId(CustomRole), "new"),
            ("role", Required, ""),
            ("role.display_name", RequiredText(256), "New"),
            ("role.description", Text(4096), "For a while"),
            ("role.permissions", PERMISSIONS, "desk.tickets.view"),
            ("role.left_out_api_scopes", LEFT_OUT, "tickets-read"),
            ("role.name role.kind role.create_time role.update_time role.api_scopes role.permission_count", Unread, ""),
            ("role.api_scope_count role.holder_counts role.etag", Unread, ""),
            ("import_roles", List(&ONE_MANAGED, 0, 100), "catalogs/c/roles/manager"),
            ("sections", SECTIONS, "reports"),
            ("holders", List(&ONE_HOLDER, 0, 100), "users/ana, teams/sales, serviceAccounts/robot"),
        ],
    ),
    (
        "UpdateRole",
        &[
            ("role", Required, ""),
            ("role.name", Anchor(&[CustomRole]), "accounts/{account}/roles/agent"),
            ("role.display_name", RequiredText(256), "Another"),
            ("role.description", Text(4096), "For a while"),
            ("role.permissions", PERMISSIONS, "desk.tickets.view"),
            ("role.left_out_api_scopes", LEFT_OUT, "tickets-read"),
            ("role.etag", Etag(CustomRole), ""),
            ("role.kind role.create_time role.update_time role.api_scopes role.permission_count", Unread, ""),
            ("role.api_scope_count role.holder_counts", Unread, ""),
            ("update_mask", Mask(&["display_name", "description", "permissions", "left_out_api_scopes"]), ""),
        ],
    ),
    (
        "DeleteRole",
        &[("name", Anchor(&[CustomRole]), "accounts/{account}/roles/agent"), ("etag", Etag(CustomRole), "")],
    ),
    (
        "DuplicateRole",
        &[
            ("name", ONE_ROLE, "accounts/{account}/roles/agent"),
            ("parent", Anchor(&[Account]), "accounts/{account}"),
            ("role_id", NewId(CustomRole), "new"),
            ("display_name", Text(256), "A copy"),
            ("description", Text(4096), "Copied"),
        ],
    ),
    (
        "ImportRolePermissions",
        &[
            ("name", Anchor(&[CustomRole]), "accounts/{account}/roles/agent"),
            ("roles", List(&ONE_MANAGED, 1, 100), "catalogs/c/roles/manager"),
            ("etag", Etag(CustomRole), ""),
        ],
    ),
    (
        "AddRolePermissions",
        &[
            ("name", Anchor(&[CustomRole]), "accounts/{account}/roles/agent"),
            ("permissions", PERMISSIONS, "desk.tickets.edit"),
            ("sections", SECTIONS, "reports"),
            ("etag", Etag(CustomRole), ""),
        ],
    ),
    (
        "RemoveRolePermissions",
        &[
            ("name", Anchor(&[CustomRole]), "accounts/{account}/roles/agent"),
            ("permissions", PERMISSIONS, "desk.tickets.view"),
            ("sections", SECTIONS, "reports"),
            ("etag", Etag(CustomRole), ""),
        ],
    ),
    ("ListRolePermissions", &[("name", Anchor(ROLE), "accounts/{account}/roles/agent"), ("contained_only", Free, "")]),
    (
        "ListRoleHolders",
        &[("parent", Anchor(&[Account]), "accounts/{account}"), ("role", ONE_ROLE, "accounts/{account}/roles/agent")],
    ),
    ("GetRoleBinding", &[("name", Anchor(&[Binding]), "accounts/{account}/roleBindings/{binding}")]),
    (
        "ListRoleBindings",
        &[
            ("parent", Anchor(&[Account]), "accounts/{account}"),
            ("holder", ShortFilter(HOLDER), ""),
            ("role", Filter(ROLE), ""),
        ],
    ),
    (
        "CreateRoleBinding",
        &[
            ("parent", Anchor(&[Account]), "accounts/{account}"),
            ("role_binding", Required, ""),
            ("role_binding.holder", ONE_HOLDER, "users/cyd"),
            ("role_binding.role", ONE_ROLE, "accounts/{account}/roles/agent"),
            ("role_binding.name role_binding.create_time role_binding.etag", Unread, ""),
        ],
    ),
    (
        "DeleteRoleBinding",
        &[("name", Anchor(&[Binding]), "accounts/{account}/roleBindings/{binding}"), ("etag", Etag(Binding), "")],
    ),
    (
        "BatchCreateRoleBindings",
        &[
            ("parent", Anchor(&[Account]), "accounts/{account}"),
            ("role_bindings", Many(1, 100), ""),
            ("role_bindings[0].holder", ONE_HOLDER, "users/cyd"),
            ("role_bindings[0].role", ONE_ROLE, "accounts/{account}/roles/agent"),
            ("role_bindings[0].name role_bindings[0].create_time role_bindings[0].etag", Unread, ""),
            ("skip_held", Free, ""),
        ],
    ),
    (
        "BatchDeleteRoleBindings",
        &[
            ("parent", Anchor(&[Account]), "accounts/{account}"),
            ("names", List(&ONE_BINDING, 1, 100), "accounts/{account}/roleBindings/{binding}"),
        ],
    ),
    (
        "ReplaceRoleBindings",
        &[
            ("parent", Anchor(&[Account]), "accounts/{account}"),
            ("holder", ONE_HOLDER, "users/ana"),
            ("roles", ALL_ROLES, "accounts/{account}/roles/agent, catalogs/c/roles/manager"),
        ],
    ),
    ("GetServiceAccount", &[("name", Anchor(&[ServiceAccount]), "accounts/{account}/serviceAccounts/robot")]),
    ("ListServiceAccounts", &[("parent", Anchor(&[Account]), "accounts/{account}"), ("search", Search(128), "")]),
    (
        "CreateServiceAccount",
        &[
            ("parent", Anchor(&[Account]), "accounts/{account}"),
            ("service_account_id", NewId(ServiceAccount), "new"),
            ("service_account", Required, ""),
            ("service_account.display_name", Text(256), "New"),
            ("service_account.description", Text(4096), "For a while"),
            ("service_account.state", State, ""),
            ("service_account.name service_account.create_time service_account.update_time", Unread, ""),
            ("service_account.etag", Unread, ""),
            ("roles", SOME_ROLES, "accounts/{account}/roles/agent"),
        ],
    ),
    (
        "UpdateServiceAccount",
        &[
            ("service_account", Required, ""),
            ("service_account.name", Anchor(&[ServiceAccount]), "accounts/{account}/serviceAccounts/robot"),
            ("service_account.display_name", Text(256), "Another"),
            ("service_account.description", Text(4096), "For a while"),
            ("service_account.state", State, "STATE_ACTIVE"),
            ("service_account.etag", Etag(ServiceAccount), ""),
            ("service_account.create_time service_account.update_time", Unread, ""),
            ("update_mask", Mask(&["display_name", "description", "state"]), ""),
        ],
    ),
    (
        "DeleteServiceAccount",
        &[
            ("name", Anchor(&[ServiceAccount]), "accounts/{account}/serviceAccounts/robot"),
            ("etag", Etag(ServiceAccount), ""),
        ],
    ),
    ("GetTeam", &[("name", Anchor(&[Team]), "accounts/{account}/teams/support")]),
    ("ListTeams", &[("parent", Anchor(&[Account]), "accounts/{account}"), ("search", Search(128), "")]),
    (
        "CreateTeam",
        &[
            ("parent", Anchor(&[Account]), "accounts/{account}"),
            ("team_id", NewId(Team), "new"),
            ("team", Required, ""),
            ("team.display_name", Text(256), "New"),
            ("team.description", Text(4096), "For a while"),
            ("team.name team.create_time team.update_time team.member_count team.etag", Unread, ""),
            ("roles", SOME_ROLES, "accounts/{account}/roles/agent"),
            ("members", List(&ONE_USER, 0, 100), "users/ana"),
        ],
    ),
    (
        "UpdateTeam",
        &[
            ("team", Required, ""),
            ("team.name", Anchor(&[Team]), "accounts/{account}/teams/support"),
            ("team.display_name", Text(256), "Another"),
            ("team.description", Text(4096), "For a while"),
            ("team.etag", Etag(Team), ""),
            ("team.create_time team.update_time team.member_count", Unread, ""),
            ("update_mask", Mask(&["display_name", "description"]), ""),
        ],
    ),
    ("DeleteTeam", &[("name", Anchor(&[Team]), "accounts/{account}/teams/support"), ("etag", Etag(Team), "")]),
    ("ListTeamMembers", &[("name", Anchor(&[Team]), "accounts/{account}/teams/support")]),
    (
        "AddTeamMembers",
        &[
            ("name", Anchor(&[Team]), "accounts/{account}/teams/sales"),
            ("members", List(&ONE_USER, 1, 100), "users/ana"),
        ],
    ),
    (
        "RemoveTeamMembers",
        &[
            ("name", Anchor(&[Team]), "accounts/{account}/teams/support"),
            ("members", List(&ONE_USER, 1, 100), "users/ana"),
        ],
    ),
    (
        "ReplaceTeamMembers",
        &[
            ("name", Anchor(&[Team]), "accounts/{account}/teams/support"),
            ("members", List(&ONE_USER, 0, 1000), "users/ana, users/cyd"),
            ("last", Last, "true"),
        ],
    ),
    ("GetUser", &[("name", Anchor(&[User]), "accounts/{account}/users/ana")]),
    (
        "ListUsers",
        &[
            ("parent", Anchor(&[Account]), "accounts/{account}"),
            ("search", Search(128), ""),
            ("order_by", Order("display_name"), ""),
            ("state", OneOf("STATE_ACTIVE"), ""),
        ],
    ),
    (
        "CreateUser",
        &[
            ("parent", Anchor(&[Account]), "accounts/{account}"),
            ("user_id", NewId(User), "new"),
            ("user", Required, ""),
            ("user.display_name", Text(256), "New"),
            ("user.username", Text(256), "new.one"),
            ("user.email", Email, "new@example.com"),
            ("user.state", State, ""),
            ("user.name user.create_time user.update_time user.last_sign_in_time user.etag", Unread, ""),
            ("roles", SOME_ROLES, "accounts/{account}/roles/agent"),
            ("teams", List(&ONE_TEAM, 0, 100), "teams/support"),
        ],
    ),
    (
        "BatchCreateUsers",
        &[
            ("parent", Anchor(&[Account]), "accounts/{account}"),
            ("users", Many(1, 100), ""),
            ("users[0].user_id", NewId(User), "new"),
            ("users[0].user", Required, ""),
            ("users[0].user.display_name", Text(256), "New"),
            ("users[0].user.username", Text(256), "new.one"),
            ("users[0].user.email", Email, "new@example.com"),
            ("users[0].user.state", State, ""),
            ("users[0].user.name users[0].user.create_time users[0].user.update_time users[0].user.etag", Unread, ""),
            ("users[0].user.last_sign_in_time", Unread, ""),
            ("users[0].roles", SOME_ROLES, "accounts/{account}/roles/agent"),
            ("users[0].teams", List(&ONE_TEAM, 0, 100), "teams/support"),
        ],
    ),
    (
        "UpdateUser",
        &[
            ("user", Required, ""),
            ("user.name", Anchor(&[User]), "accounts/{account}/users/ana"),
            ("user.display_name", Text(256), "Another"),
            ("user.username", Text(256), "another.one"),
            ("user.email", Email, "another@example.com"),
            ("user.state", State, "STATE_ACTIVE"),
            ("user.etag", Etag(User), ""),
            ("user.create_time user.update_time user.last_sign_in_time", Unread, ""),
            ("update_mask", Mask(&["display_name", "username", "email", "state"]), ""),
        ],
    ),
    (
        "DeleteUser",
        &[
            ("name", Anchor(&[User]), "accounts/{account}/users/ana"),
            ("erase_personal_fields", Free, ""),
            ("etag", Etag(User), ""),
        ],
    ),
    ("ListUserTeams", &[("name", Anchor(&[User]), "accounts/{account}/users/ana")]),
    (
        "AddUserTeams",
        &[("name", Anchor(&[User]), "accounts/{account}/users/ana"), ("teams", List(&ONE_TEAM, 1, 100), "teams/sales")],
    ),
    (
        "RemoveUserTeams",
        &[
            ("name", Anchor(&[User]), "accounts/{account}/users/ana"),
            ("teams", List(&ONE_TEAM, 1, 100), "teams/support"),
        ],
    ),
    (
        "ReplaceUserTeams",
        &[("name", Anchor(&[User]), "accounts/{account}/users/ana"), ("teams", List(&ONE_TEAM, 0, 256), "teams/sales")],
    ),
    ("ListUserRoles", &[("name", Anchor(&[User]), "accounts/{account}/users/ana")]),
    (
        "RemoveUserRole",
        &[
            ("name", Anchor(&[User]), "accounts/{account}/users/ana"),
            ("role", ONE_ROLE, "accounts/{account}/roles/agent"),
            ("leave_teams", Free, "true"),
        ],
    ),
    ("EraseUserPersonalFields", &[("name", Anchor(&[User]), "accounts/{account}/users/ana"), ("etag", Etag(User), "")]),
    ("RecordUserSignIn", &[("name", Anchor(&[User]), "accounts/{account}/users/ana"), ("sign_in_time", Past, "")]),
];
