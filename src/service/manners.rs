//! How a write wants to be treated: only looked at, refused if somebody else was faster, done once however often it is
//! sent.
//!
//! The answer to a request with an id is kept in the same change as what the request did, so that the two cannot come
//! apart: after a crash there are both or neither.

use std::time::Duration;

use super::{
    core::Service,
    error::{ErrorReason, ServiceError},
    plan::Plan,
    writer::{Write, Written},
};
use crate::{
    model::{Key, KeyRange, Number, Record, RequestId, RequestKey, RequestRecord, Revision, Timestamp},
    store::View as _,
};

/// For how long a request that is sent again is answered as the first time.
const REQUEST_LIFE: Duration = Duration::from_secs(24 * 3600);
/// How many answers one step forgets.
const STEP: usize = 500;

/// How a write wants to be treated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manners {
    /// Only look what would come of it.
    pub validate_only: bool,
    /// What tells this request from all others, if its caller may send it again.
    pub request: Option<RequestMark>,
}

/// A request that may be sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestMark {
    /// The id that its caller gave it.
    pub id: RequestId,
    /// The hash of all that it says.
    pub fingerprint: [u8; 32],
}

/// An answer that can be kept, and given again when the request is sent again.
pub trait Answer: Sized + Send + 'static {
    /// The answer as bytes.
    fn to_bytes(&self) -> Vec<u8>;

    /// The answer that some bytes are; none: they are none.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

/// One version of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Etag {
    /// The thing.
    pub number: Number,
    /// The revision that wrote it as it is.
    pub revision: Revision,
}

impl Etag {
    /// Refuses if a version is expected and the thing has another.
    pub(super) fn expect(self, expected: Option<Self>) -> Result<(), ServiceError> {
        if expected.is_none_or(|expected| expected == self) {
            return Ok(());
        }
        Err(ServiceError::new(
            ErrorReason::EtagMismatch,
            "it is not the version that the etag names: somebody has changed it since; read it again and decide afresh",
        ))
    }
}

impl Service {
    /// Does a write as it wants to be treated.
    ///
    /// # Errors
    /// As [`Service::write`], and if the id of the request was used for another request.
    pub async fn answer<T: Answer>(&self, write: Write<T>, manners: Manners) -> Result<T, ServiceError> {
        let Write { method, plan, .. } = write;
        let whole = Write::new(method, move |context| {
            context.is_dry = manners.validate_only;
            let Some(mark) = manners.request else { return plan(context) };
            let key = request_key(method, &mark.id)?;
            if let Some(kept) = answered(context, &key)? {
                // Answering again changes nothing, dry or not.
                context.is_dry = true;
                if is_erased(&kept) {
                    return Err(ServiceError::new(
                        ErrorReason::RequestErased,
                        "the request was done; its answer repeated personal fields that were erased since",
                    )
                    .with("request_id", mark.id.as_str()));
                }
                if kept.fingerprint != mark.fingerprint {
                    return Err(ServiceError::new(
                        ErrorReason::RequestIdReused,
                        format!(
                            "the request id {:?} was used for another request; give each its own",
                            mark.id.as_str()
                        ),
                    )
                    .with("request_id", mark.id.as_str()));
                }
                return T::from_bytes(&kept.answer)
                    .ok_or_else(|| ServiceError::new(ErrorReason::Internal, "the kept answer cannot be read"));
            }
            context.is_remembered = !manners.validate_only;
            let answer = plan(context)?;
            if !manners.validate_only {
                let life = u64::try_from(REQUEST_LIFE.as_millis()).unwrap_or(u64::MAX);
                let expires = Timestamp(context.time.0.saturating_add(life));
                let record = RequestRecord { fingerprint: mark.fingerprint, answer: answer.to_bytes(), expires };
                context.put(Key::RequestExpiry { expires, request: key.clone() }, Record::Present)?;
                context.put(Key::Request(key), Record::Request(record))?;
            }
            Ok(answer)
        });
        let Written { value, .. } = self.write(whole).await?;
        Ok(value)
    }
}

/// Callers have no identity yet: all of them are the local operator.
fn request_key(method: &str, id: &RequestId) -> Result<RequestKey, ServiceError> {
    RequestKey::new(&format!("local/{method}/{id}"))
        .map_err(|error| ServiceError::new(ErrorReason::Internal, error.to_string()))
}

/// Whether a request was erased, because its answer repeated personal fields. That it was done stays known until it may
/// be forgotten.
fn is_erased(record: &RequestRecord) -> bool {
    record.answer.is_empty() && record.fingerprint == [0; 32]
}

fn answered(plan: &Plan<'_>, key: &RequestKey) -> Result<Option<RequestRecord>, ServiceError> {
    match plan.get(&Key::Request(key.clone()))?.map(|record| record.value) {
        Some(Record::Request(record)) if record.expires > plan.time || is_erased(&record) => Ok(Some(record)),
        _ => Ok(None),
    }
}

/// Forgets some of the answers that are old enough.
pub(super) fn forget_answers(plan: &mut Plan<'_>) -> Result<(), ServiceError> {
    for (key, _) in plan.scan(KeyRange::RequestExpiries, None, STEP)? {
        let Key::RequestExpiry { expires, request } = &key else { continue };
        if *expires > plan.time {
            break;
        }
        // The same id can have been used again since: then its newer answer stays.
        if answered(plan, request)?.is_none_or(|kept| is_erased(&kept)) {
            plan.remove(Key::Request(request.clone()))?;
        }
        plan.remove(key)?;
    }
    Ok(())
}
