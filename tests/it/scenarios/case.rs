//! What a scenario file says, read strictly: a word that is not known is a mistake in the file.
//!
//! A managed role or policy is named by its id, a custom one as `custom/{id}`; whoever holds roles as `users/{id}`,
//! `teams/{id}` or `serviceAccounts/{id}`; a resource by its path.

use std::{collections::BTreeMap, fs, path::Path};

use rolecall::model::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    lists::{List, Listed, Through},
    steps::{Refusal, Step},
    words::{moment_if_any, one_or_more, only, text, text_if_any, texts},
};

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

impl Asked {
    pub fn read(value: &Value) -> Self {
        match (text_if_any(value, "permission"), text_if_any(value, "api_scope")) {
            (Some(permission), None) => Self::Permission(permission),
            (None, Some(scope)) => Self::ApiScope(scope),
            _ => panic!("a permission or an API scope is asked for in {value}"),
        }
    }
}

impl About {
    pub const WORDS: [&str; 3] = ["resource", "facets", "attributes"];

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
