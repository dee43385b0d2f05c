//! rolecall answers one question for other backend services: may this user do this, here, now?
//!
//! Read `docs/architecture.md` for the way data flows. The decision itself is [`engine`], plain values over the facts
//! of [`model`]; everything that touches the outside is behind the `server` feature.

pub mod model;

#[cfg(feature = "server")]
pub mod files;
#[cfg(feature = "server")]
pub mod store;
