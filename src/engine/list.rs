//! The list of all that would be allowed somewhere, and by which ways.

use super::{
    CompiledCatalog, Evidence, HeldException, HeldRole, Question, RoleFacts, Standing, StatementFacts, Subject,
    decide::passing,
    effective::{BoundResource, Chain, EffectiveSet},
};
use crate::model::{Facet, PermissionIndex};

/// How a subject comes to a grant, or a deny to it.
#[derive(Clone, Copy, Debug)]
pub enum HeldBy<'a> {
    /// By a role binding.
    Binding(&'a HeldRole),
    /// By an exception.
    Exception(&'a HeldException),
}

/// One way by which a permission comes to a subject, or is taken from it.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    /// How it is held.
    pub by: HeldBy<'a>,
    /// The resource that it is held on; none: the whole account.
    pub resource: Option<&'a BoundResource>,
    /// The role that lists it: the one that is held, or one that it reaches; none: it is an exception.
    pub listed_by: Option<&'a RoleFacts>,
    /// The statement that says it; none: the role lists the permission itself.
    pub statement: Option<&'a StatementFacts>,
}

/// One permission that a subject has somewhere.
#[derive(Clone, Debug)]
pub struct Listed<'a> {
    /// The permission.
    pub permission: PermissionIndex,
    /// Every way by which it comes; at least one.
    pub grants: Vec<Way<'a>>,
    /// Every way by which it is taken away where that applies.
    pub denies: Vec<Way<'a>>,
}

/// Every permission that [`super::decide`] could allow somewhere and whose id comes after `after`, ordered by id, each with
/// all ways that lead to it. Left out: grants that can never pass, and permissions that a deny takes away everywhere.
/// Cost: linear in the catalog's permissions, and in the subject's grants for each permission that is taken.
pub fn effective_permissions<'a>(
    subject: &'a Subject,
    evidence: &'a Evidence,
    after: Option<&'a str>,
) -> impl Iterator<Item = Listed<'a>> + 'a {
    let set = &*subject.set;
    let held = by_binding(set, evidence);
    let comes_after = move |permission: &PermissionIndex| {
        let id = set.catalog().definition(*permission).map(|definition| definition.id.as_str());
        after.is_none_or(|after| id.is_some_and(|id| id > after))
    };
    let is_open = move |permission: &PermissionIndex| {
        subject.standing == Standing::Active
            && set.granted().contains(*permission)
            && set.entitled().contains(*permission)
    };
    let taken = set.catalog().permissions().filter(comes_after).filter(is_open);
    taken.filter_map(move |permission| listed(set, evidence, &held, permission))
}

/// Every way by which a question that [`super::decide`] allows is allowed. Cost: as deciding it, without stopping at the
/// first.
#[must_use]
pub fn allowing_ways<'a>(subject: &'a Subject, evidence: &'a Evidence, question: &Question<'_>) -> Vec<Way<'a>> {
    let set = &*subject.set;
    let held = by_binding(set, evidence);
    let (chains, excepted) = passing(subject, question);
    let mut all: Vec<Way<'a>> = chains.into_iter().flat_map(|chain| ways(set, &held, chain)).collect();
    let live = evidence.exceptions.iter().filter(|each| excepted.contains(&each.permission) && !each.is_expired);
    all.extend(live.map(exception_way));
    all
}

fn exception_way(exception: &HeldException) -> Way<'_> {
    Way { by: HeldBy::Exception(exception), resource: None, listed_by: None, statement: None }
}

/// For each binding of the set, how the subject comes to it.
fn by_binding<'a>(set: &EffectiveSet, evidence: &'a Evidence) -> Vec<Vec<&'a HeldRole>> {
    let is_of = |held: &&HeldRole, bound: &super::BoundRole| {
        held.role == bound.role
            && held.resource == bound.resource.as_ref().map(|on| on.number)
            && held.is_expired == bound.is_expired
    };
    let held = |bound| evidence.held.iter().filter(|held| is_of(held, bound)).collect();
    set.bindings().iter().map(held).collect()
}

fn listed<'a>(
    set: &'a EffectiveSet,
    evidence: &'a Evidence,
    held: &[Vec<&'a HeldRole>],
    permission: PermissionIndex,
) -> Option<Listed<'a>> {
    let is_about = |chain: &&Chain| chain.permissions().contains(permission);
    let denies_everywhere = |chain: &Chain| {
        let is_bound = set.bindings().get(chain.binding).is_none_or(|bound| bound.resource.is_some());
        !is_bound && chain.is_unlimited()
    };
    if set.denies.iter().filter(is_about).any(denies_everywhere) {
        return None;
    }
    let mut grants = Vec::new();
    for chain in set.grants.iter().filter(is_about).filter(|chain| can_pass(set, permission, chain)) {
        grants.extend(ways(set, held, chain));
    }
    if set.exceptions.contains(permission) && passes_facets(set, permission, &[]) {
        let live = evidence.exceptions.iter().filter(|each| each.permission == permission && !each.is_expired);
        grants.extend(live.map(exception_way));
    }
    let denies = set.denies.iter().filter(is_about).flat_map(|chain| ways(set, held, chain)).collect();
    (!grants.is_empty()).then_some(Listed { permission, grants, denies })
}

fn ways<'a>(set: &'a EffectiveSet, held: &[Vec<&'a HeldRole>], chain: &'a Chain) -> Vec<Way<'a>> {
    let resource = set.bindings().get(chain.binding).and_then(|bound| bound.resource.as_ref());
    let by = held.get(chain.binding).into_iter().flatten();
    let way = |held: &&'a HeldRole| Way {
        by: HeldBy::Binding(held),
        resource,
        listed_by: Some(&*chain.role),
        statement: chain.statement.as_deref(),
    };
    by.map(way).collect()
}

/// Whether a grant of a permission can pass anywhere.
fn can_pass(set: &EffectiveSet, permission: PermissionIndex, chain: &Chain) -> bool {
    let catalog: &CompiledCatalog = set.catalog();
    let lives_on = catalog.definition(permission).and_then(|definition| definition.resource_type);
    let Some(bound) = set.bindings().get(chain.binding) else { return false };
    let type_fits = bound
        .resource
        .as_ref()
        .is_none_or(|on| lives_on.is_some_and(|lives_on| catalog.is_within_type(lives_on, on.resource_type)));
    type_fits && passes_facets(set, permission, &chain.role.covers)
}

fn passes_facets(set: &EffectiveSet, permission: PermissionIndex, covers: &[Facet]) -> bool {
    let catalog: &CompiledCatalog = set.catalog();
    let mut bounding = catalog.facets(permission).iter().filter(|facet| !covers.contains(facet));
    bounding.all(|facet| set.access().passes_somewhere(catalog, *facet, permission))
}
