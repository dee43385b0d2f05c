//! The question: may this subject do this, here, now? For each grant its first failure is found, and of all grants the
//! furthest counts.

use std::collections::BTreeMap;

use super::{
    Account, Catalog, Chain, Effect, Grant, Oracle, Permission, Reason, Seen, State, Subject, Unknown,
    paths::{agree, could_match, cut, is_at_or_above, path_matches},
};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub subject: Subject,
    pub what: What,
    /// A path (none: everything of the permission's type, if it has one).
    pub resource: Option<String>,
    pub facets: BTreeMap<String, String>,
    pub attributes: BTreeMap<String, Value>,
}

/// What the subject would do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    Permission(String),
    ApiScope(String),
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    Text(String),
    Number(i64),
}

impl Question {
    pub fn permission(subject: impl Into<Subject>, permission: &str) -> Self {
        Self::new(subject, What::Permission(permission.into()))
    }

    pub fn api_scope(subject: impl Into<Subject>, api_scope: &str) -> Self {
        Self::new(subject, What::ApiScope(api_scope.into()))
    }

    pub fn new(subject: impl Into<Subject>, what: What) -> Self {
        let (resource, facets, attributes) = Default::default();
        Self { subject: subject.into(), what, resource, facets, attributes }
    }

    /// The same of a resource.
    pub fn on(mut self, path: &str) -> Self {
        self.resource = Some(path.into());
        self
    }

    /// The same with the value of a facet.
    pub fn facet(mut self, facet: &str, value: &str) -> Self {
        self.facets.insert(facet.into(), value.into());
        self
    }

    /// The same with an attribute that is a text.
    pub fn text(mut self, name: &str, text: &str) -> Self {
        self.attributes.insert(name.into(), Value::Text(text.into()));
        self
    }

    /// The same with an attribute that is a number.
    pub fn number(mut self, name: &str, number: i64) -> Self {
        self.attributes.insert(name.into(), Value::Number(number));
        self
    }
}

/// A question about one permission, understood.
struct Asked<'a> {
    catalog: &'a Catalog,
    subject: &'a Subject,
    permission: &'a str,
    definition: &'a Permission,
    /// The API scope that the question names in place of a permission.
    api_scope: Option<&'a String>,
    /// The path, cut after the permission's type.
    path: String,
    /// Whether the question is about everything below the path, which stops above the permission's type.
    everything: bool,
    /// What conditions see: the whole path too.
    seen: &'a Seen,
    now: u64,
}

impl Oracle {
    /// May this subject do this? What is unknown or malformed is an error: a typo must not look like a denial.
    pub fn check(&self, account: &str, question: &Question, now: u64) -> Result<Reason, Unknown> {
        let (account, catalog) = self.find(account)?;
        match &question.what {
            What::Permission(id) if !catalog.permissions.contains_key(id) => return Err(Unknown::Permission),
            What::ApiScope(id) if !catalog.api_scopes.contains_key(id) => return Err(Unknown::ApiScope),
            _ => {}
        }
        let types = catalog.path_types(question.resource.as_deref())?;
        if let What::Permission(id) = &question.what
            && !is_one_line(&types, &catalog.chain(catalog.permissions[id].resource_type.as_deref()))
        {
            return Err(Unknown::Resource);
        }
        let path = question.resource.clone().unwrap_or_default();
        let facets = catalog.facet_values(&path, &question.facets)?;
        let subject = match &question.subject {
            Subject::User(id) | Subject::ServiceAccount(id) => id.clone(),
        };
        let seen = Seen { subject, path, facets, attributes: question.attributes.clone() };

        if let Some(reason) = account.refuses_whole(&question.subject) {
            return Ok(reason);
        }
        let mut furthest = Reason::NoRoleGrants;
        for (permission, definition) in &catalog.permissions {
            let api_scope = match &question.what {
                What::Permission(id) if id == permission => None,
                What::ApiScope(id) if catalog.with_included(&definition.api_scopes).contains(id) => Some(id),
                _ => continue,
            };
            let chain = catalog.chain(definition.resource_type.as_deref());
            if !is_one_line(&types, &chain) {
                continue;
            }
            let asked = Asked {
                catalog,
                subject: &question.subject,
                permission,
                definition,
                api_scope,
                path: cut(&seen.path, chain.len()),
                everything: types.len() < chain.len(),
                seen: &seen,
                now,
            };
            furthest = furthest.max(account.answer(&asked));
        }
        Ok(furthest)
    }

    /// The same of a permission without resource, facets and attributes.
    pub fn check_permission(
        &self,
        account: &str,
        subject: impl Into<Subject>,
        permission: &str,
        now: u64,
    ) -> Result<Reason, Unknown> {
        self.check(account, &Question::permission(subject, permission), now)
    }

    /// The same of an API scope.
    pub fn check_api_scope(
        &self,
        account: &str,
        subject: impl Into<Subject>,
        api_scope: &str,
        now: u64,
    ) -> Result<Reason, Unknown> {
        self.check(account, &Question::api_scope(subject, api_scope), now)
    }

    pub(super) fn find(&self, account: &str) -> Result<(&Account, &Catalog), Unknown> {
        let account = self.accounts.get(account).ok_or(Unknown::Account)?;
        Ok((account, self.catalogs.get(&account.catalog).ok_or(Unknown::Account)?))
    }
}

/// Whether one of two lists of types goes on where the other ends. A permission of the account has none: every path will
/// do.
pub(super) fn is_one_line(path: &[String], permission: &[String]) -> bool {
    path.starts_with(permission) || permission.starts_with(path)
}

/// At the instant of expiry it is gone.
pub(super) fn is_expired(expires: Option<u64>, now: u64) -> bool {
    expires.is_some_and(|expires| now >= expires)
}

impl Account {
    /// Why nothing at all is allowed.
    pub(super) fn refuses_whole(&self, subject: &Subject) -> Option<Reason> {
        if !self.active {
            return Some(Reason::AccountSuspended);
        }
        match self.state_of(subject) {
            None => Some(Reason::SubjectUnknown),
            Some(State::Invited | State::Suspended) => Some(Reason::SubjectNotActive),
            Some(State::Active) => None,
        }
    }

    /// A permission that belongs to no feature needs none.
    pub(super) fn is_entitled(&self, feature: Option<&String>) -> bool {
        feature.is_none_or(|feature| self.features.contains(feature))
    }

    fn answer(&self, asked: &Asked) -> Reason {
        let grants = self.grants(asked.catalog, asked.subject, asked.permission);
        let furthest = grants.iter().map(|grant| self.first_failure(asked, grant)).max();
        let furthest = furthest.unwrap_or(Reason::NoRoleGrants);
        if furthest != Reason::Allowed {
            return furthest;
        }
        let denies = self.chains(asked.catalog, asked.subject, asked.permission, Effect::Deny);
        let is_denied = denies.iter().any(|deny| self.denies(asked, deny));
        if is_denied { Reason::DeniedByPolicy } else { Reason::Allowed }
    }

    /// Why a grant does not allow what is asked; `Allowed` if it does, denials left aside.
    fn first_failure(&self, asked: &Asked, grant: &Grant) -> Reason {
        if is_expired(grant.expires(), asked.now) {
            return Reason::GrantExpired;
        }
        if !self.is_entitled(asked.definition.feature.as_ref()) {
            return Reason::FeatureNotEntitled;
        }
        if !self.covers(asked, grant) {
            let longer_path_could = asked.everything && self.could_cover(asked, grant);
            return if longer_path_could { Reason::ResourceRequired } else { Reason::ResourceNotCovered };
        }
        if let Some(reason) = self.facet_failure(asked, grant) {
            return reason;
        }
        let of_statement = self.statement_of(asked.catalog, grant).and_then(|statement| statement.condition.as_ref());
        for condition in asked.definition.condition.iter().chain(of_statement) {
            if condition.holds(asked.seen) != Some(true) {
                return Reason::ConditionFailed;
            }
        }
        if let Some(api_scope) = asked.api_scope
            && !self.provided(asked.catalog, grant, asked.permission).contains(api_scope)
        {
            return Reason::ApiScopeLeftOut;
        }
        Reason::Allowed
    }

    /// Whether the grant's binding covers what is asked about, and its statement's patterns match. What the binding covers
    /// is of the binding's type or below it.
    fn covers(&self, asked: &Asked, grant: &Grant) -> bool {
        if !is_at_or_above(grant.resource(), &asked.path) {
            return false;
        }
        let Some(statement) = self.statement_of(asked.catalog, grant) else { return true };
        let matches = |pattern: &String| {
            let is_open = !asked.everything || pattern == "**" || pattern.ends_with("/**");
            is_open && path_matches(pattern, &asked.path)
        };
        statement.resources.is_empty() || statement.resources.iter().any(matches)
    }

    /// Whether the grant would cover a longer path, down to the permission's type.
    fn could_cover(&self, asked: &Asked, grant: &Grant) -> bool {
        let Some(resource_type) = &asked.definition.resource_type else { return false };
        let Some(longer) = asked.catalog.longer_path(resource_type, &asked.path, grant.resource()) else {
            return false;
        };
        let Some(statement) = self.statement_of(asked.catalog, grant) else { return true };
        statement.resources.is_empty() || statement.resources.iter().any(|pattern| could_match(pattern, &longer))
    }

    /// What is wrong with the facets, if anything is.
    fn facet_failure(&self, asked: &Asked, grant: &Grant) -> Option<Reason> {
        let mut failure = None;
        for facet in &asked.definition.facets {
            let access = self.access_of(asked.subject, facet);
            let value = match facet.as_str() {
                "feature" => asked.definition.feature.as_ref(),
                _ => asked.seen.facets.get(facet),
            };
            if self.covers_facet(asked.catalog, grant, facet)
                || access.all
                || value.is_some_and(|value| access.values.contains(value))
            {
                continue;
            }
            let value_could = facet != "feature"
                && value.is_none()
                && access.values.iter().any(|value| agree(value, &asked.seen.path));
            if value_could {
                return Some(Reason::ResourceRequired);
            }
            failure = Some(Reason::FacetNotGranted);
        }
        failure
    }

    /// Whether a deny that was reached takes away what is asked. A question about everything is denied by whatever could
    /// deny a part of it.
    fn denies(&self, asked: &Asked, deny: &Chain) -> bool {
        if is_expired(deny.expires, asked.now) {
            return false;
        }
        let bound = deny.resource.as_deref().unwrap_or_default();
        if asked.everything {
            return is_at_or_above(bound, &asked.path) || is_at_or_above(&asked.path, bound);
        }
        let Some(statement) = self.statement(asked.catalog, &deny.by) else { return false };
        let patterns = &statement.resources;
        is_at_or_above(bound, &asked.path)
            && (patterns.is_empty() || patterns.iter().any(|pattern| path_matches(pattern, &asked.path)))
            && statement.condition.as_ref().is_none_or(|condition| condition.holds(asked.seen) != Some(false))
    }
}
