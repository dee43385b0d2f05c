//! What is counted: each row makes ready what it needs, and gives one call of it.

use std::{hint::black_box, sync::Arc};

use futures_util::FutureExt as _;
use prost::Message as _;
use rolecall::{
    api::Api,
    engine::{Standing, Subject, decide},
    files,
    model::PermissionIndex,
    presets::INFOBIP_CLASSIC,
    proto::{CheckRequest, CheckResponse, authorization_service_server::AuthorizationService as _},
    service::{
        AskedName, Asking, NO_ATTRIBUTES, PlaceName, ReadAt, Reason, Service, Settings, SubjectKind, SubjectName,
        apply_account, apply_catalog,
    },
    store::{MemoryLog, MemoryStore},
};
use tonic::Request;

use super::classic::Classic;

/// Runs what is counted.
type Counting<'a> = &'a mut dyn FnMut(&mut dyn FnMut(u64));

pub struct Row {
    pub name: &'static str,
    pub prepare: fn(Counting<'_>),
}

pub const ROWS: [Row; 5] = [
    Row { name: "a decision", prepare: decision },
    Row { name: "a kept Check", prepare: kept_check },
    Row { name: "decoding CheckRequest", prepare: decoding },
    Row { name: "encoding CheckResponse", prepare: encoding },
    Row { name: "Check from bytes to bytes, without the transport", prepare: from_bytes_to_bytes },
];

const PERMISSION: &str = "reports.detailed.view";

fn decision(counting: Counting<'_>) {
    let classic = Classic::new();
    let count = classic.permissions();
    let subject = Subject { standing: Standing::Active, set: Arc::new(classic.set()) };
    counting(&mut |number| {
        black_box(decide(black_box(&subject), PermissionIndex(number as u32 % count)));
    });
}

/// A service in memory with one account of a few users, and the runtime that it needs.
fn service() -> (tokio::runtime::Runtime, Service) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let settings = Settings { seed: 1, ..Settings::default() };
    let service = Service::start(Arc::new(MemoryStore::new()), Arc::new(MemoryLog::new()), settings).unwrap();
    let catalog = files::parse_catalog(INFOBIP_CLASSIC.catalog.as_bytes()).unwrap();
    let account = b"kind: account\nid: plain\ncatalog: infobip-classic\nfeatures: [dashboard, logs, reports, teams]\n\
        teams:\n  - {id: team, roles: [analyze-manager]}\n\
        users:\n  - {id: user-0, teams: [team], roles: [account-manager]}\n  - {id: user-1, teams: [team]}\n";
    let account = files::parse_account(account).unwrap();
    runtime.block_on(async {
        service.write(apply_catalog(catalog, true, None, Default::default())).await.unwrap();
        service.write(apply_account(account, None, Default::default())).await.unwrap();
    });
    (runtime, service)
}

const USERS: [&str; 2] = ["user-0", "user-1"];

fn kept_check(counting: Counting<'_>) {
    let (runtime, service) = service();
    let questions = USERS.map(|user| Asking {
        subject: SubjectName::new("plain", SubjectKind::User, user),
        asked: AskedName::Permission(PERMISSION),
        place: PlaceName::default(),
        attributes: &NO_ATTRIBUTES,
    });
    for question in &questions {
        assert_eq!(runtime.block_on(service.check(question, ReadAt::Latest)).unwrap().reason, Reason::Allowed);
    }
    counting(&mut |number| {
        let question = &questions[number as usize % USERS.len()];
        let decided = service.check(black_box(question), ReadAt::Latest).now_or_never();
        black_box(decided).expect("it was kept").expect("it is answered");
    });
    service.stop();
}

fn request(user: &str) -> CheckRequest {
    CheckRequest {
        account: "accounts/plain".to_owned(),
        subject: format!("users/{user}"),
        permission: PERMISSION.to_owned(),
        ..CheckRequest::default()
    }
}

fn decoding(counting: Counting<'_>) {
    let bytes = request(USERS[0]).encode_to_vec();
    counting(&mut |_| _ = black_box(CheckRequest::decode(black_box(&bytes[..])).unwrap()));
}

fn encoding(counting: Counting<'_>) {
    let answer =
        CheckResponse { decision: 1, reason: 1, consistency_token: "AWMAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned() };
    counting(&mut |_| _ = black_box(black_box(&answer).encode_to_vec()));
}

fn from_bytes_to_bytes(counting: Counting<'_>) {
    let (runtime, service) = service();
    let api = Api::new(service.clone(), 1);
    let questions = USERS.map(|user| request(user).encode_to_vec());
    for user in USERS {
        assert_eq!(runtime.block_on(api.check(Request::new(request(user)))).unwrap().into_inner().decision, 1);
    }
    counting(&mut |number| {
        let request = CheckRequest::decode(black_box(&questions[number as usize % USERS.len()][..])).unwrap();
        let answer = api.check(Request::new(request)).now_or_never().expect("it was kept").unwrap();
        black_box(answer.into_inner().encode_to_vec());
    });
    service.stop();
}
