//! Names as people type them, made into the full names of the API, and shortened again for tables.
//!
//! A bare id is a user, a team or a service account of the command's account, whichever is asked for. Roles are written
//! as in account files: `account-manager` is a managed role of the account's catalog, `custom/agent` a custom role; so are
//! access policies. A resource is its path. Full names are taken everywhere. Whether a thing exists, and whether an id has the right characters, is the server's to
//! say. Start with [`Account`].

use super::{Exit, Failure, client::Client};
use crate::proto::GetAccountRequest;

/// The account that a command is about, as `accounts/ID`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account(pub String);

impl Account {
    /// The full name of a user.
    ///
    /// # Errors
    /// [`Exit::Usage`] if it is something else, or of another account; so for all that follow.
    pub fn user(&self, given: &str) -> Result<String, Failure> {
        self.full("users", given)
    }

    /// The full name of a team.
    ///
    /// # Errors
    /// As [`Account::user`].
    pub fn team(&self, given: &str) -> Result<String, Failure> {
        self.full("teams", given)
    }

    /// The full name of a service account.
    ///
    /// # Errors
    /// As [`Account::user`].
    pub fn service_account(&self, given: &str) -> Result<String, Failure> {
        self.full("serviceAccounts", given)
    }

    /// The full name of a custom role, where no other can be meant.
    ///
    /// # Errors
    /// As [`Account::user`].
    pub fn custom_role(&self, given: &str) -> Result<String, Failure> {
        if given.starts_with("catalogs/") {
            return Err(Failure::new(Exit::Usage, format!("{given}: expected a custom role: custom/ID, or just ID"))
                .with_next(
                    "a managed role changes with its catalog alone; to change a copy: rolecall roles duplicate",
                ));
        }
        self.full("roles", given.strip_prefix("custom/").unwrap_or(given))
    }

    /// The id of a custom role that is to be.
    ///
    /// # Errors
    /// As [`Account::user`].
    pub fn custom_role_id(&self, given: &str) -> Result<String, Failure> {
        self.custom_role(given).map(|name| id_of(&name).to_owned())
    }

    /// Users as the API names them within one account: `users/ana`.
    ///
    /// # Errors
    /// As [`Account::user`].
    pub fn users(&self, given: &[String]) -> Result<Vec<String>, Failure> {
        given.iter().map(|given| Ok(within(&self.user(given)?))).collect()
    }

    /// Teams as the API names them within one account: `teams/support`.
    ///
    /// # Errors
    /// As [`Account::user`].
    pub fn teams(&self, given: &[String]) -> Result<Vec<String>, Failure> {
        given.iter().map(|given| Ok(within(&self.team(given)?))).collect()
    }

    /// Who may hold a role, as the API names it within one account; a bare id is a user.
    ///
    /// # Errors
    /// As [`Account::user`].
    pub fn holder(&self, given: &str) -> Result<String, Failure> {
        let collection = ["users", "teams", "serviceAccounts"].into_iter().find(|collection| {
            let name = given.strip_prefix(self.0.as_str()).and_then(|rest| rest.strip_prefix('/')).unwrap_or(given);
            name.split_once('/').is_some_and(|(first, _)| first == *collection)
        });
        match collection {
            Some(collection) => self.full(collection, given),
            None if given.contains('/') => Err(Failure::new(
                Exit::Usage,
                format!(
                    "{given}: expected users/ID, teams/ID or serviceAccounts/ID of {}, or the ID of a user",
                    self.0
                ),
            )),
            None => self.user(given),
        }
        .map(|name| within(&name))
    }

    /// The full name of a custom access policy, where no other can be meant.
    ///
    /// # Errors
    /// As [`Account::user`].
    pub fn custom_policy(&self, given: &str) -> Result<String, Failure> {
        if given.starts_with("catalogs/") {
            let expected = format!("{given}: expected a custom access policy: custom/ID, or just ID");
            return Err(Failure::new(Exit::Usage, expected).with_next("a managed one changes with its catalog alone"));
        }
        self.full("accessPolicies", given.strip_prefix("custom/").unwrap_or(given))
    }

    /// The path of a resource below the account, given as a path or by its full name. The server checks the path.
    pub fn resource_path<'a>(&self, given: &'a str) -> &'a str {
        let own = given.strip_prefix(self.0.as_str()).and_then(|rest| rest.strip_prefix("/resources/"));
        own.unwrap_or(given)
    }

    /// The full name of a registered resource.
    pub fn resource(&self, given: &str) -> String {
        format!("{}/resources/{}", self.0, self.resource_path(given))
    }

    /// The full names of roles of any kind. Asks for the account's catalog if one is given by its bare id.
    ///
    /// # Errors
    /// As [`Account::user`], or that the account cannot be asked for.
    pub async fn roles(&self, client: &Client, given: &[String]) -> Result<Vec<String>, Failure> {
        self.of_any_kind(client, "roles", given).await
    }

    /// The full names of access policies of any kind.
    ///
    /// # Errors
    /// As [`Account::roles`].
    pub async fn policies(&self, client: &Client, given: &[String]) -> Result<Vec<String>, Failure> {
        self.of_any_kind(client, "accessPolicies", given).await
    }

    /// The full name of one access policy of any kind.
    ///
    /// # Errors
    /// As [`Account::roles`].
    pub async fn policy(&self, client: &Client, given: &str) -> Result<String, Failure> {
        Ok(self.policies(client, &[given.to_owned()]).await?.swap_remove(0))
    }

    async fn of_any_kind(&self, client: &Client, collection: &str, given: &[String]) -> Result<Vec<String>, Failure> {
        let is_role = collection == "roles";
        let mut catalog = None;
        let mut names = Vec::with_capacity(given.len());
        for given in given {
            names.push(match given.split('/').collect::<Vec<_>>().as_slice() {
                ["catalogs", _, kind, _] if *kind == collection => given.clone(),
                ["custom", _] | ["accounts", ..] if is_role => self.custom_role(given)?,
                ["custom", _] | ["accounts", ..] => self.custom_policy(given)?,
                [id] if !id.is_empty() => {
                    if catalog.is_none() {
                        catalog = Some(self.catalog(client).await?);
                    }
                    format!("{}/{collection}/{id}", catalog.as_deref().unwrap_or_default())
                }
                _ => {
                    let what = if is_role { "a role" } else { "an access policy" };
                    return Err(Failure::new(
                        Exit::Usage,
                        format!("{given}: expected {what}: the ID of a managed one, custom/ID, or a full name"),
                    ));
                }
            });
        }
        Ok(names)
    }

    /// The full name of one role of any kind.
    ///
    /// # Errors
    /// As [`Account::roles`].
    pub async fn role(&self, client: &Client, given: &str) -> Result<String, Failure> {
        Ok(self.roles(client, &[given.to_owned()]).await?.swap_remove(0))
    }

    /// The catalog that the account lives under, as `catalogs/ID`.
    ///
    /// # Errors
    /// As [`Account::roles`].
    pub async fn catalog(&self, client: &Client) -> Result<String, Failure> {
        let request = GetAccountRequest { name: self.0.clone(), consistency: None };
        let answer = client.answer(client.accounts().get_account(client.request(request))).await?;
        Ok(answer.account.unwrap_or_default().catalog)
    }

    fn full(&self, collection: &str, given: &str) -> Result<String, Failure> {
        let Self(own) = self;
        let id = match given.split('/').collect::<Vec<_>>().as_slice() {
            [id] => *id,
            [kind, id] if *kind == collection => *id,
            ["accounts", account, kind, id] if *kind == collection => {
                if format!("accounts/{account}") != *own {
                    return Err(Failure::new(
                        Exit::Usage,
                        format!("{given} is not in {own}, the account of --account"),
                    ));
                }
                *id
            }
            _ => "",
        };
        if id.is_empty() {
            let kind = if ["roles", "accessPolicies"].contains(&collection) { "custom" } else { collection };
            return Err(Failure::new(Exit::Usage, format!("{given:?}: expected {kind}/ID, or just the ID")));
        }
        Ok(format!("{own}/{collection}/{id}"))
    }
}

/// The last part of a name: `ana` of `accounts/demo/users/ana`.
pub fn id_of(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}

/// A name within its account: `users/ana` of `accounts/demo/users/ana`.
pub fn within(name: &str) -> String {
    name.strip_prefix("accounts/").and_then(|rest| rest.split_once('/')).map_or(name, |(_, rest)| rest).to_owned()
}

/// A role as account files write it: `manager`, `custom/agent`.
pub fn role_of(name: &str) -> String {
    let kind = if name.starts_with("accounts/") { "custom/" } else { "" };
    format!("{kind}{}", id_of(name))
}

/// An access policy as account files write it: `inbox-agent`, `custom/no-export`.
pub fn policy_of(name: &str) -> String {
    role_of(name)
}

/// Several, each shortened, side by side.
pub fn listed<'a, T: Into<String>>(names: &'a [String], shorten: impl Fn(&'a str) -> T) -> String {
    names.iter().map(|name| shorten(name).into()).collect::<Vec<String>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo() -> Account {
        Account("accounts/demo".to_owned())
    }

    #[test]
    fn a_thing_of_the_account_may_be_named_by_its_id_or_in_full() {
        for given in ["ana", "users/ana", "accounts/demo/users/ana"] {
            assert_eq!(demo().user(given).as_deref(), Ok("accounts/demo/users/ana"), "{given}");
        }
        for given in ["agent", "custom/agent", "accounts/demo/roles/agent"] {
            assert_eq!(demo().custom_role(given).as_deref(), Ok("accounts/demo/roles/agent"), "{given}");
        }
        for given in ["no-export", "custom/no-export", "accounts/demo/accessPolicies/no-export"] {
            assert_eq!(demo().custom_policy(given).as_deref(), Ok("accounts/demo/accessPolicies/no-export"), "{given}");
        }
        for given in ["lines/l1", "accounts/demo/resources/lines/l1"] {
            assert_eq!(demo().resource(given), "accounts/demo/resources/lines/l1");
        }
        assert_eq!(demo().users(&["ana".to_owned()]), Ok(vec!["users/ana".to_owned()]));
    }

    #[test]
    fn a_holder_is_a_user_unless_it_says_otherwise() {
        for (given, expected) in [
            ("ana", "users/ana"),
            ("teams/support", "teams/support"),
            ("serviceAccounts/ci", "serviceAccounts/ci"),
            ("accounts/demo/teams/support", "teams/support"),
        ] {
            assert_eq!(demo().holder(given).as_deref(), Ok(expected), "{given}");
        }
    }

    #[test]
    fn what_is_something_else_or_of_another_account_is_refused() {
        for given in ["", "/", "users/", "teams/support", "accounts/other/users/ana", "a/b/c", "accounts/demo/users/"] {
            assert_eq!(demo().user(given).unwrap_err().exit, Exit::Usage, "{given}");
        }
        for given in ["roles/x", "", "accounts/other/teams/t", "accounts/demo/roles/r"] {
            assert_eq!(demo().holder(given).unwrap_err().exit, Exit::Usage, "{given}");
        }
        assert_eq!(demo().custom_role("catalogs/c/roles/r").unwrap_err().exit, Exit::Usage);
        assert_eq!(demo().custom_policy("catalogs/c/accessPolicies/p").unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn names_are_shown_as_they_may_be_typed() {
        assert_eq!(role_of("catalogs/c/roles/manager"), "manager");
        assert_eq!(role_of("accounts/demo/roles/agent"), "custom/agent");
        assert_eq!(within("accounts/demo/users/ana"), "users/ana");
        assert_eq!(within("catalogs/c"), "catalogs/c");
        assert_eq!(listed(&["accounts/demo/teams/a".to_owned(), "accounts/demo/teams/b".to_owned()], id_of), "a, b");
    }
}
