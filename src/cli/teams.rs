//! `teams`: sets of users who have what the team holds, and who belongs to them.
//!
//! Here is the team itself; `team_members` has who belongs to it. Start with [`run`].

use clap::{Args, Subcommand, builder::NonEmptyStringValueParser};
use serde::Serialize;

use super::{
    Exit, Failure, access,
    names::{Account, id_of, within},
    session::{Listing, Mode, Page, RiskyArgs, Session, WriteArgs, cell, count, gather, moment},
    shown::Shown,
    team_members,
    terms::{NewRolesArgs, held_roles},
    uses::went,
};
use crate::proto::{
    AccessList, CreateTeamRequest, DeleteTeamRequest, GetTeamRequest, ListRoleBindingsRequest, ListTeamsRequest,
    RoleBinding, Team, UpdateTeamRequest,
};

/// What to do with teams.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the teams of an account
    List {
        /// Only teams whose id, name or description contains this
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        search: String,
    },

    /// Show one team: its roles and how many belong to it
    Show(Named),

    /// Create a team, with roles and members, in one write
    Create(Create),

    /// Change what a team is called
    Edit(Edit),

    /// Delete a team: its members lose what they had through it
    Delete {
        #[command(flatten)]
        team: Named,

        #[command(flatten)]
        risky: RiskyArgs,
    },

    /// List the members of a team
    Members(Named),

    /// Put users into a team
    Add(team_members::Members),

    /// Take users out of a team
    Remove(team_members::Members),

    /// Make the users of a list the members of a team, and nobody else
    Replace(team_members::Replace),
}

/// One team.
#[derive(Args, Debug)]
pub struct Named {
    /// The id of the team
    #[arg(value_name = "TEAM", value_parser = NonEmptyStringValueParser::new())]
    pub team: String,
}

/// `teams create`.
#[derive(Args, Debug)]
pub struct Create {
    /// The id of the new team
    #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    id: String,

    /// What people call it
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    name: String,

    /// What it is for
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    description: String,

    #[command(flatten)]
    roles: NewRolesArgs,

    /// A user who is to belong to it; may be repeated
    #[arg(long = "member", value_name = "USER")]
    members: Vec<String>,

    /// What its members are to have access to, such as line=lines/l1,lines/l2 or line=all; may be repeated
    #[arg(long, value_name = "FACET=VALUES", value_parser = access::parse)]
    access: Vec<AccessList>,

    #[command(flatten)]
    write: WriteArgs,
}

/// `teams edit`.
#[derive(Args, Debug)]
pub struct Edit {
    #[command(flatten)]
    team: Named,

    /// What people call it
    #[arg(long, value_name = "TEXT", required_unless_present = "description")]
    name: Option<String>,

    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,

    #[command(flatten)]
    write: WriteArgs,
}

#[derive(Serialize)]
struct WholeTeam<'a> {
    team: Shown<'a, Team>,
    role_bindings: Vec<Shown<'a, RoleBinding>>,
    access_lists: Vec<Shown<'a, AccessList>>,
    consistency_token: &'a str,
}

/// Does what the command says.
///
/// # Errors
/// What the server says against it, or that it cannot be asked.
pub async fn run(session: &mut Session<'_>, account: &Account, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::List { search } => list(session, account, search).await,
        Command::Show(Named { team }) => show(session, account.team(&team)?, account).await,
        Command::Create(create) => create.run(session, account).await,
        Command::Edit(edit) => edit.run(session, account).await,
        Command::Delete { team, risky } => delete(session, account.team(&team.team)?, &risky).await,
        Command::Members(Named { team }) => team_members::list(session, account.team(&team)?).await,
        Command::Add(members) => members.add(session, account).await,
        Command::Remove(members) => members.remove(session, account).await,
        Command::Replace(replace) => replace.run(session, account).await,
    }
}

async fn list(session: &mut Session<'_>, account: &Account, search: String) -> Result<Exit, Failure> {
    let request = ListTeamsRequest { parent: account.0.clone(), search, ..ListTeamsRequest::default() };
    let client = &session.client;
    let (teams, token) = gather(async |page_token| {
        let call = client.request(ListTeamsRequest { page_token, ..request.clone() });
        let answer = client.answer(client.teams().list_teams(call)).await?;
        let (next_page_token, consistency_token) = (answer.next_page_token, answer.consistency_token);
        Ok(Page { items: answer.teams, next_page_token, consistency_token })
    })
    .await?;
    let row = |team: &Team| {
        vec![cell(id_of(&team.name)), cell(&team.display_name), cell(team.member_count), cell(&team.description)]
    };
    let list = Listing { name: "teams", items: &teams, consistency_token: &token };
    session.list(&list, &["TEAM", "NAME", "MEMBERS", "DESCRIPTION"], row, "no team found")
}

async fn show(session: &mut Session<'_>, name: String, account: &Account) -> Result<Exit, Failure> {
    let client = &session.client;
    let call = client.request(GetTeamRequest { name: name.clone(), consistency: None });
    let answer = client.answer(client.teams().get_team(call)).await?;
    let team = answer.team.unwrap_or_default();
    let bindings = held(session, account, within(&name)).await?;
    let lists = access::of(session, &name).await?;
    if !session.is_table() {
        let role_bindings = bindings.iter().map(Shown).collect();
        let access_lists = lists.iter().map(Shown).collect();
        let consistency_token = &answer.consistency_token;
        return session.value(&WholeTeam { team: Shown(&team), role_bindings, access_lists, consistency_token });
    }
    session.output.fields(&[
        ("Team", id_of(&team.name).to_owned()),
        ("Name", team.display_name),
        ("Description", team.description),
        ("Roles", held_roles(&bindings)),
        ("Access", access::in_short(&lists)),
        ("Members", team.member_count.to_string()),
        ("Changed", moment(team.update_time.as_ref())),
    ])?;
    Ok(Exit::Ok)
}

/// The role bindings of one holder, in the order in which it was given the roles.
pub async fn held(session: &Session<'_>, account: &Account, holder: String) -> Result<Vec<RoleBinding>, Failure> {
    let client = &session.client;
    let request = ListRoleBindingsRequest { parent: account.0.clone(), holder, ..ListRoleBindingsRequest::default() };
    let (bindings, _) = gather(async |page_token| {
        let call = client.request(ListRoleBindingsRequest { page_token, ..request.clone() });
        let answer = client.answer(client.bindings().list_role_bindings(call)).await?;
        let (next_page_token, consistency_token) = (answer.next_page_token, answer.consistency_token);
        Ok(Page { items: answer.role_bindings, next_page_token, consistency_token })
    })
    .await?;
    Ok(bindings)
}

impl Create {
    async fn run(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let members = account.users(&self.members)?;
        let new = self.roles.read(&session.client, account).await?;
        let mut sentence = format!("created teams/{}", id_of(&account.team(&self.id)?));
        sentence += &format!(" with {} and {}", count(members.len(), "member"), count(new.len(), "role"));
        if !new.is_empty() {
            sentence += &format!(" ({})", new.described());
        }
        sentence += &access::described(&self.access);
        let Mode { validate_only, request_id } = self.write.mode();
        let request = CreateTeamRequest {
            parent: account.0.clone(),
            team_id: id_of(&account.team(&self.id)?).to_owned(),
            team: Some(Team { display_name: self.name, description: self.description, ..Team::default() }),
            roles: new.roles,
            role_bindings: new.bindings,
            members,
            access_lists: self.access,
            validate_only,
            request_id,
        };
        let client = &session.client;
        let answer = client.answer(client.teams().create_team(client.request(request))).await?;
        session.done(&self.write, &sentence, &Shown(&answer))
    }
}

impl Edit {
    async fn run(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let Mode { validate_only, request_id } = self.write.mode();
        let paths = [("display_name", &self.name), ("description", &self.description)];
        let paths = paths.into_iter().filter(|(_, value)| value.is_some()).map(|(path, _)| path.to_owned()).collect();
        let team = Team {
            name: account.team(&self.team.team)?,
            display_name: self.name.unwrap_or_default(),
            description: self.description.unwrap_or_default(),
            ..Team::default()
        };
        let sentence = format!("changed {}", within(&team.name));
        let mut request = UpdateTeamRequest { team: Some(team), update_mask: None, validate_only, request_id };
        request.update_mask.get_or_insert_default().paths = paths;
        let client = &session.client;
        let answer = client.answer(client.teams().update_team(client.request(request))).await?;
        session.done(&self.write, &sentence, &Shown(&answer))
    }
}

async fn delete(session: &mut Session<'_>, name: String, risky: &RiskyArgs) -> Result<Exit, Failure> {
    let team = within(&name);
    let answer = session
        .delete(
            risky,
            true,
            async |client, Mode { validate_only, request_id }, force| {
                let (name, etag) = (name.clone(), String::new());
                let request = DeleteTeamRequest { name, etag, force, validate_only, request_id };
                client.answer(client.teams().delete_team(client.request(request))).await
            },
            |answer| &answer.removed,
            |trial| {
                let members = count(trial.member_count, "member");
                format!("{team} would be deleted for good, and its {members} would lose what they have through it")
            },
        )
        .await?;
    let had = count(answer.member_count, "member");
    let sentence = format!("deleted {team}; it had {had}{}", went(&answer.removed));
    session.done(&risky.write, &sentence, &Shown(&answer))
}
