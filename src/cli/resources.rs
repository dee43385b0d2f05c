//! `resources`: the registered resources of an account, which role bindings and access lists can name.
//!
//! A question may name a resource that is not registered. Start with [`run`].

use clap::{Args, Subcommand, builder::NonEmptyStringValueParser};

use super::{
    Exit, Failure,
    names::Account,
    session::{Listing, Mode, Page, RiskyArgs, Session, WriteArgs, cell, count, gather, moment},
    shown::Shown,
    uses::went,
};
use crate::proto::{
    BatchCreateResourcesRequest, DeleteResourceRequest, GetResourceRequest, ListRegisteredResourcesRequest, Resource,
    UpdateResourceRequest,
};

/// What to do with resources.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the registered resources of an account, each followed by what lies below it
    List {
        /// Only those below this one, such as workspaces/w1
        #[arg(long, value_name = "PATH", default_value = "", hide_default_value = true)]
        below: String,

        /// Only those of this type
        #[arg(long = "type", value_name = "TYPE", default_value = "", hide_default_value = true)]
        resource_type: String,
    },

    /// Show one registered resource
    Show(Named),

    /// Register resources, all in one write; what is right above one has to be registered
    Register(Register),

    /// Change what a resource is called
    Rename {
        #[command(flatten)]
        resource: Named,

        /// What people call it
        #[arg(value_name = "NAME")]
        name: String,

        #[command(flatten)]
        write: WriteArgs,
    },

    /// Delete a resource; refused while role bindings, access lists or resources below it use it
    Delete {
        #[command(flatten)]
        resource: Named,

        /// Delete what uses it too
        #[arg(long)]
        force: bool,

        #[command(flatten)]
        risky: RiskyArgs,
    },
}

/// One resource.
#[derive(Args, Debug)]
pub struct Named {
    /// The path of the resource, such as workspaces/w1/channels/c7
    #[arg(value_name = "PATH", value_parser = NonEmptyStringValueParser::new())]
    path: String,
}

/// `resources register`.
#[derive(Args, Debug)]
pub struct Register {
    /// The paths of the new resources, such as lines/l1; one above another comes first
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<String>,

    /// What people call it; for one resource
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    name: String,

    #[command(flatten)]
    write: WriteArgs,
}

/// Does what the command says.
///
/// # Errors
/// What the server says against it, or that it cannot be asked.
pub async fn run(session: &mut Session<'_>, account: &Account, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::List { below, resource_type } => list(session, account, &below, resource_type).await,
        Command::Show(Named { path }) => show(session, account.resource(&path)).await,
        Command::Register(register) => register.run(session, account).await,
        Command::Rename { resource, name, write } => {
            rename(session, account.resource(&resource.path), name, &write).await
        }
        Command::Delete { resource, force, risky } => {
            delete(session, account, account.resource(&resource.path), force, &risky).await
        }
    }
}

async fn list(
    session: &mut Session<'_>,
    account: &Account,
    below: &str,
    resource_type: String,
) -> Result<Exit, Failure> {
    let request = ListRegisteredResourcesRequest {
        parent: account.0.clone(),
        below: account.resource_path(below).to_owned(),
        resource_type,
        ..ListRegisteredResourcesRequest::default()
    };
    let client = &session.client;
    let (resources, token) = gather(async |page_token| {
        let call = client.request(ListRegisteredResourcesRequest { page_token, ..request.clone() });
        let answer = client.answer(client.resources().list_registered_resources(call)).await?;
        let (next_page_token, consistency_token) = (answer.next_page_token, answer.consistency_token);
        Ok(Page { items: answer.resources, next_page_token, consistency_token })
    })
    .await?;
    let row =
        |resource: &Resource| vec![cell(&resource.path), cell(&resource.resource_type), cell(&resource.display_name)];
    let list = Listing { name: "resources", items: &resources, consistency_token: &token };
    session.list(&list, &["RESOURCE", "TYPE", "NAME"], row, "no resource is registered here")
}

async fn show(session: &mut Session<'_>, name: String) -> Result<Exit, Failure> {
    let client = &session.client;
    let call = client.request(GetResourceRequest { name, consistency: None });
    let answer = client.answer(client.resources().get_resource(call)).await?;
    if !session.is_table() {
        return session.value(&Shown(&answer));
    }
    let resource = answer.resource.unwrap_or_default();
    session.output.fields(&[
        ("Resource", resource.path),
        ("Type", resource.resource_type),
        ("Name", resource.display_name),
        ("Registered", moment(resource.create_time.as_ref())),
        ("Changed", moment(resource.update_time.as_ref())),
    ])?;
    Ok(Exit::Ok)
}

impl Register {
    async fn run(self, session: &mut Session<'_>, account: &Account) -> Result<Exit, Failure> {
        if self.paths.len() > 1 && !self.name.is_empty() {
            let message = format!("--name is for one resource, and {} are given", self.paths.len());
            return Err(Failure::new(Exit::Usage, message).with_next("name them afterwards: rolecall resources rename"));
        }
        let resource = |path: &String| Resource {
            path: account.resource_path(path).to_owned(),
            display_name: self.name.clone(),
            ..Resource::default()
        };
        let resources: Vec<_> = self.paths.iter().map(resource).collect();
        let paths: Vec<_> = resources.iter().map(|resource| resource.path.as_str()).collect();
        let sentence = format!("registered {}: {}", count(paths.len(), "resource"), paths.join(", "));
        let Mode { validate_only, request_id } = self.write.mode();
        let request = BatchCreateResourcesRequest { parent: account.0.clone(), resources, validate_only, request_id };
        let client = &session.client;
        let answer = client.answer(client.resources().batch_create_resources(client.request(request))).await?;
        session.done(&self.write, &sentence, &Shown(&answer))
    }
}

async fn rename(
    session: &mut Session<'_>,
    name: String,
    display_name: String,
    write: &WriteArgs,
) -> Result<Exit, Failure> {
    let Mode { validate_only, request_id } = write.mode();
    let resource = Some(Resource { name, display_name, ..Resource::default() });
    let mut request = UpdateResourceRequest { resource, update_mask: None, validate_only, request_id };
    request.update_mask.get_or_insert_default().paths.push("display_name".to_owned());
    let client = &session.client;
    let answer = client.answer(client.resources().update_resource(client.request(request))).await?;
    let now = answer.resource.clone().unwrap_or_default();
    session.done(write, &format!("{} is called {:?}", now.path, now.display_name), &Shown(&answer))
}

async fn delete(
    session: &mut Session<'_>,
    account: &Account,
    name: String,
    force: bool,
    risky: &RiskyArgs,
) -> Result<Exit, Failure> {
    let path = account.resource_path(&name).to_owned();
    let answer = session
        .delete(
            risky,
            force,
            async |client, Mode { validate_only, request_id }, force| {
                let (name, etag) = (name.clone(), String::new());
                let request = DeleteResourceRequest { name, etag, validate_only, request_id, force };
                client.answer(client.resources().delete_resource(client.request(request))).await
            },
            |answer| &answer.removed,
            |_| format!("1 resource, {path}, would be deleted for good"),
        )
        .await?;
    let sentence = format!("deleted {path}{}", went(&answer.removed));
    session.done(&risky.write, &sentence, &Shown(&answer))
}
