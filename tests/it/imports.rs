//! Who may use whom: the table of the architecture, held over the sources themselves.
//!
//! A folder of `src/` uses the modules and crates of its row and nothing else; a new use is a decision, and is made by
//! changing the row. Tests inside the sources may use what they like. Beside that: no file that is too long, and no
//! path of somebody's machine. Read [`TABLE`] first, then [`uses`].

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::tools::root;

/// A folder (or file) of `src/`, the modules of ours that it may use, and the crates.
struct Row(&'static str, &'static str, &'static str);

const TABLE: &[Row] = &[
    Row("model", "", "thiserror"),
    Row("engine", "model", "foldhash thiserror"),
    Row("conditions", "engine", "cel thiserror"),
    // Which texts are conditions is asked of the language; times are written as prost writes them.
    Row("files", "conditions model", "granit_parser prost_types serde serde_json"),
    Row("presets", "", ""),
    Row("protobuf", "", "prost"),
    Row("store", "model protobuf", "arc_swap crc32fast getrandom prost rustix sha2 sled thiserror tracing"),
    Row("cache", "model", "arc_swap bytemuck foldhash moka shuttle"),
    Row("service", "cache conditions engine files model store", "thiserror tokio tracing"),
    Row(
        "api",
        "files model proto protobuf service",
        "base64 crc32fast futures_util http prost prost_types sha2 tokio tokio_stream tonic tonic_types tower \
         tracing",
    ),
    Row(
        "cli",
        "config files model presets proto",
        "clap clap_complete comfy_table futures_util hdrhistogram http indicatif rand_distr rand_pcg serde serde_json \
         serde_saphyr tempfile tokio tokio_stream tonic tonic_health tonic_types",
    ),
    Row("config", "", "clap tracing_subscriber"),
    Row("telemetry", "config", "tracing_subscriber"),
];

/// These put everything together, and may use everything.
const FREE: &[&str] = &["lib", "main", "server"];

/// No folder may touch the outside world before these two, whatever the standard library offers.
const PURE: &[&str] = &["conditions", "engine", "model"];
const OUTSIDE: &[&str] =
    &["Instant", "SystemTime", "std::env", "std::fs", "std::io", "std::net", "std::process", "std::thread"];

/// No source is longer, in lines.
const LONGEST: usize = 600;

/// What has no business in a file that everybody gets. Put together here, so that this file does not have it.
const OUT_OF_PLACE: &[&str] = &[concat!("/", "work/"), concat!("/", "root/")];

/// Everything below a directory, sorted.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if [".git", "target", "rolecall-data"].contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// The crates that Cargo.toml names, as sources spell them.
fn crates(manifest: &str) -> BTreeSet<String> {
    let mut inside = false;
    let mut found = BTreeSet::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]");
        } else if let (true, Some((name, _))) = (inside, line.split_once(" = ")) {
            found.insert(name.replace('-', "_"));
        }
    }
    found
}

/// A source without comments and without what stands in quotes.
fn code(source: &str) -> String {
    let mut code = String::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let after = |text: &'_ str, end: &str| text.find(end).map_or(text.len(), |at| at + end.len());
        let raw = rest.strip_prefix('r').map(|text| text.trim_start_matches('#')).filter(|text| text.starts_with('"'));
        let word_goes_on = code.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            after(rest, "*/")
        } else if let (Some(quoted), false) = (raw, word_goes_on) {
            let hashes = rest.len() - quoted.len() - 1;
            let start = rest.len() - quoted.len() + 1;
            start + after(&rest[start..], &format!("\"{}", "#".repeat(hashes)))
        } else if first == '"' {
            let mut escaped = false;
            let end = rest.char_indices().skip(1).find(|(_, each)| {
                let ends = *each == '"' && !escaped;
                escaped = *each == '\\' && !escaped;
                ends
            });
            end.map_or(rest.len(), |(at, _)| at + 1)
        } else if let Some(length) =
            ["'\"'", "'\\\"'", "'\\''", "'{'", "'}'", "'\\\\'"].iter().find(|it| rest.starts_with(**it))
        {
            length.len()
        } else {
            code.push(first);
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    code
}

/// The text up to the end of the block that it begins, or up to a semicolon that comes before any block.
fn item(text: &str) -> &str {
    let mut depth = 0;
    for (at, each) in text.char_indices() {
        match each {
            '{' => depth += 1,
            '}' if depth == 1 => return &text[..=at],
            '}' => depth -= 1,
            ';' if depth == 0 => return &text[..=at],
            _ => {}
        }
    }
    text
}

/// Code without what is compiled for tests alone, and the modules in files of their own that are.
fn without_tests(code: &str) -> (String, Vec<String>) {
    let (mut kept, mut modules, mut rest) = (String::new(), Vec::new(), code);
    while let Some(at) = ["#[cfg(test)]", "#[cfg(all(test"].iter().filter_map(|it| rest.find(it)).min() {
        kept.push_str(&rest[..at]);
        let skipped = item(&rest[at..]);
        if let Some((_, name)) = skipped.rsplit_once("mod ").filter(|_| skipped.ends_with(';')) {
            modules.push(name.trim_end_matches(';').trim().to_owned());
        }
        rest = &rest[at + skipped.len()..];
    }
    kept.push_str(rest);
    (kept, modules)
}

/// The first segments of what follows `prefix::`, a group or a single path.
fn first_segments(text: &str) -> Vec<String> {
    let segment = |text: &str| -> String {
        text.trim_start().chars().take_while(|each| each.is_alphanumeric() || *each == '_').collect()
    };
    let text = text.trim_start();
    if !text.starts_with('{') {
        return vec![segment(text)];
    }
    let group = item(text);
    let (mut depth, mut found, mut start) = (0, Vec::new(), 1);
    for (at, each) in group.char_indices() {
        match each {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => {
                found.push(segment(&group[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(segment(&group[start..]));
    found.retain(|name| !name.is_empty());
    found
}

/// What stands behind each place where a word and `::` begin a path.
fn after_paths<'a>(code: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    code.match_indices(prefix).filter_map(move |(at, _)| {
        let begins = !code[..at].ends_with(|last: char| last.is_alphanumeric() || last == '_' || last == ':');
        begins.then(|| &code[at + prefix.len()..])
    })
}

/// What a file uses: our own modules by name, crates by name. `file` is relative to `src/`.
fn uses(file: &Path, code: &str, crates: &BTreeSet<String>) -> BTreeSet<String> {
    let mut modules: Vec<&str> = file.iter().map(|part| part.to_str().unwrap().trim_end_matches(".rs")).collect();
    modules.retain(|module| *module != "mod");
    let mut found: BTreeSet<String> = after_paths(code, "crate::").flat_map(first_segments).collect();
    // As many as this from the file itself lead to the top; from a module inside the file they lead less far.
    let to_the_top = "super::".repeat(modules.len());
    let is_more = |text: &&str| !text.starts_with("super::");
    found.extend(after_paths(code, &to_the_top).filter(is_more).flat_map(first_segments));
    for name in crates {
        if after_paths(code, &format!("{name}::")).next().is_some() || code.contains(&format!("use {name};")) {
            found.insert(name.clone());
        }
    }
    let std = after_paths(code, "std::").flat_map(first_segments).map(|name| format!("std::{name}"));
    let words = code.split(|each: char| !each.is_alphanumeric()).map(str::to_owned);
    found.extend(std.chain(words).filter(|name| OUTSIDE.contains(&name.as_str())));
    let own = modules.first().copied().unwrap_or_default();
    found.retain(|name| name != own && name != "self");
    found
}

/// Every use that the table does not allow, as "file uses name".
fn violations(file: &Path, code: &str, crates: &BTreeSet<String>) -> Vec<String> {
    let top = file.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
    let uses = uses(file, code, crates);
    if FREE.contains(&top) {
        return Vec::new();
    }
    let Some(Row(_, ours, theirs)) = TABLE.iter().find(|row| row.0 == top) else {
        return vec![format!("{} is in no row of the table", file.display())];
    };
    let is_allowed = |name: &&String| {
        let is_listed = [ours, theirs].iter().any(|words| words.split_whitespace().any(|word| word == name.as_str()));
        is_listed || (OUTSIDE.contains(&name.as_str()) && !PURE.contains(&top))
    };
    uses.iter().filter(|name| !is_allowed(name)).map(|name| format!("{} uses {name}", file.display())).collect()
}

#[test]
fn every_folder_uses_only_what_the_table_allows() {
    let sources = root().join("src");
    let crates = crates(&fs::read_to_string(root().join("Cargo.toml")).unwrap());
    assert!(crates.contains("prost_types") && crates.contains("sled"), "{crates:?}");
    let (mut files, mut of_tests) = (Vec::new(), Vec::new());
    for path in files_below(&sources) {
        let (kept, modules) = without_tests(&code(&fs::read_to_string(&path).unwrap()));
        let is_top = path.ends_with("mod.rs");
        let inside = if is_top { path.parent().unwrap().to_owned() } else { path.with_extension("") };
        of_tests.extend(modules.into_iter().map(|name| inside.join(name)));
        files.push((path, kept));
    }
    files.retain(|(path, _)| !of_tests.iter().any(|test| path.starts_with(test) || path.with_extension("") == *test));
    assert!(files.len() > 50, "only {} files were found", files.len());
    let found: Vec<String> =
        files.iter().flat_map(|(path, code)| violations(path.strip_prefix(&sources).unwrap(), code, &crates)).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_planted_violation_is_found() {
    let crates: BTreeSet<String> = ["sled", "tokio", "tonic", "prost", "thiserror"].map(str::to_owned).into();
    for (file, source, expected) in [
        ("engine/decide.rs", "use crate::store::Store;", &["engine/decide.rs uses store"][..]),
        ("engine/decide.rs", "use crate::model::Number;\nuse super::compiled::Set;", &[]),
        ("engine/decide.rs", "let now = std::time::Instant::now();", &["engine/decide.rs uses Instant"]),
        ("engine/decide.rs", "use std::{collections::BTreeMap, fs};", &["engine/decide.rs uses std::fs"]),
        ("engine/decide.rs", "use std::time::{Duration, Instant};", &["engine/decide.rs uses Instant"]),
        ("model/ids.rs", "fn a() { tokio::spawn(b); }", &["model/ids.rs uses tokio"]),
        ("model/ids.rs", "use thiserror::Error; // tokio::spawn\nconst A: &str = \"crate::store\";", &[]),
        (
            "model/ids.rs",
            "const A: &str = r#\"a \" crate::store::b\"#; const B: char = '\"'; use tonic::C;",
            &["model/ids.rs uses tonic"],
        ),
        (
            "service/users.rs",
            "use crate::{\n    model::{A, b::C},\n    api::{D, e},\n};",
            &["service/users.rs uses api"],
        ),
        ("store/mod.rs", "use super::engine;", &["store/mod.rs uses engine"]),
        ("store/journal/disk.rs", "use super::super::{\n    Store, bytes};", &[]),
        (
            "store/journal/disk.rs",
            "use super::super::super::{engine::A, model};",
            &["store/journal/disk.rs uses engine"],
        ),
        (
            "cache/load.rs",
            "use sled;\npub use crate::service as s;",
            &["cache/load.rs uses service", "cache/load.rs uses sled"],
        ),
        (
            "presets.rs",
            "use crate::model::A;\n#[cfg(test)]\nmod tests { use crate::files; fn a() {} }",
            &["presets.rs uses model"],
        ),
        ("presets.rs", "#[cfg(test)]\n#[allow(x)]\nmod more;\nuse crate::files;", &["presets.rs uses files"]),
        ("server/demo.rs", "use crate::{api, store}; use sled::Db;", &[]),
        ("novelty/a.rs", "", &["novelty/a.rs is in no row of the table"]),
    ] {
        let (kept, _) = without_tests(&code(source));
        assert_eq!(violations(Path::new(file), &kept, &crates), expected, "{file}: {source}");
    }
    assert_eq!(without_tests("#[cfg(test)]\npub(crate) mod more;\nuse a;").1, ["more"]);
}

#[test]
fn no_source_is_too_long() {
    for path in files_below(&root().join("src")) {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= LONGEST, "{} has {lines} lines, {LONGEST} is the most", path.display());
    }
}

#[test]
fn no_file_names_a_path_of_somebodys_machine() {
    let out_of_place = |text: &str| OUT_OF_PLACE.iter().find(|word| text.contains(**word)).copied();
    assert!(out_of_place(&format!("see {}x", OUT_OF_PLACE[0])).is_some());
    let files = files_below(root());
    assert!(files.len() > 100);
    for path in files {
        // What is not text has no words.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        if let Some(word) = out_of_place(&text) {
            panic!("{} contains {word}", path.display());
        }
    }
}
