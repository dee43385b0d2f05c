//! What a decision costs, beside what the least that could be done would cost. Run with `cargo bench`.
//!
//! Every pair is measured in turns, so that whatever else the machine does falls on both, and what counts is the ratio
//! of the two. `ROLECALL_BENCH_ROUNDS` sets how many rounds (15). Names of parts after `--` measure those alone:
//! `cargo bench -- engine in-process`. What was measured is recorded; `cargo bench -- write-docs` writes it into
//! `docs/performance.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout)]
#![allow(missing_docs)]

mod accounts;
mod batch;
mod change;
mod classic;
mod document;
mod engine;
mod figures;
mod growth;
mod grpc;
mod grpc_batch;
mod import;
mod in_process;
mod made;
mod many;
mod memory;
mod names;
mod nothing;
mod pairs;
mod plots;
mod processes;
mod servers;
mod start;
mod wanted;
mod writes;
mod zipf;

/// The same as in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    // Cargo adds a word of its own.
    let given: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match given.split_first() {
        Some((first, rest)) if first == "--serve-nothing" => return servers::serve_nothing(rest),
        Some((first, [state, reads @ ..])) if first == "--bare-sled" => {
            return start::bare_sled(state, !reads.is_empty());
        }
        Some((first, _)) if first == "write-docs" => return figures::write_docs(),
        _ => {}
    }
    let is_asked = |part: &str| given.is_empty() || given.iter().any(|asked| asked == part);
    // Whoever asks begins the part: what is reported from here on is recorded as its figures.
    let is_wanted = |part: &str| {
        if is_asked(part) {
            figures::begin(part);
        }
        is_asked(part)
    };
    if is_wanted("engine") {
        engine::measure();
    }
    if is_wanted("names") {
        names::measure();
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
        if is_wanted("batch") {
            let directory = tempfile::TempDir::new().unwrap();
            let running = accounts::server(directory.path()).await;
            batch::measure(&running).await;
            running.stop().await.unwrap();
        }
        if is_wanted("grpc") {
            grpc::measure().await;
        }
        if is_wanted("grpc-batch") {
            grpc_batch::measure().await;
        }
        if is_wanted("growth") {
            growth::measure().await;
        }
        if ["writes", "change", "start", "memory", "zipf"].into_iter().any(is_asked) {
            let directory = tempfile::TempDir::new().unwrap();
            let filled = directory.path().join("filled");
            many::fill(&filled, many::users()).await;
            if is_wanted("writes") {
                writes::measure(&filled).await;
            }
            if is_wanted("start") {
                start::measure(&filled).await;
            }
            if is_wanted("memory") {
                memory::measure(&filled).await;
            }
            if is_wanted("change") {
                let served = many::Served::open(&filled);
                change::measure(&served).await;
                served.close();
            }
            if is_wanted("zipf") {
                let served = many::Served::open(&filled);
                zipf::measure(&served).await;
                served.close();
            }
        }
    });
    figures::finish();
}
