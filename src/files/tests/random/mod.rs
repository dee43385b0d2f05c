//! Random definitions from a seed, full of texts that YAML likes to misread.

mod account;
mod catalog;

use crate::model::*;

const NASTY: [&str; 40] = [
    "Ana",
    "Ana B.",
    "\"quoted\"",
    "it's",
    "a: b",
    "a:b",
    "- x",
    "-",
    "null",
    "Null",
    "~",
    "1e3",
    "0x1f",
    "1_000",
    ".inf",
    "NaN",
    "true",
    "No",
    "y",
    " lead",
    "trail ",
    "a  b",
    "🎉 party 👩‍👩‍👧",
    "two\nlines\n",
    "\n",
    "\ttab\t",
    "#x",
    "a #x",
    "@x",
    "=1",
    "*x",
    "&x",
    "!x",
    "{a}",
    "[b]",
    "%x",
    "a\\nb",
    "\u{feff}bom\u{2028}line\u{202e}",
    "---",
    "<<",
];

const ID_CHARS: &[u8] = b"abcXYZ019.@:+=~-";

/// Xorshift: small, and the same everywhere.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        // Never 0, and seeds that are close to each other far apart.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end
    }

    fn text(&mut self) -> String {
        let mut text = String::from(NASTY[self.below(NASTY.len())]);
        if self.below(3) == 0 {
            text.push_str(NASTY[self.below(NASTY.len())]);
        }
        text
    }

    fn maybe_text(&mut self) -> String {
        if self.below(3) == 0 { String::new() } else { self.text() }
    }

    /// Unique by its number, which may stand anywhere in it.
    fn id(&mut self, number: usize) -> String {
        const WORDS: [&str; 8] = ["null", "true", "~", "-", "1e", "no", "=", "0x"];
        let mut id = String::from(WORDS[self.below(WORDS.len())]);
        for _ in 0..self.below(4) {
            id.push(ID_CHARS[self.below(ID_CHARS.len())] as char);
        }
        if number > 0 { format!("{id}_{number}") } else { id }
    }

    fn ids(&mut self, max: usize) -> Vec<String> {
        (0..self.below(max + 1)).map(|number| self.id(number)).collect()
    }

    fn permission_ids(&mut self, max: usize) -> Vec<PermissionId> {
        (0..self.below(max + 1))
            .map(|number| {
                let rest = ["", ".null", ".view.0x1f", ".a.b.c"][self.below(4)];
                PermissionId::new(&format!("1.{number}e1{rest}")).unwrap()
            })
            .collect()
    }

    fn condition(&mut self) -> Option<Condition> {
        // What is hard to write in YAML stands in a text of the condition.
        (self.below(3) == 0).then(|| {
            let text = self.text().replace(['\\', '"'], "'").replace(char::is_control, " ");
            Condition::new(&format!("attributes.a == \"{text}\""))
        })
    }

    /// A list of texts, each once, in the order in which they came.
    fn texts(&mut self, max: usize, mut text: impl FnMut(&mut Self) -> String) -> Vec<String> {
        let mut texts = Vec::new();
        for _ in 0..=self.below(max) {
            let text = text(self);
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        texts
    }

    /// A policy's statements; what they are about is taken from these texts.
    fn statements(
        &mut self,
        permission: &dyn Fn(&mut Self) -> String,
        resource: &dyn Fn(&mut Self) -> String,
    ) -> Vec<Statement> {
        (0..=self.below(3))
            .map(|_| Statement {
                effect: [Effect::Allow, Effect::Deny][self.below(2)],
                permissions: self
                    .texts(3, permission)
                    .iter()
                    .map(|text| PermissionPattern::new(text).unwrap())
                    .collect(),
                resources: if self.below(2) == 0 {
                    Vec::new()
                } else {
                    self.texts(3, resource).iter().map(|text| ResourcePattern::new(text).unwrap()).collect()
                },
                condition: self.condition(),
            })
            .collect()
    }

    /// A pattern that matches a text, with some of its segments made wild.
    fn wild(&mut self, text: &str, separator: &str) -> String {
        let mut segments: Vec<&str> = text.split(separator).collect();
        for segment in &mut segments {
            if self.below(3) == 0 {
                *segment = "*";
            }
        }
        if self.below(3) == 0 {
            // A permission pattern has at most five segments.
            let most = if separator == "." { segments.len().min(4) } else { segments.len() };
            segments.truncate(self.below(most + 1));
            segments.push("**");
        }
        segments.join(separator)
    }

    /// A number for each of so many things, all different, in any order: what refers only to smaller ones never does so
    /// in a circle.
    fn ranks(&mut self, count: usize) -> Vec<usize> {
        let mut ranks: Vec<usize> = (0..count).collect();
        for index in (1..count).rev() {
            ranks.swap(index, self.below(index + 1));
        }
        ranks
    }

    /// Some of `0..end`, each once, in any order.
    fn some(&mut self, end: usize) -> Vec<u32> {
        let mut some: Vec<u32> = (0..end as u32).filter(|_| self.below(3) == 0).collect();
        for index in (1..some.len()).rev() {
            some.swap(index, self.below(index + 1));
        }
        some
    }
}
