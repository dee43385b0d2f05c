//! `roles give|take`: who gets a role, and who loses it.
//!
//! A role that a user has through a team goes only with the team, and with the team every other role of it: that is said
//! and asked before anything changes. Start with [`Take`].

use clap::{Args, builder::NonEmptyStringValueParser};
use serde::Serialize;

use super::{
    Exit, Failure,
    names::{Account, id_of, listed, role_of, within},
    session::{Mode, Page, RiskyArgs, Session, WriteArgs, confirm, gather},
    shown::Shown,
    terms::{TermArgs, terms, terms_of},
};
use crate::proto::{
    BatchCreateRoleBindingsRequest, BatchDeleteRoleBindingsRequest, ListRoleBindingsRequest, RemoveUserRoleRequest,
    RemoveUserRoleResponse, RoleBinding,
};

/// `roles give`.
#[derive(Args, Debug)]
pub struct Give {
    /// The role: the id of a managed one, or custom/ID
    #[arg(value_name = "ROLE", value_parser = NonEmptyStringValueParser::new())]
    role: String,

    /// Who gets it: users/ID, teams/ID or serviceAccounts/ID; a bare ID is a user
    #[arg(value_name = "HOLDER", required = true)]
    holders: Vec<String>,

    #[command(flatten)]
    terms: TermArgs,

    #[command(flatten)]
    write: WriteArgs,
}

/// `roles take`.
#[derive(Args, Debug)]
pub struct Take {
    /// The role: the id of a managed one, or custom/ID
    #[arg(value_name = "ROLE", value_parser = NonEmptyStringValueParser::new())]
    role: String,

    /// Who loses it: users/ID, teams/ID or serviceAccounts/ID; a bare ID is a user
    #[arg(value_name = "HOLDER", required = true)]
    holders: Vec<String>,

    /// Only what was given on this resource; without it the role goes wherever it is held
    #[arg(long, value_name = "PATH", conflicts_with = "leave_teams")]
    resource: Option<String>,

    /// Users may leave the teams that they have it through, and lose every other role of those teams
    #[arg(long)]
    leave_teams: bool,

    #[command(flatten)]
    risky: RiskyArgs,
}

/// What one holder lost.
#[derive(Debug, Serialize)]
struct Taken {
    holder: String,
    left_teams: Vec<String>,
    lost_roles: Vec<String>,
}

#[derive(Debug, Default, Serialize)]
struct AllTaken {
    taken: Vec<Taken>,
    consistency_token: String,
}

impl Give {
    /// Gives the role to all of them in one write.
    ///
    /// # Errors
    /// What the server says against it.
    pub async fn run(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let holders = self.holders.iter().map(|holder| account.holder(holder)).collect::<Result<Vec<_>, _>>()?;
        let role = account.role(&session.client, &self.role).await?;
        let wanted = RoleBinding {
            role,
            resource: account.resource_path(&self.terms.resource).to_owned(),
            expire_time: self.terms.until.time()?,
            ..RoleBinding::default()
        };
        let term = terms_of(&wanted);
        let mut sentence = format!("{} is held by {}{term}", role_of(&wanted.role), holders.join(", "));
        let binding = |holder| RoleBinding { holder, ..wanted.clone() };
        let Mode { validate_only, request_id } = self.write.mode();
        let request = BatchCreateRoleBindingsRequest {
            parent: account.0.clone(),
            role_bindings: holders.into_iter().map(binding).collect(),
            skip_held: true,
            validate_only,
            request_id,
            ..BatchCreateRoleBindingsRequest::default()
        };
        let client = &session.client;
        let answer = client.answer(client.bindings().batch_create_role_bindings(client.request(request))).await?;
        for held in answer.role_bindings.iter().filter(|held| terms_of(held) != term) {
            let now = terms("", held.expire_time.as_ref());
            let now = if now.is_empty() { " for good" } else { &now };
            sentence +=
                &format!("\n  {} held it already{now}, and that stays; to change it, take it first", held.holder);
        }
        session.done(&self.write, &sentence, &Shown(&answer))
    }
}

impl Take {
    /// Takes the role from each of them: from teams and service accounts in one write, from each user in one of its own.
    ///
    /// # Errors
    /// What the server says against it, or that it was not confirmed.
    pub async fn run(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let holders = self.holders.iter().map(|holder| account.holder(holder)).collect::<Result<Vec<_>, _>>()?;
        let role = account.role(&session.client, &self.role).await?;
        // On one resource, a user loses its own binding as every holder does; what comes through teams stays.
        let by_user = |holder: &String| holder.starts_with("users/") && self.resource.is_none();
        let (users, others): (Vec<_>, Vec<_>) = holders.into_iter().partition(by_user);
        let writes = users.len() + usize::from(!others.is_empty());
        if writes > 1 && !self.risky.write.request_id.is_empty() {
            return Err(Failure::new(
                Exit::Usage,
                format!("--request-id names one write, and this is {writes} of them"),
            )
            .with_next("take the role from one user at a time"));
        }
        let resource = self.resource.as_deref().map(|given| account.resource_path(given));
        let bindings = bindings(session, account, &role, &others, resource).await?;
        let leave_teams = self.confirmed(session, account, &role, &users).await?;

        let mode = self.risky.write.mode();
        let mut all = AllTaken::default();
        if !bindings.is_empty() {
            let Mode { validate_only, request_id } = mode.clone();
            let request = BatchDeleteRoleBindingsRequest {
                parent: account.0.clone(),
                names: bindings,
                validate_only,
                request_id,
            };
            let client = &session.client;
            let answer = client.answer(client.bindings().batch_delete_role_bindings(client.request(request))).await?;
            all.consistency_token = answer.consistency_token;
            let taken = |holder: &String| Taken {
                holder: format!("{}/{holder}", account.0),
                left_teams: Vec::new(),
                lost_roles: vec![role.clone()],
            };
            all.taken.extend(others.iter().map(taken));
        }
        for user in &users {
            let holder = format!("{}/{user}", account.0);
            match remove(session, &holder, &role, leave_teams, mode.clone()).await {
                Ok(answer) => {
                    all.consistency_token = answer.consistency_token;
                    let (left_teams, lost_roles) = (answer.left_teams, answer.lost_roles);
                    all.taken.push(Taken { holder, left_teams, lost_roles });
                }
                Err(mut failure) => {
                    // What has been done is not undone, and has to be said.
                    failure.details.extend(all.taken.iter().map(|taken| format!("done before: {}", taken.sentence())));
                    return Err(failure);
                }
            }
        }
        let sentences: Vec<_> = all.taken.iter().map(Taken::sentence).collect();
        session.done(&self.risky.write, &sentences.join("\n"), &all)
    }

    /// Tries it for every user, and gives whether they may leave their teams.
    async fn confirmed(
        &self,
        session: &mut Session<'_>,
        account: &Account,
        role: &str,
        users: &[String],
    ) -> Result<bool, Failure> {
        let Self { leave_teams, risky, .. } = self;
        if risky.yes || risky.write.dry_run {
            return Ok(*leave_teams);
        }
        let mut consequences = Vec::new();
        for user in users {
            let holder = format!("{}/{user}", account.0);
            let trial = remove(session, &holder, role, true, Mode::trial()).await?;
            consequences.extend(consequence(user, role, &trial));
        }
        // Without a terminal the server's refusal is clearer: it names the teams, and what would confirm it.
        if consequences.is_empty() || (!leave_teams && !session.is_interactive()) {
            return Ok(*leave_teams);
        }
        confirm(consequences, session.output).map(|()| true)
    }
}

impl Taken {
    fn sentence(&self) -> String {
        let lost = listed(&self.lost_roles, role_of);
        let left = if self.left_teams.is_empty() {
            String::new()
        } else {
            format!(" and left {}", listed(&self.left_teams, within))
        };
        format!("{} lost {lost}{left}", within(&self.holder))
    }
}

/// What a user loses beside the role, if anything.
fn consequence(user: &str, role: &str, trial: &RemoveUserRoleResponse) -> Option<String> {
    if trial.left_teams.is_empty() {
        return None;
    }
    let teams = listed(&trial.left_teams, id_of);
    let teams = if trial.left_teams.len() == 1 { format!("the team {teams}") } else { format!("the teams {teams}") };
    let others: Vec<_> = trial.lost_roles.iter().filter(|lost| *lost != role).cloned().collect();
    let others = match others.len() {
        0 => "no other role".to_owned(),
        1 => format!("1 other role: {}", listed(&others, role_of)),
        more => format!("{more} other roles: {}", listed(&others, role_of)),
    };
    let role = role_of(role);
    Some(format!("{user} has {role} through {teams}: it would have to leave, and would lose {others}"))
}

async fn remove(
    session: &Session<'_>,
    name: &str,
    role: &str,
    leave_teams: bool,
    Mode { validate_only, request_id }: Mode,
) -> Result<RemoveUserRoleResponse, Failure> {
    let (name, role) = (name.to_owned(), role.to_owned());
    let request = RemoveUserRoleRequest { name, role, leave_teams, validate_only, request_id };
    let client = &session.client;
    client.answer(client.users().remove_user_role(client.request(request))).await
}

/// The role bindings by which holders themselves hold a role, anywhere or on one resource.
async fn bindings(
    session: &Session<'_>,
    account: &Account,
    role: &str,
    holders: &[String],
    resource: Option<&str>,
) -> Result<Vec<String>, Failure> {
    let client = &session.client;
    let mut names = Vec::with_capacity(holders.len());
    for holder in holders {
        let request = ListRoleBindingsRequest {
            parent: account.0.clone(),
            holder: holder.clone(),
            role: role.to_owned(),
            ..ListRoleBindingsRequest::default()
        };
        let (mut bindings, _) = gather(async |page_token| {
            let call = client.request(ListRoleBindingsRequest { page_token, ..request.clone() });
            let answer = client.answer(client.bindings().list_role_bindings(call)).await?;
            let (next_page_token, consistency_token) = (answer.next_page_token, answer.consistency_token);
            Ok(Page { items: answer.role_bindings, next_page_token, consistency_token })
        })
        .await?;
        bindings.retain(|binding| resource.is_none_or(|path| binding.resource == path));
        if bindings.is_empty() {
            let place = resource.map(|path| format!(" on {path}")).unwrap_or_default();
            let message = format!("{holder} does not hold {}{place}", role_of(role));
            return Err(Failure::new(Exit::NotFound, message)
                .with_next(format!("to see who does, and where: rolecall roles holders {}", role_of(role))));
        }
        names.extend(bindings.into_iter().map(|binding| binding.name));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(teams: &[&str], roles: &[&str]) -> RemoveUserRoleResponse {
        RemoveUserRoleResponse {
            left_teams: teams.iter().map(|id| format!("accounts/demo/teams/{id}")).collect(),
            lost_roles: roles.iter().map(|id| format!("catalogs/c/roles/{id}")).collect(),
            consistency_token: String::new(),
        }
    }

    #[test]
    fn what_goes_with_an_inherited_role_is_named_and_counted() {
        let role = "catalogs/c/roles/analyst";
        assert_eq!(consequence("users/ana", role, &answer(&[], &["analyst"])), None);
        assert_eq!(
            consequence("users/ana", role, &answer(&["office"], &["analyst"])).unwrap(),
            "users/ana has analyst through the team office: it would have to leave, and would lose no other role"
        );
        assert_eq!(
            consequence("users/ana", role, &answer(&["a", "b"], &["analyst", "clerk"])).unwrap(),
            "users/ana has analyst through the teams a, b: it would have to leave, and would lose 1 other role: clerk"
        );
    }
}
