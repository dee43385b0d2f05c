//! Figures that are kept: every row and every curve goes into `target/bench/figures.json`, and from there into the
//! documentation.
//!
//! [`begin`] says which part is measured, [`describe`] with what. A newer row replaces the older one of its name; what a
//! part that ran to its end did not measure again is dropped.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

use super::{
    document::{self, Curve, Part, Recorded, Row, Run},
    pairs, plots,
    wanted::WANTED,
};

/// The part that is measured now.
struct Now {
    part: String,
    run: Run,
    /// Rows by name and limit, and curves by name, that this run has measured.
    rows: Vec<(String, String)>,
    curves: Vec<String>,
}

static NOW: Mutex<Option<Now>> = Mutex::new(None);

fn now() -> MutexGuard<'static, Option<Now>> {
    NOW.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins a part, and ends the one before it.
pub fn begin(part: &str) {
    finish();
    println!("\n### {part}\n\n{}", document::HEAD);
    *now() = Some(Now { part: part.to_owned(), run: here(), rows: Vec::new(), curves: Vec::new() });
}

/// Says what is asked in the part that is measured, and about how many users.
pub fn describe(workload: &str, users: Option<u64>) {
    if let Some(now) = now().as_mut() {
        now.run.workload = workload.to_owned();
        now.run.users = users;
    }
}

/// Ends the part that is measured: what is recorded of it and was not measured again is dropped.
pub fn finish() {
    let Some(now) = now().take() else { return };
    change(&now.part, |part| {
        part.rows.retain(|row| now.rows.iter().any(|(what, limit)| (what, limit) == (&row.what, &row.limit)));
        part.curves.retain(|curve| now.curves.contains(&curve.name));
    });
}

/// What was measured, as it is printed and recorded; `run` of it is filled in here.
pub fn record(mut row: Row) {
    let mut now = now();
    let Some(now) = now.as_mut() else { return };
    row.run = now.run.clone();
    let bound = WANTED.iter().find(|wanted| wanted.is_about(&now.part, &row)).map(|wanted| wanted.bound);
    println!("{}", row.line(bound));
    let figures = [row.ratio.min, row.ratio.low, row.ratio.median, row.ratio.high, row.ratio.max, row.one, row.other];
    if !figures.into_iter().all(f64::is_finite) {
        // JSON has no such numbers.
        return;
    }
    now.rows.push((row.what.clone(), row.limit.clone()));
    change(&now.part, |part| {
        match part.rows.iter_mut().find(|old| (&old.what, &old.limit) == (&row.what, &row.limit)) {
            Some(old) => *old = row,
            None => part.rows.push(row),
        }
    });
}

/// A curve; `run` of it is filled in here.
pub fn record_curve(mut curve: Curve) {
    let mut now = now();
    let Some(now) = now.as_mut() else { return };
    curve.run = now.run.clone();
    now.curves.push(curve.name.clone());
    change(&now.part, |part| match part.curves.iter_mut().find(|old| old.name == curve.name) {
        Some(old) => *old = curve,
        None => part.curves.push(curve),
    });
}

/// Where figures are recorded.
fn file() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("bench/figures.json")
}

fn recorded() -> Recorded {
    match fs::read(file()) {
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            panic!("{} is not what this benchmark writes ({error}): delete it, and measure again", file().display())
        }),
        Err(_) => Recorded::default(),
    }
}

fn change(part: &str, change: impl FnOnce(&mut Part)) {
    let mut recorded = recorded();
    let index = recorded.parts.iter().position(|each| each.name == part).unwrap_or_else(|| {
        recorded.parts.push(Part { name: part.to_owned(), ..Part::default() });
        recorded.parts.len() - 1
    });
    change(&mut recorded.parts[index]);
    recorded.parts.retain(|part| !(part.rows.is_empty() && part.curves.is_empty()));
    fs::create_dir_all(file().parent().unwrap()).unwrap();
    // Written beside and renamed: an end at any moment leaves what was there.
    let partial = file().with_extension("partial");
    fs::write(&partial, serde_json::to_string_pretty(&recorded).unwrap() + "\n").unwrap();
    fs::rename(partial, file()).unwrap();
}

/// Writes what is recorded into the documentation: the tables, and the plots beside it.
pub fn write_docs() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let page = docs.join("performance.md");
    let recorded = recorded();
    let before = fs::read_to_string(&page).unwrap();
    let after =
        document::written(&before, &recorded, WANTED).unwrap_or_else(|why| panic!("docs/performance.md: {why}"));
    fs::create_dir_all(docs.join("plots")).unwrap();
    for curve in recorded.parts.iter().flat_map(|part| &part.curves) {
        fs::write(docs.join("plots").join(format!("{}.svg", curve.name)), plots::svg(curve)).unwrap();
    }
    fs::write(page, after).unwrap();
    for wanted in WANTED {
        let mut rows =
            recorded.parts.iter().filter(|part| part.name == wanted.part).flat_map(|part| &part.rows).peekable();
        if rows.peek().is_some() && !rows.any(|row| wanted.is_about(wanted.part, row)) {
            println!("no row is {:?} of {}, of which something is wanted", wanted.what, wanted.part);
        }
    }
    println!("wrote {} parts to docs/performance.md", recorded.parts.len());
}

/// This machine, and how many rounds are asked for.
fn here() -> Run {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpu.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    // "Intel(R) Xeon(R) Processor @ 2.60GHz": the maker and the family are what a reader knows.
    let model = field("model name").replace("(R)", "").replace("(TM)", "");
    let model: Vec<&str> = model.split_whitespace().take(2).collect();
    let is_virtual = field("flags").split(' ').any(|flag| flag == "hypervisor");
    let machine = format!("a{} machine ({})", if is_virtual { " virtual" } else { "" }, model.join(" "));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel: Vec<&str> = kernel.trim().split('.').take(2).collect();
    let rustc = Command::new("rustc").arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    let rustc = String::from_utf8_lossy(&rustc).split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    Run {
        machine,
        cores: thread::available_parallelism().map_or(1, usize::from),
        kernel: format!("Linux {}", kernel.join(".")),
        rustc,
        workload: String::new(),
        users: None,
        rounds: pairs::rounds(),
    }
}
