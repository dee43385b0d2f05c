//! Role bindings on resources and with an expiry, hierarchies of custom roles, and what deleting takes with it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{
    accounts::account_and_catalog,
    core::{ReadAt, Service, Settings},
    error::{ErrorReason, ServiceError},
    facts, *,
};
use crate::{
    model::{
        AccessRecord, AccountId, AccountState, CatalogDefinition, CatalogId, CatalogPolicy, CatalogRole,
        CustomRoleParts, Effect, ExceptionRecord, Facet, FacetNumber, Holder, Index as _, Key, KeyRange,
        PermissionDefinition, PermissionId, PermissionIndex, PermissionPattern, PolicyId, PolicyIndex, ProfileRecord,
        Record, ResourcePath, ResourceRecord, ResourceType, ResourceTypeId, ResourceTypeIndex, RoleId, RoleIndex,
        Section, SectionId, SectionIndex, Statement, TeamId, Timestamp, UserId, UserState,
    },
    store::{MemoryLog, MemoryStore},
};

const LATEST: ReadAt = ReadAt::Latest;
const W1: &str = "workspaces/w1";

fn id<T, E: std::fmt::Debug>(new: fn(&str) -> Result<T, E>, text: &str) -> T {
    new(text).unwrap()
}

fn account() -> AccountId {
    id(AccountId::new, "a")
}

fn ana() -> HolderName {
    HolderName::User(id(UserId::new, "ana"))
}

fn managed(role: &str) -> RoleName {
    RoleName::Catalog(id(CatalogId::new, "c"), id(RoleId::new, role))
}

fn custom(role: &str) -> RoleName {
    RoleName::Account(account(), id(RoleId::new, role))
}

fn role(name: &str, parents: &[usize]) -> CatalogRole {
    CatalogRole {
        id: id(RoleId::new, name),
        display_name: name.to_owned(),
        description: String::new(),
        internal: false,
        permissions: vec![PermissionIndex(0)],
        policies: Vec::new(),
        parents: parents.iter().map(|parent| RoleIndex::at(*parent)).collect(),
        covers: Vec::new(),
        always_held: false,
        max_holders: None,
    }
}

/// The roles viewer, and lead with viewer as its parent, a policy and a facet; ops, which is internal.
fn catalog(custom_roles: CustomRoleParts) -> CatalogDefinition {
    let lead = CatalogRole { policies: vec![PolicyIndex(0)], covers: vec![Facet::Feature], ..role("lead", &[0]) };
    let permission = PermissionDefinition {
        id: id(PermissionId::new, "inbox.view"),
        description: String::new(),
        section: SectionIndex(0),
        feature: None,
        api_scopes: Vec::new(),
        resource_type: None,
        facets: Vec::new(),
        condition: None,
        internal: false,
        deprecated: false,
    };
    let statement = Statement {
        effect: Effect::Allow,
        permissions: vec![id(PermissionPattern::new, "**")],
        resources: Vec::new(),
        condition: None,
    };
    CatalogDefinition {
        id: id(CatalogId::new, "c"),
        display_name: String::new(),
        description: String::new(),
        features: Vec::new(),
        sections: vec![Section {
            id: id(SectionId::new, "s"),
            display_name: String::new(),
            description: String::new(),
        }],
        api_scopes: Vec::new(),
        resource_types: vec![ResourceType {
            id: id(ResourceTypeId::new, "workspace"),
            plural: id(ResourceTypeId::new, "workspaces"),
            display_name: String::new(),
            description: String::new(),
            parent: None,
        }],
        permissions: vec![permission],
        policies: vec![CatalogPolicy {
            id: id(PolicyId::new, "all"),
            display_name: String::new(),
            description: String::new(),
            statements: vec![statement],
        }],
        roles: vec![role("viewer", &[]), lead, CatalogRole { internal: true, ..role("ops", &[]) }],
        custom_roles,
        must_hold_role: false,
        mutually_exclusive: Vec::new(),
    }
}

const EVERYTHING: CustomRoleParts =
    CustomRoleParts { permissions: true, parents: true, managed_policies: true, custom_policies: true };

/// The account `a` with the users ana and bob and the workspaces w1 and w2.
async fn started(parts: CustomRoleParts) -> Service {
    let service =
        Service::start(Arc::new(MemoryStore::new()), Arc::new(MemoryLog::new()), Settings::default()).unwrap();
    service.write(apply_catalog(catalog(parts), false, None, Arc::new(Mutex::new(Vec::new())))).await.unwrap();
    let new = NewAccount {
        id: account(),
        display_name: String::new(),
        catalog: id(CatalogId::new, "c"),
        state: AccountState::Active,
        features: Vec::new(),
    };
    service.write(create_account(new)).await.unwrap();
    let user = |name| NewUser {
        id: id(UserId::new, name),
        state: UserState::Active,
        profile: ProfileRecord::default(),
        roles: Vec::new(),
        bindings: Vec::new(),
        teams: Vec::new(),
        access: Vec::new(),
    };
    service.write(create_users("BatchCreateUsers", account(), vec![user("ana"), user("bob")])).await.unwrap();
    let register = Write::new("Test", |plan| {
        let (found, catalog) = account_and_catalog(plan, &account())?;
        for path in [W1, "workspaces/w2"] {
            let resource = plan.allocate();
            let record = ResourceRecord {
                path: id(ResourcePath::new, path),
                resource_type: catalog.compiled.number_of_resource_type(ResourceTypeIndex::at(0)).unwrap(),
                display_name: String::new(),
                created: plan.time,
                updated: plan.time,
            };
            let name = Key::ResourceName { account: found.number, path: record.path.clone() };
            plan.put(name, Record::Name(resource))?;
            plan.put(Key::Resource { account: found.number, resource }, Record::Resource(record))?;
            plan.count_resources(found.number, 1)?;
        }
        Ok(())
    });
    service.write(register).await.unwrap();
    service
}

fn new_role(name: &str, parents: &[RoleName]) -> NewRole {
    NewRole {
        id: id(RoleId::new, name),
        display_name: name.to_owned(),
        description: String::new(),
        contains: PermissionChoice::default(),
        left_out_api_scopes: Vec::new(),
        policies: Vec::new(),
        parents: parents.to_vec(),
        covered_facets: Vec::new(),
        holders: Vec::new(),
    }
}

async fn create(service: &Service, name: &str, parents: &[RoleName]) -> Result<RoleView, ServiceError> {
    service.write(create_role(account(), new_role(name, parents))).await.map(|written| written.value)
}

async fn set_parents(service: &Service, name: &str, parents: &[RoleName]) -> Result<RoleView, ServiceError> {
    let update = RoleUpdate { parents: Some(parents.to_vec()), ..RoleUpdate::default() };
    service.write(update_role(account(), id(RoleId::new, name), update, None)).await.map(|written| written.value)
}

fn binding(holder: HolderName, role: RoleName, resource: Option<&str>, expires: Option<Timestamp>) -> NewBinding {
    let resource = resource.map(|path| id(ResourcePath::new, path));
    NewBinding { place: "role_binding".to_owned(), holder, role, resource, expires, allow_internal: false }
}

async fn bind(service: &Service, new: NewBinding, skip_held: bool) -> Result<BindingView, ServiceError> {
    let write = create_bindings("CreateRoleBinding", account(), vec![new], skip_held);
    service.write(write).await.map(|mut written| written.value.remove(0))
}

async fn direct_users(service: &Service, role: RoleName) -> u64 {
    let (role, _) = service.get_role(role, Some(account()), false, LATEST).await.unwrap();
    role.holder_counts.unwrap().direct_users
}

/// How many keys there are of a range of the account.
async fn left(service: &Service, range: fn(crate::model::Number) -> KeyRange) -> usize {
    let count = service.read(LATEST, move |_, view| {
        let found = facts::find_account(&view, &account())?.number;
        Ok(facts::scan_all(&view, range(found))?.len())
    });
    count.await.unwrap().0
}

fn metadata<'a>(error: &'a ServiceError, name: &str) -> &'a str {
    &error.metadata.iter().find(|(of, _)| *of == name).unwrap().1
}

#[tokio::test]
async fn a_role_that_would_be_its_own_parent_is_refused_with_the_cycle_named() {
    let service = started(EVERYTHING).await;
    create(&service, "c", &[]).await.unwrap();
    create(&service, "b", &[custom("c"), managed("lead")]).await.unwrap();
    create(&service, "a", &[custom("b")]).await.unwrap();
    for (child, parent, cycle) in [
        ("c", "a", "accounts/a/roles/c -> accounts/a/roles/a -> accounts/a/roles/b -> accounts/a/roles/c"),
        ("b", "a", "accounts/a/roles/b -> accounts/a/roles/a -> accounts/a/roles/b"),
        ("a", "a", "accounts/a/roles/a -> accounts/a/roles/a"),
    ] {
        let error = set_parents(&service, child, &[custom(parent), managed("viewer")]).await.unwrap_err();
        assert_eq!(error.reason, ErrorReason::RoleCycle, "{error}");
        assert_eq!(metadata(&error, "cycle"), cycle);
        assert!(error.message.contains(cycle), "{error}");
    }
    let b = set_parents(&service, "b", &[managed("viewer"), custom("c")]).await.unwrap();
    assert_eq!(b.parents, [managed("viewer"), custom("c")]);
    set_parents(&service, "a", &[]).await.unwrap();
    set_parents(&service, "c", &[custom("a")]).await.unwrap();
    assert_eq!(left(&service, KeyRange::AccountRoleChildren).await, 3);
    let error = create(&service, "d", &[managed("ops")]).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::RoleNotFound, "an internal role is not there");
}

#[tokio::test]
async fn a_hierarchy_is_at_most_eight_steps_deep_counted_through_the_roles_below_too() {
    let service = started(EVERYTHING).await;
    create(&service, "r0", &[]).await.unwrap();
    for step in 1..=8 {
        create(&service, &format!("r{step}"), &[custom(&format!("r{}", step - 1))]).await.unwrap();
    }
    let too_deep = |outcome: Result<RoleView, ServiceError>| {
        assert_eq!(outcome.map_err(|error| error.reason), Err(ErrorReason::RoleTooDeep));
    };
    too_deep(create(&service, "r9", &[custom("r8")]).await);
    too_deep(set_parents(&service, "r0", &[managed("viewer")]).await);
    too_deep(set_parents(&service, "r1", &[custom("r0"), managed("lead")]).await);
    // One step more of a way that is shorter elsewhere is none too many.
    set_parents(&service, "r1", &[custom("r0"), managed("viewer")]).await.unwrap();

    // The first is deleted: the second loses it, and has room above it again.
    let delete = |force| delete_role(account(), id(RoleId::new, "r0"), force, None);
    let error = service.write(delete(false)).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::InUse);
    assert_eq!(metadata(&error, "used_by"), "accounts/a/roles/r1");
    let deleted = service.write(delete(true)).await.unwrap().value;
    let names = vec!["accounts/a/roles/r1".to_owned()];
    assert_eq!(deleted.removed, [Use { kind: "roles", count: 1, names }]);
    let (r1, _) = service.get_role(custom("r1"), None, false, LATEST).await.unwrap();
    assert_eq!(r1.parents, [managed("viewer")]);
    set_parents(&service, "r8", &[]).await.unwrap();
    set_parents(&service, "r1", &[managed("lead")]).await.unwrap();
    assert_eq!(left(&service, KeyRange::AccountRoleChildren).await, 7);
}

#[tokio::test]
async fn a_binding_that_has_expired_is_replaced_and_one_that_counts_is_not() {
    let service = started(EVERYTHING).await;
    let past = binding(ana(), managed("viewer"), None, Some(Timestamp(1)));
    let error = bind(&service, past, false).await.unwrap_err();
    assert_eq!(error.violations[0].field, "role_binding.expire_time");

    let soon = Timestamp(service.now().0 + 300);
    let on = |expires| binding(ana(), managed("viewer"), Some(W1), expires);
    let first = bind(&service, on(Some(soon)), false).await.unwrap();
    assert_eq!((first.resource.clone(), first.expires), (Some(id(ResourcePath::new, W1)), Some(soon)));
    assert_eq!(bind(&service, on(Some(soon)), true).await.unwrap(), first);
    for (new, skip_held) in [(on(Some(soon)), false), (on(None), false), (on(None), true)] {
        let error = bind(&service, new, skip_held).await.unwrap_err();
        assert_eq!(error.reason, ErrorReason::AlreadyExists, "{error}");
        assert!(error.message.contains("on workspaces/w1 already"), "{error}");
        assert_eq!(error.message.contains("another time"), skip_held, "{error}");
    }
    let whole = bind(&service, binding(ana(), managed("viewer"), None, None), false).await.unwrap();
    assert_eq!(direct_users(&service, managed("viewer")).await, 1, "each holder is counted once");

    tokio::time::sleep(Duration::from_millis(350)).await;
    let listed = service.list_bindings(account(), BindingFilter::default(), 9, None, LATEST).await.unwrap();
    assert_eq!(listed.items, [first.clone(), whole.clone()], "an expired one is listed");
    let second = bind(&service, on(None), false).await.unwrap();
    assert!(second.number != first.number && second.expires.is_none());
    let listed = service.list_bindings(account(), BindingFilter::default(), 9, None, LATEST).await.unwrap();
    assert_eq!(listed.items, [whole.clone(), second.clone()]);
    assert_eq!(left(&service, KeyRange::AccountResourceBindings).await, 1);

    for (number, users) in [(whole.number, 1), (second.number, 0)] {
        service.write(delete_bindings("DeleteRoleBinding", account(), vec![number], None)).await.unwrap();
        assert_eq!(direct_users(&service, managed("viewer")).await, users);
    }
    for range in [KeyRange::Bindings, KeyRange::AccountHolderBindings, KeyRange::AccountRoleBindings] {
        assert_eq!(left(&service, range).await, 0);
    }
    assert_eq!(left(&service, KeyRange::AccountResourceBindings).await, 0);
}

#[tokio::test]
async fn replacing_roles_is_about_the_whole_account_and_for_good() {
    let service = started(EVERYTHING).await;
    let later = Timestamp(service.now().0 + 3_600_000);
    for new in [
        binding(ana(), managed("viewer"), Some(W1), None),
        binding(ana(), managed("viewer"), None, Some(later)),
        binding(ana(), managed("lead"), None, Some(later)),
    ] {
        bind(&service, new, false).await.unwrap();
    }
    let replace = |roles: Vec<RoleName>| service.write(replace_bindings(account(), ana(), roles));
    let replaced = replace(vec![managed("viewer")]).await.unwrap().value;
    assert_eq!(replaced.added.into_iter().collect::<Vec<_>>(), [managed("viewer")]);
    assert_eq!(replaced.removed.into_iter().collect::<Vec<_>>(), [managed("lead")]);
    let (roles, _) = service.list_user_roles(account(), id(UserId::new, "ana"), false, LATEST).await.unwrap();
    let held: Vec<_> = roles[0].bindings.iter().map(|held| (held.resource.is_some(), held.expires)).collect();
    assert_eq!((roles.len(), held), (1, vec![(true, None), (false, None)]));
    assert_eq!(replace(vec![managed("viewer")]).await.unwrap().value, ReplacedRoles::default());

    let remove = remove_user_role(account(), id(UserId::new, "ana"), managed("viewer"), false);
    assert_eq!(service.write(remove).await.unwrap().value.lost_roles, [managed("viewer")]);
    assert_eq!(left(&service, KeyRange::Bindings).await, 0);
}

#[tokio::test]
async fn holders_are_listed_once_each_with_all_their_bindings_however_small_the_pages() {
    let service = started(EVERYTHING).await;
    for (user, resource) in [("bob", Some(W1)), ("ana", Some(W1)), ("ana", Some("workspaces/w2")), ("bob", None)] {
        let holder = HolderName::User(id(UserId::new, user));
        bind(&service, binding(holder, managed("viewer"), resource, None), false).await.unwrap();
    }
    for size in 1..4 {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = service.list_role_holders(account(), managed("viewer"), false, size, after, LATEST);
            let page = page.await.unwrap();
            for holder in page.items {
                let RoleHolderName::User(user, ..) = &holder.who else { panic!("{holder:?}") };
                found.push((user.to_string(), holder.bindings.len()));
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, [("ana".to_owned(), 2), ("bob".to_owned(), 2)], "pages of {size}");
    }
}

#[tokio::test]
async fn deleting_a_user_takes_all_of_it_along_once_that_is_forced() {
    let service = started(EVERYTHING).await;
    bind(&service, binding(ana(), managed("viewer"), Some(W1), None), false).await.unwrap();
    let team = NewTeam {
        id: id(TeamId::new, "east"),
        display_name: String::new(),
        description: String::new(),
        roles: vec![managed("viewer")],
        bindings: Vec::new(),
        members: vec![id(UserId::new, "ana")],
        access: Vec::new(),
    };
    service.write(create_team(account(), team)).await.unwrap();
    let give = Write::new("Test", |plan| {
        let (found, catalog) = account_and_catalog(plan, &account())?;
        let account = found.number;
        let (user, _) = facts::find_user(plan, account, &id(UserId::new, "ana"))?;
        let (resource, found) = facts::find_resource(plan, account, &catalog.compiled, &id(ResourcePath::new, W1))?;
        let permission = catalog.compiled.number_of_permission(PermissionIndex(0)).unwrap();
        let exception = ExceptionRecord { reason: "asked".to_owned(), expires: None, created: plan.time };
        plan.put(Key::Exception { account, user, permission }, Record::Exception(exception))?;
        plan.put(Key::PermissionException { account, permission, user }, Record::Present)?;
        let facet = FacetNumber::Type(found.value.resource_type);
        let list = AccessRecord { all: false, values: vec![resource] };
        plan.put(Key::Access { account, holder: user, facet }, Record::Access(list))?;
        plan.put(Key::ResourceAccess { account, resource, holder: Holder::User(user) }, Record::Present)
    });
    service.write(give).await.unwrap();

    let delete = |force| delete_user(account(), id(UserId::new, "ana"), false, force, None);
    let error = service.write(delete(false)).await.unwrap_err();
    assert_eq!((error.reason, metadata(&error, "count")), (ErrorReason::InUse, "3"), "{error}");
    let uses = |kind, name: &str| Use { kind, count: 1, names: vec![name.to_owned()] };
    assert_eq!(
        service.write(delete(true)).await.unwrap().value,
        [
            uses("role_bindings", "catalogs/c/roles/viewer"),
            uses("teams", "teams/east"),
            uses("exceptions", "inbox.view")
        ]
    );
    for range in [
        KeyRange::AccountResourceBindings,
        KeyRange::AccountExceptions,
        KeyRange::AccountPermissionExceptions,
        KeyRange::AccountAccess,
        KeyRange::AccountResourceAccess,
        KeyRange::AccountMembers,
    ] {
        assert_eq!(left(&service, range).await, 0);
    }
    assert_eq!(direct_users(&service, managed("viewer")).await, 0);
    let free = delete_team(account(), id(TeamId::new, "east"), false, None);
    assert_eq!(service.write(free).await.unwrap().value.members, 0, "nobody belongs to it any more");
}

#[tokio::test]
async fn custom_roles_have_the_parts_that_the_catalog_offers_and_copies_leave_the_others_behind() {
    let policy = PolicyName::Catalog(id(CatalogId::new, "c"), id(PolicyId::new, "all"));
    let service = started(EVERYTHING).await;
    let copy =
        |source: RoleName| RoleCopy { source, id: id(RoleId::new, "copy"), display_name: None, description: None };
    let copied = service.write(duplicate_role(account(), copy(managed("lead")))).await.unwrap().value;
    assert_eq!(copied.role.policies, std::slice::from_ref(&policy));
    assert_eq!(copied.role.parents, [managed("viewer")]);
    assert_eq!((copied.role.covered_facets, copied.omitted_parts), (vec!["feature".to_owned()], Vec::new()));
    assert_eq!(left(&service, KeyRange::AccountPolicyRoles).await, 1);

    let service = started(CustomRoleParts { parents: true, ..CustomRoleParts::default() }).await;
    let copied = service.write(duplicate_role(account(), copy(managed("lead")))).await.unwrap().value;
    assert_eq!(copied.omitted_parts, ["permissions", "managed_policies"]);
    assert_eq!((copied.role.permissions.len(), copied.role.policies.len(), copied.role.parents.len()), (0, 0, 1));
    let contains =
        PermissionChoice { permissions: vec![id(PermissionId::new, "inbox.view")], ..PermissionChoice::default() };
    let custom_policy = PolicyName::Account(account(), id(PolicyId::new, "mine"));
    for (new, part) in [
        (NewRole { contains, ..new_role("x", &[]) }, "permissions"),
        (NewRole { policies: vec![policy], ..new_role("x", &[]) }, "managed_policies"),
        (NewRole { policies: vec![custom_policy], ..new_role("x", &[]) }, "custom_policies"),
    ] {
        let error = service.write(create_role(account(), new)).await.unwrap_err();
        assert_eq!((error.reason, metadata(&error, "part")), (ErrorReason::CustomRolesNotOffered, part));
    }
    let facets = RoleUpdate { covered_facets: Some(vec!["line".to_owned()]), ..RoleUpdate::default() };
    let error = service.write(update_role(account(), id(RoleId::new, "copy"), facets, None)).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::ResourceTypeNotFound);
}

#[tokio::test]
async fn what_is_held_on_a_type_that_a_catalog_drops_counts_no_more_from_that_write_on() {
    let service = started(EVERYTHING).await;
    create(&service, "mine", &[]).await.unwrap();
    for (user, role, resource) in [
        ("ana", managed("viewer"), Some(W1)),
        ("ana", managed("viewer"), None),
        ("bob", managed("viewer"), Some("workspaces/w2")),
        ("bob", custom("mine"), Some(W1)),
    ] {
        let holder = HolderName::User(id(UserId::new, user));
        bind(&service, binding(holder, role, resource, None), false).await.unwrap();
    }
    let mut renamed = catalog(EVERYTHING);
    renamed.resource_types[0].plural = id(ResourceTypeId::new, "spaces");
    let load = apply_catalog(renamed, true, None, Arc::new(Mutex::new(Vec::new())));
    let counts = Write::new("Test", |plan| {
        let (found, catalog) = account_and_catalog(plan, &account())?;
        let role = facts::find_role(plan, &found, &catalog.compiled, &managed("viewer"), false)?;
        holders::holder_counts(plan, found.number, role)
    });
    let delete = delete_role(account(), id(RoleId::new, "mine"), false, None);
    // Nothing is swept while a write waits, so all three see what the load itself did.
    let (load, counts, deleted) = tokio::join!(service.write(load), service.write(counts), service.write(delete));
    load.unwrap();
    assert_eq!(counts.unwrap().value, RoleHolderCounts { users: 1, direct_users: 1, ..RoleHolderCounts::default() });
    assert_eq!(deleted.unwrap().value.removed, []);
    assert_eq!(left(&service, KeyRange::AccountResourceBindings).await, 0);
    assert_eq!(left(&service, KeyRange::Bindings).await, 1);
}

#[tokio::test]
async fn whoever_has_to_hold_a_role_can_be_created_with_one_on_a_single_resource() {
    let service = started(EVERYTHING).await;
    for user in ["ana", "bob"] {
        let holder = HolderName::User(id(UserId::new, user));
        bind(&service, binding(holder, managed("viewer"), None, None), false).await.unwrap();
    }
    let must = CatalogDefinition { must_hold_role: true, ..catalog(EVERYTHING) };
    service.write(apply_catalog(must, false, None, Arc::new(Mutex::new(Vec::new())))).await.unwrap();
    let cyd = || HolderName::User(id(UserId::new, "cyd"));
    let later = Timestamp(service.now().0 + 60_000);
    let on = |resource, expires| binding(cyd(), managed("viewer"), resource, expires);
    let create = async |bindings: Vec<NewBinding>| {
        let new = NewUser {
            id: id(UserId::new, "cyd"),
            state: UserState::Active,
            profile: ProfileRecord::default(),
            roles: Vec::new(),
            bindings,
            teams: Vec::new(),
            access: Vec::new(),
        };
        service.write(create_users("CreateUser", account(), vec![new])).await.map(|_| ()).map_err(|error| error.reason)
    };
    for (bindings, reason) in [
        (vec![], ErrorReason::LastRole),
        (vec![on(Some(W1), Some(later))], ErrorReason::LastRole),
        (vec![on(Some("workspaces/w9"), None)], ErrorReason::ResourceNotFound),
        (vec![on(Some(W1), None), on(Some(W1), Some(later))], ErrorReason::AlreadyExists),
        (vec![on(Some(W1), None), on(None, Some(Timestamp(1)))], ErrorReason::FieldInvalid),
        (vec![on(Some(W1), None), binding(cyd(), managed("ops"), None, None)], ErrorReason::RoleNotFound),
    ] {
        assert_eq!(create(bindings.clone()).await, Err(reason), "{bindings:?}");
    }
    create(vec![on(Some(W1), None), on(None, Some(later)), on(Some(W1), None)]).await.unwrap();
    let filter = BindingFilter { holder: Some(cyd()), ..BindingFilter::default() };
    let held = service.list_bindings(account(), filter, 9, None, LATEST).await.unwrap().items;
    let held: Vec<_> =
        held.into_iter().map(|each| (each.resource.map(|path| path.to_string()), each.expires)).collect();
    assert_eq!(held, [(Some(W1.to_owned()), None), (None, Some(later))]);
}
