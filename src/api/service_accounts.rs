//! ServiceAccountService.

use tonic::{Request, Response, Status};

use super::{Api, MAX_LIST_BYTES, convert, limit_size, parse::Fields};
use crate::{
    model::ServiceAccountId,
    proto::{
        CreateServiceAccountRequest, CreateServiceAccountResponse, DeleteServiceAccountRequest,
        DeleteServiceAccountResponse, GetServiceAccountRequest, GetServiceAccountResponse, ListServiceAccountsRequest,
        ListServiceAccountsResponse, UpdateServiceAccountRequest, UpdateServiceAccountResponse,
        service_account_service_server::ServiceAccountService,
    },
    service::{self, HolderName, MAX_CHANGES_OF_A_WRITE, NewServiceAccount, ServiceAccountUpdate},
};

#[tonic::async_trait]
impl ServiceAccountService for Api {
    async fn get_service_account(
        &self,
        request: Request<GetServiceAccountRequest>,
    ) -> Result<Response<GetServiceAccountResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let name = fields.service_account("name", &request.name);
        let (account, id) = fields.done(name)?;
        let at = self.read_at(request.consistency.as_ref())?;
        let (view, revision) = self.service.get_service_account(account.clone(), id, at).await?;
        Ok(Response::new(GetServiceAccountResponse {
            service_account: Some(convert::service_account(&self.tokens, &account, view)),
            consistency_token: self.tokens.write(revision),
        }))
    }

    async fn list_service_accounts(
        &self,
        request: Request<ListServiceAccountsRequest>,
    ) -> Result<Response<ListServiceAccountsResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let size = fields.page_size(request.page_size);
        let account = fields.account("parent", &request.parent);
        let search = fields.search(&request.search);
        let account = fields.done(account)?;
        let arguments = ["ListServiceAccounts", account.as_str(), &search];
        let page = self.page_at(&request.page_token, &arguments, request.consistency.as_ref())?;
        let after = page.after.as_ref().and_then(|after| ServiceAccountId::new(after).ok());
        let list = self.service.list_service_accounts(account.clone(), search.clone(), size, after, page.at).await?;
        let shown = |view| convert::service_account(&self.tokens, &account, view);
        Ok(Response::new(ListServiceAccountsResponse {
            service_accounts: list.items.into_iter().map(shown).collect(),
            next_page_token: self.next_page(list.next, list.revision, &page, &arguments),
            consistency_token: self.tokens.write(list.revision),
        }))
    }

    async fn create_service_account(
        &self,
        request: Request<CreateServiceAccountRequest>,
    ) -> Result<Response<CreateServiceAccountResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let account = fields.account("parent", &request.parent);
        let id = fields.id("service_account_id", &request.service_account_id, ServiceAccountId::new);
        let given = fields.required("service_account", request.service_account).unwrap_or_default();
        let display_name = fields.name("service_account.display_name", given.display_name);
        let description = fields.description("service_account.description", given.description);
        let state = fields.service_account_state("service_account.state", given.state);
        let roles = fields.roles("roles", &request.roles, MAX_CHANGES_OF_A_WRITE);
        let holder = id.clone().map(HolderName::ServiceAccount);
        let bindings = fields.first_bindings("role_bindings", holder.as_ref(), &request.role_bindings);
        let ((account, id), state) = fields.done(account.zip(id).zip(state))?;
        let new = NewServiceAccount { id, display_name, description, state, roles, bindings };
        let (tokens, write) = (self.tokens, service::create_service_account(account.clone(), new));
        self.respond(write, manners, move |view, consistency_token| CreateServiceAccountResponse {
            service_account: Some(convert::service_account(&tokens, &account, view)),
            consistency_token,
        })
        .await
    }

    async fn update_service_account(
        &self,
        request: Request<UpdateServiceAccountRequest>,
    ) -> Result<Response<UpdateServiceAccountResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let given = fields.required("service_account", request.service_account).unwrap_or_default();
        let name = fields.service_account("service_account.name", &given.name);
        let etag = fields.etag(&self.tokens, "service_account.etag", &given.etag);
        let mask = fields.mask(request.update_mask, &["display_name", "description", "state"]);
        let state = fields.updated_state(&mask, "service_account.state", given.state, Fields::service_account_state);
        let update = ServiceAccountUpdate {
            state,
            display_name: mask.take("display_name", || fields.name("service_account.display_name", given.display_name)),
            description: mask
                .take("description", || fields.description("service_account.description", given.description)),
        };
        let (account, id) = fields.done(name)?;
        let (tokens, write) = (self.tokens, service::update_service_account(account.clone(), id, update, etag));
        self.respond(write, manners, move |view, consistency_token| UpdateServiceAccountResponse {
            service_account: Some(convert::service_account(&tokens, &account, view)),
            consistency_token,
        })
        .await
    }

    async fn delete_service_account(
        &self,
        request: Request<DeleteServiceAccountRequest>,
    ) -> Result<Response<DeleteServiceAccountResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let name = fields.service_account("name", &request.name);
        let etag = fields.etag(&self.tokens, "etag", &request.etag);
        let (account, id) = fields.done(name)?;
        let write = service::delete_service_account(account, id, etag);
        self.respond(write, manners, |(), consistency_token| DeleteServiceAccountResponse { consistency_token }).await
    }
}
