//! Tests of the whole room: bad files with their problems, and definitions that are written and read back.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

mod bad_accounts;
mod bad_catalogs;
mod bad_policies;
mod comparison;
mod hostile;
mod limits;
mod random;
mod round_trip;

use super::Problems;

/// Expects exactly these problems, one `line:column: message` each.
fn check(file: &str, expected: &[&str], fields: &str, parse: impl FnOnce(&[u8]) -> Option<Problems>) {
    let problems = parse(file.as_bytes()).map(|problems| problems.to_string()).unwrap_or_default();
    let expected = expected.join("\n").replace("FIELDS", fields);
    assert_eq!(problems, expected, "in the file:\n{file}");
}
