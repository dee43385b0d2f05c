//! Exceptions: one extra permission of one user.

use super::{
    platform::{bind, deny, edit, give, list, may, platform, says},
    tests::{set, user},
    *,
};
use Reason::{Allowed, DeniedByPolicy, FacetNotGranted, FeatureNotEntitled, NoRoleGrants, ResourceRequired};

const CHANNEL: &str = "workspaces/w1/channels/c1";

fn except(oracle: &mut Oracle, permission: &str, expires: Option<u64>, now: u64) {
    let exception = Exception { reason: "on call".into(), expires };
    oracle.create_exception("acme", "ana", permission, exception, now);
}

#[test]
fn an_exception_gives_one_permission_to_one_user_on_the_whole_account() {
    let mut oracle = platform();
    except(&mut oracle, "channel.post", None, 0);
    says(&oracle, &may("channel.post").on(CHANNEL), Allowed);
    says(&oracle, &may("channel.post"), Allowed);
    says(&oracle, &may("workspace.read"), NoRoleGrants);
    says(&oracle, &Question::permission("ben", "channel.post"), NoRoleGrants);
    oracle.delete_exception("acme", "ana", "channel.post");
    says(&oracle, &may("channel.post"), NoRoleGrants);
}

#[test]
fn a_service_account_has_nothing_of_the_exception_of_a_user_of_its_id() {
    let mut oracle = platform();
    oracle.create_service_account("acme", "ana", State::Active);
    except(&mut oracle, "account.read", None, 0);
    let question = Question::permission(Subject::ServiceAccount("ana".into()), "account.read");
    says(&oracle, &question, NoRoleGrants);
}

#[test]
fn an_exception_needs_the_feature_and_covers_no_facet() {
    let mut oracle = platform();
    except(&mut oracle, "voice.dial", None, 0);
    except(&mut oracle, "line.call", None, 0);
    says(&oracle, &may("voice.dial"), FacetNotGranted);
    says(&oracle, &may("line.call").on("lines/l1"), FacetNotGranted);
    list(&mut oracle, user("ana"), "feature", &["voice"]);
    list(&mut oracle, user("ana"), "line", &["lines/l1"]);
    says(&oracle, &may("voice.dial"), Allowed);
    says(&oracle, &may("line.call").on("lines/l1"), Allowed);
    says(&oracle, &may("line.call"), ResourceRequired);
    oracle.update_account("acme", None, Some(set(&[])));
    says(&oracle, &may("voice.dial"), FeatureNotEntitled);
}

#[test]
fn an_exception_leaves_out_no_api_scope() {
    let mut oracle = platform();
    except(&mut oracle, "channel.post", None, 0);
    for id in ["all", "chat"] {
        says(&oracle, &Question::api_scope("ana", id).on(CHANNEL), Allowed);
    }
    assert_eq!(oracle.list("acme", "ana", 0)["channel.post"].api_scopes, set(&["all", "chat"]));
}

#[test]
fn an_exception_stops_at_its_time() {
    let mut oracle = platform();
    except(&mut oracle, "account.read", Some(10), 0);
    assert_eq!(oracle.check("acme", &may("account.read"), 9), Ok(Allowed));
    assert_eq!(oracle.check("acme", &may("account.read"), 10), Ok(Reason::GrantExpired));
}

#[test]
fn a_new_exception_takes_the_place_of_an_expired_one_and_of_no_other() {
    let mut oracle = platform();
    except(&mut oracle, "account.read", Some(10), 0);
    except(&mut oracle, "account.read", Some(20), 9);
    assert_eq!(oracle.check("acme", &may("account.read"), 15), Ok(Reason::GrantExpired));
    except(&mut oracle, "account.read", Some(20), 10);
    assert_eq!(oracle.check("acme", &may("account.read"), 15), Ok(Allowed));
    assert_eq!(oracle.accounts["acme"].exceptions.len(), 1);
}

#[test]
fn an_exception_is_void_while_its_permission_is_internal() {
    let mut oracle = platform();
    except(&mut oracle, "account.read", None, 0);
    let make = |internal| {
        move |catalog: &mut Catalog| {
            _ = catalog.permissions.get_mut("account.read").map(|permission| permission.internal = internal);
        }
    };
    edit(&mut oracle, make(true));
    says(&oracle, &may("account.read"), NoRoleGrants);
    edit(&mut oracle, make(false));
    says(&oracle, &may("account.read"), Allowed);
}

#[test]
fn a_deny_beats_an_exception() {
    let mut oracle = platform();
    except(&mut oracle, "channel.post", None, 0);
    let no = platform::role_of(&mut oracle, "no", vec![deny(&["channel.post"], &[])]);
    bind(&mut oracle, no, "workspaces/w1");
    says(&oracle, &may("channel.post").on(CHANNEL), DeniedByPolicy);
    says(&oracle, &may("channel.post").on("workspaces/w2/channels/c1"), Allowed);
    give(&mut oracle, "never", vec![deny(&["**"], &[])]);
    says(&oracle, &may("channel.post").on("workspaces/w2/channels/c1"), DeniedByPolicy);
}

#[test]
fn a_user_or_a_permission_that_comes_back_has_no_exception() {
    let mut oracle = platform();
    except(&mut oracle, "account.read", None, 0);
    oracle.delete_user("acme", "ana");
    oracle.create_user("acme", "ana", State::Active);
    says(&oracle, &may("account.read"), NoRoleGrants);
    except(&mut oracle, "account.read", None, 0);
    edit(&mut oracle, |catalog| _ = catalog.permissions.remove("account.read"));
    oracle.replace_catalog("p", platform::catalog());
    says(&oracle, &may("account.read"), NoRoleGrants);
}
