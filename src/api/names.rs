//! Names of access policies and resources, and the access lists of what is created, made into values.

use super::parse::Fields;
use crate::{
    model::{AccountId, PolicyId},
    service::PolicyName,
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
}
