//! AccountService.

use std::sync::{Arc, Mutex, PoisonError};

use prost::Message as _;
use tonic::{Request, Response, Status, Streaming};

use super::{
    Api, MAX_LIST_BYTES, convert, limit_size,
    parse::Fields,
    upload::{self, Answers},
};
use crate::{
    files,
    model::AccountId,
    proto::{
        ApplyAccountRequest, ApplyAccountResponse, ApplyAccountResult, CreateAccountRequest, CreateAccountResponse,
        DeleteAccountRequest, DeleteAccountResponse, ExportAccountRequest, ExportAccountResponse, GetAccountRequest,
        GetAccountResponse, ListAccountsRequest, ListAccountsResponse, UpdateAccountRequest, UpdateAccountResponse,
        account_service_server::AccountService, apply_account_response::Event,
    },
    service::{self, AccountUpdate, Answer, Applied, NewAccount},
};

/// The largest account file, in bytes.
const MAX_ACCOUNT_BYTES: usize = 1 << 30;

#[tonic::async_trait]
impl AccountService for Api {
    async fn get_account(&self, request: Request<GetAccountRequest>) -> Result<Response<GetAccountResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let id = fields.account("name", &request.name);
        let id = fields.done(id)?;
        let at = self.read_at(request.consistency.as_ref())?;
        let (view, revision) = self.service.get_account(id, at).await?;
        let account = Some(convert::account(&self.tokens, view));
        Ok(Response::new(GetAccountResponse { account, consistency_token: self.tokens.write(revision) }))
    }

    async fn list_accounts(
        &self,
        request: Request<ListAccountsRequest>,
    ) -> Result<Response<ListAccountsResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let size = fields.page_size(request.page_size);
        let size = fields.done(Some(size))?;
        let arguments = ["ListAccounts"];
        let page = self.page_at(&request.page_token, &arguments, request.consistency.as_ref())?;
        let after = page.after.as_ref().and_then(|after| AccountId::new(after).ok());
        let list = self.service.list_accounts(size, after, page.at).await?;
        Ok(Response::new(ListAccountsResponse {
            accounts: list.items.into_iter().map(|view| convert::account(&self.tokens, view)).collect(),
            next_page_token: self.next_page(list.next, list.revision, &page, &arguments),
            consistency_token: self.tokens.write(list.revision),
        }))
    }

    async fn create_account(
        &self,
        request: Request<CreateAccountRequest>,
    ) -> Result<Response<CreateAccountResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let id = fields.id("account_id", &request.account_id, AccountId::new);
        let given = fields.required("account", request.account).unwrap_or_default();
        let display_name = fields.name("account.display_name", given.display_name);
        let catalog = fields.catalog("account.catalog", &given.catalog);
        let state = fields.account_state("account.state", given.state);
        let features = fields.features("account.features", &given.features);
        let ((id, catalog), state) = fields.done(id.zip(catalog).zip(state))?;
        let new = NewAccount { id, display_name, catalog, state, features };
        let (tokens, write) = (self.tokens, service::create_account(new));
        self.respond(write, manners, move |view, consistency_token| CreateAccountResponse {
            account: Some(convert::account(&tokens, view)),
            consistency_token,
        })
        .await
    }

    async fn update_account(
        &self,
        request: Request<UpdateAccountRequest>,
    ) -> Result<Response<UpdateAccountResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let given = fields.required("account", request.account).unwrap_or_default();
        let id = fields.account("account.name", &given.name);
        let etag = fields.etag(&self.tokens, "account.etag", &given.etag);
        let mask = fields.mask(request.update_mask, &["display_name", "catalog", "state", "features"]);
        let display_name = mask.take("display_name", || fields.name("account.display_name", given.display_name));
        // Without a mask an empty catalog means the one that it has, which is all that it can be.
        let wants_catalog = !(mask.is_whole && given.catalog.is_empty());
        let catalog = mask.take("catalog", || fields_catalog(&mut fields, wants_catalog, &given.catalog)).flatten();
        let state = fields.updated_state(&mask, "account.state", given.state, Fields::account_state);
        let features = mask.take("features", || fields.features("account.features", &given.features));
        let id = fields.done(id)?;
        let update = AccountUpdate { display_name, catalog, state, features };
        let (tokens, write) = (self.tokens, service::update_account(id, update, etag));
        self.respond(write, manners, move |view, consistency_token| UpdateAccountResponse {
            account: Some(convert::account(&tokens, view)),
            consistency_token,
        })
        .await
    }

    async fn delete_account(
        &self,
        request: Request<DeleteAccountRequest>,
    ) -> Result<Response<DeleteAccountResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let id = fields.account("name", &request.name);
        let etag = fields.etag(&self.tokens, "etag", &request.etag);
        let id = fields.done(id)?;
        let write = service::delete_account(id, etag);
        self.respond(write, manners, |(), consistency_token| DeleteAccountResponse { consistency_token }).await
    }

    type ApplyAccountStream = Answers<ApplyAccountResponse>;

    async fn apply_account(
        &self,
        request: Request<Streaming<ApplyAccountRequest>>,
    ) -> Result<Response<Self::ApplyAccountStream>, Status> {
        let api = self.clone();
        let chunks = request.into_inner();
        let answers = self.transfers.answers(|sender| async move {
            let event = |event| ApplyAccountResponse { event: Some(event) };
            let file = upload::receive(&api.transfers, chunks, MAX_ACCOUNT_BYTES).await?;
            let (manners, etag) = upload::manners(&api, &file)?;
            let parsed = tokio::task::spawn_blocking(move || files::parse_account(&file.bytes)).await;
            let definition = match parsed.map_err(|_| Status::internal("the file could not be read"))? {
                Ok(definition) => definition,
                Err(problems) => {
                    return Err(upload::refuse(&sender, &problems, |problem| event(Event::Problem(problem))).await);
                }
            };
            let name = format!("accounts/{}", definition.id.value);
            let found = Arc::new(Mutex::new(None));
            let (tokens, result_name) = (api.tokens, name);
            let write =
                service::apply_account(definition, etag, Arc::clone(&found)).answering(move |changes, revision| {
                    let consistency_token = tokens.write(revision);
                    AppliedFile { changes, result: ApplyAccountResult { name: result_name, consistency_token } }
                });
            let applied = api.service.answer(write, manners).await;
            let problems = found.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(problems) = problems.filter(|_| applied.is_err()) {
                return Err(upload::refuse(&sender, &problems, |problem| event(Event::Problem(problem))).await);
            }
            let AppliedFile { changes, result } = applied?;
            for change in changes {
                upload::send(&sender, event(Event::Change(convert::applied(change)))).await?;
            }
            upload::send(&sender, event(Event::Result(result))).await
        })?;
        Ok(Response::new(answers))
    }

    type ExportAccountStream = Answers<ExportAccountResponse>;

    async fn export_account(
        &self,
        request: Request<ExportAccountRequest>,
    ) -> Result<Response<Self::ExportAccountStream>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let id = fields.account("name", &request.name);
        let id = fields.done(id)?;
        let at = self.read_at(request.consistency.as_ref())?;
        let mut export = self.service.export_account(id, at).await?;
        let token = self.tokens.write(export.revision());
        Ok(Response::new(self.transfers.answers(|sender| async move {
            while let Some(piece) = export.next().await? {
                let piece = ExportAccountResponse { chunk: piece.into_bytes(), consistency_token: token.clone() };
                upload::send(&sender, piece).await?;
            }
            Ok(())
        })?))
    }
}

fn fields_catalog(fields: &mut Fields, is_wanted: bool, text: &str) -> Option<crate::model::CatalogId> {
    if is_wanted { fields.catalog("account.catalog", text) } else { None }
}

/// What came of an account file. Sent again, a file is answered by its result alone.
struct AppliedFile {
    changes: Vec<Applied>,
    result: ApplyAccountResult,
}

impl Answer for AppliedFile {
    fn to_bytes(&self) -> Vec<u8> {
        self.result.encode_to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self { changes: Vec::new(), result: ApplyAccountResult::decode(bytes).ok()? })
    }
}
