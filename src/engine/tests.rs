//! Every rule of a decision once, on a small catalog: workspaces with lines, lines with conversations.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::Arc;

use super::*;
use crate::model::{
    ApiScope, ApiScopeId, ApiScopeIndex, Catalog, CatalogDefinition, CatalogId, CatalogPolicy, CatalogRole, Condition,
    CustomRoleParts, Effect, Facet, Feature, FeatureId, FeatureIndex, Number, PermissionDefinition, PermissionId,
    PermissionIndex, PermissionPattern, PolicyId, PolicyIndex, ResourcePath, ResourcePattern, ResourceType,
    ResourceTypeId, ResourceTypeIndex, RoleId, RoleIndex, RoleRecord, Section, SectionId, SectionIndex, Statement,
    TeamId, Timestamp,
};

/// The condition `x` holds if the attribute x is true, and cannot be evaluated if there is none.
#[derive(Debug)]
struct Named(String);

impl Conditions for Named {
    fn compile(&self, text: &str) -> Arc<dyn CompiledCondition> {
        Arc::new(Self(text.to_owned()))
    }
}

impl CompiledCondition for Named {
    fn holds(&self, input: &ConditionInput<'_>) -> Option<bool> {
        match input.attributes.get(&self.0)? {
            AttributeValue::Bool(value) => Some(*value),
            _ => None,
        }
    }
}

const WORKSPACE: ResourceTypeIndex = ResourceTypeIndex(0);
const LINE: ResourceTypeIndex = ResourceTypeIndex(1);
const QUEUE: ResourceTypeIndex = ResourceTypeIndex(3);

fn permission(id: &str) -> PermissionDefinition {
    PermissionDefinition {
        id: PermissionId::new(id).unwrap(),
        description: String::new(),
        section: SectionIndex(0),
        feature: None,
        api_scopes: Vec::new(),
        resource_type: None,
        facets: Vec::new(),
        condition: None,
        internal: false,
        deprecated: false,
    }
}

fn role(id: &str, policies: &[u32], parents: &[u32], covers: &[Facet]) -> CatalogRole {
    CatalogRole {
        id: RoleId::new(id).unwrap(),
        display_name: String::new(),
        description: String::new(),
        internal: id == "internal",
        permissions: Vec::new(),
        policies: policies.iter().copied().map(PolicyIndex).collect(),
        parents: parents.iter().copied().map(RoleIndex).collect(),
        covers: covers.to_vec(),
        always_held: false,
        max_holders: None,
    }
}

fn policy(
    id: &str,
    effect: Effect,
    permissions: &[&str],
    resources: &[&str],
    condition: Option<&str>,
) -> CatalogPolicy {
    CatalogPolicy {
        id: PolicyId::new(id).unwrap(),
        display_name: String::new(),
        description: String::new(),
        statements: vec![Statement {
            effect,
            permissions: permissions.iter().map(|text| PermissionPattern::new(text).unwrap()).collect(),
            resources: resources.iter().map(|text| ResourcePattern::new(text).unwrap()).collect(),
            condition: condition.map(Condition::new),
        }],
    }
}

const PERMISSIONS: [&str; 8] = [
    "a.gated",
    "a.free",
    "a.internal",
    "line.calls.view",
    "chat.message.send",
    "chat.message.read",
    "queue.items.view",
    "product.use.it",
];

fn catalog() -> Arc<CompiledCatalog> {
    let on = |id: &str, resource_type| PermissionDefinition { resource_type: Some(resource_type), ..permission(id) };
    let resource_type = |id: &str, parent| ResourceType {
        id: ResourceTypeId::new(id).unwrap(),
        plural: ResourceTypeId::new(&format!("{id}s")).unwrap(),
        display_name: String::new(),
        description: String::new(),
        parent,
    };
    let conversation = ResourceTypeIndex(2);
    let permissions = vec![
        PermissionDefinition { feature: Some(FeatureIndex(0)), ..permission(PERMISSIONS[0]) },
        PermissionDefinition { api_scopes: vec![ApiScopeIndex(1)], ..permission(PERMISSIONS[1]) },
        PermissionDefinition { internal: true, ..permission(PERMISSIONS[2]) },
        PermissionDefinition { api_scopes: vec![ApiScopeIndex(0)], ..on(PERMISSIONS[3], LINE) },
        PermissionDefinition { facets: vec![Facet::Type(LINE)], ..on(PERMISSIONS[4], conversation) },
        PermissionDefinition { condition: Some(Condition::new("own")), ..on(PERMISSIONS[5], conversation) },
        PermissionDefinition { facets: vec![Facet::Type(QUEUE)], ..permission(PERMISSIONS[6]) },
        PermissionDefinition {
            feature: Some(FeatureIndex(0)),
            facets: vec![Facet::Feature],
            ..permission(PERMISSIONS[7])
        },
    ];
    let all = ["**"];
    let policies = vec![
        policy("everything", Effect::Allow, &all, &[], None),
        policy("w1", Effect::Allow, &["line.**", "chat.*.*"], &["workspaces/w1/**"], None),
        policy("no-send", Effect::Deny, &["chat.message.send"], &[], None),
        policy("no-l2", Effect::Deny, &["line.**"], &["workspaces/*/lines/l2"], None),
        policy("no-if-away", Effect::Deny, &["a.free"], &[], Some("away")),
        policy("free-if-own", Effect::Allow, &["a.free"], &[], Some("own")),
        policy("one-line", Effect::Allow, &["line.*.view"], &["workspaces/w1/lines/l1"], None),
        policy("no-internal", Effect::Deny, &["a.internal"], &[], None),
    ];
    let roles = vec![
        role("everything", &[0], &[], &[]),
        role("internal", &[0], &[], &[]),
        role("w1", &[1], &[], &[]),
        role("no-send", &[2], &[], &[]),
        role("child", &[0], &[3], &[]),
        role("no-l2", &[3], &[], &[]),
        role("no-if-away", &[4], &[], &[]),
        role("free-if-own", &[5], &[], &[]),
        role("one-line", &[6], &[], &[]),
        role("covering", &[0], &[], &[Facet::Type(LINE)]),
        role("parent-of-covering", &[], &[9], &[]),
        role("below-covering", &[], &[0], &[Facet::Type(LINE), Facet::Type(QUEUE)]),
        role("no-internal", &[7], &[], &[]),
        role("wrong", &[], &[1], &[]),
    ];
    let scope =
        |id: &str, includes| ApiScope { id: ApiScopeId::new(id).unwrap(), description: String::new(), includes };
    let number = |from: u64, count: usize| (from..).map(Number).take(count).collect::<Vec<_>>();
    let (permission_count, role_count, policy_count) = (permissions.len(), roles.len(), policies.len());
    let definition = CatalogDefinition {
        id: CatalogId::new("c").unwrap(),
        display_name: String::new(),
        description: String::new(),
        features: vec![Feature {
            id: FeatureId::new("f").unwrap(),
            display_name: String::new(),
            description: String::new(),
        }],
        sections: vec![Section {
            id: SectionId::new("s").unwrap(),
            display_name: String::new(),
            description: String::new(),
        }],
        api_scopes: vec![scope("sms:send", vec![]), scope("message:send", vec![ApiScopeIndex(0)])],
        resource_types: vec![
            resource_type("workspace", None),
            resource_type("line", Some(WORKSPACE)),
            resource_type("conversation", Some(LINE)),
            resource_type("queue", None),
        ],
        permissions,
        policies,
        roles,
        custom_roles: CustomRoleParts { permissions: true, ..CustomRoleParts::default() },
        must_hold_role: false,
        mutually_exclusive: Vec::new(),
    };
    let catalog = Catalog {
        number: Number(1),
        definition,
        feature_numbers: vec![Number(10)],
        permission_numbers: number(20, permission_count),
        role_numbers: number(40, role_count),
        resource_type_numbers: number(60, 4),
        policy_numbers: number(70, policy_count),
    };
    Arc::new(CompiledCatalog::new(catalog, Arc::new(Named(String::new()))))
}

/// Who asks: roles as `role` or `role@path`, with `!` before what has expired; access as `line=a,b` or `line=*`.
struct Who<'a> {
    features: bool,
    roles: &'a [&'a str],
    access: &'a [&'a str],
    exceptions: &'a [&'a str],
}

const NOBODY: Who<'static> = Who { features: true, roles: &[], access: &[], exceptions: &[] };

impl Who<'_> {
    fn whole(&self) -> (Subject, Evidence) {
        let catalog = catalog();
        let (mut bindings, mut held) = (Vec::new(), Vec::new());
        for (position, text) in self.roles.iter().enumerate() {
            let is_expired = text.starts_with('!');
            let (id, path) = text.trim_start_matches('!').split_once('@').unwrap_or((text.trim_start_matches('!'), ""));
            let resource = (!path.is_empty()).then(|| BoundResource {
                number: Number(900 + position as u64),
                path: ResourcePath::new(path).unwrap(),
                resource_type: catalog.type_of_path(path).unwrap(),
            });
            let role = catalog.role(id).unwrap().number;
            let on = resource.as_ref().map(|on| on.number);
            bindings.push(BoundRole { role, resource, is_expired });
            let team = Some((Number(800), TeamId::new("east").unwrap()));
            held.push(HeldRole { role, team, binding: Number(700), resource: on, expires: None, is_expired });
        }
        let mut access = Access::default();
        for text in self.access {
            let (facet, values) = text.split_once('=').unwrap();
            let all = values == "*";
            match catalog.facet(facet).unwrap() {
                Facet::Feature => access.features = AccessList { all, values: vec![FeatureIndex(0)] },
                Facet::Type(of) => {
                    let values = values.split(',').filter(|_| !all).map(|path| ResourcePath::new(path).unwrap());
                    access.resources.push((of, AccessList { all, values: values.collect() }));
                }
            }
        }
        let exception = |text: &&str| (index(text.trim_start_matches('!')), text.starts_with('!'));
        let exceptions: Vec<(PermissionIndex, bool)> = self.exceptions.iter().map(exception).collect();
        let held_exceptions = exceptions.iter().map(|(permission, is_expired)| HeldException {
            permission: *permission,
            reason: "asked for".to_owned(),
            expires: None,
            is_expired: *is_expired,
        });
        let held_exceptions = held_exceptions.collect();
        let roles = (40..60).filter_map(|number| catalog.role_of_number(Number(number)).cloned()).collect();
        let features: &[Number] = if self.features { &[Number(10)] } else { &[] };
        let holdings = Holdings { bindings, roles, exceptions, access };
        let set = Arc::new(EffectiveSet::new(catalog, features, holdings));
        (Subject { standing: Standing::Active, set }, Evidence { held, exceptions: held_exceptions })
    }

    fn subject(&self) -> Subject {
        self.whole().0
    }
}

fn index(id: &str) -> PermissionIndex {
    catalog().permission(id).unwrap()
}

fn ask(
    subject: &Subject,
    asked: impl Into<Asked>,
    path: &str,
    facets: &[(&str, &str)],
    attributes: &[(&str, bool)],
) -> Reason {
    let catalog = subject.set.catalog();
    let resource_type = (!path.is_empty()).then(|| catalog.type_of_path(path).unwrap());
    let facets = facets.iter().map(|(name, value)| (catalog.resource_type(name).unwrap(), *value)).collect();
    let attributes: Attributes =
        attributes.iter().map(|(name, value)| ((*name).to_owned(), AttributeValue::Bool(*value))).collect();
    let place = Place { path, resource_type, facets };
    decide(subject, Question { asked: asked.into(), place: &place, subject: "ana", attributes: &attributes })
}

/// A permission asked for at each path, with what is expected.
fn check(who: &Who<'_>, permission: &str, expected: &[(&str, Reason)]) {
    let subject = who.subject();
    for (path, reason) in expected {
        assert_eq!(ask(&subject, index(permission), path, &[], &[]), *reason, "{:?} {permission} {path:?}", who.roles);
    }
}

const L1: &str = "workspaces/w1/lines/l1";
const L2: &str = "workspaces/w1/lines/l2";
const C: &str = "workspaces/w1/lines/l1/conversations/c";
const W2: &str = "workspaces/w2/lines/l1";

#[test]
fn a_permission_needs_a_role_and_the_feature_and_internal_ones_an_internal_role() {
    use Reason::{Allowed, FeatureNotEntitled, NoRoleGrants};
    let everything = Who { roles: &["everything"], ..NOBODY };
    check(&everything, "a.gated", &[("", Allowed)]);
    check(&Who { features: false, ..everything }, "a.gated", &[("", FeatureNotEntitled)]);
    check(&NOBODY, "a.gated", &[("", NoRoleGrants)]);
    check(&Who { roles: &["everything"], ..NOBODY }, "a.internal", &[("", NoRoleGrants)]);
    check(&Who { roles: &["internal"], ..NOBODY }, "a.internal", &[("", Allowed)]);
    // No deny of a role that is not internal reaches it, and no role that is not reaches one that is.
    check(&Who { roles: &["internal", "no-internal"], ..NOBODY }, "a.internal", &[("", Allowed)]);
    check(&Who { roles: &["wrong"], ..NOBODY }, "a.free", &[("", NoRoleGrants)]);
    check(&Who { exceptions: &["a.internal"], ..NOBODY }, "a.internal", &[("", NoRoleGrants)]);
}

#[test]
fn nobody_who_is_not_active_is_allowed_anything_whatever_they_hold() {
    for (standing, expected) in [
        (Standing::AccountSuspended, Reason::AccountSuspended),
        (Standing::Unknown, Reason::SubjectUnknown),
        (Standing::NotActive, Reason::SubjectNotActive),
    ] {
        let (subject, evidence) = Who { roles: &["everything", "internal"], ..NOBODY }.whole();
        let subject = Subject { standing, ..subject };
        for permission in PERMISSIONS {
            assert_eq!(decide(&subject, index(permission)), expected);
        }
        assert_eq!(effective_permissions(&subject, &evidence, None).count(), 0);
    }
}

#[test]
fn a_binding_on_a_resource_covers_it_and_what_is_below_and_nothing_above_or_beside() {
    use Reason::{Allowed, ResourceNotCovered, ResourceRequired};
    let on_line = Who { roles: &["everything@workspaces/w1/lines/l1"], ..NOBODY };
    check(
        &on_line,
        "line.calls.view",
        &[(L1, Allowed), (C, Allowed), (L2, ResourceNotCovered), (W2, ResourceNotCovered)],
    );
    check(&on_line, "line.calls.view", &[("", ResourceRequired), ("workspaces/w1", ResourceRequired)]);
    check(&on_line, "line.calls.view", &[("workspaces/w2", ResourceNotCovered)]);
    check(&on_line, "a.free", &[("", ResourceNotCovered), (L1, ResourceNotCovered)]);
    let on_conversation = Who { roles: &["everything@workspaces/w1/lines/l1/conversations/c"], ..NOBODY };
    check(&on_conversation, "line.calls.view", &[(C, ResourceNotCovered), ("", ResourceNotCovered)]);
    check(&Who { roles: &["everything@workspaces/w1"], ..NOBODY }, "line.calls.view", &[("workspaces/w1", Allowed)]);
}

#[test]
fn patterns_match_the_whole_cut_path_and_everything_only_if_they_are_open() {
    use Reason::{Allowed, NoRoleGrants, ResourceNotCovered, ResourceRequired};
    let w1 = Who { roles: &["w1"], ..NOBODY };
    check(&w1, "line.calls.view", &[(L1, Allowed), (C, Allowed), ("workspaces/w1", Allowed), (W2, ResourceNotCovered)]);
    check(&w1, "line.calls.view", &[("", ResourceRequired), ("workspaces/w2", ResourceNotCovered)]);
    check(&w1, "a.free", &[("", NoRoleGrants)]);
    let one = Who { roles: &["one-line"], ..NOBODY };
    check(&one, "line.calls.view", &[(L1, Allowed), (L2, ResourceNotCovered), ("workspaces/w1", ResourceRequired)]);
    // The binding and the pattern both have to cover it.
    let both = Who { roles: &["w1@workspaces/w2"], ..NOBODY };
    check(&both, "line.calls.view", &[(W2, ResourceNotCovered), (L1, ResourceNotCovered), ("", ResourceNotCovered)]);
}

#[test]
fn a_deny_wins_over_every_grant_and_every_exception_inherited_ones_too() {
    use Reason::{Allowed, DeniedByPolicy, FacetNotGranted, NoRoleGrants};
    let lines = &["line=*"][..];
    let send = "chat.message.send";
    check(&Who { roles: &["everything"], access: lines, ..NOBODY }, send, &[(C, Allowed)]);
    check(
        &Who { roles: &["everything", "no-send"], access: lines, ..NOBODY },
        send,
        &[(C, DeniedByPolicy), ("", DeniedByPolicy)],
    );
    check(&Who { roles: &["child"], access: lines, ..NOBODY }, send, &[(C, DeniedByPolicy)]);
    check(&Who { roles: &["no-send"], access: lines, exceptions: &[send], ..NOBODY }, send, &[(C, DeniedByPolicy)]);
    check(&Who { roles: &["everything", "!no-send"], access: lines, ..NOBODY }, send, &[(C, Allowed)]);
    // It counts only where something grants.
    check(&Who { roles: &["no-send"], access: lines, ..NOBODY }, send, &[(C, NoRoleGrants)]);
    check(&Who { roles: &["child"], ..NOBODY }, send, &[(C, FacetNotGranted)]);
    // On a resource it reaches that and what is below; asked about everything, any below denies.
    let on_l2 = Who { roles: &["everything", "no-send@workspaces/w1/lines/l2"], access: lines, ..NOBODY };
    check(
        &on_l2,
        send,
        &[(C, Allowed), ("workspaces/w1/lines/l2/conversations/c", DeniedByPolicy), (L2, DeniedByPolicy)],
    );
    check(
        &on_l2,
        send,
        &[("", DeniedByPolicy), ("workspaces/w1", DeniedByPolicy), ("workspaces/w2", Allowed), (L1, Allowed)],
    );
    let pattern = Who { roles: &["everything", "no-l2"], ..NOBODY };
    check(&pattern, "line.calls.view", &[(L1, Allowed), (L2, DeniedByPolicy), ("", DeniedByPolicy)]);
}

#[test]
fn a_facet_needs_coverage_of_the_listing_role_or_access_to_the_value() {
    use Reason::{Allowed, FacetNotGranted, ResourceRequired};
    let send = "chat.message.send";
    let with = |roles, access| Who { roles, access, ..NOBODY };
    check(&with(&["everything"], &[]), send, &[(C, FacetNotGranted), ("", FacetNotGranted)]);
    check(
        &with(&["everything"], &["line=workspaces/w1/lines/l1"]),
        send,
        &[(C, Allowed), (L1, Allowed), (L2, FacetNotGranted)],
    );
    let one = &["line=workspaces/w1/lines/l1"][..];
    check(
        &with(&["everything"], one),
        send,
        &[("", ResourceRequired), ("workspaces/w1", ResourceRequired), ("workspaces/w2", FacetNotGranted)],
    );
    check(&with(&["everything"], &["line=*"]), send, &[("", Allowed)]);
    check(&with(&["covering"], &[]), send, &[("", Allowed), (C, Allowed)]);
    // Coverage passes neither up nor down to parents: the role that lists it counts.
    check(&with(&["parent-of-covering"], &[]), send, &[(C, Allowed)]);
    check(&with(&["below-covering"], &[]), send, &[(C, FacetNotGranted)]);
    check(&Who { exceptions: &[send], ..NOBODY }, send, &[(C, FacetNotGranted)]);
    // The value can be given beside the path.
    let queue = with(&["everything"], &["queue=queues/q1"]).subject();
    let asked = |value| ask(&queue, index("queue.items.view"), "", &[("queue", value)], &[]);
    assert_eq!((asked("queues/q1"), asked("queues/q2")), (Allowed, FacetNotGranted));
    // Of features the value is the permission's own.
    check(&with(&["everything"], &[]), "product.use.it", &[("", FacetNotGranted)]);
    check(&with(&["everything"], &["feature=f"]), "product.use.it", &[("", Allowed)]);
}

#[test]
fn a_condition_has_to_hold_and_a_deny_that_cannot_be_evaluated_applies() {
    use Reason::{Allowed, ConditionFailed, DeniedByPolicy};
    let read = index("chat.message.read");
    let subject = Who { roles: &["everything"], ..NOBODY }.subject();
    for (attributes, expected) in
        [(&[("own", true)][..], Allowed), (&[("own", false)], ConditionFailed), (&[], ConditionFailed)]
    {
        assert_eq!(ask(&subject, read, C, &[], attributes), expected);
    }
    let own = Who { roles: &["free-if-own"], ..NOBODY }.subject();
    assert_eq!(ask(&own, index("a.free"), "", &[], &[("own", true)]), Allowed);
    assert_eq!(ask(&own, index("a.free"), "", &[], &[]), ConditionFailed);
    let away = Who { roles: &["everything", "no-if-away"], ..NOBODY }.subject();
    for (attributes, expected) in
        [(&[("away", false)][..], Allowed), (&[("away", true)], DeniedByPolicy), (&[], DeniedByPolicy)]
    {
        assert_eq!(ask(&away, index("a.free"), "", &[], attributes), expected);
    }
}

#[test]
fn what_has_expired_grants_nothing_and_is_the_reason_where_nothing_else_grants() {
    use Reason::{Allowed, GrantExpired};
    check(&Who { roles: &["!everything"], ..NOBODY }, "a.free", &[("", GrantExpired)]);
    check(&Who { roles: &["!everything", "everything"], ..NOBODY }, "a.free", &[("", Allowed)]);
    check(&Who { exceptions: &["!a.free"], ..NOBODY }, "a.free", &[("", GrantExpired)]);
    check(&Who { exceptions: &["a.free"], ..NOBODY }, "a.free", &[("", Allowed)]);
}

#[test]
fn an_api_scope_is_allowed_where_a_permission_that_provides_it_is() {
    use Reason::{Allowed, NoRoleGrants, ResourceNotCovered};
    let catalog = catalog();
    let (sms, message) = (catalog.api_scope("sms:send").unwrap(), catalog.api_scope("message:send").unwrap());
    let on_line = Who { roles: &["everything@workspaces/w1/lines/l1"], ..NOBODY }.subject();
    // By the line's permission on its line, and not by the account's, which a line does not cover.
    assert_eq!(ask(&on_line, sms, L1, &[], &[]), Allowed);
    assert_eq!(ask(&on_line, message, L1, &[], &[]), ResourceNotCovered);
    assert_eq!(ask(&on_line, sms, "queues/q1", &[], &[]), ResourceNotCovered);
    let free = Who { exceptions: &["a.free"], ..NOBODY }.subject();
    assert_eq!((ask(&free, sms, "", &[], &[]), ask(&free, message, "queues/q1", &[], &[])), (Allowed, Allowed));
    assert_eq!(ask(&NOBODY.subject(), sms, "", &[], &[]), NoRoleGrants);
    assert_eq!(decide(&free, ApiScopeIndex(9)), NoRoleGrants);
}

#[test]
fn a_custom_role_gives_nothing_internal_nothing_that_is_gone_and_leaves_api_scopes_out() {
    let catalog = catalog();
    let record = |left_out: &[&str], permissions: &[u64]| RoleRecord {
        id: RoleId::new("mine").unwrap(),
        display_name: String::new(),
        description: String::new(),
        permissions: permissions.iter().copied().map(Number).collect(),
        left_out_api_scopes: left_out.iter().map(|id| ApiScopeId::new(id).unwrap()).collect(),
        policies: Vec::new(),
        parents: vec![Number(41)],
        covers: Vec::new(),
        created: Timestamp(0),
        updated: Timestamp(0),
    };
    let role = catalog.custom_role(Number(60), &record(&[], &[21, 22, 99]));
    assert_eq!(role.permissions.iter().collect::<Vec<_>>(), [index("a.free")]);
    assert!(role.parents.is_empty(), "an internal role is no parent");
    let message = catalog.api_scope("message:send").unwrap();
    for (left_out, expected) in [
        (&[&[][..]][..], Reason::Allowed),
        (&[&["sms:send"]], Reason::ApiScopeLeftOut),
        (&[&["message:send"]], Reason::ApiScopeLeftOut),
        // Another role gives it all the same.
        (&[&["sms:send"], &[]], Reason::Allowed),
    ] {
        let numbers = (60..).map(Number);
        let roles: Vec<_> = numbers
            .zip(left_out)
            .map(|(number, left_out)| Arc::new(catalog.custom_role(number, &record(left_out, &[21]))))
            .collect();
        let bound = |role: &Arc<RoleFacts>| BoundRole { role: role.number, resource: None, is_expired: false };
        let holdings = Holdings { bindings: roles.iter().map(bound).collect(), roles, ..Holdings::default() };
        let set = Arc::new(EffectiveSet::new(Arc::clone(&catalog), &[], holdings));
        let subject = Subject { standing: Standing::Active, set };
        assert_eq!(decide(&subject, message), expected, "{left_out:?}");
    }
}

#[test]
fn the_list_is_what_could_be_allowed_ordered_by_id_with_every_way() {
    let ids = |who: &Who<'_>| -> Vec<String> {
        let (subject, evidence) = who.whole();
        let listed = effective_permissions(&subject, &evidence, None);
        listed.map(|each| subject.set.catalog().definition(each.permission).unwrap().id.to_string()).collect()
    };
    // What needs access to a line, a queue or a product is not there without any.
    let everything = ["a.free", "a.gated", "chat.message.read", "line.calls.view"];
    assert_eq!(ids(&Who { roles: &["everything"], ..NOBODY }), everything);
    let with = Who { roles: &["everything"], access: &["line=workspaces/w1/lines/l1"], ..NOBODY };
    assert_eq!(ids(&with), ["a.free", "a.gated", "chat.message.read", "chat.message.send", "line.calls.view"]);
    // What a deny takes away everywhere is not there; what one takes away somewhere is.
    assert_eq!(ids(&Who { roles: &["child"], access: &["line=*"], ..NOBODY }), everything);
    assert_eq!(ids(&Who { roles: &["everything", "no-if-away", "no-l2"], ..NOBODY }), everything);
    // On a line nothing of the account.
    assert_eq!(
        ids(&Who { roles: &["everything@workspaces/w1/lines/l1"], ..NOBODY }),
        ["chat.message.read", "line.calls.view"]
    );
    let who = Who { roles: &["everything", "covering", "no-l2"], exceptions: &["a.free"], ..NOBODY };
    let (subject, evidence) = who.whole();
    let listed = effective_permissions(&subject, &evidence, Some("a."));
    let ways: Vec<_> = listed.map(|each| (each.grants.len(), each.denies.len())).collect();
    assert_eq!(ways, [(3, 0), (2, 0), (2, 0), (1, 0), (2, 1)]);
}

#[test]
fn every_reason_but_one_is_a_denial_and_the_order_is_that_of_the_list() {
    let allowing: Vec<_> = Reason::ALL.into_iter().filter(|reason| reason.decision() == Decision::Allow).collect();
    assert_eq!(allowing, [Reason::Allowed]);
    assert!(Reason::ALL.is_sorted());
}
