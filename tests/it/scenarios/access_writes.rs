//! The writes of what bounds or widens roles, as requests to the server: role bindings with resource and expiry, policies,
//! resources, access lists, exceptions.

use rolecall::proto::{
    self, CreateAccessPolicyRequest, CreateExceptionRequest, CreateResourceRequest, CreateRoleBindingRequest,
    DeleteAccessPolicyRequest, DeleteExceptionRequest, DeleteResourceRequest, DeleteRoleBindingRequest,
    ListRoleBindingsRequest, SetAccessListRequest, UpdateAccessPolicyRequest,
};
use tonic::Status;

use super::{
    Callers, Placed,
    case::Moment,
    steps::{Access, Exception, GivenRole, Policy, Statement, Step},
    writes::mask,
};

pub fn access_list(access: &Access) -> proto::AccessList {
    let (facet, all) = (access.facet.clone(), access.values.is_none());
    proto::AccessList { facet, all, values: access.values.clone().unwrap_or_default() }
}

fn statement(statement: &Statement) -> proto::PolicyStatement {
    use proto::policy_statement::Effect;
    let effect = if statement.allows { Effect::Allow } else { Effect::Deny };
    proto::PolicyStatement {
        effect: effect.into(),
        permissions: statement.permissions.clone(),
        resources: statement.resources.clone(),
        condition: statement.condition.clone().unwrap_or_default(),
    }
}

impl GivenRole {
    /// On the account and for good.
    pub fn is_plain(&self) -> bool {
        self.resource.is_none() && self.expires.is_none()
    }
}

impl Placed<'_> {
    /// Writes one step.
    pub async fn access_step(&self, callers: &mut Callers, step: &Step) -> Result<(), Status> {
        let parent = self.parent();
        match step {
            Step::Bind { holder, given } => self.bind(callers, holder, given).await,
            Step::Unbind { holder, role, resource } => self.unbind(callers, holder, role, resource.as_deref()).await,
            Step::RegisterResource { path, display_name } => {
                let display_name = display_name.clone().unwrap_or_default();
                let resource = Some(proto::Resource { path: path.clone(), display_name, ..Default::default() });
                let request = CreateResourceRequest { parent, resource, ..Default::default() };
                callers.resources.create_resource(request).await.map(|_| ())
            }
            Step::DeleteResource { path, force } => {
                let name = format!("{parent}/resources/{path}");
                let request = DeleteResourceRequest { name, force: *force, ..Default::default() };
                callers.resources.delete_resource(request).await.map(|_| ())
            }
            Step::CreatePolicy(policy) => {
                let access_policy = Some(self.access_policy(policy));
                let access_policy_id = policy.id.clone();
                let request =
                    CreateAccessPolicyRequest { parent, access_policy_id, access_policy, ..Default::default() };
                callers.policies.create_access_policy(request).await.map(|_| ())
            }
            Step::UpdatePolicy(policy) => {
                let mut paths = vec!["statements"];
                paths.extend(policy.display_name.as_ref().map(|_| "display_name"));
                paths.extend(policy.description.as_ref().map(|_| "description"));
                let access_policy = Some(self.access_policy(policy));
                let update_mask = mask(&paths);
                let request = UpdateAccessPolicyRequest { access_policy, update_mask, ..Default::default() };
                callers.policies.update_access_policy(request).await.map(|_| ())
            }
            Step::DeletePolicy { id, force } => {
                let name = format!("{parent}/accessPolicies/{id}");
                let request = DeleteAccessPolicyRequest { name, force: *force, ..Default::default() };
                callers.policies.delete_access_policy(request).await.map(|_| ())
            }
            Step::SetAccess { holder, access } => {
                let (parent, access_list) = (format!("{parent}/{holder}"), Some(access_list(access)));
                let request = SetAccessListRequest { parent, access_list, ..Default::default() };
                callers.access_lists.set_access_list(request).await.map(|_| ())
            }
            Step::GrantException { user, exception: Exception { permission, reason, expires } } => {
                let exception = Some(proto::Exception {
                    permission: permission.clone(),
                    reason: reason.clone(),
                    expire_time: expires.as_ref().map(Moment::proto),
                    ..Default::default()
                });
                let request = CreateExceptionRequest { parent: self.user(user), exception, ..Default::default() };
                callers.exceptions.create_exception(request).await.map(|_| ())
            }
            Step::RevokeException { user, permission } => {
                let name = format!("{}/exceptions/{permission}", self.user(user));
                let request = DeleteExceptionRequest { name, ..Default::default() };
                callers.exceptions.delete_exception(request).await.map(|_| ())
            }
            other => unreachable!("{other:?} is written elsewhere"),
        }
    }

    fn access_policy(&self, policy: &Policy) -> proto::AccessPolicy {
        proto::AccessPolicy {
            name: format!("{}/accessPolicies/{}", self.parent(), policy.id),
            display_name: policy.display_name.clone().unwrap_or_else(|| policy.id.clone()),
            description: policy.description.clone().unwrap_or_default(),
            statements: policy.statements.iter().map(statement).collect(),
            ..Default::default()
        }
    }

    /// Gives somebody a role.
    pub async fn bind(&self, callers: &mut Callers, holder: &str, given: &GivenRole) -> Result<(), Status> {
        let role_binding = Some(proto::RoleBinding {
            holder: holder.to_owned(),
            role: self.role(&given.role),
            resource: given.resource.clone().unwrap_or_default(),
            expire_time: given.expires.as_ref().map(Moment::proto),
            ..Default::default()
        });
        let request = CreateRoleBindingRequest { parent: self.parent(), role_binding, ..Default::default() };
        callers.clients.bindings.create_role_binding(request).await.map(|_| ())
    }

    /// Takes away the role binding on a resource, or on the account.
    async fn unbind(
        &self,
        callers: &mut Callers,
        holder: &str,
        role: &str,
        resource: Option<&str>,
    ) -> Result<(), Status> {
        let request = ListRoleBindingsRequest {
            parent: self.parent(),
            holder: holder.to_owned(),
            role: self.role(role),
            ..Default::default()
        };
        let bindings = &mut callers.clients.bindings;
        let mut found = bindings.list_role_bindings(request).await?.into_inner().role_bindings;
        found.retain(|binding| binding.resource == resource.unwrap_or_default());
        assert_eq!(found.len(), 1, "{}: {holder} holds {role} on {resource:?} once", self.names("unbind"));
        let request = DeleteRoleBindingRequest { name: found[0].name.clone(), ..Default::default() };
        bindings.delete_role_binding(request).await.map(|_| ())
    }
}
