//! A random account, with everything that one can have.

use super::Random;
use crate::{files::*, model::*};

impl Random {
    pub(in crate::files::tests) fn account(&mut self) -> AccountDefinition {
        let resources = self.resources();
        let policies = self.custom_policies();
        let roles = self.custom_roles(&policies);
        let teams: Vec<_> = self
            .ids(5)
            .iter()
            .map(|id| TeamDefinition {
                id: TeamId::new(id).unwrap().into(),
                display_name: self.maybe_text(),
                description: self.maybe_text(),
                roles: self.grants(&roles, &resources),
                access: self.access(&resources),
            })
            .collect();
        let users = self
            .ids(12)
            .iter()
            .map(|id| UserDefinition {
                id: UserId::new(id).unwrap().into(),
                display_name: self.maybe_text(),
                username: self.maybe_text(),
                email: ["", "ana@example.com", "@", "x: @ #", "\"a b\"@c"][self.below(5)].to_owned(),
                state: [UserState::Active, UserState::Invited, UserState::Suspended][self.below(3)],
                teams: self.some(teams.len()).into_iter().map(|index| teams[index as usize].id.clone()).collect(),
                roles: self.grants(&roles, &resources),
                access: self.access(&resources),
                exceptions: self.exceptions(),
            })
            .collect();
        let service_accounts = self
            .ids(4)
            .iter()
            .map(|id| ServiceAccountDefinition {
                id: ServiceAccountId::new(id).unwrap().into(),
                display_name: self.maybe_text(),
                description: self.maybe_text(),
                state: [ServiceAccountState::Active, ServiceAccountState::Suspended][self.below(2)],
                roles: self.grants(&roles, &resources),
            })
            .collect();
        AccountDefinition {
            id: AccountId::new(&self.id(0)).unwrap().into(),
            display_name: self.maybe_text(),
            catalog: CatalogId::new(&self.id(0)).unwrap().into(),
            state: [AccountState::Active, AccountState::Suspended][self.below(2)],
            features: self.ids(5).iter().map(|id| FeatureId::new(id).unwrap().into()).collect(),
            resources,
            policies,
            roles,
            teams,
            users,
            service_accounts,
        }
    }

    fn role_names(&mut self, custom: &[String]) -> Vec<RoleName> {
        let mut names: Vec<_> = self.ids(3).iter().map(|id| RoleName::Managed(RoleId::new(id).unwrap())).collect();
        for index in self.some(custom.len()) {
            names.insert(self.below(names.len() + 1), RoleName::Custom(RoleId::new(&custom[index as usize]).unwrap()));
        }
        names
    }

    fn grants(&mut self, roles: &[RoleDefinition], resources: &[ResourceDefinition]) -> Vec<RoleGrant> {
        let custom: Vec<String> = roles.iter().map(|role| role.id.value.to_string()).collect();
        let mut grants: Vec<_> = self.role_names(&custom).into_iter().map(RoleGrant::from).collect();
        if self.below(2) == 0 {
            return grants;
        }
        for name in self.role_names(&custom) {
            for index in self.some(resources.len()) {
                let resource = Some(resources[index as usize].path.clone());
                let grant = RoleGrant { role: name.clone().into(), resource, expires: self.time() };
                grants.insert(self.below(grants.len() + 1), grant);
            }
        }
        for grant in &mut grants {
            if self.below(4) == 0 {
                grant.expires = self.time();
            }
        }
        grants
    }

    fn time(&mut self) -> Option<Timestamp> {
        let time = [0, 1, 999, 1000, 1_798_761_600_000, 1_798_761_600_120, 253_402_300_799_999][self.below(7)];
        (self.below(2) == 0).then_some(Timestamp(time))
    }

    /// Some trees; what lies in another may stand before it.
    fn resources(&mut self) -> Vec<ResourceDefinition> {
        let mut paths: Vec<String> = Vec::new();
        for (number, id) in self.ids(8).iter().enumerate() {
            let above = if paths.is_empty() { 0 } else { self.below(paths.len() + 1) };
            let plural = ["lines", "null", "1e3", "c.s"][self.below(4)];
            let path = match paths.get(above).filter(|path| path.split('/').count() < 16) {
                Some(above) => format!("{above}/{plural}/{id}"),
                None => format!("{plural}/{id}{number}"),
            };
            let at = self.below(paths.len() + 1);
            paths.insert(at, path);
        }
        paths
            .iter()
            .map(|path| ResourceDefinition {
                path: ResourcePath::new(path).unwrap().into(),
                display_name: self.maybe_text(),
            })
            .collect()
    }

    fn custom_policies(&mut self) -> Vec<PolicyDefinition> {
        let permission = |random: &mut Self| {
            let text = ["a.b", "inbox.conversations.view", "1.2.3.4.5", "null.1e3"][random.below(4)];
            random.wild(text, ".")
        };
        let resource = |random: &mut Self| {
            let text = ["lines/l1", "null/~/1e3/=", "a/b/c/d/e/f"][random.below(3)];
            random.wild(text, "/")
        };
        self.ids(4)
            .iter()
            .map(|id| PolicyDefinition {
                id: PolicyId::new(id).unwrap().into(),
                display_name: self.text(),
                description: self.maybe_text(),
                statements: self.statements(&permission, &resource).into_iter().map(Into::into).collect(),
            })
            .collect()
    }

    fn custom_roles(&mut self, policies: &[PolicyDefinition]) -> Vec<RoleDefinition> {
        let ids = self.ids(5);
        let ranks = self.ranks(ids.len());
        let mut roles = Vec::new();
        for (index, id) in ids.iter().enumerate() {
            let mut contained: Vec<_> =
                self.ids(3).iter().map(|id| PolicyName::Managed(PolicyId::new(id).unwrap())).collect();
            for policy in self.some(policies.len()) {
                contained.insert(0, PolicyName::Custom(policies[policy as usize].id.value.clone()));
            }
            let above: Vec<String> =
                ids.iter().zip(&ranks).filter(|(_, rank)| **rank < ranks[index]).map(|(id, _)| id.clone()).collect();
            let mut covers: Vec<_> =
                self.ids(3).iter().map(|id| FacetName::Type(ResourceTypeId::new(id).unwrap())).collect();
            if self.below(2) == 0 {
                covers.push(FacetName::Feature);
            }
            roles.push(RoleDefinition {
                id: RoleId::new(id).unwrap().into(),
                display_name: self.text(),
                description: self.maybe_text(),
                permissions: self.permission_ids(5).into_iter().rev().map(Into::into).collect(),
                policies: contained.into_iter().map(Into::into).collect(),
                parents: self.role_names(&above).into_iter().map(Into::into).collect(),
                covers: covers.into_iter().map(Into::into).collect(),
                left_out_api_scopes: self.ids(3).iter().map(|id| ApiScopeId::new(id).unwrap().into()).collect(),
            });
        }
        roles
    }

    fn access(&mut self, resources: &[ResourceDefinition]) -> Vec<AccessDefinition> {
        let mut access = Vec::new();
        for facet in self.ids(3) {
            let all = self.below(3) == 0;
            let values = if all { Vec::new() } else { self.some(resources.len()) };
            access.push(AccessDefinition {
                facet: FacetName::Type(ResourceTypeId::new(&facet).unwrap()).into(),
                all,
                values: values.iter().map(|index| resources[*index as usize].path.value.to_string().into()).collect(),
            });
        }
        if self.below(2) == 0 {
            let values = self.ids(3).into_iter().map(Located::from).collect();
            access.push(AccessDefinition { facet: FacetName::Feature.into(), all: false, values });
        }
        access
    }

    fn exceptions(&mut self) -> Vec<ExceptionDefinition> {
        let permissions = self.permission_ids(3).into_iter().rev();
        permissions
            .map(|id| ExceptionDefinition { permission: id.into(), reason: self.text(), expires: self.time() })
            .collect()
    }
}
