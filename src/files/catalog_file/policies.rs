//! The managed policies of a catalog. Every pattern in them matches something of the catalog.

use super::super::{
    definition::StatementDefinition,
    node::Node,
    read::{MAX_DESCRIPTION_BYTES, Names, Path, Reader},
    statements::MAX_POLICIES,
    vocabulary::Vocabulary,
};
use crate::model::{CatalogPolicy, PolicyId};

impl Reader<'_> {
    pub(super) fn policies<'a>(
        &mut self,
        node: Option<Node<'a>>,
        path: &Path<'_>,
        names: &mut Names<'a>,
        vocabulary: &mut Vocabulary<'_>,
    ) -> Vec<CatalogPolicy> {
        let mut policies = Vec::new();
        for (index, item) in self.list(node, path, MAX_POLICIES).into_iter().enumerate() {
            let (at, path) = (item.at, path.item(index));
            let Some([id, display_name, description, statements]) =
                self.fields(item, &path, &["id", "display_name", "description", "statements"])
            else {
                continue;
            };
            let id = self.declared(id, at, &path, PolicyId::new, names);
            let display_name = self.display_name(display_name, at, &path);
            let description = self.text(description, &path.field("description"), MAX_DESCRIPTION_BYTES);
            let statements = self.statements(statements, at, &path, Some(vocabulary));
            policies.extend(id.map(|(id, _)| CatalogPolicy {
                id,
                display_name,
                description,
                statements: statements.iter().map(StatementDefinition::statement).collect(),
            }));
        }
        policies
    }
}
