//! Names of access policies, resources, exceptions, and of those who have access lists, made into values.

use super::parse::{Fields, shown};
use crate::{
    model::{AccountId, PermissionId, PolicyId, ResourcePath, UserId},
    service::{HolderName, PolicyName, PolicyParent},
};

impl Fields {
    /// `accounts/{account}/accessPolicies/{access_policy}` or `catalogs/{catalog}/accessPolicies/{access_policy}`.
    pub(super) fn policy(&mut self, field: &str, text: &str) -> Option<PolicyName> {
        const PATTERN: &str = "accounts/{account}/accessPolicies/{access_policy} or \
                               catalogs/{catalog}/accessPolicies/{access_policy}";
        if text.starts_with("catalogs/") {
            let [catalog, policy] = self.parts(field, text, ["catalogs", "accessPolicies"], PATTERN)?;
            let catalog = self.id(field, catalog, crate::model::CatalogId::new);
            return Some(PolicyName::Catalog(catalog?, self.id(field, policy, PolicyId::new)?));
        }
        let [account, policy] = self.parts(field, text, ["accounts", "accessPolicies"], PATTERN)?;
        let account = self.id(field, account, AccountId::new);
        Some(PolicyName::Account(account?, self.id(field, policy, PolicyId::new)?))
    }

    /// `accounts/{account}/accessPolicies/{access_policy}`.
    pub(super) fn custom_policy(&mut self, field: &str, text: &str) -> Option<(AccountId, PolicyId)> {
        match self.policy(field, text)? {
            PolicyName::Account(account, policy) => Some((account, policy)),
            PolicyName::Catalog(..) => {
                self.wrong(
                    field,
                    format!(
                        "{} is an access policy of a catalog, which changes only with its catalog; a custom one, \
                         \"accounts/{{account}}/accessPolicies/{{access_policy}}\", is expected",
                        shown(text)
                    ),
                );
                None
            }
        }
    }

    /// `accounts/{account}` or `catalogs/{catalog}`.
    pub(super) fn policy_parent(&mut self, field: &str, text: &str) -> Option<PolicyParent> {
        if text.starts_with("catalogs/") {
            return self.catalog(field, text).map(PolicyParent::Catalog);
        }
        let [account] = self.parts(field, text, ["accounts"], "accounts/{account} or catalogs/{catalog}")?;
        self.id(field, account, AccountId::new).map(PolicyParent::Account)
    }

    /// `accounts/{account}/resources/{path}`.
    pub(super) fn resource(&mut self, field: &str, text: &str) -> Option<(AccountId, ResourcePath)> {
        let rest = text.strip_prefix("accounts/").and_then(|rest| rest.split_once("/resources/"));
        let Some((account, path)) = rest else {
            const PATTERN: &str = "accounts/{account}/resources/{path}";
            self.wrong(field, format!("{} was given; {PATTERN:?} is expected", shown(text)));
            return None;
        };
        let account = self.id(field, account, AccountId::new);
        account.zip(self.id(field, path, ResourcePath::new))
    }

    /// `accounts/{account}/users/{user}/exceptions/{permission}`.
    pub(super) fn exception(&mut self, field: &str, text: &str) -> Option<(AccountId, UserId, PermissionId)> {
        const PATTERN: &str = "accounts/{account}/users/{user}/exceptions/{permission}";
        let [account, user, permission] = self.parts(field, text, ["accounts", "users", "exceptions"], PATTERN)?;
        let account = self.id(field, account, AccountId::new);
        let user = self.id(field, user, UserId::new);
        let permission = self.id(field, permission, PermissionId::new);
        Some((account?, user?, permission?))
    }

    /// `accounts/{account}/users/{user}` or `accounts/{account}/teams/{team}`.
    pub(super) fn access_holder(&mut self, field: &str, text: &str) -> Option<(AccountId, HolderName)> {
        match text.split('/').nth(2) {
            Some("users") => self.user(field, text).map(|(account, user)| (account, HolderName::User(user))),
            Some("teams") => self.team(field, text).map(|(account, team)| (account, HolderName::Team(team))),
            _ => {
                self.wrong(
                    field,
                    format!(
                        "{} was given; \"accounts/{{account}}/users/{{user}}\" or \"accounts/{{account}}/teams/{{team}}\" \
                         is expected",
                        shown(text)
                    ),
                );
                None
            }
        }
    }
}
