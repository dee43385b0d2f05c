//! `service-accounts`: programs that act in an account.
//!
//! They get and lose roles with `roles give` and `roles take`, as `serviceAccounts/ID`. Start with [`run`].

use clap::{Args, Subcommand, builder::NonEmptyStringValueParser};
use serde::Serialize;

use super::{
    Exit, Failure,
    names::{Account, id_of, within},
    session::{Listing, Mode, Page, RiskyArgs, Session, WriteArgs, cell, count, gather, moment},
    shown::Shown,
    teams::held,
    terms::{NewRolesArgs, held_roles},
};
use crate::proto::{
    CreateServiceAccountRequest, DeleteServiceAccountRequest, GetServiceAccountRequest, ListServiceAccountsRequest,
    RoleBinding, ServiceAccount, UpdateServiceAccountRequest, service_account::State,
};

/// What to do with service accounts.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the service accounts of an account
    List {
        /// Only those whose id, name or description contains this
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        search: String,
    },

    /// Show one service account and its roles
    Show(Named),

    /// Create a service account, with roles, in one write
    Create(Create),

    /// Change what a service account is called
    Edit(Edit),

    /// Let a suspended service account do what its roles allow
    Activate(Change),

    /// Allow a service account nothing; its roles stay
    Suspend(Change),

    /// Delete a service account
    Delete {
        #[command(flatten)]
        service_account: Named,

        #[command(flatten)]
        risky: RiskyArgs,
    },
}

/// One service account.
#[derive(Args, Debug)]
pub struct Named {
    /// The id of the service account
    #[arg(value_name = "SERVICE_ACCOUNT", value_parser = NonEmptyStringValueParser::new())]
    service_account: String,
}

/// `service-accounts create`.
#[derive(Args, Debug)]
pub struct Create {
    /// The id of the new service account
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

    #[command(flatten)]
    write: WriteArgs,
}

/// `service-accounts edit`.
#[derive(Args, Debug)]
pub struct Edit {
    #[command(flatten)]
    service_account: Named,

    /// What people call it
    #[arg(long, value_name = "TEXT", required_unless_present = "description")]
    name: Option<String>,

    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,

    #[command(flatten)]
    write: WriteArgs,
}

/// `service-accounts activate` and `service-accounts suspend`.
#[derive(Args, Debug)]
pub struct Change {
    #[command(flatten)]
    service_account: Named,

    #[command(flatten)]
    write: WriteArgs,
}

#[derive(Serialize)]
struct Whole<'a> {
    service_account: Shown<'a, ServiceAccount>,
    role_bindings: Vec<Shown<'a, RoleBinding>>,
    consistency_token: &'a str,
}

/// Does what the command says.
///
/// # Errors
/// What the server says against it, or that it cannot be asked.
pub async fn run(session: &mut Session<'_>, account: &Account, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::List { search } => list(session, account, search).await,
        Command::Show(named) => show(session, account, named.full(account)?).await,
        Command::Create(create) => create.run(session, account).await,
        Command::Edit(edit) => edit.run(session, account).await,
        Command::Activate(change) => change.run(session, account, State::Active).await,
        Command::Suspend(change) => change.run(session, account, State::Suspended).await,
        Command::Delete { service_account, risky } => {
            delete(session, account, service_account.full(account)?, &risky).await
        }
    }
}

impl Named {
    fn full(&self, account: &Account) -> Result<String, Failure> {
        account.service_account(&self.service_account)
    }
}

async fn list(session: &mut Session<'_>, account: &Account, search: String) -> Result<Exit, Failure> {
    let request =
        ListServiceAccountsRequest { parent: account.0.clone(), search, ..ListServiceAccountsRequest::default() };
    let client = &session.client;
    let (found, token) = gather(async |page_token| {
        let call = client.request(ListServiceAccountsRequest { page_token, ..request.clone() });
        let answer = client.answer(client.service_accounts().list_service_accounts(call)).await?;
        let (next_page_token, consistency_token) = (answer.next_page_token, answer.consistency_token);
        Ok(Page { items: answer.service_accounts, next_page_token, consistency_token })
    })
    .await?;
    let row = |found: &ServiceAccount| {
        vec![cell(id_of(&found.name)), cell(&found.display_name), cell(state_of(found)), cell(&found.description)]
    };
    let list = Listing { name: "service_accounts", items: &found, consistency_token: &token };
    session.list(&list, &["SERVICE ACCOUNT", "NAME", "STATE", "DESCRIPTION"], row, "no service account found")
}

fn state_of(service_account: &ServiceAccount) -> &'static str {
    match service_account.state() {
        State::Active => "active",
        State::Suspended => "suspended",
        State::Unspecified => "",
    }
}

async fn show(session: &mut Session<'_>, account: &Account, name: String) -> Result<Exit, Failure> {
    let client = &session.client;
    let call = client.request(GetServiceAccountRequest { name: name.clone(), consistency: None });
    let answer = client.answer(client.service_accounts().get_service_account(call)).await?;
    let found = answer.service_account.unwrap_or_default();
    let bindings = held(session, account, within(&name)).await?;
    if !session.is_table() {
        let role_bindings = bindings.iter().map(Shown).collect();
        let consistency_token = &answer.consistency_token;
        return session.value(&Whole { service_account: Shown(&found), role_bindings, consistency_token });
    }
    let state = state_of(&found).to_owned();
    session.output.fields(&[
        ("Service account", id_of(&found.name).to_owned()),
        ("Name", found.display_name),
        ("Description", found.description),
        ("State", state),
        ("Roles", held_roles(&bindings)),
        ("Changed", moment(found.update_time.as_ref())),
    ])?;
    Ok(Exit::Ok)
}

impl Create {
    async fn run(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let name = account.service_account(&self.id)?;
        let new = self.roles.read(&session.client, account).await?;
        let held = if new.is_empty() { "no role".to_owned() } else { new.described() };
        let sentence = format!("created {} with {held}", within(&name));
        let Mode { validate_only, request_id } = self.write.mode();
        let (display_name, description) = (self.name, self.description);
        let request = CreateServiceAccountRequest {
            parent: account.0.clone(),
            service_account_id: id_of(&name).to_owned(),
            service_account: Some(ServiceAccount { display_name, description, ..ServiceAccount::default() }),
            roles: new.roles,
            role_bindings: new.bindings,
            validate_only,
            request_id,
        };
        let client = &session.client;
        let answer = client.answer(client.service_accounts().create_service_account(client.request(request))).await?;
        session.done(&self.write, &sentence, &Shown(&answer))
    }
}

impl Edit {
    async fn run(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let paths = [("display_name", &self.name), ("description", &self.description)];
        let paths = paths.into_iter().filter(|(_, value)| value.is_some()).map(|(path, _)| path.to_owned()).collect();
        let changed = ServiceAccount {
            name: self.service_account.full(account)?,
            display_name: self.name.unwrap_or_default(),
            description: self.description.unwrap_or_default(),
            ..ServiceAccount::default()
        };
        let sentence = format!("changed {}", within(&changed.name));
        update(session, changed, paths, &self.write, &sentence).await
    }
}

impl Change {
    async fn run(self, session: &mut Session<'_>, account: &Account, state: State) -> Result<Exit, Failure> {
        let name = self.service_account.full(account)?;
        let changed = ServiceAccount { name, state: state.into(), ..ServiceAccount::default() };
        let sentence = format!("{} is {}", within(&changed.name), state_of(&changed));
        update(session, changed, vec!["state".to_owned()], &self.write, &sentence).await
    }
}

async fn update(
    session: &mut Session<'_>,
    changed: ServiceAccount,
    paths: Vec<String>,
    write: &WriteArgs,
    sentence: &str,
) -> Result<Exit, Failure> {
    let Mode { validate_only, request_id } = write.mode();
    let service_account = Some(changed);
    let mut request = UpdateServiceAccountRequest { service_account, update_mask: None, validate_only, request_id };
    request.update_mask.get_or_insert_default().paths = paths;
    let client = &session.client;
    let answer = client.answer(client.service_accounts().update_service_account(client.request(request))).await?;
    session.done(write, sentence, &Shown(&answer))
}

async fn delete(
    session: &mut Session<'_>,
    account: &Account,
    name: String,
    risky: &RiskyArgs,
) -> Result<Exit, Failure> {
    let deleted = within(&name);
    let roles = count(held(session, account, deleted.clone()).await?.len(), "role");
    let answer = session
        .carefully(
            risky,
            async |client, Mode { validate_only, request_id }| {
                let (name, etag) = (name.clone(), String::new());
                let request = DeleteServiceAccountRequest { name, etag, validate_only, request_id };
                client.answer(client.service_accounts().delete_service_account(client.request(request))).await
            },
            |_| vec![format!("{deleted} would be deleted for good, with {roles}; whatever acts as it would be denied")],
        )
        .await?;
    session.done(&risky.write, &format!("deleted {deleted}, which had {roles}"), &Shown(&answer))
}
