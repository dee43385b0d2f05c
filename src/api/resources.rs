//! ResourceService.

use tonic::{Request, Response, Status};

use super::{Api, MAX_LIST_BYTES, Tokens, convert, limit_size, parse::Fields};
use crate::{
    model::{AccountId, Number, ResourcePath, ResourceTypeId},
    proto::{
        BatchCreateResourcesRequest, BatchCreateResourcesResponse, CreateResourceRequest, CreateResourceResponse,
        DeleteResourceRequest, DeleteResourceResponse, GetResourceRequest, GetResourceResponse,
        ListRegisteredResourcesRequest, ListRegisteredResourcesResponse, Resource, UpdateResourceRequest,
        UpdateResourceResponse, resource_service_server::ResourceService,
    },
    service::{self, MAX_CHANGES_OF_A_WRITE, NewResource, ResourceFilter, ResourceView},
};

#[tonic::async_trait]
impl ResourceService for Api {
    async fn get_resource(
        &self,
        request: Request<GetResourceRequest>,
    ) -> Result<Response<GetResourceResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let name = fields.resource("name", &request.name);
        let (account, path) = fields.done(name)?;
        let at = self.read_at(request.consistency.as_ref())?;
        let (view, revision) = self.service.get_resource(account.clone(), path, at).await?;
        Ok(Response::new(GetResourceResponse {
            resource: Some(resource(&self.tokens, &account, view)),
            consistency_token: self.tokens.write(revision),
        }))
    }

    async fn list_registered_resources(
        &self,
        request: Request<ListRegisteredResourcesRequest>,
    ) -> Result<Response<ListRegisteredResourcesResponse>, Status> {
        let request = request.into_inner();
        limit_size(&request, MAX_LIST_BYTES)?;
        let mut fields = Fields::default();
        let size = fields.page_size(request.page_size);
        let account = fields.account("parent", &request.parent);
        let (below, resource_type) = (request.below.as_str(), request.resource_type.as_str());
        let filter = ResourceFilter {
            below: (!below.is_empty()).then(|| fields.id("below", below, ResourcePath::new)).flatten(),
            resource_type: (!resource_type.is_empty())
                .then(|| fields.id("resource_type", resource_type, ResourceTypeId::new))
                .flatten(),
        };
        let account = fields.done(account)?;
        let arguments = ["ListRegisteredResources", account.as_str(), below, resource_type];
        let page = self.page_at(&request.page_token, &arguments, request.consistency.as_ref())?;
        let after = page.after.as_ref().and_then(|after| after.parse().ok()).map(Number);
        let list = self.service.list_registered_resources(account.clone(), filter, size, after, page.at).await?;
        Ok(Response::new(ListRegisteredResourcesResponse {
            resources: list.items.into_iter().map(|view| resource(&self.tokens, &account, view)).collect(),
            next_page_token: self.next_page(list.next, list.revision, &page, &arguments),
            consistency_token: self.tokens.write(list.revision),
        }))
    }

    async fn create_resource(
        &self,
        request: Request<CreateResourceRequest>,
    ) -> Result<Response<CreateResourceResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let account = fields.account("parent", &request.parent);
        let given = fields.required("resource", request.resource).unwrap_or_default();
        let new = fields.new_resource("resource", given);
        let (account, new) = fields.done(account.zip(new))?;
        let (tokens, write) = (self.tokens, service::create_resource(account.clone(), new));
        self.respond(write, manners, move |view, consistency_token| CreateResourceResponse {
            resource: Some(resource(&tokens, &account, view)),
            consistency_token,
        })
        .await
    }

    async fn batch_create_resources(
        &self,
        request: Request<BatchCreateResourcesRequest>,
    ) -> Result<Response<BatchCreateResourcesResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let account = fields.account("parent", &request.parent);
        let given = request.resources;
        if given.is_empty() || given.len() > MAX_CHANGES_OF_A_WRITE {
            let expected = format!("1 to {MAX_CHANGES_OF_A_WRITE} are expected");
            fields.wrong("resources", format!("{} were given; {expected}", given.len()));
        }
        let mut new = Vec::new();
        for (index, given) in given.into_iter().take(MAX_CHANGES_OF_A_WRITE).enumerate() {
            new.extend(fields.new_resource(&format!("resources[{index}]"), given));
        }
        let account = fields.done(account)?;
        let (tokens, write) = (self.tokens, service::create_resources(account.clone(), new));
        self.respond(write, manners, move |views, consistency_token| BatchCreateResourcesResponse {
            resources: views.into_iter().map(|view| resource(&tokens, &account, view)).collect(),
            consistency_token,
        })
        .await
    }

    async fn update_resource(
        &self,
        request: Request<UpdateResourceRequest>,
    ) -> Result<Response<UpdateResourceResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let given = fields.required("resource", request.resource).unwrap_or_default();
        let name = fields.resource("resource.name", &given.name);
        let etag = fields.etag(&self.tokens, "resource.etag", &given.etag);
        let mask = fields.mask(request.update_mask, &["display_name"]);
        let display_name = mask.take("display_name", || fields.name("resource.display_name", given.display_name));
        let (account, path) = fields.done(name)?;
        let (tokens, write) = (self.tokens, service::update_resource(account.clone(), path, display_name, etag));
        self.respond(write, manners, move |view, consistency_token| UpdateResourceResponse {
            resource: Some(resource(&tokens, &account, view)),
            consistency_token,
        })
        .await
    }

    async fn delete_resource(
        &self,
        request: Request<DeleteResourceRequest>,
    ) -> Result<Response<DeleteResourceResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let manners = fields.manners(&request, request.validate_only, &request.request_id);
        let name = fields.resource("name", &request.name);
        let etag = fields.etag(&self.tokens, "etag", &request.etag);
        let (account, path) = fields.done(name)?;
        let write = service::delete_resource(account, path, request.force, etag);
        self.respond(write, manners, |removed, consistency_token| DeleteResourceResponse {
            consistency_token,
            removed: removed.into_iter().map(convert::removed).collect(),
        })
        .await
    }
}

impl Fields {
    fn new_resource(&mut self, field: &str, given: Resource) -> Option<NewResource> {
        let path = self.id(&format!("{field}.path"), &given.path, ResourcePath::new);
        let display_name = self.name(&format!("{field}.display_name"), given.display_name);
        path.map(|path| NewResource { path, display_name })
    }
}

fn resource(tokens: &Tokens, account: &AccountId, view: ResourceView) -> Resource {
    Resource {
        name: format!("accounts/{account}/resources/{}", view.path),
        path: view.path.to_string(),
        resource_type: view.resource_type.to_string(),
        display_name: view.display_name,
        create_time: Some(convert::time(view.created)),
        update_time: Some(convert::time(view.updated)),
        etag: tokens.write_etag(view.etag),
    }
}
