//! `catalog`: what the platform offers: list, show and delete. `catalog_diff` compares two of them.
//!
//! Catalogs are loaded with `apply` and written with `export`. Start with [`run`].

use std::collections::BTreeMap;

use clap::{Args, Subcommand, builder::NonEmptyStringValueParser};

use super::{
    Exit, Failure,
    names::id_of,
    session::{Listing, Mode, Page, RiskyArgs, Session, cell, gather},
    shown::Shown,
};
use crate::proto::{
    Catalog, CustomRolePart, DeleteCatalogRequest, GetCatalogRequest, ListCatalogsRequest, PermissionDefinition,
};

/// What to do with catalogs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the catalogs of the server
    List,

    /// Show one catalog: its sections, features and permissions
    Show(Named),

    /// Delete a catalog that no account lives under
    Delete {
        #[command(flatten)]
        catalog: Named,

        #[command(flatten)]
        risky: RiskyArgs,
    },
}

/// One catalog.
#[derive(Args, Debug)]
pub struct Named {
    /// The catalog: catalogs/ID, or just ID
    #[arg(value_name = "CATALOG", value_parser = NonEmptyStringValueParser::new())]
    catalog: String,
}

impl Named {
    fn full(&self) -> String {
        let Self { catalog } = self;
        if catalog.contains('/') { catalog.clone() } else { format!("catalogs/{catalog}") }
    }
}

/// Does what the command says.
///
/// # Errors
/// What the server says against it, or that it cannot be asked.
pub async fn run(session: &mut Session<'_>, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::List => list(session).await,
        Command::Show(named) => show(session, named.full()).await,
        Command::Delete { catalog, risky } => delete(session, catalog.full(), &risky).await,
    }
}

async fn list(session: &mut Session<'_>) -> Result<Exit, Failure> {
    let client = &session.client;
    let (catalogs, token) = gather(async |page_token| {
        let call = client.request(ListCatalogsRequest { page_token, ..ListCatalogsRequest::default() });
        let answer = client.answer(client.catalogs().list_catalogs(call)).await?;
        let (next_page_token, consistency_token) = (answer.next_page_token, answer.consistency_token);
        Ok(Page { items: answer.catalogs, next_page_token, consistency_token })
    })
    .await?;
    let row =
        |catalog: &Catalog| vec![cell(id_of(&catalog.name)), cell(&catalog.display_name), cell(&catalog.description)];
    let list = Listing { name: "catalogs", items: &catalogs, consistency_token: &token };
    session.list(&list, &["CATALOG", "NAME", "DESCRIPTION"], row, "the server has no catalog")
}

async fn show(session: &mut Session<'_>, name: String) -> Result<Exit, Failure> {
    let client = &session.client;
    let call = client.request(GetCatalogRequest { name, consistency: None });
    let answer = client.answer(client.catalogs().get_catalog(call)).await?;
    if !session.is_table() {
        return session.value(&Shown(&answer));
    }
    let catalog = answer.catalog.unwrap_or_default();
    let has_custom_roles = catalog.custom_role_parts().any(|part| part == CustomRolePart::Permissions);
    let features: Vec<_> = catalog.features.iter().map(|feature| feature.id.clone()).collect();
    session.output.fields(&[
        ("Catalog", id_of(&catalog.name).to_owned()),
        ("Name", catalog.display_name.clone()),
        ("Description", catalog.description.clone()),
        ("Custom roles", if has_custom_roles { "of permissions" } else { "none" }.to_owned()),
        ("Features", features.join(", ")),
        ("Sections", catalog.sections.len().to_string()),
        ("Permissions", catalog.permissions.len().to_string()),
        ("API scopes", catalog.api_scopes.len().to_string()),
    ])?;
    let mut by_section: BTreeMap<&str, Vec<&PermissionDefinition>> = BTreeMap::new();
    for permission in &catalog.permissions {
        by_section.entry(&permission.section).or_default().push(permission);
    }
    let rows = catalog.sections.iter().flat_map(|section| {
        by_section.get(section.id.as_str()).into_iter().flatten().map(|permission| row(&section.id, permission))
    });
    let rows: Vec<_> = rows.collect();
    session.output.line("")?;
    session.output.table(&["SECTION", "PERMISSION", "FEATURE", "API SCOPES"], rows).map(|()| Exit::Ok)
}

fn row(section: &str, permission: &PermissionDefinition) -> Vec<Vec<String>> {
    let marks = [(permission.internal, " (internal)"), (permission.deprecated, " (deprecated)")];
    let marks: String = marks.into_iter().filter(|(is_set, _)| *is_set).map(|(_, mark)| mark).collect();
    vec![
        cell(section),
        cell(format!("{}{marks}", permission.id)),
        cell(&permission.feature),
        permission.api_scopes.clone(),
    ]
}

async fn delete(session: &mut Session<'_>, name: String, risky: &RiskyArgs) -> Result<Exit, Failure> {
    let answer = session
        .carefully(
            risky,
            async |client, Mode { validate_only, request_id }| {
                let (name, etag) = (name.clone(), String::new());
                let request = DeleteCatalogRequest { name, etag, validate_only, request_id };
                client.answer(client.catalogs().delete_catalog(client.request(request))).await
            },
            |_| vec![format!("{name} would be deleted for good; no account lives under it")],
        )
        .await?;
    session.done(&risky.write, &format!("deleted {name}"), &Shown(&answer))
}
