//! AccessListService.

use tonic::{Request, Response, Status};

use super::{Api, MAX_LIST_BYTES, limit_size, parse::Fields};
use crate::{
    proto::{
        AccessList, AddAccessRequest, AddAccessResponse, ListAccessListsRequest, ListAccessListsResponse,
        RemoveAccessRequest, RemoveAccessResponse, SetAccessListRequest, SetAccessListResponse,
        access_list_service_server::AccessListService,
    },
    service::{self, AccessListView, MAX_ACCESS_VALUES},
};

#[tonic::async_trait]
impl AccessListService for Api {
    async fn list_access_lists(
        &self,
        request: Request<ListAccessListsRequest>,
    ) -> Result<Response<ListAccessListsResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let holder = fields.access_holder("parent", &request.parent);
        let (account, holder) = fields.done(holder)?;
        let at = self.read_at(request.consistency.as_ref())?;
        let (lists, revision) = self.service.list_access_lists(account, holder, at).await?;
        Ok(Response::new(ListAccessListsResponse {
            access_lists: lists.into_iter().map(access_list).collect(),
            consistency_token: self.tokens.write(revision),
        }))
    }

    async fn set_access_list(
        &self,
        request: Request<SetAccessListRequest>,
    ) -> Result<Response<SetAccessListResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let holder = fields.access_holder("parent", &request.parent);
        let given = fields.required("access_list", request.access_list).unwrap_or_default();
        fields.facet("access_list.facet", &given.facet);
        let (account, holder) = fields.done(holder)?;
        let write = service::replace_access_list(account, holder, given.facet, given.all, given.values);
        self.respond(write, manners, |view, consistency_token| SetAccessListResponse {
            access_list: Some(access_list(view)),
            consistency_token,
        })
        .await
    }

    async fn add_access(&self, request: Request<AddAccessRequest>) -> Result<Response<AddAccessResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let holder = fields.access_holder("parent", &request.parent);
        fields.facet("facet", &request.facet);
        fields.access_values(&request.values);
        let (account, holder) = fields.done(holder)?;
        let write = service::change_access(account, holder, request.facet, request.values, true);
        self.respond(write, manners, |view, consistency_token| AddAccessResponse {
            access_list: Some(access_list(view)),
            consistency_token,
        })
        .await
    }

    async fn remove_access(
        &self,
        request: Request<RemoveAccessRequest>,
    ) -> Result<Response<RemoveAccessResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let holder = fields.access_holder("parent", &request.parent);
        fields.facet("facet", &request.facet);
        fields.access_values(&request.values);
        let (account, holder) = fields.done(holder)?;
        let write = service::change_access(account, holder, request.facet, request.values, false);
        self.respond(write, manners, |view, consistency_token| RemoveAccessResponse {
            access_list: Some(access_list(view)),
            consistency_token,
        })
        .await
    }
}

impl Fields {
    /// The name of a facet. Whether the catalog has it is for whoever has the catalog.
    fn facet(&mut self, field: &str, text: &str) {
        self.id(field, text, crate::model::ResourceTypeId::check);
    }

    /// Values of an access list, 1 to 1,000. What they have to look like depends on the facet.
    fn access_values(&mut self, values: &[String]) {
        if values.is_empty() || values.len() > MAX_ACCESS_VALUES {
            self.wrong("values", format!("{} were given; 1 to {MAX_ACCESS_VALUES} are expected", values.len()));
        }
    }
}

fn access_list(view: AccessListView) -> AccessList {
    AccessList { facet: view.facet, all: view.all, values: view.values }
}
