//! What a scenario file says, read strictly: a word that is not known is a mistake in the file.

use std::{fs, path::Path};

use serde_json::{Map, Value, json};

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
    /// What is written before the question, with the words of the error that it has to be refused with.
    pub steps: Vec<(Step, Option<String>)>,
    pub checks: Vec<Question>,
    /// Whose roles, and all of them.
    pub roles_of: Option<(String, Vec<HeldRole>)>,
    pub listed: Vec<Listed>,
}

#[derive(Debug)]
pub struct Question {
    pub subject: String,
    pub permission: String,
    pub allow: bool,
    pub reason: String,
}

pub struct Listed {
    pub subject: String,
    pub permission: String,
    /// Roles and teams that it comes from; none: it must not be listed.
    pub through: Option<(Vec<String>, Vec<String>)>,
}

#[derive(Debug)]
pub enum Step {
    SetFeatures(Vec<String>),
    AccountState { active: bool },
    UserState { user: String, state: String },
    Member { team: String, user: String, joins: bool },
    Teams { user: String, teams: Vec<String>, joins: bool },
    Bind { holder: String, role: String },
    Unbind { holder: String, role: String },
    Delete { kind: String, id: String },
    CreateUser(String),
    CreateTeam(String),
    SetCustomRole { id: String, permissions: Vec<String> },
    CatalogAdds { role: String, permission: String, section: String, feature: Option<String> },
    RemoveRoleFromUser { user: String, role: String, leave_teams: bool },
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("{field} is missing in {value}")).to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|each| each.as_str().unwrap().to_owned()).collect()
}

impl Scenario {
    pub fn read(path: &Path, value: &Value) -> Self {
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
}

impl Case {
    fn read(value: &Value) -> Self {
        let known = ["name", "when", "check", "expect", "checks", "roles_of", "expect_roles", "listed", "not_listed"];
        for field in value.as_object().unwrap().keys() {
            assert!(known.contains(&field.as_str()), "{field} is not known in {value}");
        }
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
            listed.push(Listed {
                subject: text(each, "subject"),
                permission: text(each, "permission"),
                through: is_listed.then(|| (texts(&each["roles"]), texts(&each["teams"]))),
            });
        }
        let steps = value.get("when").into_iter().flat_map(|steps| steps.as_array().unwrap());
        let case = Self {
            name: text(value, "name"),
            steps: steps.map(|step| Step::read(step.as_object().unwrap())).collect(),
            checks,
            roles_of,
            listed,
        };
        assert!(
            !case.checks.is_empty() || case.roles_of.is_some() || !case.listed.is_empty(),
            "the case {:?} asks nothing",
            case.name
        );
        case
    }
}

impl Question {
    fn read(value: &Value) -> Self {
        let decision = text(value, "decision");
        assert!(decision == "allow" || decision == "deny", "{decision}");
        Self {
            subject: text(value, "subject"),
            permission: text(value, "permission"),
            allow: decision == "allow",
            reason: text(value, "reason"),
        }
    }
}

impl Step {
    fn read(step: &Map<String, Value>) -> (Self, Option<String>) {
        let refused = step.get("refused").map(|words| words.as_str().unwrap().to_owned());
        let mut words = step.iter().filter(|(word, _)| *word != "refused");
        let (word, value) = words.next().unwrap();
        assert!(words.next().is_none(), "{step:?} is more than one step");
        let id = || value.as_str().unwrap().to_owned();
        let step = match word.as_str() {
            "set_features" => Self::SetFeatures(texts(value)),
            "suspend_account" => Self::AccountState { active: false },
            "activate_account" => Self::AccountState { active: true },
            "suspend_user" => Self::UserState { user: id(), state: "suspended".into() },
            "activate_user" => Self::UserState { user: id(), state: "active".into() },
            "invite_user" => Self::UserState { user: id(), state: "invited".into() },
            "add_member" | "remove_member" => {
                Self::Member { team: text(value, "team"), user: text(value, "user"), joins: word == "add_member" }
            }
            "join_teams" | "leave_teams" => {
                Self::Teams { user: text(value, "user"), teams: texts(&value["teams"]), joins: word == "join_teams" }
            }
            "bind" => Self::Bind { holder: text(value, "holder"), role: text(value, "role") },
            "unbind" => Self::Unbind { holder: text(value, "holder"), role: text(value, "role") },
            "delete_user" => Self::Delete { kind: "user".into(), id: id() },
            "delete_team" => Self::Delete { kind: "team".into(), id: id() },
            "delete_role" => Self::Delete { kind: "role".into(), id: id() },
            "create_user" => Self::CreateUser(id()),
            "create_team" => Self::CreateTeam(id()),
            "set_custom_role" => {
                Self::SetCustomRole { id: text(value, "id"), permissions: texts(&value["permissions"]) }
            }
            "catalog_adds" => Self::CatalogAdds {
                role: text(value, "role"),
                permission: text(value, "permission"),
                section: text(value, "section"),
                feature: value.get("feature").map(|feature| feature.as_str().unwrap().to_owned()),
            },
            "remove_role_from_user" => Self::RemoveRoleFromUser {
                user: text(value, "user"),
                role: text(value, "role"),
                leave_teams: value["leave_teams"].as_bool().unwrap(),
            },
            other => panic!("{other} is no step"),
        };
        (step, refused)
    }
}
