//! CatalogService.

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
        ApplyCatalogRequest, ApplyCatalogResponse, ApplyCatalogResult, DeleteCatalogRequest, DeleteCatalogResponse,
        ExportCatalogRequest, ExportCatalogResponse, GetCatalogRequest, GetCatalogResponse, ListCatalogsRequest,
        ListCatalogsResponse, apply_catalog_response::Event, catalog_service_server::CatalogService,
    },
};

/// The largest catalog file, in bytes.
const MAX_CATALOG_BYTES: usize = 64 << 20;
/// The size of the pieces that a file is sent in, in bytes.
const PIECE_BYTES: usize = 64 << 10;

#[tonic::async_trait]
impl CatalogService for Api {
    async fn compare_catalogs(
        &self,
        _: Request<crate::proto::CompareCatalogsRequest>,
    ) -> Result<Response<crate::proto::CompareCatalogsResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
    async fn get_catalog(&self, request: Request<GetCatalogRequest>) -> Result<Response<GetCatalogResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let id = fields.catalog("name", &request.name);
        let id = fields.done(id)?;
        let at = self.read_at(request.consistency.as_ref())?;
        let (catalog, revision) = self.service.get_catalog(id, at).await?;
        Ok(Response::new(GetCatalogResponse {
            catalog: Some(convert::catalog(&catalog)),
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
        let (at, page) = self.page_at(&request.page_token, &arguments, request.consistency.as_ref())?;
        let after = page.as_ref().and_then(|page| CatalogId::new(&page.cursor).ok());
        let list = self.service.list_catalogs(size, after, at).await?;
        Ok(Response::new(ListCatalogsResponse {
            catalogs: list.items.iter().map(convert::catalog_head).collect(),
            next_page_token: self.next_page(list.next, list.revision, page.as_ref(), &arguments),
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
            let parsed = tokio::task::spawn_blocking(move || files::parse_catalog(&file.bytes)).await;
            let definition = match parsed.map_err(|_| Status::internal("the file could not be read"))? {
                Ok(definition) => definition,
                Err(problems) => {
                    return Err(upload::refuse(&sender, &problems, |problem| event(Event::Problem(problem))).await);
                }
            };
            let name = format!("catalogs/{}", definition.id);
            let written = api.service.apply_catalog(definition).await?;
            for change in written.value {
                upload::send(&sender, event(Event::Change(convert::applied(change)))).await?;
            }
            let consistency_token = api.tokens.write(written.revision);
            upload::send(&sender, event(Event::Result(ApplyCatalogResult { name, consistency_token }))).await
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
        let text = files::write_catalog(&catalog);
        Ok(Response::new(self.transfers.answers(|sender| async move {
            for piece in text.as_bytes().chunks(PIECE_BYTES) {
                let piece = ExportCatalogResponse { chunk: piece.to_vec(), consistency_token: token.clone() };
                upload::send(&sender, piece).await?;
            }
            Ok(())
        })?))
    }

    async fn delete_catalog(
        &self,
        request: Request<DeleteCatalogRequest>,
    ) -> Result<Response<DeleteCatalogResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let id = fields.catalog("name", &request.name);
        let id = fields.done(id)?;
        let written = self.service.delete_catalog(id).await?;
        Ok(Response::new(DeleteCatalogResponse { consistency_token: self.tokens.write(written.revision) }))
    }
}
