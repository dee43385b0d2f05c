//! ListSubjects and ListResources: who may do something, and where somebody may.
//!
//! Both ask every candidate the question that Check would answer, at one revision and one instant, so they cannot say
//! anything else. What can be left out at once is left out: of subjects those who hold no role that could grant it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    answerable::Answerable,
    core::{CatalogAt, Core, ReadAt, Service},
    error::{ErrorReason, ServiceError},
    facts::{self, FoundAccount},
    places::{PlaceName, type_missing},
    questions::{AskedName, Asking, no_account},
    subjects::{LoadedName, SubjectName},
};
use crate::{
    engine::{Asked, Attributes, CompiledCatalog, HeldBy, Place, Question, Reason, RoleFacts, allowing_ways, decide},
    model::{
        AccountId, Effect, HolderKind, Key, KeyRange, Number, PermissionIndex, Record, ResourcePath, Revision,
        ServiceAccountId, TeamId, Timestamp, UserId,
    },
    store::{At, View},
};

/// How many subjects a page asks, at most.
const ASKED_OF_A_PAGE: usize = 2_000;
/// How many candidates are gathered at a time.
const PIECE: usize = 256;

/// What is asked of every subject.
#[derive(Clone, Debug)]
pub struct SubjectSearch {
    /// The permission's id, not yet looked at; empty: an API scope is asked for.
    pub permission: String,
    /// The API scope's id, not yet looked at.
    pub api_scope: String,
    /// The path, not yet looked at; empty: none.
    pub resource: String,
    /// Facets with their values, not yet looked at.
    pub facets: Vec<(String, String)>,
    /// What conditions can look at.
    pub attributes: Attributes,
}

/// What is asked on every resource.
#[derive(Clone, Debug)]
pub struct ResourceSearch {
    /// The permission's id, not yet looked at.
    pub permission: String,
    /// The id of the type, not yet looked at.
    pub resource_type: String,
    /// Facets with their values, not yet looked at.
    pub facets: Vec<(String, String)>,
    /// What conditions can look at.
    pub attributes: Attributes,
}

/// Who may do something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AllowedName {
    /// A user.
    User(UserId),
    /// A service account.
    ServiceAccount(ServiceAccountId),
}

/// Somebody who may do something, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedSubject {
    /// Who it is.
    pub who: AllowedName,
    /// By a role of its own, or an exception.
    pub direct: bool,
    /// Through these teams, ordered by id.
    pub teams: Vec<TeamId>,
}

/// A page of those who may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundSubjects {
    /// In the order of their creation, users first.
    pub subjects: Vec<AllowedSubject>,
    /// Where the next page begins; none: this was the last one.
    pub next: Option<String>,
    /// The revision at which it is so.
    pub revision: Revision,
}

/// A page of where somebody may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundResources {
    /// In order.
    pub resources: Vec<ResourcePath>,
    /// Everywhere, registered or not.
    pub all: bool,
    /// Where the next page begins; none: this was the last one.
    pub next: Option<String>,
    /// The revision at which it is so.
    pub revision: Revision,
}

/// One who might be allowed it. In the order of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Candidate {
    User(Number),
    ServiceAccount(Number),
}

impl Candidate {
    fn cursor(self) -> String {
        match self {
            Self::User(number) => format!("users/{}", number.0),
            Self::ServiceAccount(number) => format!("serviceAccounts/{}", number.0),
        }
    }

    fn from_cursor(cursor: &str) -> Option<Self> {
        let (kind, number) = cursor.split_once('/')?;
        let number = Number(number.parse().ok()?);
        Some(if kind == "users" { Self::User(number) } else { Self::ServiceAccount(number) })
    }
}

impl SubjectSearch {
    fn asked(&self) -> AskedName<'_> {
        match self.permission.as_str() {
            "" => AskedName::ApiScope(&self.api_scope),
            permission => AskedName::Permission(permission),
        }
    }

    fn place<'a>(&'a self, facets: &'a [(&'a str, &'a str)]) -> PlaceName<'a> {
        PlaceName { resource: &self.resource, facets }
    }
}

fn borrowed(facets: &[(String, String)]) -> Vec<(&str, &str)> {
    facets.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

impl Service {
    /// Everybody who may do something: a page of at most `size` after a cursor. Cost: linear in the account's custom roles,
    /// and in those who hold a role that could grant it, as many as the page looks at.
    ///
    /// # Errors
    /// As [`Self::check`], for the account and what is asked.
    pub async fn list_subjects(
        &self,
        account: AccountId,
        search: SubjectSearch,
        size: usize,
        after: Option<String>,
        at: ReadAt,
        now: Timestamp,
    ) -> Result<FoundSubjects, ServiceError> {
        let ((subjects, next), revision) = self
            .read(at, move |core, view| {
                let (found, catalog) = super::accounts::account_and_catalog_at(core, &view, &account)?;
                let asked = search.asked().find(&catalog.compiled)?;
                // What is wrong with the question is said even if there is nobody to ask.
                search.place(&borrowed(&search.facets)).find(&catalog.compiled, asked.permission())?;
                let after = after.as_deref().and_then(Candidate::from_cursor);
                let page = Page { core, view: &view, account: &account, found: &found, catalog: &catalog, now };
                page.subjects(&search, asked, size, after)
            })
            .await?;
        Ok(FoundSubjects { subjects, next, revision })
    }

    /// Where a subject may do something: a page of at most `size` registered resources of a type after a cursor. Cost: linear
    /// in the account's registered resources, as many as the page looks at.
    ///
    /// # Errors
    /// As [`Self::check`], and if the catalog does not have the type, or it is of another line of types than the
    /// permission's.
    pub async fn list_resources(
        &self,
        subject: SubjectName<'_>,
        search: ResourceSearch,
        size: usize,
        after: Option<ResourcePath>,
        at: ReadAt,
        now: Timestamp,
    ) -> Result<FoundResources, ServiceError> {
        let name = subject.to_owned()?;
        let (entry, revision) = self.entry_at(subject, at, now).await?;
        let ((resources, all, next), _) = self
            .read(ReadAt::Exact(revision), move |_, view| {
                let Answerable::Subject { account, .. } = &entry.value else {
                    return Err(no_account(name.account.as_str()));
                };
                resources(&view, *account, &name, &entry.value, &search, size, after)
            })
            .await?;
        Ok(FoundResources { resources, all, next, revision })
    }
}

/// What a page of subjects is made from.
struct Page<'a> {
    core: &'a Core,
    view: &'a At<'a>,
    account: &'a AccountId,
    found: &'a FoundAccount,
    catalog: &'a CatalogAt,
    now: Timestamp,
}

impl Page<'_> {
    fn subjects(
        &self,
        search: &SubjectSearch,
        asked: Asked,
        size: usize,
        after: Option<Candidate>,
    ) -> Result<(Vec<AllowedSubject>, Option<String>), ServiceError> {
        let catalog = &self.catalog.compiled;
        let permissions: Vec<PermissionIndex> = match asked {
            Asked::Permission(permission) => vec![permission],
            Asked::ApiScope(scope) => catalog.providing(scope).collect(),
        };
        let roles = self.granting_roles(&permissions)?;
        let (mut subjects, mut after, mut looked_at) = (Vec::new(), after, 0);
        loop {
            let candidates = self.candidates(&roles, &permissions, after)?;
            let is_last = candidates.len() < PIECE;
            for candidate in candidates {
                if subjects.len() == size || looked_at == ASKED_OF_A_PAGE {
                    return Ok((subjects, after.map(Candidate::cursor)));
                }
                looked_at += 1;
                subjects.extend(self.ask(search, candidate)?);
                after = Some(candidate);
            }
            if is_last {
                return Ok((subjects, None));
            }
        }
    }

    /// The roles that contain one of some permissions, themselves or through a parent, whatever else they demand.
    fn granting_roles(&self, permissions: &[PermissionIndex]) -> Result<BTreeSet<Number>, ServiceError> {
        let catalog = &self.catalog.compiled;
        let mut granting: BTreeSet<Number> = BTreeSet::new();
        let mut children: BTreeMap<Number, Vec<Number>> = BTreeMap::new();
        let grants = |role: &RoleFacts| {
            permissions.iter().any(|permission| {
                let allows = |statement: &&std::sync::Arc<crate::engine::StatementFacts>| {
                    statement.effect == Effect::Allow && statement.permissions(role).contains(*permission)
                };
                role.permissions.contains(*permission) || role.statements.iter().any(|each| allows(&each))
            })
        };
        for number in &catalog.catalog().role_numbers {
            let Some(role) = catalog.role_of_number(*number) else { continue };
            role.parents.iter().for_each(|parent| children.entry(*parent).or_default().push(*number));
            if grants(role) {
                granting.insert(*number);
            }
        }
        for (key, value) in facts::scan_all(self.view, KeyRange::Roles(self.found.number))? {
            let (Key::Role { role: number, .. }, Record::Role(record)) = (key, value.value) else { continue };
            let mut policies = Vec::new();
            for policy in record.policies.iter().filter(|policy| catalog.policy_of_number(**policy).is_none()) {
                let found = facts::get_policy(self.view, &Key::Policy { account: self.found.number, policy: *policy })?;
                policies.extend(found.map(|found| catalog.custom_policy(*policy, &found.value).into()));
            }
            let role = catalog.custom_role_with(number, &record, &policies);
            role.parents.iter().for_each(|parent| children.entry(*parent).or_default().push(number));
            if grants(&role) {
                granting.insert(number);
            }
        }
        let mut open: Vec<Number> = granting.iter().copied().collect();
        while let Some(number) = open.pop() {
            for child in children.get(&number).into_iter().flatten() {
                if granting.insert(*child) {
                    open.push(*child);
                }
            }
        }
        Ok(granting)
    }

    /// The first of those who hold one of the roles, or an exception for one of the permissions.
    fn candidates(
        &self,
        roles: &BTreeSet<Number>,
        permissions: &[PermissionIndex],
        after: Option<Candidate>,
    ) -> Result<Vec<Candidate>, ServiceError> {
        let account = self.found.number;
        let mut first: BTreeSet<Candidate> = BTreeSet::new();
        // Each source gives its first ones, so the first of all are whole.
        let mut add = |candidate: Candidate| {
            first.insert(candidate);
            if first.len() > PIECE {
                first.pop_last();
            }
        };
        let (user, service_account) = match after {
            None => (Some(Number(0)), Number(0)),
            Some(Candidate::User(number)) => (Some(number), Number(0)),
            Some(Candidate::ServiceAccount(number)) => (None, number),
        };
        let bound = |role: Number, kind: HolderKind, after: Number| -> Result<Vec<Number>, ServiceError> {
            let range = KeyRange::RoleBindingsOf { account, role, kind };
            let last = Key::RoleBinding { account, role, holder: kind.of(after), binding: Number(u64::MAX) };
            let holder = |(key, _): (Key, _)| match key {
                Key::RoleBinding { holder, .. } => Some(holder.number()),
                _ => None,
            };
            // A holder can have several bindings of one role: on several resources.
            let mut holders: Vec<Number> = Vec::new();
            let mut last = Some(last);
            loop {
                let piece = self.view.scan(range, last.as_ref(), PIECE)?;
                let is_last = piece.len() < PIECE;
                last = piece.last().map(|(key, _)| key.clone());
                holders.extend(piece.into_iter().filter_map(holder));
                holders.dedup();
                if is_last || holders.len() >= PIECE {
                    return Ok(holders);
                }
            }
        };
        for role in roles {
            if let Some(user) = user {
                bound(*role, HolderKind::User, user)?.into_iter().for_each(|number| add(Candidate::User(number)));
                for team in bound_teams(self.view, account, *role)? {
                    if facts::get_team(self.view, &Key::Team { account, team })?.is_none() {
                        continue;
                    }
                    let last = Key::Member { account, team, user };
                    for (key, _) in self.view.scan(KeyRange::Members { account, team }, Some(&last), PIECE)? {
                        if let Key::Member { user, .. } = key {
                            add(Candidate::User(user));
                        }
                    }
                }
            }
            let bound = bound(*role, HolderKind::ServiceAccount, service_account)?;
            bound.into_iter().for_each(|number| add(Candidate::ServiceAccount(number)));
        }
        if let Some(user) = user {
            for permission in permissions {
                let number = self.catalog.compiled.number_of_permission(*permission);
                let Some(permission) = number else { continue };
                let range = KeyRange::PermissionExceptions { account, permission };
                let last = Key::PermissionException { account, permission, user };
                for (key, _) in self.view.scan(range, Some(&last), PIECE)? {
                    if let Key::PermissionException { user, .. } = key {
                        add(Candidate::User(user));
                    }
                }
            }
        }
        Ok(first.into_iter().collect())
    }

    /// Asks one candidate.
    fn ask(&self, search: &SubjectSearch, candidate: Candidate) -> Result<Option<AllowedSubject>, ServiceError> {
        let account = self.found.number;
        let (who, name) = match candidate {
            Candidate::User(user) => {
                let Some(record) = facts::get_user(self.view, &Key::User { account, user })? else { return Ok(None) };
                (AllowedName::User(record.value.id.clone()), LoadedName::user(self.account.clone(), record.value.id))
            }
            Candidate::ServiceAccount(service_account) => {
                let key = Key::ServiceAccount { account, service_account };
                let Some(record) = facts::get_service_account(self.view, &key)? else { return Ok(None) };
                let id = record.value.id;
                (AllowedName::ServiceAccount(id.clone()), LoadedName::service_account(self.account.clone(), id))
            }
        };
        let (answerable, _) = self.core.load(self.view, &name, Some(self.view.revision), self.now, &mut |_, _| {})?;
        let Answerable::Subject { subject, evidence, .. } = &answerable else { return Ok(None) };
        let facets = borrowed(&search.facets);
        let asking = Asking {
            subject: name.as_subject(),
            asked: search.asked(),
            place: search.place(&facets),
            attributes: &search.attributes,
        };
        let catalog = subject.set.catalog();
        let asked = asking.asked.find(catalog)?;
        let place = asking.place.find(catalog, asked.permission())?;
        let question = asking.about(asked, &place);
        if decide(subject, question) != Reason::Allowed {
            return Ok(None);
        }
        let (mut direct, mut teams) = (false, BTreeSet::new());
        for way in allowing_ways(subject, evidence, &question) {
            match way.by {
                HeldBy::Binding(held) => match &held.team {
                    Some((_, team)) => _ = teams.insert(team.clone()),
                    None => direct = true,
                },
                HeldBy::Exception(_) => direct = true,
            }
        }
        Ok(Some(AllowedSubject { who, direct, teams: teams.into_iter().collect() }))
    }
}

/// The teams that hold a role, each once.
fn bound_teams(view: &dyn View, account: Number, role: Number) -> Result<BTreeSet<Number>, ServiceError> {
    let range = KeyRange::RoleBindingsOf { account, role, kind: HolderKind::Team };
    let team = |(key, _): (Key, _)| match key {
        Key::RoleBinding { holder, .. } => Some(holder.number()),
        _ => None,
    };
    Ok(facts::scan_all(view, range)?.into_iter().filter_map(team).collect())
}

type ResourcePage = (Vec<ResourcePath>, bool, Option<String>);

fn resources(
    view: &At<'_>,
    account: Number,
    name: &LoadedName,
    answerable: &Answerable,
    search: &ResourceSearch,
    size: usize,
    after: Option<ResourcePath>,
) -> Result<ResourcePage, ServiceError> {
    let Answerable::Subject { subject, .. } = answerable else { return Err(no_account(name.account.as_str())) };
    let catalog: &CompiledCatalog = subject.set.catalog();
    let asked = AskedName::Permission(&search.permission).find(catalog)?;
    let Some(wanted) = catalog.resource_type(&search.resource_type) else {
        return Err(type_missing(catalog, &search.resource_type));
    };
    let Asked::Permission(permission) = asked else { return Ok((Vec::new(), false, None)) };
    let lives_on = catalog.definition(permission).and_then(|definition| definition.resource_type);
    let is_elsewhere = lives_on
        .is_some_and(|lives_on| !catalog.is_within_type(lives_on, wanted) && !catalog.is_within_type(wanted, lives_on));
    if is_elsewhere {
        return Err(ServiceError::field(
            "resource_type",
            format!(
                "{:?} is of another line of types than the permission {:?}",
                search.resource_type, search.permission
            ),
        ));
    }
    let facets = borrowed(&search.facets);
    let everywhere = PlaceName { resource: "", facets: &facets }.find(catalog, Some(permission))?;
    let subject_id = name.as_subject();
    let is_allowed = |place: &Place<'_>| {
        let question = Question { asked, place, subject: subject_id.id(), attributes: &search.attributes };
        decide(subject, question) == Reason::Allowed
    };
    let all = is_allowed(&everywhere);
    let after = after.map(|path| Key::ResourceName { account, path });
    let (resources, next) = facts::find_in(view, KeyRange::ResourceNames(account), after, size, |key, _| {
        let Key::ResourceName { path, .. } = key else { return Ok(None) };
        if catalog.type_of_path(path.as_str()) != Some(wanted) {
            return Ok(None);
        }
        // A resource that disagrees with the facets that are given is none that is asked about.
        let place = match (PlaceName { resource: path.as_str(), facets: &facets }).find(catalog, None) {
            Ok(place) => place,
            Err(error) if error.reason == ErrorReason::FieldInvalid => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(is_allowed(&place).then(|| path.clone()))
    })?;
    let next = next.and_then(|key| match key {
        Key::ResourceName { path, .. } => Some(path.to_string()),
        _ => None,
    });
    Ok((resources, all, next))
}
