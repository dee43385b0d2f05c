//! What roles are made of and given on: registered resources and custom policies, made equal to a file.
//!
//! New ones come first, before what names them; what the file does not have goes last, after what named it.

use std::collections::BTreeMap;

use super::{
    super::{
        facts,
        policies::{insert_policy, remove_policy},
        resources::{NewResource, insert_resource, remove_resource},
    },
    Application, Policies, Refused, changed_texts,
};
use crate::{
    files::{AccountDefinition, StatementDefinition},
    model::{AppliedAction, Key, KeyRange, Number, PolicyRecord, Record, ResourcePath, ResourceRecord, Statement},
};

/// Registered resources, by path.
type Resources = BTreeMap<ResourcePath, (Number, ResourceRecord)>;

impl Application<'_, '_> {
    /// Registers and renames resources. Gives those that the file does not have.
    pub(super) fn apply_resources(&mut self, file: &AccountDefinition) -> Result<Resources, Refused> {
        let account = self.account;
        let mut existing: Resources = BTreeMap::new();
        for (key, value) in facts::scan_all(self.plan, KeyRange::Resources(account))? {
            let (Key::Resource { resource, .. }, Record::Resource(record)) = (key, value.value) else { continue };
            if self.catalog.resource_type_of_number(record.resource_type).is_some() {
                existing.insert(record.path.clone(), (resource, record));
            } else {
                // Void since the catalog dropped its type, and yet to be swept: it must not stand in the way of its path.
                remove_resource(self.plan, account, resource)?;
            }
        }
        for given in &file.resources {
            let path = &given.path.value;
            let Some((resource, record)) = existing.remove(path) else {
                let of = self.catalog.type_of_path(path.as_str());
                // That there is a type was looked up with the other names.
                let Some(of) = of.and_then(|of| self.catalog.number_of_resource_type(of)) else { continue };
                let new = NewResource { path: path.clone(), display_name: given.display_name.clone() };
                let resource = insert_resource(self.plan, account, of, &new)?;
                self.resources.insert(path.clone(), resource);
                self.note(AppliedAction::Create, format!("resources/{path}"), &[]);
                continue;
            };
            self.resources.insert(path.clone(), resource);
            let details = changed_texts(&[("display_name", &record.display_name, &given.display_name)]);
            if !details.is_empty() {
                let (display_name, updated) = (given.display_name.clone(), self.plan.time);
                let record = ResourceRecord { display_name, updated, ..record };
                self.plan.put(Key::Resource { account, resource }, Record::Resource(record))?;
                self.note(AppliedAction::Update, format!("resources/{path}"), &details);
            }
        }
        Ok(existing)
    }

    /// Takes away the resources that the file does not have, and counts those that it has.
    pub(super) fn remove_resources(&mut self, file: &AccountDefinition, left: Resources) -> Result<(), Refused> {
        for (path, (resource, _)) in left {
            remove_resource(self.plan, self.account, resource)?;
            self.note(AppliedAction::Delete, format!("resources/{path}"), &[]);
        }
        let before = self.plan.counts(self.account)?.resources;
        let change = i64::try_from(file.resources.len()).unwrap_or(i64::MAX).saturating_sub_unsigned(before);
        Ok(self.plan.count_resources(self.account, change)?)
    }

    /// Creates and changes custom policies. Gives those that the file does not have.
    pub(super) fn apply_policies(
        &mut self,
        file: &AccountDefinition,
        mut existing: Policies,
    ) -> Result<Policies, Refused> {
        let account = self.account;
        for given in &file.policies {
            let id = &given.id.value;
            let statements: Vec<Statement> = given.statements.iter().map(StatementDefinition::statement).collect();
            let (display_name, description) = (given.display_name.clone(), given.description.clone());
            let time = self.plan.time;
            let Some((policy, record)) = existing.remove(id) else {
                let (id, created, updated) = (id.clone(), time, time);
                let record = PolicyRecord { id, display_name, description, statements, created, updated };
                let policy = insert_policy(self.plan, account, record)?;
                self.policies.insert(given.id.value.clone(), policy);
                self.note(AppliedAction::Create, format!("policies/{}", given.id.value), &[]);
                continue;
            };
            self.policies.insert(id.clone(), policy);
            let mut details = changed_texts(&[
                ("display_name", &record.display_name, &display_name),
                ("description", &record.description, &description),
            ]);
            if record.statements != statements {
                details.push("statements".to_owned());
            }
            if !details.is_empty() {
                let record = PolicyRecord { display_name, description, statements, updated: time, ..record };
                self.plan.put(Key::Policy { account, policy }, Record::Policy(record))?;
                self.note(AppliedAction::Update, format!("policies/{id}"), &details);
            }
        }
        Ok(existing)
    }

    /// Takes away the custom policies that the file does not have, and counts those that it has.
    pub(super) fn remove_policies(&mut self, file: &AccountDefinition, left: Policies) -> Result<(), Refused> {
        for (id, (policy, _)) in left {
            self.note(AppliedAction::Delete, format!("policies/{id}"), &[]);
            remove_policy(self.plan, self.account, policy, id)?;
        }
        let before = self.plan.counts(self.account)?.policies;
        let change = i64::try_from(file.policies.len()).unwrap_or(i64::MAX).saturating_sub_unsigned(before);
        Ok(self.plan.count_policies(self.account, change)?)
    }
}
