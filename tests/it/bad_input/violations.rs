//! How each kind of field can be wrong, and what the answer to that has to be.

use prost_reflect::{FieldDescriptor, Value};

use super::{
    fixture::Fixture,
    places,
    rules::Rule,
    things::{self, Thing},
    wire,
};

/// One way in which a request is wrong: what is put where, and what has to come of it.
#[derive(Clone, Debug)]
pub struct Violation {
    pub what: String,
    /// Paths and what is put there; none: what is there is taken away.
    pub sets: Vec<(String, Option<Value>)>,
    pub expected: Expected,
    /// Only who has the catalog, the account or the time can tell: it is not named beside what is malformed in itself.
    pub is_late: bool,
}

impl Violation {
    pub(super) fn late(self) -> Self {
        Self { is_late: true, ..self }
    }
}

/// What has to come of a request.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Any of these reasons; none: it is accepted.
    pub reasons: Vec<&'static str>,
    /// With FIELD_INVALID: the fields that are named, and no others.
    pub fields: Vec<String>,
    /// What the error has to say besides.
    pub says: Vec<String>,
}

impl Expected {
    /// The field is malformed, and named.
    pub fn invalid(field: &str) -> Self {
        Self { reasons: vec!["FIELD_INVALID"], fields: vec![field.to_owned()], says: Vec::new() }
    }

    /// One of these reasons. If it is that fields are wrong, it is this one.
    pub fn reason(reasons: &[&'static str], field: &str) -> Self {
        Self { reasons: reasons.to_vec(), fields: vec![field.to_owned()], says: Vec::new() }
    }
}

/// A field of a method: where it is, and what it has in a request that is right.
pub struct Place<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub field: FieldDescriptor,
    pub base: String,
}

pub(super) fn string(text: impl Into<String>) -> Option<Value> {
    Some(Value::String(text.into()))
}

impl Place<'_> {
    pub(super) fn with(&self, what: impl Into<String>, value: Option<Value>, expected: Expected) -> Violation {
        Violation {
            what: format!("{}: {}", self.path, what.into()),
            sets: vec![(self.path.to_owned(), value)],
            expected,
            is_late: false,
        }
    }

    pub(super) fn invalid(&self, what: impl Into<String>, value: Option<Value>) -> Violation {
        self.with(what, value, Expected::invalid(self.path))
    }

    /// Texts that have to be refused as malformed.
    pub(super) fn texts(&self, bad: Vec<(String, String)>) -> Vec<Violation> {
        bad.into_iter().map(|(what, text)| self.invalid(what, string(text))).collect()
    }
}

/// Every way in which a field with this rule can be wrong.
pub fn of(rule: Rule, place: &Place<'_>, fixture: &Fixture) -> Vec<Violation> {
    match rule {
        Rule::Anchor(allowed) => names(place, fixture, allowed, true, true),
        Rule::Inside(allowed) => names(place, fixture, allowed, false, true),
        Rule::Filter(allowed) => names(place, fixture, allowed, false, false),
        Rule::Short(allowed) => short_names(place, allowed, true),
        Rule::ShortFilter(allowed) => short_names(place, allowed, false),
        Rule::Subject => {
            let mut bad = place.texts(things::malformed_short("users/ana", &[Thing::User, Thing::ServiceAccount]));
            bad.push(place.invalid("nothing", string("")));
            bad
        }
        Rule::NewId(thing) => new_ids(place, thing),
        Rule::Known(missing) => {
            let mut bad = ids(place);
            bad.push(place.with("one that there is not", string("nothing.such"), Expected::reason(&[missing], "")));
            bad
        }
        Rule::RequiredKnown(missing) => {
            let mut bad = of(Rule::Known(missing), place, fixture);
            bad.push(place.invalid("nothing", string("")));
            bad
        }
        Rule::KnownPermission => permissions(place),
        Rule::Text(most) => texts(place, most),
        Rule::RequiredText(most) => {
            let mut bad = texts(place, most);
            bad.push(place.invalid("nothing", string("")));
            bad
        }
        Rule::Email => {
            let mut bad = texts(place, 256);
            for email in ["ana", "ana@a@b", "@@"] {
                bad.push(place.invalid(format!("{email} for an email address"), string(email)));
            }
            bad
        }
        Rule::Search(most) => texts(place, most),
        Rule::Order(_) => {
            ["name", "id,display_name", "id asc", "ID", "display_name;", " id", "id\0", "id  desc", "desc"]
                .into_iter()
                .map(|order| place.invalid(format!("{order:?}"), string(order)))
                .collect()
        }
        Rule::OneOf(_) | Rule::State => [99, -1, i32::MAX, i32::MIN]
            .into_iter()
            .map(|number| place.invalid(format!("the unknown value {number}"), Some(Value::EnumNumber(number))))
            .collect(),
        Rule::Etag(thing) => etags(place, thing, fixture),
        Rule::RequestId => {
            let mut bad = ids(place);
            bad.push(place.invalid("a slash", string("a/b")));
            bad
        }
        Rule::PageSize => [-1, 1001, i32::MAX, i32::MIN]
            .into_iter()
            .map(|size| {
                let mut violation = place.invalid(format!("{size}"), Some(Value::I32(size)));
                violation.expected.says = vec![size.to_string(), "1000".to_owned()];
                violation
            })
            .collect(),
        Rule::PageToken => page_tokens(place, fixture),
        Rule::Token => tokens(place, fixture),
        Rule::Mask(known) => masks(place, known),
        Rule::List(item, least, most) => lists(place, fixture, *item, least, most),
        Rule::Many(least, most) => counts(place, least, most),
        Rule::Required => vec![place.invalid("nothing", None)],
        Rule::Past => {
            let soon = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap() + 600;
            let mut bad = no_times(place);
            bad.push(place.invalid("ten minutes ahead", Some(wire::timestamp(&place.field, soon, 0))));
            bad
        }
        Rule::Future
        | Rule::NewPath
        | Rule::RegisteredPath
        | Rule::Place
        | Rule::Facets
        | Rule::Attributes
        | Rule::Value
        | Rule::PermissionPattern
        | Rule::ResourcePattern
        | Rule::Condition
        | Rule::Effect => places::of(rule, place),
        Rule::Chunk => chunks(place),
        Rule::Last => vec![place.invalid("not set", None)],
        Rule::Free | Rule::Unread => Vec::new(),
    }
}

/// Times that no clock shows.
pub(super) fn no_times(place: &Place<'_>) -> Vec<Violation> {
    [(253_402_300_800, 0), (i64::MAX, 0), (i64::MIN, 0), (1, -1), (1, 1_000_000_000), (1, i32::MIN)]
        .into_iter()
        .map(|(seconds, nanos)| {
            let time = wire::timestamp(&place.field, seconds, nanos);
            place.invalid(format!("{seconds} s and {nanos} ns"), Some(time))
        })
        .collect()
}

/// What has to be accepted all the same: fields that are not read, and values at their limits.
pub fn accepted(rule: Rule, place: &Place<'_>, fixture: &Fixture) -> Vec<Violation> {
    let fine = |what: &str, value: Value| place.with(what, Some(value), Expected::default());
    let text = |what: &str, text: String| fine(what, Value::String(text));
    match rule {
        Rule::Text(most) | Rule::RequiredText(most) | Rule::Search(most) => {
            vec![text("as long as it can be", "x".repeat(most)), text("any letters", "Ångström 東京 🎉".to_owned())]
        }
        Rule::NewId(_) => {
            vec![text("as long as it can be", "x".repeat(128)), text("every mark", "Z9._@:+=~-".to_owned())]
        }
        Rule::RequestId => vec![text("as long as it can be", "x".repeat(128))],
        Rule::PageSize => vec![fine("as large as it can be", Value::I32(1000)), fine("one", Value::I32(1))],
        Rule::PageToken => vec![text("the one of the first page", fixture.page_tokens[place.method].clone())],
        Rule::Token => vec![text("one of this server", fixture.consistency_token.clone())],
        Rule::Etag(thing) => match fixture.etags.get(&thing) {
            Some(etags) if !etags.own.is_empty() => vec![text("the one that it has", etags.own.clone())],
            _ => Vec::new(),
        },
        Rule::Order(other) => vec![text("another", other.to_owned())],
        Rule::OneOf(other) => vec![fine("another", wire::parse(&place.field, other))],
        Rule::List(item, ..) => {
            let mut all = accepted(*item, place, fixture);
            for (_, value) in all.iter_mut().flat_map(|one| &mut one.sets) {
                *value = value.take().map(|one| Value::List(vec![one]));
            }
            all
        }
        Rule::Unread => vec![fine("something that is not read", nonsense(&place.field))],
        _ => places::accepted(rule, place),
    }
}

/// A value that would be wrong in a field that is read.
fn nonsense(field: &FieldDescriptor) -> Value {
    use prost_reflect::Kind;
    let one = match field.kind() {
        Kind::String => Value::String("\u{1}/../ not read".to_owned()),
        Kind::Int32 => Value::I32(-7),
        Kind::Int64 => Value::I64(-7),
        Kind::Bool => Value::Bool(true),
        Kind::Enum(_) => Value::EnumNumber(77),
        Kind::Message(message) if message.full_name() == "google.protobuf.Timestamp" => {
            wire::timestamp(field, i64::MIN, -1)
        }
        Kind::Message(message) => Value::Message(prost_reflect::DynamicMessage::new(message)),
        other => panic!("{}: no nonsense of {other:?}", field.full_name()),
    };
    if field.is_list() { Value::List(vec![one]) } else { one }
}

/// Full names that are malformed, of nothing, or of something of another account.
fn names(place: &Place<'_>, fixture: &Fixture, allowed: &[Thing], anchors: bool, required: bool) -> Vec<Violation> {
    let mut bad = Vec::new();
    if required {
        bad.push(place.invalid("nothing", string("")));
    }
    for thing in allowed.iter().copied() {
        // The name of a request that is right, if it is one of these.
        let name = if thing.is_named(&place.base) { place.base.clone() } else { fixture.fill(thing.present()) };
        let shown = format!("{thing:?}");
        bad.extend(place.texts(things::malformed(&name, thing, allowed)));
        let owner = name.rsplit_once('/').unwrap().0;
        let within = name.splitn(3, '/').nth(2).unwrap_or_default();
        let owner_missing = name.replacen(&format!("/{}", name.split('/').nth(1).unwrap()), "/nobody", 1);
        let missing = format!("{owner}/{}", thing.nobody());
        let foreign = fixture.fill(thing.foreign());
        let foreign_owner = foreign.split('/').take(2).collect::<Vec<_>>().join("/");
        if anchors {
            let mut expected = Expected::reason(&[thing.owner().missing()], "");
            if place.method == "BatchDeleteRoleBindings" {
                // The names are full ones, so that they show to be of another account before that is looked up.
                expected = Expected::reason(&[thing.owner().missing(), "FIELD_INVALID"], "names[0]");
            }
            bad.push(place.with(format!("{shown} of nothing"), string(owner_missing), expected));
            if thing != thing.owner() {
                bad.push(place.with(
                    format!("no such {shown}"),
                    string(missing),
                    Expected::reason(&[thing.missing()], ""),
                ));
                // Of an exception it is the user that is missing.
                let missing = if thing == Thing::Exception { Thing::User.missing() } else { thing.missing() };
                bad.push(place.with(
                    format!("{shown} that another has not"),
                    string(format!("{foreign_owner}/{within}")),
                    Expected::reason(&[missing], ""),
                ));
            }
        } else {
            // Whether the name is looked up or is seen to be of another account: it is not there for this one.
            let gone = [thing.missing(), thing.owner().missing(), "FIELD_INVALID"];
            let fixed = [thing.missing(), "CATALOG_FIXED", "FIELD_INVALID"];
            let reasons = if place.path == "account.catalog" { &fixed } else { &gone };
            bad.push(place.with(
                format!("{shown} of nothing"),
                string(owner_missing),
                Expected::reason(reasons, place.path),
            ));
            bad.push(place.with(format!("no such {shown}"), string(missing), Expected::reason(reasons, place.path)));
            if thing != Thing::Catalog || place.path == "account.catalog" {
                bad.push(place.with(
                    format!("{shown} of another"),
                    string(foreign),
                    Expected::reason(reasons, place.path),
                ));
            }
        }
        if thing == Thing::ManagedRole {
            let internal = "catalogs/c/roles/inner";
            let expected = Expected::reason(&["ROLE_NOT_FOUND"], place.path);
            bad.push(place.with("an internal role", string(internal), expected));
        }
    }
    if !allowed.contains(&Thing::ManagedRole) && allowed.contains(&Thing::CustomRole) {
        bad.push(place.invalid("a managed role", string("catalogs/c/roles/manager")));
    }
    if !allowed.contains(&Thing::ManagedPolicy) && allowed.contains(&Thing::CustomPolicy) {
        bad.push(place.invalid("a managed policy", string(Thing::ManagedPolicy.present())));
    }
    if !allowed.contains(&Thing::CustomRole) && allowed.contains(&Thing::ManagedRole) {
        bad.push(place.invalid("a custom role", string("accounts/demo/roles/agent")));
    }
    bad
}

/// Names within an account that are malformed, or of nothing there.
fn short_names(place: &Place<'_>, allowed: &[Thing], required: bool) -> Vec<Violation> {
    let mut bad = Vec::new();
    if required {
        bad.push(place.invalid("nothing", string("")));
    }
    for thing in allowed {
        let short = |name: &str| name.split('/').skip(2).collect::<Vec<_>>().join("/");
        bad.extend(place.texts(things::malformed_short(&short(thing.present()), allowed)));
        let nobody = format!("{}/{}", thing.collection(), thing.nobody());
        for (what, name) in [("no such", nobody), ("another account's", short(thing.foreign()))] {
            bad.push(place.with(format!("{what} {thing:?}"), string(name), Expected::reason(&[thing.missing()], "")));
        }
    }
    bad
}

/// Texts that are no ids.
fn ids(place: &Place<'_>) -> Vec<Violation> {
    place.texts(things::bad_ids().into_iter().map(|(what, id)| (what.to_owned(), id)).collect())
}

fn new_ids(place: &Place<'_>, thing: Thing) -> Vec<Violation> {
    let mut bad = ids(place);
    bad.push(place.invalid("nothing", string("")));
    for slashed in ["a/b", "../a", "/", "users/ana"] {
        bad.push(place.invalid(format!("{slashed:?}"), string(slashed)));
    }
    let taken = thing.present().rsplit('/').next().unwrap();
    bad.push(place.with("one that is taken", string(taken), Expected::reason(&["ALREADY_EXISTS"], "")));
    bad
}

fn permissions(place: &Place<'_>) -> Vec<Violation> {
    let mut bad: Vec<(String, String)> = [
        "a",
        "a.",
        ".a",
        "a..b",
        "a.b.c.d.e.f",
        "a.*",
        "**",
        "a.b c",
        "a.b:c",
        "a.b\0",
        "a.é",
        "a/b",
        "a.b\n",
        "A.b@c",
    ]
    .map(|text| (format!("{text:?}"), text.to_owned()))
    .to_vec();
    bad.push(("129 bytes".to_owned(), format!("a.{}", "x".repeat(127))));
    let mut bad = place.texts(bad);
    for (what, permission) in [
        ("one that there is not", "desk.tickets.vew"),
        ("one in capital letters", "Desk.Tickets.View"),
        ("one of another catalog", "foreign.things.view"),
    ] {
        bad.push(place.with(what, string(permission), Expected::reason(&["PERMISSION_NOT_FOUND"], "")));
    }
    bad
}

fn texts(place: &Place<'_>, most: usize) -> Vec<Violation> {
    let mut bad: Vec<Violation> =
        ["a\0b", "\u{1}", "a\u{1b}[31m", "a\u{7f}", "a\rb", "a\u{85}b", "\u{9b}31m", "a\u{8}"]
            .into_iter()
            .map(|text| place.invalid(format!("{text:?}"), string(text)))
            .collect();
    for text in ["x".repeat(most + 1), "é".repeat(most / 2 + 1), "x".repeat(most * 2 + 7)] {
        let mut violation = place.invalid(format!("{} bytes", text.len()), string(text.clone()));
        violation.expected.says = vec![text.len().to_string(), most.to_string()];
        bad.push(violation);
    }
    bad
}

fn etags(place: &Place<'_>, thing: Thing, fixture: &Fixture) -> Vec<Violation> {
    let mut bad: Vec<Violation> = ["x", "é", "a\0b", "\"quoted\"", "*", "W/\"1\"", " ", "....", "0"]
        .into_iter()
        .map(|text| place.invalid(format!("{text:?}"), string(text)))
        .collect();
    bad.push(place.invalid("3,000 bytes", string("A".repeat(3000))));
    bad.push(place.invalid("a consistency token", string(fixture.consistency_token.clone())));
    // That of something else is well formed and not the one that this has.
    if let Some(etags) = fixture.etags.get(&thing) {
        if etags.other.is_empty() {
            bad.push(place.invalid("no etag of another is known", string("")));
        } else {
            let stale = string(etags.other.clone());
            bad.push(place.with("one that it has not", stale, Expected::reason(&["ETAG_MISMATCH"], "")));
        }
    }
    bad
}

/// Texts that are no tokens of any kind.
fn no_tokens(good: &str) -> Vec<(String, String)> {
    let mut bad: Vec<(String, String)> = ["x", "é", "a b", "a\0b", "AAAA", "!", "eyJhIjoxfQ", "null", "0"]
        .map(|text| (format!("{text:?}"), text.to_owned()))
        .to_vec();
    bad.push(("5,000 bytes".to_owned(), "A".repeat(5000)));
    let Some(last) = good.chars().last() else { return bad };
    let head = &good[..good.len() - last.len_utf8()];
    bad.push(("a good one cut off".to_owned(), head.to_owned()));
    bad.push((
        "a good one with one letter changed".to_owned(),
        format!("{}{}", if good.starts_with('A') { 'B' } else { 'A' }, &good[1..]),
    ));
    bad.push(("a good one with more behind it".to_owned(), format!("{good}AA")));
    bad.push(("a good one twice".to_owned(), format!("{good}{good}")));
    bad
}

fn page_tokens(place: &Place<'_>, fixture: &Fixture) -> Vec<Violation> {
    let expected = || Expected::reason(&["PAGE_TOKEN_INVALID"], "");
    let own = &fixture.page_tokens[place.method];
    let mut bad: Vec<Violation> =
        no_tokens(own).into_iter().map(|(what, text)| place.with(what, string(text), expected())).collect();
    bad.push(place.with("a consistency token", string(fixture.consistency_token.clone()), expected()));
    for (list, token) in &fixture.page_tokens {
        if list != place.method && !token.is_empty() {
            bad.push(place.with(format!("the token of {list}"), string(token.clone()), expected()));
        }
    }
    for (path, value) in fixture.other_arguments(place.method) {
        let mut violation = place.with(format!("its own, with another {path}"), string(own.clone()), expected());
        violation.sets.push((path, Some(value)));
        bad.push(violation);
    }
    bad
}

fn tokens(place: &Place<'_>, fixture: &Fixture) -> Vec<Violation> {
    let mut bad: Vec<Violation> = no_tokens(&fixture.consistency_token)
        .into_iter()
        .map(|(what, text)| place.with(what, string(text), Expected::reason(&["CONSISTENCY_TOKEN_INVALID"], "")))
        .collect();
    let page = fixture.page_tokens.values().find(|token| !token.is_empty()).cloned().unwrap_or_default();
    let invalid = || Expected::reason(&["CONSISTENCY_TOKEN_INVALID"], "");
    bad.push(place.with("a page token", string(page), invalid()));
    if place.path.contains('.') {
        // Set and empty, which is something else than not set.
        bad.push(place.with("nothing", string(""), invalid()));
    }
    for (what, token) in
        [("of another store", &fixture.foreign_token), ("of a revision to come", &fixture.future_token)]
    {
        let expected = Expected::reason(&["CONSISTENCY_TOKEN_FOREIGN"], "");
        bad.push(place.with(format!("one {what}"), string(token.clone()), expected));
    }
    bad
}

fn masks(place: &Place<'_>, known: &[&str]) -> Vec<Violation> {
    let mut bad = Vec::new();
    let mut add = |paths: &[&str], wrong: usize| {
        let expected = Expected::invalid(&format!("{}.paths[{wrong}]", place.path));
        bad.push(place.with(format!("{paths:?}"), Some(wire::mask(&place.field, paths)), expected));
    };
    let first = known[0];
    let inside = format!("{first}.x");
    let upper = first.to_uppercase();
    for path in ["nonsense", "name", "create_time", "update_time", "etag", "", " ", "..", &inside, &upper, "é", "a\0b"]
    {
        add(&[path], 0);
        add(&[first, path], 1);
    }
    add(&["*", "nonsense"], 1);
    // What a mask names and has to be there, is not.
    for (path, rule, _) in super::rules_of(place.method) {
        let Some(name) = path.split_once('.').map(|(_, name)| name).filter(|name| known.contains(name)) else {
            continue;
        };
        if matches!(rule, Rule::RequiredText(_) | Rule::State | Rule::Many(1.., _)) {
            let given = Some(wire::mask(&place.field, &[name]));
            let mut violation = place.with(format!("{name}, which is not given"), given, Expected::invalid(&path));
            violation.sets.push((path, None));
            bad.push(violation);
        }
    }
    bad
}

fn lists(place: &Place<'_>, fixture: &Fixture, item: Rule, least: usize, most: usize) -> Vec<Violation> {
    let Value::List(good) = wire::parse(&place.field, &place.base) else { panic!("{} is no list", place.path) };
    let mut bad = Vec::new();
    if most < usize::MAX {
        let many: Vec<Value> = good.iter().cycle().take(most + 1).cloned().collect();
        let mut violation =
            place.with(format!("{} of them", most + 1), Some(Value::List(many)), Expected::invalid(place.path));
        violation.expected.says = vec![(most + 1).to_string(), most.to_string()];
        if place.path.ends_with("permissions") {
            violation.expected.reasons.push("LIMIT_REACHED");
        }
        violation.is_late = matches!(item, Rule::Value) && least == 0;
        bad.push(violation);
    }
    if least > 0 {
        bad.push(place.invalid("none", Some(Value::List(Vec::new()))));
    }
    // The first alone, and the last of several.
    let first = format!("{}[0]", place.path);
    let last = format!("{}[{}]", place.path, good.len());
    for (path, before) in [(first, Vec::new()), (last, good)] {
        let one = Place { method: place.method, path: &path, field: place.field.clone(), base: item_base(place) };
        let mut violations = of(item, &one, fixture);
        if matches!(item, Rule::Known(_) | Rule::KnownPermission) {
            violations.push(one.invalid("nothing", string("")));
        }
        for violation in &mut violations {
            for (at, value) in &mut violation.sets {
                if *at == path {
                    *at = place.path.to_owned();
                    let item = value.take().unwrap_or(Value::String(String::new()));
                    *value = Some(Value::List(before.iter().cloned().chain([item]).collect()));
                }
            }
        }
        bad.extend(violations);
    }
    bad
}

/// The first element of a list that is right.
fn item_base(place: &Place<'_>) -> String {
    place.base.split(", ").next().unwrap_or_default().to_owned()
}

fn counts(place: &Place<'_>, least: usize, most: usize) -> Vec<Violation> {
    let mut bad = Vec::new();
    let message = wire::inner(&place.field).unwrap();
    let many = (0..=most).map(|_| Value::Message(prost_reflect::DynamicMessage::new(message.clone()))).collect();
    let mut violation = place.invalid(format!("{} of them", most + 1), Some(Value::List(many)));
    violation.expected.says = vec![(most + 1).to_string(), most.to_string()];
    bad.push(violation);
    if least > 0 {
        bad.push(place.invalid("none", None));
    }
    bad
}

fn chunks(place: &Place<'_>) -> Vec<Violation> {
    let bytes = |bytes: &[u8]| Some(Value::Bytes(bytes.to_vec().into()));
    let mut bad = Vec::new();
    for (what, file) in [
        ("nothing", &b""[..]),
        ("no file", b"this is no file"),
        ("what is not UTF-8", b"kind: \xff\xfe"),
        ("a NUL", b"kind: catalog\0"),
        ("half a file", b"{\"kind\": "),
        ("another kind", b"{\"kind\": \"team\", \"id\": \"x\"}"),
        ("a list", b"[1, 2, 3]"),
        ("an unknown field", b"{\"kind\": \"account\", \"id\": \"x\", \"catalog\": \"c\", \"colour\": \"red\"}"),
        ("a bad id", b"{\"kind\": \"account\", \"id\": \"x/y\", \"catalog\": \"c\"}"),
        ("an unknown catalog", b"{\"kind\": \"account\", \"id\": \"x\", \"catalog\": \"nothing\"}"),
        ("two documents", b"kind: account\n---\nkind: account\n"),
        ("an alias", b"kind: &a catalog\nid: *a\n"),
    ] {
        let reasons: &[&str] =
            if what == "an unknown catalog" { &["FILE_INVALID", "CATALOG_NOT_FOUND"] } else { &["FILE_INVALID"] };
        bad.push(place.with(what, bytes(file), Expected::reason(reasons, "")));
    }
    let large = place.with("257 KiB", bytes(&vec![b' '; 257 << 10]), Expected::reason(&["FILE_TOO_LARGE"], ""));
    bad.push(large);
    bad
}
