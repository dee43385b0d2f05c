//! Texts that would break a parser: none may panic, overflow the stack, or take long.

use std::thread;

use super::{super::MAX_BYTES, attributes, evaluate, random::Random};
use crate::conditions::check;

/// Checks texts on a stack of half of what a thread usually has.
fn check_on_a_small_stack(texts: Vec<String>) {
    let check_all = move || {
        let attributes = attributes();
        for text in texts {
            if check(&text).is_err() {
                assert_eq!(evaluate(&text, &attributes), None, "{text}");
            }
        }
    };
    thread::Builder::new().stack_size(1_024 * 1_024).spawn(check_all).unwrap().join().unwrap();
}

/// Pieces that make a parser recurse, recover or look far ahead.
const PIECES: &[&str] = &[
    "(",
    "[",
    "{",
    ")",
    "]",
    "}",
    "()",
    "[]",
    "{}",
    "([{",
    "(]",
    "!",
    "-",
    "!-",
    "a.",
    "a.a.a",
    "a[",
    "a[0]",
    "a(",
    "a.a(",
    "x?",
    "x?x:",
    "(x?",
    "a+",
    "a+,a+,",
    "a<",
    "a in ",
    "a&&",
    "a||b&&",
    "a,",
    "[1,",
    "f(,)",
    "f(a ",
    "{a:",
    ":",
    "?",
    "&",
    "|",
    "=",
    ".",
    "..",
    "1.",
    ".1",
    "0x",
    "1e",
    "'",
    "\"",
    "'a'",
    "r'",
    "b'",
    "\\",
    "\"\\",
    "'\\u",
    "//",
    "//\n",
    "\n",
    "é",
    "\u{10ffff}",
    "\0",
    "`a`.",
    "a.all(x,",
    "a.map(x,x,",
    "has(",
    "has(a.",
    "1u",
    "null",
    "true?true:",
];

#[test]
fn a_piece_repeated_to_the_longest_text_is_refused_in_peace() {
    let full = |piece: &str| piece.repeat(MAX_BYTES / piece.len());
    let mut texts: Vec<String> = PIECES.iter().map(|piece| full(piece)).collect();
    for opening in ["(", "[", "{", "f(", "a[", "a.all(x,", "x?", "!", "-", "(a+", "[[],"] {
        for piece in PIECES {
            for times in [8, 31, 32, 200] {
                let mut text = opening.repeat(times) + &full(piece);
                while text.len() > MAX_BYTES {
                    text.pop();
                }
                texts.push(text);
                texts.push(opening.repeat(times) + &piece.repeat(40));
            }
        }
    }
    check_on_a_small_stack(texts);
}

#[test]
fn what_nests_as_deep_as_it_may_is_parsed_and_evaluated() {
    let within = |open: &str, inner: &str, close: &str, times: usize| open.repeat(times) + inner + &close.repeat(times);
    check_on_a_small_stack(vec![
        within("(", "true", ")", 32),
        within("[", "1", "]", 31) + " == []",
        within("!(", "true", ")", 30),
        within("(true ? ", "true", " : false)", 30),
        within("size([", "1", "]) + 1", 14) + " == 1",
        "true ? true : ".repeat(30) + "true",
        "attributes.a".to_owned() + &".a".repeat(200) + " == 1",
        "1 == 1".to_owned() + &" + 1".repeat(200),
    ]);
}

#[test]
fn random_texts_neither_panic_nor_pass_without_being_usable() {
    const SEED: u64 = 0x5eed_0ce1;
    println!("seed {SEED:#x}");
    let words = [
        "attributes",
        "subject",
        "id",
        ".",
        ".",
        "a",
        "x",
        "==",
        "!=",
        "<",
        "&&",
        "||",
        "!",
        "(",
        ")",
        "[",
        "]",
        ",",
        "1",
        "'t'",
        "\"",
        "in",
        "true",
        "size(",
        "has(",
        ".all(x,",
        ".map(",
        "?",
        ":",
        "+",
        "-",
        "%",
        " ",
        "\n",
        "\\",
        "é",
        "{",
        "}",
        "r'",
        "subject.id",
        "attributes.count",
        "attributes.tags",
        "facets.line",
        "resource.path",
        "== 'x'",
        "null",
        "0x",
        "1e9",
        "//",
    ];
    let mut random = Random::new(SEED);
    let texts = (0..6_000).map(|_| (0..random.below(24) + 1).map(|_| random.one_of(&words)).collect()).collect();
    check_on_a_small_stack(texts);
}
