//! What a server keeps resident, small and large, beside bare sled on the same data.

use std::path::Path;

use rolecall::proto::{BatchCheckItem, BatchCheckRequest, authorization_service_client::AuthorizationServiceClient};
use tempfile::TempDir;

use super::{
    accounts::user,
    many::{self, MANY, PERMISSION},
    pairs::{Figures, Window, report, rounds},
    start::Ready,
};

/// Questions of one call.
const BATCH: usize = 1_000;

/// Asks about every user once.
async fn ask_all(address: &str, users: usize) {
    let mut client = AuthorizationServiceClient::connect(address.to_owned()).await.unwrap();
    for from in (0..users).step_by(BATCH) {
        let items = (from..(from + BATCH).min(users)).map(|number| BatchCheckItem {
            subject: format!("users/{}", user(number)),
            permission: PERMISSION.to_owned(),
            ..BatchCheckItem::default()
        });
        let request =
            BatchCheckRequest { account: format!("accounts/{MANY}"), items: items.collect(), ..Default::default() };
        client.batch_check(request).await.unwrap();
    }
}

/// Memory has nothing to do with what else the machine does.
fn figure(figure: f64) -> Window {
    Window { figure, is_clean: true }
}

/// Small servers: nothing, the demo's size, a thousand users.
async fn small() {
    for (name, users) in [("Resident, no data", 0), ("Resident, 1,000 users who were asked about", 1_000)] {
        let (mut ours, mut limit) = (Figures::new(), Figures::new());
        for _ in 0..rounds() {
            let directory = TempDir::new().unwrap();
            let data = directory.path().join("data");
            if users > 0 {
                many::fill(&data, users).await;
            }
            let server = Ready::server(&data, &[]);
            ask_all(&server.address, users).await;
            ours.push(figure(server.resident() / 1e6));
            limit.push(figure(25.0));
            server.stop();
        }
        report(name, "MB", "25 MB", &(ours, limit));
    }
}

pub async fn measure(filled: &Path) {
    small().await;
    let users = many::users();
    let (mut ours, mut limit) = (Figures::new(), Figures::new());
    let (mut started, mut opened) = (Figures::new(), Figures::new());
    for _ in 0..rounds() {
        let server = Ready::server(filled, &[]);
        started.push(figure(server.resident() / 1e6));
        ask_all(&server.address, users).await;
        ours.push(figure(server.resident() / 1e6));
        server.stop();
        let bare = filled.join("state");
        opened.push(figure(Ready::bare(&bare, false).resident() / 1e6 + 80.0));
        limit.push(figure(Ready::bare(&bare, true).resident() / 1e6 + 80.0));
    }
    report(&format!("Resident at start, {users} users"), "MB", "bare sled that opened, and 80 MB", &(started, opened));
    let name = format!("Resident, {users} users who were asked about");
    report(&name, "MB", "bare sled that read all, and 80 MB", &(ours, limit));
}
