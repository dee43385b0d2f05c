//! The connection to a server, and how long anything may take.
//!
//! The commands use the generated clients like every other caller; this adds an address that people can type, limits
//! that let a large answer and a long error through, and one meaning of a time-out. Start with [`Client::connect`].

use std::{error::Error as _, future::Future, time::Duration};

use futures_util::future::LocalBoxFuture;
use http::{Uri, uri::Scheme};
use tonic::{
    Code, Request, Response, Status,
    transport::{Channel, Endpoint},
};

use super::{
    exit::{Exit, Failure},
    output::Format,
};
use crate::proto::{
    access_list_service_client::AccessListServiceClient, access_policy_service_client::AccessPolicyServiceClient,
    account_service_client::AccountServiceClient, authorization_service_client::AuthorizationServiceClient,
    catalog_service_client::CatalogServiceClient, exception_service_client::ExceptionServiceClient,
    resource_service_client::ResourceServiceClient, role_binding_service_client::RoleBindingServiceClient,
    role_service_client::RoleServiceClient, service_account_service_client::ServiceAccountServiceClient,
    team_service_client::TeamServiceClient, user_service_client::UserServiceClient,
};

const UNARY_TIMEOUT: Duration = Duration::from_secs(5);
/// Error details travel in headers. A file with many problems has long ones, and the default of 16 KiB would turn
/// them into a broken connection.
const MAX_HEADER_BYTES: u32 = 1 << 20;
/// A page of 1,000 permissions with hundreds of paths each still fits.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// What every command that asks a server has to know.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// The server.
    pub address: Address,
    /// As given; without it, calls with one answer have a limit of their own and streams have none.
    pub timeout: Option<Duration>,
    /// How to print.
    pub format: Format,
}

impl ClientSettings {
    /// How long a call with one answer may take.
    pub fn call_limit(&self) -> Duration {
        self.timeout.unwrap_or(UNARY_TIMEOUT)
    }
}

/// Where a server is: `http://HOST:PORT` or `unix:PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// Accepts what people type; an address without a scheme is taken for HTTP.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = || "expected http://HOST:PORT or unix:PATH".to_owned();
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(expected()) } else { Ok(Self(text.to_owned())) };
        }
        let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let uri: Uri = text.parse().map_err(|_| expected())?;
        if uri.scheme() == Some(&Scheme::HTTPS) {
            return Err("expected http://HOST:PORT or unix:PATH: there is no TLS yet".to_owned());
        }
        let is_plain = uri.path() == "/" && uri.query().is_none() && uri.port().is_some();
        if uri.scheme() == Some(&Scheme::HTTP) && is_plain { Ok(Self(text)) } else { Err(expected()) }
    }

    fn endpoint(&self) -> Result<Endpoint, tonic::transport::Error> {
        let endpoint = Endpoint::from_shared(self.0.clone())?;
        Ok(if self.0.starts_with("unix:") {
            // A path is no authority, and servers reset streams that claim otherwise.
            endpoint.origin(Uri::from_static("http://localhost"))
        } else {
            endpoint
        })
    }
}

/// A connection to a server.
pub struct Client {
    channel: Channel,
    timeout: Option<Duration>,
}

impl Client {
    /// Connects, so that a server that is not there is told apart from one that fails.
    ///
    /// # Errors
    /// [`Exit::Unavailable`] if there is no server, or none that answers in time.
    pub async fn connect(settings: &ClientSettings) -> Result<Self, Failure> {
        let unreachable = |error| Failure::unreachable(&settings.address.0, &error);
        let endpoint = settings.address.endpoint().map_err(unreachable)?;
        let endpoint = endpoint.http2_max_header_list_size(MAX_HEADER_BYTES);
        let limit = settings.call_limit();
        let channel = within(limit, async { endpoint.connect().await.map_err(unreachable) }).await?;
        Ok(Self { channel, timeout: settings.timeout })
    }

    /// The plain connection, for services that are not this API's own.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Asks about decisions.
    pub fn authorization(&self) -> AuthorizationServiceClient<Channel> {
        AuthorizationServiceClient::new(self.channel()).max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    /// Loads and exports catalogs.
    pub fn catalogs(&self) -> CatalogServiceClient<Channel> {
        CatalogServiceClient::new(self.channel()).max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    /// Loads and exports accounts.
    pub fn accounts(&self) -> AccountServiceClient<Channel> {
        AccountServiceClient::new(self.channel()).max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    /// Keeps the roles of an account.
    pub fn roles(&self) -> RoleServiceClient<Channel> {
        RoleServiceClient::new(self.channel()).max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    /// Says who holds which role.
    pub fn bindings(&self) -> RoleBindingServiceClient<Channel> {
        RoleBindingServiceClient::new(self.channel()).max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    /// Keeps the teams of an account.
    pub fn teams(&self) -> TeamServiceClient<Channel> {
        TeamServiceClient::new(self.channel()).max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    /// Keeps the users of an account.
    pub fn users(&self) -> UserServiceClient<Channel> {
        UserServiceClient::new(self.channel()).max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    /// Keeps the service accounts of an account.
    pub fn service_accounts(&self) -> ServiceAccountServiceClient<Channel> {
        ServiceAccountServiceClient::new(self.channel()).max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    /// Keeps the registered resources of an account.
    pub fn resources(&self) -> ResourceServiceClient<Channel> {
        ResourceServiceClient::new(self.channel()).max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    /// Keeps the access policies of an account.
    pub fn policies(&self) -> AccessPolicyServiceClient<Channel> {
        AccessPolicyServiceClient::new(self.channel()).max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    /// Keeps the access lists of users and teams.
    pub fn access_lists(&self) -> AccessListServiceClient<Channel> {
        AccessListServiceClient::new(self.channel()).max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    /// Keeps the exceptions of users.
    pub fn exceptions(&self) -> ExceptionServiceClient<Channel> {
        ExceptionServiceClient::new(self.channel()).max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    /// A request that tells the server how long the client will wait.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.timeout.unwrap_or(UNARY_TIMEOUT));
        request
    }

    /// Waits for the one answer of a call. Boxed, because every handler would else carry the whole call in itself.
    ///
    /// # Errors
    /// What the server says, or that it says nothing in time.
    pub fn answer<'a, T: 'a>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>> + 'a,
    ) -> LocalBoxFuture<'a, Result<T, Failure>> {
        let limit = self.timeout.unwrap_or(UNARY_TIMEOUT);
        let answered = async move {
            call.await
                .map(Response::into_inner)
                .map_err(|status| if Self::is_late(&status) { late(limit) } else { status.into() })
        };
        Box::pin(within(limit, answered))
    }

    /// Whether a call has ended because its time was over: the transport keeps the same time, and may be the first to
    /// notice.
    pub fn is_late(status: &Status) -> bool {
        status.code() == Code::Cancelled && status.source().is_some()
    }

    /// Waits for a whole stream, for as long as it takes if no other limit was asked for.
    ///
    /// # Errors
    /// As the work itself, or that it does not end in time.
    pub async fn stream<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        match self.timeout {
            Some(limit) => within(limit, work).await,
            None => work.await,
        }
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(late(limit)))
}

fn late(limit: Duration) -> Failure {
    Failure::new(Exit::Unavailable, format!("the server did not answer within {limit:?}"))
        .with_next("give it longer with --timeout, or see the server's log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_accepted_as_people_type_it() {
        let parsed = |text| Address::parse(text).map(|address| address.0);
        for (given, expected) in [
            ("http://127.0.0.1:50051", "http://127.0.0.1:50051"),
            ("localhost:6000", "http://localhost:6000"),
            ("[::1]:6000", "http://[::1]:6000"),
            ("unix:run/rolecall.sock", "unix:run/rolecall.sock"),
            ("unix:///run/rolecall.sock", "unix:///run/rolecall.sock"),
        ] {
            assert_eq!(parsed(given).as_deref(), Ok(expected), "{given}");
        }
        for given in ["", "unix:", "http://", "http://host", "50051", "ftp://h:1", "http://h:1/path", "http://h:1?q"] {
            assert!(parsed(given).is_err(), "{given}");
        }
        assert!(parsed("https://host:1").is_err_and(|expected| expected.contains("TLS")));
    }
}
