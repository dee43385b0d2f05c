//! `catalog`: what the platform offers: list, show and delete. `catalog_diff` compares two of them.
//!
//! Catalogs are loaded with `apply` and written with `export`. Start with [`run`].

use std::collections::BTreeMap;

use clap::{Args, Subcommand, builder::NonEmptyStringValueParser};

use super::{
    Exit, Failure,
    names::id_of,
    policies::{STATEMENT_HEADER, statement_row},
    session::{Listing, Mode, Page, RiskyArgs, Session, cell, gather},
    shown::Shown,
};
use crate::proto::{
    AccessPolicy, Catalog, CustomRolePart, DeleteCatalogRequest, GetCatalogRequest, ListCatalogsRequest,
    PermissionDefinition, ResourceType,
};

/// What to do with catalogs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the catalogs of the server
    List,

    /// Show one catalog: its sections, features, permissions, resource types, policies and constraints
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
    let features: Vec<_> = catalog.features.iter().map(|feature| feature.id.clone()).collect();
    session.output.fields(&[
        ("Catalog", id_of(&catalog.name).to_owned()),
        ("Name", catalog.display_name.clone()),
        ("Description", catalog.description.clone()),
        ("Custom roles", custom_roles(&catalog)),
        ("Constraints", constraints(&catalog)),
        ("Features", features.join(", ")),
        ("Sections", catalog.sections.len().to_string()),
        ("Permissions", catalog.permissions.len().to_string()),
        ("API scopes", catalog.api_scopes.len().to_string()),
    ])?;
    if !catalog.resource_types.is_empty() {
        session.output.line("")?;
        let row = |each: &ResourceType| vec![cell(&each.id), cell(path_of(&catalog, each)), cell(&each.display_name)];
        session.output.table(&["TYPE", "PATH", "NAME"], catalog.resource_types.iter().map(row).collect())?;
    }
    if !catalog.access_policies.is_empty() {
        session.output.line("")?;
        let header = [&["POLICY"], STATEMENT_HEADER.as_slice()].concat();
        session.output.table(&header, catalog.access_policies.iter().flat_map(policy_rows).collect())?;
    }
    let mut by_section: BTreeMap<&str, Vec<&PermissionDefinition>> = BTreeMap::new();
    for permission in &catalog.permissions {
        by_section.entry(&permission.section).or_default().push(permission);
    }
    let columns = Columns::of(&catalog.permissions);
    let rows = catalog.sections.iter().flat_map(|section| {
        by_section.get(section.id.as_str()).into_iter().flatten().map(|permission| columns.row(&section.id, permission))
    });
    let rows: Vec<_> = rows.collect();
    session.output.line("")?;
    session.output.table(&columns.header(), rows).map(|()| Exit::Ok)
}

fn custom_roles(catalog: &Catalog) -> String {
    let parts = catalog.custom_role_parts().filter_map(|part| match part {
        CustomRolePart::Permissions => Some("permissions"),
        CustomRolePart::Parents => Some("parents"),
        CustomRolePart::ManagedPolicies => Some("managed policies"),
        CustomRolePart::CustomPolicies => Some("custom policies"),
        CustomRolePart::Unspecified => None,
    });
    let parts: Vec<_> = parts.collect();
    if parts.is_empty() { "none".to_owned() } else { format!("of {}", parts.join(", ")) }
}

/// What the catalog demands of who holds what. What it demands of one role is shown with the role.
fn constraints(catalog: &Catalog) -> String {
    let pair = |one: &str, other: &str| format!("nobody has both {} and {}", id_of(one), id_of(other));
    let held = catalog.must_hold_role.then(|| "everybody holds a role".to_owned());
    let exclusive = catalog.mutually_exclusive.iter().map(|each| pair(&each.role, &each.other_role));
    held.into_iter().chain(exclusive).collect::<Vec<_>>().join("; ")
}

/// What paths of a type look like: `workspaces/*/channels/*`.
fn path_of(catalog: &Catalog, of: &ResourceType) -> String {
    let mut path = format!("{}/*", of.plural);
    let mut parent = of.parent.as_str();
    // A chain is no longer than there are types; a server that says otherwise must not keep us here.
    for _ in &catalog.resource_types {
        let Some(above) = catalog.resource_types.iter().find(|each| each.id == parent) else { break };
        path = format!("{}/*/{path}", above.plural);
        parent = &above.parent;
    }
    path
}

/// A row for each statement, the first with the policy's id.
fn policy_rows(policy: &AccessPolicy) -> Vec<Vec<Vec<String>>> {
    let id = |first: bool| cell(if first { id_of(&policy.name) } else { "" });
    let statements = policy.statements.iter().enumerate();
    statements.map(|(index, statement)| [vec![id(index == 0)], statement_row(statement)].concat()).collect()
}

/// The columns of permissions that not every catalog has a use for.
struct Columns {
    types: bool,
    facets: bool,
    conditions: bool,
}

impl Columns {
    fn of(permissions: &[PermissionDefinition]) -> Self {
        let has = |test: fn(&PermissionDefinition) -> bool| permissions.iter().any(test);
        Self {
            types: has(|permission| !permission.resource_type.is_empty()),
            facets: has(|permission| !permission.facets.is_empty()),
            conditions: has(|permission| !permission.condition.is_empty()),
        }
    }

    fn header(&self) -> Vec<&'static str> {
        let mut header = vec!["SECTION", "PERMISSION", "FEATURE"];
        header.extend(self.types.then_some("ON"));
        header.extend(self.facets.then_some("FACETS"));
        header.extend(self.conditions.then_some("CONDITION"));
        header.push("API SCOPES");
        header
    }

    fn row(&self, section: &str, permission: &PermissionDefinition) -> Vec<Vec<String>> {
        let marks = [(permission.internal, " (internal)"), (permission.deprecated, " (deprecated)")];
        let marks: String = marks.into_iter().filter(|(is_set, _)| *is_set).map(|(_, mark)| mark).collect();
        let mut row = vec![cell(section), cell(format!("{}{marks}", permission.id)), cell(&permission.feature)];
        row.extend(self.types.then(|| cell(&permission.resource_type)));
        row.extend(self.facets.then(|| permission.facets.clone()));
        row.extend(self.conditions.then(|| cell(&permission.condition)));
        row.push(permission.api_scopes.clone());
        row
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{PolicyStatement, RolePair};

    fn resource_type(id: &str, plural: &str, parent: &str) -> ResourceType {
        let [id, plural, parent] = [id, plural, parent].map(str::to_owned);
        ResourceType { id, plural, parent, ..ResourceType::default() }
    }

    #[test]
    fn a_path_of_a_type_goes_down_from_the_account_and_ends_even_in_a_circle() {
        let mut catalog = Catalog {
            resource_types: vec![
                resource_type("channel", "channels", "workspace"),
                resource_type("workspace", "workspaces", ""),
            ],
            ..Catalog::default()
        };
        assert_eq!(path_of(&catalog, &catalog.resource_types[0]), "workspaces/*/channels/*");
        catalog.resource_types[1].parent = "channel".to_owned();
        assert!(path_of(&catalog, &catalog.resource_types[0]).ends_with("workspaces/*/channels/*"));
    }

    #[test]
    fn constraints_read_like_text() {
        let pair =
            RolePair { role: "catalogs/c/roles/payer".to_owned(), other_role: "catalogs/c/roles/auditor".to_owned() };
        let catalog = Catalog { must_hold_role: true, mutually_exclusive: vec![pair], ..Catalog::default() };
        assert_eq!(constraints(&catalog), "everybody holds a role; nobody has both payer and auditor");
        assert_eq!(constraints(&Catalog::default()), "");
    }

    #[test]
    fn a_catalog_has_the_columns_that_it_needs() {
        let plain = PermissionDefinition { id: "a.b".to_owned(), ..PermissionDefinition::default() };
        let bounded = PermissionDefinition { facets: vec!["line".to_owned()], ..plain.clone() };
        assert_eq!(
            Columns::of(std::slice::from_ref(&plain)).header(),
            ["SECTION", "PERMISSION", "FEATURE", "API SCOPES"]
        );
        let columns = Columns::of(&[plain, bounded.clone()]);
        assert_eq!(columns.header(), ["SECTION", "PERMISSION", "FEATURE", "FACETS", "API SCOPES"]);
        assert_eq!(columns.row("s", &bounded).concat(), ["s", "a.b", "", "line"]);
        let statements = vec![PolicyStatement::default(); 2];
        let rows = policy_rows(&AccessPolicy {
            name: "catalogs/c/accessPolicies/p".to_owned(),
            statements,
            ..AccessPolicy::default()
        });
        assert_eq!(rows.iter().map(|row| row[0].concat()).collect::<Vec<_>>(), ["p", ""]);
    }
}
