//! What a decision costs, beside what the least that could be done would cost. Run with `cargo bench`.
//!
//! Every pair is measured in turns, so that whatever else the machine does falls on both, and what counts is the ratio
//! of the two. `ROLECALL_BENCH_ROUNDS` sets how many rounds (15). Names of parts after `--` measure those alone:
//! `cargo bench -- engine in-process`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout)]
#![allow(missing_docs)]

mod accounts;
mod engine;
mod grpc;
mod import;
mod in_process;
mod pairs;
mod processes;
mod servers;

/// The same as in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let given: Vec<String> = std::env::args().skip(1).collect();
    if given.first().is_some_and(|first| first == "--serve-nothing") {
        return servers::serve_nothing(given.get(1).map(String::as_str));
    }
    let parts: Vec<String> = given.into_iter().filter(|part| !part.starts_with("--")).collect();
    let is_wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    pairs::head();
    if is_wanted("engine") {
        engine::measure();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if is_wanted("import") {
        import::measure(&runtime);
    }
    runtime.block_on(async {
        if is_wanted("in-process") {
            let directory = tempfile::TempDir::new().unwrap();
            let running = accounts::server(directory.path()).await;
            in_process::measure(&running).await;
            running.stop().await.unwrap();
        }
        if is_wanted("grpc") {
            grpc::measure().await;
        }
    });
}
