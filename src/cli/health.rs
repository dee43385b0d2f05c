//! `healthcheck`: what a container's probe runs, because an image of one binary has no other tool in it.
//!
//! It says nothing unless it fails: probes run every few seconds, and their output lands in event logs.

use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use super::{
    Exit, Failure,
    client::{Client, ClientSettings},
};

/// Asks whether a service, or with the empty name the whole server, is serving.
///
/// # Errors
/// That it is not, or cannot be asked.
pub async fn run(settings: &ClientSettings, service: String) -> Result<Exit, Failure> {
    let client = Client::connect(settings).await?;
    let mut health = HealthClient::new(client.channel());
    let what = if service.is_empty() { "the server".to_owned() } else { service.clone() };
    let answer = client.answer(health.check(client.request(HealthCheckRequest { service }))).await?;
    if answer.status == ServingStatus::Serving as i32 {
        return Ok(Exit::Ok);
    }
    let status = ServingStatus::try_from(answer.status).unwrap_or(ServingStatus::Unknown);
    Err(Failure::new(Exit::No, format!("{what} is not serving: {}", status.as_str_name())))
}
