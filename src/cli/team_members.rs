//! `teams members|add|remove|replace`: who belongs to a team.
//!
//! `replace` is what the synchronisation with a directory does: the list that is given becomes the list of members, in one
//! write. Start with [`Replace`].

use std::{
    collections::HashSet,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use clap::Args;
use futures_util::stream;
use tonic::Request;

use super::{
    Exit, Failure,
    names::{Account, id_of, within},
    session::{Listing, Mode, Page, RiskyArgs, Session, WriteArgs, cell, count, gather},
    shown::Shown,
    teams::Named,
};
use crate::proto::{
    AddTeamMembersRequest, ListTeamMembersRequest, RemoveTeamMembersRequest, ReplaceTeamMembersRequest,
};

/// How many members one message of a replacement takes.
const MEMBERS_OF_MESSAGE: usize = 1000;

/// `teams add` and `teams remove`.
#[derive(Args, Debug)]
pub struct Members {
    #[command(flatten)]
    team: Named,

    /// The users
    #[arg(value_name = "USER", required = true)]
    users: Vec<String>,

    #[command(flatten)]
    write: WriteArgs,
}

/// `teams replace`.
#[derive(Args, Debug)]
pub struct Replace {
    #[command(flatten)]
    team: Named,

    /// One user id a line; empty lines and lines that begin with # are passed over; "-" reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    risky: RiskyArgs,
}

/// Prints who belongs to a team.
///
/// # Errors
/// What the server says against it; so for all that follow.
pub async fn list(session: &mut Session<'_>, name: String) -> Result<Exit, Failure> {
    let nobody = format!("{} has no members", within(&name));
    let request = ListTeamMembersRequest { name, ..ListTeamMembersRequest::default() };
    let client = &session.client;
    let (members, token) = gather(async |page_token| {
        let call = client.request(ListTeamMembersRequest { page_token, ..request.clone() });
        let answer = client.answer(client.teams().list_team_members(call)).await?;
        let (next_page_token, consistency_token) = (answer.next_page_token, answer.consistency_token);
        Ok(Page { items: answer.members, next_page_token, consistency_token })
    })
    .await?;
    let list = Listing { name: "members", items: &members, consistency_token: &token };
    session.list(&list, &["MEMBER"], |member| vec![cell(id_of(member))], &nobody)
}

impl Members {
    /// Puts them in.
    ///
    /// # Errors
    /// As [`list`].
    pub async fn add(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let (name, members) = (account.team(&self.team.team)?, account.users(&self.users)?);
        let sentence = format!("put {} into {}", members.join(", "), within(&name));
        let Mode { validate_only, request_id } = self.write.mode();
        let request = AddTeamMembersRequest { name, members, validate_only, request_id };
        let client = &session.client;
        let answer = client.answer(client.teams().add_team_members(client.request(request))).await?;
        session.done(&self.write, &sentence, &Shown(&answer))
    }

    /// Takes them out.
    ///
    /// # Errors
    /// As [`list`].
    pub async fn remove(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let (name, members) = (account.team(&self.team.team)?, account.users(&self.users)?);
        let sentence = format!("took {} out of {}", members.join(", "), within(&name));
        let Mode { validate_only, request_id } = self.write.mode();
        let request = RemoveTeamMembersRequest { name, members, validate_only, request_id };
        let client = &session.client;
        let answer = client.answer(client.teams().remove_team_members(client.request(request))).await?;
        session.done(&self.write, &sentence, &Shown(&answer))
    }
}

impl Replace {
    /// Reads the list, says how many would leave, and sends it.
    ///
    /// # Errors
    /// As [`list`]; that the list cannot be read, or that it was not confirmed.
    pub async fn run(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let members = account.users(&read_lines(&self.file)?)?;
        replace(session, account.team(&self.team.team)?, members, &self.risky).await
    }
}

async fn replace(
    session: &mut Session<'_>,
    name: String,
    members: Vec<String>,
    risky: &RiskyArgs,
) -> Result<Exit, Failure> {
    let team = within(&name);
    let answer = session
        .carefully(
            risky,
            async |client, mode| {
                let call = Request::new(stream::iter(pieces(&name, &members, &mode)));
                let work = async { Ok(client.teams().replace_team_members(call).await?.into_inner()) };
                client.stream(work).await
            },
            |trial| match trial.removed_count {
                0 => Vec::new(),
                removed => vec![format!(
                    "{} would leave {team} and lose what they have through it; {} would join",
                    count(removed, "user"),
                    trial.added_count
                )],
            },
        )
        .await?;
    let (joined, left) = (count(answer.added_count, "user"), count(answer.removed_count, "user"));
    let sentence = format!("{team} has {}: {joined} joined, {left} left", count(members.len(), "member"));
    session.done(&risky.write, &sentence, &Shown(&answer))
}

/// The list in messages; the last one says so, and an empty list is one message.
fn pieces(name: &str, members: &[String], mode: &Mode) -> Vec<ReplaceTeamMembersRequest> {
    let message = |members: &[String]| ReplaceTeamMembersRequest {
        name: name.to_owned(),
        members: members.to_vec(),
        ..ReplaceTeamMembersRequest::default()
    };
    let mut pieces: Vec<_> = members.chunks(MEMBERS_OF_MESSAGE).map(message).collect();
    pieces.push(ReplaceTeamMembersRequest {
        last: true,
        validate_only: mode.validate_only,
        request_id: mode.request_id.clone(),
        ..message(&[])
    });
    pieces
}

/// One id a line. Read whole before anything is sent: half a list would take the other half out of the team.
fn read_lines(path: &Path) -> Result<Vec<String>, Failure> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        io::stdin().read_to_string(&mut text).map(drop)
    } else {
        fs::read_to_string(path).map(|all| text = all)
    };
    read.map_err(|error| Failure::new(Exit::Input, format!("cannot read {}: {error}", path.display())))?;
    Ok(ids(&text))
}

/// The ids of a list, each once: a list that names somebody twice means the same.
fn ids(text: &str) -> Vec<String> {
    let mut seen = HashSet::new();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter(|line| seen.insert(*line)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_an_id_a_line_and_says_nobody_twice() {
        assert_eq!(ids("# from the directory\nana\n\n  ben \r\nana\n"), ["ana", "ben"]);
        assert!(ids("").is_empty());
    }

    #[test]
    fn a_long_list_goes_in_pieces_of_which_the_last_says_so() {
        let members: Vec<_> = (0..2500).map(|number| format!("users/{number}")).collect();
        let sent = pieces("accounts/demo/teams/all", &members, &Mode::trial());
        assert_eq!(sent.iter().map(|piece| piece.members.len()).collect::<Vec<_>>(), [1000, 1000, 500, 0]);
        assert_eq!(sent.iter().map(|piece| piece.last).collect::<Vec<_>>(), [false, false, false, true]);
        assert!(sent.last().unwrap().validate_only);
        assert_eq!(pieces("t", &[], &Mode::default()).len(), 1);
    }
}
