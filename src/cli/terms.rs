//! On what and until when something is given: how people write it, and how it is shown.
//!
//! A time is RFC 3339 with its offset, or how long from now: `30m`, `8h`, `30d`. Start with [`TermArgs`].

use std::{
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clap::Args;

use super::{Exit, Failure, names::role_of, session::moment};
use crate::{config::parse_duration, proto::RoleBinding};

const DAY_HOURS: u64 = 24;
/// Longer is a slip of the hand.
const LONGEST: Duration = Duration::from_hours(100 * 366 * DAY_HOURS);

/// Until when.
#[derive(Args, Clone, Debug, Default)]
pub struct UntilArgs {
    /// When it ends: a time such as 2027-01-01T00:00:00Z, or how long from now: 30m, 8h, 30d [default: never]
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

/// On what and until when.
#[derive(Args, Clone, Debug, Default)]
pub struct TermArgs {
    /// On this registered resource and all below it, such as workspaces/w1 [default: the whole account]
    #[arg(long, value_name = "PATH", default_value = "", hide_default_value = true)]
    pub resource: String,

    #[command(flatten)]
    pub until: UntilArgs,
}

impl UntilArgs {
    /// The time as requests say it.
    ///
    /// # Errors
    /// [`Exit::Usage`] if it is none.
    pub fn time<T: FromStr + From<SystemTime>>(&self) -> Result<Option<T>, Failure> {
        self.until.as_deref().map(|given| read(given, SystemTime::now())).transpose()
    }
}

fn read<T: FromStr + From<SystemTime>>(given: &str, now: SystemTime) -> Result<T, Failure> {
    let wrong = || {
        Failure::new(
            Exit::Usage,
            format!(
                "--until {given}: expected a time such as 2027-01-01T00:00:00Z, or how long from now: 30m, 8h, 30d"
            ),
        )
    };
    if let Some((_, of_day)) = given.split_once(['T', 't']) {
        // A time without an offset would be taken for one in UTC, and few mean that.
        let has_offset = of_day.contains(['Z', 'z', '+', '-']);
        return given.parse().ok().filter(|_| has_offset).ok_or_else(wrong);
    }
    let hours = given.strip_suffix('d').and_then(|days| days.parse::<u64>().ok()?.checked_mul(DAY_HOURS));
    let text = hours.map_or_else(|| given.to_owned(), |hours| format!("{hours}h"));
    let later = parse_duration(&text, Duration::from_secs(1)..=LONGEST).map_err(|_| wrong())?;
    let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default() + later;
    Ok((UNIX_EPOCH + Duration::from_secs(since_epoch.as_secs())).into())
}

/// On what and until when, behind a name: ` on workspaces/w1 until 2027-01-01T00:00:00Z`; nothing if everywhere for good.
pub fn terms<T: ToString>(resource: &str, expire_time: Option<&T>) -> String {
    let on = if resource.is_empty() { String::new() } else { format!(" on {resource}") };
    match expire_time {
        Some(time) => format!("{on} until {}", moment(Some(time))),
        None => on,
    }
}

/// The terms of a role binding.
pub fn terms_of(binding: &RoleBinding) -> String {
    terms(&binding.resource, binding.expire_time.as_ref())
}

/// The roles of role bindings with their terms, side by side.
pub fn held_roles(bindings: &[RoleBinding]) -> String {
    let role = |binding: &RoleBinding| format!("{}{}", role_of(&binding.role), terms_of(binding));
    bindings.iter().map(role).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp;

    use super::*;

    fn at(given: &str) -> Result<String, Failure> {
        read::<Timestamp>(given, UNIX_EPOCH + Duration::from_millis(1_798_761_600_999)).map(|time| time.to_string())
    }

    #[test]
    fn a_time_is_one_with_its_offset_or_how_long_from_now() {
        for (given, expected) in [
            ("2027-02-01T00:00:00Z", "2027-02-01T00:00:00Z"),
            ("2027-02-01T01:00:00+01:00", "2027-02-01T00:00:00Z"),
            ("90s", "2027-01-01T00:01:30Z"),
            ("8h", "2027-01-01T08:00:00Z"),
            ("30d", "2027-01-31T00:00:00Z"),
        ] {
            assert_eq!(at(given).as_deref(), Ok(expected), "{given}");
        }
        for given in ["", "d", "8", "0h", "-1h", "8 h", "1000000d", "99999999999999999999d", "tomorrow"] {
            assert_eq!(at(given).unwrap_err().exit, Exit::Usage, "{given}");
        }
        for given in ["2027-02-01", "2027-02-01T00:00:00", "2027-13-01T00:00:00Z"] {
            assert_eq!(at(given).unwrap_err().exit, Exit::Usage, "{given}");
        }
    }

    #[test]
    fn what_is_given_for_good_and_everywhere_has_no_terms() {
        assert_eq!(terms::<String>("", None), "");
        let time = "2027-01-01T00:00:00.5Z".to_owned();
        assert_eq!(terms("workspaces/w1", Some(&time)), " on workspaces/w1 until 2027-01-01T00:00:00Z");
    }
}
