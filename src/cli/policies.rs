//! `policies`: access policies, which allow and deny by statements. Those of the catalog are shown, an account's own kept.
//!
//! What a policy says stands in a file: see `policy_files`. Roles contain policies: see `role_edits`. Start with [`run`].

use std::path::PathBuf;

use clap::{Args, Subcommand, builder::NonEmptyStringValueParser};

use super::{
    Exit, Failure,
    names::{Account, id_of, policy_of},
    policy_files::{self, PolicyFile, effect_of},
    session::{Listing, Mode, Page, RiskyArgs, Session, WriteArgs, cell, count, gather, moment},
    shown::Shown,
    uses::went,
};
use crate::proto::{
    AccessPolicy, CreateAccessPolicyRequest, DeleteAccessPolicyRequest, GetAccessPolicyRequest,
    ListAccessPoliciesRequest, PolicyStatement, UpdateAccessPolicyRequest,
};

/// What to do with access policies.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the access policies that roles of the account can contain: those of its catalog, and its own
    List {
        /// Only those whose id, name or description contains this
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        search: String,
    },

    /// Show one access policy with its statements
    Show {
        /// The access policy: the id of a managed one, or custom/ID
        #[arg(value_name = "POLICY", value_parser = NonEmptyStringValueParser::new())]
        policy: String,

        /// Show it as the file that `create` and `edit` read
        #[arg(long)]
        as_file: bool,
    },

    /// Create a custom access policy as a file says
    Create(Written),

    /// Make a custom access policy what a file says; whoever holds a role with it follows at once
    Edit(Written),

    /// Delete a custom access policy; refused while roles contain it
    Delete {
        /// The custom access policy: custom/ID, or just ID
        #[arg(value_name = "POLICY", value_parser = NonEmptyStringValueParser::new())]
        policy: String,

        /// Take it out of the roles that contain it
        #[arg(long)]
        force: bool,

        #[command(flatten)]
        risky: RiskyArgs,
    },
}

/// `policies create` and `policies edit`.
#[derive(Args, Debug)]
pub struct Written {
    /// The custom access policy: custom/ID, or just ID
    #[arg(value_name = "POLICY", value_parser = NonEmptyStringValueParser::new())]
    policy: String,

    /// The file, in YAML or JSON: display_name, description, statements; "-" reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    write: WriteArgs,
}

/// Does what the command says.
///
/// # Errors
/// What the server says against it, or that it cannot be asked.
pub async fn run(session: &mut Session<'_>, account: &Account, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::List { search } => list(session, account, search).await,
        Command::Show { policy, as_file } => show(session, account, &policy, as_file).await,
        Command::Create(written) => written.create(session, account).await,
        Command::Edit(written) => written.edit(session, account).await,
        Command::Delete { policy, force, risky } => {
            delete(session, account.custom_policy(&policy)?, force, &risky).await
        }
    }
}

async fn list(session: &mut Session<'_>, account: &Account, search: String) -> Result<Exit, Failure> {
    let request =
        ListAccessPoliciesRequest { parent: account.0.clone(), search, ..ListAccessPoliciesRequest::default() };
    let client = &session.client;
    let (policies, token) = gather(async |page_token| {
        let call = client.request(ListAccessPoliciesRequest { page_token, ..request.clone() });
        let answer = client.answer(client.policies().list_access_policies(call)).await?;
        let (next_page_token, consistency_token) = (answer.next_page_token, answer.consistency_token);
        Ok(Page { items: answer.access_policies, next_page_token, consistency_token })
    })
    .await?;
    let row = |policy: &AccessPolicy| {
        let (name, display_name) = (policy_of(&policy.name), &policy.display_name);
        vec![cell(name), cell(display_name), cell(policy.statements.len()), cell(&policy.description)]
    };
    let list = Listing { name: "access_policies", items: &policies, consistency_token: &token };
    session.list(&list, &["POLICY", "NAME", "STATEMENTS", "DESCRIPTION"], row, "no access policy found")
}

async fn show(session: &mut Session<'_>, account: &Account, given: &str, as_file: bool) -> Result<Exit, Failure> {
    let name = account.policy(&session.client, given).await?;
    let client = &session.client;
    let call = client.request(GetAccessPolicyRequest { name, consistency: None });
    let answer = client.answer(client.policies().get_access_policy(call)).await?;
    if !session.is_table() && !as_file {
        return session.value(&Shown(&answer));
    }
    let policy = answer.access_policy.unwrap_or_default();
    if as_file {
        let format = if session.is_table() { super::Format::Yaml } else { session.format };
        return session.output.value(&PolicyFile::from(&policy), format).map(|()| Exit::Ok);
    }
    session.output.fields(&[
        ("Policy", policy_of(&policy.name)),
        ("Name", policy.display_name),
        ("Description", policy.description),
        ("Changed", moment(policy.update_time.as_ref())),
    ])?;
    session.output.line("")?;
    let rows = policy.statements.iter().map(statement_row).collect();
    session.output.table(&STATEMENT_HEADER, rows).map(|()| Exit::Ok)
}

/// What stands above the rows of [`statement_row`].
pub const STATEMENT_HEADER: [&str; 4] = ["EFFECT", "PERMISSIONS", "RESOURCES", "CONDITION"];

/// One sentence of a policy.
pub fn statement_row(statement: &PolicyStatement) -> Vec<Vec<String>> {
    let resources = if statement.resources.is_empty() { cell("every") } else { statement.resources.clone() };
    vec![cell(effect_of(statement)), statement.permissions.clone(), resources, cell(&statement.condition)]
}

impl Written {
    async fn create(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let name = account.custom_policy(&self.policy)?;
        let policy = policy_files::read(&self.file, id_of(&name))?;
        let sentence = format!("created {}", described(&name, &policy));
        let Mode { validate_only, request_id } = self.write.mode();
        let request = CreateAccessPolicyRequest {
            parent: account.0.clone(),
            access_policy_id: id_of(&name).to_owned(),
            access_policy: Some(policy),
            validate_only,
            request_id,
        };
        let client = &session.client;
        let answer = client.answer(client.policies().create_access_policy(client.request(request))).await?;
        session.done(&self.write, &sentence, &Shown(&answer))
    }

    async fn edit(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        let name = account.custom_policy(&self.policy)?;
        let policy = policy_files::read(&self.file, id_of(&name))?;
        let sentence = format!("changed {}", described(&name, &policy));
        let Mode { validate_only, request_id } = self.write.mode();
        let access_policy = Some(AccessPolicy { name, ..policy });
        let mut request = UpdateAccessPolicyRequest { access_policy, update_mask: None, validate_only, request_id };
        let paths = ["display_name", "description", "statements"].map(str::to_owned);
        request.update_mask.get_or_insert_default().paths = paths.to_vec();
        let client = &session.client;
        let answer = client.answer(client.policies().update_access_policy(client.request(request))).await?;
        session.done(&self.write, &sentence, &Shown(&answer))
    }
}

/// A policy in a sentence: `custom/no-export "No exports" with 1 statement`.
fn described(name: &str, policy: &AccessPolicy) -> String {
    format!("{} \"{}\" with {}", policy_of(name), policy.display_name, count(policy.statements.len(), "statement"))
}

async fn delete(session: &mut Session<'_>, name: String, force: bool, risky: &RiskyArgs) -> Result<Exit, Failure> {
    let policy = policy_of(&name);
    let answer = session
        .delete(
            risky,
            force,
            async |client, Mode { validate_only, request_id }, force| {
                let (name, etag) = (name.clone(), String::new());
                let request = DeleteAccessPolicyRequest { name, etag, validate_only, request_id, force };
                client.answer(client.policies().delete_access_policy(client.request(request))).await
            },
            |answer| &answer.removed,
            |_| format!("1 access policy, {policy}, would be deleted for good"),
        )
        .await?;
    let sentence = format!("deleted {policy}{}", went(&answer.removed));
    session.done(&risky.write, &sentence, &Shown(&answer))
}
