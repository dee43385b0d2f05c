//! AccessPolicyService.

use tonic::{Request, Response, Status};

use super::{Api, MAX_LIST_BYTES, Tokens, convert, limit_size, parse::Fields};
use crate::{
    model::{Condition, Effect, PermissionPattern, PolicyId, ResourcePattern, Statement},
    proto::{
        AccessPolicy, CreateAccessPolicyRequest, CreateAccessPolicyResponse, DeleteAccessPolicyRequest,
        DeleteAccessPolicyResponse, GetAccessPolicyRequest, GetAccessPolicyResponse, ListAccessPoliciesRequest,
        ListAccessPoliciesResponse, PolicyStatement, UpdateAccessPolicyRequest, UpdateAccessPolicyResponse,
        access_policy_service_server::AccessPolicyService, policy_statement,
    },
    service::{self, MAX_STATEMENTS, NewPolicy, PolicyUpdate, PolicyView},
};

#[tonic::async_trait]
impl AccessPolicyService for Api {
    async fn get_access_policy(
        &self,
        request: Request<GetAccessPolicyRequest>,
    ) -> Result<Response<GetAccessPolicyResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let name = fields.policy("name", &request.name);
        let name = fields.done(name)?;
        let at = self.read_at(request.consistency.as_ref())?;
        let (view, revision) = self.service.get_policy(name, at).await?;
        Ok(Response::new(GetAccessPolicyResponse {
            access_policy: Some(policy(&self.tokens, view)),
            consistency_token: self.tokens.write(revision),
        }))
    }

    async fn list_access_policies(
        &self,
        request: Request<ListAccessPoliciesRequest>,
    ) -> Result<Response<ListAccessPoliciesResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let size = fields.page_size(request.page_size);
        let parent = fields.policy_parent("parent", &request.parent);
        let search = fields.search(&request.search);
        let parent = fields.done(parent)?;
        let arguments = ["ListAccessPolicies", &request.parent, &search];
        let page = self.page_at(&request.page_token, &arguments, request.consistency.as_ref())?;
        let after = page.after.clone();
        let list = self.service.list_policies(parent, search.clone(), size, after, page.at).await?;
        Ok(Response::new(ListAccessPoliciesResponse {
            access_policies: list.items.into_iter().map(|view| policy(&self.tokens, view)).collect(),
            next_page_token: self.next_page(list.next, list.revision, &page, &arguments),
            consistency_token: self.tokens.write(list.revision),
        }))
    }

    async fn create_access_policy(
        &self,
        request: Request<CreateAccessPolicyRequest>,
    ) -> Result<Response<CreateAccessPolicyResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let account = fields.account("parent", &request.parent);
        let id = fields.id("access_policy_id", &request.access_policy_id, PolicyId::new);
        let given = fields.required("access_policy", request.access_policy).unwrap_or_default();
        let display_name = fields.required_name("access_policy.display_name", given.display_name);
        let description = fields.description("access_policy.description", given.description);
        let statements = fields.statements("access_policy.statements", &given.statements);
        let (account, id) = fields.done(account.zip(id))?;
        let new = NewPolicy { id, display_name, description, statements };
        let (tokens, write) = (self.tokens, service::create_policy(account, new));
        self.respond(write, manners, move |view, consistency_token| CreateAccessPolicyResponse {
            access_policy: Some(policy(&tokens, view)),
            consistency_token,
        })
        .await
    }

    async fn update_access_policy(
        &self,
        request: Request<UpdateAccessPolicyRequest>,
    ) -> Result<Response<UpdateAccessPolicyResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let given = fields.required("access_policy", request.access_policy).unwrap_or_default();
        let name = fields.custom_policy("access_policy.name", &given.name);
        let etag = fields.etag(&self.tokens, "access_policy.etag", &given.etag);
        let mask = fields.mask(request.update_mask, &["display_name", "description", "statements"]);
        let update = PolicyUpdate {
            display_name: mask
                .take("display_name", || fields.required_name("access_policy.display_name", given.display_name)),
            description: mask
                .take("description", || fields.description("access_policy.description", given.description)),
            statements: mask.take("statements", || fields.statements("access_policy.statements", &given.statements)),
        };
        let (account, id) = fields.done(name)?;
        let (tokens, write) = (self.tokens, service::update_policy(account, id, update, etag));
        self.respond(write, manners, move |view, consistency_token| UpdateAccessPolicyResponse {
            access_policy: Some(policy(&tokens, view)),
            consistency_token,
        })
        .await
    }

    async fn delete_access_policy(
        &self,
        request: Request<DeleteAccessPolicyRequest>,
    ) -> Result<Response<DeleteAccessPolicyResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let name = fields.custom_policy("name", &request.name);
        let etag = fields.etag(&self.tokens, "etag", &request.etag);
        let (account, id) = fields.done(name)?;
        let write = service::delete_policy(account, id, request.force, etag);
        self.respond(write, manners, |removed, consistency_token| DeleteAccessPolicyResponse {
            consistency_token,
            removed: removed.into_iter().map(convert::removed).collect(),
        })
        .await
    }
}

impl Fields {
    /// The statements of an access policy, 1 to 100.
    fn statements(&mut self, field: &str, given: &[PolicyStatement]) -> Vec<Statement> {
        if given.is_empty() || given.len() > MAX_STATEMENTS {
            self.wrong(field, format!("{} were given; 1 to {MAX_STATEMENTS} are expected", given.len()));
            return Vec::new();
        }
        let mut statements = Vec::with_capacity(given.len());
        for (index, each) in given.iter().enumerate() {
            statements.extend(self.statement(&format!("{field}[{index}]"), each));
        }
        statements
    }

    fn statement(&mut self, field: &str, given: &PolicyStatement) -> Option<Statement> {
        use policy_statement::Effect as Given;
        let effect = match Given::try_from(given.effect) {
            Ok(Given::Allow) => Some(Effect::Allow),
            Ok(Given::Deny) => Some(Effect::Deny),
            Ok(Given::Unspecified) | Err(_) => {
                let expected = "EFFECT_ALLOW or EFFECT_DENY is expected";
                self.wrong(&format!("{field}.effect"), format!("{} was given; {expected}", given.effect));
                None
            }
        };
        let path = format!("{field}.permissions");
        if given.permissions.is_empty() {
            self.wrong(&path, format!("none were given; 1 to {MAX_STATEMENTS} are expected"));
        }
        let permissions = self.list(&path, &given.permissions, MAX_STATEMENTS, |fields, field, text| {
            fields.id(field, text, PermissionPattern::new)
        });
        let path = format!("{field}.resources");
        let resources = self.list(&path, &given.resources, MAX_STATEMENTS, |fields, field, text| {
            fields.id(field, text, ResourcePattern::new)
        });
        let condition = (!given.condition.is_empty()).then(|| {
            if let Err(problem) = service::check_condition(&given.condition) {
                self.wrong(&format!("{field}.condition"), problem);
            }
            Condition::new(&given.condition)
        });
        Some(Statement { effect: effect?, permissions, resources, condition })
    }
}

fn policy(tokens: &Tokens, view: PolicyView) -> AccessPolicy {
    AccessPolicy {
        name: view.name.to_string(),
        display_name: view.display_name,
        description: view.description,
        statements: view.statements.iter().map(statement).collect(),
        create_time: view.created.map(convert::time),
        update_time: view.updated.map(convert::time),
        etag: tokens.write_etag(view.etag),
    }
}

/// A statement of a managed or a custom policy.
pub(super) fn statement(statement: &Statement) -> PolicyStatement {
    let effect = match statement.effect {
        Effect::Allow => policy_statement::Effect::Allow,
        Effect::Deny => policy_statement::Effect::Deny,
    };
    PolicyStatement {
        effect: effect.into(),
        permissions: statement.permissions.iter().map(ToString::to_string).collect(),
        resources: statement.resources.iter().map(ToString::to_string).collect(),
        condition: statement.condition.as_ref().map(|condition| condition.as_str().to_owned()).unwrap_or_default(),
    }
}
