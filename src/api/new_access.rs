//! The access lists that a user or a team is created with.

use super::parse::Fields;
use crate::{
    model::ResourceTypeId,
    proto::AccessList,
    service::{MAX_FACETS, NewAccess},
};

impl Fields {
    /// Access lists to be given, each facet once; `field`: where in the request they stand. What their values have to look
    /// like is for whoever has the catalog.
    pub(super) fn access_lists(&mut self, field: &str, given: Vec<AccessList>) -> Vec<NewAccess> {
        if given.len() > MAX_FACETS {
            self.wrong(field, format!("{} were given; the maximum is {MAX_FACETS}", given.len()));
            return Vec::new();
        }
        let mut lists: Vec<NewAccess> = Vec::with_capacity(given.len());
        for (index, list) in given.into_iter().enumerate() {
            let field = format!("{field}[{index}]");
            let AccessList { facet, all, values } = list;
            if self.id(&format!("{field}.facet"), &facet, ResourceTypeId::check).is_none() {
                continue;
            }
            if lists.iter().any(|list| list.facet == facet) {
                self.wrong(
                    &format!("{field}.facet"),
                    format!("{facet:?} was given more than once; each facet is expected once"),
                );
                continue;
            }
            lists.push(NewAccess { field, facet, all, values });
        }
        lists
    }
}
