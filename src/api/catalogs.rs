//! CatalogService.

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
    model::CatalogId,
    proto::{
        ApplyCatalogRequest, ApplyCatalogResponse, ApplyCatalogResult, CompareCatalogsRequest, CompareCatalogsResponse,
        DeleteCatalogRequest, DeleteCatalogResponse, ExportCatalogRequest, ExportCatalogResponse, GetCatalogRequest,
        GetCatalogResponse, ListCatalogsRequest, ListCatalogsResponse, apply_catalog_response::Event,
        catalog_service_server::CatalogService,
    },
    service::{self, Answer, AppliedCatalog, ReadAt},
};

/// The largest catalog file, in bytes.
const MAX_CATALOG_BYTES: usize = 64 << 20;
/// The size of the pieces that a file is sent in, in bytes.
const PIECE_BYTES: usize = 64 << 10;

#[tonic::async_trait]
impl CatalogService for Api {
    async fn get_catalog(&self, request: Request<GetCatalogRequest>) -> Result<Response<GetCatalogResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let id = fields.catalog("name", &request.name);
        let id = fields.done(id)?;
        let at = self.read_at(request.consistency.as_ref())?;
        let (catalog, revision) = self.service.get_catalog(id, at).await?;
        Ok(Response::new(GetCatalogResponse {
            catalog: Some(convert::catalog(&self.tokens, &catalog)),
            consistency_token: self.tokens.write(revision),
        }))
    }

    async fn list_catalogs(
        &self,
        request: Request<ListCatalogsRequest>,
    ) -> Result<Response<ListCatalogsResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let size = fields.page_size(request.page_size);
        let size = fields.done(Some(size))?;
        let arguments = ["ListCatalogs"];
        let page = self.page_at(&request.page_token, &arguments, request.consistency.as_ref())?;
        let after = page.after.as_ref().and_then(|after| CatalogId::new(after).ok());
        let list = self.service.list_catalogs(size, after, page.at).await?;
        Ok(Response::new(ListCatalogsResponse {
            catalogs: list.items.iter().map(|view| convert::catalog_head(&self.tokens, view)).collect(),
            next_page_token: self.next_page(list.next, list.revision, &page, &arguments),
            consistency_token: self.tokens.write(list.revision),
        }))
    }

    type ApplyCatalogStream = Answers<ApplyCatalogResponse>;

    async fn apply_catalog(
        &self,
        request: Request<Streaming<ApplyCatalogRequest>>,
    ) -> Result<Response<Self::ApplyCatalogStream>, Status> {
        let api = self.clone();
        let chunks = request.into_inner();
        let answers = self.transfers.answers(|sender| async move {
            let event = |event| ApplyCatalogResponse { event: Some(event) };
            let file = upload::receive(&api.transfers, chunks, MAX_CATALOG_BYTES).await?;
            let (manners, etag) = upload::manners(&api, &file)?;
            let allow_drops = file.options.allow_drops;
            let parsed = tokio::task::spawn_blocking(move || files::parse_catalog(&file.bytes)).await;
            let definition = match parsed.map_err(|_| Status::internal("the file could not be read"))? {
                Ok(definition) => definition,
                Err(problems) => {
                    return Err(upload::refuse(&sender, &problems, |problem| event(Event::Problem(problem))).await);
                }
            };
            let name = format!("catalogs/{}", definition.id);
            let in_use = Arc::new(Mutex::new(Vec::new()));
            let tokens = api.tokens;
            let write = service::apply_catalog(definition, allow_drops, etag, Arc::clone(&in_use));
            let write = write.answering(move |applied, revision| AppliedFile {
                applied,
                result: ApplyCatalogResult { name, consistency_token: tokens.write(revision) },
            });
            let outcome = api.service.answer(write, manners).await;
            let drops = match &outcome {
                Ok(file) => file.applied.drops.clone(),
                Err(_) => std::mem::take(&mut *in_use.lock().unwrap_or_else(PoisonError::into_inner)),
            };
            for drop in drops {
                upload::send(&sender, event(Event::Drop(convert::catalog_drop(drop)))).await?;
            }
            let AppliedFile { applied, result } = outcome?;
            for change in applied.changes {
                upload::send(&sender, event(Event::Change(convert::applied(change)))).await?;
            }
            upload::send(&sender, event(Event::Result(result))).await
        })?;
        Ok(Response::new(answers))
    }

    type ExportCatalogStream = Answers<ExportCatalogResponse>;

    async fn export_catalog(
        &self,
        request: Request<ExportCatalogRequest>,
    ) -> Result<Response<Self::ExportCatalogStream>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let id = fields.catalog("name", &request.name);
        let id = fields.done(id)?;
        let at = self.read_at(request.consistency.as_ref())?;
        let (catalog, revision) = self.service.get_catalog(id, at).await?;
        let token = self.tokens.write(revision);
        let text = files::write_catalog(&catalog.definition);
        Ok(Response::new(self.transfers.answers(|sender| async move {
            for piece in text.as_bytes().chunks(PIECE_BYTES) {
                let piece = ExportCatalogResponse { chunk: piece.to_vec(), consistency_token: token.clone() };
                upload::send(&sender, piece).await?;
            }
            Ok(())
        })?))
    }

    async fn compare_catalogs(
        &self,
        request: Request<CompareCatalogsRequest>,
    ) -> Result<Response<CompareCatalogsResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let before = fields.catalog("before", &request.before);
        let after = match request.after.as_str() {
            "" => before.clone(),
            after => fields.catalog("after", after),
        };
        let (before, after) = fields.done(before.zip(after))?;
        let at = |token: &str| match token {
            "" => Ok(ReadAt::Latest),
            token => self.reached(self.tokens.read(token)?).map(ReadAt::Exact),
        };
        let (before, after) = ((before, at(&request.before_token)?), (after, at(&request.after_token)?));
        let (changes, roles, revision) = self.service.compare_catalogs(before, after).await?;
        Ok(Response::new(CompareCatalogsResponse {
            changes: changes.into_iter().map(convert::applied).collect(),
            roles: roles.into_iter().map(convert::role_difference).collect(),
            consistency_token: self.tokens.write(revision),
        }))
    }

    async fn delete_catalog(
        &self,
        request: Request<DeleteCatalogRequest>,
    ) -> Result<Response<DeleteCatalogResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let id = fields.catalog("name", &request.name);
        let etag = fields.etag(&self.tokens, "etag", &request.etag);
        let id = fields.done(id)?;
        let write = service::delete_catalog(id, etag);
        self.respond(write, manners, |(), consistency_token| DeleteCatalogResponse { consistency_token }).await
    }
}

/// What came of a catalog file. Sent again, a file is answered by its result alone.
struct AppliedFile {
    applied: AppliedCatalog,
    result: ApplyCatalogResult,
}

impl Answer for AppliedFile {
    fn to_bytes(&self) -> Vec<u8> {
        self.result.encode_to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self { applied: AppliedCatalog::default(), result: ApplyCatalogResult::decode(bytes).ok()? })
    }
}
