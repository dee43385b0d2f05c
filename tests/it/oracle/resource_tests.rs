//! Which resources a binding covers, in a question about one resource.

use super::{
    platform::{bind, bind_to, may, platform, says},
    tests::{managed, set, team},
    *,
};
use Reason::{Allowed, FeatureNotEntitled, NoRoleGrants, ResourceNotCovered, SubjectUnknown};

const CHANNEL: &str = "workspaces/w1/channels/c1";

#[test]
fn a_binding_on_the_account_covers_everything_registered_or_not() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "");
    for path in [CHANNEL, "workspaces/none/channels/none"] {
        says(&oracle, &may("channel.post").on(path), Allowed);
    }
}

#[test]
fn a_binding_on_a_resource_covers_it_and_what_is_below_it() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "workspaces/w1");
    says(&oracle, &may("workspace.read").on("workspaces/w1"), Allowed);
    says(&oracle, &may("channel.post").on(CHANNEL), Allowed);
    says(&oracle, &may("channel.post").on("workspaces/w1/channels/none"), Allowed);
    says(&oracle, &may("channel.post").on("workspaces/w2/channels/c1"), ResourceNotCovered);
    says(&oracle, &may("workspace.read").on("workspaces/w2"), ResourceNotCovered);
}

#[test]
fn a_binding_on_a_resource_gives_nothing_of_a_type_above_it_or_beside_it() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), CHANNEL);
    says(&oracle, &may("channel.post").on(CHANNEL), Allowed);
    says(&oracle, &may("workspace.read").on("workspaces/w1"), ResourceNotCovered);
    says(&oracle, &may("workspace.read").on(CHANNEL), ResourceNotCovered);
    says(&oracle, &may("line.call").on("lines/l1"), ResourceNotCovered);
}

#[test]
fn a_permission_of_the_account_never_passes_through_a_binding_on_a_resource() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "workspaces/w1");
    says(&oracle, &may("account.read"), ResourceNotCovered);
    says(&oracle, &may("account.read").on("workspaces/w1"), ResourceNotCovered);
}

#[test]
fn a_path_that_goes_on_below_the_permissions_type_is_cut_after_it() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), CHANNEL);
    says(&oracle, &may("channel.post").on("workspaces/w1/channels/c1/messages/m1"), Allowed);
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "workspaces/w1/channels/c1/messages/m1");
    says(&oracle, &may("channel.post").on("workspaces/w1/channels/c1/messages/m1"), ResourceNotCovered);
}

#[test]
fn the_feature_is_missed_before_the_resource() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "workspaces/w2");
    says(&oracle, &may("channel.post").on(CHANNEL), ResourceNotCovered);
    oracle.update_account("acme", None, Some(set(&[])));
    says(&oracle, &may("channel.post").on(CHANNEL), FeatureNotEntitled);
}

#[test]
fn of_two_bindings_the_one_that_covers_the_resource_is_enough() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "workspaces/w1");
    bind(&mut oracle, managed("reader"), "workspaces/w2");
    says(&oracle, &may("workspace.read").on("workspaces/w1"), Allowed);
    oracle.unbind("acme", &(Holder::User("ana".into()), managed("reader"), Some("workspaces/w1".into())));
    says(&oracle, &may("workspace.read").on("workspaces/w1"), ResourceNotCovered);
    says(&oracle, &may("workspace.read").on("workspaces/w2"), Allowed);
}

#[test]
fn a_role_through_a_team_gives_exactly_what_it_gives_directly() {
    let mut oracle = platform();
    bind_to(&mut oracle, team("t"), managed("reader"), "workspaces/w1");
    says(&oracle, &may("workspace.read").on("workspaces/w1"), NoRoleGrants);
    oracle.add_member("acme", "t", "ana");
    says(&oracle, &may("workspace.read").on("workspaces/w1"), Allowed);
    says(&oracle, &may("workspace.read").on("workspaces/w2"), ResourceNotCovered);
    oracle.delete_user("acme", "ana");
    says(&oracle, &may("workspace.read").on("workspaces/w1"), SubjectUnknown);
}

#[test]
fn a_service_account_holds_roles_on_resources_too() {
    let mut oracle = platform();
    bind_to(&mut oracle, Holder::ServiceAccount("bot".into()), managed("reader"), "workspaces/w1");
    let bot = Subject::ServiceAccount("bot".into());
    says(&oracle, &Question::permission(bot.clone(), "channel.post").on(CHANNEL), Allowed);
    says(&oracle, &Question::permission(bot, "workspace.read").on("workspaces/w2"), ResourceNotCovered);
}

#[test]
fn a_deleted_resource_takes_with_it_what_is_on_it_and_below_it() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "workspaces/w1");
    bind(&mut oracle, managed("reader"), CHANNEL);
    bind(&mut oracle, managed("reader"), "workspaces/w2");
    oracle.delete_resource("acme", "workspaces/w1");
    let left: Vec<&String> = oracle.accounts["acme"].resources.keys().collect();
    assert_eq!(left, ["lines/l1", "lines/l1/conversations/v1", "lines/l2", "workspaces/w2"]);
    assert_eq!(oracle.accounts["acme"].bindings.len(), 1);
    says(&oracle, &may("channel.post").on(CHANNEL), ResourceNotCovered);
    oracle.register_resource("acme", "workspaces/w1");
    oracle.register_resource("acme", CHANNEL);
    says(&oracle, &may("channel.post").on(CHANNEL), ResourceNotCovered);
    says(&oracle, &may("workspace.read").on("workspaces/w2"), Allowed);
}

#[test]
fn a_resource_whose_name_starts_like_a_deleted_one_stays() {
    let mut oracle = platform();
    oracle.register_resource("acme", "lines/l10");
    bind(&mut oracle, managed("reader"), "lines/l10");
    oracle.delete_resource("acme", "lines/l1");
    assert!(oracle.accounts["acme"].resources.contains_key("lines/l10"));
    assert_eq!(oracle.accounts["acme"].bindings.len(), 1);
}

#[test]
fn an_api_scope_question_cuts_the_path_for_each_permission_and_leaves_out_those_of_another_line() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "workspaces/w1");
    let scope = |id: &str| Question::api_scope("ana", id);
    for id in ["all", "chat"] {
        says(&oracle, &scope(id).on("workspaces/w1/channels/c1/messages/m1"), Allowed);
        says(&oracle, &scope(id).on("workspaces/w2/channels/c1"), ResourceNotCovered);
        says(&oracle, &scope(id).on("lines/l1"), NoRoleGrants);
    }
    assert_eq!(oracle.check("acme", &scope("chat").on("lines"), 0), Err(Unknown::Resource));
}

#[test]
fn of_all_permissions_that_provide_an_api_scope_the_furthest_reason_counts() {
    let mut oracle = platform();
    bind(&mut oracle, managed("reader"), "");
    // line.call and conversation.read provide it; both want the line, and only the path of one names it.
    let question = Question::api_scope("ana", "calls");
    says(&oracle, &question, Reason::FacetNotGranted);
    platform::list(&mut oracle, Holder::User("ana".into()), "line", &["lines/l1"]);
    says(&oracle, &question, Reason::ResourceRequired);
    says(&oracle, &question.clone().facet("line", "lines/l1"), Allowed);
    says(&oracle, &question.on("lines/l1/conversations/v9"), Allowed);
}
