//! The catalogs and accounts that bad input is tried on: what the right request of each method needs is there.

use serde_json::json;

pub fn catalog_file(id: &str, display_name: &str) -> String {
    json!({
        "kind": "catalog", "id": id, "display_name": display_name,
        "custom_roles": ["permissions", "parents", "managed_policies", "custom_policies"],
        "features": [{"id": "desk", "display_name": "Desk"}, {"id": "reports", "display_name": "Reports"}],
        "sections": [
            {"id": "tickets", "display_name": "Tickets"}, {"id": "reports", "display_name": "Reports"},
            {"id": "inner", "display_name": "Inner"},
        ],
        "api_scopes": [
            {"id": "tickets-read"}, {"id": "tickets-manage", "includes": ["tickets-read"]}, {"id": "reports-read"},
        ],
        "resource_types": [
            {"id": "channel", "plural": "channels", "parent": "workspace", "display_name": "Channel"},
            {"id": "workspace", "plural": "workspaces", "display_name": "Workspace"},
            {"id": "line", "plural": "lines", "display_name": "Line"},
        ],
        "permissions": [
            {"id": "desk.tickets.view", "section": "tickets", "feature": "desk", "api_scopes": ["tickets-read"],
                "resource_type": "channel", "facets": ["line"]},
            {"id": "desk.tickets.edit", "section": "tickets", "feature": "desk", "api_scopes": ["tickets-manage"]},
            {"id": "desk.tickets.close", "section": "tickets", "condition": "attributes.urgent == 'yes'"},
            {"id": "reports.all.view", "section": "reports", "feature": "reports", "api_scopes": ["reports-read"]},
            {"id": "inner.all.touch", "section": "inner", "internal": true},
        ],
        "policies": [
            {"id": "reader", "display_name": "Reader",
                "statements": [{"effect": "allow", "permissions": ["*.*.view"], "resources": ["workspaces/**"]}]},
        ],
        "roles": [
            {"id": "manager", "display_name": "Manager", "permissions": ["desk.tickets.view", "reports.all.view"]},
            {"id": "inner", "display_name": "Inner", "internal": true, "permissions": ["inner.all.touch"]},
        ],
    })
    .to_string()
}

pub fn foreign_catalog_file() -> String {
    json!({
        "kind": "catalog", "id": "d", "display_name": "D", "sections": [{"id": "s", "display_name": "S"}],
        "permissions": [{"id": "foreign.things.view", "section": "s"}],
        "policies": [{"id": "foreign", "display_name": "Foreign",
            "statements": [{"effect": "allow", "permissions": ["foreign.**"]}]}],
        "roles": [{"id": "foreign", "display_name": "Foreign", "permissions": ["foreign.things.view"]}],
    })
    .to_string()
}

pub fn account_file(id: &str, display_name: &str) -> String {
    let deny = json!({"effect": "deny", "permissions": ["desk.*.close"], "condition": "subject.id == 'cyd'"});
    json!({
        "kind": "account", "id": id, "display_name": display_name, "catalog": "c", "features": ["desk", "reports"],
        "resources": [
            {"path": "workspaces/w1"}, {"path": "workspaces/w1/channels/c1"}, {"path": "workspaces/w1/channels/c2"},
            {"path": "lines/l1"}, {"path": "lines/l2", "display_name": "Line 2"},
        ],
        "policies": [{"id": "desk", "display_name": "Desk", "statements": [deny]}],
        "roles": [
            {"id": "agent", "display_name": "Agent", "permissions": ["desk.tickets.view", "desk.tickets.edit"],
                "policies": ["custom/desk"]},
            {"id": "chief", "display_name": "Chief", "parents": ["custom/lead"]},
            {"id": "lead", "display_name": "Lead", "permissions": ["desk.tickets.close"], "covers": ["line"]},
        ],
        "teams": [
            {"id": "sales"},
            {"id": "support", "roles": ["custom/lead"], "access": [{"facet": "line", "all": true}]},
        ],
        "users": [
            {"id": "ana", "display_name": "Ana", "teams": ["support"], "roles": ["manager", "custom/agent"],
                "access": [{"facet": "line", "values": ["lines/l1"]}],
                "exceptions": [{"permission": "desk.tickets.close", "reason": "Asked for"}]},
            {"id": "ben", "display_name": "Ben", "access": [{"facet": "line", "all": true}],
                "roles": ["custom/agent", {"role": "custom/agent", "resource": "lines/l1"},
                    {"role": "custom/agent", "resource": "workspaces/w1"}]},
            {"id": "cyd", "display_name": "Cyd", "teams": ["support"]},
        ],
    })
    .to_string()
}

pub fn foreign_account_file() -> String {
    json!({
        "kind": "account", "id": "other", "catalog": "c", "features": ["desk"],
        "resources": [{"path": "lines/foreign"}],
        "policies": [{"id": "foreign", "display_name": "Foreign",
            "statements": [{"effect": "allow", "permissions": ["desk.**"]}]}],
        "roles": [{"id": "foreign", "display_name": "Foreign", "permissions": ["desk.tickets.view"]}],
        "teams": [{"id": "foreign"}],
        "users": [{"id": "foreign", "teams": ["foreign"], "roles": ["custom/foreign"],
            "exceptions": [{"permission": "desk.tickets.close", "reason": "Asked for"}]}],
    })
    .to_string()
}
