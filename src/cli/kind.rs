//! Tells a catalog file from an account file, before a server is asked: each goes to a service of its own.
//!
//! STAND-IN for `crate::files::kind_of`, with the same signature. To swap: delete this file and its `mod` line, and
//! import `crate::files::{FileKind, kind_of}` in `apply.rs` and `upload.rs`.

/// What a file describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A catalog.
    Catalog,
    /// An account.
    Account,
}

/// The `kind` at the top level of a YAML or JSON file, from its beginning. Nothing else is checked: the server does.
pub fn kind_of(head: &[u8]) -> Option<FileKind> {
    let text = String::from_utf8_lossy(head);
    let text = text.trim_start_matches('\u{feff}');
    let value = if text.trim_start().starts_with('{') { json_kind(text) } else { yaml_kind(text) }?;
    match value.trim_matches(['"', '\'']) {
        "catalog" => Some(FileKind::Catalog),
        "account" => Some(FileKind::Account),
        _ => None,
    }
}

fn yaml_kind(text: &str) -> Option<&str> {
    let value = text.lines().find_map(|line| line.strip_prefix("kind:"))?;
    Some(value.split(" #").next().unwrap_or(value).trim())
}

fn json_kind(text: &str) -> Option<&str> {
    let mut depth = 0_u32;
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        rest = rest.get(character.len_utf8()..)?;
        match character {
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.checked_sub(1)?,
            '"' => {
                let end = string_end(rest)?;
                let (string, after) = (rest.get(..end)?, rest.get(end + 1..)?);
                let after_colon = after.trim_start().strip_prefix(':');
                if depth == 1
                    && string == "kind"
                    && let Some(value) = after_colon
                {
                    let value = value.trim_start().strip_prefix('"')?;
                    return value.get(..string_end(value)?);
                }
                rest = after;
            }
            _ => {}
        }
    }
    None
}

/// Where a string ends whose opening quote is already passed.
fn string_end(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.char_indices().find_map(|(at, character)| {
        let ends = character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        ends.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_found_at_the_top_level_only() {
        for (file, expected) in [
            ("kind: catalog\nid: c\n", Some(FileKind::Catalog)),
            ("# x\nid: c\nkind: \"account\" # y\n", Some(FileKind::Account)),
            ("{\"id\": \"a\\\"b\", \"x\": {\"kind\": \"catalog\"}, \"kind\": \"account\"}", Some(FileKind::Account)),
            ("x:\n  kind: catalog\n", None),
            ("kind: role\n", None),
            ("{\"kind\": 1}", None),
            ("", None),
        ] {
            assert_eq!(kind_of(file.as_bytes()), expected, "{file}");
        }
    }
}
