//! What may be written on a command line, as clap understands it. What it means is in [`super::parse`].
//!
//! A noun of the API brings its own subcommands. Start with [`Cli`].

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Parser, Subcommand, builder::NonEmptyStringValueParser};
use clap_complete::Shell;

use super::{
    access, apply, bench, catalog_diff, catalogs, exceptions, exit, export, import, policies, presets, question,
    resources, roles, service_accounts, teams, users, who_can,
};
use crate::config::{Listed, ServeArgs};

/// Answers one question for other services: may this user do this, here, now?
#[derive(Debug, Parser)]
#[command(name = "rolecall", version, after_help = exit::EXIT_CODES, arg_required_else_help = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) client: ClientArgs,

    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Asking a server")]
pub(super) struct ClientArgs {
    /// The server to ask: http://HOST:PORT or unix:PATH
    #[arg(
        long,
        global = true,
        env = "ROLECALL_ADDRESS",
        value_name = "ADDRESS",
        default_value = "http://127.0.0.1:50051"
    )]
    pub(super) address: OsString,

    /// How long connecting may take, and each call [default: 5s; apply, export and import: as long as they take]
    #[arg(long, global = true, env = "ROLECALL_TIMEOUT", value_name = "DURATION")]
    pub(super) timeout: Option<OsString>,

    /// How to print answers; tables are plain text if no terminal shows them
    #[arg(
        short, long, global = true, env = "ROLECALL_OUTPUT", value_name = "FORMAT", default_value = "table",
        value_parser = Listed(&["table", "json", "yaml"])
    )]
    pub(super) output: OsString,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the server
    Serve(Box<ServeArgs>),

    /// Make a catalog or an account equal to a YAML or JSON file; what the file does not have is deleted
    Apply {
        /// The file; "-" reads standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,

        #[command(flatten)]
        how: apply::ApplyArgs,
    },

    /// Write a catalog or an account as a YAML file that can be applied again
    Export {
        /// catalogs/ID or accounts/ID
        #[arg(value_name = "NAME", value_parser = export::Name::parse)]
        name: export::Name,

        /// Write only the users of an account, as lines of JSON that can be imported
        #[arg(long)]
        users: bool,

        /// Write to this file instead of standard output; it is replaced only once all has come
        #[arg(long, value_name = "FILE")]
        output_file: Option<PathBuf>,
    },

    /// Create users from lines of JSON, one user a line; those that are there already, just as their lines say, are passed over
    #[command(after_help = import::EXAMPLES)]
    Import {
        /// The lines; "-" reads standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,

        #[command(flatten)]
        how: import::ImportArgs,

        #[command(flatten)]
        within: AccountArgs,
    },

    /// Load, show and compare the catalogs that ship with this program
    #[command(subcommand)]
    Presets(presets::Command),

    /// Show, compare and delete catalogs: what the platform offers
    #[command(subcommand)]
    Catalog(CatalogCommand),

    /// Show the roles of an account, keep its custom ones, and say who holds which
    Roles(Within<roles::Command>),

    /// Keep the teams of an account and who belongs to them
    Teams(Within<teams::Command>),

    /// Keep the users of an account
    Users(Within<users::Command>),

    /// Keep the service accounts of an account
    ServiceAccounts(Within<service_accounts::Command>),

    /// Keep the registered resources of an account, which roles and access can be given on
    Resources(Within<resources::Command>),

    /// Show the access policies of an account, and keep its custom ones
    Policies(Within<policies::Command>),

    /// Keep what users and teams have access to, where permissions are bounded by it
    Access(Within<access::Command>),

    /// Keep single permissions that users have besides their roles
    Exceptions(Within<exceptions::Command>),

    /// Ask whether a user may do something
    #[command(after_help = "Exit codes: 0 allowed, 1 denied; the others are listed by `rolecall --help`")]
    Check {
        /// Who: users/ana, or just ana; or serviceAccounts/ci
        #[arg(value_name = "SUBJECT", value_parser = NonEmptyStringValueParser::new())]
        subject: String,

        /// The id of a permission, such as reports.detailed.view
        #[arg(
            value_name = "PERMISSION", required_unless_present = "api_scope",
            value_parser = NonEmptyStringValueParser::new()
        )]
        permission: Option<String>,

        /// Ask about an API scope in place of a permission, as an API gateway does
        #[arg(
            long, value_name = "SCOPE", conflicts_with = "permission", value_parser = NonEmptyStringValueParser::new()
        )]
        api_scope: Option<String>,

        #[command(flatten)]
        place: question::PlaceArgs,

        #[command(flatten)]
        within: AccountArgs,
    },

    /// List who may do something, and through which teams
    WhoCan {
        #[command(flatten)]
        question: who_can::Who,

        #[command(flatten)]
        within: AccountArgs,
    },

    /// List the registered resources on which a user may do something
    WhereCan {
        /// Who: users/ana, or just ana; or serviceAccounts/ci
        #[arg(value_name = "SUBJECT", value_parser = NonEmptyStringValueParser::new())]
        subject: String,

        #[command(flatten)]
        question: who_can::Where,

        #[command(flatten)]
        within: AccountArgs,
    },

    /// List everything that a user may do, where and when, and through which roles and teams
    Permissions {
        /// Who: users/ana, or just ana; or serviceAccounts/ci
        #[arg(value_name = "SUBJECT", value_parser = NonEmptyStringValueParser::new())]
        subject: String,

        #[command(flatten)]
        within: AccountArgs,
    },

    /// List every API scope that a user may use, and the permissions that provide it
    ApiScopes {
        /// Who: users/ana, or just ana; or serviceAccounts/ci
        #[arg(value_name = "SUBJECT", value_parser = NonEmptyStringValueParser::new())]
        subject: String,

        #[command(flatten)]
        within: AccountArgs,
    },

    /// Measure a server: ask it many questions, and say how many it answers and how long the answers take
    #[command(after_help = bench::EXAMPLES)]
    Bench {
        #[command(flatten)]
        within: AccountArgs,

        #[command(flatten)]
        how: Box<bench::BenchArgs>,
    },

    /// Exit with 0 if the server is serving, with 1 if not; prints nothing unless it fails
    Healthcheck {
        /// Ask about one gRPC service, such as rolecall.v1.AuthorizationService
        #[arg(long, value_name = "NAME", default_value = "")]
        service: String,
    },

    /// Print a completion script for a shell
    Completion {
        /// The shell
        #[arg(value_enum, value_name = "SHELL")]
        shell: Shell,
    },

    /// Print the version
    Version,
}

#[derive(Args, Debug)]
pub(super) struct AccountArgs {
    /// The account: accounts/demo, or just demo
    #[arg(long, env = "ROLECALL_ACCOUNT", value_name = "ACCOUNT")]
    pub(super) account: OsString,
}

/// What to do within an account. The account stands before the subcommand or behind it.
#[derive(Args, Debug)]
pub(super) struct Within<C: Subcommand> {
    /// The account: accounts/demo, or just demo
    #[arg(long, global = true, env = "ROLECALL_ACCOUNT", value_name = "ACCOUNT")]
    pub(super) account: Option<OsString>,

    #[command(subcommand)]
    pub(super) command: C,
}

/// What to do with catalogs, on a server or without one.
#[derive(Debug, Subcommand)]
pub(super) enum CatalogCommand {
    #[command(flatten)]
    Server(catalogs::Command),

    /// Compare two catalogs: thing by thing, and what each managed role gains and loses
    #[command(
        after_help = "Exit codes: 0 they are the same, 1 they differ; the others are listed by `rolecall --help`"
    )]
    Diff(catalog_diff::Diff),
}
