//! Documents that are made from the code: `docs/errors.md` whole, and the table of settings in `README.md`.
//!
//! With `ROLECALL_WRITE_DOCS=1` they are written; without it they have to be what the code says.

use std::{env, fmt::Write as _, fs, path::Path};

use clap::{Args as _, Command};
use rolecall::{
    config::ServeArgs,
    service::{Decision, ErrorReason, Reason, StatusKind},
};

const SETTINGS_BEGIN: &str = "<!-- settings of serve: made by tests/it/errors_doc.rs -->\n";
const SETTINGS_END: &str = "<!-- end of settings -->\n";

#[test]
fn the_page_of_errors_is_what_the_code_says() {
    check("docs/errors.md", |_| errors_page());
}

#[test]
fn the_table_of_settings_is_what_the_code_says() {
    check("README.md", |before| {
        let (head, rest) = before.split_once(SETTINGS_BEGIN).expect("README.md has the mark before the settings");
        let (_, tail) = rest.split_once(SETTINGS_END).expect("README.md has the mark after the settings");
        format!("{head}{SETTINGS_BEGIN}\n{}\n{SETTINGS_END}{tail}", settings_table())
    });
}

/// Compares a file with what it should be, or writes it.
fn check(file: &str, render: impl FnOnce(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let before = fs::read_to_string(&path).unwrap_or_default();
    let expected = render(&before);
    if before == expected {
        return;
    }
    if env::var_os("ROLECALL_WRITE_DOCS").is_some_and(|value| value == "1") {
        fs::write(&path, expected).unwrap();
        return;
    }
    let differs = before.lines().zip(expected.lines()).position(|(one, other)| one != other);
    let line = differs.unwrap_or_else(|| before.lines().count().min(expected.lines().count())) + 1;
    panic!("{file} is not what the code says, from line {line} on; run this test with ROLECALL_WRITE_DOCS=1");
}

fn errors_page() -> String {
    let mut page = String::from(
        "# Decision reasons and error reasons\n\n\
         Made from the code by `tests/it/errors_doc.rs`. Change the text there, in `src/engine/decide.rs` or in\n\
         `src/service/error.rs`.\n\n\
         ## Decision reasons\n\n\
         A denial is an answer, not an error: the call ends with OK, and the answer says why. The list is closed. They are\n\
         looked for in this order, and the first that fits is given. On the wire each has the prefix `DECISION_REASON_`.\n\
         Anything but `DECISION_ALLOW` is a denial, whatever its reason.\n\n\
         | Reason | Decision | What it means |\n|---|---|---|\n",
    );
    for reason in Reason::ALL {
        let decision = match reason.decision() {
            Decision::Allow => "allow",
            Decision::Deny => "deny",
        };
        writeln!(page, "| `{}` | {decision} | {} |", reason.name(), cell(reason.explanation())).unwrap();
    }
    page.push_str(
        "\n## Error reasons\n\n\
         Whatever is not answered is an error: a gRPC status, with one of these as the `reason` of its\n\
         `google.rpc.ErrorInfo` (domain `rolecall`). An item of a BatchCheck carries the same names. A caller treats every\n\
         error as a denial.\n\n\
         | Reason | Status | What it means |\n|---|---|---|\n",
    );
    for reason in ErrorReason::ALL {
        writeln!(page, "| `{}` | `{}` | {} |", reason.name(), status(reason.status()), cell(reason.explanation()))
            .unwrap();
    }
    page.push_str(
        "\n## Errors without a reason\n\n\
         The transport answers some calls before they reach the API. Such a status has no `ErrorInfo`.\n\n\
         | Status | When |\n|---|---|\n\
         | `DEADLINE_EXCEEDED` | The call took longer than its deadline, or came too late. A write may have happened all the same. |\n\
         | `RESOURCE_EXHAUSTED` | The most calls that a process takes on are under way. Try again in a moment. |\n\
         | `OUT_OF_RANGE` | The message is larger than 1 MiB, the most that is read at all. |\n\
         | `INTERNAL` | The bytes are no message of the method. |\n\
         | `UNIMPLEMENTED` | The server has no such method. |\n",
    );
    page
}

fn status(kind: StatusKind) -> &'static str {
    match kind {
        StatusKind::InvalidArgument => "INVALID_ARGUMENT",
        StatusKind::NotFound => "NOT_FOUND",
        StatusKind::AlreadyExists => "ALREADY_EXISTS",
        StatusKind::FailedPrecondition => "FAILED_PRECONDITION",
        StatusKind::ResourceExhausted => "RESOURCE_EXHAUSTED",
        StatusKind::OutOfRange => "OUT_OF_RANGE",
        StatusKind::Aborted => "ABORTED",
        StatusKind::Unavailable => "UNAVAILABLE",
        StatusKind::Internal => "INTERNAL",
    }
}

fn settings_table() -> String {
    let command = ServeArgs::augment_args(Command::new("serve"));
    let mut table = String::from("| Flag | Variable | Default | What it sets |\n|---|---|---|---|\n");
    for argument in command.get_arguments() {
        let flag = argument.get_long().expect("every setting has a flag");
        let value = argument.get_value_names().and_then(<[_]>::first).expect("every setting has a value");
        let given = if argument.is_require_equals_set() { format!("[={value}]") } else { format!(" {value}") };
        let variable = argument.get_env().expect("every setting has a variable").to_string_lossy();
        let default = match argument.get_default_values().first() {
            Some(default) => format!("`{}`", default.to_string_lossy()),
            None => "none".to_owned(),
        };
        let help = argument.get_help().expect("every setting has a help text").to_string();
        writeln!(table, "| `--{flag}{given}` | `{variable}` | {default} | {} |", cell(&help)).unwrap();
    }
    table
}

/// A text that does not end its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
