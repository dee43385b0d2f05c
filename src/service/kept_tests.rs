//! What is kept for Check: what a hit costs, and that little room costs no more than time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
};

use futures_util::FutureExt as _;

use super::{core::Settings, *};
use crate::{
    cache::CacheLimits,
    files, presets,
    store::{MemoryLog, MemoryStore},
};

/// Makes an account of `users` users, of whom every other one has a role and the rest have none.
async fn apply(service: &Service, account: &str, features: &str, users: usize) {
    let mut text = format!("kind: account\nid: {account}\ncatalog: infobip-classic\nfeatures: [{features}]\nusers:\n");
    for user in 0..users {
        let roles = if user % 2 == 0 { ", roles: [analyze-manager]" } else { "" };
        text += &format!("  - {{id: user-{user}{roles}}}\n");
    }
    let account = files::parse_account(text.as_bytes()).unwrap();
    service.write(apply_account(account, None, Arc::default())).await.unwrap();
}

/// A service with such an account.
async fn started(cache_bytes: u64, users: usize) -> Service {
    let cache = CacheLimits { bytes: cache_bytes, ..CacheLimits::default() };
    let settings = Settings { cache, ..Settings::default() };
    let service = Service::start(Arc::new(MemoryStore::new()), Arc::new(MemoryLog::new()), settings).unwrap();
    let catalog = files::parse_catalog(presets::INFOBIP_CLASSIC.catalog.as_bytes()).unwrap();
    service.write(apply_catalog(catalog, false, None, Arc::default())).await.unwrap();
    apply(&service, "a", "reports", users).await;
    service
}

fn question(user: &str) -> Asking<'_> {
    Asking {
        subject: SubjectName::new("a", SubjectKind::User, user),
        asked: AskedName::Permission("reports.detailed.view"),
        place: PlaceName::default(),
        attributes: &NO_ATTRIBUTES,
    }
}

#[tokio::test]
async fn a_check_from_what_is_kept_waits_for_nothing_and_allocates_nothing() {
    let service = started(64 << 20, 2).await;
    for (user, expected) in [("user-0", Reason::Allowed), ("user-1", Reason::NoRoleGrants)] {
        let question = question(user);
        service.check(&question, ReadAt::Latest).await.unwrap();
        // The first of a thread makes what the thread has for itself.
        service.check(&question, ReadAt::Latest).now_or_never().expect("it is kept").unwrap();
        let mut decided = None;
        let counted = allocation_counter::measure(|| {
            decided = service.check(&question, ReadAt::Latest).now_or_never();
        });
        assert_eq!(decided.expect("it is kept").unwrap().reason, expected);
        assert_eq!((counted.count_total, counted.bytes_total), (0, 0), "{user}");
    }
    // The counter does count.
    assert_eq!(allocation_counter::measure(|| drop(black_box(Box::new(1)))).count_total, 1);
}

#[tokio::test]
async fn a_check_of_a_user_that_changed_is_worked_out_anew_and_others_are_not() {
    let service = started(64 << 20, 4).await;
    for user in ["user-0", "user-2"] {
        service.check(&question(user), ReadAt::Latest).await.unwrap();
    }
    let account = crate::model::AccountId::new("a").unwrap();
    let user = crate::model::UserId::new("user-0").unwrap();
    let suspended = UserUpdate { state: Some(crate::model::UserState::Suspended), ..UserUpdate::default() };
    service.write(update_user(account, user, suspended, None)).await.unwrap();
    // Not `is_none` of what is there at once: on a busy machine it can be worked out between two steps of this thread.
    assert!(service.check_kept(&question("user-0")).is_none());
    let decided = service.check(&question("user-0"), ReadAt::Latest).await.unwrap();
    assert_eq!(decided.reason, Reason::SubjectNotActive);
    let other = service.check_kept(&question("user-2")).expect("it is still kept");
    assert_eq!(other.unwrap().reason, Reason::Allowed);
}

#[tokio::test]
async fn one_holder_of_a_role_works_out_what_a_change_means_and_the_others_read_nothing() {
    let service = started(64 << 20, 6).await;
    let reason = async |user: &str| service.check(&question(user), ReadAt::Latest).await.map(|decided| decided.reason);
    let users = ["user-0", "user-1", "user-2", "user-3", "user-4"];
    for user in users {
        reason(user).await.unwrap();
    }
    apply(&service, "a", "", 6).await;
    for (asked, expected) in [("user-0", Reason::FeatureNotEntitled), ("user-1", Reason::NoRoleGrants)] {
        assert_eq!(reason(asked).await.unwrap(), expected);
    }
    // From here on nobody can read anything.
    let all = u32::try_from(service.core.loads.available_permits()).unwrap();
    let none_left = Arc::clone(&service.core.loads).acquire_many_owned(all).await.unwrap();
    for (asked, expected) in [
        ("user-2", Reason::FeatureNotEntitled),
        ("user-3", Reason::NoRoleGrants),
        ("user-4", Reason::FeatureNotEntitled),
    ] {
        assert!(service.check_kept(&question(asked)).is_none(), "{asked} was asked about since");
        let found = service.check(&question(asked), ReadAt::Latest).now_or_never().expect("it needs no load");
        assert_eq!(found.unwrap().reason, expected, "{asked}");
        assert!(service.check_kept(&question(asked)).is_some(), "{asked}");
    }
    // One about whom nothing is known has to be read.
    assert!(service.check(&question("user-5"), ReadAt::Latest).now_or_never().is_none());
    drop(none_left);
    assert_eq!(reason("user-5").await.unwrap(), Reason::NoRoleGrants);
}

#[tokio::test]
async fn nobody_follows_across_a_write_so_large_that_it_stamps_accounts_only() {
    let users = 9_600;
    let service = started(64 << 20, users).await;
    let reason = async |user: &str| service.check(&question(user), ReadAt::Latest).await.unwrap().reason;
    for user in ["user-0", "user-2"] {
        assert_eq!(reason(user).await, Reason::Allowed);
    }
    // All but one lose the role.
    let mut text = String::from("kind: account\nid: a\ncatalog: infobip-classic\nfeatures: [reports]\nusers:\n");
    for user in 0..users {
        let roles = if user == 0 { ", roles: [analyze-manager]" } else { "" };
        text += &format!("  - {{id: user-{user}{roles}}}\n");
    }
    let account = files::parse_account(text.as_bytes()).unwrap();
    service.write(apply_account(account, None, Arc::default())).await.unwrap();
    assert_eq!(reason("user-0").await, Reason::Allowed);
    assert_eq!(reason("user-2").await, Reason::NoRoleGrants);
}

#[tokio::test]
async fn nobody_of_a_deleted_account_is_answered_from_the_account_that_came_to_its_id() {
    let service = started(64 << 20, 2).await;
    let reason = async |user: &str| service.check(&question(user), ReadAt::Latest).await.map(|decided| decided.reason);
    assert_eq!(reason("user-0").await.unwrap(), Reason::Allowed);
    let id = crate::model::AccountId::new("a").unwrap();
    service.write(delete_account(id, None)).await.unwrap();
    let text = "kind: account\nid: a\ncatalog: infobip-classic\nfeatures: [reports]\nusers:\n  - {id: new, roles: [analyze-manager]}\n";
    let account = files::parse_account(text.as_bytes()).unwrap();
    service.write(apply_account(account, None, Arc::default())).await.unwrap();
    assert_eq!(reason("new").await.unwrap(), Reason::Allowed);
    assert_eq!(reason("user-0").await.unwrap(), Reason::SubjectUnknown);
}

#[tokio::test]
async fn with_the_least_room_every_answer_is_right_all_the_same() {
    let users = 30_000;
    let service = started(1 << 20, users).await;
    let names: Vec<String> = (0..users).map(|user| format!("user-{user}")).collect();
    for _ in 0..2 {
        for (user, name) in names.iter().enumerate() {
            let expected = if user % 2 == 0 { Reason::Allowed } else { Reason::NoRoleGrants };
            let decided = service.check(&question(name), ReadAt::Latest).await.unwrap();
            assert_eq!(decided.reason, expected, "{name}");
        }
    }
    let is_kept = |name: &&String| service.check_kept(&question(name)).is_some();
    let kept = names.iter().filter(is_kept).count();
    assert!((5_000..15_000).contains(&kept), "{kept} of {users}");
}

#[tokio::test]
async fn a_list_is_written_down_once_until_something_that_it_depends_on_changes() {
    let service = started(64 << 20, 4).await;
    apply(&service, "b", "", 4).await;
    let written = Arc::new(AtomicU32::new(0));
    let list = async |account: &'static str, user: &str, size: usize| {
        let count = Arc::clone(&written);
        let write = move |listed: ListedPermissions| {
            count.fetch_add(1, SeqCst);
            let ids: Vec<String> = listed.permissions.into_iter().map(|each| each.permission).collect();
            ids.join(" ").into_bytes()
        };
        let subject = SubjectName::new(account, SubjectKind::User, user);
        let (bytes, _) =
            service.written_permissions(subject, size, ReadAt::Latest, service.now(), write).await.unwrap();
        bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    };
    let first = list("a", "user-0", 1_000).await.unwrap();
    assert!(first.contains("reports.detailed.view"), "{first}");
    assert_eq!((list("a", "user-0", 1_000).await.as_deref(), written.load(SeqCst)), (Some(first.as_str()), 1));
    // Others have lists of their own: one who has no role, one of the same id in another account, one who is not there.
    assert_eq!(list("a", "user-1", 1_000).await.as_deref(), Some(""));
    assert_ne!(list("b", "user-0", 1_000).await, Some(first.clone()));
    assert_eq!(list("a", "nobody", 1_000).await.as_deref(), Some(""));
    assert_eq!(list("a", "nobody", 1_000).await.as_deref(), Some(""));
    assert_eq!(written.load(SeqCst), 4);
    // What does not fit into one page is not written down.
    service.clear_cache();
    assert_eq!(list("a", "user-0", 2).await, None);
    assert_eq!(list("a", "user-0", 1_000).await.as_deref(), Some(first.as_str()));
    assert_eq!(written.load(SeqCst), 5);
    // The account loses the feature, another account is changed, and it has it again.
    apply(&service, "a", "", 4).await;
    let less = list("a", "user-0", 1_000).await.unwrap();
    assert!(!less.contains("reports.detailed.view"), "{less}");
    apply(&service, "b", "reports", 4).await;
    assert_eq!((list("a", "user-0", 1_000).await, written.load(SeqCst)), (Some(less), 6));
    apply(&service, "a", "reports", 4).await;
    assert_eq!((list("a", "user-0", 1_000).await, written.load(SeqCst)), (Some(first), 7));
}
