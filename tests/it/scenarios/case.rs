//! What a scenario file says, read strictly: a word that is not known is a mistake in the file.
//!
//! A managed role is named by its id, a custom one as `custom/{id}`; whoever holds roles as `users/{id}`, `teams/{id}`
//! or `serviceAccounts/{id}`.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::steps::{Refusal, Step};

pub struct Scenario {
    pub catalog: Value,
    pub catalog_id: String,
    pub account: Value,
    pub cases: Vec<Case>,
}

/// A role that is held: its name, whether directly, and through which teams.
pub type HeldRole = (String, bool, Vec<String>);

pub struct Case {
    pub name: String,
    /// What is written before the question; some of it has to be refused.
    pub steps: Vec<(Step, Option<Refusal>)>,
    pub checks: Vec<Question>,
    /// Whose roles, and all of them.
    pub roles_of: Option<(String, Vec<HeldRole>)>,
    pub listed: Vec<Listed>,
    pub lists: Vec<List>,
}

#[derive(Debug)]
pub struct Question {
    pub subject: String,
    pub asked: Asked,
    pub allow: bool,
    pub reason: String,
}

#[derive(Debug)]
pub enum Asked {
    Permission(String),
    ApiScope(String),
}

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
    pub permissions: i32,
    pub api_scopes: i32,
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

pub fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("{field} is missing in {value}")).to_owned()
}

pub fn text_if_any(value: &Value, field: &str) -> Option<String> {
    value.get(field).map(|_| text(value, field))
}

pub fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|each| each.as_str().unwrap().to_owned()).collect()
}

pub fn texts_if_any(value: &Value, field: &str) -> Option<Vec<String>> {
    value.get(field).map(texts)
}

pub fn number<N: TryFrom<i64, Error: std::fmt::Debug>>(value: &Value, field: &str) -> N {
    let number = value[field].as_i64().unwrap_or_else(|| panic!("{field} is missing in {value}"));
    N::try_from(number).unwrap()
}

/// Panics over a word that the thing does not have.
pub fn only(value: &Value, known: &[&str]) {
    for field in value.as_object().unwrap_or_else(|| panic!("{value} has no words")).keys() {
        assert!(known.contains(&field.as_str()), "{field} is not known in {value}");
    }
}

impl Scenario {
    pub fn read(path: &Path, value: &Value) -> Self {
        only(value, &["title", "catalog", "account", "cases"]);
        let catalog = fs::read_to_string(path.parent().unwrap().join(text(value, "catalog"))).unwrap();
        let catalog: Value = serde_saphyr::from_str(&catalog).unwrap();
        let cases = value["cases"].as_array().unwrap().iter().map(Case::read).collect();
        Self { catalog_id: text(&catalog, "id"), catalog, account: value["account"].clone(), cases }
    }

    /// The catalog under another id.
    pub fn catalog_as(&self, id: &str) -> String {
        let mut catalog = self.catalog.clone();
        catalog["id"] = json!(id);
        catalog.to_string()
    }

    /// The account under another id and catalog.
    pub fn account_as(&self, id: &str, catalog: &str) -> String {
        let mut account = self.account.clone();
        account["id"] = json!(id);
        account["catalog"] = json!(catalog);
        account.to_string()
    }

    /// A new version of the catalog in which a managed role has gained a permission.
    pub fn catalog_with(&self, step: &Step, id: &str) -> String {
        let Step::CatalogAdds { role, permission, section, feature } = step else { unreachable!("no such step") };
        let mut catalog: Value = serde_json::from_str(&self.catalog_as(id)).unwrap();
        let mut definition = json!({"id": permission, "section": section});
        if let Some(feature) = feature {
            definition["feature"] = json!(feature);
        }
        catalog["permissions"].as_array_mut().unwrap().push(definition);
        let roles = catalog["roles"].as_array_mut().unwrap();
        let role = roles.iter_mut().find(|each| each["id"] == json!(role)).unwrap();
        role["permissions"].as_array_mut().unwrap().push(json!(permission));
        catalog.to_string()
    }

    /// The ids of all API scopes, ordered.
    pub fn api_scopes(&self) -> Vec<String> {
        let mut ids: Vec<String> =
            self.catalog["api_scopes"].as_array().into_iter().flatten().map(|each| text(each, "id")).collect();
        ids.sort();
        ids
    }
}

impl Case {
    fn read(value: &Value) -> Self {
        let mut known =
            vec!["name", "when", "check", "expect", "checks", "roles_of", "expect_roles", "listed", "not_listed"];
        known.extend(List::WORDS);
        only(value, &known);
        let mut checks: Vec<Question> = Vec::new();
        if let Some(check) = value.get("check") {
            let mut whole = check.clone();
            whole["decision"] = value["expect"]["decision"].clone();
            whole["reason"] = value["expect"]["reason"].clone();
            checks.push(Question::read(&whole));
        }
        checks.extend(value.get("checks").into_iter().flat_map(|list| list.as_array().unwrap()).map(Question::read));
        let roles_of = value.get("roles_of").map(|subject| {
            let role = |role: &Value| (text(role, "role"), role["direct"].as_bool().unwrap(), texts(&role["teams"]));
            let mut roles: Vec<_> = value["expect_roles"].as_array().unwrap().iter().map(role).collect();
            roles.sort();
            (subject.as_str().unwrap().to_owned(), roles)
        });
        let mut listed = Vec::new();
        for (field, is_listed) in [("listed", true), ("not_listed", false)] {
            let Some(each) = value.get(field) else { continue };
            only(each, &["subject", "permission", "roles", "teams", "api_scopes"]);
            listed.push(Listed {
                subject: text(each, "subject"),
                permission: text(each, "permission"),
                through: is_listed.then(|| Through {
                    roles: texts(&each["roles"]),
                    teams: texts(&each["teams"]),
                    api_scopes: texts_if_any(each, "api_scopes"),
                }),
            });
        }
        let list = |word: &&str| value.get(*word).map(|each| List::read(word, each));
        let steps = value.get("when").into_iter().flat_map(|steps| steps.as_array().unwrap());
        let case = Self {
            name: text(value, "name"),
            steps: steps.map(|step| Step::read(step.as_object().unwrap())).collect(),
            checks,
            roles_of,
            listed,
            lists: List::WORDS.iter().filter_map(list).collect(),
        };
        assert!(
            !case.checks.is_empty() || case.roles_of.is_some() || !case.listed.is_empty() || !case.lists.is_empty(),
            "the case {:?} asks nothing",
            case.name
        );
        case
    }

    pub fn changes_catalog(&self) -> bool {
        self.steps.iter().any(|(step, _)| matches!(step, Step::CatalogAdds { .. }))
    }
}

impl Question {
    fn read(value: &Value) -> Self {
        only(value, &["subject", "permission", "api_scope", "decision", "reason"]);
        let decision = text(value, "decision");
        assert!(decision == "allow" || decision == "deny", "{decision}");
        let asked = match (text_if_any(value, "permission"), text_if_any(value, "api_scope")) {
            (Some(permission), None) => Asked::Permission(permission),
            (None, Some(scope)) => Asked::ApiScope(scope),
            _ => panic!("a permission or an API scope is asked for in {value}"),
        };
        Self { subject: text(value, "subject"), asked, allow: decision == "allow", reason: text(value, "reason") }
    }
}

impl List {
    const WORDS: [&str; 7] =
        ["role_row", "search_roles", "role_sections", "holders", "permission_row", "api_scope_row", "api_scopes_of"];

    fn read(word: &str, value: &Value) -> Self {
        match word {
            "role_row" => {
                let counts = ["users", "direct_users", "permissions", "api_scopes"];
                only(value, &[&["role", "kind", "display_name", "description"][..], &counts].concat());
                Self::Row(Row {
                    role: text(value, "role"),
                    kind: text(value, "kind"),
                    display_name: text_if_any(value, "display_name"),
                    description: text_if_any(value, "description"),
                    users: number(value, "users"),
                    direct_users: number(value, "direct_users"),
                    permissions: number(value, "permissions"),
                    api_scopes: number(value, "api_scopes"),
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
