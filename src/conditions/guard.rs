//! Looks a text over before the parser sees it: its length, how deep its brackets nest, how many operators it has.
//!
//! The parser recurses for each bracket and for each operator in a row, so that both are bounded here, and its own
//! limit bounds what it makes of a text that is wrong: it needs less than 512 KiB of stack. Words and signs are read
//! exactly as its grammar does. Literals that would need more care than they are worth (bytes, three quotes) are
//! refused, because in a text whose quotes are read differently operators could hide.

use super::{
    MAX_BYTES, MAX_DEPTH, MAX_NODES,
    problem::{Place, Problems, shown},
};

/// Whether the parser may see this text. Adds what is wrong with it, if not.
pub(super) fn is_safe(text: &str, problems: &mut Problems) -> bool {
    if text.len() > MAX_BYTES {
        problems.add(Place::START, format_args!("{} bytes; expected at most {MAX_BYTES}", text.len()));
        return false;
    }
    let mut scanner = Scanner { rest: text, brackets: 0, operators: 0, ternaries: 0 };
    let Err(message) = scanner.scan() else { return true };
    let before = text.strip_suffix(scanner.rest).unwrap_or_default();
    problems.add(Place::after(text, before.chars().count()), message);
    false
}

struct Scanner<'a> {
    rest: &'a str,
    brackets: usize,
    operators: usize,
    ternaries: usize,
}

impl Scanner<'_> {
    fn scan(&mut self) -> Result<(), String> {
        while let Some(next) = self.rest.chars().next() {
            match next {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => self.word()?,
                '"' | '\'' => self.quoted(next, false)?,
                ')' | ']' | '}' => {
                    self.brackets = self.brackets.saturating_sub(1);
                    self.skip(1);
                }
                '/' if self.rest.starts_with("//") => {
                    let comment = self.rest.split('\n').next().unwrap_or_default();
                    self.skip(comment.len());
                }
                ',' | ':' | ' ' | '\t' | '\r' | '\n' | '\u{c}' => self.skip(1),
                _ => self.sign(next)?,
            }
        }
        Ok(())
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// An operator or a bracket that opens.
    fn sign(&mut self, next: char) -> Result<(), String> {
        let two = ["==", "!=", "<=", ">=", "&&", "||"].iter().any(|two| self.rest.starts_with(two));
        match next {
            _ if two => {}
            '(' | '[' | '{' => {
                self.brackets += 1;
                if self.brackets > MAX_DEPTH {
                    return Err(format!("brackets nested more than {MAX_DEPTH} deep"));
                }
            }
            '?' => {
                self.ternaries += 1;
                if self.ternaries > MAX_DEPTH {
                    return Err(format!("more than {MAX_DEPTH} of ? :"));
                }
            }
            '.' | '!' | '-' | '+' | '*' | '/' | '%' | '<' | '>' => {}
            '&' | '|' | '=' => return Err(format!("a single {next}; expected {next}{next}")),
            _ => return Err(format!("{next:?} can only stand in a text literal")),
        }
        // A round bracket is no operator, but a square one may be.
        if !matches!(next, '(' | '{') {
            self.operator()?;
        }
        self.skip(if two { 2 } else { 1 });
        Ok(())
    }

    fn operator(&mut self) -> Result<(), String> {
        self.operators += 1;
        if self.operators > MAX_NODES { Err(format!("more than {MAX_NODES} operators")) } else { Ok(()) }
    }

    /// A name, a word or a number, and the text literal that begins with it.
    fn word(&mut self) -> Result<(), String> {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, after) = self.rest.split_at_checked(end).unwrap_or_default();
        match after.chars().next() {
            Some(quote @ ('"' | '\'')) if word.eq_ignore_ascii_case("r") => {
                self.skip(1);
                self.quoted(quote, true)
            }
            Some('"' | '\'') => Err(format!("{} before a quote; expected an operator or a space", shown(word))),
            _ => {
                if word == "in" {
                    self.operator()?;
                }
                self.skip(end);
                Ok(())
            }
        }
    }

    /// A text literal up to its last quote.
    fn quoted(&mut self, quote: char, raw: bool) -> Result<(), String> {
        if self.rest.starts_with("\"\"\"") || self.rest.starts_with("'''") {
            return Err("three quotes; expected a text literal on one line, in one quote on each side".to_owned());
        }
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '\n' | '\r' => break,
                '\\' if !raw => {
                    let digits = match characters.next().map(|(_, escaped)| escaped) {
                        Some('a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '"' | '\'' | '\\' | '?' | '`') => 0,
                        Some('x' | 'X') => 2,
                        Some('u') => 4,
                        Some('U') => 8,
                        _ => return Err(UNKNOWN_ESCAPE.to_owned()),
                    };
                    let mut digits = (0..digits).map(|_| characters.next());
                    if !digits.all(|next| next.is_some_and(|(_, digit)| digit.is_ascii_hexdigit())) {
                        return Err(UNKNOWN_ESCAPE.to_owned());
                    }
                }
                _ if character == quote => {
                    self.skip(at + 1);
                    return Ok(());
                }
                _ => {}
            }
        }
        Err(format!("a text literal that does not end on its line: {}", shown(self.rest)))
    }
}

const UNKNOWN_ESCAPE: &str = r#"an unknown escape in a text literal; expected one such as \\ \" \' \n \t \xHH \uHHHH"#;
