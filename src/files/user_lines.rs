//! Users as lines of JSON, one user a line, with the fields that users have in account files: see [`super::UserDefinition`].
//!
//! A line stands for itself, so that a million of them are read and written a few at a time. Everything that is wrong with
//! a line is reported at once. Other than in an account file, what a user refers to is not in the file: whether there is
//! such a team, role or resource is left to whoever has the account. Read [`parse_user`], then `write_user`.

use std::borrow::Cow;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

use super::{
    account_file::{MAX_HOLDER_REFERENCES, MAX_REASON_BYTES},
    definition::{AccessDefinition, ExceptionDefinition, FacetName, Located, RoleGrant, RoleName, UserDefinition},
    node::Position,
    problem::{Given, Problems},
    read::MAX_DISPLAY_NAME_BYTES,
    time,
};
use crate::model::{FeatureId, InvalidId, PermissionId, ResourcePath, TeamId, Timestamp, UserId, UserState};

/// The longest line, in bytes.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// The user that a line describes; none: something is wrong with it, and `problems` was told. `number`: which line it is,
/// from 1. Cost: linear in the line.
pub fn parse_user(line: &[u8], number: u32, problems: &mut Problems) -> Option<UserDefinition> {
    let at = Position { line: number, column: 1 };
    let node = match serde_json::from_slice::<Node<'_>>(line) {
        Ok(node) => node,
        Err(error) => {
            let column = u32::try_from(error.column()).unwrap_or(u32::MAX).max(1);
            // The library counts lines within what it was given, which is one.
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or_default();
            problems.add(Position { line: number, column }, format_args!("it is no JSON that can be read: {message}"));
            return None;
        }
    };
    let before = problems.count();
    let user = Reader { at, problems }.user(node);
    user.filter(|_| problems.count() == before)
}

/// What JSON says. Of an object every field is there as often as it was given.
enum Node<'a> {
    Null,
    Flag(bool),
    Number,
    Text(Cow<'a, str>),
    List(Vec<Self>),
    Object(Vec<(Cow<'a, str>, Self)>),
}

impl Node<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Flag(_) => "true or false",
            Self::Number => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Node<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Nodes)
    }
}

struct Nodes;

impl<'de> Visitor<'de> for Nodes {
    type Value = Node<'de>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Node::Flag(flag))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Node::Number)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Node::Number)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Node::Number)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut object = Vec::new();
        while let Some(name) = fields.next_key::<Name<'de>>()? {
            object.push((name.0, fields.next_value()?));
        }
        Ok(Node::Object(object))
    }
}

/// The name of a field, borrowed where nothing in it is escaped.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Node::deserialize(deserializer)? {
            Node::Text(name) => Ok(Self(name)),
            _ => Err(D::Error::custom("the name of a field is expected")),
        }
    }
}

/// Where in a line something stands, put together only when it is needed.
#[derive(Clone, Copy)]
struct Place<'p> {
    above: Option<&'p Place<'p>>,
    field: &'static str,
    index: Option<usize>,
}

impl<'p> Place<'p> {
    const fn of(field: &'static str) -> Self {
        Self { above: None, field, index: None }
    }

    const fn item(&self, index: usize) -> Self {
        Self { index: Some(index), ..*self }
    }

    const fn field(&'p self, field: &'static str) -> Self {
        Self { above: Some(self), field, index: None }
    }
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(above) = self.above {
            write!(f, "{above}.")?;
        }
        f.write_str(self.field)?;
        self.index.map_or(Ok(()), |index| write!(f, "[{index}]"))
    }
}

struct Reader<'p> {
    at: Position,
    problems: &'p mut Problems,
}

impl Reader<'_> {
    fn add(&mut self, place: &Place<'_>, message: impl std::fmt::Display) {
        self.problems.add(self.at, format_args!("{place}: {message}"));
    }

    fn user(&mut self, node: Node<'_>) -> Option<UserDefinition> {
        const FIELDS: [&str; 9] =
            ["id", "display_name", "username", "email", "state", "teams", "roles", "access", "exceptions"];
        const STATES: [(&str, UserState); 3] =
            [("active", UserState::Active), ("invited", UserState::Invited), ("suspended", UserState::Suspended)];
        let [id, display_name, username, email, state, teams, roles, access, exceptions] =
            self.fields(node, None, FIELDS)?;
        let id = self.required(id, &Place::of("id"));
        let id = id.and_then(|id| self.parsed(id, &Place::of("id"), UserId::new));
        let display_name = self.text(display_name, &Place::of("display_name"), MAX_DISPLAY_NAME_BYTES);
        let username = self.text(username, &Place::of("username"), MAX_DISPLAY_NAME_BYTES);
        let email = self.text(email, &Place::of("email"), MAX_DISPLAY_NAME_BYTES);
        if !email.is_empty() && email.matches('@').count() != 1 {
            let message = format_args!("{} was given; expected an email address, with one @", Given(&email));
            self.add(&Place::of("email"), message);
        }
        let state = match state {
            None => Some(UserState::Active),
            Some(state) => self.string(state, &Place::of("state")).and_then(|state| {
                let known = STATES.iter().find(|(name, _)| *name == state).map(|(_, state)| *state);
                if known.is_none() {
                    let message = format_args!("{} was given; expected active, invited or suspended", Given(&state));
                    self.add(&Place::of("state"), message);
                }
                known
            }),
        };
        let mut team_ids: Vec<Located<TeamId>> = Vec::new();
        let place = Place::of("teams");
        for (index, item) in self.list(teams, &place, MAX_HOLDER_REFERENCES).into_iter().enumerate() {
            let place = place.item(index);
            let Some(team) = self.parsed(item, &place, TeamId::new) else { continue };
            if team_ids.iter().any(|other| other.value == team.value) {
                self.add(&place, format_args!("{} is listed twice", Given(team.value.as_str())));
            }
            team_ids.push(team);
        }
        let roles = self.grants(roles);
        let access = self.access(access);
        let exceptions = self.exceptions(exceptions);
        Some(UserDefinition {
            id: id?,
            display_name,
            username,
            email,
            state: state?,
            teams: team_ids,
            roles,
            access,
            exceptions,
        })
    }

    /// The fields of an object; what is null was left out. What else is in it is reported.
    fn fields<'a, const N: usize>(
        &mut self,
        node: Node<'a>,
        place: Option<&Place<'_>>,
        names: [&'static str; N],
    ) -> Option<[Option<Node<'a>>; N]> {
        let Node::Object(object) = node else {
            let message = format_args!("{} was given; expected an object", node.kind());
            match place {
                Some(place) => self.add(place, message),
                None => self.problems.add(self.at, message),
            }
            return None;
        };
        let mut found = [const { None }; N];
        let mut seen = [false; N];
        for (name, value) in object {
            let slot = names.iter().zip(found.iter_mut().zip(&mut seen)).find(|(known, _)| **known == name);
            let message = match slot {
                Some((_, (slot, seen))) if !*seen => {
                    *seen = true;
                    *slot = Some(value).filter(|value| !matches!(value, Node::Null));
                    continue;
                }
                Some(_) => format!("the field {} was given twice", Given(&name)),
                None => format!("the field {} is unknown; expected {}", Given(&name), names.join(", ")),
            };
            match place {
                Some(place) => self.add(place, message),
                None => self.problems.add(self.at, message),
            }
        }
        Some(found)
    }

    fn required<'a>(&mut self, node: Option<Node<'a>>, place: &Place<'_>) -> Option<Node<'a>> {
        if node.is_none() {
            self.add(place, "nothing was given; it is required");
        }
        node
    }

    fn string<'a>(&mut self, node: Node<'a>, place: &Place<'_>) -> Option<Cow<'a, str>> {
        match node {
            Node::Text(text) => Some(text),
            other => {
                self.add(place, format_args!("{} was given; expected a text", other.kind()));
                None
            }
        }
    }

    fn parsed<T, E: std::fmt::Display>(
        &mut self,
        node: Node<'_>,
        place: &Place<'_>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Located<T>> {
        let text = self.string(node, place)?;
        match parse(&text) {
            Ok(value) => Some(Located { value, at: self.at }),
            Err(error) => {
                self.add(place, error);
                None
            }
        }
    }

    fn text(&mut self, node: Option<Node<'_>>, place: &Place<'_>, max_bytes: usize) -> String {
        let Some(text) = node.and_then(|node| self.string(node, place)) else { return String::new() };
        if text.len() > max_bytes {
            self.add(place, format_args!("{} bytes were given; expected at most {max_bytes}", text.len()));
        }
        if let Some(control) = text.chars().find(|char| char.is_control() && !matches!(char, '\n' | '\t')) {
            let control = u32::from(control);
            let message =
                format_args!("the control character U+{control:04X} was given; expected none but newline and tab");
            self.add(place, message);
        }
        text.into_owned()
    }

    fn list<'a>(&mut self, node: Option<Node<'a>>, place: &Place<'_>, maximum: usize) -> Vec<Node<'a>> {
        match node {
            None => Vec::new(),
            Some(Node::List(list)) if list.len() <= maximum => list,
            Some(Node::List(list)) => {
                self.add(place, format_args!("{} were given; expected at most {maximum}", list.len()));
                Vec::new()
            }
            Some(other) => {
                self.add(place, format_args!("{} was given; expected a list", other.kind()));
                Vec::new()
            }
        }
    }

    fn time(&mut self, node: Option<Node<'_>>, place: &Place<'_>) -> Option<Timestamp> {
        let text = self.string(node?, place)?;
        let time = time::parse(&text);
        if time.is_none() {
            self.add(place, format_args!("{} was given; expected {}", Given(&text), time::EXPECTED));
        }
        time
    }

    /// Roles, each by its name alone or as an object.
    fn grants(&mut self, node: Option<Node<'_>>) -> Vec<RoleGrant> {
        let place = Place::of("roles");
        let mut grants: Vec<RoleGrant> = Vec::new();
        for (index, item) in self.list(node, &place, MAX_HOLDER_REFERENCES).into_iter().enumerate() {
            let place = place.item(index);
            let grant = if matches!(item, Node::Text(_)) {
                let role = self.parsed(item, &place, RoleName::parse);
                role.map(|role| RoleGrant { role, resource: None, expires: None })
            } else {
                self.grant(item, &place)
            };
            let Some(grant) = grant else { continue };
            if grants.iter().any(|other| other.key() == grant.key()) {
                self.add(&place, format_args!("{:?} is listed twice", grant.role.value.to_string()));
            }
            grants.push(grant);
        }
        grants
    }

    fn grant(&mut self, item: Node<'_>, place: &Place<'_>) -> Option<RoleGrant> {
        let [role, resource, expires] = self.fields(item, Some(place), ["role", "resource", "expires"])?;
        let role = self.required(role, &place.field("role"));
        let role = role.and_then(|role| self.parsed(role, &place.field("role"), RoleName::parse));
        let resource = match resource {
            None => None,
            // Without the resource that was given it would be another grant.
            Some(resource) => Some(self.parsed(resource, &place.field("resource"), ResourcePath::new)?),
        };
        let expires = self.time(expires, &place.field("expires"));
        Some(RoleGrant { role: role?, resource, expires })
    }

    fn access(&mut self, node: Option<Node<'_>>) -> Vec<AccessDefinition> {
        let place = Place::of("access");
        let mut lists: Vec<AccessDefinition> = Vec::new();
        for (index, item) in self.list(node, &place, usize::MAX).into_iter().enumerate() {
            let place = place.item(index);
            let Some([facet, all, values]) = self.fields(item, Some(&place), ["facet", "all", "values"]) else {
                continue;
            };
            let facet = self.required(facet, &place.field("facet"));
            let facet = facet.and_then(|facet| self.parsed(facet, &place.field("facet"), FacetName::parse));
            let all = match all {
                None => Some(false),
                Some(Node::Flag(all)) => Some(all),
                Some(other) => {
                    self.add(&place.field("all"), format_args!("{} was given; expected true or false", other.kind()));
                    None
                }
            };
            match (&values, all) {
                (Some(_), Some(true)) => {
                    self.add(&place.field("values"), "values were given beside all: true; expected one of the two")
                }
                (None, Some(false)) => {
                    self.add(&place, "neither all: true nor values were given; expected one of the two");
                }
                _ => {}
            }
            let values = self.access_values(values, &place.field("values"), facet.as_ref());
            let Some((facet, all)) = facet.zip(all) else { continue };
            if lists.iter().any(|other| other.facet.value == facet.value) {
                self.add(&place, format_args!("{} is listed twice", Given(facet.value.as_str())));
            }
            lists.push(AccessDefinition { facet, all, values });
        }
        lists
    }

    fn access_values(
        &mut self,
        node: Option<Node<'_>>,
        place: &Place<'_>,
        facet: Option<&Located<FacetName>>,
    ) -> Vec<Located<String>> {
        let mut values: Vec<Located<String>> = Vec::new();
        let is_feature = facet.is_some_and(|facet| facet.value == FacetName::Feature);
        let check = |text: &str| -> Result<String, InvalidId> {
            if is_feature {
                FeatureId::check(text)?
            } else {
                ResourcePath::check(text)?
            }
            Ok(text.to_owned())
        };
        for (index, item) in self.list(node, place, usize::MAX).into_iter().enumerate() {
            values.extend(self.parsed(item, &place.item(index), check));
        }
        let mut sorted: Vec<&str> = values.iter().map(|value| value.value.as_str()).collect();
        sorted.sort_unstable();
        if let Some(twice) = sorted.windows(2).find_map(|pair| (pair.first() == pair.last()).then(|| pair.first())) {
            let twice = twice.copied().unwrap_or_default();
            self.add(place, format_args!("{} is listed twice", Given(twice)));
        }
        values
    }

    fn exceptions(&mut self, node: Option<Node<'_>>) -> Vec<ExceptionDefinition> {
        let place = Place::of("exceptions");
        let mut exceptions: Vec<ExceptionDefinition> = Vec::new();
        for (index, item) in self.list(node, &place, MAX_HOLDER_REFERENCES).into_iter().enumerate() {
            let place = place.item(index);
            let fields = self.fields(item, Some(&place), ["permission", "reason", "expires"]);
            let Some([permission, reason, expires]) = fields else { continue };
            let permission = self.required(permission, &place.field("permission"));
            let permission =
                permission.and_then(|node| self.parsed(node, &place.field("permission"), PermissionId::new));
            let reason = self.required(reason, &place.field("reason"));
            let is_given = reason.is_some();
            let reason = self.text(reason, &place.field("reason"), MAX_REASON_BYTES);
            if is_given && reason.is_empty() {
                self.add(&place.field("reason"), "it is empty; expected a reason for people");
            }
            let expires = self.time(expires, &place.field("expires"));
            let Some(permission) = permission else { continue };
            if exceptions.iter().any(|other| other.permission.value == permission.value) {
                self.add(&place, format_args!("{} is listed twice", Given(permission.value.as_str())));
            }
            exceptions.push(ExceptionDefinition { permission, reason, expires });
        }
        exceptions
    }
}
