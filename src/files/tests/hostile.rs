//! Files that nobody writes by accident: mutilated, deep, endless. Each gets an answer, and no panic.

use super::{
    random::Random,
    round_trip::{ACCOUNT, CATALOG},
};
use crate::files::*;

fn try_all(bytes: &[u8]) {
    let _ = kind_of(bytes);
    if let Err(problems) = parse_catalog(bytes) {
        assert!(!problems.is_empty(), "refused without a reason: {bytes:?}");
    }
    match parse_account(bytes) {
        Err(problems) => assert!(!problems.is_empty(), "refused without a reason: {bytes:?}"),
        Ok(account) => {
            let mut text = String::new();
            write_account(&account, &mut text).unwrap();
            assert!(parse_account(text.as_bytes()).is_ok(), "{text}");
        }
    }
}

fn mutate(random: &mut Random, file: &mut Vec<u8>) {
    const PIECES: [&[u8]; 16] = [
        b"\n", b"  ", b"- ", b": ", b"[", b"]", b"{", b"}", b"\"", b"'", b"&a ", b"*a", b"? ", b"---\n", b"\xff",
        b"|\n",
    ];
    for _ in 0..=random.below(4) {
        let at = random.below(file.len().max(1)).min(file.len());
        match random.below(4) {
            0 if at < file.len() => file[at] = random.below(256) as u8,
            1 if at < file.len() => drop(file.remove(at)),
            2 => drop(file.splice(at..at, PIECES[random.below(PIECES.len())].iter().copied())),
            _ => file.truncate(at.max(1)),
        }
    }
}

#[test]
fn mutated_files_never_panic() {
    let seed = 0x5eed_f11e;
    println!("seed {seed:#x}");
    let mut random = Random::new(seed);
    let random_catalog = write_catalog(&Random::new(7).catalog());
    for case in 0..20_000 {
        let mut file = [ACCOUNT, &random_catalog, CATALOG][case % 3].as_bytes().to_vec();
        mutate(&mut random, &mut file);
        try_all(&file);
    }
}

#[test]
fn deep_and_endless_files_are_refused_in_good_time() {
    let openings = [
        "[", "{a: ", "- ", "? ", "{\"a\":[", "- ? ", "a:\n  - ", "[{", "!!x ", "&a ", "*a ", "\"", "'", "a: ", "|",
        "# ",
    ];
    for opening in openings {
        for head in ["", "kind: account\nusers: ", "kind: account\nusers:\n  "] {
            try_all(format!("{head}{}", opening.repeat(100_000)).as_bytes());
        }
    }
    try_all(format!("a{}: b", "x".repeat(1_000_000)).as_bytes());
    try_all(format!("kind: account\nid: {}", "x".repeat(1_000_000)).as_bytes());
    try_all(format!("kind: account\nfeatures: [{}]", "a, ".repeat(300_000)).as_bytes());
    try_all(format!("kind: account\nusers:\n{}", "  - {id: u, emial: x}\n".repeat(30_000)).as_bytes());
    try_all("a: 1\n".repeat(100_000).as_bytes());
    // Many parents of many roles, and as many patterns: what is looked up for each has to be cheap.
    let head = "kind: catalog\nid: c\ndisplay_name: C\nsections: [{id: s, display_name: S}]\n";
    let permissions: String = (0..5_000).map(|index| format!("  - {{id: a.x{index}.y.z, section: s}}\n")).collect();
    let patterns: Vec<_> = (0..1_000).map(|index| format!("'*.x{index}.*.z'")).collect();
    let statements = format!("{{effect: deny, permissions: [{}]}},", patterns.join(",")).repeat(50);
    let policies: String =
        (0..10).map(|index| format!("  - {{id: p{index}, display_name: P, statements: [{statements}]}}\n")).collect();
    let parents = |index: usize| (index % 1000 + 1000..index % 1000 + 1100).map(|role| format!("r{role}"));
    let roles: String = (0..2_100)
        .map(|index| {
            let parents: Vec<_> = if index < 1000 { parents(index).collect() } else { Vec::new() };
            format!("  - {{id: r{index}, display_name: R, parents: [{}]}}\n", parents.join(","))
        })
        .collect();
    let pairs: String = (0..1_000).map(|index| format!("  - [r{index}, r{}]\n", index + 1)).collect();
    let file =
        format!("{head}permissions:\n{permissions}policies:\n{policies}roles:\n{roles}mutually_exclusive:\n{pairs}");
    assert_eq!(parse_catalog(file.as_bytes()).err().map(|problems| problems.to_string()), None);
}

#[test]
fn text_that_is_not_utf_8_is_refused_at_its_place() {
    for bytes in [&b"kind: account\nid: \xc3\xa9\xff\n"[..], b"kind: account\nid: \xc3\xa9\xe2\x82"] {
        let problems = parse_account(bytes).unwrap_err();
        assert_eq!(problems.to_string(), "2:6: this is not UTF-8; expected a text file in UTF-8");
    }
}
