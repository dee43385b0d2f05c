//! Where a question is asked, checked against the catalog of its account.

use super::error::{ErrorReason, ServiceError, Violation};
use crate::{
    engine::{CompiledCatalog, FEATURE_FACET, Place, agrees},
    model::{MAX_ID_BYTES, PermissionIndex, ResourcePath, ResourceTypeIndex},
};

/// How many of a catalog's words a message names.
const SHOWN: usize = 20;

/// Where a question is asked, as its caller says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlaceName<'a> {
    /// The path, not yet looked at; empty: none.
    pub resource: &'a str,
    /// Facets with their values, not yet looked at.
    pub facets: &'a [(&'a str, &'a str)],
}

impl<'a> PlaceName<'a> {
    /// Whether it names no place.
    #[inline]
    pub(super) fn is_nowhere(&self) -> bool {
        self.resource.is_empty() && self.facets.is_empty()
    }

    /// The place, if the path is one of the catalog's types, fits the permission that is asked for, and the values of facets
    /// are paths of their types that agree with it. Cost: linear in what is given.
    ///
    /// # Errors
    /// Every field that is wrong.
    pub(super) fn find(
        self,
        catalog: &CompiledCatalog,
        permission: Option<PermissionIndex>,
    ) -> Result<Place<'a>, ServiceError> {
        let mut place = Place::default();
        let mut wrong = Vec::new();
        match self.resource {
            "" => {}
            path => match path_type(catalog, path) {
                Ok(resource_type) => place = Place { path, resource_type: Some(resource_type), facets: Vec::new() },
                Err(description) => wrong.push(Violation { field: "resource".to_owned(), description }),
            },
        }
        if let Some(permission) = permission
            && wrong.is_empty()
            && catalog.fit(&place, permission).is_none()
        {
            wrong.push(Violation { field: "resource".to_owned(), description: elsewhere(catalog, &place, permission) });
        }
        for (name, value) in self.facets {
            match facet_value(catalog, place.path, name, value) {
                Ok(resource_type) => place.facets.push((resource_type, *value)),
                Err(description) => {
                    let name: String = name.chars().take(MAX_ID_BYTES).collect();
                    wrong.push(Violation { field: format!("facets.{name}"), description });
                }
            }
        }
        if wrong.is_empty() { Ok(place) } else { Err(ServiceError::fields(wrong)) }
    }
}

/// The type that a path ends at.
pub(super) fn path_type(catalog: &CompiledCatalog, path: &str) -> Result<ResourceTypeIndex, String> {
    ResourcePath::check(path).map_err(|error| error.to_string())?;
    catalog.type_of_path(path).ok_or_else(|| {
        let definition = &catalog.catalog().definition;
        let chains = definition.resource_types.iter().enumerate().map(|(position, _)| {
            let chain = catalog.chain(crate::model::Index::at(position)).iter();
            let plural = |index: &ResourceTypeIndex| definition.resource_types.get(index.position());
            chain.filter_map(plural).map(|each| format!("{}/ID", each.plural)).collect::<Vec<_>>().join("/")
        });
        let shown: Vec<String> = chains.take(SHOWN).collect();
        let expected = if shown.is_empty() { "no resources at all".to_owned() } else { shown.join(", ") };
        format!("{path:?} is not made of the types of the catalog {:?}; it has {expected}", definition.id.as_str())
    })
}

fn elsewhere(catalog: &CompiledCatalog, place: &Place<'_>, permission: PermissionIndex) -> String {
    let definition = catalog.definition(permission);
    let lives_on = definition.and_then(|definition| definition.resource_type);
    let types = &catalog.catalog().definition.resource_types;
    let lives_on = lives_on.and_then(|index| types.get(index.position()));
    format!(
        "{:?} is of another line of types than the permission {:?}, which lives on {:?}",
        place.path,
        definition.map_or("", |definition| definition.id.as_str()),
        lives_on.map_or("", |each| each.id.as_str())
    )
}

fn facet_value(catalog: &CompiledCatalog, path: &str, name: &str, value: &str) -> Result<ResourceTypeIndex, String> {
    if name == FEATURE_FACET {
        return Err("the value of this facet is the permission's own feature, and is not given".to_owned());
    }
    let Some(resource_type) = catalog.resource_type(name) else {
        let name: String = name.chars().take(MAX_ID_BYTES).collect();
        let types = catalog.catalog().definition.resource_types.iter().take(SHOWN);
        let known: Vec<&str> = types.map(|each| each.id.as_str()).collect();
        return Err(format!("{name:?} is no resource type of the catalog; it has {}", known.join(", ")));
    };
    let reached = path_type(catalog, value)?;
    if reached != resource_type {
        return Err(format!("{value:?} is not a path of the type {name:?}"));
    }
    if !agrees(path, value) {
        return Err(format!("{value:?} disagrees with the resource {path:?}"));
    }
    Ok(resource_type)
}

/// The error for a resource type that a catalog does not have.
pub(super) fn type_missing(catalog: &CompiledCatalog, id: &str) -> ServiceError {
    let catalog = &catalog.catalog().definition.id;
    ServiceError::new(
        ErrorReason::ResourceTypeNotFound,
        format!("the catalog {:?} has no resource type {id:?}", catalog.as_str()),
    )
    .with("resource_type", id)
    .with("catalog", catalog.as_str())
}
