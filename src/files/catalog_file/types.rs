//! The resource types of a catalog: a tree, or several, below the account.

use super::super::{
    cycles::{self, Links},
    definition::FEATURE,
    node::Node,
    problem::Given,
    read::{MAX_DESCRIPTION_BYTES, Names, Path, Reader},
};
use crate::model::{MAX_PATH_TYPES, ResourceType, ResourceTypeId, ResourceTypeIndex};

const MAX_TYPES: usize = 100;

/// The resource types of a file.
pub(super) struct Types {
    list: Vec<ResourceType>,
    /// Whether each is there, and in its place.
    is_tree: bool,
}

impl Types {
    /// The types, if all is well with them, so that paths can be told from what is none.
    pub(super) fn tree(&self) -> Option<&[ResourceType]> {
        self.is_tree.then_some(&self.list)
    }

    pub(super) fn into_list(self) -> Vec<ResourceType> {
        self.list
    }
}

impl Reader<'_> {
    pub(super) fn resource_types<'a>(
        &mut self,
        node: Option<Node<'a>>,
        path: &Path<'_>,
        names: &mut Names<'a>,
    ) -> Types {
        let problems_before = self.problems.count();
        let mut drafts = Vec::new();
        let mut plurals = Names::new("a plural of this catalog");
        for (index, item) in self.list(node, path, MAX_TYPES).into_iter().enumerate() {
            let (at, path) = (item.at, path.item(index));
            let Some([id, plural, parent, display_name, description]) =
                self.fields(item, &path, &["id", "plural", "parent", "display_name", "description"])
            else {
                continue;
            };
            let known = names.len();
            let id = self.declared(id, at, &path, ResourceTypeId::new, names);
            if let Some((id, at)) = &id
                && id.as_str() == FEATURE
            {
                let message = format_args!("{id:?} is the facet that is built in; expected another id");
                self.add(*at, &path.field("id"), message);
            }
            let plural = self.declared_as("plural", plural, at, &path, ResourceTypeId::new, &mut plurals);
            let display_name = self.display_name(display_name, at, &path);
            let description = self.text(description, &path.field("description"), MAX_DESCRIPTION_BYTES);
            let resource_type = id.zip(plural).map(|((id, _), (plural, _))| ResourceType {
                id,
                plural,
                display_name,
                description,
                parent: None,
            });
            drafts.push((index, names.len() > known, resource_type, parent));
        }
        // A type may stand before its parent.
        let (mut list, mut links) = (Vec::new(), Vec::new());
        for (item, is_new, resource_type, node) in drafts {
            let parent = self.name(node, &path.item(item).field("parent"), names);
            let index = parent.map(|parent| ResourceTypeIndex(parent.to));
            list.extend(resource_type.map(|each| ResourceType { parent: index, ..each }));
            if is_new {
                links.push(Links { item, references: parent.into_iter().collect() });
            }
        }
        self.type_tree(path, &links, names);
        Types { list, is_tree: self.problems.count() == problems_before }
    }

    /// Complains about types that lie in themselves, or too deep.
    fn type_tree(&mut self, path: &Path<'_>, links: &[Links], names: &Names<'_>) {
        let ids = names.in_order();
        let mut is_cyclic = false;
        let order = cycles::walk(links, |from, reference, cycle| {
            is_cyclic = true;
            let message = format_args!("resource types lie in each other in a cycle: {}", cycle.shown(&ids));
            self.add(reference.at, &path.item(from.item).field("parent"), message);
        });
        if is_cyclic {
            return;
        }
        let depths = cycles::depths(links, &order);
        for ((each, depth), id) in links.iter().zip(depths).zip(ids) {
            // Those further down are too deep because of the first that is.
            if depth == MAX_PATH_TYPES {
                let at = each.references.first().map(|parent| parent.at).unwrap_or(super::Position::START);
                let message = format_args!(
                    "{} lies {} types deep; expected at most {MAX_PATH_TYPES}",
                    Given(id),
                    depth.saturating_add(1)
                );
                self.add(at, &path.item(each.item).field("parent"), message);
            }
        }
    }
}
