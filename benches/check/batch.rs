//! Many questions in one call, and whole lists: from the bytes of a request to those of the answer, in process.

use std::{hint::black_box, path::Path};

use futures_util::FutureExt as _;
use prost::Message as _;
use rolecall::{
    api::Api,
    proto::{
        BatchCheckItem, BatchCheckRequest, ListPermissionsRequest,
        authorization_service_server::AuthorizationService as _,
    },
    server::Running,
    service::Service,
};
use tonic::Request;

use super::{
    accounts::{KINDS, USERS, user},
    figures, made,
    nothing::yes_to_all,
    pairs::{in_turns, report, rounds, time},
};

/// How many questions a batch asks.
pub const BATCH: usize = 1_000;
/// How many permissions a list has.
pub const LISTED: usize = 150;
/// How many users' permissions are listed: lists of one account may take a quarter of the room for lists.
const LISTED_USERS: usize = 100;
/// The account whose users' permissions are listed, and its catalog.
pub const LIST_ACCOUNT: &str = "listed";

pub const OF_MANY: &str = "BatchCheck of 1,000 checks about as many users";
pub const OF_ONE: &str = "BatchCheck of 1,000 checks about one user";
pub const LIST: &str = "ListPermissions of 150 permissions";

/// Creates the accounts that batches and lists are about.
pub async fn fill(running: &Running) {
    KINDS[0].create(running).await;
    let service = running.service();
    made::catalog(service, LIST_ACCOUNT, LISTED, 3).await;
    made::account(service, LIST_ACCOUNT, LIST_ACCOUNT).await;
    made::users(service, LIST_ACCOUNT, LIST_ACCOUNT, 0..USERS, 3).await;
}

fn batch(who: impl Fn(usize) -> usize) -> BatchCheckRequest {
    let item = |number| BatchCheckItem {
        subject: format!("users/{}", user(who(number))),
        permission: KINDS[0].permission.to_owned(),
        ..BatchCheckItem::default()
    };
    BatchCheckRequest {
        account: format!("accounts/{}", KINDS[0].account),
        items: (0..BATCH).map(item).collect(),
        consistency: None,
    }
}

fn list(number: u64) -> ListPermissionsRequest {
    ListPermissionsRequest {
        account: format!("accounts/{LIST_ACCOUNT}"),
        subject: format!("users/{}", user(number as usize % USERS)),
        ..ListPermissionsRequest::default()
    }
}

/// Writes what ListPermissions answers into a file.
pub async fn write_list(service: &Service, file: &Path) {
    let api = Api::new(service.clone(), 1);
    let answer = api.list_permissions(Request::new(list(0))).await.unwrap().into_inner();
    assert_eq!(answer.permissions.len(), LISTED);
    std::fs::write(file, answer.encode_to_vec()).unwrap();
}

pub async fn measure(running: &Running) {
    figures::describe(
        "From the bytes of the request to those of the answer, one thread, everything kept",
        Some(USERS as u64),
    );
    fill(running).await;
    let api = Api::new(running.service().clone(), 1);
    for (name, request) in [(OF_MANY, batch(|number| number % USERS)), (OF_ONE, batch(|_| 7))] {
        let bytes = request.encode_to_vec();
        let warm = api.batch_check(Request::new(request)).await.unwrap().into_inner();
        assert!(warm.results.iter().all(|result| result.decision == 1), "{:?}", warm.results[0]);
        let per_second = |nanoseconds: f64| BATCH as f64 * 1e9 / nanoseconds;
        let mut written = Vec::new();
        let ours = || {
            per_second(time(300, |_| {
                let answer = api.answer_batch(black_box(&bytes)).now_or_never().expect("all of it was kept");
                answer.unwrap().write_to(&mut written);
                black_box(&written);
                written.clear();
            }))
        };
        let constant = || {
            per_second(time(300, |_| {
                let request = BatchCheckRequest::decode(black_box(&bytes[..])).unwrap();
                black_box(yes_to_all(&request).encode_to_vec());
            }))
        };
        report(name, "per s", "the same decoded, and yes to all", &in_turns(rounds(), ours, constant));
    }
    let bytes: Vec<Vec<u8>> = (0..LISTED_USERS as u64).map(|number| list(number).encode_to_vec()).collect();
    let answer = api.list_permissions(Request::new(list(0))).await.unwrap().into_inner();
    assert_eq!(answer.permissions.len(), LISTED);
    for number in 0..LISTED_USERS as u64 {
        api.list_permissions(Request::new(list(number))).await.unwrap();
    }
    let bytes_of_answer = answer.encode_to_vec();
    let mut written = Vec::new();
    let ours = || {
        let listing = |number: u64| {
            let request = black_box(&bytes[number as usize % LISTED_USERS]);
            let answer = api.answer_permissions(request).now_or_never().expect("it was kept").unwrap();
            answer.write_to(&mut written);
            black_box(&written);
            written.clear();
        };
        1e9 / time(20_000, listing)
    };
    let mut copied = Vec::new();
    let constant = || {
        let copying = |number: u64| {
            black_box(ListPermissionsRequest::decode(&bytes[number as usize % LISTED_USERS][..]).unwrap());
            copied.extend_from_slice(black_box(&bytes_of_answer));
            black_box(&copied);
            copied.clear();
        };
        1e9 / time(20_000, copying)
    };
    report(
        LIST,
        "per s",
        "the request decoded, and the bytes of the answer copied",
        &in_turns(rounds(), ours, constant),
    );
}
