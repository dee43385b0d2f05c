//! BatchCheck from bytes to bytes: beside Checks one by one, and with requests that are wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{collections::HashMap, sync::Arc};

use futures_util::FutureExt as _;
use prost::Message as _;
use rand_pcg::{
    Pcg64Mcg,
    rand_core::{Rng as _, SeedableRng as _},
};
use tonic::{Code, Request, Status};

use super::{Api, batch::Questions, wire::Batch};
use crate::{
    files, presets,
    proto::{
        BatchCheckItem, BatchCheckRequest, BatchCheckResponse, BatchCheckResult, CheckRequest, Consistency,
        authorization_service_server::AuthorizationService as _, consistency::Requirement,
    },
    service::{Batch as _, MAX_BATCH, Reason, Service, Settings, apply_account, apply_catalog},
    store::{MemoryLog, MemoryStore},
};

const ACCOUNTS: [&str; 3] = [
    "kind: account\nid: plain\ncatalog: infobip-classic\nfeatures: [reports, dashboard]\nusers:\n  - \
     {id: ann, roles: [analyze-manager]}\n  - {id: bob}\n  - {id: eve, roles: [account-manager], state: suspended}\n",
    "kind: account\nid: conditions\ncatalog: infobip\nfeatures: [conversations]\nusers:\n  - \
     {id: ann, roles: [agent-for-conversations]}\n  - {id: bob}\n",
    "kind: account\nid: facets\ncatalog: textel\nfeatures: [conversations]\nresources:\n  - \
     {path: lines/one, display_name: One}\nusers:\n  - \
     {id: ann, roles: [standard-user], access: [{facet: feature, values: [conversations]}, \
     {facet: line, values: [lines/one]}]}\n  - {id: bob}\n",
];

async fn api() -> Api {
    let conditions = Arc::new(crate::conditions::CelConditions);
    let settings = Settings { conditions, ..Settings::default() };
    let service = Service::start(Arc::new(MemoryStore::new()), Arc::new(MemoryLog::new()), settings).unwrap();
    for catalog in [presets::INFOBIP_CLASSIC, presets::INFOBIP, presets::TEXTEL] {
        let catalog = files::parse_catalog(catalog.catalog.as_bytes()).unwrap();
        service.write(apply_catalog(catalog, false, None, Arc::default())).await.unwrap();
    }
    for account in ACCOUNTS {
        let account = files::parse_account(account.as_bytes()).unwrap();
        service.write(apply_account(account, None, Arc::default())).await.unwrap();
    }
    Api::new(service, 1)
}

fn item(subject: &str, permission: &str) -> BatchCheckItem {
    BatchCheckItem { subject: subject.to_owned(), permission: permission.to_owned(), ..BatchCheckItem::default() }
}

fn batch(account: &str, items: Vec<BatchCheckItem>) -> BatchCheckRequest {
    BatchCheckRequest { account: account.to_owned(), items, consistency: None }
}

async fn ask(api: &Api, request: &[u8]) -> Result<BatchCheckResponse, Status> {
    let mut answer = Vec::new();
    api.answer_batch(request).await?.write_to(&mut answer);
    Ok(BatchCheckResponse::decode(&*answer).unwrap())
}

/// The same item as a Check of its own. Of an error all but its details.
async fn check(api: &Api, account: &str, item: &BatchCheckItem) -> (i32, i32, Option<(i32, String)>) {
    let item = item.clone();
    let request = CheckRequest {
        account: account.to_owned(),
        subject: item.subject,
        permission: item.permission,
        api_scope: item.api_scope,
        resource: item.resource,
        facets: item.facets,
        attributes: item.attributes,
        consistency: None,
    };
    match api.check(Request::new(request)).await {
        Ok(answer) => (answer.get_ref().decision, answer.get_ref().reason, None),
        Err(status) => (0, 0, Some((status.code().into(), status.message().to_owned()))),
    }
}

fn shown(result: BatchCheckResult) -> (i32, i32, Option<(i32, String)>) {
    (result.decision, result.reason, result.error.map(|error| (error.code, error.message)))
}

struct Random(Pcg64Mcg);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0.next_u64() % limit
    }

    fn of<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.below(texts.len() as u64) as usize]
    }

    fn facets(&mut self) -> HashMap<String, String> {
        let names = [self.of(&["line", "line", "feature", "typo"]), "typo"];
        let values = [self.of(&["lines/one", "lines/two", "lines"]), "x"];
        let count = [1, 1, 1, 2][self.below(4) as usize];
        names.iter().zip(values).take(count).map(|(name, value)| ((*name).to_owned(), value.to_owned())).collect()
    }

    /// `own`: a permission of the account's catalog.
    fn item(&mut self, own: &str) -> BatchCheckItem {
        let subjects = [
            "users/ann",
            "users/ann",
            "users/ann",
            "users/bob",
            "users/eve",
            "users/nobody",
            "serviceAccounts/ann",
            "users/",
            "users/not an id",
            "ann",
            "",
        ];
        let permissions = [own, own, own, own, own, "dashboards.traffic.view", "typo", "no id", ""];
        let mut item = item(self.of(&subjects), self.of(&permissions));
        match self.below(8) {
            0 => item.api_scope = self.of(&["statistics:read", "typo"]).to_owned(),
            1 => item.resource = self.of(&["lines/one", "lines/two", "nowhere"]).to_owned(),
            2 | 5 => item.facets = self.facets(),
            3 | 4 => {
                let kind = prost_types::value::Kind::StringValue(self.of(&["ann", "bob"]).to_owned());
                let assignee = ("assignee".to_owned(), prost_types::Value { kind: Some(kind) });
                item.attributes = Some(prost_types::Struct { fields: [assignee].into() });
            }
            _ => {}
        }
        item
    }
}

#[tokio::test]
async fn every_item_of_a_batch_is_answered_as_a_check_of_its_own() {
    let seed: u64 = std::env::var("ROLECALL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    let (api, mut random) = (api().await, Random(Pcg64Mcg::seed_from_u64(seed)));
    let (mut decided, mut failed) = ([0; 3], 0);
    for round in 0..400 {
        let (account, own) = [
            ("accounts/plain", "reports.detailed.view"),
            ("accounts/conditions", "conversations.conversations.view"),
            ("accounts/facets", "conversations.conversations.view"),
        ][round % 3];
        let items: Vec<BatchCheckItem> = (0..=random.below(12)).map(|_| random.item(own)).collect();
        let mut request = batch(account, items);
        if round % 5 == 0 {
            let token = api.tokens.write(api.service.head().revision);
            request.consistency = Some(Consistency { requirement: Some(Requirement::AtExactRevision(token)) });
        }
        let answer = ask(&api, &request.encode_to_vec()).await.unwrap();
        assert_eq!(answer.results.len(), request.items.len());
        for (item, result) in request.items.iter().zip(answer.results) {
            decided[result.decision as usize] += 1;
            failed += u32::from(result.error.is_some());
            let expected = check(&api, account, item).await;
            assert_eq!(shown(result), expected, "ROLECALL_SEED={seed}, round {round}: {item:?} of {request:?}");
        }
        if round % 16 == 0 {
            api.service.clear_cache();
        }
    }
    assert!(decided.iter().all(|count| *count > 100) && failed > 100, "{decided:?}, {failed} failed");
}

/// A request of good items with bytes of an item put in at a position.
fn with_item(account: &str, count: usize, position: usize, bad: &[u8]) -> Vec<u8> {
    let mut request = batch(account, Vec::new()).encode_to_vec();
    for number in 0..=count {
        if number == position {
            request.extend([0x12, u8::try_from(bad.len()).unwrap()]);
            request.extend(bad);
        } else {
            request.extend(batch("", vec![item("users/ann", "reports.detailed.view")]).encode_to_vec());
        }
    }
    request
}

#[tokio::test]
async fn one_malformed_item_refuses_the_whole_request_whatever_else_is_wrong_with_it() {
    let api = api().await;
    // A subject that is no UTF-8, one that is longer than the item, a permission that is a number.
    let malformed: [&[u8]; 3] = [&[0x0a, 1, 0xff], &[0x0a, 9, b'a'], &[0x10, 1]];
    for bad in malformed {
        for (account, count, position) in [
            ("accounts/plain", 10, 0),
            ("accounts/plain", 10, 5),
            ("accounts/plain", 10, 10),
            ("accounts/plain", MAX_BATCH - 1, MAX_BATCH - 1),
            // No account, no such account, too many items.
            ("plain", 10, 10),
            ("accounts/nobody", 10, 10),
            ("accounts/plain", MAX_BATCH + 5, 3),
        ] {
            let of = format!("{bad:?}, {account}, {count}, {position}");
            let error = ask(&api, &with_item(account, count, position, bad)).await.expect_err(&of);
            assert_eq!(error.code(), Code::Internal, "{of}: {error:?}");
            assert!(error.message().contains("no well-formed message"), "{of}: {error:?}");
        }
        // Of too many items the last are not looked at.
        let error = ask(&api, &with_item("accounts/plain", MAX_BATCH + 5, MAX_BATCH + 1, bad)).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{bad:?}: {error:?}");
        assert!(error.message().contains("1006 items were given"), "{bad:?}: {error:?}");
    }
    // What is after the items, and before them.
    let request = batch("accounts/plain", vec![item("users/ann", "reports.detailed.view")]).encode_to_vec();
    assert_eq!(ask(&api, &request).await.unwrap().results.len(), 1);
    for bad in [&[0x0a, 1, 0xff][..], &[0x0a, 9, b'a'], &[0x10, 1]] {
        for request in [[&request, bad].concat(), [bad, &request].concat()] {
            assert_eq!(ask(&api, &request).await.unwrap_err().code(), Code::Internal, "{request:?}");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_account_or_the_token_is_an_error_of_the_batch() {
    let api = api().await;
    let items = || vec![item("", ""), item("users/ann", "typo"), item("users/ann", "reports.detailed.view")];
    let mut foreign = batch("accounts/plain", items());
    foreign.consistency = Some(Consistency { requirement: Some(Requirement::AtExactRevision("no token".to_owned())) });
    let mut both = foreign.clone();
    both.account = "plain".to_owned();
    let cases = [
        (batch("plain", items()), Code::InvalidArgument, "account"),
        (both, Code::InvalidArgument, "account"),
        (batch("accounts/nobody", items()), Code::NotFound, "there is no account"),
        (batch("plain", Vec::new()), Code::InvalidArgument, "account"),
        (batch("accounts/nobody", Vec::new()), Code::InvalidArgument, "0 items were given"),
        (foreign, Code::InvalidArgument, "token"),
        // Nobody is asked about, so nobody asks whether there is such an account.
        (batch("accounts/nobody", vec![item("users/not an id", "typo")]), Code::Ok, ""),
    ];
    for (request, code, said) in cases {
        match ask(&api, &request.encode_to_vec()).await {
            Ok(answer) => assert_eq!((answer.results[0].decision, code), (0, Code::Ok), "{request:?}"),
            Err(error) => {
                assert_eq!(error.code(), code, "{request:?}: {error:?}");
                assert!(error.message().contains(said), "{request:?}: {error:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_batch_about_one_kept_subject_allocates_as_often_for_a_thousand_items_as_for_ten() {
    let api = api().await;
    let counts = [10, MAX_BATCH].map(|count| {
        let items = vec![item("users/ann", "reports.detailed.view"); count];
        let request = batch("accounts/plain", items).encode_to_vec();
        (count, request)
    });
    ask(&api, &counts[0].1).await.unwrap();
    let counts = counts.map(|(count, request)| {
        let mut answer = None;
        let counted = allocation_counter::measure(|| answer = api.answer_batch(&request).now_or_never());
        let mut bytes = Vec::new();
        answer.expect("it is kept").unwrap().write_to(&mut bytes);
        assert_eq!(BatchCheckResponse::decode(&*bytes).unwrap().results.len(), count);
        counted.count_total
    });
    assert_eq!(counts[0], counts[1]);
}

#[test]
fn what_was_answered_before_a_batch_begins_again_is_gone() {
    let items = vec![item("users/ann", "a.b"), item("ann", "a.b"), item("users/bob", "a.b"), item("users/ann", "")];
    let request = batch("accounts/plain", items).encode_to_vec();
    let request = Batch::read(&request).unwrap();
    let answered = |counts: &[usize]| {
        let mut questions = Questions::new(&request, "plain");
        for count in counts {
            questions.restart();
            for _ in 0..*count {
                let name = questions.next().unwrap();
                assert_eq!((questions.question().subject, questions.question().asked), name);
                questions.answer(Ok(Reason::Allowed));
            }
        }
        assert_eq!(questions.next(), None);
        questions.into_results().unwrap()
    };
    let once = answered(&[3]);
    let results = BatchCheckResponse::decode(&*once).unwrap().results;
    assert_eq!(results.iter().map(|result| result.decision).collect::<Vec<_>>(), [1, 0, 1, 1]);
    assert_eq!((answered(&[1, 3]), answered(&[3, 0, 2, 3])), (once.clone(), once));
}
