//! Asks rolecall one question and takes anything but a clear yes as no.
//!
//! ```text
//! cargo run --example check -- ADDRESS ACCOUNT SUBJECT PERMISSION
//! cargo run --example check -- 127.0.0.1:50051 accounts/demo users/beatriz reports.detailed.view
//! ```
//!
//! Exits with 0 if it is allowed. Otherwise exits with 1 and says why on standard error.
#![allow(clippy::print_stderr)]

use std::{env, error::Error, iter::successors, process::ExitCode, time::Duration};

use rolecall::proto::{CheckRequest, Decision, authorization_service_client::AuthorizationServiceClient};
use tonic::{Request, transport::Endpoint};

/// For the whole call, connecting too: whoever waits for an answer is not let in meanwhile.
const DEADLINE: Duration = Duration::from_secs(1);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Ok([address, account, subject, permission]) = <[String; 4]>::try_from(arguments) else {
        eprintln!("usage: check ADDRESS ACCOUNT SUBJECT PERMISSION");
        return ExitCode::FAILURE;
    };
    let question = CheckRequest { account, subject, permission, ..CheckRequest::default() };
    let outcome = tokio::time::timeout(DEADLINE, check(address, question)).await;
    match outcome.unwrap_or_else(|_| Err(format!("no answer within {DEADLINE:?}"))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why_not) => {
            eprintln!("{why_not}");
            ExitCode::FAILURE
        }
    }
}

/// Succeeds if the subject may do it; the error is the reason why not.
async fn check(address: String, question: CheckRequest) -> Result<(), String> {
    let address = if address.starts_with("unix:") { address } else { format!("http://{address}") };
    // A real service keeps one channel for as long as it runs.
    let channel = Endpoint::from_shared(address).map_err(text)?.connect().await.map_err(text)?;
    let mut request = Request::new(question);
    // Told to the server as well, which then stops working on an answer that nobody waits for.
    request.set_timeout(DEADLINE);
    let answer = AuthorizationServiceClient::new(channel).check(request).await.map_err(text)?.into_inner();
    // Compared with the one yes, never with a no: values that this client does not know are no as well.
    match answer.decision() {
        Decision::Allow => Ok(()),
        _ => Err(answer.reason().as_str_name().to_owned()),
    }
}

/// An error with its causes, down to what helps: "transport error" alone says nothing.
fn text(error: impl Error + 'static) -> String {
    let causes = successors(Some(&error as &dyn Error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
