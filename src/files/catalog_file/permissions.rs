//! The permission definitions of a catalog.

use super::{
    super::{
        node::Node,
        read::{MAX_DESCRIPTION_BYTES, Path, Reader},
    },
    CatalogNames, MAX_API_SCOPES,
};
use crate::model::{
    ApiScopeIndex, Facet, FeatureIndex, PermissionDefinition, PermissionId, ResourceTypeIndex, SectionIndex,
};

/// How many permissions a catalog may have.
pub(super) const MAX_PERMISSIONS: usize = 20_000;

impl Reader<'_> {
    /// Gives an entry for every name, so that indexes fit.
    pub(super) fn permissions<'a>(
        &mut self,
        node: Option<Node<'a>>,
        path: &Path<'_>,
        names: &mut CatalogNames<'a>,
    ) -> Vec<Option<PermissionDefinition>> {
        let mut permissions = Vec::new();
        for (index, item) in self.list(node, path, MAX_PERMISSIONS).into_iter().enumerate() {
            let known = names.permissions.len();
            let permission = self.permission(item, &path.item(index), names);
            // What has no name, or that of another, cannot be referred to.
            if names.permissions.len() > known {
                permissions.push(permission);
            }
        }
        permissions
    }

    fn permission<'a>(
        &mut self,
        item: Node<'a>,
        path: &Path<'_>,
        names: &mut CatalogNames<'a>,
    ) -> Option<PermissionDefinition> {
        let at = item.at;
        let [id, description, section, feature, api_scopes, resource_type, facets, condition, internal, deprecated] =
            self.fields(
                item,
                path,
                &[
                    "id",
                    "description",
                    "section",
                    "feature",
                    "api_scopes",
                    "resource_type",
                    "facets",
                    "condition",
                    "internal",
                    "deprecated",
                ],
            )?;
        let id = self.declared(id, at, path, PermissionId::new, &mut names.permissions);
        let description = self.text(description, &path.field("description"), MAX_DESCRIPTION_BYTES);
        let section = self.required(section, at, path, "section");
        let section = self.name(section, &path.field("section"), &names.sections);
        let has_feature = feature.is_some();
        let feature = self.name(feature, &path.field("feature"), &names.features);
        let api_scopes = self.references(api_scopes, &path.field("api_scopes"), MAX_API_SCOPES, &names.api_scopes);
        let resource_type = self.name(resource_type, &path.field("resource_type"), &names.resource_types);
        let facets = self.facets(facets, &path.field("facets"), &names.resource_types);
        for (_, item, at) in facets.iter().filter(|(facet, ..)| *facet == Facet::Feature && !has_feature) {
            let message = "\"feature\" was given; expected on permissions that have a feature alone";
            self.add(*at, &path.field("facets").item(*item), message);
        }
        let condition = self.condition(condition, &path.field("condition"));
        let internal = self.flag(internal, &path.field("internal"));
        let deprecated = self.flag(deprecated, &path.field("deprecated"));
        id.zip(section).map(|((id, _), section)| PermissionDefinition {
            id,
            description,
            section: SectionIndex(section.to),
            feature: feature.map(|feature| FeatureIndex(feature.to)),
            api_scopes: api_scopes.into_iter().map(|scope| ApiScopeIndex(scope.to)).collect(),
            resource_type: resource_type.map(|index| ResourceTypeIndex(index.to)),
            facets: facets.into_iter().map(|(facet, ..)| facet).collect(),
            condition: condition.map(|condition| condition.value),
            internal,
            deprecated,
        })
    }
}
