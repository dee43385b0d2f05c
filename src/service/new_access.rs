//! The access lists that a user or a team is created with.

use super::{
    access_lists::{find_facet, set_access_list},
    error::ServiceError,
    facts::FoundAccount,
    plan::Plan,
};
use crate::{engine::CompiledCatalog, model::Holder};

/// An access list to be given.
#[derive(Clone, Debug)]
pub struct NewAccess {
    /// Where in the request it stands.
    pub field: String,
    /// The facet: a resource type's id, or `feature`.
    pub facet: String,
    /// All of it.
    pub all: bool,
    /// Paths of registered resources, or ids of features.
    pub values: Vec<String>,
}

/// Gives a new user or team its access lists, each facet once.
pub(super) fn give_access(
    plan: &mut Plan<'_>,
    found: &FoundAccount,
    catalog: &CompiledCatalog,
    holder: Holder,
    lists: &[NewAccess],
) -> Result<(), ServiceError> {
    for list in lists {
        let facet = find_facet(catalog, &list.facet)?;
        set_access_list(plan, found, catalog, holder, facet, list.all, &list.values)
            .map_err(|error| error.below(&list.field))?;
    }
    Ok(())
}
