//! A random catalog, with everything that one can have.

use super::Random;
use crate::model::*;

impl Random {
    pub(in crate::files::tests) fn catalog(&mut self) -> CatalogDefinition {
        let features: Vec<_> = self
            .ids(5)
            .iter()
            .map(|id| Feature {
                id: FeatureId::new(id).unwrap(),
                display_name: self.text(),
                description: self.maybe_text(),
            })
            .collect();
        let sections: Vec<_> = self
            .ids(5)
            .iter()
            .map(|id| Section {
                id: SectionId::new(id).unwrap(),
                display_name: self.text(),
                description: self.maybe_text(),
            })
            .collect();
        // A scope includes only those before it: no cycles.
        let api_scopes: Vec<_> = self
            .ids(8)
            .iter()
            .enumerate()
            .map(|(index, id)| ApiScope {
                id: ApiScopeId::new(id).unwrap(),
                description: self.maybe_text(),
                includes: self.some(index).into_iter().map(ApiScopeIndex).collect(),
            })
            .collect();
        let resource_types = self.resource_types();
        let ids = if sections.is_empty() { Vec::new() } else { self.permission_ids(12) };
        let permissions: Vec<_> = ids
            .into_iter()
            .map(|id| {
                let feature = (!features.is_empty() && self.below(2) == 0)
                    .then(|| FeatureIndex(self.below(features.len()) as u32));
                PermissionDefinition {
                    id,
                    description: self.maybe_text(),
                    section: SectionIndex(self.below(sections.len()) as u32),
                    feature,
                    api_scopes: self.some(api_scopes.len()).into_iter().map(ApiScopeIndex).collect(),
                    resource_type: self.one_of(resource_types.len()).map(ResourceTypeIndex),
                    facets: self.facets(resource_types.len(), feature.is_some()),
                    condition: self.condition(),
                    internal: self.below(4) == 0,
                    deprecated: self.below(4) == 0,
                }
            })
            .collect();
        let policies = self.policies(&permissions, &resource_types);
        let roles = self.roles(&permissions, policies.len(), resource_types.len());
        let mutually_exclusive = self.pairs(&roles);
        CatalogDefinition {
            id: CatalogId::new(&self.id(0)).unwrap(),
            display_name: self.text(),
            description: self.maybe_text(),
            features,
            sections,
            api_scopes,
            resource_types,
            permissions,
            policies,
            roles,
            custom_roles: CustomRoleParts {
                permissions: self.below(2) == 0,
                parents: self.below(2) == 0,
                managed_policies: self.below(2) == 0,
                custom_policies: self.below(2) == 0,
            },
            must_hold_role: self.below(2) == 0,
            mutually_exclusive,
        }
    }

    fn one_of(&mut self, count: usize) -> Option<u32> {
        (count > 0 && self.below(3) > 0).then(|| self.below(count) as u32)
    }

    fn facets(&mut self, types: usize, with_feature: bool) -> Vec<Facet> {
        let mut facets: Vec<_> =
            self.some(types).into_iter().map(|index| Facet::Type(ResourceTypeIndex(index))).collect();
        if with_feature && self.below(2) == 0 {
            facets.push(Facet::Feature);
        }
        facets.sort_unstable();
        facets
    }

    fn resource_types(&mut self) -> Vec<ResourceType> {
        let ids = self.ids(7);
        let ranks = self.ranks(ids.len());
        let mut types = Vec::new();
        for (index, id) in ids.iter().enumerate() {
            let plural = if self.below(2) == 0 { format!("{id}.s") } else { id.clone() };
            let parent = self.one_of(ids.len()).filter(|parent| ranks[*parent as usize] < ranks[index]);
            types.push(ResourceType {
                id: ResourceTypeId::new(id).unwrap(),
                plural: ResourceTypeId::new(&plural).unwrap(),
                display_name: self.text(),
                description: self.maybe_text(),
                parent: parent.map(ResourceTypeIndex),
            });
        }
        // `x` and `x.s` could be the plurals of two.
        let mut plurals: Vec<_> = types.iter().map(|each| each.plural.clone()).collect();
        plurals.sort();
        plurals.dedup();
        if plurals.len() < types.len() { Vec::new() } else { types }
    }

    fn policies(&mut self, permissions: &[PermissionDefinition], types: &[ResourceType]) -> Vec<CatalogPolicy> {
        if permissions.is_empty() {
            // There, no pattern matches anything.
            return Vec::new();
        }
        let permission = |random: &mut Self| {
            let id = permissions[random.below(permissions.len())].id.to_string();
            if random.below(2) == 0 { id } else { random.wild(&id, ".") }
        };
        let resource = |random: &mut Self| {
            if types.is_empty() {
                return "**".to_owned();
            }
            let mut segments = Vec::new();
            let mut next = Some(&types[random.below(types.len())]);
            while let Some(each) = next {
                segments.insert(0, each.plural.to_string());
                let id = random.id(0);
                segments.insert(1, id);
                next = each.parent.map(|parent| &types[parent.position()]);
            }
            random.wild(&segments.join("/"), "/")
        };
        self.ids(4)
            .iter()
            .map(|id| CatalogPolicy {
                id: PolicyId::new(id).unwrap(),
                display_name: self.text(),
                description: self.maybe_text(),
                statements: self.statements(&permission, &resource),
            })
            .collect()
    }

    fn roles(&mut self, permissions: &[PermissionDefinition], policies: usize, types: usize) -> Vec<CatalogRole> {
        let ids = self.ids(7);
        let ranks = self.ranks(ids.len());
        let internal: Vec<bool> = ids.iter().map(|_| self.below(3) == 0).collect();
        let mut roles = Vec::new();
        for (index, id) in ids.iter().enumerate() {
            let internal_role = internal[index];
            let mut listed = self.some(permissions.len());
            listed.retain(|index| internal_role || !permissions[*index as usize].internal);
            listed.sort_unstable();
            let mut contained = self.some(policies);
            contained.sort_unstable();
            let mut parents = self.some(ids.len());
            parents.retain(|parent| {
                ranks[*parent as usize] < ranks[index] && (internal_role || !internal[*parent as usize])
            });
            parents.sort_unstable();
            roles.push(CatalogRole {
                id: RoleId::new(id).unwrap(),
                display_name: self.text(),
                description: self.maybe_text(),
                internal: internal_role,
                permissions: listed.into_iter().map(PermissionIndex).collect(),
                policies: contained.into_iter().map(PolicyIndex).collect(),
                parents: parents.into_iter().map(RoleIndex).collect(),
                covers: self.facets(types, true),
                always_held: !internal_role && self.below(4) == 0,
                max_holders: (self.below(3) == 0).then(|| [1, 7, u64::MAX][self.below(3)]),
            });
        }
        roles
    }

    /// Pairs of roles that no role reaches both of.
    fn pairs(&mut self, roles: &[CatalogRole]) -> Vec<(RoleIndex, RoleIndex)> {
        let reached: Vec<Vec<usize>> = (0..roles.len())
            .map(|role| {
                let mut reached = vec![role];
                let mut next = 0;
                while let Some(role) = reached.get(next).copied() {
                    reached.extend(roles[role].parents.iter().map(|parent| parent.position()));
                    next += 1;
                }
                reached
            })
            .collect();
        let mut pairs = Vec::new();
        for one in 0..roles.len() {
            for other in one + 1..roles.len() {
                let is_free = !reached.iter().any(|roles| roles.contains(&one) && roles.contains(&other));
                if is_free && self.below(3) == 0 {
                    let at = self.below(pairs.len() + 1);
                    pairs.insert(at, (RoleIndex(one as u32), RoleIndex(other as u32)));
                }
            }
        }
        pairs
    }
}
