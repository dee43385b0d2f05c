//! ListPermissions and ListApiScopes: all that would be allowed, and why.

use super::{
    answerable::Answerable,
    core::{ReadAt, Service},
    error::ServiceError,
    facts::{self, PolicyName, RoleName},
    questions::no_account,
    subjects::{LoadedName, SubjectName},
};
use crate::{
    engine::{
        ApiScopeSet, CompiledCatalog, EffectiveSet, HeldBy, Listed, Reason, Standing, Way, effective_permissions,
    },
    model::{
        AccountId, Facet, Number, PermissionDefinition, PermissionIndex, ResourcePath, Revision, TeamId, Timestamp,
    },
};

/// One way by which a permission comes to a subject, or is taken from it.
#[derive(Clone, Debug, PartialEq)]
pub struct GrantPath {
    /// The role that is held, and how; none: it is an exception.
    pub held: Option<HeldPath>,
    /// Why the exception was given.
    pub exception_reason: Option<String>,
    /// The statement that says it; none: the role lists the permission.
    pub statement: Option<StatementPath>,
    /// The facets of the permission that the role covers whole, by name.
    pub covered_facets: Vec<String>,
    /// What has to hold besides.
    pub conditions: Vec<String>,
    /// From when on it counts no more.
    pub expires: Option<Timestamp>,
}

/// A role that is held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeldPath {
    /// The role.
    pub role: RoleName,
    /// The team through which it is held; none: directly.
    pub team: Option<TeamId>,
    /// The binding.
    pub binding: Number,
    /// The resource that it is held on; none: the whole account.
    pub resource: Option<ResourcePath>,
    /// The role that lists it, where that is a parent.
    pub listed_by: Option<RoleName>,
}

/// A statement of a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StatementPath {
    /// The policy.
    pub policy: PolicyName,
    /// Its position in the policy.
    pub position: usize,
    /// Its patterns of resources.
    pub resources: Vec<String>,
}

/// What of one facet a subject has access to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessView {
    /// The facet's name.
    pub facet: String,
    /// All of it.
    pub all: bool,
    /// Paths of resources, or ids of features, ordered.
    pub values: Vec<String>,
}

/// One permission that a subject has.
#[derive(Clone, Debug, PartialEq)]
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
    /// Every path by which it is taken away, where that applies.
    pub denies: Vec<GrantPath>,
    /// The type of resource that it lives on, if any.
    pub resource_type: Option<String>,
    /// The facets that bound it, by name.
    pub facets: Vec<String>,
    /// The catalog calls it outdated.
    pub deprecated: bool,
}

/// Everything that a subject may do.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedPermissions {
    /// The account, as it is called.
    pub account: AccountId,
    /// What it may do, ordered by id.
    pub permissions: Vec<ListedPermission>,
    /// What it has access to, of each facet that bounds one of them.
    pub access: Vec<AccessView>,
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
        now: Timestamp,
    ) -> Result<ListedPermissions, ServiceError> {
        let LoadedName { account, .. } = name.to_owned()?;
        let (entry, revision) = self.entry_at(name, at, now).await?;
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
        now: Timestamp,
    ) -> Result<ListedApiScopes, ServiceError> {
        let LoadedName { account, .. } = name.to_owned()?;
        let (entry, revision) = self.entry_at(name, at, now).await?;
        self.blocking(move || {
            let page = listed_api_scopes(&entry.value, &account, size, after.as_deref())?;
            Ok(ListedApiScopes { revision, ..page })
        })
        .await
    }
}

/// A page ends before a permission with which it would have more paths than this.
const MAX_PATHS: usize = 20_000;

pub(super) fn listed(
    answerable: &Answerable,
    account: &AccountId,
    size: usize,
    after: Option<&str>,
) -> Result<ListedPermissions, ServiceError> {
    let Answerable::Subject { subject, evidence, .. } = answerable else { return Err(no_account(account.as_str())) };
    let set = &subject.set;
    let catalog = set.catalog();
    let definition = &catalog.catalog().definition;
    let mut permissions: Vec<ListedPermission> = Vec::new();
    let mut facets: Vec<Facet> = Vec::new();
    let (mut path_count, mut next) = (0, None);
    for Listed { permission: index, grants, denies } in effective_permissions(subject, evidence, after) {
        let Some(permission) = catalog.definition(index) else { continue };
        let count = grants.len() + denies.len();
        let is_full = permissions.len() == size || path_count + count > MAX_PATHS;
        if let Some(last) = permissions.last().filter(|_| is_full) {
            next = Some(last.permission.clone());
            break;
        }
        path_count += count;
        let scopes = provided(catalog, index, &grants);
        // What the permission itself demands limits what grants it, not what takes it away.
        let sorted = |ways: &[Way<'_>], demands: Option<&PermissionDefinition>| {
            let mut paths: Vec<GrantPath> = ways.iter().map(|way| grant_path(account, set, demands, way)).collect();
            paths.sort_by(|one, other| one.order().cmp(&other.order()));
            paths
        };
        facets.extend(&permission.facets);
        let feature = permission.feature.and_then(|feature| definition.features.get(feature.position()));
        let resource_type = permission.resource_type.and_then(|index| definition.resource_types.get(index.position()));
        permissions.push(ListedPermission {
            permission: permission.id.to_string(),
            section: text(definition.sections.get(permission.section.position()).map(|section| &section.id)),
            feature: feature.map(|feature| feature.id.to_string()),
            api_scopes: catalog.api_scope_ids(&scopes).map(ToString::to_string).collect(),
            paths: sorted(&grants, Some(permission)),
            denies: sorted(&denies, None),
            resource_type: resource_type.map(|each| each.id.to_string()),
            facets: permission.facets.iter().map(|facet| catalog.facet_name(*facet).to_owned()).collect(),
            deprecated: permission.deprecated,
        });
    }
    facets.sort_unstable();
    facets.dedup();
    Ok(ListedPermissions {
        account: account.clone(),
        permissions,
        access: facets.into_iter().map(|facet| access_list(set, facet)).collect(),
        subject_reason: subject_reason(subject.standing),
        next,
        revision: Revision(0),
    })
}

/// The API scopes that a permission provides by these ways, included ones too, less what each role leaves out.
fn provided(catalog: &CompiledCatalog, permission: PermissionIndex, ways: &[Way<'_>]) -> ApiScopeSet {
    let mut scopes = catalog.no_api_scopes();
    for way in ways {
        let nothing = ApiScopeSet::default();
        let left_out = way.listed_by.map_or(&nothing, |role| &role.left_out);
        catalog.add_api_scopes(permission, left_out, &mut scopes);
    }
    scopes
}

impl GrantPath {
    fn order(&self) -> (Option<&HeldPath>, Option<&StatementPath>) {
        (self.held.as_ref(), self.statement.as_ref())
    }
}

fn grant_path(
    account: &AccountId,
    set: &EffectiveSet,
    demands: Option<&PermissionDefinition>,
    way: &Way<'_>,
) -> GrantPath {
    let catalog = set.catalog();
    let statement = way.statement.map(|statement| StatementPath {
        policy: facts::policy_name(account, catalog, &statement.policy),
        position: statement.position,
        resources: statement.resources.iter().map(ToString::to_string).collect(),
    });
    let of_statement = way.statement.and_then(|statement| statement.condition.as_ref());
    let own = demands.and_then(|permission| permission.condition.as_ref());
    let conditions = own.into_iter().chain(of_statement.map(|condition| &condition.text));
    let facets = demands.into_iter().flat_map(|permission| &permission.facets);
    let covered = facets.filter(|facet| way.listed_by.is_some_and(|role| role.covers.contains(facet)));
    let (held, exception_reason, expires) = match way.by {
        HeldBy::Exception(exception) => (None, Some(exception.reason.clone()), exception.expires),
        HeldBy::Binding(held) => {
            let path = set.role(held.role).map(|role| HeldPath {
                role: facts::role_name(account, catalog, role),
                team: held.team.as_ref().map(|(_, id)| id.clone()),
                binding: held.binding,
                resource: way.resource.map(|on| on.path.clone()),
                listed_by: way
                    .listed_by
                    .filter(|listing| listing.number != held.role)
                    .map(|listing| facts::role_name(account, catalog, listing)),
            });
            (path, None, held.expires)
        }
    };
    GrantPath {
        held,
        exception_reason,
        statement,
        covered_facets: covered.map(|facet| catalog.facet_name(*facet).to_owned()).collect(),
        conditions: conditions.map(|condition| condition.as_str().to_owned()).collect(),
        expires,
    }
}

fn access_list(set: &EffectiveSet, facet: Facet) -> AccessView {
    let catalog = set.catalog();
    let (all, mut values): (bool, Vec<String>) = match facet {
        Facet::Feature => {
            let features = &catalog.catalog().definition.features;
            let list = &set.access().features;
            let ids = list.values.iter().filter_map(|index| features.get(index.position()));
            (list.all, ids.map(|feature| feature.id.to_string()).collect())
        }
        Facet::Type(resource_type) => {
            let list = set.access().resources(resource_type);
            let paths = list.into_iter().flat_map(|list| &list.values);
            (list.is_some_and(|list| list.all), paths.map(ToString::to_string).collect())
        }
    };
    values.sort_unstable();
    AccessView { facet: catalog.facet_name(facet).to_owned(), all, values }
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
    let Answerable::Subject { subject, evidence, .. } = answerable else { return Err(no_account(account.as_str())) };
    let catalog = subject.set.catalog();
    let definition = &catalog.catalog().definition;
    let mut provided_by = Vec::new();
    for Listed { permission, grants, .. } in effective_permissions(subject, evidence, None) {
        provided_by.push((permission, provided(catalog, permission, &grants)));
    }
    let mut api_scopes: Vec<ListedApiScope> = Vec::new();
    let (mut permission_count, mut next) = (0, None);
    for index in catalog.all_api_scopes() {
        let Some(scope) = definition.api_scopes.get(index.position()) else { continue };
        let by = provided_by.iter().filter(|(_, scopes)| scopes.contains(index));
        let permissions: Vec<String> =
            by.filter_map(|(index, _)| catalog.definition(*index)).map(|each| each.id.to_string()).collect();
        if permissions.is_empty() || after.is_some_and(|after| scope.id.as_str() <= after) {
            continue;
        }
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
