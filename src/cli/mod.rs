//! The command line: everything but `serve` is a client of the public API, and knows no more than any other client.
//!
//! [`parse`] turns arguments and variables into an [`Invocation`]; a [`ClientCommand`] then asks a server and prints
//! the answer through [`Output`], the only place that prints. How commands end is in [`exit`]. Nothing here may use the
//! store, the cache, the engine or the service.
//!
//! What clap reads is in `command_line`. A noun of the API has a file with its subcommands, such as `roles`; what these
//! share is in `session`.

mod access;
mod api_scopes;
mod apply;
mod bench;
mod catalog_diff;
mod catalogs;
mod check;
mod client;
mod command_line;
mod exceptions;
pub mod exit;
mod export;
mod health;
mod import;
mod names;
mod output;
mod permissions;
mod policies;
mod policy_files;
mod presets;
mod question;
mod resources;
mod role_edits;
mod role_holders;
mod roles;
mod service_accounts;
mod session;
mod shown;
mod team_members;
mod teams;
mod terms;
mod upload;
mod user_edits;
mod users;
mod uses;
mod who_can;

use std::{
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{CommandFactory, FromArgMatches, Subcommand, parser::ValueSource};
use clap_complete::Shell;
use serde::Serialize;

use self::{
    client::{Address, ClientSettings},
    command_line::{AccountArgs, CatalogCommand, Cli, Command, Within},
    names::Account,
    question::PlaceArgs,
    session::Session,
    upload::Upload,
};
pub use self::{
    exit::{Exit, Failure},
    output::{Format, Output},
};
use crate::{
    config::{Reader, ServeSettings, parse_duration},
    proto::CheckRequest,
};

/// What a command line asks for.
#[derive(Debug)]
pub enum Invocation {
    /// Run the server.
    Serve(ServeSettings),
    /// Run a command that asks a server, or needs none.
    Client(Box<ClientCommand>),
    /// Show a text (help, or what is wrong with the command line) and end.
    Show(Box<clap::Error>),
}

/// A command other than `serve`, with everything checked that can be checked without a server.
#[derive(Debug)]
pub struct ClientCommand {
    settings: ClientSettings,
    task: Task,
}

#[derive(Debug)]
enum Task {
    Apply { file: PathBuf, how: apply::ApplyArgs },
    Export { name: export::Name, output_file: Option<PathBuf> },
    Import { account: String, file: PathBuf, how: import::ImportArgs },
    Presets(presets::Command),
    Catalog(CatalogCommand),
    Roles(Account, roles::Command),
    Teams(Account, teams::Command),
    Users(Account, users::Command),
    ServiceAccounts(Account, service_accounts::Command),
    Resources(Account, resources::Command),
    Policies(Account, policies::Command),
    Access(Account, access::Command),
    Exceptions(Account, exceptions::Command),
    Check(CheckRequest, PlaceArgs),
    WhoCan { account: String, question: who_can::Who },
    WhereCan { account: String, subject: String, question: who_can::Where },
    Permissions { account: String, subject: String },
    ApiScopes { account: String, subject: String },
    Bench { account: String, how: Box<bench::BenchArgs> },
    Healthcheck { service: String },
    Completion(Shell),
    Version,
}

/// Understands a command line and the variables beside it.
///
/// # Errors
/// [`Exit::Usage`] with every setting that is wrong. What clap itself finds is no error here: [`show`] it.
pub fn parse<I>(arguments: I) -> Result<Invocation, Failure>
where
    I: IntoIterator<Item = OsString>,
{
    let parsed = Cli::command().try_get_matches_from(arguments).and_then(|matches| {
        let cli = Cli::from_arg_matches(&matches)?;
        Ok((cli, matches))
    });
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return Ok(Invocation::Show(Box::new(error))),
    };
    let mut own = &matches;
    while let Some((_, deeper)) = own.subcommand() {
        own = deeper;
    }
    let is_flag = |id: &str| own.value_source(id) == Some(ValueSource::CommandLine);

    if let Command::Serve(serve) = &cli.command {
        // Easily mistaken for --listen, and then the server would be somewhere else than expected.
        return match ["address", "timeout", "output"].into_iter().find(|id| is_flag(id)) {
            Some(id) => Err(Failure::new(Exit::Usage, format!("--{id} is for commands that ask a server"))
                .with_next("see `rolecall serve --help`, and --listen for the address to serve on")),
            None => Ok(Invocation::Serve(serve.resolve(own)?)),
        };
    }
    if matches!(cli.command, Command::Export { .. }) && is_flag("output") {
        return Err(Failure::new(
            Exit::Usage,
            "--output changes nothing: export writes YAML, or with --users lines of JSON",
        )
        .with_next("leave it out; to write to a file, give --output-file FILE"));
    }
    // clap hands global arguments down, so those of the subcommand say where each value came from.
    let mut reader = Reader::new(own);
    let address = reader.read("address", &cli.client.address, Address::parse);
    let given = cli.client.timeout.as_deref();
    let timeout = given.and_then(|given| reader.read("timeout", given, parse_timeout));
    let format = reader.read("output", &cli.client.output, parse_format);
    let task = cli.command.into_task(&mut reader);
    reader.finish()?;
    match (address, format, task) {
        (Some(address), Some(format), Some(task)) => {
            let settings = ClientSettings { address, timeout, format };
            Ok(Invocation::Client(Box::new(ClientCommand { settings, task })))
        }
        // Not reached: what is missing has been complained about.
        _ => Err(Failure::new(Exit::Usage, "the command line is not understood; see `rolecall --help`")),
    }
}

impl Command {
    fn into_task(self, reader: &mut Reader<'_>) -> Option<Task> {
        Some(match self {
            Self::Apply { file, how } => Task::Apply { file, how },
            Self::Export { name, users, output_file } => {
                let name = reader.read("users", OsStr::new(""), |_| name.with_users(users))?;
                Task::Export { name, output_file }
            }
            Self::Import { file, how, within } => Task::Import { account: within.read(reader)?, file, how },
            Self::Presets(command) => Task::Presets(command),
            Self::Catalog(command) => Task::Catalog(command),
            Self::Roles(within) => Task::Roles(within.read(reader)?, within.command),
            Self::Teams(within) => Task::Teams(within.read(reader)?, within.command),
            Self::Users(within) => Task::Users(within.read(reader)?, within.command),
            Self::ServiceAccounts(within) => Task::ServiceAccounts(within.read(reader)?, within.command),
            Self::Resources(within) => Task::Resources(within.read(reader)?, within.command),
            Self::Policies(within) => Task::Policies(within.read(reader)?, within.command),
            Self::Access(within) => Task::Access(within.read(reader)?, within.command),
            Self::Exceptions(within) => Task::Exceptions(within.read(reader)?, within.command),
            Self::Check { subject, permission, api_scope, place, within } => {
                let question = CheckRequest {
                    account: within.read(reader)?,
                    subject: user_name(&subject),
                    permission: permission.unwrap_or_default(),
                    api_scope: api_scope.unwrap_or_default(),
                    ..CheckRequest::default()
                };
                Task::Check(question, place)
            }
            Self::WhoCan { question, within } => Task::WhoCan { account: within.read(reader)?, question },
            Self::WhereCan { subject, question, within } => {
                Task::WhereCan { account: within.read(reader)?, subject: user_name(&subject), question }
            }
            Self::Permissions { subject, within } => {
                Task::Permissions { account: within.read(reader)?, subject: user_name(&subject) }
            }
            Self::ApiScopes { subject, within } => {
                Task::ApiScopes { account: within.read(reader)?, subject: user_name(&subject) }
            }
            Self::Bench { how, within } => Task::Bench { account: within.read(reader)?, how },
            Self::Healthcheck { service } => Task::Healthcheck { service },
            Self::Completion { shell } => Task::Completion(shell),
            Self::Version => Task::Version,
            Self::Serve(_) => return None,
        })
    }
}

impl AccountArgs {
    fn read(&self, reader: &mut Reader<'_>) -> Option<String> {
        read_account(&self.account, reader)
    }
}

impl<C: Subcommand> Within<C> {
    fn read(&self, reader: &mut Reader<'_>) -> Option<Account> {
        // clap knows no argument that is required and may stand anywhere.
        read_account(self.account.as_deref().unwrap_or_default(), reader).map(Account)
    }
}

fn read_account(account: &OsStr, reader: &mut Reader<'_>) -> Option<String> {
    reader.read("account", account, |account| match account {
        "" => Err("expected an account: accounts/demo, or just demo, here or in ROLECALL_ACCOUNT".to_owned()),
        name if name.contains('/') => Ok(name.to_owned()),
        id => Ok(format!("accounts/{id}")),
    })
}

/// The server checks the rest, as it does for every client.
fn user_name(subject: &str) -> String {
    if subject.contains('/') { subject.to_owned() } else { format!("users/{subject}") }
}

fn parse_format(text: &str) -> Result<Format, String> {
    match text {
        "table" => Ok(Format::Table),
        "json" => Ok(Format::Json),
        "yaml" => Ok(Format::Yaml),
        _ => Err("expected table, json or yaml".to_owned()),
    }
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    parse_duration(text, Duration::from_millis(1)..=Duration::from_hours(24))
}

/// Shows what clap has to say: help on standard output, mistakes on standard error.
pub fn show(text: &clap::Error) -> Exit {
    match text.print() {
        _ if text.use_stderr() => Exit::Usage,
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Exit::Output,
        _ => Exit::Ok,
    }
}

impl ClientCommand {
    /// Runs the command to its end and prints what came of it.
    pub fn run(self, output: &mut Output) -> Exit {
        let is_healthcheck = matches!(self.task, Task::Healthcheck { .. });
        let ended = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(Exit::Internal, format!("cannot start: {error}")))
            .and_then(|runtime| runtime.block_on(self.task.run(&self.settings, output)))
            .and_then(|exit| output.flush().map(|()| exit));
        match ended {
            Ok(exit) => exit,
            Err(failure) => {
                output.fail(&failure);
                // Probes know healthy and unhealthy, nothing else.
                if is_healthcheck { Exit::No } else { failure.exit }
            }
        }
    }
}

impl Task {
    async fn run(self, settings: &ClientSettings, output: &mut Output) -> Result<Exit, Failure> {
        match self {
            Self::Apply { file, how } => apply(settings, &file, &how, output).await,
            Self::Export { name, output_file } => export::run(settings, &name, output_file.as_deref(), output).await,
            Self::Import { account, file, how } => import::run(settings, account, &file, &how, output).await,
            Self::Presets(command) => presets::run(settings, command, output).await,
            Self::Catalog(CatalogCommand::Diff(diff)) => diff.run(settings, output).await,
            Self::Catalog(CatalogCommand::Server(command)) => {
                catalogs::run(&mut Session::open(settings, output).await?, command).await
            }
            Self::Roles(account, command) => {
                roles::run(&mut Session::open(settings, output).await?, &account, command).await
            }
            Self::Teams(account, command) => {
                teams::run(&mut Session::open(settings, output).await?, &account, command).await
            }
            Self::Users(account, command) => {
                users::run(&mut Session::open(settings, output).await?, &account, command).await
            }
            Self::ServiceAccounts(account, command) => {
                service_accounts::run(&mut Session::open(settings, output).await?, &account, command).await
            }
            Self::Resources(account, command) => {
                resources::run(&mut Session::open(settings, output).await?, &account, command).await
            }
            Self::Policies(account, command) => {
                policies::run(&mut Session::open(settings, output).await?, &account, command).await
            }
            Self::Access(account, command) => {
                access::run(&mut Session::open(settings, output).await?, &account, command).await
            }
            Self::Exceptions(account, command) => {
                exceptions::run(&mut Session::open(settings, output).await?, &account, command).await
            }
            Self::Check(question, place) => check::run(settings, question, place, output).await,
            Self::WhoCan { account, question } => {
                question.run(&mut Session::open(settings, output).await?, account).await
            }
            Self::WhereCan { account, subject, question } => {
                question.run(&mut Session::open(settings, output).await?, account, subject).await
            }
            Self::Permissions { account, subject } => permissions::run(settings, account, subject, output).await,
            Self::ApiScopes { account, subject } => {
                api_scopes::run(&mut Session::open(settings, output).await?, &account, &subject).await
            }
            Self::Bench { account, how } => how.run(settings, account, output).await,
            Self::Healthcheck { service } => health::run(settings, service).await,
            Self::Completion(shell) => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Cli::command(), "rolecall", &mut script);
                output.write(&script).map(|()| Exit::Ok)
            }
            Self::Version => print_version(settings.format, output).map(|()| Exit::Ok),
        }
    }
}

async fn apply(
    settings: &ClientSettings,
    file: &Path,
    how: &apply::ApplyArgs,
    output: &mut Output,
) -> Result<Exit, Failure> {
    apply::run(settings, || Upload::open(file), how, output).await
}

fn print_version(format: Format, output: &mut Output) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Version {
        version: &'static str,
    }
    let version = env!("CARGO_PKG_VERSION");
    match format {
        Format::Table => output.line(&format!("rolecall {version}")),
        Format::Json | Format::Yaml => output.value(&Version { version }, format),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Invocation, Failure> {
        parse(line.split(' ').map(OsString::from))
    }

    #[track_caller]
    fn client(line: &str) -> ClientCommand {
        match parsed(line) {
            Ok(Invocation::Client(command)) => *command,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn names_may_be_short() {
        for line in [
            "rolecall check --account demo ana reports.view",
            "rolecall check users/ana reports.view --account accounts/demo",
        ] {
            match client(line).task {
                Task::Check(CheckRequest { account, subject, permission, .. }, _) => {
                    assert_eq!(
                        [account.as_str(), subject.as_str(), permission.as_str()],
                        ["accounts/demo", "users/ana", "reports.view"]
                    );
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn flags_of_every_command_stand_before_or_after_it() {
        for line in [
            "rolecall --timeout 2s -o json --address unix:s permissions ana --account demo",
            "rolecall permissions ana --account demo --timeout 2s -o json --address unix:s",
        ] {
            let settings = client(line).settings;
            assert_eq!(settings.timeout, Some(Duration::from_secs(2)), "{line}");
            assert_eq!(settings.format, Format::Json, "{line}");
            assert_eq!(settings.address, Address::parse("unix:s").unwrap(), "{line}");
        }
    }

    #[test]
    fn the_account_stands_before_or_behind_what_to_do_with_it() {
        for line in ["rolecall roles --account demo list", "rolecall roles list --account accounts/demo"] {
            assert!(matches!(client(line).task, Task::Roles(account, _) if account.0 == "accounts/demo"), "{line}");
        }
        assert!(matches!(client("rolecall catalog diff a.yaml b.yaml").task, Task::Catalog(CatalogCommand::Diff(_))));
    }

    #[test]
    fn a_wrong_command_line_is_a_matter_of_usage() {
        for line in [
            "rolecall check ana reports.view --account demo --timeout 0s -o xml --address https://x:1",
            "rolecall serve --address http://127.0.0.1:1",
            "rolecall serve --listen 0.0.0.0:50051",
            "rolecall export accounts/demo -o json",
            "rolecall permissions ana --account=",
            "rolecall roles list",
            "rolecall users show ana --account=",
        ] {
            assert_eq!(parsed(line).unwrap_err().exit, Exit::Usage, "{line}");
        }
        for line in [
            "rolecall",
            "rolecall chekc",
            "rolecall check --frobnicate",
            "rolecall export demo",
            "rolecall completion tcl",
            "rolecall check ana reports.view --account",
            "rolecall check ana --account demo",
            "rolecall check ana reports.view --api-scope reports:read --account demo",
            "rolecall roles --account demo",
            "rolecall roles create agent --account demo",
            "rolecall teams edit support --account demo",
            "rolecall users teams ana --add a --only b --account demo",
            "rolecall users create ana --access line --account demo",
            "rolecall check ana reports.view --facet line --account demo",
            "rolecall who-can --account demo",
            "rolecall where-can ana reports.view --account demo",
            "rolecall access set ana line --account demo",
            "rolecall access set ana line lines/l1 --all --account demo",
            "rolecall exceptions give ana reports.view --account demo",
            "rolecall resources register --account demo",
            "rolecall policies create no-export --account demo",
        ] {
            match parsed(line).unwrap() {
                Invocation::Show(text) => assert!(text.use_stderr(), "{line}"),
                other => panic!("{line}: {other:?}"),
            }
        }
    }

    #[test]
    fn every_bad_setting_is_told_in_one_go() {
        let line = "rolecall check ana p.v --account= --timeout 5 -o xml --address https://x:1";
        let failure = parsed(line).unwrap_err();
        assert!(failure.message.starts_with("--address https://x:1: expected"), "{failure:?}");
        assert_eq!(failure.details.len(), 3, "{failure:?}");
        assert!(failure.details[0].starts_with("--timeout 5: expected"), "{failure:?}");
    }
}
