//! The writes of a case, as its file says them.

use serde_json::Value;

use super::{
    case::Moment,
    words::{is, moment_if_any, only, text, text_if_any, texts, texts_if_any},
};

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
    pub fn read(value: &Value, known: &[&str]) -> Self {
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

pub fn each<T>(list: &Value, read: impl Fn(&Value) -> T) -> Vec<T> {
    list.as_array().unwrap_or_else(|| panic!("{list} is no list")).iter().map(read).collect()
}

impl Parts {
    pub const WORDS: [&str; 3] = ["policies", "parents", "covers"];

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

    pub fn of(value: &Value) -> Self {
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

    pub fn of(value: &Value) -> Self {
        let values = texts_if_any(value, "values");
        assert_ne!(values.is_some(), is(value, "all"), "values or all in {value}");
        Self { facet: text(value, "facet"), values }
    }
}

impl CustomRole {
    pub fn read(value: &Value) -> Self {
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
