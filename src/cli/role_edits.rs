//! `roles create|edit|duplicate|import|delete`: what changes a custom role.
//!
//! An edit is one write: the role is read, changed here, and sent with the etag that it had, so that nothing of somebody
//! else's is lost. Start with [`Create`].

use std::collections::BTreeSet;

use clap::{Args, builder::NonEmptyStringValueParser};

use super::{
    Exit, Failure,
    names::{Account, listed, policy_of, role_of},
    roles,
    session::{Mode, RiskyArgs, Session, WriteArgs, count},
    shown::Shown,
    uses::went,
};
use crate::proto::{
    CreateRoleRequest, DeleteRoleRequest, DuplicateRoleRequest, ImportRolePermissionsRequest, Role, RoleHolderCounts,
    UpdateRoleRequest,
};

/// `roles create`.
#[derive(Args, Debug)]
pub struct Create {
    /// The id of the new role
    #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    id: String,

    /// What people call it
    #[arg(long, value_name = "TEXT")]
    name: String,

    /// What it is for
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    description: String,

    /// A permission that it contains; may be repeated, as all that follow
    #[arg(long = "permission", value_name = "ID")]
    permissions: Vec<String>,

    /// A section of which it contains every permission
    #[arg(long = "section", value_name = "ID")]
    sections: Vec<String>,

    /// A managed role whose permissions are copied
    #[arg(long = "import", value_name = "ROLE")]
    imports: Vec<String>,

    /// An access policy that it contains: the id of a managed one, or custom/ID
    #[arg(long = "policy", value_name = "POLICY")]
    policies: Vec<String>,

    /// A role all of whose contents it has too: the id of a managed one, or custom/ID
    #[arg(long = "parent", value_name = "ROLE")]
    parents: Vec<String>,

    /// A facet that it covers whole, so that what it lists needs no access list: a resource type, or "feature"
    #[arg(long = "cover", value_name = "FACET")]
    covers: Vec<String>,

    /// Who is to hold it: users/ID, teams/ID or serviceAccounts/ID
    #[arg(long = "holder", value_name = "HOLDER")]
    holders: Vec<String>,

    /// An API scope that it does not provide
    #[arg(long, value_name = "SCOPE")]
    leave_out: Vec<String>,

    #[command(flatten)]
    write: WriteArgs,
}

/// `roles edit`.
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub struct Edit {
    /// The custom role: custom/ID, or just ID
    #[arg(value_name = "ROLE", value_parser = NonEmptyStringValueParser::new())]
    role: String,

    /// What people call it
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,

    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,

    /// A permission to put in; may be repeated, as all that follow
    #[arg(long = "add-permission", value_name = "ID")]
    add_permissions: Vec<String>,

    /// A permission to take out
    #[arg(long = "remove-permission", value_name = "ID")]
    remove_permissions: Vec<String>,

    /// A section whose permissions are all put in
    #[arg(long = "add-section", value_name = "ID")]
    add_sections: Vec<String>,

    /// A section whose permissions are all taken out
    #[arg(long = "remove-section", value_name = "ID")]
    remove_sections: Vec<String>,

    /// An access policy to put in: the id of a managed one, or custom/ID
    #[arg(long = "add-policy", alias = "policy", value_name = "POLICY")]
    add_policies: Vec<String>,

    /// An access policy to take out
    #[arg(long = "remove-policy", value_name = "POLICY")]
    remove_policies: Vec<String>,

    /// A role all of whose contents it is to have too: the id of a managed one, or custom/ID
    #[arg(long = "add-parent", alias = "parent", value_name = "ROLE")]
    add_parents: Vec<String>,

    /// A role whose contents it is to have no more
    #[arg(long = "remove-parent", value_name = "ROLE")]
    remove_parents: Vec<String>,

    /// A facet to cover whole: a resource type, or "feature"
    #[arg(long = "add-cover", alias = "cover", value_name = "FACET")]
    add_covers: Vec<String>,

    /// A facet to cover no more
    #[arg(long = "remove-cover", value_name = "FACET")]
    remove_covers: Vec<String>,

    /// An API scope to leave out
    #[arg(long, value_name = "SCOPE")]
    leave_out: Vec<String>,

    /// An API scope to leave out no more
    #[arg(long, value_name = "SCOPE")]
    put_back: Vec<String>,

    #[command(flatten)]
    write: WriteArgs,
}

/// `roles duplicate`.
#[derive(Args, Debug)]
pub struct Duplicate {
    /// The role to copy: the id of a managed one, or custom/ID
    #[arg(value_name = "ROLE", value_parser = NonEmptyStringValueParser::new())]
    role: String,

    /// The id of the copy
    #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    id: String,

    /// What people call it [default: "Copy of" and the name of the other]
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    name: String,

    /// What it is for [default: what the other says]
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    description: String,

    #[command(flatten)]
    write: WriteArgs,
}

/// `roles import`.
#[derive(Args, Debug)]
pub struct Import {
    /// The custom role: custom/ID, or just ID
    #[arg(value_name = "ROLE", value_parser = NonEmptyStringValueParser::new())]
    role: String,

    /// Managed roles whose permissions are added
    #[arg(value_name = "FROM", required = true)]
    from: Vec<String>,

    #[command(flatten)]
    write: WriteArgs,
}

/// `roles delete`.
#[derive(Args, Debug)]
pub struct Delete {
    /// The custom role: custom/ID, or just ID
    #[arg(value_name = "ROLE", value_parser = NonEmptyStringValueParser::new())]
    role: String,

    #[command(flatten)]
    risky: RiskyArgs,
}

impl Create {
    /// Creates the role.
    ///
    /// # Errors
    /// What the server says against it; so for all that follow.
    pub async fn run(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let holders = self.holders.iter().map(|holder| account.holder(holder)).collect::<Result<Vec<_>, _>>()?;
        let Mode { validate_only, request_id } = self.write.mode();
        let request = CreateRoleRequest {
            parent: account.0.clone(),
            role_id: account.custom_role_id(&self.id)?,
            role: Some(Role {
                display_name: self.name,
                description: self.description,
                permissions: self.permissions,
                left_out_api_scopes: self.leave_out,
                access_policies: account.policies(&session.client, &self.policies).await?,
                parents: account.roles(&session.client, &self.parents).await?,
                covered_facets: self.covers,
                ..Role::default()
            }),
            import_roles: account.roles(&session.client, &self.imports).await?,
            sections: self.sections,
            holders: holders.clone(),
            validate_only,
            request_id,
        };
        let client = &session.client;
        let answer = client.answer(client.roles().create_role(client.request(request))).await?;
        let held = if holders.is_empty() { String::new() } else { format!(", held by {}", holders.join(", ")) };
        let sentence = format!("created {}{held}", described(answer.role.as_ref()));
        session.done(&self.write, &sentence, &Shown(&answer))
    }
}

impl Edit {
    /// Changes the role.
    ///
    /// # Errors
    /// As [`Create::run`].
    pub async fn run(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let name = account.custom_role(&self.role)?;
        let (before, _) = roles::read(session, account, &name).await?;
        let mut role = Role { name: name.clone(), etag: before.etag.clone(), ..Role::default() };
        let mut paths = Vec::new();
        if let Some(display_name) = self.name {
            role.display_name = display_name;
            paths.push("display_name".to_owned());
        }
        if let Some(description) = self.description {
            role.description = description;
            paths.push("description".to_owned());
        }
        let with_sections = !self.add_sections.is_empty() || !self.remove_sections.is_empty();
        if with_sections || !self.add_permissions.is_empty() || !self.remove_permissions.is_empty() {
            let sections = if with_sections { roles::sections(session, &name).await? } else { Vec::new() };
            let of_sections = |ids: &[String], contained_only: bool| {
                let mut permissions = Vec::new();
                for id in ids {
                    let section = sections.iter().find(|section| section.section == *id).ok_or_else(|| {
                        Failure::new(Exit::NotFound, format!("the catalog has no section {id:?} for custom roles"))
                            .with_next(format!("to see the sections: rolecall roles show {} --all -o yaml", self.role))
                    })?;
                    let wanted =
                        section.permissions.iter().filter(|permission| permission.contained || !contained_only);
                    permissions.extend(wanted.map(|permission| permission.permission.clone()));
                }
                Ok::<_, Failure>(permissions)
            };
            let added = [self.add_permissions, of_sections(&self.add_sections, false)?].concat();
            let removed = [self.remove_permissions, of_sections(&self.remove_sections, true)?].concat();
            role.permissions = changed(&before.permissions, added, &removed, "contains no permission", &self.role)?;
            paths.push("permissions".to_owned());
        }
        if !self.leave_out.is_empty() || !self.put_back.is_empty() {
            let before = &before.left_out_api_scopes;
            role.left_out_api_scopes =
                changed(before, self.leave_out, &self.put_back, "leaves out no API scope", &self.role)?;
            paths.push("left_out_api_scopes".to_owned());
        }
        if !self.add_policies.is_empty() || !self.remove_policies.is_empty() {
            let added = account.policies(&session.client, &self.add_policies).await?;
            let removed = account.policies(&session.client, &self.remove_policies).await?;
            role.access_policies =
                changed(&before.access_policies, added, &removed, "contains no access policy", &self.role)?;
            paths.push("access_policies".to_owned());
        }
        if !self.add_parents.is_empty() || !self.remove_parents.is_empty() {
            let added = account.roles(&session.client, &self.add_parents).await?;
            let removed = account.roles(&session.client, &self.remove_parents).await?;
            role.parents = changed(&before.parents, added, &removed, "has no parent role", &self.role)?;
            paths.push("parents".to_owned());
        }
        if !self.add_covers.is_empty() || !self.remove_covers.is_empty() {
            let before = &before.covered_facets;
            role.covered_facets = changed(before, self.add_covers, &self.remove_covers, "covers no facet", &self.role)?;
            paths.push("covered_facets".to_owned());
        }
        if paths.is_empty() {
            return Err(Failure::new(Exit::Usage, "nothing to change is given; see `rolecall roles edit --help`"));
        }
        let Mode { validate_only, request_id } = self.write.mode();
        let mut request = UpdateRoleRequest { role: Some(role), update_mask: None, validate_only, request_id };
        request.update_mask.get_or_insert_default().paths = paths;
        let client = &session.client;
        let answer = client.answer(client.roles().update_role(client.request(request))).await?;
        let after = answer.role.clone().unwrap_or_default();
        let changes = [
            difference("permissions", &before.permissions, &after.permissions),
            difference("API scopes", &before.api_scopes, &after.api_scopes),
            difference("policies", &short(&before.access_policies), &short(&after.access_policies)),
            difference("parents", &short(&before.parents), &short(&after.parents)),
            difference("covered facets", &before.covered_facets, &after.covered_facets),
        ];
        let changes = changes.concat();
        let sentence = format!("changed {}{changes}", described(answer.role.as_ref()));
        session.done(&self.write, &sentence, &Shown(&answer))
    }
}

/// A list with some put in and some taken out; what is to go has to be there, or it was a slip of the hand.
fn changed(
    before: &[String],
    added: Vec<String>,
    removed: &[String],
    no_such: &str,
    role: &str,
) -> Result<Vec<String>, Failure> {
    let mut after: BTreeSet<String> = before.iter().cloned().collect();
    for id in removed {
        // Of two sections that overlap, the second finds some gone.
        if !after.remove(id) && !before.contains(id) {
            return Err(Failure::new(Exit::NotFound, format!("{role} {no_such} {id:?}")));
        }
    }
    after.extend(added);
    Ok(after.into_iter().collect())
}

/// Roles or access policies as they are typed.
fn short(names: &[String]) -> Vec<String> {
    names.iter().map(|name| role_of(name)).collect()
}

/// What came and went, if anything did: `\n  permissions +a.b -c.d`.
fn difference(what: &str, before: &[String], after: &[String]) -> String {
    let [before, after]: [BTreeSet<_>; 2] = [before, after].map(|ids| ids.iter().collect());
    let came = after.difference(&before).map(|id| format!(" +{id}"));
    let went = before.difference(&after).map(|id| format!(" -{id}"));
    let changes: String = came.chain(went).collect();
    if changes.is_empty() { changes } else { format!("\n  {what}{changes}") }
}

impl Duplicate {
    /// Copies the role.
    ///
    /// # Errors
    /// As [`Create::run`].
    pub async fn run(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let Mode { validate_only, request_id } = self.write.mode();
        let request = DuplicateRoleRequest {
            name: account.role(&session.client, &self.role).await?,
            parent: account.0.clone(),
            role_id: account.custom_role_id(&self.id)?,
            display_name: self.name,
            description: self.description,
            validate_only,
            request_id,
        };
        let client = &session.client;
        let answer = client.answer(client.roles().duplicate_role(client.request(request))).await?;
        let omitted = match answer.omitted_parts.as_slice() {
            [] => String::new(),
            parts => {
                format!("\n  left behind, as custom roles may not have it: {}", parts.join(", ").replace('_', " "))
            }
        };
        let sentence = format!("created {}{omitted}", described(answer.role.as_ref()));
        session.done(&self.write, &sentence, &Shown(&answer))
    }
}

impl Import {
    /// Adds the permissions.
    ///
    /// # Errors
    /// As [`Create::run`].
    pub async fn run(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let name = account.custom_role(&self.role)?;
        let roles = account.roles(&session.client, &self.from).await?;
        let from = listed(&roles, role_of);
        let Mode { validate_only, request_id } = self.write.mode();
        let request = ImportRolePermissionsRequest { name, roles, etag: String::new(), validate_only, request_id };
        let client = &session.client;
        let answer = client.answer(client.roles().import_role_permissions(client.request(request))).await?;
        let added = count(answer.added_permissions.len(), "permission");
        let sentence = format!("added {added} of {from} to {}", described(answer.role.as_ref()));
        session.done(&self.write, &sentence, &Shown(&answer))
    }
}

impl Delete {
    /// Deletes the role, having said who holds it.
    ///
    /// # Errors
    /// As [`Create::run`].
    pub async fn run(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let name = account.custom_role(&self.role)?;
        let role = role_of(&name);
        let answer = session
            .delete(
                &self.risky,
                true,
                async |client, Mode { validate_only, request_id }, force| {
                    let (name, etag) = (name.clone(), String::new());
                    let request = DeleteRoleRequest { name, etag, force, validate_only, request_id };
                    client.answer(client.roles().delete_role(client.request(request))).await
                },
                |answer| &answer.removed,
                |trial| format!("{role} would be deleted for good, and {} would lose it", held(trial.holder_counts)),
            )
            .await?;
        let sentence = format!("deleted {role}, which {} held{}", held(answer.holder_counts), went(&answer.removed));
        session.done(&self.risky.write, &sentence, &Shown(&answer))
    }
}

fn held(counts: Option<RoleHolderCounts>) -> String {
    let counts = counts.unwrap_or_default();
    format!(
        "{} ({} directly), {} and {}",
        count(counts.user_count, "user"),
        counts.direct_user_count,
        count(counts.team_count, "team"),
        count(counts.service_account_count, "service account"),
    )
}

/// A role in a sentence: `custom/agent "Agent" with 5 permissions and 3 API scopes`.
fn described(role: Option<&Role>) -> String {
    let Some(role) = role else { return "the role".to_owned() };
    let (permissions, scopes) = (count(role.permission_count, "permission"), count(role.api_scope_count, "API scope"));
    let more = [
        ("policies", listed(&role.access_policies, policy_of)),
        ("parents", listed(&role.parents, role_of)),
        ("covering", role.covered_facets.join(", ")),
    ];
    let more = more.iter().filter(|(_, list)| !list.is_empty()).map(|(what, list)| format!(", {what} {list}"));
    let more: String = more.collect();
    format!("{} \"{}\" with {permissions} and {scopes}{more}", role_of(&role.name), role.display_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    #[test]
    fn an_edit_puts_in_and_takes_out_and_names_what_was_not_there() {
        let before = ids(&["a.b", "c.d"]);
        let after = changed(&before, ids(&["e.f", "a.b"]), &ids(&["c.d", "c.d"]), "has no", "custom/r");
        assert_eq!(after, Ok(ids(&["a.b", "e.f"])));
        let refused = changed(&before, vec![], &ids(&["x.y"]), "contains no permission", "custom/r").unwrap_err();
        assert_eq!(refused.exit, Exit::NotFound);
        assert_eq!(refused.message, "custom/r contains no permission \"x.y\"");
    }

    #[test]
    fn a_difference_says_what_came_and_what_went() {
        assert_eq!(difference("permissions", &ids(&["a", "b"]), &ids(&["b", "c"])), "\n  permissions +c -a");
        assert_eq!(difference("permissions", &ids(&["a"]), &ids(&["a"])), "");
    }
}
