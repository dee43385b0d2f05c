//! The writes of a case, as its file says them.

use serde_json::{Map, Value};

use super::case::{Moment, is, moment_if_any, number, only, text, text_if_any, texts, texts_if_any};

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
    pub parts: Parts,
    /// Only for a new one: sections that it has whole, managed roles that are copied into it, and who holds it.
    pub sections: Vec<String>,
    pub import_roles: Vec<String>,
    pub users: Vec<String>,
}

/// What else a custom role consists of; none: as it is, and nothing of a new one.
#[derive(Debug, Default)]
pub struct Parts {
    pub policies: Option<Vec<String>>,
    pub parents: Option<Vec<String>>,
    /// The facets that it covers whole.
    pub covers: Option<Vec<String>>,
}

/// A custom policy as it is to be.
#[derive(Debug)]
pub struct Policy {
    pub id: String,
    pub display_name: Option<String>,
    pub description: Option<String>,
    pub statements: Vec<Statement>,
}

#[derive(Clone, Debug)]
pub struct Statement {
    /// Whether it allows; otherwise it denies.
    pub allows: bool,
    pub permissions: Vec<String>,
    /// None of them: every resource.
    pub resources: Vec<String>,
    pub condition: Option<String>,
}

/// A role that is given: on the account or a resource, for good or until a time.
#[derive(Debug)]
pub struct GivenRole {
    pub role: String,
    pub resource: Option<String>,
    pub expires: Option<Moment>,
}

/// What an access list has of a facet.
#[derive(Debug)]
pub struct Access {
    pub facet: String,
    /// None: all.
    pub values: Option<Vec<String>>,
}

/// One extra permission.
#[derive(Debug)]
pub struct Exception {
    pub permission: String,
    pub reason: String,
    pub expires: Option<Moment>,
}

/// Someone new, with all that it gets in the same write.
#[derive(Debug, Default)]
pub struct Newcomer {
    pub id: String,
    pub state: Option<String>,
    pub roles: Vec<GivenRole>,
    pub teams: Vec<String>,
    pub members: Vec<String>,
    pub access: Vec<Access>,
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
        given: GivenRole,
    },
    /// Takes away the role binding on the resource, or on the account.
    Unbind {
        holder: String,
        role: String,
        resource: Option<String>,
    },
    /// Takes a holder off a role by the role binding that the list of holders names.
    TakeOff {
        holder: String,
        role: String,
    },
    Delete {
        kind: String,
        id: String,
        force: bool,
    },
    RegisterResource {
        path: String,
        display_name: Option<String>,
    },
    /// Deletes a resource; with force, what is on and below it too.
    DeleteResource {
        path: String,
        force: bool,
    },
    CreatePolicy(Policy),
    UpdatePolicy(Policy),
    DeletePolicy {
        id: String,
        force: bool,
    },
    /// Replaces what a user's or a team's access list has of a facet.
    SetAccess {
        holder: String,
        access: Access,
    },
    GrantException {
        user: String,
        exception: Exception,
    },
    RevokeException {
        user: String,
        permission: String,
    },
    CreateUser(Newcomer),
    CreateTeam(Newcomer),
    CreateServiceAccount(Newcomer),
    /// Creates a custom role, or changes the one that is there.
    SetCustomRole(CustomRole),
    /// Changes of a role that is there what is given.
    EditRole {
        role: String,
        permissions: Option<Vec<String>>,
        parts: Parts,
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
        force: bool,
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
    /// Adds a permission to the catalog, and to one of its roles or to none.
    CatalogAdds {
        role: Option<String>,
        permission: String,
        section: String,
        feature: Option<String>,
        resource_type: Option<String>,
        facets: Vec<String>,
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
            roles: value.get("roles").map(|roles| each(roles, GivenRole::read)).unwrap_or_default(),
            teams: list("teams"),
            members: list("members"),
            access: value.get("access").map(|access| each(access, Access::read)).unwrap_or_default(),
        }
    }
}

fn each<T>(list: &Value, read: impl Fn(&Value) -> T) -> Vec<T> {
    list.as_array().unwrap_or_else(|| panic!("{list} is no list")).iter().map(read).collect()
}

impl Parts {
    const WORDS: [&str; 3] = ["policies", "parents", "covers"];

    pub fn read(value: &Value) -> Self {
        Self {
            policies: texts_if_any(value, "policies"),
            parents: texts_if_any(value, "parents"),
            covers: texts_if_any(value, "covers"),
        }
    }
}

impl Policy {
    pub fn read(value: &Value) -> Self {
        only(value, &["id", "display_name", "description", "statements"]);
        Self {
            id: text(value, "id"),
            display_name: text_if_any(value, "display_name"),
            description: text_if_any(value, "description"),
            statements: each(&value["statements"], Statement::read),
        }
    }
}

impl Statement {
    fn read(value: &Value) -> Self {
        only(value, &["effect", "permissions", "resources", "condition"]);
        let effect = text(value, "effect");
        assert!(effect == "allow" || effect == "deny", "{effect}");
        Self {
            allows: effect == "allow",
            permissions: texts(&value["permissions"]),
            resources: texts_if_any(value, "resources").unwrap_or_default(),
            condition: text_if_any(value, "condition"),
        }
    }
}

impl GivenRole {
    /// A role, or a role with where and how long.
    pub fn read(value: &Value) -> Self {
        if let Some(role) = value.as_str() {
            return Self { role: role.to_owned(), resource: None, expires: None };
        }
        only(value, &["role", "resource", "expires"]);
        Self::of(value)
    }

    fn of(value: &Value) -> Self {
        Self {
            role: text(value, "role"),
            resource: text_if_any(value, "resource"),
            expires: moment_if_any(value, "expires"),
        }
    }
}

impl Access {
    pub fn read(value: &Value) -> Self {
        only(value, &["facet", "values", "all"]);
        Self::of(value)
    }

    fn of(value: &Value) -> Self {
        let values = texts_if_any(value, "values");
        assert_ne!(values.is_some(), is(value, "all"), "values or all in {value}");
        Self { facet: text(value, "facet"), values }
    }
}

impl CustomRole {
    fn read(value: &Value) -> Self {
        let parts = ["permissions", "sections", "import_roles", "left_out_api_scopes"];
        only(value, &[&["id", "display_name", "description", "users"][..], &parts, &Parts::WORDS].concat());
        let list = |field: &str| texts_if_any(value, field).unwrap_or_default();
        Self {
            id: text(value, "id"),
            display_name: text_if_any(value, "display_name"),
            description: text_if_any(value, "description"),
            permissions: list("permissions"),
            left_out_api_scopes: texts_if_any(value, "left_out_api_scopes"),
            parts: Parts::read(value),
            sections: list("sections"),
            import_roles: list("import_roles"),
            users: list("users"),
        }
    }
}

impl Refusal {
    pub fn read(value: &Value) -> Self {
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
            "bind" => {
                only(value, &["holder", "role", "resource", "expires"]);
                Self::Bind { holder: text(value, "holder"), given: GivenRole::of(value) }
            }
            "unbind" => {
                only(value, &["holder", "role", "resource"]);
                let resource = text_if_any(value, "resource");
                Self::Unbind { holder: text(value, "holder"), role: text(value, "role"), resource }
            }
            "take_off" => Self::TakeOff { holder: text(value, "holder"), role: text(value, "role") },
            "delete_user" => Self::read_delete("user", value),
            "delete_team" => Self::read_delete("team", value),
            "delete_service_account" => Self::read_delete("service account", value),
            "create_user" => Self::CreateUser(Newcomer::read(value, &["state", "roles", "teams", "access"])),
            "create_team" => Self::CreateTeam(Newcomer::read(value, &["roles", "members", "access"])),
            "create_service_account" => Self::CreateServiceAccount(Newcomer::read(value, &["state", "roles"])),
            "delete_role" => Self::read_deletion(value),
            "note_version" => Self::NoteVersion { role: id() },
            "record_login" => Self::RecordLogin { user: text(value, "user"), time: text(value, "time") },
            "catalog_adds" => {
                only(value, &["role", "permission", "section", "feature", "resource_type", "facets"]);
                Self::CatalogAdds {
                    role: text_if_any(value, "role"),
                    permission: text(value, "permission"),
                    section: text(value, "section"),
                    feature: text_if_any(value, "feature"),
                    resource_type: text_if_any(value, "resource_type"),
                    facets: texts_if_any(value, "facets").unwrap_or_default(),
                }
            }
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
                only(value, &[&["role", "permissions"][..], &Parts::WORDS].concat());
                let permissions = texts_if_any(value, "permissions");
                Self::EditRole { role: text(value, "role"), permissions, parts: Parts::read(value) }
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
            other => Self::read_reach(other, value),
        }
    }

    /// What bounds or widens what roles give: resources, policies, access lists, exceptions.
    fn read_reach(word: &str, value: &Value) -> Self {
        match word {
            "register_resource" => {
                if let Some(path) = value.as_str() {
                    return Self::RegisterResource { path: path.to_owned(), display_name: None };
                }
                only(value, &["path", "display_name"]);
                Self::RegisterResource { path: text(value, "path"), display_name: text_if_any(value, "display_name") }
            }
            "delete_resource" => {
                if let Some(path) = value.as_str() {
                    return Self::DeleteResource { path: path.to_owned(), force: false };
                }
                only(value, &["path", "force"]);
                Self::DeleteResource { path: text(value, "path"), force: is(value, "force") }
            }
            "create_policy" => Self::CreatePolicy(Policy::read(value)),
            "update_policy" => Self::UpdatePolicy(Policy::read(value)),
            "delete_policy" => {
                let (id, force) = id_and_force(value);
                Self::DeletePolicy { id, force }
            }
            "set_access" => {
                only(value, &["holder", "facet", "values", "all"]);
                Self::SetAccess { holder: text(value, "holder"), access: Access::of(value) }
            }
            "grant_exception" => {
                only(value, &["user", "permission", "reason", "expires"]);
                let exception = Exception {
                    permission: text(value, "permission"),
                    reason: text(value, "reason"),
                    expires: moment_if_any(value, "expires"),
                };
                Self::GrantException { user: text(value, "user"), exception }
            }
            "revoke_exception" => {
                only(value, &["user", "permission"]);
                Self::RevokeException { user: text(value, "user"), permission: text(value, "permission") }
            }
            other => panic!("{other} is no step"),
        }
    }

    fn read_delete(kind: &str, value: &Value) -> Self {
        let (id, force) = id_and_force(value);
        Self::Delete { kind: kind.to_owned(), id, force }
    }

    /// An id, or an id with how it is deleted and what has to be said about it.
    fn read_deletion(value: &Value) -> Self {
        if let Some(id) = value.as_str() {
            return Self::DeleteRole {
                id: id.to_owned(),
                only_asked: false,
                version_is_noted: false,
                force: false,
                held_by: None,
            };
        }
        only(value, &["id", "only_asked", "noted_version", "force", "held_by"]);
        let held_by = value.get("held_by").map(|counts| {
            only(counts, &["users", "direct_users", "teams"]);
            (number(counts, "users"), number(counts, "direct_users"), number(counts, "teams"))
        });
        Self::DeleteRole {
            id: text(value, "id"),
            only_asked: is(value, "only_asked"),
            version_is_noted: is(value, "noted_version"),
            force: is(value, "force"),
            held_by,
        }
    }
}

/// An id, or an id with whether it is deleted although it is in use.
fn id_and_force(value: &Value) -> (String, bool) {
    if let Some(id) = value.as_str() {
        return (id.to_owned(), false);
    }
    only(value, &["id", "force"]);
    (text(value, "id"), is(value, "force"))
}
