//! The one place that writes to standard output and standard error.
//!
//! A reader that goes away (`rolecall permissions ... | head`) is not an error: what follows is dropped, and the
//! command keeps the exit code that it would have had. Every other failed write is an error, because a script must
//! not take half an answer for a whole one. Text that comes from elsewhere is made printable first.

use std::{
    env,
    fmt::Write as _,
    io::{self, BufWriter, IsTerminal, Write},
};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::exit::{Exit, Failure};

/// How answers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Table,
    /// For programs, with the field names of the API.
    Json,
    /// The same as YAML.
    Yaml,
}

/// Standard output and standard error, and what is known about them.
///
/// Standard error is not held locked: the progress bar writes to it too.
pub struct Output {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    /// Whether a person looks at standard output.
    pub is_terminal: bool,
    has_colors: bool,
    is_closed: bool,
}

impl Output {
    /// The process's own.
    #[must_use]
    pub fn standard() -> Self {
        let is_terminal = io::stdout().is_terminal();
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        Self {
            out: Box::new(BufWriter::new(io::stdout())),
            err: Box::new(io::stderr()),
            is_terminal,
            has_colors: is_terminal && !is_set("NO_COLOR") && env::var_os("TERM").is_none_or(|term| term != "dumb"),
            is_closed: false,
        }
    }

    /// Whether the reader of standard output has gone, so that there is no point in going on.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// [`Exit::Output`] if they cannot be written, but not if the reader has gone.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.is_closed {
            return Ok(());
        }
        let written = self.out.write_all(bytes);
        self.note(written)
    }

    /// Writes a line.
    ///
    /// # Errors
    /// As [`Output::write`].
    pub fn line(&mut self, line: &str) -> Result<(), Failure> {
        let line = printable(line) + "\n";
        self.write(line.as_bytes())
    }

    /// Writes a table: boxed and as wide as the terminal, or plain columns, one row a line, for everything else.
    ///
    /// # Errors
    /// As [`Output::write`].
    pub fn table(&mut self, header: &[&str], rows: Vec<Vec<Vec<String>>>) -> Result<(), Failure> {
        let table = if self.is_terminal { boxed(header, rows, None) } else { plain(header, &rows) };
        self.write(table.as_bytes())
    }

    /// Writes what is known about one thing, each under its label. What is empty is left out.
    ///
    /// # Errors
    /// As [`Output::write`].
    pub fn fields(&mut self, fields: &[(&str, String)]) -> Result<(), Failure> {
        let fields = fields.iter().filter(|(_, value)| !value.is_empty());
        let width = fields.clone().map(|(label, _)| label.chars().count()).max().unwrap_or_default() + 1;
        for (label, value) in fields {
            let label = format!("{label}:");
            self.line(&format!("{label:width$}  {}", value.replace('\n', " ")))?;
        }
        Ok(())
    }

    /// Writes a value for programs.
    ///
    /// # Errors
    /// As [`Output::write`].
    pub fn value<T: Serialize>(&mut self, value: &T, format: Format) -> Result<(), Failure> {
        let text = if format == Format::Yaml {
            serde_saphyr::to_string(value).map_err(|error| error.to_string())
        } else {
            serde_json::to_string_pretty(value).map_err(|error| error.to_string())
        };
        let text = text.map_err(|error| Failure::new(Exit::Internal, format!("cannot print the answer: {error}")))?;
        self.write(text.trim_end().as_bytes())?;
        self.write(b"\n")
    }

    /// A word in green or red where colors are wanted.
    #[must_use]
    pub fn colored(&self, word: &str, is_good: bool) -> String {
        match (self.has_colors, is_good) {
            (false, _) => word.to_owned(),
            (true, true) => format!("\u{1b}[32m{word}\u{1b}[0m"),
            (true, false) => format!("\u{1b}[31m{word}\u{1b}[0m"),
        }
    }

    /// Writes a line to standard error. Nobody can be told if that fails.
    pub fn complain(&mut self, line: &str) {
        let _ = self.err.write_all((printable(line) + "\n").as_bytes());
    }

    /// Writes a question to standard error; the answer comes on the same line.
    pub fn prompt(&mut self, question: &str) {
        let _ = self.err.write_all(printable(question).as_bytes());
        let _ = self.err.flush();
    }

    /// Tells why the command failed.
    pub fn fail(&mut self, failure: &Failure) {
        self.complain(&format!("error: {}", failure.message));
        for detail in &failure.details {
            self.complain(&format!("  {detail}"));
        }
        if let Some(next) = &failure.next {
            self.complain(&format!("  {next}"));
        }
    }

    /// Sends on what is still held back.
    ///
    /// # Errors
    /// As [`Output::write`].
    pub fn flush(&mut self) -> Result<(), Failure> {
        let flushed = self.out.flush();
        self.note(flushed)
    }

    fn note(&mut self, written: io::Result<()>) -> Result<(), Failure> {
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(())
            }
            Err(error) => {
                // The buffer still holds what was not taken; writing it again would only fail again.
                self.is_closed = true;
                Err(Failure::output("to standard output", &error))
            }
            Ok(()) => Ok(()),
        }
    }
}

/// Escapes what could move the cursor or hide text; line ends stay.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        // Direction marks reorder what is read; they are no control characters.
        let is_direction =
            matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if (character.is_control() && character != '\n') || is_direction {
            // Writing to a String cannot fail.
            let _ = write!(printable, "{}", character.escape_unicode());
        } else {
            printable.push(character);
        }
    }
    printable
}

/// Each cell is a list: one item a line.
fn boxed(header: &[&str], rows: Vec<Vec<Vec<String>>>, width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = width {
        table.set_width(width);
    }
    table.set_header(header.to_vec());
    for row in rows {
        table.add_row(row.iter().map(|cell| printable(&cell.join("\n"))));
    }
    format!("{table}\n")
}

/// Each cell is a list: items stand side by side, so that a row stays a line. By hand, because there may be a million
/// rows, and nothing of what a table library does is wanted: no wrapping, no padding at the end of a line.
fn plain(header: &[&str], rows: &[Vec<Vec<String>>]) -> String {
    let mut lines = vec![header.iter().map(|title| (*title).to_owned()).collect::<Vec<_>>()];
    lines
        .extend(rows.iter().map(|row| row.iter().map(|cell| printable(&cell.join(", ")).replace('\n', " ")).collect()));
    let mut widths = vec![0; header.len()];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for line in &lines {
        let start = text.len();
        for (width, cell) in widths.iter().zip(line) {
            // Writing to a String cannot fail.
            let _ = write!(text, "{cell:width$}  ");
        }
        text.truncate(text.get(start..).map_or(text.len(), |line| start + line.trim_end().len()));
        text.push('\n');
    }
    text
}

#[cfg(test)]
pub(super) mod tests {
    use std::{cell::RefCell, rc::Rc};

    use super::*;

    #[derive(Clone, Default)]
    pub struct Page(pub Rc<RefCell<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Page {
        pub fn text(&self) -> String {
            String::from_utf8(self.0.borrow().clone()).unwrap()
        }
    }

    /// An output that is no terminal, and what is written to its two sides.
    pub fn pages() -> (Output, Page, Page) {
        let (out, err) = (Page::default(), Page::default());
        let output = Output {
            out: Box::new(out.clone()),
            err: Box::new(err.clone()),
            is_terminal: false,
            has_colors: false,
            is_closed: false,
        };
        (output, out, err)
    }

    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    fn rows() -> Vec<Vec<Vec<String>>> {
        let row = |cells: [&[&str]; 2]| cells.map(|cell| cell.iter().map(|&item| item.to_owned()).collect()).to_vec();
        vec![row([&["reports.view"], &["auditor", "manager [support]"]]), row([&["a.b"], &[]])]
    }

    #[test]
    fn a_plain_table_has_a_line_for_each_row_and_nothing_drawn() {
        assert_eq!(
            plain(&["PERMISSION", "THROUGH"], &rows()),
            "PERMISSION    THROUGH\nreports.view  auditor, manager [support]\na.b\n"
        );
    }

    #[test]
    fn a_table_on_a_terminal_is_no_wider_than_the_terminal() {
        let table = boxed(&["PERMISSION", "THROUGH"], rows(), Some(24));
        assert!(table.lines().all(|line| line.chars().count() <= 24), "{table}");
        assert!(table.contains('│'), "{table}");
    }

    #[test]
    fn text_from_elsewhere_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\nc\u{202e}é"), "a\\u{1b}[2Jb\nc\\u{202e}é");
    }

    #[test]
    fn a_reader_that_has_gone_is_no_error_and_a_full_disk_is() {
        let (mut output, ..) = pages();
        output.out = Box::new(Broken(io::ErrorKind::BrokenPipe));
        assert_eq!(output.line("x"), Ok(()));
        assert!(output.is_closed());
        let (mut output, ..) = pages();
        output.out = Box::new(Broken(io::ErrorKind::StorageFull));
        assert_eq!(output.line("x").unwrap_err().exit, Exit::Output);
    }
}
