//! RoleBindingService.

use tonic::{Request, Response, Status};

use super::{Api, MAX_LIST_BYTES, convert, limit_size, parse::Fields};
use crate::{
    model::{Number, ResourcePath},
    proto::{
        BatchCreateRoleBindingsRequest, BatchCreateRoleBindingsResponse, BatchDeleteRoleBindingsRequest,
        BatchDeleteRoleBindingsResponse, CreateRoleBindingRequest, CreateRoleBindingResponse, DeleteRoleBindingRequest,
        DeleteRoleBindingResponse, GetRoleBindingRequest, GetRoleBindingResponse, ListRoleBindingsRequest,
        ListRoleBindingsResponse, ReplaceRoleBindingsRequest, ReplaceRoleBindingsResponse, RoleBinding,
        role_binding_service_server::RoleBindingService,
    },
    service::{self, BindingFilter, HolderName, MAX_CHANGES_OF_A_WRITE, MAX_TEAMS_OR_ROLES_OF_A_USER, NewBinding},
};

#[tonic::async_trait]
impl RoleBindingService for Api {
    async fn get_role_binding(
        &self,
        request: Request<GetRoleBindingRequest>,
    ) -> Result<Response<GetRoleBindingResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let name = fields.binding("name", &request.name);
        let (account, binding) = fields.done(name)?;
        let at = self.read_at(request.consistency.as_ref())?;
        let (view, revision) = self.service.get_binding(account.clone(), binding, at).await?;
        Ok(Response::new(GetRoleBindingResponse {
            role_binding: Some(convert::binding(&self.tokens, &account, &view)),
            consistency_token: self.tokens.write(revision),
        }))
    }

    async fn list_role_bindings(
        &self,
        request: Request<ListRoleBindingsRequest>,
    ) -> Result<Response<ListRoleBindingsResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let size = fields.page_size(request.page_size);
        let account = fields.account("parent", &request.parent);
        let filter = BindingFilter {
            holder: if request.holder.is_empty() { None } else { fields.holder("holder", &request.holder) },
            role: if request.role.is_empty() { None } else { fields.role("role", &request.role) },
            show_internal: request.show_internal,
        };
        let account = fields.done(account)?;
        let internal = if request.show_internal { "internal" } else { "" };
        let arguments = ["ListRoleBindings", account.as_str(), &request.holder, &request.role, internal];
        let page = self.page_at(&request.page_token, &arguments, request.consistency.as_ref())?;
        let after = page.after.as_ref().and_then(|after| after.parse().ok()).map(Number);
        let list = self.service.list_bindings(account.clone(), filter, size, after, page.at).await?;
        Ok(Response::new(ListRoleBindingsResponse {
            role_bindings: list.items.iter().map(|view| convert::binding(&self.tokens, &account, view)).collect(),
            next_page_token: self.next_page(list.next, list.revision, &page, &arguments),
            consistency_token: self.tokens.write(list.revision),
        }))
    }

    async fn create_role_binding(
        &self,
        request: Request<CreateRoleBindingRequest>,
    ) -> Result<Response<CreateRoleBindingResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let account = fields.account("parent", &request.parent);
        let given = fields.required("role_binding", request.role_binding).unwrap_or_default();
        let new = new_binding(&mut fields, "role_binding", &given, request.allow_internal_role);
        let (account, new) = fields.done(account.zip(new))?;
        let write = service::create_bindings("CreateRoleBinding", account.clone(), vec![new], false);
        let tokens = self.tokens;
        self.respond(write, manners, move |views, consistency_token| CreateRoleBindingResponse {
            role_binding: views.first().map(|view| convert::binding(&tokens, &account, view)),
            consistency_token,
        })
        .await
    }

    async fn delete_role_binding(
        &self,
        request: Request<DeleteRoleBindingRequest>,
    ) -> Result<Response<DeleteRoleBindingResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let name = fields.binding("name", &request.name);
        let etag = fields.etag(&self.tokens, "etag", &request.etag);
        let (account, binding) = fields.done(name)?;
        let write = service::delete_bindings("DeleteRoleBinding", account, vec![binding], etag);
        self.respond(write, manners, |(), consistency_token| DeleteRoleBindingResponse { consistency_token }).await
    }

    async fn batch_create_role_bindings(
        &self,
        request: Request<BatchCreateRoleBindingsRequest>,
    ) -> Result<Response<BatchCreateRoleBindingsResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let account = fields.account("parent", &request.parent);
        let count = request.role_bindings.len();
        let mut bindings = Vec::new();
        if count == 0 || count > MAX_CHANGES_OF_A_WRITE {
            fields.wrong("role_bindings", format!("{count} were given; 1 to {MAX_CHANGES_OF_A_WRITE} are expected"));
        } else {
            for (index, given) in request.role_bindings.iter().enumerate() {
                let place = format!("role_bindings[{index}]");
                bindings.extend(new_binding(&mut fields, &place, given, request.allow_internal_role));
            }
        }
        let account = fields.done(account)?;
        let write = service::create_bindings("BatchCreateRoleBindings", account.clone(), bindings, request.skip_held);
        let tokens = self.tokens;
        self.respond(write, manners, move |views, consistency_token| BatchCreateRoleBindingsResponse {
            role_bindings: views.iter().map(|view| convert::binding(&tokens, &account, view)).collect(),
            consistency_token,
        })
        .await
    }

    async fn batch_delete_role_bindings(
        &self,
        request: Request<BatchDeleteRoleBindingsRequest>,
    ) -> Result<Response<BatchDeleteRoleBindingsResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let account = fields.account("parent", &request.parent);
        let count = request.names.len();
        let mut bindings = Vec::new();
        if count == 0 || count > MAX_CHANGES_OF_A_WRITE {
            fields.wrong("names", format!("{count} were given; 1 to {MAX_CHANGES_OF_A_WRITE} are expected"));
        } else {
            for (index, name) in request.names.iter().enumerate() {
                let field = format!("names[{index}]");
                match (fields.binding(&field, name), &account) {
                    (Some((of, _)), Some(account)) if of != *account => {
                        fields.wrong(
                            &field,
                            format!("one of accounts/{of} was given; one of {} is expected", request.parent),
                        );
                    }
                    (Some((_, binding)), _) => bindings.push(binding),
                    (None, _) => {}
                }
            }
        }
        let account = fields.done(account)?;
        let write = service::delete_bindings("BatchDeleteRoleBindings", account, bindings, None);
        self.respond(write, manners, |(), consistency_token| BatchDeleteRoleBindingsResponse { consistency_token })
            .await
    }

    async fn replace_role_bindings(
        &self,
        request: Request<ReplaceRoleBindingsRequest>,
    ) -> Result<Response<ReplaceRoleBindingsResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let account = fields.account("parent", &request.parent);
        let holder = fields.holder("holder", &request.holder);
        let roles = fields.roles("roles", &request.roles, MAX_TEAMS_OR_ROLES_OF_A_USER);
        let (account, holder) = fields.done(account.zip(holder))?;
        let write = service::replace_bindings(account, holder, roles);
        self.respond(write, manners, |replaced, consistency_token| ReplaceRoleBindingsResponse {
            added_roles: replaced.added.iter().map(convert::role_name).collect(),
            removed_roles: replaced.removed.iter().map(convert::role_name).collect(),
            consistency_token,
        })
        .await
    }
}

/// A role binding to be created; `place`: where in the request it stands.
fn new_binding(fields: &mut Fields, place: &str, given: &RoleBinding, allow_internal: bool) -> Option<NewBinding> {
    let holder = fields.holder(&format!("{place}.holder"), &given.holder);
    binding_of(fields, place, holder, given, allow_internal)
}

impl Fields {
    /// The role bindings that somebody is created with; `field`: where in the request they stand. Internal roles are not
    /// found.
    pub(super) fn first_bindings(
        &mut self,
        field: &str,
        holder: Option<&HolderName>,
        given: &[RoleBinding],
    ) -> Vec<NewBinding> {
        if given.len() > MAX_CHANGES_OF_A_WRITE {
            self.wrong(field, format!("{} were given; the maximum is {MAX_CHANGES_OF_A_WRITE}", given.len()));
            return Vec::new();
        }
        let mut bindings = Vec::with_capacity(given.len());
        for (index, given) in given.iter().enumerate() {
            bindings.extend(binding_of(self, &format!("{field}[{index}]"), holder.cloned(), given, false));
        }
        bindings
    }
}

/// A role binding to be created, of this holder.
fn binding_of(
    fields: &mut Fields,
    place: &str,
    holder: Option<HolderName>,
    given: &RoleBinding,
    allow_internal: bool,
) -> Option<NewBinding> {
    let role = fields.role(&format!("{place}.role"), &given.role);
    let resource = match given.resource.as_str() {
        "" => None,
        path => fields.id(&format!("{place}.resource"), path, ResourcePath::new),
    };
    let expires = fields.time(&format!("{place}.expire_time"), given.expire_time);
    Some(NewBinding { place: place.to_owned(), holder: holder?, role: role?, resource, expires, allow_internal })
}
