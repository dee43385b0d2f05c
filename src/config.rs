//! The settings of `serve`, and how any setting is read: a flag wins over its `ROLECALL_*` variable.
//!
//! clap only collects texts ([`ServeArgs`]); [`Reader`] turns them into values and keeps every complaint, so that a
//! person sees all bad settings at once, each named as it was given. Nothing here opens, binds or reads anything:
//! [`ServeSettings`] are plain values. Start with [`ServeArgs::resolve`].

use std::{
    ffi::{OsStr, OsString},
    fmt,
    io::{self, IsTerminal},
    net::SocketAddr,
    os::unix::net::SocketAddr as UnixAddr,
    path::PathBuf,
    time::Duration,
};

use clap::{
    Arg, ArgMatches, Args, Command,
    builder::{PossibleValue, TypedValueParser},
    parser::ValueSource,
};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;
/// Longer is a slip of the hand, and would keep a stopping server alive for hours.
const LONGEST_STOP: Duration = Duration::from_secs(3600);

/// What clap collects for `serve`, before any of it is understood.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// Loopback address and port to serve on; port 0 takes a free one; "none" serves on the Unix socket alone
    #[arg(long, env = "ROLECALL_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:50051")]
    listen: OsString,

    /// Unix socket to serve on; clients must send "localhost" as the authority
    #[arg(long, env = "ROLECALL_LISTEN_UNIX", value_name = "PATH")]
    listen_unix: Option<OsString>,

    /// Directory that holds the journal and the state; created if it does not exist
    #[arg(long, env = "ROLECALL_DATA_DIR", value_name = "DIRECTORY", default_value = "./rolecall-data")]
    data_dir: OsString,

    /// Start with example data that is gone when the server stops
    #[arg(
        long, env = "ROLECALL_DEMO", value_name = "BOOLEAN", default_value = "false", default_missing_value = "true",
        num_args = 0..=1, require_equals = true, value_parser = Listed(&["true", "false"]), hide_possible_values = true
    )]
    demo: OsString,

    /// Memory for answers worked out ahead, 1MiB to 1TiB
    #[arg(long, env = "ROLECALL_CACHE_BYTES", value_name = "SIZE", default_value = "256MiB")]
    cache_bytes: OsString,

    /// Threads that serve calls, 1 to 256; auto: one for each core that the process may use
    #[arg(long, env = "ROLECALL_THREADS", value_name = "NUMBER", default_value = "auto")]
    threads: OsString,

    /// What to log: a level, or a filter such as "info,rolecall=debug"
    #[arg(long, env = "ROLECALL_LOG", value_name = "FILTER", default_value = "info")]
    log: OsString,

    /// How to log to stderr; auto: pretty on a terminal, else json
    #[arg(
        long, env = "ROLECALL_LOG_FORMAT", value_name = "FORMAT", default_value = "auto",
        value_parser = Listed(&["auto", "pretty", "json"])
    )]
    log_format: OsString,

    /// How long NOT_SERVING is announced before connections are closed
    #[arg(long, env = "ROLECALL_DRAIN", value_name = "DURATION", default_value = "1s")]
    drain: OsString,

    /// How long calls under way may still take when the server stops
    #[arg(long, env = "ROLECALL_SHUTDOWN_GRACE", value_name = "DURATION", default_value = "10s")]
    shutdown_grace: OsString,

    /// File to write the TCP address to once the server is ready
    #[arg(long, env = "ROLECALL_READY_FILE", value_name = "PATH")]
    ready_file: Option<OsString>,
}

/// Everything that `serve` needs to know, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeSettings {
    /// Where to serve TCP: a loopback address, port 0 for any free one; none: on the Unix socket alone.
    pub listen: Option<SocketAddr>,
    /// The Unix socket to serve on. At least one of the two is there.
    pub listen_unix: Option<PathBuf>,
    /// Where the data is.
    pub data: DataPlace,
    /// Room for effective sets, 1 MiB to 1 TiB.
    pub cache_bytes: u64,
    /// How many threads serve calls, 1 to 256; none: one for each core.
    pub threads: Option<usize>,
    /// A filter that [`EnvFilter`] accepts.
    pub log: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// How long NOT_SERVING is announced before connections are closed.
    pub drain: Duration,
    /// How long calls under way may take after that.
    pub shutdown_grace: Duration,
    /// Where to write the TCP address when ready. Only there if `listen` is.
    pub ready_file: Option<PathBuf>,
}

/// Where a server keeps its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataPlace {
    /// In this directory.
    Directory(PathBuf),
    /// Example data in a place that goes away with the server.
    Demo,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Every bad setting, each with its name as it was given, its value, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadSettings(pub Vec<String>);

impl ServeArgs {
    /// Understands every setting. `matches` are those of the subcommand: they know where each value came from.
    ///
    /// # Errors
    /// [`BadSettings`] with all settings that are wrong, not just the first.
    pub fn resolve(&self, matches: &ArgMatches) -> Result<ServeSettings, BadSettings> {
        let mut reader = Reader::new(matches);
        let listen = reader.read("listen", &self.listen, parse_listen);
        let listen_unix = self.listen_unix.as_deref().map(|path| reader.check_path("listen_unix", path, check_socket));
        let data_dir = reader.path("data_dir", &self.data_dir);
        let demo = reader.read("demo", &self.demo, parse_bool);
        let cache_bytes = reader.read("cache_bytes", &self.cache_bytes, |text| parse_size(text, MIB..=TIB));
        let threads = reader.read("threads", &self.threads, parse_threads);
        let log = reader.read("log", &self.log, parse_filter);
        let log_format = reader.read("log_format", &self.log_format, parse_log_format);
        let mut stop = |id, text| reader.read(id, text, |text| parse_duration(text, Duration::ZERO..=LONGEST_STOP));
        let drain = stop("drain", &self.drain);
        let shutdown_grace = stop("shutdown_grace", &self.shutdown_grace);
        let ready_file = self.ready_file.as_deref().map(|path| reader.path("ready_file", path));

        if listen == Some(None) && listen_unix.is_none() {
            reader.refuse("listen", &self.listen, "leaves the server without a socket; give --listen-unix PATH too");
        }
        if let (Some(None), Some(path)) = (&listen, self.ready_file.as_deref()) {
            reader.refuse("ready_file", path, "there is no TCP address to write to it; give --listen an address");
        }
        if demo == Some(true) && reader.is_explicit("data_dir") {
            let expected = "cannot go with a demo, which keeps nothing; leave one of the two out";
            reader.refuse("data_dir", &self.data_dir, expected);
        }
        let parts = (listen, data_dir, demo, cache_bytes, threads, log, log_format, drain, shutdown_grace);
        match (reader.finish(), parts) {
            (
                Ok(()),
                (
                    Some(listen),
                    Some(data_dir),
                    Some(demo),
                    Some(cache_bytes),
                    Some(threads),
                    Some(log),
                    Some(log_format),
                    Some(drain),
                    Some(shutdown_grace),
                ),
            ) => Ok(ServeSettings {
                listen,
                listen_unix: listen_unix.flatten(),
                data: if demo { DataPlace::Demo } else { DataPlace::Directory(data_dir) },
                cache_bytes,
                threads,
                log,
                log_format,
                drain,
                shutdown_grace,
                ready_file: ready_file.flatten(),
            }),
            (Err(bad), _) => Err(bad),
            // Not reached: what is missing has been complained about.
            (Ok(()), _) => Err(BadSettings(Vec::new())),
        }
    }
}

impl fmt::Display for BadSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for BadSettings {}

/// Reads settings one by one and remembers what is wrong with them.
pub struct Reader<'a> {
    matches: &'a ArgMatches,
    bad: Vec<String>,
}

impl<'a> Reader<'a> {
    /// Starts without complaints. `matches` say whether a value came from its flag or its variable.
    #[must_use]
    pub fn new(matches: &'a ArgMatches) -> Self {
        Self { matches, bad: Vec::new() }
    }

    /// Understands one setting, or complains and gives nothing.
    pub fn read<T>(&mut self, id: &str, given: &OsStr, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        match given.to_str().ok_or_else(|| "expected UTF-8".to_owned()).and_then(parse) {
            Ok(value) => Some(value),
            Err(expected) => {
                self.refuse(id, given, &expected);
                None
            }
        }
    }

    /// Takes a path as it is, which need not be UTF-8.
    pub fn path(&mut self, id: &str, given: &OsStr) -> Option<PathBuf> {
        self.check_path(id, given, |_| Ok(()))
    }

    fn check_path(
        &mut self,
        id: &str,
        given: &OsStr,
        check: impl FnOnce(&OsStr) -> Result<(), String>,
    ) -> Option<PathBuf> {
        let checked = if given.is_empty() { Err("expected a path".to_owned()) } else { check(given) };
        match checked {
            Ok(()) => Some(PathBuf::from(given)),
            Err(expected) => {
                self.refuse(id, given, &expected);
                None
            }
        }
    }

    /// Complains about a setting, named as it was given: the flag, or the variable if the value came from there.
    pub fn refuse(&mut self, id: &str, given: &OsStr, expected: &str) {
        let value = given.to_string_lossy();
        let value = if value.is_empty() { "\"\"".into() } else { value };
        self.bad.push(match self.matches.value_source(id) {
            Some(ValueSource::EnvVariable) => format!("ROLECALL_{}={value}: {expected}", id.to_uppercase()),
            _ => format!("--{} {value}: {expected}", id.replace('_', "-")),
        });
    }

    /// Whether somebody set it, by flag or variable.
    #[must_use]
    pub fn is_explicit(&self, id: &str) -> bool {
        self.matches.value_source(id).is_some_and(|source| source != ValueSource::DefaultValue)
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`BadSettings`] if there was any complaint.
    pub fn finish(self) -> Result<(), BadSettings> {
        if self.bad.is_empty() { Ok(()) } else { Err(BadSettings(self.bad)) }
    }
}

/// Tells clap's help and completions which values there are, and leaves refusing to [`Reader`], which knows whether
/// the flag or the variable is to blame.
#[derive(Clone, Debug)]
pub struct Listed(pub &'static [&'static str]);

impl TypedValueParser for Listed {
    type Value = OsString;

    fn parse_ref(&self, _: &Command, _: Option<&Arg>, value: &OsStr) -> Result<OsString, clap::Error> {
        Ok(value.to_owned())
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(|value| PossibleValue::new(*value))))
    }
}

/// A duration with its unit: `500ms`, `5s`, `2m`, `1h`.
///
/// # Errors
/// What was expected, if it is none or out of the range.
pub fn parse_duration(text: &str, range: std::ops::RangeInclusive<Duration>) -> Result<Duration, String> {
    let (digits, unit) = split_unit(text);
    let milliseconds = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    milliseconds
        .and_then(|unit| digits.parse::<u64>().ok()?.checked_mul(unit))
        .map(Duration::from_millis)
        .filter(|duration| range.contains(duration))
        .ok_or_else(|| {
            let (least, most) = (show_duration(*range.start()), show_duration(*range.end()));
            format!("expected a duration with its unit, such as 500ms, 5s or 2m, from {least} to {most}")
        })
}

/// As [`parse_duration`] reads it.
fn show_duration(duration: Duration) -> String {
    match duration.as_millis() {
        0 => "0s".to_owned(),
        milliseconds if milliseconds % 3_600_000 == 0 => format!("{}h", milliseconds / 3_600_000),
        milliseconds if milliseconds % 1_000 == 0 => format!("{}s", milliseconds / 1_000),
        milliseconds => format!("{milliseconds}ms"),
    }
}

/// A number of bytes: `268435456`, `64MiB`, `1GiB`.
///
/// # Errors
/// What was expected, if it is none or out of the range.
pub fn parse_size(text: &str, range: std::ops::RangeInclusive<u64>) -> Result<u64, String> {
    let (digits, unit) = split_unit(text);
    let bytes = match unit {
        "" | "B" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(MIB),
        "GiB" => Some(1 << 30),
        "TiB" => Some(TIB),
        _ => None,
    };
    bytes.and_then(|unit| digits.parse::<u64>().ok()?.checked_mul(unit)).filter(|size| range.contains(size)).ok_or_else(
        || {
            let (least, most) = (range.start(), range.end());
            format!("expected bytes or a size such as 64MiB or 1GiB, from {least} to {most} bytes")
        },
    )
}

fn split_unit(text: &str) -> (&str, &str) {
    text.split_at(text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len()))
}

fn parse_threads(text: &str) -> Result<Option<usize>, String> {
    let number = || text.parse::<usize>().ok().filter(|number| (1..=256).contains(number));
    match text {
        "auto" => Ok(None),
        _ => number().map(Some).ok_or_else(|| "expected auto or a number from 1 to 256".to_owned()),
    }
}

fn parse_listen(text: &str) -> Result<Option<SocketAddr>, String> {
    if text == "none" {
        return Ok(None);
    }
    let address: SocketAddr = text.parse().map_err(|_| {
        "expected a loopback IP address and a port, such as 127.0.0.1:50051 or [::1]:50051, or none".to_owned()
    })?;
    if address.ip().is_loopback() {
        Ok(Some(address))
    } else {
        Err("expected a loopback address such as 127.0.0.1:50051: there is no TLS and no authentication yet, and \
             without them nothing off this machine may connect"
            .to_owned())
    }
}

/// The kernel's limit on the length of a socket's path is low enough to be met in practice.
fn check_socket(path: &OsStr) -> Result<(), String> {
    UnixAddr::from_pathname(path).map(|_| ()).map_err(|_| "expected a path of at most 107 bytes".to_owned())
}

fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

fn parse_filter(text: &str) -> Result<String, String> {
    let expected = || "expected a level (off, error, warn, info, debug, trace) or a filter such as info,rolecall=debug";
    // The library takes a mistyped level for the name of a module and then logs nothing else: a silent server.
    let is_mistyped = |part: &str| !part.contains(['=', '[']) && part.parse::<LevelFilter>().is_err();
    if text.split(',').any(|part| part.is_empty() || is_mistyped(part)) {
        return Err(expected().to_owned());
    }
    EnvFilter::builder().parse(text).map(|_| text.to_owned()).map_err(|error| format!("{}: {error}", expected()))
}

fn parse_log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "auto" if io::stderr().is_terminal() => Ok(LogFormat::Pretty),
        "auto" | "json" => Ok(LogFormat::Json),
        "pretty" => Ok(LogFormat::Pretty),
        _ => Err("expected auto, pretty or json".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;

    fn resolve(arguments: &[&str]) -> Result<ServeSettings, BadSettings> {
        let command = ServeArgs::augment_args(Command::new("serve"));
        // What the machine's own variables say is no part of the test.
        let command = command.mut_args(|argument| argument.env(None::<&'static str>));
        let matches = command.get_matches_from([&["serve"], arguments].concat());
        ServeArgs::from_arg_matches(&matches).unwrap().resolve(&matches)
    }

    #[track_caller]
    fn check_refused(arguments: &[&str], expected: &[&str]) {
        let bad = resolve(arguments).unwrap_err();
        assert_eq!(bad.0.len(), expected.len(), "{bad}");
        for (line, start) in bad.0.iter().zip(expected) {
            assert!(line.starts_with(start), "{line}");
        }
    }

    #[test]
    fn a_server_starts_without_any_setting() {
        let settings = resolve(&["--log-format=json"]).unwrap();
        assert_eq!(
            settings,
            ServeSettings {
                listen: Some("127.0.0.1:50051".parse().unwrap()),
                listen_unix: None,
                data: DataPlace::Directory("./rolecall-data".into()),
                cache_bytes: 256 << 20,
                threads: None,
                log: "info".to_owned(),
                log_format: LogFormat::Json,
                drain: Duration::from_secs(1),
                shutdown_grace: Duration::from_secs(10),
                ready_file: None,
            }
        );
    }

    #[test]
    fn every_setting_can_be_given() {
        let settings = resolve(&[
            "--listen=[::1]:0",
            "--listen-unix=/run/rolecall.sock",
            "--demo",
            "--cache-bytes=1GiB",
            "--threads=3",
            "--log=warn,rolecall=debug",
            "--log-format=pretty",
            "--drain=500ms",
            "--shutdown-grace=2m",
            "--ready-file=ready",
        ])
        .unwrap();
        assert_eq!(settings.listen, Some("[::1]:0".parse().unwrap()));
        assert_eq!(settings.listen_unix, Some("/run/rolecall.sock".into()));
        assert_eq!(settings.data, DataPlace::Demo);
        assert_eq!(settings.cache_bytes, 1 << 30);
        assert_eq!(settings.threads, Some(3));
        assert_eq!(settings.drain, Duration::from_millis(500));
        assert_eq!(settings.shutdown_grace, Duration::from_secs(120));
        assert_eq!(resolve(&["--listen=none", "--listen-unix=s"]).unwrap().listen, None);
        assert_eq!(resolve(&["--demo=false", "--data-dir=d"]).unwrap().data, DataPlace::Directory("d".into()));
    }

    #[test]
    fn nothing_listens_off_the_machine() {
        for address in ["0.0.0.0:50051", "[::]:50051", "10.0.0.1:50051", "[::ffff:10.0.0.1]:1"] {
            let bad = resolve(&["--listen", address]).unwrap_err();
            assert!(bad.0[0].contains("TLS") && bad.0[0].contains("authentication"), "{bad}");
        }
        for address in ["localhost:50051", ":50051", "50051", "127.0.0.1", "127.0.0.1:70000", ""] {
            let value = if address.is_empty() { "\"\"" } else { address };
            check_refused(&["--listen", address], &[&format!("--listen {value}: expected a loopback IP address")]);
        }
    }

    #[test]
    fn all_bad_settings_are_told_at_once_with_their_values() {
        check_refused(
            &[
                "--cache-bytes=1",
                "--threads=0",
                "--drain=5",
                "--log=debgu",
                "--log-format=xml",
                "--listen=x",
                "--ready-file=",
            ],
            &[
                "--listen x: expected",
                "--cache-bytes 1: expected",
                "--threads 0: expected auto or a number from 1 to 256",
                "--log debgu: expected a level",
                "--log-format xml: expected auto, pretty or json",
                "--drain 5: expected a duration with its unit",
                "--ready-file \"\": expected a path",
            ],
        );
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        check_refused(&["--listen=none"], &["--listen none: leaves the server without a socket"]);
        check_refused(&["--demo", "--data-dir=d"], &["--data-dir d: cannot go with a demo"]);
        check_refused(
            &["--listen=none", "--listen-unix=s", "--ready-file=f"],
            &["--ready-file f: there is no TCP address"],
        );
        check_refused(&["--listen-unix", &"s".repeat(200)], &["--listen-unix sss"]);
    }

    #[test]
    fn a_filter_with_a_slip_does_not_silence_the_log() {
        for filter in ["info", "off", "TRACE", "info,rolecall=debug", "rolecall[call]=trace", "warn,sled=off"] {
            assert_eq!(parse_filter(filter).as_deref(), Ok(filter));
        }
        for filter in ["", "infoo", "info,", "info,rolecall", "rolecall=debgu"] {
            assert!(parse_filter(filter).is_err(), "{filter}");
        }
    }

    #[test]
    fn durations_have_a_unit_and_bounds() {
        let parsed = |text| parse_duration(text, Duration::ZERO..=LONGEST_STOP).ok();
        for (text, milliseconds) in [("0s", 0), ("500ms", 500), ("5s", 5_000), ("2m", 120_000), ("1h", 3_600_000)] {
            assert_eq!(parsed(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "5", "s", "-5s", "5 s", "1.5s", "2h", "5S", "99999999999999999999s", "18446744073709551615h"] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_bytes_or_powers_of_1024_and_have_bounds() {
        let parsed = |text| parse_size(text, MIB..=TIB).ok();
        for (text, bytes) in [
            ("1048576", MIB),
            ("1048576B", MIB),
            ("1024KiB", MIB),
            ("64MiB", 64 * MIB),
            ("1GiB", 1 << 30),
            ("1TiB", TIB),
        ] {
            assert_eq!(parsed(text), Some(bytes), "{text}");
        }
        for text in ["", "MiB", "1MB", "1G", "-1MiB", "1048575", "2TiB", "1.5GiB", "18446744073709551615TiB"] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
