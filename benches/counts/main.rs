//! How many instructions a decision, a kept Check and Check's messages take, counted by callgrind (valgrind).
//!
//! Times differ from one run to the next; instructions hardly do, so that what grew is seen on any machine. They are
//! counted as the tests are built, with little optimisation: that costs no build of its own, and one step more, an
//! allocation or a look-up, shows all the same.
//!
//! `cargo bench --profile dev --bench counts -- compare` fails if one is more than a tenth above what `counts.json` has;
//! `-- write` stores them there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout)]
#![allow(missing_docs)]

#[path = "../check/classic.rs"]
mod classic;
mod rows;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use rows::ROWS;

/// How many calls are counted together.
const CALLS: u64 = 1_000;
/// How much of what is stored a count may be.
const GROWTH: f64 = 1.1;
/// Everything is built with these settings, in both commands.
const COMMAND: &str = "cargo bench --profile dev --bench counts --";

/// Instructions of one call, by name.
type Counts = BTreeMap<String, u64>;

/// The same as in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let given: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match given.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["compare"] => compare(&count_all()),
        ["write"] => {
            fs::write(file(), serde_json::to_string_pretty(&count_all()).unwrap() + "\n").unwrap();
            println!("wrote benches/counts/counts.json: commit it");
            ExitCode::SUCCESS
        }
        ["row", name] => {
            let row = ROWS.iter().find(|row| row.name == name).expect("a row of that name");
            (row.prepare)(&mut |call| {
                // What the first calls set up is not what a call costs.
                counted::warm(call);
                counted::counted_region(CALLS, call);
            });
            ExitCode::SUCCESS
        }
        _ => {
            println!("expected compare or write: {COMMAND} compare");
            ExitCode::from(2)
        }
    }
}

/// What callgrind looks for by its name: nothing else may have `counted_region` in its own.
mod counted {
    #[inline(never)]
    pub fn counted_region(calls: u64, call: &mut dyn FnMut(u64)) {
        for number in 0..calls {
            call(number);
        }
    }

    pub fn warm(call: &mut dyn FnMut(u64)) {
        (0..100).for_each(call);
    }
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/counts/counts.json")
}

fn count_all() -> Counts {
    ROWS.iter().map(|row| (row.name.to_owned(), count(row.name))).collect()
}

/// Runs this program under callgrind, which collects within [`counted::counted_region`] alone.
fn count(row: &str) -> u64 {
    let found = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("callgrind.{}", std::process::id()));
    let outcome = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind", "--toggle-collect=*counted_region*"])
        .arg(format!("--callgrind-out-file={}", found.display()))
        .arg(std::env::current_exe().unwrap())
        .args(["row", row])
        .stdin(Stdio::null())
        .output()
        .expect("valgrind is needed: apt-get install valgrind");
    assert!(outcome.status.success(), "{row}: {}", String::from_utf8_lossy(&outcome.stderr));
    let text = fs::read_to_string(&found).unwrap();
    let _ = fs::remove_file(found);
    let total: u64 = text.lines().find_map(|line| line.strip_prefix("totals: ")).unwrap().trim().parse().unwrap();
    assert!(total > CALLS, "{row}: nothing was counted");
    total / CALLS
}

fn compare(counts: &Counts) -> ExitCode {
    let stored: Counts = serde_json::from_str(&fs::read_to_string(file()).unwrap()).unwrap();
    println!("| What | Instructions | Stored | |\n|---|---|---|---|");
    let (mut has_grown, mut has_fallen) = (false, false);
    for (name, count) in counts {
        let stored_count = stored.get(name).copied();
        let ratio = *count as f64 / stored_count.unwrap_or(0) as f64;
        let note = match stored_count {
            None => "not stored",
            Some(_) if ratio > GROWTH => "**has grown**",
            Some(_) if ratio < 1.0 / GROWTH => "has fallen",
            Some(_) => "",
        };
        has_grown |= stored_count.is_none() || ratio > GROWTH;
        has_fallen |= ratio < 1.0 / GROWTH;
        println!("| {name} | {count} | {} | {note} |", stored_count.unwrap_or(0));
    }
    for name in stored.keys().filter(|name| !counts.contains_key(*name)) {
        println!("| {name} | | {} | **is not counted any more** |", stored[name]);
        has_grown = true;
    }
    if has_grown {
        println!(
            "\nmore instructions than benches/counts/counts.json allows. If that is meant, store what they are now:"
        );
        println!("  {COMMAND} write");
        return ExitCode::FAILURE;
    }
    if has_fallen {
        println!("\nfewer instructions; store them, so that they stay that few:\n  {COMMAND} write");
    }
    ExitCode::SUCCESS
}
