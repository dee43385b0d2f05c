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

mod administration;
mod api_changes;
mod bad_input;
mod benching;
mod cli;
mod commands;
mod constraints;
mod crash;
mod debugging;
mod errors_doc;
mod importing;
mod imports;
mod management;
mod manners;
mod oracle;
mod oracle_runs;
mod paging;
mod performance_doc;
mod process;
mod random;
mod scenarios;
mod serving;
mod support;
mod tools;
