//! On what and until when something is given: how people write it, and how it is shown.
//!
//! A time is RFC 3339 with its offset, or how long from now: `30m`, `8h`, `30d`. Start with [`TermArgs`].

use std::{
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clap::Args;

use super::{
    Exit, Failure,
    client::Client,
    names::{Account, role_of},
    session::moment,
};
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

/// The roles that somebody new is to hold.
#[derive(Args, Clone, Debug, Default)]
pub struct NewRolesArgs {
    /// A role to hold on the whole account; may be repeated
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,

    /// A role to hold on one registered resource and all below it, such as agent=workspaces/w1; may be repeated
    #[arg(long = "role-on", value_name = "ROLE=PATH", value_parser = role_on)]
    on: Vec<(String, String)>,

    /// When all of these roles end: a time such as 2027-01-01T00:00:00Z, or how long from now: 30m, 8h, 30d [default: never]
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

/// What [`NewRolesArgs`] come to in a request.
pub struct NewRoles {
    /// The full names of those on the whole account, for good.
    pub roles: Vec<String>,
    /// All others; their holder is whoever is created.
    pub bindings: Vec<RoleBinding>,
}

fn role_on(text: &str) -> Result<(String, String), String> {
    let (role, path) = text.split_once('=').unwrap_or_default();
    if role.is_empty() || path.is_empty() {
        return Err("expected ROLE=PATH, such as agent=workspaces/w1".to_owned());
    }
    Ok((role.to_owned(), path.to_owned()))
}

impl NewRolesArgs {
    /// The roles by their full names.
    ///
    /// # Errors
    /// [`Exit::Usage`] for a wrong time or name; as the call that finds the account's catalog.
    pub async fn read(&self, client: &Client, account: &Account) -> Result<NewRoles, Failure> {
        let expire_time = UntilArgs { until: self.until.clone() }.time()?;
        let given: Vec<String> = self.roles.iter().chain(self.on.iter().map(|(role, _)| role)).cloned().collect();
        if given.is_empty() && expire_time.is_some() {
            return Err(Failure::new(Exit::Usage, "--until says when roles end, and none is given"));
        }
        let mut names = account.roles(client, &given).await?;
        let on = names.split_off(self.roles.len()).into_iter().zip(&self.on);
        let on = on.map(|(role, (_, path))| (role, account.resource_path(path).to_owned()));
        let (roles, timed) = if expire_time.is_none() { (names, Vec::new()) } else { (Vec::new(), names) };
        let bindings = timed.into_iter().map(|role| (role, String::new())).chain(on);
        let bindings =
            bindings.map(|(role, resource)| RoleBinding { role, resource, expire_time, ..Default::default() });
        Ok(NewRoles { roles, bindings: bindings.collect() })
    }
}

impl NewRoles {
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.roles.len() + self.bindings.len()
    }

    /// All of them with their terms, side by side: `viewer, agent on workspaces/w1`.
    pub fn described(&self) -> String {
        let on_all = self.roles.iter().map(|role| role_of(role));
        on_all
            .chain(self.bindings.iter().map(|binding| role_of(&binding.role) + &terms_of(binding)))
            .collect::<Vec<_>>()
            .join(", ")
    }
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
    fn a_role_on_a_resource_is_a_role_and_a_path() {
        assert_eq!(role_on("custom/agent=lines/l=1"), Ok(("custom/agent".to_owned(), "lines/l=1".to_owned())));
        for wrong in ["", "agent", "agent=", "=lines/l1"] {
            assert!(role_on(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_given_for_good_and_everywhere_has_no_terms() {
        assert_eq!(terms::<String>("", None), "");
        let time = "2027-01-01T00:00:00.5Z".to_owned();
        assert_eq!(terms("workspaces/w1", Some(&time)), " on workspaces/w1 until 2027-01-01T00:00:00Z");
    }
}
