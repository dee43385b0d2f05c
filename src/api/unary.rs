//! Methods that read and write their messages as bytes, put on a server in front of the generated ones.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use prost::bytes::Bytes;
use tonic::{
    Request, Response, Status,
    codegen::{Body, StdError},
    server::{Grpc, UnaryService},
};

use super::{
    Api, MAX_MESSAGE_BYTES,
    wire::{Plain, Written},
};

/// What is still to come.
pub(super) type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A method.
#[derive(Clone)]
pub(super) struct Unary {
    api: Api,
    answer: fn(Api, Bytes) -> Later<Result<Written, Status>>,
}

impl Unary {
    pub(super) fn new(api: &Api, answer: fn(Api, Bytes) -> Later<Result<Written, Status>>) -> Self {
        Self { api: api.clone(), answer }
    }
}

impl UnaryService<Bytes> for Unary {
    type Response = Written;
    type Future = Later<Result<Response<Written>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let answer = (self.answer)(self.api.clone(), request.into_inner());
        Box::pin(async move { answer.await.map(Response::new) })
    }
}

impl<B> tower::Service<http::Request<B>> for Unary
where
    B: Body + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Later<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let method = self.clone();
        Box::pin(async move {
            let mut grpc = Grpc::new(Plain).apply_max_message_size_config(Some(MAX_MESSAGE_BYTES), None);
            Ok(grpc.unary(method, request).await)
        })
    }
}
