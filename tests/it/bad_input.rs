//! Requests that are wrong: each is refused with the documented code and reason, every bad field is named, and nothing
//! has changed.
//!
//! The cases are made from the descriptors and a table: [`rules`] says what each field has to be, [`violations`] how
//! that can be violated and what has to come of it. A field without a rule fails the test. A method that takes
//! `validate_only` is asked with it first; only what is refused then is asked without it, so that one hole does not
//! change what the other cases stand on.

mod access_methods;
mod across;
mod files;
mod fixture;
mod methods;
mod places;
mod rules;
mod things;
mod violations;
pub mod wire;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor, MethodDescriptor, Value};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use fixture::{Fixture, used_request_id};
use rules::{COMMON, MethodRules, Rule};
use violations::{Expected, Place, Violation};
use wire::{call, get, set};

use crate::support::TestServer;

/// Fewer cases than this mean that the table has lost some.
const FEWEST_CASES: usize = 15_000;
/// Stands for the one answer that is the transport's: OUT_OF_RANGE for a message that is too large to be read.
const WITHOUT_REASON: &str = "(none)";
/// Stands for the transport's INTERNAL: the bytes are no message that it reads.
const UNREADABLE: &str = "(unreadable)";
/// How many calls are under way at a time: streams have a limit of 16.
const WORKERS: usize = 8;

/// Every method, and what is its own.
fn table() -> impl Iterator<Item = &'static MethodRules> {
    methods::METHODS.iter().chain(access_methods::METHODS)
}

/// The fields of a method with their rules and the values of its base; those that have no field are left in.
fn rules_of(method: &str) -> Vec<(String, Rule, String)> {
    let own = table().find(|(name, _)| *name == method).map_or(&[][..], |(_, rules)| rules);
    let mut all: Vec<(String, Rule, String)> = own
        .iter()
        .flat_map(|(paths, rule, base)| {
            paths.split(' ').map(|path| (path.to_owned(), *rule, (*base).to_owned())).collect::<Vec<_>>()
        })
        .collect();
    let descriptor = wire::methods(&wire::descriptors()).into_iter().find(|found| found.name() == method);
    if let Some(descriptor) = descriptor {
        for (path, rule, base) in COMMON {
            let first = path.split('.').next().unwrap();
            if descriptor.input().get_field_by_name(first).is_some() {
                all.push(((*path).to_owned(), *rule, (*base).to_owned()));
            }
        }
    }
    all
}

/// The paths of every field of a message, those of the messages in it too.
fn paths(message: &MessageDescriptor, prefix: &str, unread: &BTreeSet<String>, found: &mut Vec<String>) {
    for field in message.fields() {
        let path = format!("{prefix}{}", field.name());
        found.push(path.clone());
        // What is in a message that is not read is not read either.
        if let Some(inner) = wire::inner(&field).filter(|_| !unread.contains(&path)) {
            let index = if field.is_list() { "[0]" } else { "" };
            paths(&inner, &format!("{path}{index}."), unread, found);
        }
    }
}

#[test]
fn every_field_of_every_request_has_one_rule_and_every_rule_a_field() {
    let mut wrong = Vec::new();
    let methods = wire::methods(&wire::descriptors());
    for method in &methods {
        let mut rules: BTreeMap<String, usize> = BTreeMap::new();
        let mut unread = BTreeSet::new();
        for (path, rule, _) in rules_of(method.name()) {
            *rules.entry(path.clone()).or_default() += 1;
            if matches!(rule, Rule::Unread) {
                unread.insert(path);
            }
        }
        let mut fields = Vec::new();
        paths(&method.input(), "", &unread, &mut fields);
        for field in fields {
            match rules.remove(&field) {
                None => wrong.push(format!("{}: the field {field} has no rule", method.input().name())),
                Some(1) => {}
                Some(count) => wrong.push(format!("{}: the field {field} has {count} rules", method.input().name())),
            }
        }
        wrong.extend(rules.into_keys().map(|path| format!("{}: there is no field {path}", method.input().name())));
    }
    for (name, _) in table() {
        if methods.iter().filter(|method| method.name() == *name).count() != 1 {
            wrong.push(format!("there are rules for {name}, which is not the name of one method"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One request, and what has to come of it.
struct Case {
    method: MethodDescriptor,
    what: String,
    messages: Vec<DynamicMessage>,
    expected: Expected,
    /// Whether it is asked with `validate_only`, and whether it is asked without.
    ways: (bool, bool),
}

impl Case {
    fn new(method: &MethodDescriptor, base: &DynamicMessage, violation: Violation) -> Self {
        let mut message = base.clone();
        for (path, value) in violation.sets {
            set(&mut message, &path, value);
        }
        let is_accepted = violation.expected.reasons.is_empty();
        Self {
            method: method.clone(),
            what: violation.what,
            messages: vec![message],
            expected: violation.expected,
            ways: (true, !is_accepted && validates(method)),
        }
    }

    fn encoded(&self, validate_only: bool) -> Vec<Vec<u8>> {
        let mut messages = self.messages.clone();
        if validates(&self.method) {
            for message in &mut messages {
                set(message, "validate_only", Some(Value::Bool(validate_only)));
            }
        }
        messages.iter().map(prost::Message::encode_to_vec).collect()
    }

    /// Whether it is refused while it is still being sent. The server closes a connection over which that happens again and
    /// again, with whatever else is under way there: what arrives after a stream was reset counts against it.
    fn is_cut_off(&self) -> bool {
        self.expected.reasons == [WITHOUT_REASON]
    }

    /// What is wrong with what came of it.
    fn judge(&self, outcome: Result<Vec<DynamicMessage>, Status>) -> Result<(), String> {
        let is_item = self.method.name() == "BatchCheck" && self.expected.fields.iter().all(|field| field != "items");
        let expected = &self.expected;
        match outcome {
            Ok(answers) if is_item && !expected.reasons.is_empty() && !answers.is_empty() => {
                judge_item(&answers[0], expected)
            }
            Ok(_) if expected.reasons.is_empty() => Ok(()),
            Ok(_) => Err("it was accepted".to_owned()),
            Err(status) if expected.reasons.is_empty() => Err(format!("it was refused: {}", shown(&status))),
            Err(status) => judge_status(&status, expected),
        }
    }
}

/// Whether a method can only be tried.
fn validates(method: &MethodDescriptor) -> bool {
    method.input().get_field_by_name("validate_only").is_some()
}

fn shown(status: &Status) -> String {
    let reason = status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default();
    let mut shown = format!("{:?} {reason} {}", status.code(), status.message().chars().take(300).collect::<String>());
    // Of an error of the transport the status says the least.
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        shown += &format!(": {error}");
        source = error.source();
    }
    shown
}

/// The code that a reason comes with: docs/errors.md says it.
fn code_of(reason: &str) -> Option<Code> {
    static CODES: LazyLock<BTreeMap<String, Code>> = LazyLock::new(|| {
        let page = std::fs::read_to_string(crate::tools::root().join("docs/errors.md")).unwrap();
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | `"));
        rows.filter_map(|(reason, rest)| Some((reason.to_owned(), code_named(rest.split_once('`')?.0)?))).collect()
    });
    CODES.get(reason).copied()
}

fn code_named(name: &str) -> Option<Code> {
    Some(match name {
        "INVALID_ARGUMENT" => Code::InvalidArgument,
        "NOT_FOUND" => Code::NotFound,
        "ALREADY_EXISTS" => Code::AlreadyExists,
        "FAILED_PRECONDITION" => Code::FailedPrecondition,
        "RESOURCE_EXHAUSTED" => Code::ResourceExhausted,
        "OUT_OF_RANGE" => Code::OutOfRange,
        "ABORTED" => Code::Aborted,
        _ => return None,
    })
}

fn judge_status(status: &Status, expected: &Expected) -> Result<(), String> {
    if expected.reasons == [WITHOUT_REASON] {
        let is_right = status.code() == Code::OutOfRange;
        return if is_right { Ok(()) } else { Err(format!("{} instead of OUT_OF_RANGE", shown(status))) };
    }
    if expected.reasons == [UNREADABLE] {
        let is_right = status.code() == Code::Internal && status.get_error_details().error_info().is_none();
        return if is_right {
            Ok(())
        } else {
            Err(format!("{} instead of a message that cannot be read", shown(status)))
        };
    }
    let details = status.get_error_details();
    let Some(info) = details.error_info() else { return Err(format!("it has no reason: {}", shown(status))) };
    if info.domain != "rolecall" || !expected.reasons.contains(&info.reason.as_str()) {
        return Err(format!("{} instead of {}", shown(status), expected.reasons.join(" or ")));
    }
    if code_of(&info.reason) != Some(status.code()) {
        return Err(format!("{} has the code {:?}", info.reason, status.code()));
    }
    let mut said = status.message().to_owned();
    if info.reason == "FIELD_INVALID" {
        let violations = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
        let is_cut = violations.last().is_some_and(|last| last.field == "...");
        let named: BTreeSet<&str> = violations.iter().map(|violation| violation.field.as_str()).collect();
        // "a|b": one of the two is enough.
        let alternatives = |field: &str| field.split('|').map(str::to_owned).collect::<Vec<_>>();
        for field in &expected.fields {
            if !is_cut && !alternatives(field).iter().any(|field| named.contains(field.as_str())) {
                return Err(format!("{field} is not named, but {named:?}: {}", status.message()));
            }
        }
        let is_expected = |name: &str| {
            expected.fields.iter().flat_map(|field| alternatives(field)).any(|field| {
                name.strip_prefix(&field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            })
        };
        if let Some(other) = named.iter().find(|name| **name != "..." && !is_expected(name)) {
            return Err(format!("{other} is named too, which is not wrong: {}", status.message()));
        }
        for violation in &violations {
            let text = &violation.description;
            let explains = [
                "expected",
                "is not",
                "is a number",
                "without",
                "with a search",
                "maximum",
                "required",
                "at most",
                "it has",
                "the paths of the catalog are",
                "set the list to",
                "another line",
                "disagrees",
                "...",
            ];
            // Of a condition it is said where it cannot be read any further, and why.
            let is_placed = violation.field.ends_with(".condition")
                && text.splitn(3, ':').take(2).all(|number| number.parse::<u32>().is_ok());
            let is_explained = is_placed || explains.iter().any(|word| text.contains(word));
            if violation.field != "..." && !is_explained {
                return Err(format!("{} does not say what is expected: {text}", violation.field));
            }
            said.push_str(text);
        }
    }
    let digits = said.replace(',', "");
    match expected.says.iter().find(|part| !digits.contains(part.as_str())) {
        Some(part) => Err(format!("{part} is not said: {said}")),
        None => Ok(()),
    }
}

/// An item of a batch is wrong on its own.
fn judge_item(answer: &DynamicMessage, expected: &Expected) -> Result<(), String> {
    let reason = wire::text(answer, "results[0].error.reason");
    let message = wire::text(answer, "results[0].error.message");
    let code = get(answer, "results[0].error.code").and_then(|code| code.as_i32());
    let decision = get(answer, "results[0].decision").and_then(|decision| decision.as_enum_number());
    if decision != Some(0) {
        return Err(format!("the item has the decision {decision:?}"));
    }
    if !expected.reasons.contains(&reason.as_str()) || code_of(&reason).map(i32::from) != code {
        return Err(format!("the item has {reason:?} ({code:?}, {message}) instead of {:?}", expected.reasons));
    }
    let is_named = |field: &str| field.split('|').any(|field| message.contains(field.rsplit('.').next().unwrap()));
    match expected.fields.iter().find(|field| reason == "FIELD_INVALID" && !is_named(field)) {
        Some(field) => Err(format!("the item does not name {field}: {message}")),
        None => Ok(()),
    }
}

/// Every case of a method.
fn cases_of(method: &MethodDescriptor, fixture: &Fixture) -> Vec<Case> {
    let base = fixture.own_base(method);
    let mut single = Vec::new();
    // For each field one way in which it is malformed, for requests with several such fields.
    let mut malformed: Vec<Violation> = Vec::new();
    for (path, rule, value) in rules_of(method.name()) {
        let field = wire::field_at(&method.input(), &path).unwrap();
        let place = Place { method: method.name(), path: &path, field, base: fixture.fill(&value) };
        let mut violations = violations::of(rule, &place, fixture);
        violations.extend(violations::accepted(rule, &place, fixture));
        if path.ends_with("api_scope") && (method.name().ends_with("Check") || method.name() == "ListSubjects") {
            // One of the two: the base has the permission.
            let permission = path.replace("api_scope", "permission");
            violations.iter_mut().for_each(|violation| violation.sets.push((permission.clone(), None)));
        }
        // What ends a stream says how the rest is read, and so does a mask, but for one that names everything besides.
        let stands_alone = |violation: &Violation| match rule {
            Rule::Last => true,
            Rule::Mask(_) => !violation.what.contains("\"*\""),
            _ => false,
        };
        let is_plain = |violation: &&Violation| {
            let is_malformed = violation.expected.reasons == ["FIELD_INVALID"];
            is_malformed
                && !violation.is_late
                && violation.sets.len() == 1
                && violation.sets[0].0 == path
                && !stands_alone(violation)
        };
        let shortest = violations.iter().filter(is_plain).min_by_key(|violation| format!("{:?}", violation.sets).len());
        malformed.extend(shortest.cloned());
        single.extend(violations);
    }
    let mut cases: Vec<Case> = single.into_iter().map(|violation| Case::new(method, &base, violation)).collect();
    if method.name() != "BatchCheck" {
        let several = across::several(&malformed);
        cases.extend(several.into_iter().map(|violation| Case::new(method, &base, violation)));
    }
    cases.extend(across::of_method(method, fixture).into_iter().map(|violation| Case::new(method, &base, violation)));
    cases.extend(across::of_stream(method, &base));
    if method.input().get_field_by_name("request_id").is_some() {
        let used = Violation {
            what: "request_id: one that was used for another request".to_owned(),
            sets: vec![("request_id".to_owned(), Some(Value::String(used_request_id(method.name()))))],
            expected: Expected::reason(&["REQUEST_ID_REUSED"], ""),
            is_late: false,
        };
        // What is only tried is not done, so it cannot have been done before either.
        cases.push(Case { ways: (false, true), ..Case::new(method, &base, used) });
    }
    cases
}

/// Asks all cases, several at a time, and gives what is wrong with what came of them.
async fn ask(
    fixture: &Fixture,
    cases: &Arc<Vec<Case>>,
    numbers: Vec<usize>,
    validate_only: bool,
) -> Vec<(usize, String)> {
    let next = Arc::new(AtomicUsize::new(0));
    let failures = Arc::new(Mutex::new(Vec::new()));
    let numbers = Arc::new(numbers);
    let service = fixture.server.running.service().clone();
    let before = service.head().revision;
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..WORKERS {
        let (next, failures, cases) = (Arc::clone(&next), Arc::clone(&failures), Arc::clone(cases));
        let (numbers, channel, service) = (Arc::clone(&numbers), fixture.channel.clone(), service.clone());
        let address = fixture.address.clone();
        workers.spawn(async move {
            while let Some(number) = numbers.get(next.fetch_add(1, Ordering::Relaxed)) {
                let case = &cases[*number];
                let own = match case.is_cut_off() {
                    true => Some(address.connect().await.unwrap()),
                    false => None,
                };
                let channel = own.as_ref().unwrap_or(&channel);
                let outcome = call(channel, &case.method, case.encoded(validate_only)).await;
                let was_refused = outcome.is_err();
                if let Err(wrong) = case.judge(outcome) {
                    failures.lock().unwrap().push((*number, wrong));
                }
                if was_refused && service.head().revision != before && failures.lock().unwrap().is_empty() {
                    failures.lock().unwrap().push((*number, "something was written though all was refused".to_owned()));
                }
            }
        });
    }
    workers.join_all().await;
    std::mem::take(&mut *failures.lock().unwrap())
}

/// A field that nobody looks at fails in dozens of cases: of each field the first few are shown.
fn summary(mut failures: Vec<String>) -> Vec<String> {
    const SHOWN: usize = 3;
    failures.sort();
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for failure in failures {
        let field: Vec<&str> = failure.splitn(3, ": ").take(2).collect();
        fields.entry(field.join(": ")).or_default().push(failure);
    }
    let mut lines = Vec::new();
    for (field, failures) in fields {
        lines.extend(failures.iter().take(SHOWN).cloned());
        if failures.len() > SHOWN {
            lines.push(format!("{field}: and {} more", failures.len() - SHOWN));
        }
    }
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_is_refused_with_every_bad_field_named_and_changes_nothing() {
    let fixture = Fixture::start().await;
    let mut failures: Vec<String> = fixture.problems.clone();
    let before = fixture.everything().await;

    // The requests that the cases are made from are right, so that no case is refused for another reason.
    let mut methods = Vec::new();
    for method in fixture.methods.iter().filter(|method| !fixture.unsafe_methods.contains(method.name())) {
        let mut request = fixture.own_base(method);
        if validates(method) {
            set(&mut request, "validate_only", Some(Value::Bool(true)));
        }
        match call(&fixture.channel, method, vec![request.encode_to_vec()]).await {
            Ok(_) => methods.push(method),
            Err(status) => failures.push(format!("{}: the base is refused: {}", method.name(), shown(&status))),
        }
    }
    assert_eq!(fixture.everything().await, before, "what was only to be tried was done: {failures:#?}");

    let cases: Arc<Vec<Case>> = Arc::new(methods.into_iter().flat_map(|method| cases_of(method, &fixture)).collect());
    let tried: Vec<usize> = (0..cases.len()).filter(|number| cases[*number].ways.0).collect();
    let wrong = ask(&fixture, &cases, tried, true).await;
    let unsafe_cases: BTreeSet<usize> = wrong.iter().map(|(number, _)| *number).collect();
    let done = (0..cases.len()).filter(|number| cases[*number].ways.1 && !unsafe_cases.contains(number)).collect();
    let wrong_too = ask(&fixture, &cases, done, false).await;
    for (way, wrong) in [("tried", wrong), ("done", wrong_too)] {
        for (number, message) in wrong {
            let case = &cases[number];
            failures.push(format!("{}: {} ({way}): {message}", case.method.name(), case.what));
        }
    }
    if fixture.everything().await != before {
        failures.push("the catalogs and accounts are not what they were before".to_owned());
    }
    let refused = cases.iter().filter(|case| !case.expected.reasons.is_empty()).count();
    println!("{refused} cases of bad input, {} of what is right, {} failures", cases.len() - refused, failures.len());
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), summary(failures).join("\n"));
    assert!(refused >= FEWEST_CASES, "{refused} cases of bad input; {FEWEST_CASES} are expected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_no_message_are_refused_by_every_method_and_change_nothing() {
    let server = TestServer::start().await;
    let address = format!("http://{}", server.running.address.unwrap());
    let channel = tonic::transport::Channel::from_shared(address).unwrap().connect().await.unwrap();
    let before = server.running.service().head();
    let mut failures = Vec::new();
    for method in wire::methods(&wire::descriptors()) {
        for (what, bytes) in [
            ("a field that is cut off", &b"\x0a\x7fx"[..]),
            ("a number without an end", &[0xff; 32]),
            ("the field 0", b"\x00\x00"),
            ("an unknown wire type", b"\x0f"),
            ("a group that does not end", b"\x0b\x0b\x0b"),
        ] {
            match call(&channel, &method, vec![bytes.to_vec()]).await {
                // The transport reads the message, and has this code for one that it cannot read.
                Err(status) if status.code() == Code::Internal => {}
                other => {
                    failures.push(format!("{}: {what}: {:?}", method.name(), other.map_err(|status| shown(&status))))
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    assert_eq!(server.running.service().head(), before);
}
