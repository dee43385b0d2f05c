//! ListPermissions and ListApiScopes: all that would be allowed, and why.

use super::{
    core::{ReadAt, Service},
    error::ServiceError,
    facts::{self, RoleName},
    questions::{Answerable, LoadedName, SubjectName, no_account},
};
use crate::{
    engine::{Reason, Standing, decide, effective_permissions},
    model::{AccountId, Number, Revision, TeamId},
};

/// One path by which a subject has a permission.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GrantPath {
    /// The role.
    pub role: RoleName,
    /// The team through which it is held; none: directly.
    pub team: Option<TeamId>,
    /// The binding.
    pub binding: Number,
}

/// One permission that a subject has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPermission {
    /// Its id.
    pub permission: String,
    /// The section that it is shown under.
    pub section: String,
    /// The feature that it belongs to, if any.
    pub feature: Option<String>,
    /// The API scopes that it provides, included ones too, ordered by id.
    pub api_scopes: Vec<String>,
    /// Every path by which the subject has it.
    pub paths: Vec<GrantPath>,
    /// The catalog calls it outdated.
    pub deprecated: bool,
}

/// Everything that a subject may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPermissions {
    /// The account, as it is called.
    pub account: AccountId,
    /// What it may do, ordered by id.
    pub permissions: Vec<ListedPermission>,
    /// Why it may do nothing at all, if that is so whatever its roles are.
    pub subject_reason: Option<Reason>,
    /// The permission after which the next page begins; none: this was the last one.
    pub next: Option<String>,
    /// The revision at which it is so.
    pub revision: Revision,
}

/// One API scope that a subject may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedApiScope {
    /// Its id.
    pub api_scope: String,
    /// For people.
    pub description: String,
    /// The permissions of the subject that provide it, ordered by id.
    pub permissions: Vec<String>,
}

/// Every API scope that a subject may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedApiScopes {
    /// Ordered by id.
    pub api_scopes: Vec<ListedApiScope>,
    /// Why there is none, if that is so whatever its roles are.
    pub subject_reason: Option<Reason>,
    /// The API scope after which the next page begins; none: this was the last one.
    pub next: Option<String>,
    /// The revision at which it is so.
    pub revision: Revision,
}

impl Service {
    /// What a subject may do, and why: a page of at most `size` permissions after `after`, and fewer if very many paths
    /// lead to them. Cost: as [`Self::check`], and linear in the catalog's permissions and the paths on the page.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub async fn list_permissions(
        &self,
        name: SubjectName<'_>,
        size: usize,
        after: Option<String>,
        at: ReadAt,
    ) -> Result<ListedPermissions, ServiceError> {
        let LoadedName { account, .. } = name.to_owned()?;
        let (entry, revision) = self.entry_at(name, at).await?;
        self.blocking(move || {
            let page = listed(&entry.value, &account, size, after.as_deref())?;
            Ok(ListedPermissions { revision, ..page })
        })
        .await
    }

    /// The API scopes that a subject may use, with the permissions that provide them: a page of at most `size` after
    /// `after`. Cost: as [`Self::check`], and linear in the subject's permissions.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub async fn list_api_scopes(
        &self,
        name: SubjectName<'_>,
        size: usize,
        after: Option<String>,
        at: ReadAt,
    ) -> Result<ListedApiScopes, ServiceError> {
        let LoadedName { account, .. } = name.to_owned()?;
        let (entry, revision) = self.entry_at(name, at).await?;
        self.blocking(move || {
            let page = listed_api_scopes(&entry.value, &account, size, after.as_deref())?;
            Ok(ListedApiScopes { revision, ..page })
        })
        .await
    }
}

/// A page ends before a permission with which it would have more paths than this.
const MAX_PATHS: usize = 20_000;

fn listed(
    answerable: &Answerable,
    account: &AccountId,
    size: usize,
    after: Option<&str>,
) -> Result<ListedPermissions, ServiceError> {
    let Answerable::Subject { subject, .. } = answerable else { return Err(no_account(account.as_str())) };
    let catalog = subject.set.catalog();
    let definition = &catalog.catalog().definition;
    let mut permissions: Vec<ListedPermission> = Vec::new();
    let (mut path_count, mut next) = (0, None);
    for (index, held) in effective_permissions(subject, after) {
        let Some(permission) = catalog.definition(index) else { continue };
        let is_full = permissions.len() == size || path_count + held.len() > MAX_PATHS;
        if let Some(last) = permissions.last().filter(|_| is_full) {
            next = Some(last.permission.clone());
            break;
        }
        path_count += held.len();
        let scopes = subject.set.provided(index, held.iter().copied());
        let mut paths: Vec<GrantPath> = held
            .into_iter()
            .filter_map(|held| {
                let role = facts::role_name(account, catalog, subject.set.role(held.role)?);
                Some(GrantPath { role, team: held.team.as_ref().map(|(_, id)| id.clone()), binding: held.binding })
            })
            .collect();
        paths.sort();
        let feature = permission.feature.and_then(|feature| definition.features.get(feature.position()));
        permissions.push(ListedPermission {
            permission: permission.id.to_string(),
            section: text(definition.sections.get(permission.section.position()).map(|section| &section.id)),
            feature: feature.map(|feature| feature.id.to_string()),
            api_scopes: catalog.api_scope_ids(&scopes).map(ToString::to_string).collect(),
            paths,
            deprecated: permission.deprecated,
        });
    }
    let subject_reason = subject_reason(subject.standing);
    Ok(ListedPermissions { account: account.clone(), permissions, subject_reason, next, revision: Revision(0) })
}

/// Why nothing is listed, if that is so whatever a subject's roles are.
fn subject_reason(standing: Standing) -> Option<Reason> {
    match standing {
        Standing::Active => None,
        Standing::AccountSuspended => Some(Reason::AccountSuspended),
        Standing::Unknown => Some(Reason::SubjectUnknown),
        Standing::NotActive => Some(Reason::SubjectNotActive),
    }
}

fn listed_api_scopes(
    answerable: &Answerable,
    account: &AccountId,
    size: usize,
    after: Option<&str>,
) -> Result<ListedApiScopes, ServiceError> {
    let Answerable::Subject { subject, .. } = answerable else { return Err(no_account(account.as_str())) };
    let catalog = subject.set.catalog();
    let definition = &catalog.catalog().definition;
    let mut provided = Vec::new();
    for (index, held) in effective_permissions(subject, None) {
        provided.push((index, subject.set.provided(index, held)));
    }
    let mut api_scopes: Vec<ListedApiScope> = Vec::new();
    let (mut permission_count, mut next) = (0, None);
    for index in catalog.all_api_scopes() {
        let Some(scope) = definition.api_scopes.get(index.position()) else { continue };
        let comes_after = after.is_none_or(|after| scope.id.as_str() > after);
        if !comes_after || decide(subject, index) != Reason::Allowed {
            continue;
        }
        let by = provided.iter().filter(|(_, scopes)| scopes.contains(index));
        let permissions: Vec<String> =
            by.filter_map(|(index, _)| catalog.definition(*index)).map(|each| each.id.to_string()).collect();
        let is_full = api_scopes.len() == size || permission_count + permissions.len() > MAX_PATHS;
        if let Some(last) = api_scopes.last().filter(|_| is_full) {
            next = Some(last.api_scope.clone());
            break;
        }
        permission_count += permissions.len();
        let (api_scope, description) = (scope.id.to_string(), scope.description.clone());
        api_scopes.push(ListedApiScope { api_scope, description, permissions });
    }
    let subject_reason = subject_reason(subject.standing);
    Ok(ListedApiScopes { api_scopes, subject_reason, next, revision: Revision(0) })
}

fn text(id: Option<&impl ToString>) -> String {
    id.map(ToString::to_string).unwrap_or_default()
}
