//! The statements of policies, which look the same in catalog files and account files.

use super::{
    condition::check_condition,
    definition::{Located, StatementDefinition},
    node::{Node, Position},
    problem::Given,
    read::{Path, Reader},
    vocabulary::Vocabulary,
};
use crate::model::{Condition, Effect, PermissionPattern, ResourcePattern};

/// How many policies a catalog, or an account, may have.
pub(super) const MAX_POLICIES: usize = 10_000;

const MAX_STATEMENTS: usize = 100;
const MAX_PATTERNS: usize = 1_000;

impl Reader<'_> {
    /// The statements of a policy. `at` and `path` are those of the policy. With a vocabulary, every pattern has to match
    /// something in it.
    pub(super) fn statements(
        &mut self,
        node: Option<Node<'_>>,
        at: Position,
        path: &Path<'_>,
        mut vocabulary: Option<&mut Vocabulary<'_>>,
    ) -> Vec<StatementDefinition> {
        const EFFECTS: [(&str, Effect); 2] = [("allow", Effect::Allow), ("deny", Effect::Deny)];
        let mut statements = Vec::new();
        let path = path.field("statements");
        let items = self.some(node, at, &path, MAX_STATEMENTS, "statement");
        for (index, item) in items.into_iter().enumerate() {
            let (at, path) = (item.at, path.item(index));
            let Some([effect, permissions, resources, condition]) =
                self.fields(item, &path, &["effect", "permissions", "resources", "condition"])
            else {
                continue;
            };
            let effect = self.required(effect, at, &path, "effect");
            let effect = self.choice(effect, &path.field("effect"), &EFFECTS);
            let permissions = self.permission_patterns(permissions, at, &path, vocabulary.as_deref_mut());
            let resources = self.resource_patterns(resources, &path.field("resources"), vocabulary.as_deref());
            let condition = self.condition(condition, &path.field("condition"));
            statements.extend(effect.map(|effect| StatementDefinition { effect, permissions, resources, condition }));
        }
        statements
    }

    fn permission_patterns(
        &mut self,
        node: Option<Node<'_>>,
        at: Position,
        path: &Path<'_>,
        mut vocabulary: Option<&mut Vocabulary<'_>>,
    ) -> Vec<Located<PermissionPattern>> {
        let path = path.field("permissions");
        let mut patterns = Vec::new();
        let items = self.some(node, at, &path, MAX_PATTERNS, "permission pattern");
        for (index, text, at) in self.texts(items, &path) {
            let path = path.item(index);
            let Some(pattern) = self.located(&text, at, &path, PermissionPattern::new) else { continue };
            if let Some(vocabulary) = vocabulary.as_deref_mut()
                && !vocabulary.has_permission(&pattern.value)
            {
                if text.contains('*') {
                    self.add(at, &path, format_args!("{} matches no permission of this catalog", Given(&text)));
                } else {
                    let expected = "a permission of this catalog";
                    self.problems.add_unknown(at, path, &text, expected, vocabulary.permissions());
                }
            }
            patterns.push(pattern);
        }
        patterns
    }

    fn resource_patterns(
        &mut self,
        node: Option<Node<'_>>,
        path: &Path<'_>,
        vocabulary: Option<&Vocabulary<'_>>,
    ) -> Vec<Located<ResourcePattern>> {
        let mut patterns = Vec::new();
        let items = self.list(node, path, MAX_PATTERNS);
        for (index, text, at) in self.texts(items, path) {
            let path = path.item(index);
            let Some(pattern) = self.located(&text, at, &path, ResourcePattern::new) else { continue };
            if vocabulary.is_some_and(|vocabulary| !vocabulary.has_path(&pattern.value)) {
                let message = format_args!("{} matches no path of this catalog's resource types", Given(&text));
                self.add(at, &path, message);
            }
            patterns.push(pattern);
        }
        patterns
    }

    /// A condition; none given: none.
    pub(super) fn condition(&mut self, node: Option<Node<'_>>, path: &Path<'_>) -> Option<Located<Condition>> {
        let (text, at) = self.string(node?, path)?;
        self.no_control(&text, at, path);
        match check_condition(&text) {
            Ok(()) => Some(Located { value: Condition::new(&text), at }),
            Err(message) => {
                self.add(at, path, message);
                None
            }
        }
    }
}
