//! The clients of a run. They note every method that is called, so that a method which no run ever called is found.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use prost::Message as _;
use rolecall::proto::{
    DESCRIPTORS, access_list_service_client::AccessListServiceClient,
    access_policy_service_client::AccessPolicyServiceClient, account_service_client::AccountServiceClient,
    authorization_service_client::AuthorizationServiceClient, catalog_service_client::CatalogServiceClient,
    exception_service_client::ExceptionServiceClient, resource_service_client::ResourceServiceClient,
    role_binding_service_client::RoleBindingServiceClient, role_service_client::RoleServiceClient,
    service_account_service_client::ServiceAccountServiceClient, team_service_client::TeamServiceClient,
    user_service_client::UserServiceClient,
};
use tonic::{
    GrpcMethod, Request, Status,
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};

use super::Set;

type Noted = InterceptedService<Channel, Notes>;

/// A client of each service, all over one connection.
#[derive(Clone)]
pub struct Wire {
    pub authorization: AuthorizationServiceClient<Noted>,
    pub catalogs: CatalogServiceClient<Noted>,
    pub accounts: AccountServiceClient<Noted>,
    pub users: UserServiceClient<Noted>,
    pub service_accounts: ServiceAccountServiceClient<Noted>,
    pub teams: TeamServiceClient<Noted>,
    pub roles: RoleServiceClient<Noted>,
    pub bindings: RoleBindingServiceClient<Noted>,
    pub resources: ResourceServiceClient<Noted>,
    pub policies: AccessPolicyServiceClient<Noted>,
    pub access: AccessListServiceClient<Noted>,
    pub exceptions: ExceptionServiceClient<Noted>,
    pub notes: Notes,
}

/// Which methods were called, as `package.Service/Method`.
#[derive(Clone, Default)]
pub struct Notes(Arc<Mutex<Set>>);

impl Wire {
    pub async fn connect(address: &str) -> Self {
        let channel = Channel::from_shared(address.to_owned()).unwrap().connect().await.unwrap();
        let notes = Notes::default();
        let noted = || (channel.clone(), notes.clone());
        macro_rules! client {
            ($client:ident) => {{
                let (channel, notes) = noted();
                $client::with_interceptor(channel, notes)
            }};
        }
        Self {
            authorization: client!(AuthorizationServiceClient),
            catalogs: client!(CatalogServiceClient),
            accounts: client!(AccountServiceClient),
            users: client!(UserServiceClient),
            service_accounts: client!(ServiceAccountServiceClient),
            teams: client!(TeamServiceClient),
            roles: client!(RoleServiceClient),
            bindings: client!(RoleBindingServiceClient),
            resources: client!(ResourceServiceClient),
            policies: client!(AccessPolicyServiceClient),
            access: client!(AccessListServiceClient),
            exceptions: client!(ExceptionServiceClient),
            notes,
        }
    }
}

impl Notes {
    /// The methods of the API that were never called.
    pub fn not_called(&self) -> Set {
        methods().difference(&self.0.lock().unwrap()).cloned().collect()
    }
}

impl Interceptor for Notes {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let method = request.extensions().get::<GrpcMethod<'_>>().expect("a generated client says its method");
        let mut called = self.0.lock().unwrap();
        let name = format!("{}/{}", method.service(), method.method());
        if !called.contains(&name) {
            called.insert(name);
        }
        Ok(request)
    }
}

/// Every method of the API, as reflection shows it.
fn methods() -> BTreeSet<String> {
    let files = prost_types::FileDescriptorSet::decode(DESCRIPTORS).unwrap();
    let mut methods = BTreeSet::new();
    for file in files.file.iter().filter(|file| file.package().starts_with("rolecall.")) {
        for service in &file.service {
            for method in &service.method {
                methods.insert(format!("{}.{}/{}", file.package(), service.name(), method.name()));
            }
        }
    }
    assert!(methods.len() > 60, "{methods:?}");
    methods
}
