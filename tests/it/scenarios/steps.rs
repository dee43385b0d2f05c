//! The writes of a case, as its file says them.

use serde_json::{Map, Value};

use super::case::{number, only, text, text_if_any, texts, texts_if_any};

/// How a write has to be refused: the reason for programs, and words of the message for people.
#[derive(Debug)]
pub struct Refusal {
    pub reason: String,
    pub words: String,
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
    pub fn read(step: &Map<String, Value>) -> (Self, Option<Refusal>) {
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
