//! Access lists: what of a facet (lines, queues, products) users and teams have access to. They cannot be given yet.

use super::{
    error::{ErrorReason, ServiceError},
    facts::{self, FoundAccount},
    plan::Plan,
};
use crate::{
    engine::CompiledCatalog,
    model::{Facet, FacetNumber, Holder, Key, KeyRange, Number, Record},
};

/// An access list as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessListView {
    /// The facet: a resource type's id, or `feature`.
    pub facet: String,
    /// All of it; then no values.
    pub all: bool,
    /// Paths of resources, or ids of features, ordered.
    pub values: Vec<String>,
}

/// Refuses: access lists cannot be given yet.
pub(super) fn set_access_list(
    _plan: &mut Plan<'_>,
    _account: &FoundAccount,
    _catalog: &CompiledCatalog,
    _holder: Holder,
    _facet: Facet,
    _all: bool,
    _values: &[String],
) -> Result<AccessListView, ServiceError> {
    Err(ServiceError::new(ErrorReason::Internal, "access lists cannot be given yet"))
}

/// The facet of a name. Cost: linear in the catalog's types.
pub(super) fn find_facet(catalog: &CompiledCatalog, name: &str) -> Result<Facet, ServiceError> {
    catalog.facet(name).ok_or_else(|| {
        let id = &catalog.catalog().definition.id;
        ServiceError::new(ErrorReason::ResourceTypeNotFound, format!("the catalog {id} has no facet {name:?}"))
            .with("facet", name)
    })
}

/// Takes all access lists of a user or a team out of a plan. Cost: linear in their values.
pub(super) fn remove_access_lists(plan: &mut Plan<'_>, account: Number, holder: Holder) -> Result<(), ServiceError> {
    for (key, list) in facts::scan_all(plan, KeyRange::Access { account, holder: holder.number() })? {
        let (Key::Access { facet, .. }, Record::Access(list)) = (&key, list.value) else { continue };
        if matches!(facet, FacetNumber::Type(_)) {
            for resource in list.values {
                plan.remove(Key::ResourceAccess { account, resource, holder })?;
            }
        }
        plan.remove(key)?;
    }
    Ok(())
}
