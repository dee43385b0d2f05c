//! An account of as many users as are asked for, and a server in this process that says when its journal had a write.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rolecall::{
    engine::NO_ATTRIBUTES,
    files,
    model::{
        AccountId, AccountState, CatalogDefinition, CatalogId, Change, FeatureId, Number, PermissionId, ProfileRecord,
        Revision, RoleId, TeamId, UserId, UserState,
    },
    presets::INFOBIP_CLASSIC,
    service::{
        AccountUpdate, AccountView, AppliedCatalog, AskedName, Asking, BindingView, ChangedRole, Decision, HolderName,
        NewAccount, NewBinding, NewRole, NewTeam, NewUser, PermissionChoice, PlaceName, ReadAt, RoleName, Service,
        Settings, SubjectKind, SubjectName, UserView, Write, add_permissions, apply_catalog, create_account,
        create_bindings, create_role, create_team, create_users, delete_bindings, remove_permissions, update_account,
    },
    store::{self, ChangeLog, Digest, Head, OpenOptions, Opened, StoreError, Versions as _},
};

use super::accounts::user;

/// The account that has the users.
pub const MANY: &str = "many";
/// One with a single user, who has the same.
pub const FEW: &str = "few";
/// How many users one write creates.
const STEP: usize = 1_000;
/// What all users may do through the custom role that all of them hold.
pub const PERMISSION: &str = "reports.detailed.view";
/// How many users belong to the team.
pub const MEMBERS: usize = 100_000;

/// How many users there are; `ROLECALL_BENCH_USERS` sets another number.
pub fn users() -> usize {
    std::env::var("ROLECALL_BENCH_USERS").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000)
}

/// A log that notes when it had what was written, and how.
pub struct TimedLog {
    log: Arc<dyn ChangeLog>,
    /// When the last append had ended.
    pub durable: Mutex<Option<Instant>>,
    /// The revisions of each append.
    pub groups: Mutex<Vec<Vec<Revision>>>,
}

impl ChangeLog for TimedLog {
    fn append(&self, expected: Revision, changes: &[Change], digest: Digest) -> Result<(), StoreError> {
        let appended = self.log.append(expected, changes, digest);
        *self.durable.lock().unwrap() = Some(Instant::now());
        self.groups.lock().unwrap().push(changes.iter().map(|change| change.revision).collect());
        appended
    }

    fn head(&self) -> Head {
        self.log.head()
    }

    fn read(&self, after: Revision, limit: usize) -> Result<Vec<Change>, StoreError> {
        self.log.read(after, limit)
    }

    fn follow(&self, after: Revision, limit: usize, patience: Duration) -> Result<Vec<Change>, StoreError> {
        self.log.follow(after, limit, patience)
    }
}

/// A service in this process, without its transport.
pub struct Served {
    pub service: Service,
    pub log: Arc<TimedLog>,
    opened: Opened,
}

impl Served {
    /// Opens a directory.
    pub fn open(directory: &Path) -> Self {
        let opened = store::open(directory, OpenOptions::default()).unwrap();
        let log = Arc::new(TimedLog {
            log: Arc::clone(&opened.log) as _,
            durable: Mutex::default(),
            groups: Mutex::default(),
        });
        let settings = Settings { seed: 7, ..Settings::default() };
        let service = Service::start(Arc::clone(&opened.store) as _, Arc::clone(&log) as _, settings).unwrap();
        Self { service, log, opened }
    }

    /// Waits until the state has taken in what was written.
    pub fn settle(&self) {
        while self.opened.store.head().revision < self.service.head().revision {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Stops in good order.
    pub fn close(self) {
        self.service.stop();
        self.opened.close().unwrap();
    }
}

fn account(id: &str) -> AccountId {
    AccountId::new(id).unwrap()
}

/// The catalog that an account lives under: each has one of its own.
pub fn catalog(account: &str) -> CatalogDefinition {
    let mut definition = files::parse_catalog(INFOBIP_CLASSIC.catalog.as_bytes()).unwrap();
    definition.id = CatalogId::new(account).unwrap();
    definition
}

/// The custom role that every user of an account holds.
pub fn role(of: &str) -> RoleName {
    RoleName::Account(account(of), RoleId::new("all").unwrap())
}

/// A user to be created: with that role, and in the team that holds nothing, or not.
pub fn new_user(of: &str, id: &str, is_member: bool) -> NewUser {
    NewUser {
        id: UserId::new(id).unwrap(),
        state: UserState::Active,
        profile: ProfileRecord::default(),
        roles: vec![role(of)],
        bindings: Vec::new(),
        teams: is_member.then(team).into_iter().collect(),
        access: Vec::new(),
    }
}

fn team() -> TeamId {
    TeamId::new("all").unwrap()
}

/// A write that creates users.
pub fn creation(of: &str, users: Vec<NewUser>) -> Write<Vec<UserView>> {
    create_users("CreateUser", account(of), users)
}

/// A write that makes an account be entitled to what all users need, or not.
pub fn entitlement(of: &str, reports: bool) -> Write<AccountView> {
    let features = ["dashboard", "logs", "teams", "reports"];
    let features = features.iter().take(if reports { 4 } else { 3 });
    let features = Some(features.map(|feature| FeatureId::new(feature).unwrap()).collect());
    update_account(account(of), AccountUpdate { features, ..AccountUpdate::default() }, None)
}

fn choice(permission: &str) -> PermissionChoice {
    PermissionChoice { permissions: vec![PermissionId::new(permission).unwrap()], ..PermissionChoice::default() }
}

/// A write that gives the role of all another permission, or takes it away.
pub fn edit(of: &str, give: bool) -> Write<ChangedRole> {
    const OTHER: &str = "reports.communication.view";
    let id = RoleId::new("all").unwrap();
    match give {
        true => add_permissions("AddRolePermissions", account(of), id, choice(OTHER), None),
        false => remove_permissions(account(of), id, choice(OTHER), None),
    }
}

/// A write that gives the team a managed role.
pub fn give_team(of: &str) -> Write<Vec<BindingView>> {
    let binding = NewBinding {
        place: "bindings[0]".to_owned(),
        holder: HolderName::Team(team()),
        role: RoleName::Catalog(CatalogId::new(of).unwrap(), RoleId::new("analyze-manager").unwrap()),
        resource: None,
        expires: None,
        allow_internal: false,
    };
    create_bindings("CreateRoleBinding", account(of), vec![binding], false)
}

/// A write that takes it away.
pub fn take_from_team(of: &str, binding: Number) -> Write<()> {
    delete_bindings("DeleteRoleBinding", account(of), vec![binding], None)
}

/// A write that makes the catalog another version of itself.
pub fn new_catalog(of: &str, version: u64) -> Write<AppliedCatalog> {
    let mut definition = catalog(of);
    definition.description = format!("version {version}");
    apply_catalog(definition, true, None, Arc::default())
}

/// An account without users, with a role and a team for them.
pub async fn begin(service: &Service, of: &str) {
    service.write(apply_catalog(catalog(of), true, None, Arc::default())).await.unwrap();
    let new = NewAccount {
        id: account(of),
        display_name: String::new(),
        catalog: catalog(of).id,
        state: AccountState::Active,
        features: Vec::new(),
    };
    service.write(create_account(new)).await.unwrap();
    service.write(entitlement(of, true)).await.unwrap();
    let role = NewRole {
        id: RoleId::new("all").unwrap(),
        display_name: "All".to_owned(),
        description: String::new(),
        contains: choice(PERMISSION),
        left_out_api_scopes: Vec::new(),
        policies: Vec::new(),
        parents: Vec::new(),
        covered_facets: Vec::new(),
        holders: Vec::new(),
    };
    service.write(create_role(account(of), role)).await.unwrap();
    let team = NewTeam {
        id: team(),
        display_name: "All".to_owned(),
        description: String::new(),
        roles: Vec::new(),
        bindings: Vec::new(),
        members: Vec::new(),
        access: Vec::new(),
    };
    service.write(create_team(account(of), team)).await.unwrap();
}

/// Users of an account from a number on.
async fn add(service: &Service, of: &'static str, from: usize, to: usize) {
    let mut writing = Vec::new();
    for step in (from..to).step_by(STEP) {
        let users = (step..(step + STEP).min(to)).map(|number| new_user(of, &user(number), number < MEMBERS));
        let (service, write) = (service.clone(), creation(of, users.collect()));
        writing.push(tokio::spawn(async move { service.write(write).await.map(drop) }));
        if writing.len() == 4 {
            for written in std::mem::take(&mut writing) {
                written.await.unwrap().unwrap();
            }
        }
    }
    for written in writing {
        written.await.unwrap().unwrap();
    }
}

/// Fills a directory with both accounts and their users.
pub async fn fill(directory: &Path, users: usize) {
    let served = Served::open(directory);
    for (of, users) in [(FEW, 1), (MANY, users)] {
        begin(&served.service, of).await;
        add(&served.service, of, 0, users).await;
    }
    served.close();
}

/// The question whether a user may do what all may.
pub fn question<'a>(of: &'a str, user: &'a str) -> Asking<'a> {
    Asking {
        subject: SubjectName::new(of, SubjectKind::User, user),
        asked: AskedName::Permission(PERMISSION),
        place: PlaceName::default(),
        attributes: &NO_ATTRIBUTES,
    }
}

/// Asks, and says how long it took in nanoseconds.
pub async fn ask(service: &Service, of: &str, user: &str, is_allowed: bool) -> f64 {
    let question = question(of, user);
    let began = Instant::now();
    let decided = service.check(&question, ReadAt::Latest).await.unwrap();
    let took = began.elapsed().as_nanos() as f64;
    assert_eq!(decided.reason.decision() == Decision::Allow, is_allowed, "{user}: {:?}", decided.reason);
    took
}

/// The middle one of some figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Copies a directory with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}
