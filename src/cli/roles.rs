//! `roles`: the roles of an account, what is in them, and who holds them.
//!
//! Here is what reads; `role_edits` has what changes a role, and `role_holders` who gets and loses one. Start with [`run`].

use clap::{Subcommand, builder::NonEmptyStringValueParser};
use serde::Serialize;

use super::{
    Exit, Failure,
    names::{Account, id_of, listed, policy_of, role_of, within},
    role_edits, role_holders,
    session::{Listing, Page, Session, cell, count, gather, moment},
    shown::Shown,
    terms::terms_of,
};
use crate::proto::{
    GetRoleRequest, ListRoleHoldersRequest, ListRolePermissionsRequest, ListRolesRequest, Role, RoleBinding,
    RoleHolder, RoleSection, RoleView, role::Kind,
};

/// What to do with roles.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the roles of an account, with how many hold them
    List {
        /// Only roles of this kind
        #[arg(long, value_name = "KIND", value_parser = ["managed", "custom", "internal"])]
        kind: Option<String>,

        /// Only roles whose id, name or description contains this
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        search: String,

        /// id, display_name, user_count or permission_count; with " desc" behind it, the largest first
        #[arg(long, value_name = "ORDER", default_value = "", hide_default_value = true)]
        order_by: String,
    },

    /// Show one role: what it contains, its permissions section by section, its API scopes, and how many hold it
    Show {
        /// The role: the id of a managed one, or custom/ID
        #[arg(value_name = "ROLE", value_parser = NonEmptyStringValueParser::new())]
        role: String,

        /// Show the sections too that it contains nothing of
        #[arg(long)]
        all: bool,
    },

    /// List who holds a role, directly or through which teams
    Holders {
        /// The role: the id of a managed one, or custom/ID
        #[arg(value_name = "ROLE", value_parser = NonEmptyStringValueParser::new())]
        role: String,
    },

    /// Create a custom role, with permissions and holders, in one write
    Create(role_edits::Create),

    /// Change a custom role
    Edit(role_edits::Edit),

    /// Create a custom role as a copy of a role of any kind
    Duplicate(role_edits::Duplicate),

    /// Add the permissions of managed roles to a custom role
    Import(role_edits::Import),

    /// Delete a custom role: whoever holds it loses what it gave
    Delete(role_edits::Delete),

    /// Give a role to users, teams and service accounts
    Give(role_holders::Give),

    /// Take a role away from users, teams and service accounts
    Take(role_holders::Take),
}

/// A role with what it contains.
#[derive(Serialize)]
struct WholeRole<'a> {
    role: Shown<'a, Role>,
    sections: Vec<Shown<'a, RoleSection>>,
    consistency_token: &'a str,
}

/// Does what the command says.
///
/// # Errors
/// What the server says against it, or that it cannot be asked.
pub async fn run(session: &mut Session<'_>, account: &Account, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::List { kind, search, order_by } => list(session, account, kind.as_deref(), search, order_by).await,
        Command::Show { role, all } => show(session, account, &role, all).await,
        Command::Holders { role } => holders(session, account, &role).await,
        Command::Create(create) => create.run(session, account).await,
        Command::Edit(edit) => edit.run(session, account).await,
        Command::Duplicate(duplicate) => duplicate.run(session, account).await,
        Command::Import(import) => import.run(session, account).await,
        Command::Delete(delete) => delete.run(session, account).await,
        Command::Give(give) => give.run(session, account).await,
        Command::Take(take) => take.run(session, account).await,
    }
}

async fn list(
    session: &mut Session<'_>,
    account: &Account,
    kind: Option<&str>,
    search: String,
    order_by: String,
) -> Result<Exit, Failure> {
    let kind = match kind {
        Some("managed") => Kind::Managed,
        Some("custom") => Kind::Custom,
        Some("internal") => Kind::Internal,
        _ => Kind::Unspecified,
    };
    let request = ListRolesRequest {
        parent: account.0.clone(),
        show_internal: kind == Kind::Internal,
        kind: kind.into(),
        search,
        order_by,
        // People get numbers, programs everything.
        view: if session.is_table() { RoleView::Basic } else { RoleView::Full }.into(),
        ..ListRolesRequest::default()
    };
    let client = &session.client;
    let (roles, token) = gather(async |page_token| {
        let call = client.request(ListRolesRequest { page_token, ..request.clone() });
        let answer = client.answer(client.roles().list_roles(call)).await?;
        let (next_page_token, consistency_token) = (answer.next_page_token, answer.consistency_token);
        Ok(Page { items: answer.roles, next_page_token, consistency_token })
    })
    .await?;
    let list = Listing { name: "roles", items: &roles, consistency_token: &token };
    let header = ["ROLE", "NAME", "KIND", "USERS", "DIRECTLY", "PERMISSIONS", "API SCOPES"];
    session.list(&list, &header, row, "no role found")
}

fn row(role: &Role) -> Vec<Vec<String>> {
    let counts = role.holder_counts.unwrap_or_default();
    vec![
        cell(role_of(&role.name)),
        cell(&role.display_name),
        cell(kind_of(role)),
        cell(counts.user_count),
        cell(counts.direct_user_count),
        cell(role.permission_count),
        cell(role.api_scope_count),
    ]
}

fn kind_of(role: &Role) -> &'static str {
    match role.kind() {
        Kind::Managed => "managed",
        Kind::Custom => "custom",
        Kind::Internal => "internal",
        Kind::Unspecified => "",
    }
}

async fn show(session: &mut Session<'_>, account: &Account, given: &str, all: bool) -> Result<Exit, Failure> {
    let name = account.role(&session.client, given).await?;
    let (role, token) = read(session, account, &name).await?;
    let sections = sections(session, &name).await?;
    if !session.is_table() {
        let sections = sections.iter().map(Shown).collect();
        return session.value(&WholeRole { role: Shown(&role), sections, consistency_token: &token });
    }
    let counts = role.holder_counts.unwrap_or_default();
    let held = format!(
        "{} ({} directly, {} through teams), {}, {}",
        count(counts.user_count, "user"),
        counts.direct_user_count,
        counts.inherited_user_count,
        count(counts.team_count, "team"),
        count(counts.service_account_count, "service account"),
    );
    let at_most = if role.max_holders == 0 { String::new() } else { count(role.max_holders, "holder") };
    session.output.fields(&[
        ("Role", role_of(&role.name)),
        ("Name", role.display_name.clone()),
        ("Kind", kind_of(&role).to_owned()),
        ("Description", role.description.clone()),
        ("Held by", held),
        ("Always held", if role.always_held { "yes: its last holder cannot lose it" } else { "" }.to_owned()),
        ("At most", at_most),
        ("Not with", listed(&role.mutually_exclusive_roles, role_of)),
        (
            "Contains",
            format!(
                "{} and {}, with those of its policies and parents",
                count(role.permission_count, "permission"),
                count(role.api_scope_count, "API scope")
            ),
        ),
        ("Policies", listed(&role.access_policies, policy_of)),
        ("Parents", listed(&role.parents, role_of)),
        ("Covers", role.covered_facets.join(", ")),
        ("API scopes", role.api_scopes.join(", ")),
        ("Left out", role.left_out_api_scopes.join(", ")),
        ("Changed", moment(role.update_time.as_ref())),
    ])?;
    let shown = sections.iter().filter(|section| all || section.contained_count > 0);
    let rows: Vec<_> = shown.map(section_row).collect();
    if rows.is_empty() {
        return session.output.line("it lists no permissions").map(|()| Exit::Ok);
    }
    session.output.line("")?;
    session.output.table(&["SECTION", "CONTAINS", "PERMISSIONS"], rows).map(|()| Exit::Ok)
}

fn section_row(section: &RoleSection) -> Vec<Vec<String>> {
    let contained = section.permissions.iter().filter(|permission| permission.contained);
    vec![
        cell(&section.display_name),
        cell(format!("{} of {}", section.contained_count, section.permission_count)),
        contained.map(|permission| permission.permission.clone()).collect(),
    ]
}

/// One role with who holds it in the account, and the revision.
pub async fn read(session: &Session<'_>, account: &Account, name: &str) -> Result<(Role, String), Failure> {
    let client = &session.client;
    let request = GetRoleRequest { name: name.to_owned(), account: account.0.clone(), ..GetRoleRequest::default() };
    let answer = client.answer(client.roles().get_role(client.request(request))).await?;
    Ok((answer.role.unwrap_or_default(), answer.consistency_token))
}

/// All sections as seen from a role. One that goes on on the next page is put together again.
pub async fn sections(session: &Session<'_>, name: &str) -> Result<Vec<RoleSection>, Failure> {
    let client = &session.client;
    let request = ListRolePermissionsRequest { name: name.to_owned(), ..ListRolePermissionsRequest::default() };
    let (parts, _) = gather(async |page_token| {
        let call = client.request(ListRolePermissionsRequest { page_token, ..request.clone() });
        let answer = client.answer(client.roles().list_role_permissions(call)).await?;
        let (next_page_token, consistency_token) = (answer.next_page_token, answer.consistency_token);
        Ok(Page { items: answer.sections, next_page_token, consistency_token })
    })
    .await?;
    Ok(joined(parts))
}

fn joined(parts: Vec<RoleSection>) -> Vec<RoleSection> {
    let mut sections: Vec<RoleSection> = Vec::new();
    for mut part in parts {
        match sections.last_mut() {
            Some(last) if last.section == part.section => last.permissions.append(&mut part.permissions),
            _ => sections.push(part),
        }
    }
    sections
}

async fn holders(session: &mut Session<'_>, account: &Account, given: &str) -> Result<Exit, Failure> {
    let role = account.role(&session.client, given).await?;
    let nobody = format!("nobody holds {}", role_of(&role));
    let request = ListRoleHoldersRequest { parent: account.0.clone(), role, ..ListRoleHoldersRequest::default() };
    let client = &session.client;
    let (holders, token) = gather(async |page_token| {
        let call = client.request(ListRoleHoldersRequest { page_token, ..request.clone() });
        let answer = client.answer(client.roles().list_role_holders(call)).await?;
        let (next_page_token, consistency_token) = (answer.next_page_token, answer.consistency_token);
        Ok(Page { items: answer.holders, next_page_token, consistency_token })
    })
    .await?;
    let list = Listing { name: "holders", items: &holders, consistency_token: &token };
    let header = ["HOLDER", "NAME", "USERNAME", "EMAIL", "LAST SIGN-IN", "THROUGH"];
    session.list(&list, &header, holder_row, &nobody)
}

fn holder_row(holder: &RoleHolder) -> Vec<Vec<String>> {
    vec![
        cell(within(&holder.name)),
        cell(&holder.display_name),
        cell(&holder.username),
        cell(&holder.email),
        cell(moment(holder.last_sign_in_time.as_ref())),
        through(!holder.role_binding.is_empty(), &holder.teams, &holder.role_bindings),
    ]
}

/// How a role is held: `directly`, `directly on workspaces/w1`, `teams a, b`, `team c until 2027-01-01T00:00:00Z`. Bindings
/// only add the terms; a list without them still says who holds it.
pub fn through(directly: bool, teams: &[String], bindings: &[RoleBinding]) -> Vec<String> {
    let (of_teams, own): (Vec<_>, Vec<_>) = bindings.iter().partition(|binding| binding.holder.starts_with("teams/"));
    let mut ways: Vec<_> = own.into_iter().map(|binding| format!("directly{}", terms_of(binding))).collect();
    if ways.is_empty() && directly {
        ways.push("directly".to_owned());
    }
    let has_terms = |team: &&String| {
        let mut own = of_teams.iter().filter(|binding| binding.holder == within(team)).peekable();
        own.peek().is_some() && own.all(|binding| !terms_of(binding).is_empty())
    };
    let (bounded, plain): (Vec<_>, Vec<_>) = teams.iter().partition(has_terms);
    match plain.as_slice() {
        [] => {}
        [team] => ways.push(format!("team {}", id_of(team))),
        several => {
            ways.push(format!("teams {}", several.iter().map(|team| id_of(team)).collect::<Vec<_>>().join(", ")))
        }
    }
    for team in bounded {
        let own = of_teams.iter().filter(|binding| binding.holder == within(team));
        ways.extend(own.map(|binding| format!("team {}{}", id_of(team), terms_of(binding))));
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::RolePermission;

    #[test]
    fn a_section_that_goes_on_on_the_next_page_is_one_section() {
        let part = |section: &str, permission: &str| RoleSection {
            section: section.to_owned(),
            permission_count: 2,
            permissions: vec![RolePermission { permission: permission.to_owned(), ..RolePermission::default() }],
            ..RoleSection::default()
        };
        let sections = joined(vec![part("a", "a.1"), part("b", "b.1"), part("b", "b.2")]);
        assert_eq!(sections.iter().map(|section| section.permissions.len()).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn how_a_role_is_held_names_the_teams() {
        let teams = |ids: &[&str]| ids.iter().map(|id| format!("accounts/demo/teams/{id}")).collect::<Vec<_>>();
        for (directly, ids, expected) in [
            (true, &[][..], "directly"),
            (false, &["support"][..], "team support"),
            (false, &["sales", "support"][..], "teams sales, support"),
            (true, &["support"][..], "directly, team support"),
        ] {
            assert_eq!(through(directly, &teams(ids), &[]).join(", "), expected);
        }
    }

    #[test]
    fn how_a_role_is_held_names_where_and_until_when() {
        let binding = |holder: &str, resource: &str, until: Option<&str>| RoleBinding {
            holder: holder.to_owned(),
            resource: resource.to_owned(),
            expire_time: until.map(|time| time.parse().unwrap()),
            ..RoleBinding::default()
        };
        let bindings = [
            binding("users/ana", "workspaces/w1", None),
            binding("users/ana", "", Some("2027-01-01T00:00:00Z")),
            binding("teams/a", "", None),
            binding("teams/b", "workspaces/w2", None),
        ];
        let teams = ["accounts/demo/teams/a".to_owned(), "accounts/demo/teams/b".to_owned()];
        assert_eq!(
            through(true, &teams, &bindings),
            ["directly on workspaces/w1", "directly until 2027-01-01T00:00:00Z", "team a", "team b on workspaces/w2",]
        );
    }
}
