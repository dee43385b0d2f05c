//! `presets`: the catalogs that ship with the binary, each with a demo account. Only `apply` asks a server.

use std::io::Cursor;

use clap::Subcommand;
use serde::Serialize;

use super::{
    Exit, Failure, Format, Output,
    apply::{self, ApplyArgs},
    client::ClientSettings,
    session::cell,
    upload::Upload,
};
use crate::{
    files,
    model::{CatalogDefinition, CatalogRole, count_permissions},
    presets::{self, Preset},
};

/// What to do with presets.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the presets
    List,

    /// Show one preset: its roles, and how much it has of everything
    Show {
        /// The preset
        #[arg(value_name = "NAME")]
        name: String,

        /// Print its catalog file instead, to make one of your own from it
        #[arg(long, conflicts_with = "account_file")]
        catalog_file: bool,

        /// Print the file of its demo account instead
        #[arg(long)]
        account_file: bool,
    },

    /// Load the catalog of a preset, as `apply` loads a file
    Apply {
        /// The preset
        #[arg(value_name = "NAME")]
        name: String,

        /// Load its demo account too
        #[arg(long)]
        demo: bool,

        #[command(flatten)]
        how: ApplyArgs,
    },
}

/// A preset in numbers.
#[derive(Serialize)]
struct Summary {
    name: &'static str,
    display_name: String,
    description: String,
    feature_count: usize,
    section_count: usize,
    permission_count: usize,
    api_scope_count: usize,
    custom_roles: bool,
    roles: Vec<RoleSummary>,
}

#[derive(Serialize)]
struct RoleSummary {
    id: String,
    display_name: String,
    description: String,
    internal: bool,
    permission_count: usize,
}

#[derive(Serialize)]
struct Summaries {
    presets: Vec<Summary>,
}

/// The preset of a name.
///
/// # Errors
/// [`Exit::NotFound`] with the names that there are.
pub fn find(name: &str) -> Result<&'static Preset, Failure> {
    presets::ALL.iter().find(|preset| preset.name == name).ok_or_else(|| {
        let names: Vec<_> = presets::ALL.iter().map(|preset| preset.name).collect();
        Failure::new(Exit::NotFound, format!("there is no preset {name:?}"))
            .with_next(format!("the presets: {}", names.join(", ")))
    })
}

/// Does what the command says.
///
/// # Errors
/// That there is no such preset, or as `apply`.
pub async fn run(settings: &ClientSettings, command: Command, output: &mut Output) -> Result<Exit, Failure> {
    match command {
        Command::List => list(settings.format, output),
        Command::Show { name, catalog_file: true, .. } => output.write(find(&name)?.catalog.as_bytes()),
        Command::Show { name, account_file: true, .. } => output.write(find(&name)?.account.as_bytes()),
        Command::Show { name, .. } => show(settings.format, find(&name)?, output),
        Command::Apply { name, demo, how } => return load(settings, find(&name)?, demo, &how, output).await,
    }
    .map(|()| Exit::Ok)
}

fn list(format: Format, output: &mut Output) -> Result<(), Failure> {
    let presets = presets::ALL.iter().map(Summary::of).collect::<Result<Vec<_>, _>>()?;
    if format != Format::Table {
        return output.value(&Summaries { presets }, format);
    }
    let row = |preset: &Summary| {
        vec![
            cell(preset.name),
            cell(&preset.display_name),
            cell(preset.roles.len()),
            cell(preset.permission_count),
            cell(if preset.custom_roles { "yes" } else { "no" }),
        ]
    };
    output.table(&["PRESET", "NAME", "ROLES", "PERMISSIONS", "CUSTOM ROLES"], presets.iter().map(row).collect())
}

fn show(format: Format, preset: &'static Preset, output: &mut Output) -> Result<(), Failure> {
    let preset = Summary::of(preset)?;
    if format != Format::Table {
        return output.value(&preset, format);
    }
    output.fields(&[
        ("Preset", preset.name.to_owned()),
        ("Name", preset.display_name),
        ("Description", preset.description),
        ("Features", preset.feature_count.to_string()),
        ("Sections", preset.section_count.to_string()),
        ("Permissions", preset.permission_count.to_string()),
        ("API scopes", preset.api_scope_count.to_string()),
        ("Custom roles", if preset.custom_roles { "offered" } else { "none" }.to_owned()),
    ])?;
    let row = |role: &RoleSummary| {
        let mark = if role.internal { " (internal)" } else { "" };
        vec![cell(format!("{}{mark}", role.id)), cell(&role.display_name), cell(role.permission_count)]
    };
    output.line("")?;
    output.table(&["ROLE", "NAME", "PERMISSIONS"], preset.roles.iter().map(row).collect())
}

impl Summary {
    fn of(preset: &'static Preset) -> Result<Self, Failure> {
        let catalog = files::parse_catalog(preset.catalog.as_bytes()).map_err(|problems| {
            Failure::new(Exit::Internal, format!("the preset {} cannot be read: {problems}", preset.name))
        })?;
        let CatalogDefinition { display_name, description, roles, custom_roles, .. } = &catalog;
        let role = |(role, permission_count): (&CatalogRole, usize)| RoleSummary {
            id: role.id.to_string(),
            display_name: role.display_name.clone(),
            description: role.description.clone(),
            internal: role.internal,
            permission_count,
        };
        Ok(Self {
            name: preset.name,
            display_name: display_name.clone(),
            description: description.clone(),
            feature_count: catalog.features.len(),
            section_count: catalog.sections.len(),
            permission_count: catalog.permissions.len(),
            api_scope_count: catalog.api_scopes.len(),
            custom_roles: custom_roles.any(),
            roles: roles.iter().zip(count_permissions(&catalog)).map(role).collect(),
        })
    }
}

async fn load(
    settings: &ClientSettings,
    preset: &'static Preset,
    demo: bool,
    how: &ApplyArgs,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let catalog = || Upload::new(format!("preset:{}", preset.name), Box::new(Cursor::new(preset.catalog)), 0);
    if demo && how.is_named() {
        return Err(Failure::new(Exit::Usage, "--request-id names one write, and --demo makes two of them"));
    }
    apply::run(settings, catalog, how, output).await?;
    if !demo {
        return Ok(Exit::Ok);
    }
    let account = || Upload::new(format!("demo of preset:{}", preset.name), Box::new(Cursor::new(preset.account)), 0);
    apply::run(settings, account, how, output).await
}
