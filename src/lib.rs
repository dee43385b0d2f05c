//! rolecall answers one question for other backend services: may this user do this, here, now?
//!
//! Read `docs/architecture.md` for the way data flows. The decision itself is [`engine`], plain values over the facts
//! of [`model`]; everything that touches the outside is behind the `server` feature.

// The random run against the oracle is compiled into the unit tests too, where bugs can be planted.
#[cfg(test)]
extern crate self as rolecall;

#[cfg(any(feature = "server", feature = "shuttle"))]
pub mod cache;
#[cfg(feature = "cel")]
pub mod conditions;
pub mod engine;
pub mod model;

#[cfg(feature = "server")]
pub mod api;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod files;
#[cfg(feature = "server")]
pub mod presets;
#[cfg(feature = "server")]
mod protobuf;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod service;
#[cfg(feature = "server")]
pub mod store;
#[cfg(feature = "server")]
pub mod telemetry;

/// The messages and services of the public API, generated from `proto/rolecall/v1`.
#[cfg(feature = "server")]
#[allow(missing_docs, clippy::all, clippy::pedantic, clippy::missing_errors_doc, unused_qualifications)]
pub mod proto {
    tonic::include_proto!("rolecall.v1");

    /// Descriptors of every file, with comments: what reflection serves.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
}
