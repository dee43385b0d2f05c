//! `users`: the people of an account: who they are, where they stand, and what they hold.
//!
//! Here is what reads; `user_edits` has what changes a user. Start with [`run`].

use clap::{Args, Subcommand, builder::NonEmptyStringValueParser};
use serde::Serialize;

use super::{
    Exit, Failure, access, api_scopes,
    check::reason_name,
    names::{Account, id_of, listed, role_of},
    roles::through,
    session::{Listing, Page, Session, cell, gather, moment},
    shown::Shown,
    user_edits,
};
use crate::proto::{
    AccessList, GetUserRequest, ListUserRolesRequest, ListUserTeamsRequest, ListUsersRequest, User, UserRole,
    user::State,
};

/// What to do with users.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the users of an account
    List {
        /// Only users with an id, username, email address, or a word of the name, that begins with this
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        search: String,

        /// Only users in this state
        #[arg(long, value_name = "STATE", value_parser = ["invited", "active", "suspended"])]
        state: Option<String>,

        /// id or display_name; not with --search
        #[arg(long, value_name = "ORDER", default_value = "", hide_default_value = true)]
        order_by: String,
    },

    /// Show one user: roles and where they come from, teams, access lists, API scopes, last sign-in
    Show(Named),

    /// Invite a user: known, and not allowed anything until activated
    Invite(user_edits::Create),

    /// Create a user who is active at once
    Create(user_edits::Create),

    /// Change what is known about a user
    Edit(user_edits::Edit),

    /// Let an invited or suspended user do what the roles allow
    Activate(user_edits::State),

    /// Allow a user nothing; roles and teams stay
    Suspend(user_edits::State),

    /// Delete a user
    Delete(user_edits::Delete),

    /// Erase name, username and email address, the past included; roles and teams stay
    Erase(user_edits::Erase),

    /// Record that a user has signed in
    SignIn(user_edits::SignIn),

    /// Show the teams of a user, or change them
    Teams(user_edits::Teams),
}

/// One user.
#[derive(Args, Debug)]
pub struct Named {
    /// The user: users/ana, or just ana
    #[arg(value_name = "USER", value_parser = NonEmptyStringValueParser::new())]
    pub user: String,
}

/// A user's page.
#[derive(Serialize)]
struct WholeUser<'a> {
    user: Shown<'a, User>,
    roles: Vec<Shown<'a, UserRole>>,
    teams: &'a [String],
    access_lists: Vec<Shown<'a, AccessList>>,
    api_scope_count: usize,
    subject_reason: String,
    consistency_token: &'a str,
}

/// Does what the command says.
///
/// # Errors
/// What the server says against it, or that it cannot be asked.
pub async fn run(session: &mut Session<'_>, account: &Account, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::List { search, state, order_by } => list(session, account, search, state.as_deref(), order_by).await,
        Command::Show(Named { user }) => show(session, account, account.user(&user)?).await,
        Command::Invite(create) => create.run(session, account, State::Invited).await,
        Command::Create(create) => create.run(session, account, State::Active).await,
        Command::Edit(edit) => edit.run(session, account).await,
        Command::Activate(state) => state.run(session, account, State::Active).await,
        Command::Suspend(state) => state.run(session, account, State::Suspended).await,
        Command::Delete(delete) => delete.run(session, account).await,
        Command::Erase(erase) => erase.run(session, account).await,
        Command::SignIn(sign_in) => sign_in.run(session, account).await,
        Command::Teams(teams) => teams.run(session, account).await,
    }
}

async fn list(
    session: &mut Session<'_>,
    account: &Account,
    search: String,
    state: Option<&str>,
    order_by: String,
) -> Result<Exit, Failure> {
    let state = match state {
        Some("invited") => State::Invited,
        Some("active") => State::Active,
        Some("suspended") => State::Suspended,
        _ => State::Unspecified,
    };
    let request = ListUsersRequest {
        parent: account.0.clone(),
        search,
        order_by,
        state: state.into(),
        ..ListUsersRequest::default()
    };
    let client = &session.client;
    let (users, token) = gather(async |page_token| {
        let call = client.request(ListUsersRequest { page_token, ..request.clone() });
        let answer = client.answer(client.users().list_users(call)).await?;
        let (next_page_token, consistency_token) = (answer.next_page_token, answer.consistency_token);
        Ok(Page { items: answer.users, next_page_token, consistency_token })
    })
    .await?;
    let list = Listing { name: "users", items: &users, consistency_token: &token };
    session.list(&list, &["USER", "NAME", "USERNAME", "EMAIL", "STATE", "LAST SIGN-IN"], row, "no user found")
}

fn row(user: &User) -> Vec<Vec<String>> {
    vec![
        cell(id_of(&user.name)),
        cell(&user.display_name),
        cell(&user.username),
        cell(&user.email),
        cell(state_of(user)),
        cell(moment(user.last_sign_in_time.as_ref())),
    ]
}

/// Where a user stands, as a word.
pub fn state_of(user: &User) -> &'static str {
    match user.state() {
        State::Invited => "invited",
        State::Active => "active",
        State::Suspended => "suspended",
        State::Unspecified => "",
    }
}

async fn show(session: &mut Session<'_>, account: &Account, name: String) -> Result<Exit, Failure> {
    let client = &session.client;
    let call = client.request(GetUserRequest { name: name.clone(), consistency: None });
    let answer = client.answer(client.users().get_user(call)).await?;
    let (user, consistency_token) = (answer.user.unwrap_or_default(), answer.consistency_token);
    let roles = roles(session, &name).await?;
    let teams = teams(session, &name).await?;
    let lists = access::of(session, &name).await?;
    let scopes = api_scopes::read(client, &account.0, &format!("users/{}", id_of(&name))).await?;
    if !session.is_table() {
        return session.value(&WholeUser {
            user: Shown(&user),
            roles: roles.iter().map(Shown).collect(),
            teams: &teams,
            access_lists: lists.iter().map(Shown).collect(),
            api_scope_count: scopes.items.len(),
            subject_reason: reason_name(scopes.subject_reason),
            consistency_token: &consistency_token,
        });
    }
    session.output.fields(&[
        ("User", id_of(&user.name).to_owned()),
        ("Name", user.display_name.clone()),
        ("Username", user.username.clone()),
        ("Email", user.email.clone()),
        ("State", state_of(&user).to_owned()),
        ("Teams", listed(&teams, id_of)),
        ("Access", access::in_short(&lists)),
        ("API scopes", scopes.items.len().to_string()),
        ("Last sign-in", moment(user.last_sign_in_time.as_ref())),
        ("Created", moment(user.create_time.as_ref())),
    ])?;
    if roles.is_empty() {
        return session.output.line("the user holds no role").map(|()| Exit::Ok);
    }
    let row = |role: &UserRole| {
        let through = through(role.direct, &role.teams, &role.role_bindings);
        vec![cell(role_of(&role.role)), cell(&role.display_name), through]
    };
    session.output.line("")?;
    session.output.table(&["ROLE", "NAME", "THROUGH"], roles.iter().map(row).collect()).map(|()| Exit::Ok)
}

/// The roles that a user holds.
pub async fn roles(session: &Session<'_>, name: &str) -> Result<Vec<UserRole>, Failure> {
    let client = &session.client;
    let request = ListUserRolesRequest { name: name.to_owned(), ..ListUserRolesRequest::default() };
    Ok(client.answer(client.users().list_user_roles(client.request(request))).await?.roles)
}

/// The teams that a user belongs to.
pub async fn teams(session: &Session<'_>, name: &str) -> Result<Vec<String>, Failure> {
    let client = &session.client;
    let request = ListUserTeamsRequest { name: name.to_owned(), consistency: None };
    Ok(client.answer(client.users().list_user_teams(client.request(request))).await?.teams)
}
