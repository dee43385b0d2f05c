//! Everything that is tested from outside, as one binary: a server in the process, or the real one as a process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    missing_docs
)]

mod errors_doc;
mod commands;
mod debugging;
mod imports;
mod oracle;
mod oracle_runs;
mod random;
mod scenarios;
mod support;
mod tools;
