//! What changes a user: `users invite|create|edit|activate|suspend|delete|erase|sign-in|teams`.
//!
//! Start with [`Create`].

use clap::{Args, builder::NonEmptyStringValueParser};

use super::{
    Exit, Failure, access,
    names::{Account, id_of, listed, within},
    session::{Mode, RiskyArgs, Session, WriteArgs, cell, count, moment},
    shown::Shown,
    terms::NewRolesArgs,
    users::{self, Named, state_of},
    uses::went,
};
use crate::proto::{
    AccessList, AddUserTeamsRequest, CreateUserRequest, DeleteUserRequest, EraseUserPersonalFieldsRequest,
    ListUserTeamsResponse, RecordUserSignInRequest, RemoveUserTeamsRequest, ReplaceUserTeamsRequest, UpdateUserRequest,
    User, user::State as UserState,
};

/// `users invite` and `users create`.
#[derive(Args, Debug)]
pub struct Create {
    /// The id of the new user
    #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    id: String,

    /// The person's name
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    name: String,

    /// The name that the person signs in with
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    username: String,

    /// The person's email address
    #[arg(long, value_name = "EMAIL", default_value = "", hide_default_value = true)]
    email: String,

    #[command(flatten)]
    roles: NewRolesArgs,

    /// A team to belong to; may be repeated
    #[arg(long = "team", value_name = "TEAM")]
    teams: Vec<String>,

    /// What the user is to have access to, such as line=lines/l1,lines/l2 or line=all; may be repeated
    #[arg(long, value_name = "FACET=VALUES", value_parser = access::parse)]
    access: Vec<AccessList>,

    #[command(flatten)]
    write: WriteArgs,
}

/// `users edit`.
#[derive(Args, Debug)]
pub struct Edit {
    #[command(flatten)]
    user: Named,

    /// The person's name
    #[arg(long, value_name = "TEXT", required_unless_present_any = ["username", "email"])]
    name: Option<String>,

    /// The name that the person signs in with
    #[arg(long, value_name = "TEXT")]
    username: Option<String>,

    /// The person's email address
    #[arg(long, value_name = "EMAIL")]
    email: Option<String>,

    #[command(flatten)]
    write: WriteArgs,
}

/// `users activate` and `users suspend`.
#[derive(Args, Debug)]
pub struct State {
    #[command(flatten)]
    user: Named,

    #[command(flatten)]
    write: WriteArgs,
}

/// `users delete`.
#[derive(Args, Debug)]
pub struct Delete {
    #[command(flatten)]
    user: Named,

    /// Erase name, username and email address too, the past included
    #[arg(long)]
    erase: bool,

    #[command(flatten)]
    risky: RiskyArgs,
}

/// `users erase`.
#[derive(Args, Debug)]
pub struct Erase {
    #[command(flatten)]
    user: Named,

    #[command(flatten)]
    risky: RiskyArgs,
}

/// `users sign-in`.
#[derive(Args, Debug)]
pub struct SignIn {
    #[command(flatten)]
    user: Named,

    /// When it was, such as 2026-11-22T08:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    time: Option<String>,

    #[command(flatten)]
    write: WriteArgs,
}

/// `users teams`.
#[derive(Args, Debug)]
pub struct Teams {
    #[command(flatten)]
    user: Named,

    /// A team to join; may be repeated
    #[arg(long, value_name = "TEAM", conflicts_with_all = ["remove", "only", "none"])]
    add: Vec<String>,

    /// A team to leave; may be repeated
    #[arg(long, value_name = "TEAM", conflicts_with_all = ["only", "none"])]
    remove: Vec<String>,

    /// A team to belong to, and to no other; may be repeated
    #[arg(long, value_name = "TEAM", conflicts_with = "none")]
    only: Vec<String>,

    /// Leave every team
    #[arg(long)]
    none: bool,

    #[command(flatten)]
    risky: RiskyArgs,
}

impl Create {
    /// Creates the user.
    ///
    /// # Errors
    /// What the server says against it; so for all that follow.
    pub async fn run(self, session: &mut Session<'_>, account: &Account, state: UserState) -> Result<Exit, Failure> {
        let name = account.user(&self.id)?;
        let teams = account.teams(&self.teams)?;
        let new = self.roles.read(&session.client, account).await?;
        let word = if state == UserState::Invited { "invited" } else { "created" };
        let (held, joined) = (count(new.len(), "role"), count(teams.len(), "team"));
        let sentence = format!("{word} {} with {held} and {joined}{}", within(&name), access::described(&self.access));
        let Mode { validate_only, request_id } = self.write.mode();
        let request = CreateUserRequest {
            parent: account.0.clone(),
            user_id: id_of(&name).to_owned(),
            user: Some(User {
                display_name: self.name,
                username: self.username,
                email: self.email,
                state: state.into(),
                ..User::default()
            }),
            roles: new.roles,
            role_bindings: new.bindings,
            teams,
            access_lists: self.access,
            validate_only,
            request_id,
        };
        let client = &session.client;
        let answer = client.answer(client.users().create_user(client.request(request))).await?;
        session.done(&self.write, &sentence, &Shown(&answer))
    }
}

impl Edit {
    /// Changes what is given.
    ///
    /// # Errors
    /// As [`Create::run`].
    pub async fn run(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let fields = [("display_name", &self.name), ("username", &self.username), ("email", &self.email)];
        let given = fields.into_iter().filter(|(_, value)| value.is_some());
        let paths: Vec<_> = given.map(|(path, _)| path.to_owned()).collect();
        let user = User {
            name: account.user(&self.user.user)?,
            display_name: self.name.unwrap_or_default(),
            username: self.username.unwrap_or_default(),
            email: self.email.unwrap_or_default(),
            ..User::default()
        };
        let sentence = format!("changed {} of {}", paths.join(", "), within(&user.name));
        update(session, user, paths, &self.write, &sentence).await
    }
}

impl State {
    /// Changes where the user stands.
    ///
    /// # Errors
    /// As [`Create::run`].
    pub async fn run(self, session: &mut Session<'_>, account: &Account, state: UserState) -> Result<Exit, Failure> {
        let user = User { name: account.user(&self.user.user)?, state: state.into(), ..User::default() };
        let sentence = format!("{} is {}", within(&user.name), state_of(&user));
        update(session, user, vec!["state".to_owned()], &self.write, &sentence).await
    }
}

async fn update(
    session: &mut Session<'_>,
    user: User,
    paths: Vec<String>,
    write: &WriteArgs,
    sentence: &str,
) -> Result<Exit, Failure> {
    let Mode { validate_only, request_id } = write.mode();
    let mut request = UpdateUserRequest { user: Some(user), update_mask: None, validate_only, request_id };
    request.update_mask.get_or_insert_default().paths = paths;
    let client = &session.client;
    let answer = client.answer(client.users().update_user(client.request(request))).await?;
    session.done(write, sentence, &Shown(&answer))
}

impl Delete {
    /// Deletes the user, having said what goes.
    ///
    /// # Errors
    /// As [`Create::run`]; that it was not confirmed.
    pub async fn run(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let (name, erase_personal_fields) = (account.user(&self.user.user)?, self.erase);
        let user = within(&name);
        let roles = count(users::roles(session, &name).await?.len(), "role");
        let teams = count(users::teams(session, &name).await?.len(), "team");
        let erased = if self.erase { ", name, username and email address erased everywhere" } else { "" };
        let answer = session
            .delete(
                &self.risky,
                true,
                async |client, Mode { validate_only, request_id }, force| {
                    let (name, etag) = (name.clone(), String::new());
                    let request =
                        DeleteUserRequest { name, erase_personal_fields, etag, force, validate_only, request_id };
                    client.answer(client.users().delete_user(client.request(request))).await
                },
                |answer| &answer.removed,
                |_| format!("{user} would be deleted for good, with {roles} and {teams}{erased}"),
            )
            .await?;
        let sentence = format!("deleted {user}, who had {roles} and {teams}{erased}{}", went(&answer.removed));
        session.done(&self.risky.write, &sentence, &Shown(&answer))
    }
}

impl Erase {
    /// Erases the personal fields, having said so.
    ///
    /// # Errors
    /// As [`Create::run`]; that it was not confirmed.
    pub async fn run(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let name = account.user(&self.user.user)?;
        let user = within(&name);
        let fields = "3 fields, name, username and email address,";
        let answer = session
            .carefully(
                &self.risky,
                async |client, Mode { validate_only, request_id }| {
                    let (name, etag) = (name.clone(), String::new());
                    let request = EraseUserPersonalFieldsRequest { name, etag, validate_only, request_id };
                    client.answer(client.users().erase_user_personal_fields(client.request(request))).await
                },
                |_| vec![format!("{fields} of {user} would be erased for good, the past included")],
            )
            .await?;
        let sentence = format!("erased name, username and email address of {user}; roles and teams stay");
        session.done(&self.risky.write, &sentence, &Shown(&answer))
    }
}

impl SignIn {
    /// Records the sign-in.
    ///
    /// # Errors
    /// As [`Create::run`].
    pub async fn run(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let name = account.user(&self.user.user)?;
        let user = within(&name);
        let Mode { validate_only, request_id } = self.write.mode();
        let mut request = RecordUserSignInRequest { name, sign_in_time: None, validate_only, request_id };
        if let Some(given) = &self.time {
            let time = given.parse().map_err(|_| {
                Failure::new(Exit::Usage, format!("--time {given}: expected a time such as 2026-11-22T08:00:00Z"))
            })?;
            request.sign_in_time = Some(time);
        }
        let client = &session.client;
        let answer = client.answer(client.users().record_user_sign_in(client.request(request))).await?;
        let sentence = format!("{user} last signed in at {}", moment(answer.last_sign_in_time.as_ref()));
        session.done(&self.write, &sentence, &Shown(&answer))
    }
}

impl Teams {
    /// Shows the teams, or changes them.
    ///
    /// # Errors
    /// As [`Create::run`]; that leaving teams was not confirmed.
    pub async fn run(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let name = account.user(&self.user.user)?;
        let user = within(&name);
        let [add, remove, only] = [account.teams(&self.add)?, account.teams(&self.remove)?, account.teams(&self.only)?];
        let write = &self.risky.write;
        let Mode { validate_only, request_id } = write.mode();
        let client = &session.client;
        if !add.is_empty() {
            let sentence = format!("{user} is in {}", add.join(", "));
            let request = AddUserTeamsRequest { name, teams: add, validate_only, request_id };
            let answer = client.answer(client.users().add_user_teams(client.request(request))).await?;
            return session.done(write, &sentence, &Shown(&answer));
        }
        if !remove.is_empty() {
            let sentence = format!("{user} is not in {}", remove.join(", "));
            let request = RemoveUserTeamsRequest { name, teams: remove, validate_only, request_id };
            let answer = client.answer(client.users().remove_user_teams(client.request(request))).await?;
            return session.done(write, &sentence, &Shown(&answer));
        }
        if only.is_empty() && !self.none {
            return list(session, &name).await;
        }
        let answer = session
            .carefully(
                &self.risky,
                async |client, Mode { validate_only, request_id }| {
                    let (name, teams) = (name.clone(), only.clone());
                    let request = ReplaceUserTeamsRequest { name, teams, validate_only, request_id };
                    client.answer(client.users().replace_user_teams(client.request(request))).await
                },
                |trial| match trial.left_teams.len() {
                    0 => Vec::new(),
                    left => vec![format!(
                        "{user} would leave {}: {}, and lose what comes through it",
                        count(left, "team"),
                        listed(&trial.left_teams, id_of)
                    )],
                },
            )
            .await?;
        let part = |what, teams: &[String]| match teams.len() {
            0 => format!("{what} no team"),
            _ => format!("{what} {}", listed(teams, within)),
        };
        let sentence =
            format!("{user} {} and {}", part("joined", &answer.joined_teams), part("left", &answer.left_teams));
        session.done(write, &sentence, &Shown(&answer))
    }
}

async fn list(session: &mut Session<'_>, name: &str) -> Result<Exit, Failure> {
    let answer =
        ListUserTeamsResponse { teams: users::teams(session, name).await?, ..ListUserTeamsResponse::default() };
    if !session.is_table() {
        return session.value(&Shown(&answer));
    }
    if answer.teams.is_empty() {
        return session.output.line(&format!("{} is in no team", within(name))).map(|()| Exit::Ok);
    }
    session
        .output
        .table(&["TEAM"], answer.teams.iter().map(|team| vec![cell(id_of(team))]).collect())
        .map(|()| Exit::Ok)
}
