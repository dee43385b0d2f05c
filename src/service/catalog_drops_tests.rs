//! What a new version of a catalog takes from the accounts under it, and what is said of it before.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::{Arc, Mutex};

use super::{
    access_tests::{
        LATEST, account, apply, bind_often, catalog, id, left, path, policy, resource_type, started, statement, whole,
    },
    catalog_drops::remove_bindings_on,
    error::ErrorReason,
    facts, *,
};
use crate::{
    model::{CatalogDefinition, CatalogId, Effect, Index as _, KeyRange, Kind, ResourceTypeId, ResourceTypeIndex},
    store::View as _,
};

/// The catalog with something changed.
fn changed(change: impl FnOnce(&mut CatalogDefinition)) -> CatalogDefinition {
    let mut new = whole();
    change(&mut new);
    new
}

/// What of the dropped types is used by how many, and the first of those that are named.
fn uses(drops: &[CatalogDrop]) -> Vec<(&str, u64, &str)> {
    drops.iter().map(|each| (each.subject.as_str(), each.uses, each.used_by[0].as_str())).collect()
}

#[tokio::test]
async fn a_type_whose_old_paths_a_custom_policy_names_is_dropped_only_if_that_is_allowed() {
    let service = started().await;
    let (deny, allow) = (Effect::Deny, Effect::Allow);
    let line = statement(deny, &["inbox.view"], &["workspaces/w1", "workspaces/w1/lines/l1", "workspaces/*/lines/*"]);
    for policy_id in ["1", "2"] {
        policy(&service, policy_id, vec![line.clone()]).await.unwrap();
    }
    policy(&service, "3", vec![statement(allow, &["**"], &["*/x"]), line.clone()]).await.unwrap();
    policy(&service, "4", vec![statement(allow, &["**"], &["*/x"])]).await.unwrap();
    policy(&service, "5", vec![statement(deny, &["**"], &["workspaces/**", "**"])]).await.unwrap();
    service.write(delete_resource(account(), path("queues/q1"), true, None)).await.unwrap();

    let phones = || changed(|new| new.resource_types[1].plural = id(ResourceTypeId::new, "phones"));
    let below = || changed(|new| new.resource_types[2].parent = Some(ResourceTypeIndex::at(0)));
    let no_lines = || catalog(vec![resource_type("workspace", None), resource_type("queue", None)], &["inbox.view"]);
    let line = ("resource_types/line", 2 + 3, "accounts/a/accessPolicies/1");
    let queue = ("resource_types/queue", 2, "accounts/a/accessPolicies/3");
    for (new, expected) in [(phones(), vec![line]), (below(), vec![queue]), (no_lines(), vec![line])] {
        let drops = Arc::new(Mutex::new(Vec::new()));
        let write = apply_catalog(new, false, None, Arc::clone(&drops));
        assert_eq!(service.write(write).await.unwrap_err().reason, ErrorReason::CatalogDropsInUse);
        assert_eq!(uses(&drops.lock().unwrap()), expected);
    }
    // The id goes, and the paths stay.
    let other_id = changed(|new| new.resource_types[2].id = id(ResourceTypeId::new, "waiting"));
    assert!(apply(&service, other_id, false).await.unwrap().drops.is_empty());

    for policy_id in 10..20 {
        let queues = statement(deny, &["**"], &["workspaces/w2/lines/l1"]);
        policy(&service, &policy_id.to_string(), vec![queues]).await.unwrap();
    }
    let drops = apply(&service, phones(), true).await.unwrap().drops;
    assert_eq!(drops.len(), 1, "{drops:?}");
    assert_eq!((drops[0].accounts, drops[0].uses), (1, 2 + 3 + 10));
    assert!(drops[0].used_by.iter().all(|name| name.starts_with("accounts/a/accessPolicies/")), "{drops:?}");
    assert_eq!(drops[0].used_by.len(), 10);
    // What matches nothing by now is not lost again.
    assert!(apply(&service, whole(), false).await.unwrap().drops.is_empty());
}

#[tokio::test]
async fn role_bindings_that_are_too_many_for_one_load_are_swept() {
    let service = started().await;
    bind_often(&service, "workspaces/w1/lines/l1", 70).await;
    bind_often(&service, "workspaces/w1/lines/l2", 5).await;
    // As a load does that drops lines, with room for 40.
    let drop = service.write(Write::new("Test", |plan| {
        let number = facts::find_catalog(plan, &id(CatalogId::new, "c"))?;
        let catalog = facts::get_catalog(plan, &crate::model::Key::Catalog(number))?.unwrap().value;
        let lines = catalog.resource_type_numbers[1];
        remove_bindings_on(plan, number, &[lines].into(), 40)?;
        plan.retire(lines, Kind::Resource, None)?;
        let account = facts::find_account(plan, &account())?.number;
        Ok(facts::scan_all(plan, KeyRange::Bindings(account))?.len())
    }));
    assert_eq!(drop.await.unwrap().value, 35);
    for _ in 0..500 {
        let retired = service.read(LATEST, |_, view| Ok(view.scan(KeyRange::Retired, None, 1)?.len()));
        if retired.await.unwrap().0 == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let ranges = |account| vec![KeyRange::Bindings(account), KeyRange::AccountResourceBindings(account)];
    assert_eq!(left(&service, ranges).await, 0);
    assert_eq!(left(&service, |account| vec![KeyRange::Resources(account)]).await, 3);
}
