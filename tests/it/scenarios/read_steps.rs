//! The words by which a file says its writes.

use serde_json::{Map, Value};

use super::{
    steps::{Access, CustomRole, Exception, GivenRole, Newcomer, Parts, Policy, Refusal, Step, Went},
    words::{is, moment_if_any, number, only, text, text_if_any, texts, texts_if_any},
};

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
