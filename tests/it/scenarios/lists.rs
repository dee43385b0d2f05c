//! The lists of a case, and all that they have to show.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    case::{About, Asked},
    words::{is, number, only, text, text_if_any, texts, texts_if_any},
};

pub struct Listed {
    pub subject: String,
    pub permission: String,
    /// What it comes from; none: it must not be listed.
    pub through: Option<Through>,
}

pub struct Through {
    pub roles: Vec<String>,
    pub teams: Vec<String>,
    /// The API scopes that it provides to the subject, if the case says which.
    pub api_scopes: Option<Vec<String>>,
    /// Whether an exception gives it too.
    pub exception: bool,
    /// The resources that its role bindings are on, if the case says which; those on the account are not among them.
    pub resources: Option<Vec<String>>,
    /// The facets that bound it and what the subject's lists have of each (none: all), if the case says which.
    pub facets: Option<BTreeMap<String, Option<Vec<String>>>>,
}

/// A list, and all that it has to show.
#[derive(Debug)]
pub enum List {
    /// The row of one role in the list of roles.
    Row(Row),
    /// The ids that a search among the roles of a kind finds, in order.
    Search { text: String, kind: String, found: Vec<String> },
    /// The sections that a role has anything of: how much of how many.
    Sections { role: String, sections: Vec<(String, i32, i32)> },
    /// Who holds a role.
    Holders { role: String, holders: Vec<Holder> },
    /// What the catalog shows of a permission.
    Permission { permission: String, section: String, api_scopes: Vec<String>, all_api_scopes: Vec<String> },
    /// What the catalog shows of an API scope.
    ApiScope { api_scope: String, description: String, includes: Vec<String> },
    /// The API scopes that a subject may use, in order.
    ApiScopesOf { subject: String, api_scopes: Vec<String> },
    /// Who may: `users/{id}` and `serviceAccounts/{id}`, users first, each in the order in which the account has them.
    Subjects { asked: Asked, about: About, found: Vec<String> },
    /// On which registered resources of a type a subject may, in order, and whether on all there are and will be.
    Resources { subject: String, permission: String, kind: String, about: About, found: Vec<String>, all: bool },
}

#[derive(Debug)]
pub struct Row {
    pub role: String,
    pub kind: String,
    pub display_name: Option<String>,
    pub description: Option<String>,
    /// Users who hold it in any way, and those who hold it themselves.
    pub users: i64,
    pub direct_users: i64,
    /// All that it contains, and what that provides.
    pub permissions: i32,
    pub api_scopes: i32,
    /// What of it the role lists itself: all of it, if the case does not say.
    pub listed_permissions: i32,
    pub listed_api_scopes: i32,
}

/// A holder of a role, as far as the case says how it is shown.
#[derive(Debug)]
pub struct Holder {
    /// `users/{id}` or `serviceAccounts/{id}`.
    pub name: String,
    pub display_name: Option<String>,
    pub username: Option<String>,
    pub email: Option<String>,
    /// A time, or `never`.
    pub last_login: Option<String>,
    pub direct: bool,
    pub teams: Vec<String>,
}

impl Listed {
    /// What is said of both kinds first.
    pub const WORDS: [&str; 8] =
        ["subject", "permission", "roles", "teams", "api_scopes", "exception", "resources", "facets"];
}

impl Through {
    pub fn read(value: &Value) -> Self {
        let values = |list: &Value| if list.as_str() == Some("all") { None } else { Some(texts(list)) };
        let facets = value.get("facets").map(|facets| {
            let facets = facets.as_object().unwrap().iter();
            facets.map(|(facet, list)| (facet.clone(), values(list))).collect()
        });
        Self {
            roles: texts(&value["roles"]),
            teams: texts(&value["teams"]),
            api_scopes: texts_if_any(value, "api_scopes"),
            exception: is(value, "exception"),
            resources: texts_if_any(value, "resources"),
            facets,
        }
    }
}

impl List {
    pub const WORDS: [&str; 9] = [
        "role_row",
        "search_roles",
        "role_sections",
        "holders",
        "permission_row",
        "api_scope_row",
        "api_scopes_of",
        "subjects",
        "resources",
    ];

    pub fn read(word: &str, value: &Value) -> Self {
        match word {
            "role_row" => {
                let counts = ["users", "direct_users", "permissions", "api_scopes"];
                let listed = ["listed_permissions", "listed_api_scopes"];
                only(value, &[&["role", "kind", "display_name", "description"][..], &counts, &listed].concat());
                let of_those =
                    |listed: &str, all: &str| number(value, if value[listed].is_null() { all } else { listed });
                Self::Row(Row {
                    role: text(value, "role"),
                    kind: text(value, "kind"),
                    display_name: text_if_any(value, "display_name"),
                    description: text_if_any(value, "description"),
                    users: number(value, "users"),
                    direct_users: number(value, "direct_users"),
                    permissions: number(value, "permissions"),
                    api_scopes: number(value, "api_scopes"),
                    listed_permissions: of_those("listed_permissions", "permissions"),
                    listed_api_scopes: of_those("listed_api_scopes", "api_scopes"),
                })
            }
            "search_roles" => {
                only(value, &["text", "kind", "found"]);
                Self::Search { text: text(value, "text"), kind: text(value, "kind"), found: texts(&value["found"]) }
            }
            "role_sections" => {
                only(value, &["role", "sections"]);
                let section = |each: &Value| {
                    only(each, &["section", "contained", "of"]);
                    (text(each, "section"), number(each, "contained"), number(each, "of"))
                };
                let sections = value["sections"].as_array().unwrap().iter().map(section).collect();
                Self::Sections { role: text(value, "role"), sections }
            }
            "holders" => {
                only(value, &["role", "holders"]);
                let mut holders: Vec<_> = value["holders"].as_array().unwrap().iter().map(Holder::read).collect();
                holders.sort_by(|one, other| one.name.cmp(&other.name));
                Self::Holders { role: text(value, "role"), holders }
            }
            "permission_row" => {
                only(value, &["permission", "section", "api_scopes", "all_api_scopes"]);
                Self::Permission {
                    permission: text(value, "permission"),
                    section: text(value, "section"),
                    api_scopes: texts(&value["api_scopes"]),
                    all_api_scopes: texts(&value["all_api_scopes"]),
                }
            }
            "api_scope_row" => {
                only(value, &["api_scope", "description", "includes"]);
                let (description, includes) = (text(value, "description"), texts(&value["includes"]));
                Self::ApiScope { api_scope: text(value, "api_scope"), description, includes }
            }
            "api_scopes_of" => {
                only(value, &["subject", "api_scopes"]);
                Self::ApiScopesOf { subject: text(value, "subject"), api_scopes: texts(&value["api_scopes"]) }
            }
            "subjects" => {
                only(value, &[&["permission", "api_scope", "found"][..], &About::WORDS].concat());
                Self::Subjects { asked: Asked::read(value), about: About::read(value), found: texts(&value["found"]) }
            }
            "resources" => {
                only(value, &["subject", "permission", "type", "facets", "attributes", "found", "all"]);
                Self::Resources {
                    subject: text(value, "subject"),
                    permission: text(value, "permission"),
                    kind: text(value, "type"),
                    about: About::read(value),
                    found: texts(&value["found"]),
                    all: value["all"].as_bool().unwrap(),
                }
            }
            other => panic!("{other} is no list"),
        }
    }
}

impl Holder {
    fn read(value: &Value) -> Self {
        let profile = ["display_name", "username", "email", "last_login"];
        only(value, &[&["user", "service_account", "direct", "teams"][..], &profile].concat());
        let name = match text_if_any(value, "service_account") {
            Some(id) => format!("serviceAccounts/{id}"),
            None => format!("users/{}", text(value, "user")),
        };
        Self {
            name,
            display_name: text_if_any(value, "display_name"),
            username: text_if_any(value, "username"),
            email: text_if_any(value, "email"),
            last_login: text_if_any(value, "last_login"),
            direct: value["direct"].as_bool().unwrap(),
            teams: texts(&value["teams"]),
        }
    }
}
