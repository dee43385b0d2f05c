//! Requests made into values, with every bad field named at once.

use sha2::Digest as _;

use super::Tokens;
use crate::{
    model::{
        AccountId, AccountState, ApiScopeId, CatalogId, FeatureId, InvalidId, Number, PermissionId, RequestId, RoleId,
        SectionId, ServiceAccountId, ServiceAccountState, TeamId, Timestamp, UserId, UserState,
    },
    proto,
    service::{
        ErrorReason, Etag, HolderName, MAX_CHANGES_OF_A_WRITE, MAX_LEFT_OUT, MAX_PAGE, MAX_PERMISSIONS_OF_A_ROLE,
        MAX_SEARCH_BYTES, Manners, RequestMark, RoleName, ServiceError, Violation,
    },
};

/// The longest display name, username or email address, in bytes.
const MAX_NAME_BYTES: usize = 256;
/// The longest description, in bytes.
const MAX_DESCRIPTION_BYTES: usize = 4096;

/// Collects what is wrong with the fields of one request.
#[derive(Debug, Default)]
pub(super) struct Fields {
    violations: Vec<Violation>,
}

/// How a value is cut in an error.
pub(super) fn shown(text: &str) -> String {
    if text.is_empty() { "nothing".to_owned() } else { format!("{:?}", text.chars().take(256).collect::<String>()) }
}

impl Fields {
    /// Notes that a field is wrong.
    pub(super) fn wrong(&mut self, field: &str, description: impl Into<String>) {
        self.violations.push(Violation { field: field.to_owned(), description: description.into() });
    }

    /// Gives what was parsed if nothing was wrong.
    pub(super) fn done<T>(self, parsed: Option<T>) -> Result<T, ServiceError> {
        match parsed {
            Some(parsed) if self.violations.is_empty() => Ok(parsed),
            _ if self.violations.is_empty() => {
                Err(ServiceError::new(ErrorReason::Internal, "the request could not be read"))
            }
            _ => Err(ServiceError::fields(self.violations)),
        }
    }

    /// The parts of a resource name that has to look like `pattern`.
    pub(super) fn parts<'t, const N: usize>(
        &mut self,
        field: &str,
        text: &'t str,
        collections: [&str; N],
        pattern: &str,
    ) -> Option<[&'t str; N]> {
        let mut segments = text.split('/');
        let mut parts = [""; N];
        for (part, collection) in parts.iter_mut().zip(collections) {
            let name = segments.next();
            let id = segments.next();
            match (name, id) {
                (Some(name), Some(id)) if name == collection => *part = id,
                _ => {
                    self.wrong(field, format!("{} was given; {pattern:?} is expected", shown(text)));
                    return None;
                }
            }
        }
        if segments.next().is_some() {
            self.wrong(field, format!("{} was given; {pattern:?} is expected", shown(text)));
            return None;
        }
        Some(parts)
    }

    /// An id, by its own rules.
    pub(super) fn id<T>(&mut self, field: &str, text: &str, new: fn(&str) -> Result<T, InvalidId>) -> Option<T> {
        match new(text) {
            Ok(id) => Some(id),
            Err(error) => {
                self.wrong(field, error.to_string());
                None
            }
        }
    }

    /// `accounts/{account}`.
    pub(super) fn account(&mut self, field: &str, text: &str) -> Option<AccountId> {
        let [account] = self.parts(field, text, ["accounts"], "accounts/{account}")?;
        self.id(field, account, AccountId::new)
    }

    /// `catalogs/{catalog}`.
    pub(super) fn catalog(&mut self, field: &str, text: &str) -> Option<CatalogId> {
        let [catalog] = self.parts(field, text, ["catalogs"], "catalogs/{catalog}")?;
        self.id(field, catalog, CatalogId::new)
    }

    /// `accounts/{account}/users/{user}`.
    pub(super) fn user(&mut self, field: &str, text: &str) -> Option<(AccountId, UserId)> {
        let [account, user] = self.parts(field, text, ["accounts", "users"], "accounts/{account}/users/{user}")?;
        self.id(field, account, AccountId::new).zip(self.id(field, user, UserId::new))
    }

    /// `accounts/{account}/teams/{team}`.
    pub(super) fn team(&mut self, field: &str, text: &str) -> Option<(AccountId, TeamId)> {
        let [account, team] = self.parts(field, text, ["accounts", "teams"], "accounts/{account}/teams/{team}")?;
        self.id(field, account, AccountId::new).zip(self.id(field, team, TeamId::new))
    }

    /// `accounts/{account}/roles/{role}`.
    pub(super) fn custom_role(&mut self, field: &str, text: &str) -> Option<(AccountId, RoleId)> {
        if text.starts_with("catalogs/") {
            self.wrong(
                field,
                format!(
                    "{} is a role of a catalog, which changes only with its catalog; a custom role, \
                         \"accounts/{{account}}/roles/{{role}}\", is expected",
                    shown(text)
                ),
            );
            return None;
        }
        let [account, role] = self.parts(field, text, ["accounts", "roles"], "accounts/{account}/roles/{role}")?;
        self.id(field, account, AccountId::new).zip(self.id(field, role, RoleId::new))
    }

    /// `accounts/{account}/roles/{role}` or `catalogs/{catalog}/roles/{role}`.
    pub(super) fn role(&mut self, field: &str, text: &str) -> Option<RoleName> {
        const PATTERN: &str = "accounts/{account}/roles/{role} or catalogs/{catalog}/roles/{role}";
        if text.starts_with("catalogs/") {
            let [catalog, role] = self.parts(field, text, ["catalogs", "roles"], PATTERN)?;
            let catalog = self.id(field, catalog, CatalogId::new);
            return Some(RoleName::Catalog(catalog?, self.id(field, role, RoleId::new)?));
        }
        let [account, role] = self.parts(field, text, ["accounts", "roles"], PATTERN)?;
        let account = self.id(field, account, AccountId::new);
        Some(RoleName::Account(account?, self.id(field, role, RoleId::new)?))
    }

    /// `accounts/{account}/roleBindings/{role_binding}`.
    pub(super) fn binding(&mut self, field: &str, text: &str) -> Option<(AccountId, Number)> {
        const PATTERN: &str = "accounts/{account}/roleBindings/{role_binding}";
        let [account, binding] = self.parts(field, text, ["accounts", "roleBindings"], PATTERN)?;
        let account = self.id(field, account, AccountId::new);
        // Only the form that the server writes: no sign, no leading zero.
        let number = binding.parse::<u64>().ok().filter(|number| number.to_string() == binding);
        if number.is_none() {
            self.wrong(field, format!("{} was given; the id of a role binding is a number", shown(binding)));
        }
        account.zip(number.map(Number))
    }

    /// `accounts/{account}/serviceAccounts/{service_account}`.
    pub(super) fn service_account(&mut self, field: &str, text: &str) -> Option<(AccountId, ServiceAccountId)> {
        const PATTERN: &str = "accounts/{account}/serviceAccounts/{service_account}";
        let [account, id] = self.parts(field, text, ["accounts", "serviceAccounts"], PATTERN)?;
        let account = self.id(field, account, AccountId::new);
        account.zip(self.id(field, id, ServiceAccountId::new))
    }

    /// How a write wants to be treated.
    pub(super) fn manners(&mut self, request: &impl prost::Message, validate_only: bool, request_id: &str) -> Manners {
        let fingerprint = || sha2::Sha256::digest(request.encode_to_vec()).into();
        self.manners_of(validate_only, request_id, fingerprint)
    }

    /// The same for a request that has come in pieces.
    pub(super) fn manners_of(
        &mut self,
        validate_only: bool,
        request_id: &str,
        fingerprint: impl FnOnce() -> [u8; 32],
    ) -> Manners {
        let id = (!request_id.is_empty()).then(|| self.id("request_id", request_id, RequestId::new)).flatten();
        let request = id.map(|id| RequestMark { id, fingerprint: fingerprint() });
        Manners { validate_only, request }
    }

    /// The version that is expected; none: any.
    pub(super) fn etag(&mut self, tokens: &Tokens, field: &str, text: &str) -> Option<Etag> {
        if text.is_empty() {
            return None;
        }
        let etag = tokens.read_etag(text);
        if etag.is_none() {
            self.wrong(
                field,
                format!("{} was given; an etag exactly as it came in an answer is expected", shown(text)),
            );
        }
        etag
    }

    /// What to search for, in lower case.
    pub(super) fn search(&mut self, text: &str) -> String {
        if text.len() > MAX_SEARCH_BYTES {
            self.wrong("search", format!("{} bytes were given; the maximum is {MAX_SEARCH_BYTES}", text.len()));
        } else if text.chars().any(char::is_control) {
            self.wrong("search", format!("{} was given; no control characters are expected", shown(text)));
        }
        text.to_lowercase()
    }

    /// A list of at most `maximum` elements, each parsed by `parse`.
    pub(super) fn list<T>(
        &mut self,
        field: &str,
        texts: &[String],
        maximum: usize,
        mut parse: impl FnMut(&mut Self, &str, &str) -> Option<T>,
    ) -> Vec<T> {
        if texts.len() > maximum {
            self.wrong(field, format!("{} were given; the maximum is {maximum}", texts.len()));
            return Vec::new();
        }
        let mut parsed = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            parsed.extend(parse(self, &format!("{field}[{index}]"), text));
        }
        parsed
    }

    /// A list of roles, at most `maximum`.
    pub(super) fn roles(&mut self, field: &str, texts: &[String], maximum: usize) -> Vec<RoleName> {
        self.list(field, texts, maximum, Self::role)
    }

    /// A list of `collection/{id}`, at most `maximum`; none is right too.
    pub(super) fn short_list<T>(
        &mut self,
        field: &str,
        texts: &[String],
        collection: &str,
        maximum: usize,
        new: fn(&str) -> Result<T, InvalidId>,
    ) -> Vec<T> {
        self.list(field, texts, maximum, |fields, field, text| fields.short_name(field, text, collection, new))
    }

    /// `collection/{id}`.
    fn short_name<T>(
        &mut self,
        field: &str,
        text: &str,
        collection: &str,
        new: fn(&str) -> Result<T, InvalidId>,
    ) -> Option<T> {
        match text.split_once('/') {
            Some((name, id)) if name == collection => self.id(field, id, new),
            _ => {
                self.wrong(field, format!("{} was given; \"{collection}/{{id}}\" is expected", shown(text)));
                None
            }
        }
    }

    /// Sections, by id, at most 100.
    pub(super) fn sections(&mut self, field: &str, texts: &[String]) -> Vec<SectionId> {
        self.list(field, texts, MAX_CHANGES_OF_A_WRITE, |fields, field, text| fields.id(field, text, SectionId::new))
    }

    /// API scopes that a role leaves out, by id.
    pub(super) fn left_out(&mut self, field: &str, texts: &[String]) -> Vec<ApiScopeId> {
        self.list(field, texts, MAX_LEFT_OUT, |fields, field, text| fields.id(field, text, ApiScopeId::new))
    }

    /// An instant; it has to be one that the server's clock could show.
    pub(super) fn time(&mut self, field: &str, time: Option<prost_types::Timestamp>) -> Option<Timestamp> {
        let time = time?;
        let seconds = u64::try_from(time.seconds).ok().filter(|seconds| *seconds < 253_402_300_800);
        let nanos = u64::try_from(time.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
        let Some((seconds, nanos)) = seconds.zip(nanos) else {
            self.wrong(
                field,
                format!(
                    "{} seconds and {} nanoseconds were given; a time from 1970 to 9999 is expected",
                    time.seconds, time.nanos
                ),
            );
            return None;
        };
        Some(Timestamp(seconds * 1000 + nanos / 1_000_000))
    }

    pub(super) fn service_account_state(&mut self, field: &str, state: i32) -> Option<ServiceAccountState> {
        use proto::service_account::State;
        match State::try_from(state) {
            Ok(State::Unspecified | State::Active) => Some(ServiceAccountState::Active),
            Ok(State::Suspended) => Some(ServiceAccountState::Suspended),
            Err(_) => {
                self.wrong(field, format!("{state} was given; STATE_ACTIVE or STATE_SUSPENDED is expected"));
                None
            }
        }
    }

    /// `users/{user}` or `teams/{team}`.
    pub(super) fn holder(&mut self, field: &str, text: &str) -> Option<HolderName> {
        match text.split_once('/') {
            Some(("users", id)) => self.id(field, id, UserId::new).map(HolderName::User),
            Some(("teams", id)) => self.id(field, id, TeamId::new).map(HolderName::Team),
            Some(("serviceAccounts", id)) => self.id(field, id, ServiceAccountId::new).map(HolderName::ServiceAccount),
            _ => {
                self.wrong(
                    field,
                    format!(
                        "{} was given; \"users/{{user}}\", \"teams/{{team}}\" or \"serviceAccounts/{{service_account}}\" is \
                         expected",
                        shown(text)
                    ),
                );
                None
            }
        }
    }

    /// A list of `collection/{id}`, 1 to 100 of them.
    pub(super) fn short_names<T>(
        &mut self,
        field: &str,
        texts: &[String],
        collection: &str,
        new: fn(&str) -> Result<T, InvalidId>,
    ) -> Option<Vec<T>> {
        if texts.is_empty() || texts.len() > MAX_CHANGES_OF_A_WRITE {
            self.wrong(field, format!("{} were given; 1 to {MAX_CHANGES_OF_A_WRITE} are expected", texts.len()));
            return None;
        }
        Some(self.short_list(field, texts, collection, MAX_CHANGES_OF_A_WRITE, new))
    }

    /// A list of ids.
    pub(super) fn ids<T>(&mut self, field: &str, texts: &[String], new: fn(&str) -> Result<T, InvalidId>) -> Vec<T> {
        let mut ids = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            match new(text) {
                Ok(id) => ids.push(id),
                Err(error) => self.wrong(&format!("{field}[{index}]"), error.to_string()),
            }
        }
        ids
    }

    /// Features, by id.
    pub(super) fn features(&mut self, field: &str, texts: &[String]) -> Vec<FeatureId> {
        self.ids(field, texts, FeatureId::new)
    }

    /// Permissions, by id.
    pub(super) fn permissions(&mut self, field: &str, texts: &[String]) -> Vec<PermissionId> {
        self.list(field, texts, MAX_PERMISSIONS_OF_A_ROLE, |fields, field, text| {
            fields.id(field, text, PermissionId::new)
        })
    }

    /// A name for people; may be empty.
    pub(super) fn name(&mut self, field: &str, text: String) -> String {
        self.text(field, text, MAX_NAME_BYTES)
    }

    /// A name for people that has to be there.
    pub(super) fn required_name(&mut self, field: &str, text: String) -> String {
        if text.is_empty() {
            self.wrong(field, "nothing was given; a name for people is expected");
        }
        self.name(field, text)
    }

    /// A description for people; may be empty.
    pub(super) fn description(&mut self, field: &str, text: String) -> String {
        self.text(field, text, MAX_DESCRIPTION_BYTES)
    }

    /// An email address; may be empty.
    pub(super) fn email(&mut self, field: &str, text: String) -> String {
        if !text.is_empty() && text.matches('@').count() != 1 {
            self.wrong(field, format!("{} was given; an email address with one @ is expected", shown(&text)));
        }
        self.name(field, text)
    }

    /// A text for people of at most `maximum` bytes.
    pub(super) fn text(&mut self, field: &str, text: String, maximum: usize) -> String {
        if text.len() > maximum {
            self.wrong(field, format!("{} bytes were given; the maximum is {maximum}", text.len()));
        } else if text.chars().any(|letter| letter.is_control() && letter != '\n' && letter != '\t') {
            self.wrong(
                field,
                format!("{} was given; no control characters but tab and newline are expected", shown(&text)),
            );
        }
        text
    }

    /// A field that has to be set.
    pub(super) fn required<T>(&mut self, field: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.wrong(field, "nothing was given; it is required");
        }
        value
    }

    /// The number of elements of a page.
    pub(super) fn page_size(&mut self, size: i32) -> usize {
        match usize::try_from(size) {
            Ok(0) => MAX_PAGE,
            Ok(size) if size <= MAX_PAGE => size,
            _ => {
                self.wrong("page_size", format!("{size} was given; 0 to {MAX_PAGE} is expected"));
                MAX_PAGE
            }
        }
    }

    pub(super) fn account_state(&mut self, field: &str, state: i32) -> Option<AccountState> {
        use proto::account::State;
        match State::try_from(state) {
            Ok(State::Unspecified | State::Active) => Some(AccountState::Active),
            Ok(State::Suspended) => Some(AccountState::Suspended),
            Err(_) => {
                self.wrong(field, format!("{state} was given; STATE_ACTIVE or STATE_SUSPENDED is expected"));
                None
            }
        }
    }

    pub(super) fn user_state(&mut self, field: &str, state: i32) -> Option<UserState> {
        use proto::user::State;
        match State::try_from(state) {
            Ok(State::Unspecified | State::Active) => Some(UserState::Active),
            Ok(State::Invited) => Some(UserState::Invited),
            Ok(State::Suspended) => Some(UserState::Suspended),
            Err(_) => {
                self.wrong(
                    field,
                    format!("{state} was given; STATE_INVITED, STATE_ACTIVE or STATE_SUSPENDED is expected"),
                );
                None
            }
        }
    }

    /// A state that an update sets. Left out of an update of everything it stays as it is; asked for by name it has to
    /// be given: nothing becomes active because a field was forgotten.
    pub(super) fn updated_state<T>(
        &mut self,
        mask: &Mask,
        field: &str,
        state: i32,
        parse: impl FnOnce(&mut Self, &str, i32) -> Option<T>,
    ) -> Option<T> {
        if state == 0 {
            if !mask.is_whole && mask.paths.contains(&"state") {
                self.wrong(field, "nothing was given; the update mask names it, so it is required");
            }
            return None;
        }
        mask.take("state", || parse(self, field, state)).flatten()
    }

    /// Which of the known fields an update is about.
    pub(super) fn mask(&mut self, mask: Option<prost_types::FieldMask>, known: &[&'static str]) -> Mask {
        let Some(mask) = mask.filter(|mask| !mask.paths.is_empty()) else {
            return Mask { paths: known.to_vec(), is_whole: true };
        };
        let mut paths = Vec::new();
        for (index, path) in mask.paths.iter().enumerate() {
            match known.iter().find(|known| *known == path) {
                Some(path) => paths.push(*path),
                None if path == "*" => paths.extend(known),
                None => self.wrong(
                    &format!("update_mask.paths[{index}]"),
                    format!("{} was given; any of {} is expected", shown(path), known.join(", ")),
                ),
            }
        }
        Mask { paths, is_whole: false }
    }
}

/// The fields that an update is about.
pub(super) struct Mask {
    paths: Vec<&'static str>,
    /// There was no mask: it is about everything that was given.
    pub(super) is_whole: bool,
}

impl Mask {
    /// Parses a field if the update is about it.
    pub(super) fn take<T>(&self, path: &str, parse: impl FnOnce() -> T) -> Option<T> {
        self.paths.contains(&path).then(parse)
    }
}
