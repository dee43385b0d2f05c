//! The methods about policies, resources, access lists and exceptions, and the questions that all of these answer; what
//! each of their fields has to be.

use super::{
    rules::{Rule::*, *},
    things::Thing::*,
};

const DESK: &str = "accounts/{account}/accessPolicies/desk";
const WORKSPACE: &str = "accounts/{account}/resources/workspaces/w1";
const ANA: &str = "accounts/{account}/users/ana";
const CHANNEL: &str = "workspaces/w1/channels/c1";

/// Every method, and what is its own.
pub const METHODS: &[MethodRules] = &[
    (
        "Check",
        &[
            ("account", Anchor(&[Account]), "accounts/{account}"),
            ("subject", Subject, "users/ana"),
            ("permission", ONE_PERMISSION, "desk.tickets.view"),
            ("api_scope", ONE_API_SCOPE, ""),
            ("resource", Place, CHANNEL),
            ("facets", Facets, "line=lines/l1"),
            ("attributes", Attributes, "urgent=yes"),
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
            ("items[0].resource", Place, CHANNEL),
            ("items[0].facets", Facets, "line=lines/l1"),
            ("items[0].attributes", Attributes, "urgent=yes"),
        ],
    ),
    (
        "ListSubjects",
        &[
            ("account", Anchor(&[Account]), "accounts/{account}"),
            ("permission", ONE_PERMISSION, "desk.tickets.view"),
            ("api_scope", ONE_API_SCOPE, ""),
            ("resource", Place, CHANNEL),
            ("facets", Facets, "line=lines/l1"),
            ("attributes", Attributes, "urgent=yes"),
        ],
    ),
    (
        "ListResources",
        &[
            ("account", Anchor(&[Account]), "accounts/{account}"),
            ("subject", Subject, "users/ana"),
            ("permission", ONE_PERMISSION, "desk.tickets.view"),
            ("resource_type", ONE_FACET, "channel"),
            ("facets", Facets, "line=lines/l1"),
            ("attributes", Attributes, "urgent=yes"),
        ],
    ),
    ("GetAccessPolicy", &[("name", Anchor(POLICY), DESK)]),
    (
        "ListAccessPolicies",
        &[("parent", Anchor(&[Account, Catalog]), "accounts/{account}"), ("search", Search(128), "")],
    ),
    (
        "CreateAccessPolicy",
        &[
            ("parent", Anchor(&[Account]), "accounts/{account}"),
            ("access_policy_id", NewId(CustomPolicy), "new"),
            ("access_policy", Required, ""),
            ("access_policy.display_name", RequiredText(256), "New"),
            ("access_policy.description", Text(4096), "For a while"),
            ("access_policy.statements", Many(1, 100), ""),
            ("access_policy.statements[0].effect", Effect, "EFFECT_ALLOW"),
            ("access_policy.statements[0].permissions", List(&ONE_PERMISSION_PATTERN, 1, 100), "desk.**, *.all.view"),
            ("access_policy.statements[0].resources", List(&ONE_RESOURCE_PATTERN, 0, 100), "workspaces/w1/**, lines/*"),
            ("access_policy.statements[0].condition", Condition, "attributes.urgent == 'yes'"),
            ("access_policy.name access_policy.create_time access_policy.update_time access_policy.etag", Unread, ""),
        ],
    ),
    (
        "UpdateAccessPolicy",
        &[
            ("access_policy", Required, ""),
            ("access_policy.name", Anchor(&[CustomPolicy]), DESK),
            ("access_policy.display_name", RequiredText(256), "Another"),
            ("access_policy.description", Text(4096), "For a while"),
            ("access_policy.statements", Many(1, 100), ""),
            ("access_policy.statements[0].effect", Effect, "EFFECT_DENY"),
            ("access_policy.statements[0].permissions", List(&ONE_PERMISSION_PATTERN, 1, 100), "desk.tickets.close"),
            ("access_policy.statements[0].resources", List(&ONE_RESOURCE_PATTERN, 0, 100), "lines/l1"),
            ("access_policy.statements[0].condition", Condition, "subject.id == 'ana'"),
            ("access_policy.etag", Etag(CustomPolicy), ""),
            ("access_policy.create_time access_policy.update_time", Unread, ""),
            ("update_mask", Mask(&["display_name", "description", "statements"]), ""),
        ],
    ),
    ("DeleteAccessPolicy", &[("name", Anchor(&[CustomPolicy]), DESK), ("etag", Etag(CustomPolicy), "")]),
    ("GetResource", &[("name", Anchor(&[Resource]), WORKSPACE)]),
    (
        "ListRegisteredResources",
        &[
            ("parent", Anchor(&[Account]), "accounts/{account}"),
            ("below", RegisteredPath, ""),
            ("resource_type", Known("RESOURCE_TYPE_NOT_FOUND"), ""),
        ],
    ),
    (
        "CreateResource",
        &[
            ("parent", Anchor(&[Account]), "accounts/{account}"),
            ("resource", Required, ""),
            ("resource.path", NewPath, "workspaces/w1/channels/new"),
            ("resource.display_name", Text(256), "New"),
            ("resource.name resource.resource_type resource.create_time resource.update_time", Unread, ""),
            ("resource.etag", Unread, ""),
        ],
    ),
    (
        "BatchCreateResources",
        &[
            ("parent", Anchor(&[Account]), "accounts/{account}"),
            ("resources", Many(1, 100), ""),
            ("resources[0].path", NewPath, "workspaces/w1/channels/new"),
            ("resources[0].display_name", Text(256), "New"),
            ("resources[0].name resources[0].resource_type resources[0].create_time", Unread, ""),
            ("resources[0].update_time resources[0].etag", Unread, ""),
        ],
    ),
    (
        "UpdateResource",
        &[
            ("resource", Required, ""),
            ("resource.name", Anchor(&[Resource]), WORKSPACE),
            ("resource.display_name", Text(256), "Another"),
            ("resource.etag", Etag(Resource), ""),
            ("resource.path resource.resource_type resource.create_time resource.update_time", Unread, ""),
            ("update_mask", Mask(&["display_name"]), ""),
        ],
    ),
    ("DeleteResource", &[("name", Anchor(&[Resource]), WORKSPACE), ("etag", Etag(Resource), "")]),
    ("ListAccessLists", &[("parent", Anchor(&[User, Team]), ANA)]),
    (
        "SetAccessList",
        &[
            ("parent", Anchor(&[User, Team]), ANA),
            ("access_list", Required, ""),
            ("access_list.facet", ONE_FACET, "line"),
            ("access_list.all", Free, ""),
            ("access_list.values", VALUES, "lines/l2"),
        ],
    ),
    (
        "AddAccess",
        &[("parent", Anchor(&[User, Team]), ANA), ("facet", ONE_FACET, "line"), ("values", SOME_VALUES, "lines/l2")],
    ),
    (
        "RemoveAccess",
        &[("parent", Anchor(&[User, Team]), ANA), ("facet", ONE_FACET, "line"), ("values", SOME_VALUES, "lines/l1")],
    ),
    ("ListExceptions", &[("parent", Anchor(&[User]), ANA)]),
    (
        "CreateException",
        &[
            ("parent", Anchor(&[User]), ANA),
            ("exception", Required, ""),
            ("exception.permission", ONE_PERMISSION, "desk.tickets.edit"),
            ("exception.reason", RequiredText(1024), "Asked for"),
            ("exception.expire_time", Future, "7258118400"),
            ("exception.name exception.create_time", Unread, ""),
        ],
    ),
    (
        "DeleteException",
        &[("name", Anchor(&[Exception]), "accounts/{account}/users/ana/exceptions/desk.tickets.close")],
    ),
];
