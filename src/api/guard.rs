//! What stands before every call: a deadline, a bound on how many are under way, and a net under panics.
//!
//! tonic answers CANCELLED when a deadline passes; this layer answers DEADLINE_EXCEEDED a little before that.

use std::{
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures_util::FutureExt as _;
use http::{Request, Response};
use tokio::sync::Semaphore;
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use crate::service::{ErrorReason, ServiceError};

/// How many calls may be under way in the process.
const MAX_CALLS: usize = 4096;
/// How much earlier than the caller's deadline ours fires, so that its answer still arrives.
const MARGIN: Duration = Duration::from_millis(5);

/// Puts [`Guarded`] around a service.
#[derive(Clone)]
pub struct GuardLayer {
    calls: Arc<Semaphore>,
    panics: Arc<AtomicU64>,
}

impl Default for GuardLayer {
    fn default() -> Self {
        Self { calls: Arc::new(Semaphore::new(MAX_CALLS)), panics: Arc::default() }
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, guard: self.clone() }
    }
}

/// A service behind the guard.
#[derive(Clone)]
pub struct Guarded<S> {
    inner: S,
    guard: GuardLayer,
}

/// What a method is allowed when the caller says nothing, and at the most; none: it is a stream and may take its time.
fn time_limits(path: &str) -> Option<(Duration, Duration)> {
    let seconds = Duration::from_secs;
    let (service, method) = path.trim_start_matches('/').split_once('/')?;
    if !service.starts_with("rolecall.v1.") {
        // Health and reflection: streams that last as long as the caller wants.
        return None;
    }
    match method {
        "Check" => Some((seconds(1), seconds(5))),
        "BatchCheck" | "ListPermissions" => Some((seconds(5), seconds(5))),
        "ApplyCatalog" | "ApplyAccount" | "ExportCatalog" | "ExportAccount" | "ImportUsers" | "ExportUsers" => None,
        _ if method.starts_with("Get") || method.starts_with("List") => Some((seconds(5), seconds(5))),
        _ => Some((seconds(10), seconds(10))),
    }
}

/// The caller's deadline, as gRPC writes it: up to eight digits and a unit.
fn callers_timeout(request: &Request<Body>) -> Option<Duration> {
    let value = request.headers().get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let amount: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

/// When a call ends, if it has not ended before.
fn limit(request: &Request<Body>) -> Option<Duration> {
    let asked = callers_timeout(request);
    match (time_limits(request.uri().path()), asked) {
        (None, None) => None,
        (None, Some(asked)) => Some(asked.saturating_sub(MARGIN)),
        (Some((unasked, _)), None) => Some(unasked),
        (Some((_, most)), Some(asked)) => Some(asked.saturating_sub(MARGIN).min(most)),
    }
}

type Pending<E> = Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>>;

impl<S> Service<Request<Body>> for Guarded<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pending<S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Ok(permit) = Arc::clone(&self.guard.calls).try_acquire_owned() else {
            let message = format!("{MAX_CALLS} calls are under way, the maximum; try again in a moment");
            let status = Status::from(ServiceError::new(ErrorReason::Overloaded, message));
            return Box::pin(std::future::ready(Ok(status.into_http())));
        };
        let limit = limit(&request);
        if limit.is_some_and(|limit| limit.is_zero()) {
            let expired = Status::deadline_exceeded("the deadline had passed when the call arrived");
            return Box::pin(std::future::ready(Ok(expired.into_http())));
        }
        let panics = Arc::clone(&self.guard.panics);
        let call = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
        Box::pin(async move {
            let _permit = permit;
            let outcome = match limit {
                None => call.await,
                Some(limit) => match tokio::time::timeout(limit, call).await {
                    Ok(outcome) => outcome,
                    Err(_) => {
                        let message = format!("the call took longer than {} ms", limit.as_millis());
                        return Ok(Status::deadline_exceeded(message).into_http());
                    }
                },
            };
            outcome.unwrap_or_else(|_| {
                let panics = panics.fetch_add(1, Ordering::Relaxed) + 1;
                tracing::error!(panics, "a call panicked; so many have since the start");
                Ok(Status::internal("the server failed to answer; its log says more").into_http())
            })
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn limit_of(path: &str, timeout: Option<&str>) -> Option<Duration> {
        let mut request = Request::builder().uri(path);
        if let Some(timeout) = timeout {
            request = request.header("grpc-timeout", timeout);
        }
        limit(&request.body(Body::empty()).unwrap())
    }

    #[test]
    fn the_smaller_of_the_callers_and_our_own_limit_counts() {
        let check = "/rolecall.v1.AuthorizationService/Check";
        for (path, timeout, expected) in [
            (check, None, Some(1000)),
            (check, Some("200m"), Some(195)),
            (check, Some("1H"), Some(5000)),
            (check, Some("3m"), Some(0)),
            (check, Some("x"), Some(1000)),
            (check, Some("123456789m"), Some(1000)),
            ("/rolecall.v1.UserService/CreateUser", None, Some(10_000)),
            ("/rolecall.v1.UserService/ListUsers", None, Some(5000)),
            ("/rolecall.v1.AccountService/ApplyAccount", None, None),
            ("/rolecall.v1.AccountService/ApplyAccount", Some("2S"), Some(1995)),
            ("/grpc.health.v1.Health/Watch", None, None),
        ] {
            let expected = expected.map(Duration::from_millis);
            assert_eq!(limit_of(path, timeout), expected, "{path} {timeout:?}");
        }
    }
}
