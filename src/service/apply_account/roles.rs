//! Custom roles, made equal to a file.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{
        custom_roles::{permission_number, remove_role, with_void},
        facts,
        hierarchy::put_role,
        roles::{listed_left_out, listed_permissions},
    },
    Application, Refused, changed_texts, grown,
};
use crate::{
    engine::RoleOrigin,
    files::{AccountDefinition, PolicyName, RoleDefinition, RoleName},
    model::{
        AppliedAction, CustomRoleParts, FacetNumber, Key, KeyRange, Number, Record, RoleId, RoleRecord, difference,
    },
};

/// What a role consists of, by the names that files have for it.
#[derive(Default)]
struct Parts {
    permissions: BTreeSet<String>,
    policies: BTreeSet<String>,
    parents: BTreeSet<String>,
    covers: BTreeSet<String>,
    left_out: BTreeSet<String>,
}

impl Parts {
    fn of_file(role: &RoleDefinition) -> Self {
        fn texts<T: ToString>(list: &[crate::files::Located<T>]) -> BTreeSet<String> {
            list.iter().map(|each| each.value.to_string()).collect()
        }
        Self {
            permissions: texts(&role.permissions),
            policies: texts(&role.policies),
            parents: texts(&role.parents),
            covers: texts(&role.covers),
            left_out: texts(&role.left_out_api_scopes),
        }
    }
}

impl Application<'_, '_> {
    /// Makes the custom roles equal to the file's.
    pub(super) fn apply_roles(&mut self, file: &AccountDefinition) -> Result<(), Refused> {
        let account = self.account;
        let mut existing: BTreeMap<RoleId, (Number, RoleRecord)> = BTreeMap::new();
        for (key, value) in facts::scan_all(self.plan, KeyRange::Roles(account))? {
            if let (Key::Role { role, .. }, Record::Role(record)) = (key, value.value) {
                existing.insert(record.id.clone(), (role, record));
            }
        }
        let count_before = existing.len();
        // A role may have a parent that follows later in the file, so all of them have their numbers first.
        for role in &file.roles {
            let number = existing.get(&role.id.value).map(|(number, _)| *number);
            let number = number.unwrap_or_else(|| self.plan.allocate());
            self.roles.insert(role.id.value.clone(), number);
        }
        for role in &file.roles {
            self.apply_role(role, existing.get(&role.id.value))?;
        }
        existing.retain(|id, _| !self.roles.contains_key(id));
        for (id, (number, _)) in existing {
            self.note(AppliedAction::Delete, format!("roles/{id}"), &[]);
            remove_role(self.plan, account, number, id)?;
        }
        self.plan.count(account, 0, grown(count_before, file.roles.len()))?;
        Ok(())
    }

    fn apply_role(&mut self, role: &RoleDefinition, before: Option<&(Number, RoleRecord)>) -> Result<(), Refused> {
        let (catalog, time) = (self.catalog, self.plan.time);
        let id = &role.id.value;
        let Some(number) = self.roles.get(id).copied() else { return Ok(()) };
        let wanted = Parts::of_file(role);
        let held = before.map(|(_, record)| self.parts_of(record)).transpose()?;
        self.refuse_if_not_offered(role, &wanted, held.as_ref());
        let left_out: Vec<_> = role.left_out_api_scopes.iter().map(|scope| scope.value.clone()).collect();
        let covers = role.covers.iter().filter_map(|each| super::references::facet(catalog, &each.value));
        let covers: BTreeSet<FacetNumber> = covers.filter_map(|facet| catalog.number_of_facet(facet)).collect();
        let policies = role.policies.iter().filter_map(|policy| match &policy.value {
            PolicyName::Managed(id) => catalog.policy_number(id.as_str()),
            PolicyName::Custom(id) => self.policies.get(id).copied(),
        });
        let policies: BTreeSet<Number> = policies.collect();
        let parents: BTreeSet<Number> =
            role.parents.iter().filter_map(|parent| self.role_number(&parent.value)).collect();
        let permissions = role.permissions.iter().filter_map(|each| permission_number(catalog, &each.value));
        let permissions: BTreeSet<Number> = permissions.collect();
        let left_out_before = before.map_or(&[][..], |(_, record)| &record.left_out_api_scopes);
        let record = RoleRecord {
            id: id.clone(),
            display_name: role.display_name.clone(),
            description: role.description.clone(),
            permissions: permissions.into_iter().collect(),
            left_out_api_scopes: with_void(catalog, left_out, left_out_before),
            policies: policies.into_iter().collect(),
            parents: parents.into_iter().collect(),
            covers: covers.into_iter().collect(),
            created: before.map_or(time, |(_, record)| record.created),
            updated: time,
        };
        let subject = format!("roles/{id}");
        let Some(((_, before), held)) = before.zip(held) else {
            self.note(AppliedAction::Create, subject, &[]);
            self.plan.put(Key::RoleName { account: self.account, id: id.clone() }, Record::Name(number))?;
            return Ok(put_role(self.plan, self.account, number, None, record)?);
        };
        let mut details = changed_texts(&[
            ("display_name", &before.display_name, &record.display_name),
            ("description", &before.description, &record.description),
        ]);
        details.extend(difference("permissions", &held.permissions, &wanted.permissions));
        // What has become internal is in no file. The role loses it for good: it is to have what the file says, and
        // no more should the permission cease to be internal one day.
        let known = before.permissions.iter().filter_map(|number| catalog.permission_of_number(*number)).count();
        if known > held.permissions.len() {
            details.push(format!("permissions -{} internal", known - held.permissions.len()));
        }
        details.extend(difference("policies", &held.policies, &wanted.policies));
        details.extend(difference("parents", &held.parents, &wanted.parents));
        let is_internal = |number: &&Number| {
            catalog.role_of_number(**number).is_some_and(|parent| facts::is_internal(catalog, parent))
        };
        let hidden = before.parents.iter().filter(is_internal).count();
        if hidden > 0 {
            details.push(format!("parents -{hidden} internal"));
        }
        details.extend(difference("covers", &held.covers, &wanted.covers));
        details.extend(difference("left_out_api_scopes", &held.left_out, &wanted.left_out));
        if !details.is_empty() {
            self.note(AppliedAction::Update, subject, &details);
            put_role(self.plan, self.account, number, Some(before), record)?;
        }
        Ok(())
    }

    /// What a custom role consists of now. What is void, or internal, is left out.
    fn parts_of(&self, record: &RoleRecord) -> Result<Parts, Refused> {
        let catalog = self.catalog;
        let texts = |list: &[_]| list.iter().map(crate::model::ApiScopeId::to_string).collect();
        let mut parts = Parts {
            permissions: listed_permissions(catalog, record).iter().map(ToString::to_string).collect(),
            left_out: texts(&listed_left_out(catalog, record)),
            ..Parts::default()
        };
        for number in &record.policies {
            parts.policies.extend(policy_name(self.plan, self.account, catalog, *number)?.map(|name| name.to_string()));
        }
        for number in &record.parents {
            parts.parents.extend(role_name(self.plan, self.account, catalog, *number)?.map(|name| name.to_string()));
        }
        let covers = record.covers.iter().filter_map(|facet| catalog.facet_of_number(*facet));
        parts.covers = covers.map(|facet| catalog.facet_name(facet).to_owned()).collect();
        Ok(parts)
    }

    /// Custom roles that were there before their catalog withdrew them, or a part of them, stay as they are; none is made
    /// or given more.
    fn refuse_if_not_offered(&mut self, role: &RoleDefinition, wanted: &Parts, held: Option<&Parts>) {
        let CustomRoleParts { permissions, parents, managed_policies, custom_policies } =
            self.catalog.catalog().definition.custom_roles;
        let is_any = permissions || parents || managed_policies || custom_policies;
        let nothing = Parts::default();
        let is_more = held.is_none_or(|held| held.permissions != wanted.permissions);
        let held = held.unwrap_or(&nothing);
        let new_policies = || wanted.policies.difference(&held.policies);
        let is_custom = |name: &&String| name.starts_with("custom/");
        let missing = [
            (!is_any && is_more, ""),
            (!permissions && is_more && !wanted.permissions.is_empty(), " that list permissions"),
            (!parents && !wanted.parents.is_subset(&held.parents), " that have parents"),
            (!managed_policies && new_policies().any(|name| !is_custom(&name)), " that contain managed policies"),
            (!custom_policies && new_policies().any(|name| is_custom(&name)), " that contain custom policies"),
        ];
        if let Some((_, part)) = missing.into_iter().find(|(is_missing, _)| *is_missing) {
            let id = &self.catalog.catalog().definition.id;
            let message = format_args!("roles: the catalog {:?} offers no custom roles{part}", id.as_str());
            self.problems.add(role.id.at, message);
        }
    }
}

/// The name that files have for a policy; none: it is gone.
pub(in crate::service) fn policy_name(
    view: &dyn crate::store::View,
    account: Number,
    catalog: &crate::engine::CompiledCatalog,
    policy: Number,
) -> Result<Option<PolicyName>, super::ServiceError> {
    if let Some(index) = catalog.policy_of_number(policy) {
        let policies = &catalog.catalog().definition.policies;
        return Ok(policies.get(index.position()).map(|policy| PolicyName::Managed(policy.id.clone())));
    }
    let record = facts::get_policy(view, &Key::Policy { account, policy })?;
    Ok(record.map(|record| PolicyName::Custom(record.value.id)))
}

/// The name that files have for a role that customers see; none: it is gone, or internal.
pub(in crate::service) fn role_name(
    view: &dyn crate::store::View,
    account: Number,
    catalog: &crate::engine::CompiledCatalog,
    role: Number,
) -> Result<Option<RoleName>, super::ServiceError> {
    let found = facts::role_of_number(view, account, catalog, role, &mut |_| {})?;
    Ok(found.filter(|(role, _)| !facts::is_internal(catalog, role)).map(|(role, _)| match role.origin {
        RoleOrigin::Catalog { .. } => RoleName::Managed(role.id.clone()),
        RoleOrigin::Account => RoleName::Custom(role.id.clone()),
    }))
}
