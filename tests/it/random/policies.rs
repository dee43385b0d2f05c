//! Custom policies: made, changed, deleted, shown.

use rolecall::{proto, service::ErrorReason};

use super::{
    super::oracle::{PolicyName, Statement},
    Difference, Place, Worker,
    expected::{Wrong, counted, removed},
    manners::send,
    mask, policies, same,
    statements::{fits_paths, fits_permissions, random_statements, statements_sent},
    views::page_size,
};

impl Worker {
    /// Statements to send, nearly always good ones. Patterns that were there before may match nothing by now.
    fn some_statements(&mut self, place: &Place, before: &[Statement], wrong: &mut Wrong) -> Vec<Statement> {
        let mut statements = random_statements(&mut self.random, &place.catalog, false);
        if let Some(old) = self.random.pick(before.iter().cloned()).filter(|_| self.random.chance(40)) {
            statements.push(old);
        }
        if self.random.chance(5)
            && let Some(first) = statements.first_mut()
        {
            match self.random.chance(50) {
                true => first.permissions.push("area.typo.**".into()),
                false => first.resources.push("typos/*".into()),
            }
        }
        let was_there = |pattern: &String, of: fn(&Statement) -> &Vec<String>| {
            before.iter().any(|statement| of(statement).contains(pattern))
        };
        let catalog = &place.catalog;
        let is_good = |statement: &Statement| {
            let of: [fn(&Statement) -> &Vec<String>; 2] = [|each| &each.permissions, |each| &each.resources];
            statement.permissions.iter().all(|it| was_there(it, of[0]) || fits_permissions(catalog, it, false))
                && statement.resources.iter().all(|it| was_there(it, of[1]) || fits_paths(catalog, it))
        };
        if statements.is_empty() || !statements.iter().all(is_good) {
            wrong.push(ErrorReason::FieldInvalid);
        }
        statements
    }

    pub(super) async fn create_policy(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.random.pick(policies()).unwrap();
        let mut wrong = place.missing();
        if place.policy_ids().contains(&id) {
            wrong.push(ErrorReason::AlreadyExists);
        }
        let statements = self.some_statements(place, &[], &mut wrong);
        if place.found.is_some() && !place.catalog.custom_roles.custom_policies {
            wrong.push(ErrorReason::CustomRolesNotOffered);
        }
        let after =
            self.after(&place.id, &mut wrong, |oracle| oracle.create_policy(&place.id, &id, statements.clone()));
        let request = proto::CreateAccessPolicyRequest {
            parent: place.name.clone(),
            access_policy_id: id.clone(),
            access_policy: Some(proto::AccessPolicy {
                display_name: "A policy".into(),
                statements: statements_sent(&statements),
                ..proto::AccessPolicy::default()
            }),
            ..Default::default()
        };
        if let Some(answer) = send!(self, policies.create_access_policy, request, wrong).await? {
            self.oracle = after;
            self.same_policy(&place.id, &PolicyName::Custom(id), answer.access_policy)?;
        }
        Ok(())
    }

    pub(super) async fn update_policy(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.one_of(place.policy_ids(), policies());
        let before = place.found.as_ref().and_then(|found| found.policies.get(&id)).cloned();
        let mut wrong = place.without(before.is_some(), ErrorReason::PolicyNotFound);
        let before = before.unwrap_or_default();
        let statements = self.some_statements(place, &before, &mut wrong);
        if statements != before && place.found.is_some() && !place.catalog.custom_roles.custom_policies {
            wrong.push(ErrorReason::CustomRolesNotOffered);
        }
        let name = format!("{}/accessPolicies/{id}", place.name);
        let etag = self.etag(&name, &mut wrong).await?;
        let after =
            self.after(&place.id, &mut wrong, |oracle| oracle.update_policy(&place.id, &id, statements.clone()));
        let request = proto::UpdateAccessPolicyRequest {
            access_policy: Some(proto::AccessPolicy {
                name,
                display_name: "A policy".into(),
                statements: statements_sent(&statements),
                etag,
                ..proto::AccessPolicy::default()
            }),
            update_mask: if self.random.chance(50) { mask(&["statements"]) } else { None },
            ..Default::default()
        };
        if let Some(answer) = send!(self, policies.update_access_policy, request, wrong).await? {
            self.oracle = after;
            self.same_policy(&place.id, &PolicyName::Custom(id), answer.access_policy)?;
        }
        Ok(())
    }

    pub(super) async fn delete_policy(&mut self, place: &Place) -> Result<(), Difference> {
        let id = self.one_of(place.policy_ids(), policies());
        let is_there = place.policy_ids().contains(&id);
        let mut wrong = place.without(is_there, ErrorReason::PolicyNotFound);
        let name = format!("{}/accessPolicies/{id}", place.name);
        let etag = self.etag(&name, &mut wrong).await?;
        let uses = self.oracle.uses_of_policy(&place.id, &id);
        let force = self.random.chance(50);
        if !force && !uses.is_empty() {
            wrong.push(ErrorReason::InUse);
        }
        let after = self.after(&place.id, &mut wrong, |oracle| oracle.delete_policy(&place.id, &id));
        let request = proto::DeleteAccessPolicyRequest { name: name.clone(), etag, force, ..Default::default() };
        if let Some(answer) = send!(self, policies.delete_access_policy, request, wrong).await? {
            self.oracle = after;
            self.bury(&name);
            same("what went with the policy", &removed(answer.removed), &counted(&uses, "members"))?;
            self.compared("what a deletion removed");
        }
        Ok(())
    }

    pub(super) fn same_policy(
        &self,
        account: &str,
        policy: &PolicyName,
        given: Option<proto::AccessPolicy>,
    ) -> Result<String, Difference> {
        let given = given.unwrap_or_default();
        let found = &self.oracle.accounts[account];
        let statements = found.statements(&self.oracle.catalogs[&found.catalog], policy);
        let expected = (self.policy_text(account, policy), statements_sent(statements));
        same("the policy", &(given.name, given.statements), &expected)?;
        Ok(given.etag)
    }

    pub(super) async fn list_policies(&mut self, account: &str) -> Result<(), Difference> {
        let mut request = proto::ListAccessPoliciesRequest {
            parent: format!("accounts/{account}"),
            page_size: page_size(&mut self.random),
            ..Default::default()
        };
        let place = self.place_of(account.to_owned());
        let mut expected = place.policies();
        match self.random.below(6) {
            0 => {
                let of = &place.found.as_ref().unwrap().catalog;
                request.parent = format!("catalogs/{of}");
                expected.retain(|policy| matches!(policy, PolicyName::Managed(_)));
            }
            1 => {
                request.search = "Q1".into();
                expected.retain(|policy| *policy == PolicyName::Managed("q1".into()));
            }
            _ => {}
        }
        let listed = super::views::pages!(self, policies.list_access_policies, request, access_policies);
        same("the number of policies", &listed.len(), &expected.len())?;
        for (policy, given) in expected.iter().zip(listed) {
            self.same_policy(account, policy, Some(given))?;
        }
        self.compared("list of access policies");
        Ok(())
    }
}
