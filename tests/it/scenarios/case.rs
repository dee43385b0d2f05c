//! What a scenario file says, read strictly: a word that is not known is a mistake in the file.
//!
//! A managed role is named by its id, a custom one as `custom/{id}`; whoever holds roles as `users/{id}`, `teams/{id}`
//! or `serviceAccounts/{id}`.

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
    /// What is written before the question; some of it has to be refused.
    pub steps: Vec<(Step, Option<Refusal>)>,
    pub checks: Vec<Question>,
    /// Whose roles, and all of them.
    pub roles_of: Option<(String, Vec<HeldRole>)>,
    pub listed: Vec<Listed>,
    pub lists: Vec<List>,
}

/// How a write has to be refused: the reason for programs, and words of the message for people.
#[derive(Debug)]
pub struct Refusal {
    pub reason: String,
    pub words: String,
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

/// A custom role as it is to be, all in one write.
#[derive(Debug)]
pub struct CustomRole {
    pub id: String,
    pub display_name: Option<String>,
    pub description: Option<String>,
    pub permissions: Vec<String>,
    pub left_out_api_scopes: Option<Vec<String>>,
    /// Only for a new one: sections that it has whole, managed roles that are copied into it, and who holds it.
    pub sections: Vec<String>,
    pub import_roles: Vec<String>,
    pub users: Vec<String>,
}

/// Someone new, with all that it gets in the same write.
#[derive(Debug, Default)]
pub struct Newcomer {
    pub id: String,
    pub state: Option<String>,
    pub roles: Vec<String>,
    pub teams: Vec<String>,
    pub members: Vec<String>,
}

#[derive(Debug)]
pub enum Step {
    SetFeatures(Vec<String>),
    AccountState {
        active: bool,
    },
    /// `users/{id}` or `serviceAccounts/{id}` and its new state.
    State {
        subject: String,
        state: String,
    },
    Member {
        team: String,
        user: String,
        joins: bool,
    },
    Teams {
        user: String,
        teams: Vec<String>,
        joins: bool,
    },
    Bind {
        holder: String,
        role: String,
    },
    Unbind {
        holder: String,
        role: String,
    },
    /// Takes a holder off a role by the role binding that the list of holders names.
    TakeOff {
        holder: String,
        role: String,
    },
    Delete {
        kind: String,
        id: String,
    },
    CreateUser(Newcomer),
    CreateTeam(Newcomer),
    CreateServiceAccount(Newcomer),
    /// Creates a custom role, or changes the one that is there.
    SetCustomRole(CustomRole),
    /// Changes the permissions of a role that is there.
    EditRole {
        role: String,
        permissions: Vec<String>,
    },
    DuplicateRole {
        role: String,
        id: String,
    },
    /// Adds the permissions of managed roles to a custom role, which it makes if there is none.
    ImportRoles {
        into: String,
        roles: Vec<String>,
        added: Option<Vec<String>>,
    },
    /// Adds all permissions of sections.
    AddSections {
        role: String,
        sections: Vec<String>,
        added: Option<Vec<String>>,
    },
    /// Deletes a custom role, or only asks what that would take: `held_by` is users, direct users and teams.
    DeleteRole {
        id: String,
        only_asked: bool,
        version_is_noted: bool,
        held_by: Option<(i64, i64, i64)>,
    },
    /// Notes the version of a role, which a later step names.
    NoteVersion {
        role: String,
    },
    RecordLogin {
        user: String,
        time: String,
    },
    CatalogAdds {
        role: String,
        permission: String,
        section: String,
        feature: Option<String>,
    },
    RemoveRoleFromUser {
        user: String,
        role: String,
        leave_teams: bool,
        went: Option<Went>,
    },
}

/// Everything that the answer has to name as gone.
#[derive(Debug)]
pub struct Went {
    pub left_teams: Vec<String>,
    pub lost_roles: Vec<String>,
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("{field} is missing in {value}")).to_owned()
}

fn text_if_any(value: &Value, field: &str) -> Option<String> {
    value.get(field).map(|_| text(value, field))
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|each| each.as_str().unwrap().to_owned()).collect()
}

fn texts_if_any(value: &Value, field: &str) -> Option<Vec<String>> {
    value.get(field).map(texts)
}

fn number<N: TryFrom<i64, Error: std::fmt::Debug>>(value: &Value, field: &str) -> N {
    let number = value[field].as_i64().unwrap_or_else(|| panic!("{field} is missing in {value}"));
    N::try_from(number).unwrap()
}

/// Panics over a word that the thing does not have.
fn only(value: &Value, known: &[&str]) {
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

impl Newcomer {
    /// An id, or an id with more.
    fn read(value: &Value, known: &[&str]) -> Self {
        if let Some(id) = value.as_str() {
            return Self { id: id.to_owned(), ..Self::default() };
        }
        only(value, &[&["id"][..], known].concat());
        let list = |field: &str| texts_if_any(value, field).unwrap_or_default();
        Self {
            id: text(value, "id"),
            state: text_if_any(value, "state"),
            roles: list("roles"),
            teams: list("teams"),
            members: list("members"),
        }
    }
}

impl CustomRole {
    fn read(value: &Value) -> Self {
        let parts = ["permissions", "sections", "import_roles", "left_out_api_scopes"];
        only(value, &[&["id", "display_name", "description", "users"][..], &parts].concat());
        let list = |field: &str| texts_if_any(value, field).unwrap_or_default();
        Self {
            id: text(value, "id"),
            display_name: text_if_any(value, "display_name"),
            description: text_if_any(value, "description"),
            permissions: texts(&value["permissions"]),
            left_out_api_scopes: texts_if_any(value, "left_out_api_scopes"),
            sections: list("sections"),
            import_roles: list("import_roles"),
            users: list("users"),
        }
    }
}

impl Refusal {
    fn read(value: &Value) -> Self {
        only(value, &["reason", "words"]);
        Self { reason: text(value, "reason"), words: text(value, "words") }
    }
}

impl Step {
    fn read(step: &Map<String, Value>) -> (Self, Option<Refusal>) {
        let refused = step.get("refused").map(Refusal::read);
        let mut words = step.iter().filter(|(word, _)| *word != "refused");
        let (word, value) = words.next().unwrap();
        assert!(words.next().is_none(), "{step:?} is more than one step");
        let id = || value.as_str().unwrap().to_owned();
        let user = |state: &str| Self::State { subject: format!("users/{}", id()), state: state.into() };
        let service_account =
            |state: &str| Self::State { subject: format!("serviceAccounts/{}", id()), state: state.into() };
        let step = match word.as_str() {
            "set_features" => Self::SetFeatures(texts(value)),
            "suspend_account" => Self::AccountState { active: false },
            "activate_account" => Self::AccountState { active: true },
            "suspend_user" => user("suspended"),
            "activate_user" => user("active"),
            "invite_user" => user("invited"),
            "suspend_service_account" => service_account("suspended"),
            "activate_service_account" => service_account("active"),
            "add_member" | "remove_member" => {
                Self::Member { team: text(value, "team"), user: text(value, "user"), joins: word == "add_member" }
            }
            "join_teams" | "leave_teams" => {
                Self::Teams { user: text(value, "user"), teams: texts(&value["teams"]), joins: word == "join_teams" }
            }
            "bind" => Self::Bind { holder: text(value, "holder"), role: text(value, "role") },
            "unbind" => Self::Unbind { holder: text(value, "holder"), role: text(value, "role") },
            "take_off" => Self::TakeOff { holder: text(value, "holder"), role: text(value, "role") },
            "delete_user" => Self::Delete { kind: "user".into(), id: id() },
            "delete_team" => Self::Delete { kind: "team".into(), id: id() },
            "delete_service_account" => Self::Delete { kind: "service account".into(), id: id() },
            "create_user" => Self::CreateUser(Newcomer::read(value, &["state", "roles", "teams"])),
            "create_team" => Self::CreateTeam(Newcomer::read(value, &["roles", "members"])),
            "create_service_account" => Self::CreateServiceAccount(Newcomer::read(value, &["state", "roles"])),
            "delete_role" => Self::read_deletion(value),
            "note_version" => Self::NoteVersion { role: id() },
            "record_login" => Self::RecordLogin { user: text(value, "user"), time: text(value, "time") },
            "catalog_adds" => Self::CatalogAdds {
                role: text(value, "role"),
                permission: text(value, "permission"),
                section: text(value, "section"),
                feature: text_if_any(value, "feature"),
            },
            "remove_role_from_user" => {
                only(value, &["user", "role", "leave_teams", "left_teams", "lost_roles"]);
                let left_teams = texts_if_any(value, "left_teams");
                let went = left_teams.map(|left_teams| Went { left_teams, lost_roles: texts(&value["lost_roles"]) });
                Self::RemoveRoleFromUser {
                    user: text(value, "user"),
                    role: text(value, "role"),
                    leave_teams: value["leave_teams"].as_bool().unwrap(),
                    went,
                }
            }
            other => Self::read_custom_role(other, value),
        };
        (step, refused)
    }

    fn read_custom_role(word: &str, value: &Value) -> Self {
        match word {
            "set_custom_role" => Self::SetCustomRole(CustomRole::read(value)),
            "edit_role" => {
                only(value, &["role", "permissions"]);
                Self::EditRole { role: text(value, "role"), permissions: texts(&value["permissions"]) }
            }
            "duplicate_role" => {
                only(value, &["role", "id"]);
                Self::DuplicateRole { role: text(value, "role"), id: text(value, "id") }
            }
            "import_roles" => {
                only(value, &["into", "roles", "added"]);
                let added = texts_if_any(value, "added");
                Self::ImportRoles { into: text(value, "into"), roles: texts(&value["roles"]), added }
            }
            "add_sections" => {
                only(value, &["role", "sections", "added"]);
                let added = texts_if_any(value, "added");
                Self::AddSections { role: text(value, "role"), sections: texts(&value["sections"]), added }
            }
            other => panic!("{other} is no step"),
        }
    }

    /// An id, or an id with how it is deleted and what has to be said about it.
    fn read_deletion(value: &Value) -> Self {
        if let Some(id) = value.as_str() {
            return Self::DeleteRole { id: id.to_owned(), only_asked: false, version_is_noted: false, held_by: None };
        }
        only(value, &["id", "only_asked", "noted_version", "held_by"]);
        let is = |field: &str| value.get(field).is_some_and(|each| each.as_bool().unwrap());
        let held_by = value.get("held_by").map(|counts| {
            only(counts, &["users", "direct_users", "teams"]);
            (number(counts, "users"), number(counts, "direct_users"), number(counts, "teams"))
        });
        Self::DeleteRole {
            id: text(value, "id"),
            only_asked: is("only_asked"),
            version_is_noted: is("noted_version"),
            held_by,
        }
    }
}
