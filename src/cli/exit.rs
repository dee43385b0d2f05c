//! How a command ends: [`Exit`], the exit codes that scripts rely on, and [`Failure`], what a person is told.
//!
//! The numbers follow `sysexits.h` where it has a fitting one. 1 is kept for an answer that is no (a denial, not
//! serving), so that a script can tell a denial from a question that was not answered; both are non-zero, so that one
//! that does not care is safe. Nothing is printed here.

use std::{error::Error, fmt::Write, io, process::ExitCode};

use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::config::BadSettings;

/// The part of the help that documents the exit codes.
pub const EXIT_CODES: &str = "\
Exit codes:
   0  done; check: allowed; healthcheck: serving; catalog diff: they are the same
   1  check: denied; healthcheck: not serving, or no answer; catalog diff: they differ; a question was answered with no
  64  the command line or a setting is wrong; something has to be confirmed, and no terminal is there to ask on
  65  the data is wrong: a problem in a file, an invalid argument
  66  a file cannot be read
  67  something named does not exist
  69  the server cannot be reached, does not answer in time, or has no room
  70  something went wrong inside the server or this command
  73  the output cannot be written
  75  it conflicts with what is there, such as a change that somebody else made first
  77  the server does not permit it";

const NO_SERVER: &str = "is the server running? start it with `rolecall serve`, or name another with --address";
const NO_GRPC: &str = "did the server stop, or is it something else that listens at that address?";

/// The exit code of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done; a check that is allowed.
    Ok = 0,
    /// An answer, and it is no.
    No = 1,
    /// The command line or a setting is wrong.
    Usage = 64,
    /// A file or an argument is wrong.
    Data = 65,
    /// A file cannot be read.
    Input = 66,
    /// Something named does not exist.
    NotFound = 67,
    /// No server, no answer in time, or no room.
    Unavailable = 69,
    /// A fault of the server or of this command.
    Internal = 70,
    /// The output cannot be written.
    Output = 73,
    /// It conflicts with what is there.
    Conflict = 75,
    /// Not permitted.
    Permission = 77,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command failed, ready to be shown: what is wrong, the details one a line, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What is wrong.
    pub message: String,
    /// More about it, one a line.
    pub details: Vec<String>,
    /// What to do next.
    pub next: Option<String>,
}

impl Failure {
    /// A failure that its message explains.
    #[must_use]
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), details: Vec::new(), next: None }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn with_next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Standard output, or the file that takes its place, does not take what is written.
    #[must_use]
    pub fn output(place: &str, error: &io::Error) -> Self {
        Self::new(Exit::Output, format!("cannot write {place}: {error}"))
    }

    /// A server that cannot be reached at all.
    #[must_use]
    pub fn unreachable(address: &str, error: &dyn Error) -> Self {
        // The outermost error only says that it is one of the transport.
        let cause = causes(error.source().unwrap_or(error));
        Self::new(Exit::Unavailable, format!("cannot reach {address}: {cause}")).with_next(NO_SERVER)
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let mut failure = Self::new(exit_of(status.code()), message_of(&status));
        // A detail that cannot be decoded must not hide the error that it belongs to.
        let details = status.check_error_details().unwrap_or_default();
        for violation in details.bad_request().into_iter().flat_map(|request| &request.field_violations) {
            let line = format!("{}: {}", violation.field, violation.description);
            // One field that is wrong is the whole message already.
            if line != failure.message {
                failure.details.push(line);
            }
        }
        for violation in details.precondition_failure().into_iter().flat_map(|failure| &failure.violations) {
            failure.details.push(format!("{}: {}", violation.subject, violation.description));
        }
        if let Some(info) = details.error_info() {
            let mut line = format!("reason: {}", info.reason);
            let mut metadata: Vec<_> = info.metadata.iter().collect();
            metadata.sort();
            for (key, value) in metadata {
                // Writing to a String cannot fail.
                let _ = write!(line, ", {key}: {value}");
            }
            failure.details.push(line);
        }
        // An error with a source is the transport's own: a connection that broke, or something that speaks no gRPC.
        failure.next = if status.source().is_some() && failure.exit == Exit::Internal {
            failure.exit = Exit::Unavailable;
            Some(NO_GRPC.to_owned())
        } else {
            let reason = details.error_info().map_or("", |info| info.reason.as_str());
            by_reason(reason).or_else(|| next_step(status.code())).map(str::to_owned)
        };
        failure
    }
}

impl From<BadSettings> for Failure {
    fn from(bad: BadSettings) -> Self {
        let mut lines = bad.0.into_iter();
        let message = lines.next().unwrap_or_else(|| "a setting is wrong".to_owned());
        Self { exit: Exit::Usage, message, details: lines.collect(), next: None }
    }
}

fn exit_of(code: Code) -> Exit {
    match code {
        Code::Ok => Exit::Ok,
        Code::InvalidArgument | Code::OutOfRange => Exit::Data,
        Code::NotFound => Exit::NotFound,
        Code::AlreadyExists | Code::Aborted | Code::FailedPrecondition => Exit::Conflict,
        Code::PermissionDenied | Code::Unauthenticated => Exit::Permission,
        // Most servers, and the client's own limit, answer CANCELLED where a deadline has passed.
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::ResourceExhausted => Exit::Unavailable,
        Code::Unknown | Code::Internal | Code::Unimplemented | Code::DataLoss => Exit::Internal,
    }
}

/// What to do about what people run into most. The other reasons say it themselves.
fn by_reason(reason: &str) -> Option<&'static str> {
    match reason {
        "ROLE_INHERITED" => Some("to have the user leave those teams, repeat it with --leave-teams"),
        "ROLE_NOT_FOUND" => Some("to see the roles: rolecall roles list; a custom one is written custom/ID"),
        "PERMISSION_NOT_FOUND" | "SECTION_NOT_FOUND" | "API_SCOPE_NOT_FOUND" | "FEATURE_NOT_FOUND" => {
            Some("to see what there is: rolecall catalog show CATALOG")
        }
        "USER_NOT_FOUND" => Some("to see the users: rolecall users list"),
        "SERVICE_ACCOUNT_NOT_FOUND" => Some("to see them: rolecall service-accounts list"),
        "TEAM_NOT_FOUND" => Some("to see the teams: rolecall teams list"),
        "RESOURCE_NOT_FOUND" => {
            Some("to see what is registered: rolecall resources list; to register it: rolecall resources register PATH")
        }
        "RESOURCE_TYPE_NOT_FOUND" => Some("to see the resource types: rolecall catalog show CATALOG"),
        "ACCESS_POLICY_NOT_FOUND" => {
            Some("to see the access policies: rolecall policies list; a custom one is written custom/ID")
        }
        "EXCEPTION_NOT_FOUND" => Some("to see the user's exceptions: rolecall exceptions list USER"),
        "LAST_ROLE" => Some("give another role first: rolecall roles give ROLE HOLDER"),
        "ALWAYS_HELD_ROLE" => Some("give the role to somebody else first: rolecall roles give ROLE HOLDER"),
        "MUTUALLY_EXCLUSIVE_ROLES" => Some("take one of the two away first: rolecall roles take ROLE HOLDER"),
        "TOO_MANY_HOLDERS" => Some("to see who holds it: rolecall roles holders ROLE"),
        "CUSTOM_ROLES_NOT_OFFERED" => Some("to see what custom roles may consist of: rolecall catalog show CATALOG"),
        "CATALOG_NOT_FOUND" => {
            Some("to see the catalogs: rolecall catalog list; a preset: rolecall presets apply NAME")
        }
        _ => None,
    }
}

fn next_step(code: Code) -> Option<&'static str> {
    match code {
        Code::Unavailable => Some(NO_SERVER),
        Code::DeadlineExceeded | Code::Cancelled => Some("give it longer with --timeout, or see the server's log"),
        Code::Aborted => Some("somebody else was faster: look at it again, and repeat the command"),
        Code::ResourceExhausted => Some("ask for less at once, or try again later"),
        Code::Unimplemented => Some("is the server older than this command? compare `rolecall version`"),
        Code::Unknown | Code::Internal | Code::DataLoss => Some("see the server's log"),
        _ => None,
    }
}

fn message_of(status: &Status) -> String {
    let message = if status.message().is_empty() { status.code().description() } else { status.message() };
    let causes = status.source().map(causes).unwrap_or_default();
    if causes.starts_with(message) {
        causes
    } else if causes.is_empty() {
        message.to_owned()
    } else {
        format!("{message}: {causes}")
    }
}

/// An error with its causes, each said once: the outer ones of the transport ("transport error") say little.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn every_grpc_code_has_the_documented_exit_code() {
        let documented = |exit: Exit| EXIT_CODES.lines().any(|line| line.starts_with(&format!("{:>4}  ", exit as u8)));
        for code in 1..=16 {
            let exit = exit_of(Code::from(code));
            assert!(exit as u8 >= 64, "an error is neither an allow nor a denial: {code}");
            assert!(documented(exit), "{exit:?}");
        }
        assert_eq!(exit_of(Code::InvalidArgument), Exit::Data);
        assert_eq!(exit_of(Code::NotFound), Exit::NotFound);
        assert_eq!(exit_of(Code::DeadlineExceeded), Exit::Unavailable);
        assert_eq!(exit_of(Code::FailedPrecondition), Exit::Conflict);
    }

    #[test]
    fn the_details_of_an_error_are_told_one_a_line() {
        let mut details = ErrorDetails::new();
        details
            .add_bad_request_violation("account", "expected accounts/{account}")
            .add_bad_request_violation("subject", "expected users/{user}")
            .set_error_info("INVALID_FIELD", "rolecall", [("limit".to_owned(), "128".to_owned())]);
        let failure = Failure::from(Status::with_error_details(Code::InvalidArgument, "two fields are wrong", details));
        assert_eq!(failure.exit, Exit::Data);
        assert_eq!(failure.message, "two fields are wrong");
        assert_eq!(
            failure.details,
            [
                "account: expected accounts/{account}",
                "subject: expected users/{user}",
                "reason: INVALID_FIELD, limit: 128"
            ]
        );
    }

    #[test]
    fn details_that_cannot_be_decoded_leave_the_error_standing() {
        let status = Status::with_details(Code::NotFound, "no such account", vec![0xff, 0x01].into());
        assert_eq!(Failure::from(status), Failure::new(Exit::NotFound, "no such account"));
    }

    #[test]
    fn a_connection_that_breaks_is_a_server_that_is_not_there() {
        let status = Status::from_error(Box::new(io::Error::other("connection reset")));
        let failure = Failure::from(status);
        assert_eq!(failure.exit, Exit::Unavailable);
        assert_eq!(failure.message, "connection reset");
        assert_eq!(Failure::from(Status::internal("it broke")).exit, Exit::Internal);
    }
}
