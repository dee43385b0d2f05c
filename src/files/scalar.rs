//! Texts as YAML scalars, so that they surely read back as they were.
//!
//! A text is written plain only if no YAML reader could take it for anything else: not for a number, a truth value or
//! nothing, by any version of YAML. Everything else is a JSON string, which is YAML too. Read [`Scalar`].

use std::fmt;

/// What YAML 1.1 or 1.2 takes for something other than a text, in lower case, as far as it begins with a letter.
const WORDS: [&str; 12] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf", "infinity"];

/// Displays a text as a YAML scalar on one line.
pub(super) struct Scalar<'t>(pub(super) &'t str);

impl fmt::Display for Scalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_plain(self.0) { f.write_str(self.0) } else { quoted(self.0, f) }
    }
}

/// The slash is for `custom/auditor`.
fn is_plain(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._@+-/ ".contains(&byte))
        && !text.ends_with(' ')
        && !text.contains("  ")
        && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn quoted(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use fmt::Write as _;

    f.write_char('"')?;
    for char in text.chars() {
        match char {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            _ if is_invisible(char) => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    write!(f, "\\u{unit:04x}")?;
                }
            }
            _ => f.write_char(char)?,
        }
    }
    f.write_char('"')
}

/// Controls, and what shows as nothing or turns the reading direction; a reader of the file should see that it is there.
fn is_invisible(char: char) -> bool {
    char.is_control()
        || matches!(u32::from(char),
            0xad | 0x61c | 0x180e | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff | 0xfff0..=0xfffb
            | 0xe000..=0xf8ff | 0xfdd0..=0xfdef | 0xe_0000..=0xe_0fff | 0xf_0000..)
        // The last two code points of every plane stand for no character.
        || u32::from(char) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::Scalar;

    #[test]
    fn only_what_cannot_be_mistaken_is_written_plain() {
        let cases = [
            ("Ana", "Ana"),
            ("Ana B. C-d_e", "Ana B. C-d_e"),
            ("ana@example.com", "ana@example.com"),
            ("custom/auditor", "custom/auditor"),
            ("e1", "e1"),
            ("", "\"\""),
            ("1e3", "\"1e3\""),
            ("Null", "\"Null\""),
            ("y", "\"y\""),
            ("OFF", "\"OFF\""),
            ("NaN", "\"NaN\""),
            ("~", "\"~\""),
            ("a:b", "\"a:b\""),
            ("a  b", "\"a  b\""),
            ("a ", "\"a \""),
            (" a", "\" a\""),
            ("a #b", "\"a #b\""),
            ("a\"b\\", "\"a\\\"b\\\\\""),
            ("a\nb\tc\r", "\"a\\nb\\tc\\r\""),
            ("\u{1}\u{7f}\u{85}", "\"\\u0001\\u007f\\u0085\""),
            ("\u{202e}\u{feff}\u{e0001}", "\"\\u202e\\ufeff\\udb40\\udc01\""),
            ("\u{1fffe}", "\"\\ud83f\\udffe\""),
            ("Zoë 👩", "\"Zoë 👩\""),
        ];
        for (text, expected) in cases {
            assert_eq!(Scalar(text).to_string(), expected, "{text:?}");
        }
    }
}
