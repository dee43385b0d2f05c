//! What a scenario file says, read strictly: a word that is not known is a mistake in the file.
//!
//! A managed role or policy is named by its id, a custom one as `custom/{id}`; whoever holds roles as `users/{id}`,
//! `teams/{id}` or `serviceAccounts/{id}`; a resource by its path.

use std::{collections::BTreeMap, fs, path::Path};

use rolecall::model::Timestamp;
use serde_json::{Map, Value, json};

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
    pub about: About,
    /// When it is asked; none: when the case has got so far.
    pub at: Option<Moment>,
    pub allow: bool,
    /// Empty if the question is refused.
    pub reason: String,
    /// How it is refused, if it is an error and not a denial.
    pub refused: Option<Refusal>,
}

#[derive(Debug)]
pub enum Asked {
    Permission(String),
    ApiScope(String),
}

/// What a question says beside who may do what.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct About {
    pub resource: Option<String>,
    /// Facets and their values, which are paths.
    pub facets: BTreeMap<String, String>,
    pub attributes: Map<String, Value>,
}

/// A time: `2099-01-01T00:00:00Z`, or `+60s`, which is so many seconds after the case began.
#[derive(Clone, Debug)]
pub enum Moment {
    At(String),
    AfterSeconds(u64),
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

/// Whether it is so; not if nothing is said.
pub fn is(value: &Value, field: &str) -> bool {
    value.get(field).is_some_and(|each| each.as_bool().unwrap_or_else(|| panic!("{field} is no yes or no in {value}")))
}

pub fn moment_if_any(value: &Value, field: &str) -> Option<Moment> {
    let text = text_if_any(value, field)?;
    let Some(seconds) = text.strip_prefix('+') else {
        assert!(text.ends_with('Z') && text.contains('T'), "{text} is no time");
        return Some(Moment::At(text));
    };
    let seconds = seconds.strip_suffix('s').and_then(|number| number.parse().ok());
    Some(Moment::AfterSeconds(seconds.unwrap_or_else(|| panic!("{text} is no number of seconds"))))
}

/// One of a thing, or a list of them.
fn one_or_more(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |list| list.iter().collect())
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
        // A file names a catalog, or has one in it.
        let catalog = match value["catalog"].as_str() {
            Some(file) => {
                let catalog = fs::read_to_string(path.parent().unwrap().join(file)).unwrap();
                serde_saphyr::from_str(&catalog).unwrap()
            }
            None => value["catalog"].clone(),
        };
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

    /// A new version of the catalog that has one more permission, which a managed role may have gained.
    pub fn catalog_with(&self, step: &Step, id: &str) -> String {
        let Step::CatalogAdds { role, permission, section, feature, resource_type, facets } = step else {
            unreachable!("no such step")
        };
        let mut catalog: Value = serde_json::from_str(&self.catalog_as(id)).unwrap();
        let mut definition = json!({"id": permission, "section": section});
        if let Some(feature) = feature {
            definition["feature"] = json!(feature);
        }
        if let Some(resource_type) = resource_type {
            definition["resource_type"] = json!(resource_type);
        }
        if !facets.is_empty() {
            definition["facets"] = json!(facets);
        }
        catalog["permissions"].as_array_mut().unwrap().push(definition);
        // Without a role it is for whoever has a pattern that matches it.
        let Some(role) = role else { return catalog.to_string() };
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
            for each in value.get(field).map(one_or_more).unwrap_or_default() {
                only(each, &Listed::WORDS[..if is_listed { 8 } else { 2 }]);
                listed.push(Listed {
                    subject: text(each, "subject"),
                    permission: text(each, "permission"),
                    through: is_listed.then(|| Through::read(each)),
                });
            }
        }
        let list = |word: &&'static str| {
            let lists = value.get(*word).map(one_or_more).unwrap_or_default();
            lists.into_iter().map(|each| List::read(word, each)).collect::<Vec<_>>()
        };
        let steps = value.get("when").into_iter().flat_map(|steps| steps.as_array().unwrap());
        let case = Self {
            name: text(value, "name"),
            steps: steps.map(|step| Step::read(step.as_object().unwrap())).collect(),
            checks,
            roles_of,
            listed,
            lists: List::WORDS.iter().flat_map(list).collect(),
        };
        assert!(
            !case.checks.is_empty() || case.roles_of.is_some() || !case.listed.is_empty() || !case.lists.is_empty(),
            "the case {:?} asks nothing",
            case.name
        );
        case
    }

    /// The later moments at which it asks something.
    pub fn moments(&self) -> Vec<Timestamp> {
        self.checks.iter().filter_map(|check| check.at.as_ref().map(Moment::instant)).collect()
    }

    pub fn changes_catalog(&self) -> bool {
        self.steps.iter().any(|(step, _)| matches!(step, Step::CatalogAdds { .. }))
    }
}

impl Listed {
    /// What is said of both kinds first.
    const WORDS: [&str; 8] =
        ["subject", "permission", "roles", "teams", "api_scopes", "exception", "resources", "facets"];
}

impl Through {
    fn read(value: &Value) -> Self {
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

impl Asked {
    fn read(value: &Value) -> Self {
        match (text_if_any(value, "permission"), text_if_any(value, "api_scope")) {
            (Some(permission), None) => Self::Permission(permission),
            (None, Some(scope)) => Self::ApiScope(scope),
            _ => panic!("a permission or an API scope is asked for in {value}"),
        }
    }
}

impl About {
    const WORDS: [&str; 3] = ["resource", "facets", "attributes"];

    pub fn read(value: &Value) -> Self {
        let object = |field: &str| value.get(field).map(|each| each.as_object().unwrap().clone()).unwrap_or_default();
        let facets = object("facets").into_iter();
        Self {
            resource: text_if_any(value, "resource"),
            facets: facets.map(|(facet, value)| (facet, value.as_str().unwrap().to_owned())).collect(),
            attributes: object("attributes"),
        }
    }
}

impl Question {
    fn read(value: &Value) -> Self {
        let expected = if value.get("refused").is_some() { &["refused"][..] } else { &["decision", "reason"][..] };
        only(value, &[&["subject", "permission", "api_scope", "at"][..], &About::WORDS, expected].concat());
        let refused = value.get("refused").map(Refusal::read);
        let (mut allow, mut reason) = (false, String::new());
        if refused.is_none() {
            let decision = text(value, "decision");
            assert!(decision == "allow" || decision == "deny", "{decision}");
            allow = decision == "allow";
            reason = text(value, "reason");
            assert_eq!(allow, reason == "ALLOWED", "{value}");
        }
        Self {
            subject: text(value, "subject"),
            asked: Asked::read(value),
            about: About::read(value),
            at: moment_if_any(value, "at"),
            allow,
            reason,
            refused,
        }
    }
}

impl List {
    const WORDS: [&str; 9] = [
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
