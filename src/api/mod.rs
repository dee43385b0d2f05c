//! The gRPC edge: requests parsed into values that cannot be wrong, one call of `service`, answers put into messages.
//!
//! Handlers are three steps: parse, ask, answer. Whatever is not a well-formed request ends here, with every bad field
//! named. Nothing here decides anything or reads the store. Read [`Api`], then `authorization`.

mod access_lists;
mod accounts;
mod authorization;
mod batch;
#[cfg(test)]
mod batch_tests;
mod bindings;
mod catalogs;
mod convert;
mod exceptions;
mod guard;
mod import;
mod names;
mod new_access;
mod parse;
mod permissions;
mod policies;
mod resources;
mod roles;
mod service_accounts;
mod status;
mod teams;
mod tokens;
mod unary;
mod upload;
mod users;
mod wire;
#[cfg(test)]
mod wire_tests;

pub use guard::{GuardLayer, Guarded};
pub use tokens::Tokens;
pub use wire::Written;

use tonic::{Response, Status, service::Routes};
use unary::Unary;

use crate::{
    model::Revision,
    proto::{self, Consistency, consistency::Requirement},
    service::{Answer, ErrorReason, Manners, ReadAt, Service, ServiceError, Write},
};

/// The largest Check request, in bytes.
const MAX_CHECK_BYTES: usize = 16 << 10;
/// The largest list request, in bytes.
const MAX_LIST_BYTES: usize = 64 << 10;
/// The largest management request, batch, or message of a stream, in bytes.
const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// Every service of the API over one set of use cases. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    service: Service,
    tokens: Tokens,
    transfers: upload::Transfers,
}

impl Api {
    /// The API of one store.
    #[must_use]
    pub fn new(service: Service, store_id: u64) -> Self {
        Self { service, tokens: Tokens::new(store_id), transfers: upload::Transfers::default() }
    }

    /// Does a write as it wants to be treated, and answers it. `answer` makes the answer of what came of the write and the
    /// consistency token.
    async fn respond<T: Send + 'static, R: prost::Message + Default + 'static>(
        &self,
        write: Write<T>,
        manners: Manners,
        answer: impl FnOnce(T, String) -> R + Send + 'static,
    ) -> Result<Response<R>, Status> {
        let tokens = self.tokens;
        let write = write.answering(move |value, revision| Message(answer(value, tokens.write(revision))));
        let Message(answer) = self.service.answer(write, manners).await?;
        Ok(Response::new(answer))
    }

    /// Refuses a token of a revision that this server has not reached.
    fn reached(&self, revision: Revision) -> Result<Revision, ServiceError> {
        if revision <= self.service.head().revision {
            return Ok(revision);
        }
        Err(ServiceError::new(
            ErrorReason::TokenForeign,
            "the token is ahead of this server: it was given out by another store, or by this one before it was restored",
        ))
    }

    /// Which revision a consistency requirement comes to.
    fn read_at(&self, consistency: Option<&Consistency>) -> Result<ReadAt, ServiceError> {
        let reached = |token: &str| self.reached(self.tokens.read(token)?);
        match consistency.and_then(|consistency| consistency.requirement.as_ref()) {
            // One server has everything that it has acknowledged, so the first three come to the same.
            None | Some(Requirement::MinimizeLatency(_) | Requirement::FullyConsistent(_)) => Ok(ReadAt::Latest),
            Some(Requirement::AtLeastAsFresh(token)) => reached(token).map(|_| ReadAt::Latest),
            Some(Requirement::AtExactRevision(token)) => reached(token).map(ReadAt::Exact),
        }
    }
}

/// A message as an answer that can be kept.
struct Message<M>(M);

impl<M: prost::Message + Default + 'static> Answer for Message<M> {
    fn to_bytes(&self) -> Vec<u8> {
        self.0.encode_to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        M::decode(bytes).ok().map(Self)
    }
}

macro_rules! servers {
    ($($method:ident, $module:ident, $server:ident;)*) => {
        impl Api {
            $(
                /// The service, ready to be added to a server, with its limits.
                #[must_use]
                pub fn $method(&self) -> proto::$module::$server<Self> {
                    proto::$module::$server::new(self.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES)
                }
            )*

            /// Every service, ready to be put on a server.
            #[must_use]
            pub fn routes(&self) -> Routes {
                let routes = Routes::default()$(.add_service(self.$method()))*;
                // Who names the whole path is asked before the services are.
                let batch = Unary::new(self, |api, request| Box::pin(async move { api.answer_batch(&request).await }));
                let permissions =
                    Unary::new(self, |api, request| Box::pin(async move { api.answer_permissions(&request).await }));
                let router = routes.into_axum_router();
                router
                    .route_service("/rolecall.v1.AuthorizationService/BatchCheck", batch)
                    .route_service("/rolecall.v1.AuthorizationService/ListPermissions", permissions)
                    .into()
            }
        }
    };
}

servers! {
    authorization_service, authorization_service_server, AuthorizationServiceServer;
    catalog_service, catalog_service_server, CatalogServiceServer;
    account_service, account_service_server, AccountServiceServer;
    user_service, user_service_server, UserServiceServer;
    team_service, team_service_server, TeamServiceServer;
    role_service, role_service_server, RoleServiceServer;
    service_account_service, service_account_service_server, ServiceAccountServiceServer;
    role_binding_service, role_binding_service_server, RoleBindingServiceServer;
    access_policy_service, access_policy_service_server, AccessPolicyServiceServer;
    resource_service, resource_service_server, ResourceServiceServer;
    access_list_service, access_list_service_server, AccessListServiceServer;
    exception_service, exception_service_server, ExceptionServiceServer;
}

/// Refuses a request that is larger than its kind may be.
fn limit_size(request: &impl prost::Message, maximum: usize) -> Result<(), ServiceError> {
    let size = request.encoded_len();
    if size <= maximum {
        return Ok(());
    }
    Err(ServiceError::field("request", format!("the message has {size} bytes; the maximum is {maximum}")))
}
