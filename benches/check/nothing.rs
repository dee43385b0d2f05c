//! The answers of the servers that do nothing.

use std::{hint::black_box, io::Read as _, path::Path, thread};

use prost::Message as _;
use rolecall::proto::{
    BatchCheckRequest, BatchCheckResponse, BatchCheckResult, CheckRequest, CheckResponse, Decision, DecisionReason,
    ListApiScopesRequest, ListApiScopesResponse, ListPermissionsRequest, ListPermissionsResponse, ListResourcesRequest,
    ListResourcesResponse, ListSubjectsRequest, ListSubjectsResponse,
    authorization_service_server::AuthorizationService,
};
use tonic::{Request, Response, Status};

/// Ends the process when standard input ends: whoever started it is gone then.
pub fn end_with_parent() {
    thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
}

/// Answers yes to everything.
pub struct Nothing {
    list: ListPermissionsResponse,
}

impl Nothing {
    /// `list`: the file that has the answer to ListPermissions.
    pub fn new(list: Option<&Path>) -> Self {
        let bytes = list.map(|file| std::fs::read(file).unwrap()).unwrap_or_default();
        Self { list: ListPermissionsResponse::decode(&bytes[..]).unwrap() }
    }
}

const TOKEN: &str = "AWMAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Yes to each item of a batch.
pub fn yes_to_all(request: &BatchCheckRequest) -> BatchCheckResponse {
    let yes =
        |_| BatchCheckResult { decision: Decision::Allow.into(), reason: DecisionReason::Allowed.into(), error: None };
    BatchCheckResponse { results: request.items.iter().map(yes).collect(), consistency_token: TOKEN.to_owned() }
}

#[tonic::async_trait]
impl AuthorizationService for Nothing {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        black_box(request.into_inner());
        Ok(Response::new(CheckResponse {
            decision: Decision::Allow.into(),
            reason: DecisionReason::Allowed.into(),
            consistency_token: TOKEN.to_owned(),
        }))
    }

    async fn batch_check(&self, request: Request<BatchCheckRequest>) -> Result<Response<BatchCheckResponse>, Status> {
        Ok(Response::new(yes_to_all(&request.into_inner())))
    }

    async fn list_permissions(
        &self,
        request: Request<ListPermissionsRequest>,
    ) -> Result<Response<ListPermissionsResponse>, Status> {
        black_box(request.into_inner());
        Ok(Response::new(self.list.clone()))
    }

    async fn list_api_scopes(
        &self,
        _: Request<ListApiScopesRequest>,
    ) -> Result<Response<ListApiScopesResponse>, Status> {
        Err(Status::unimplemented("it is not measured"))
    }

    async fn list_subjects(&self, _: Request<ListSubjectsRequest>) -> Result<Response<ListSubjectsResponse>, Status> {
        Err(Status::unimplemented("it is not measured"))
    }

    async fn list_resources(
        &self,
        _: Request<ListResourcesRequest>,
    ) -> Result<Response<ListResourcesResponse>, Status> {
        Err(Status::unimplemented("it is not measured"))
    }
}
