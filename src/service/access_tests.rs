//! Access policies, resources, access lists and exceptions, from their creation until nothing of them is left.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::{Arc, Mutex};

use super::{
    bindings::HolderName,
    core::{ReadAt, Service, Settings},
    error::{ErrorReason, ServiceError},
    facts, *,
};
use crate::{
    model::{
        AccountId, AccountState, BindingRecord, CatalogDefinition, CatalogId, CustomRoleParts, Effect, Feature,
        FeatureId, Holder, Index as _, Key, KeyRange, PermissionDefinition, PermissionId, PermissionPattern, PolicyId,
        ProfileRecord, Record, ResourcePath, ResourcePattern, ResourceType, ResourceTypeId, ResourceTypeIndex, RoleId,
        RoleRecord, Section, SectionId, SectionIndex, Statement, Timestamp, UserId, UserState,
    },
    store::{MemoryLog, MemoryStore, View as _},
};

pub(super) const LATEST: ReadAt = ReadAt::Latest;

pub(super) fn id<T, E: std::fmt::Debug>(new: fn(&str) -> Result<T, E>, text: &str) -> T {
    new(text).unwrap()
}

pub(super) fn account() -> AccountId {
    id(AccountId::new, "a")
}

pub(super) fn ana() -> HolderName {
    HolderName::User(id(UserId::new, "ana"))
}

pub(super) fn path(text: &str) -> ResourcePath {
    id(ResourcePath::new, text)
}

pub(super) fn resource(text: &str) -> NewResource {
    NewResource { path: path(text), display_name: String::new() }
}

pub(super) fn resource_type(name: &str, parent: Option<usize>) -> ResourceType {
    ResourceType {
        id: id(ResourceTypeId::new, name),
        plural: id(ResourceTypeId::new, &format!("{name}s")),
        display_name: name.to_owned(),
        description: String::new(),
        parent: parent.map(ResourceTypeIndex::at),
    }
}

fn permission(name: &str, internal: bool) -> PermissionDefinition {
    PermissionDefinition {
        id: id(PermissionId::new, name),
        description: String::new(),
        section: SectionIndex(0),
        feature: None,
        api_scopes: Vec::new(),
        resource_type: None,
        facets: Vec::new(),
        condition: None,
        internal,
        deprecated: false,
    }
}

/// Workspaces with lines in them, and queues; `inbox.view` and `inbox.close`, and `ops.view`, which is internal.
pub(super) fn catalog(types: Vec<ResourceType>, permissions: &[&str]) -> CatalogDefinition {
    let mut permissions: Vec<_> = permissions.iter().map(|id| permission(id, false)).collect();
    permissions.push(permission("ops.view", true));
    let feature =
        |name| Feature { id: id(FeatureId::new, name), display_name: String::new(), description: String::new() };
    CatalogDefinition {
        id: id(CatalogId::new, "c"),
        display_name: String::new(),
        description: String::new(),
        features: vec![feature("inbox"), feature("reports")],
        sections: vec![Section {
            id: id(SectionId::new, "s"),
            display_name: String::new(),
            description: String::new(),
        }],
        api_scopes: Vec::new(),
        resource_types: types,
        permissions,
        policies: Vec::new(),
        roles: Vec::new(),
        custom_roles: CustomRoleParts { permissions: true, custom_policies: true, ..CustomRoleParts::default() },
        must_hold_role: false,
        mutually_exclusive: Vec::new(),
    }
}

pub(super) fn whole() -> CatalogDefinition {
    let types = vec![resource_type("workspace", None), resource_type("line", Some(0)), resource_type("queue", None)];
    catalog(types, &["inbox.view", "inbox.close"])
}

pub(super) async fn apply(
    service: &Service,
    definition: CatalogDefinition,
    allow_drops: bool,
) -> Result<AppliedCatalog, ServiceError> {
    let write = apply_catalog(definition, allow_drops, None, Arc::new(Mutex::new(Vec::new())));
    service.write(write).await.map(|written| written.value)
}

/// The account `a` with the user `ana`, the workspaces w1 and w2 with two lines each, and the queue q1.
pub(super) async fn started() -> Service {
    let service =
        Service::start(Arc::new(MemoryStore::new()), Arc::new(MemoryLog::new()), Settings::default()).unwrap();
    apply(&service, whole(), false).await.unwrap();
    let new = NewAccount {
        id: account(),
        display_name: String::new(),
        catalog: id(CatalogId::new, "c"),
        state: AccountState::Active,
        features: Vec::new(),
    };
    service.write(create_account(new)).await.unwrap();
    service
        .write(Write::new("Test", |plan| {
            let found = facts::find_account(plan, &account())?.number;
            let user = plan.allocate();
            let record = crate::model::UserRecord {
                id: id(UserId::new, "ana"),
                state: UserState::Active,
                created: plan.time,
                updated: plan.time,
            };
            plan.put(Key::UserName { account: found, id: record.id.clone() }, Record::Name(user))?;
            plan.put(Key::Profile { account: found, user }, Record::Profile(ProfileRecord::default()))?;
            plan.put(Key::User { account: found, user }, Record::User(record))
        }))
        .await
        .unwrap();
    let all = ["workspaces/w1", "workspaces/w1/lines/l1", "workspaces/w1/lines/l2", "workspaces/w2", "queues/q1"];
    service.write(create_resources(account(), all.map(resource).to_vec())).await.unwrap();
    service
}

fn lists(facet: &str, values: &[&str]) -> AccessListView {
    AccessListView {
        facet: facet.to_owned(),
        all: false,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    }
}

pub(super) async fn set(
    service: &Service,
    facet: &str,
    all: bool,
    values: &[&str],
) -> Result<AccessListView, ServiceError> {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    let write = replace_access_list(account(), ana(), facet.to_owned(), all, values);
    service.write(write).await.map(|written| written.value)
}

async fn change(service: &Service, facet: &str, values: &[&str], add: bool) -> Result<AccessListView, ServiceError> {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    let write = change_access(account(), ana(), facet.to_owned(), values, add);
    service.write(write).await.map(|written| written.value)
}

async fn listed(service: &Service, filter: ResourceFilter, size: usize) -> Vec<String> {
    let (mut paths, mut after) = (Vec::new(), None);
    loop {
        let page = service.list_registered_resources(account(), filter.clone(), size, after, LATEST).await.unwrap();
        assert!(page.items.len() <= size);
        paths.extend(page.items.iter().map(|resource| resource.path.to_string()));
        let Some(next) = page.next else { return paths };
        after = Some(crate::model::Number(next.parse().unwrap()));
    }
}

/// What is left below the account of some ranges.
pub(super) async fn left(service: &Service, ranges: fn(crate::model::Number) -> Vec<KeyRange>) -> usize {
    let count = service.read(LATEST, move |_, view| {
        let found = facts::find_account(&view, &account())?.number;
        let mut left = 0;
        for range in ranges(found) {
            left += facts::scan_all(&view, range)?.len();
        }
        Ok(left)
    });
    count.await.unwrap().0
}

fn fields(error: &ServiceError) -> Vec<&str> {
    assert_eq!(error.reason, ErrorReason::FieldInvalid, "{error}");
    error.violations.iter().map(|violation| violation.field.as_str()).collect()
}

#[tokio::test]
async fn resources_are_listed_below_one_another_and_registered_in_order() {
    let service = started().await;
    let everything =
        ["queues/q1", "workspaces/w1", "workspaces/w1/lines/l1", "workspaces/w1/lines/l2", "workspaces/w2"];
    for size in 1..7 {
        assert_eq!(listed(&service, ResourceFilter::default(), size).await, everything);
        let below = ResourceFilter { below: Some(path("workspaces/w1")), resource_type: None };
        assert_eq!(listed(&service, below, size).await, everything[2..4]);
        let workspaces = ResourceFilter { below: None, resource_type: Some(id(ResourceTypeId::new, "workspace")) };
        assert_eq!(listed(&service, workspaces, size).await, [everything[1], everything[4]]);
    }
    for (given, reason) in [
        ("lines/l1", ErrorReason::FieldInvalid),
        ("workspaces/w1", ErrorReason::AlreadyExists),
        ("workspaces/w9/lines/l1", ErrorReason::ResourceNotFound),
    ] {
        let error = service.write(create_resource(account(), resource(given))).await.unwrap_err();
        assert_eq!(error.reason, reason, "{given}: {error}");
    }
    let error = service.write(create_resource(account(), resource("lines/l1"))).await.unwrap_err();
    assert!(error.message.contains("workspaces/{workspace}/lines/{line}"), "{error}");
    let batch = ["workspaces/w3", "workspaces/w3/lines/l1", "workspaces/w3/lines"];
    assert!(ResourcePath::new(batch[2]).is_err());
    service.write(create_resources(account(), batch[..2].iter().map(|each| resource(each)).collect())).await.unwrap();
}

#[tokio::test]
async fn access_lists_name_registered_resources_of_their_type_and_lose_what_is_deleted() {
    let service = started().await;
    let (l1, l2) = ("workspaces/w1/lines/l1", "workspaces/w1/lines/l2");
    assert_eq!(set(&service, "line", false, &[l2, l1, l2]).await, Ok(lists("line", &[l1, l2])));
    assert_eq!(set(&service, "feature", false, &["reports"]).await, Ok(lists("feature", &["reports"])));
    assert_eq!(change(&service, "feature", &["inbox"], true).await, Ok(lists("feature", &["inbox", "reports"])));
    assert_eq!(change(&service, "line", &[l1], false).await, Ok(lists("line", &[l2])));
    assert_eq!(change(&service, "line", &[l1], false).await, Ok(lists("line", &[l2])));
    let shown = service.list_access_lists(account(), ana(), LATEST).await.unwrap().0;
    assert_eq!(shown, [lists("feature", &["inbox", "reports"]), lists("line", &[l2])]);

    let error = set(&service, "line", false, &["queues/q1", l1, "lines", "workspaces/w1"]).await.unwrap_err();
    assert_eq!(fields(&error), ["access_list.values[0]", "access_list.values[2]", "access_list.values[3]"]);
    assert_eq!(fields(&set(&service, "line", true, &[l1]).await.unwrap_err()), ["access_list.values"]);
    for (facet, value, reason) in [
        ("lines", l1, ErrorReason::ResourceTypeNotFound),
        ("line", "workspaces/w1/lines/l9", ErrorReason::ResourceNotFound),
        ("feature", "none", ErrorReason::FeatureNotFound),
    ] {
        assert_eq!(change(&service, facet, &[value], true).await.unwrap_err().reason, reason, "{facet} {value}");
    }

    let all = AccessListView { facet: "line".to_owned(), all: true, values: Vec::new() };
    assert_eq!(set(&service, "line", true, &[]).await, Ok(all.clone()));
    assert_eq!(change(&service, "line", &[l1], true).await, Ok(all));
    assert_eq!(fields(&change(&service, "line", &[l1], false).await.unwrap_err()), ["values"]);
    set(&service, "line", false, &[l1]).await.unwrap();

    let delete = |force| delete_resource(account(), path("workspaces/w1"), force, None);
    let error = service.write(delete(false)).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::InUse);
    assert!(error.message.contains("2 resources (accounts/a/resources/workspaces/w1/lines/l1, "), "{error}");
    assert!(error.message.contains("1 access list (accounts/a/users/ana)"), "{error}");
    let removed = service.write(delete(true)).await.unwrap().value;
    assert_eq!(removed[0].names, [format!("accounts/a/resources/{l1}"), format!("accounts/a/resources/{l2}")]);
    assert_eq!(removed[1].names, ["accounts/a/users/ana"]);
    let shown = service.list_access_lists(account(), ana(), LATEST).await.unwrap().0;
    assert_eq!(shown, [lists("feature", &["inbox", "reports"])]);
    assert_eq!(listed(&service, ResourceFilter::default(), 10).await, ["queues/q1", "workspaces/w2"]);
    assert_eq!(left(&service, |account| vec![KeyRange::AccountResourceAccess(account)]).await, 0);
}

pub(super) fn statement(effect: Effect, permissions: &[&str], resources: &[&str]) -> Statement {
    Statement {
        effect,
        permissions: permissions.iter().map(|text| PermissionPattern::new(text).unwrap()).collect(),
        resources: resources.iter().map(|text| ResourcePattern::new(text).unwrap()).collect(),
        condition: None,
    }
}

pub(super) async fn policy(
    service: &Service,
    name: &str,
    statements: Vec<Statement>,
) -> Result<PolicyView, ServiceError> {
    let (display_name, description) = (name.to_owned(), String::new());
    let new = NewPolicy { id: id(PolicyId::new, name), display_name, description, statements };
    service.write(create_policy(account(), new)).await.map(|written| written.value)
}

#[tokio::test]
async fn a_pattern_that_matches_nothing_of_the_catalog_is_refused() {
    let service = started().await;
    let good = statement(
        Effect::Deny,
        &["inbox.*", "**", "inbox.view", "*.close"],
        &["**", "workspaces/w1/**", "*/*/lines/l1", "workspaces/**", "queues/*"],
    );
    policy(&service, "good", vec![good.clone()]).await.unwrap();
    let bad = statement(
        Effect::Deny,
        &["inbox.vieuw", "ops.view", "ops.**", "*", "inbox.view"],
        &["lines/**", "workspaces", "workspaces/w1/queues/*", "workspaces/w1", "*/*/*/*/*/*"],
    );
    let error = policy(&service, "bad", vec![good.clone(), bad.clone()]).await.unwrap_err();
    let wrong = |kind: &str, places: &[usize]| -> Vec<String> {
        places.iter().map(|place| format!("access_policy.statements[1].{kind}[{place}]")).collect()
    };
    assert_eq!(fields(&error), [wrong("permissions", &[0, 1, 2, 3]), wrong("resources", &[0, 1, 2, 4])].concat());

    // What the catalog dropped since may stay where it is.
    let types = whole().resource_types;
    apply(&service, catalog(types, &["inbox.view"]), true).await.unwrap();
    let update = |statements| PolicyUpdate { statements: Some(statements), ..PolicyUpdate::default() };
    let again = vec![good.clone(), good];
    service.write(update_policy(account(), id(PolicyId::new, "good"), update(again), None)).await.unwrap();
    let new = vec![statement(Effect::Allow, &["inbox.close"], &[])];
    let error = service.write(update_policy(account(), id(PolicyId::new, "good"), update(new), None)).await;
    assert_eq!(fields(&error.unwrap_err()), ["access_policy.statements[0].permissions[0]"]);
}

#[tokio::test]
async fn a_policy_in_use_is_deleted_only_by_force_and_leaves_the_roles_without_it() {
    let service = started().await;
    for name in ["p1", "p2", "p3"] {
        policy(&service, name, vec![statement(Effect::Allow, &["inbox.view"], &[])]).await.unwrap();
    }
    let page = service.list_policies(PolicyParent::Account(account()), String::new(), 2, None, LATEST).await.unwrap();
    assert_eq!((page.items.len(), page.next.as_deref()), (2, Some("account/p2")));
    let rest = service.list_policies(PolicyParent::Account(account()), String::new(), 2, page.next, LATEST).await;
    assert_eq!(
        rest.unwrap().items.iter().map(|policy| policy.name.to_string()).collect::<Vec<_>>(),
        ["accounts/a/accessPolicies/p3"]
    );
    let role = service.write(Write::new("Test", |plan| {
        let found = facts::find_account(plan, &account())?.number;
        let (policy, _) = facts::find_custom_policy(plan, found, &id(PolicyId::new, "p1"))?;
        let role = plan.allocate();
        let record = RoleRecord {
            id: id(RoleId::new, "r"),
            display_name: String::new(),
            description: String::new(),
            permissions: Vec::new(),
            left_out_api_scopes: Vec::new(),
            policies: vec![policy],
            parents: Vec::new(),
            covers: Vec::new(),
            created: plan.time,
            updated: plan.time,
        };
        plan.put(Key::RoleName { account: found, id: record.id.clone() }, Record::Name(role))?;
        plan.put(Key::Role { account: found, role }, Record::Role(record))?;
        plan.put(Key::PolicyRole { account: found, policy, role }, Record::Present)
    }));
    role.await.unwrap();
    let delete = |force| delete_policy(account(), id(PolicyId::new, "p1"), force, None);
    assert_eq!(service.write(delete(false)).await.unwrap_err().reason, ErrorReason::InUse);
    let removed = service.write(delete(true)).await.unwrap().value;
    assert_eq!(removed, [Use { kind: "roles", count: 1, names: vec!["accounts/a/roles/r".to_owned()] }]);
    let policies = service.read(LATEST, |_, view| {
        let found = facts::find_account(&view, &account())?.number;
        Ok(facts::find_custom_role(&view, found, &id(RoleId::new, "r"))?.1.value.policies)
    });
    assert_eq!(policies.await.unwrap().0, []);
    let ranges = |account| vec![KeyRange::AccountPolicyRoles(account), KeyRange::PolicyNames(account)];
    assert_eq!(left(&service, ranges).await, 2);

    let offers_none = CatalogDefinition { custom_roles: CustomRoleParts::default(), ..whole() };
    apply(&service, offers_none, true).await.unwrap();
    let error = policy(&service, "p4", vec![statement(Effect::Allow, &["**"], &[])]).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::CustomRolesNotOffered);
    assert_eq!(error.metadata, [("part", "custom_policies".to_owned())]);
}

#[tokio::test]
async fn an_exception_is_one_for_each_permission_and_void_without_it() {
    let service = started().await;
    let user = || id(UserId::new, "ana");
    let give = |permission: &str, expires| {
        let new = NewException { permission: id(PermissionId::new, permission), reason: "asked".to_owned(), expires };
        create_exception(account(), user(), new)
    };
    let shown = async || -> Vec<String> {
        let listed = service.list_exceptions(account(), user(), LATEST).await.unwrap().0;
        listed.iter().map(|each| each.permission.to_string()).collect()
    };
    service.write(give("inbox.view", None)).await.unwrap();
    service.write(give("inbox.close", Some(Timestamp(service.now().0 + 30)))).await.unwrap();
    for (permission, reason) in [
        ("inbox.view", ErrorReason::AlreadyExists),
        ("ops.view", ErrorReason::PermissionNotFound),
        ("inbox.none", ErrorReason::PermissionNotFound),
    ] {
        assert_eq!(service.write(give(permission, None)).await.unwrap_err().reason, reason, "{permission}");
    }
    let past = service.write(give("inbox.close", Some(Timestamp(1)))).await.unwrap_err();
    assert_eq!(fields(&past), ["exception.expire_time"]);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(shown().await, ["inbox.close", "inbox.view"]);
    service.write(give("inbox.close", None)).await.unwrap();

    let types = || whole().resource_types;
    let error = apply(&service, catalog(types(), &["inbox.view"]), false).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::CatalogDropsInUse);
    let drops = apply(&service, catalog(types(), &["inbox.view"]), true).await.unwrap().drops;
    assert_eq!(drops[0].used_by, ["accounts/a/users/ana"]);
    apply(&service, whole(), false).await.unwrap();
    assert_eq!(shown().await, ["inbox.view"]);
    let delete = |permission| delete_exception(account(), user(), id(PermissionId::new, permission));
    assert_eq!(service.write(delete("inbox.close")).await.unwrap_err().reason, ErrorReason::ExceptionNotFound);
    service.write(delete("inbox.view")).await.unwrap();
    assert!(shown().await.is_empty());
}

/// Gives `ana` so many roles on a resource, none of which is there.
pub(super) async fn bind_often(service: &Service, resource: &'static str, count: usize) {
    let bound = service.write(Write::new("Test", move |plan| {
        let found = facts::find_account(plan, &account())?.number;
        let (user, _) = facts::find_user(plan, found, &id(UserId::new, "ana"))?;
        let name = Key::ResourceName { account: found, path: path(resource) };
        let resource = facts::get_name(plan, &name)?.unwrap().value;
        for _ in 0..count {
            let (binding, role) = (plan.allocate(), plan.allocate());
            let holder = Holder::User(user);
            let record = BindingRecord { holder, role, resource: Some(resource), expires: None, created: plan.time };
            plan.put(Key::Binding { account: found, binding }, Record::Binding(record))?;
            plan.put(Key::ResourceBinding { account: found, resource, binding }, Record::Present)?;
        }
        Ok(())
    }));
    bound.await.unwrap();
}

#[tokio::test]
async fn a_dropped_type_takes_its_resources_with_it_and_what_is_on_them() {
    let service = started().await;
    let lines: Vec<_> = (0..90).map(|line| resource(&format!("workspaces/w2/lines/l{line}"))).collect();
    service.write(create_resources(account(), lines)).await.unwrap();
    set(&service, "line", false, &["workspaces/w2/lines/l7", "workspaces/w1/lines/l1"]).await.unwrap();
    set(&service, "queue", false, &["queues/q1"]).await.unwrap();
    bind_often(&service, "workspaces/w2/lines/l7", 70).await;
    let new = || {
        catalog(vec![resource_type("workspace", None), resource_type("queue", None)], &["inbox.view", "inbox.close"])
    };
    let error = apply(&service, new(), false).await.unwrap_err();
    assert_eq!(error.metadata, [("drops", "resource_types/line".to_owned())]);
    let drops = apply(&service, new(), true).await.unwrap().drops;
    assert_eq!((drops[0].accounts, drops[0].uses, drops[0].used_by.len()), (1, 92, 10));
    let everything = ["queues/q1", "workspaces/w1", "workspaces/w2"];
    assert_eq!(listed(&service, ResourceFilter::default(), 2).await, everything);
    // The type comes back, and is another.
    apply(&service, whole(), false).await.unwrap();
    assert_eq!(listed(&service, ResourceFilter::default(), 2).await, everything);
    service.write(create_resource(account(), resource("workspaces/w1/lines/l2"))).await.unwrap();
    for _ in 0..500 {
        let retired = service.read(LATEST, |_, view| Ok(view.scan(KeyRange::Retired, None, 1)?.len()));
        if retired.await.unwrap().0 == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(left(&service, |account| vec![KeyRange::Resources(account)]).await, 4);
    assert_eq!(left(&service, |account| vec![KeyRange::ResourceNames(account)]).await, 4);
    assert_eq!(left(&service, |account| vec![KeyRange::Bindings(account)]).await, 0);
    assert_eq!(left(&service, |account| vec![KeyRange::AccountResourceBindings(account)]).await, 0);
    assert_eq!(left(&service, |account| vec![KeyRange::AccountResourceAccess(account)]).await, 1);
    assert_eq!(left(&service, |account| vec![KeyRange::AccountAccess(account)]).await, 1);
    let counts = service.write(Write::new("Test", |plan| {
        let found = facts::find_account(plan, &account())?.number;
        Ok(plan.counts(found)?.resources)
    }));
    assert_eq!(counts.await.unwrap().value, 4);
}
