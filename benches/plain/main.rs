//! A server that does nothing, on tonic as it comes: one runtime of as many threads as there are cores, no layers, tonic's
//! defaults, the system's allocator, and the settings of a release build that asks for nothing.
//!
//! `benches/check` builds it and starts it where it measures calls. Given: a Unix socket to listen on, or nothing for TCP.
#![allow(clippy::unwrap_used, clippy::print_stdout)]
#![allow(missing_docs)]

#[path = "../check/nothing.rs"]
mod nothing;

use rolecall::proto::authorization_service_server::AuthorizationServiceServer;
use tokio::net::{TcpListener, UnixListener};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::{Server, server::TcpIncoming};

fn main() {
    let socket = std::env::args().skip(1).find(|word| word != "--bench");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    nothing::end_with_parent();
    runtime.block_on(async {
        let router = Server::builder().add_service(AuthorizationServiceServer::new(nothing::Nothing::new(None)));
        let outcome = match socket {
            Some(path) => {
                let listener = UnixListener::bind(&path).unwrap();
                println!("{path}");
                router.serve_with_incoming(UnixListenerStream::new(listener)).await
            }
            None => {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                println!("{}", listener.local_addr().unwrap());
                router.serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true))).await
            }
        };
        outcome.unwrap();
    });
}
