//! The lists: what may this subject do, who may do this, and on which resources?

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Account, Catalog, Chain, Effect, Grant, Oracle, Permission, Question, Reason, RoleName, Set, Subject, Unknown,
    What,
    questions::{is_expired, is_one_line},
};

/// One permission in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    pub section: String,
    /// What at least one of the grants provides.
    pub api_scopes: Set,
    pub grants: BTreeSet<Grant>,
    pub denies: BTreeSet<Chain>,
}

impl Listed {
    /// Each role that is bound and gives the permission, with the team that it came through (none: held directly).
    pub fn roles(&self) -> BTreeSet<(RoleName, Option<String>)> {
        let chains = self.grants.iter().filter_map(|grant| match grant {
            Grant::Role(chain) => Some((chain.bound.clone(), chain.team.clone())),
            Grant::Exception(_) => None,
        });
        chains.collect()
    }
}

/// The resources on which a subject may do something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Whether it may without a resource.
    pub all: bool,
    pub resources: Set,
}

impl Oracle {
    /// Every permission that a subject has somewhere, with what gives it and what denies it. Of an unknown account, or if
    /// nothing at all is allowed: nothing.
    pub fn list(&self, account: &str, subject: impl Into<Subject>, now: u64) -> BTreeMap<String, Listed> {
        let mut list = BTreeMap::new();
        let Ok((account, catalog)) = self.find(account) else { return list };
        let subject = subject.into();
        if account.refuses_whole(&subject).is_some() {
            return list;
        }
        for (permission, definition) in &catalog.permissions {
            let mut denies = account.chains(catalog, &subject, permission, Effect::Deny);
            denies.retain(|deny| !is_expired(deny.expires, now));
            if denies.iter().any(|deny| account.denies_everything(catalog, deny)) {
                continue;
            }
            let mut grants = account.grants(catalog, &subject, permission);
            grants.retain(|grant| !is_expired(grant.expires(), now));
            grants.retain(|grant| account.could_pass(catalog, &subject, definition, grant));
            if !grants.is_empty() {
                let provided = grants.iter().flat_map(|grant| account.provided(catalog, grant, permission));
                let (section, api_scopes) = (definition.section.clone(), provided.collect());
                list.insert(permission.clone(), Listed { section, api_scopes, grants, denies });
            }
        }
        list
    }

    /// Every API scope that a permission of [`Self::list`] provides by one of its grants, with those permissions.
    pub fn list_api_scopes(&self, account: &str, subject: impl Into<Subject>, now: u64) -> BTreeMap<String, Set> {
        let mut list: BTreeMap<String, Set> = BTreeMap::new();
        for (permission, listed) in self.list(account, subject, now) {
            for api_scope in listed.api_scopes {
                list.entry(api_scope).or_default().insert(permission.clone());
            }
        }
        list
    }

    /// Every subject for whom the answer is allowed. The subject that the question names does not matter.
    pub fn list_subjects(&self, account: &str, question: &Question, now: u64) -> Result<BTreeSet<Subject>, Unknown> {
        self.check(account, question, now)?;
        let mut list = BTreeSet::new();
        for subject in self.accounts[account].subjects() {
            let question = Question { subject: subject.clone(), ..question.clone() };
            if self.check(account, &question, now)? == Reason::Allowed {
                list.insert(subject);
            }
        }
        Ok(list)
    }

    /// Every registered resource of a type for which the answer is allowed, and whether it is without a resource. The
    /// resource that the question names does not matter; a type that is unknown or of another line is an error. Nothing is
    /// allowed on a resource that disagrees with the facets given.
    pub fn list_resources(
        &self,
        account: &str,
        question: &Question,
        resource_type: &str,
        now: u64,
    ) -> Result<Resources, Unknown> {
        let (stored, catalog) = self.find(account)?;
        let of = |resource| self.check(account, &Question { resource, ..question.clone() }, now);
        let all = of(None);
        if let Err(unknown) = all
            && unknown < Unknown::Resource
        {
            return Err(unknown);
        }
        let fits = match &question.what {
            What::ApiScope(_) => true,
            What::Permission(id) => {
                let of_permission = catalog.chain(catalog.permissions[id].resource_type.as_deref());
                is_one_line(&catalog.chain(Some(resource_type)), &of_permission)
            }
        };
        if !fits || !catalog.resource_types.contains_key(resource_type) {
            return Err(Unknown::Resource);
        }
        let mut list = Resources { all: all? == Reason::Allowed, resources: Set::new() };
        for resource in stored.resources.keys() {
            let is_of_type = catalog.type_of(resource).as_deref() == Some(resource_type);
            if is_of_type && of(Some(resource.clone())) == Ok(Reason::Allowed) {
                list.resources.insert(resource.clone());
            }
        }
        Ok(list)
    }
}

impl Account {
    /// Everybody who can be asked about.
    pub fn subjects(&self) -> Vec<Subject> {
        let users = self.users.keys().cloned().map(Subject::User);
        users.chain(self.service_accounts.keys().cloned().map(Subject::ServiceAccount)).collect()
    }

    /// Whether there is a question that a grant allows.
    fn could_pass(&self, catalog: &Catalog, subject: &Subject, definition: &Permission, grant: &Grant) -> bool {
        if !self.is_entitled(definition.feature.as_ref()) {
            return false;
        }
        let chain = catalog.chain(definition.resource_type.as_deref());
        if !chain.starts_with(&catalog.types(grant.resource()).unwrap_or_default()) {
            return false;
        }
        definition.facets.iter().all(|facet| {
            let access = self.access_of(subject, facet);
            let has_some = match facet.as_str() {
                "feature" => definition.feature.as_ref().is_some_and(|feature| access.values.contains(feature)),
                _ => !access.values.is_empty(),
            };
            self.covers_facet(catalog, grant, facet) || access.all || has_some
        })
    }

    /// Whether a deny takes away its permissions everywhere and always.
    fn denies_everything(&self, catalog: &Catalog, deny: &Chain) -> bool {
        let Some(statement) = self.statement(catalog, &deny.by) else { return false };
        let everywhere = statement.resources.is_empty() || statement.resources.iter().any(|pattern| pattern == "**");
        deny.resource.is_none() && everywhere && statement.condition.is_none()
    }
}
