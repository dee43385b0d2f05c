//! Errors as gRPC statuses: a code, a message for people, and details for programs.

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::service::{ServiceError, StatusKind};

/// What details may take, in bytes: they travel in a header, and common clients refuse headers above 8 KiB.
const MAX_DETAIL_BYTES: usize = 3 << 10;
/// The longest message, in bytes.
const MAX_MESSAGE_BYTES: usize = 512;

/// The gRPC code of a kind of error.
pub(super) fn code(kind: StatusKind) -> Code {
    match kind {
        StatusKind::InvalidArgument => Code::InvalidArgument,
        StatusKind::NotFound => Code::NotFound,
        StatusKind::AlreadyExists => Code::AlreadyExists,
        StatusKind::FailedPrecondition => Code::FailedPrecondition,
        StatusKind::Aborted => Code::Aborted,
        StatusKind::ResourceExhausted => Code::ResourceExhausted,
        StatusKind::OutOfRange => Code::OutOfRange,
        StatusKind::Unavailable => Code::Unavailable,
        StatusKind::Internal => Code::Internal,
    }
}

impl From<ServiceError> for Status {
    fn from(error: ServiceError) -> Self {
        let mut details = ErrorDetails::new();
        let metadata: std::collections::HashMap<String, String> =
            error.metadata.iter().map(|(name, value)| ((*name).to_owned(), cut(value, 512))).collect();
        details.set_error_info(error.reason.name(), "rolecall", metadata);
        let mut room = MAX_DETAIL_BYTES;
        for (index, violation) in error.violations.iter().enumerate() {
            let description = cut(&violation.description, 512);
            let size = violation.field.len() + description.len() + 16;
            if size > room {
                let rest = error.violations.len() - index;
                details.add_bad_request_violation("...", format!("and {rest} more fields"));
                break;
            }
            room -= size;
            details.add_bad_request_violation(violation.field.clone(), description);
        }
        Self::with_error_details(code(error.reason.status()), cut(&error.message, MAX_MESSAGE_BYTES), details)
    }
}

fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}...", text.get(..end).unwrap_or_default())
}
