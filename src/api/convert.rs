//! Values put into the messages of the API.

use super::Tokens;
use crate::{
    model::{
        AccountId, AccountState, CustomRoleParts, Facet, Number, ResourceTypeIndex, RoleDifference, RoleIndex,
        ServiceAccountState, TeamId, Timestamp, UserState,
    },
    proto,
    service::{
        AccountView, Applied, AppliedAction, BindingView, CatalogDrop, CatalogView, Decision, Etag, HeldRoleView,
        Reason, RoleHolderCounts, RoleHolderName, RoleHolderView, RoleKind, RoleName, RolePermissionView,
        RoleSectionView, RoleView, ServiceAccountView, TeamView, Use, UserView,
    },
};

pub(super) fn time(time: Timestamp) -> prost_types::Timestamp {
    // Milliseconds since 1970 fit both for the next 290 million years.
    prost_types::Timestamp {
        seconds: i64::try_from(time.0 / 1000).unwrap_or(i64::MAX),
        nanos: i32::try_from(time.0 % 1000).unwrap_or(0) * 1_000_000,
    }
}

pub(super) fn decision(reason: Reason) -> proto::Decision {
    match reason.decision() {
        Decision::Allow => proto::Decision::Allow,
        Decision::Deny => proto::Decision::Deny,
    }
}

pub(super) fn reason(reason: Reason) -> proto::DecisionReason {
    match reason {
        Reason::Allowed => proto::DecisionReason::Allowed,
        Reason::AccountSuspended => proto::DecisionReason::AccountSuspended,
        Reason::SubjectUnknown => proto::DecisionReason::SubjectUnknown,
        Reason::SubjectNotActive => proto::DecisionReason::SubjectNotActive,
        Reason::NoRoleGrants => proto::DecisionReason::NoRoleGrants,
        Reason::FeatureNotEntitled => proto::DecisionReason::FeatureNotEntitled,
        Reason::ApiScopeLeftOut => proto::DecisionReason::ApiScopeLeftOut,
        Reason::GrantExpired => proto::DecisionReason::GrantExpired,
        Reason::ResourceNotCovered => proto::DecisionReason::ResourceNotCovered,
        Reason::ResourceRequired => proto::DecisionReason::ResourceRequired,
        Reason::FacetNotGranted => proto::DecisionReason::FacetNotGranted,
        Reason::ConditionFailed => proto::DecisionReason::ConditionFailed,
        Reason::DeniedByPolicy => proto::DecisionReason::DeniedByPolicy,
    }
}

pub(super) fn role_name(name: &RoleName) -> String {
    name.to_string()
}

pub(super) fn account(tokens: &Tokens, view: AccountView) -> proto::Account {
    let state = match view.state {
        AccountState::Active => proto::account::State::Active,
        AccountState::Suspended => proto::account::State::Suspended,
    };
    proto::Account {
        name: format!("accounts/{}", view.id),
        display_name: view.display_name,
        catalog: format!("catalogs/{}", view.catalog),
        state: state.into(),
        features: view.features.iter().map(ToString::to_string).collect(),
        create_time: Some(time(view.created)),
        update_time: Some(time(view.updated)),
        etag: tokens.write_etag(view.etag),
    }
}

pub(super) fn user(tokens: &Tokens, account: &AccountId, view: UserView) -> proto::User {
    let state = match view.state {
        UserState::Invited => proto::user::State::Invited,
        UserState::Active => proto::user::State::Active,
        UserState::Suspended => proto::user::State::Suspended,
    };
    proto::User {
        name: format!("accounts/{account}/users/{}", view.id),
        display_name: view.profile.display_name,
        username: view.profile.username,
        email: view.profile.email,
        state: state.into(),
        create_time: Some(time(view.created)),
        update_time: Some(time(view.updated)),
        last_sign_in_time: view.last_sign_in.map(time),
        etag: tokens.write_etag(view.etag),
    }
}

pub(super) fn service_account(tokens: &Tokens, account: &AccountId, view: ServiceAccountView) -> proto::ServiceAccount {
    let record = view.record;
    let state = match record.state {
        ServiceAccountState::Active => proto::service_account::State::Active,
        ServiceAccountState::Suspended => proto::service_account::State::Suspended,
    };
    proto::ServiceAccount {
        name: format!("accounts/{account}/serviceAccounts/{}", record.id),
        display_name: record.display_name,
        description: record.description,
        state: state.into(),
        create_time: Some(time(record.created)),
        update_time: Some(time(record.updated)),
        etag: tokens.write_etag(view.etag),
    }
}

pub(super) fn team_name(account: &AccountId, team: &TeamId) -> String {
    format!("accounts/{account}/teams/{team}")
}

pub(super) fn team(tokens: &Tokens, account: &AccountId, view: TeamView) -> proto::Team {
    proto::Team {
        name: team_name(account, &view.record.id),
        display_name: view.record.display_name,
        description: view.record.description,
        create_time: Some(time(view.record.created)),
        update_time: Some(time(view.record.updated)),
        member_count: count(view.member_count),
        etag: tokens.write_etag(view.etag),
    }
}

/// A number of things; more than there can be is as many as a message can say.
pub(super) fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn small_count(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn texts(ids: &[impl ToString]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

pub(super) fn holder_counts(counts: RoleHolderCounts) -> proto::RoleHolderCounts {
    proto::RoleHolderCounts {
        user_count: count(counts.users),
        direct_user_count: count(counts.direct_users),
        inherited_user_count: count(counts.inherited_users),
        service_account_count: count(counts.service_accounts),
        team_count: count(counts.teams),
    }
}

pub(super) fn role(tokens: &Tokens, view: RoleView) -> proto::Role {
    let kind = match view.kind {
        RoleKind::Managed => proto::role::Kind::Managed,
        RoleKind::Internal => proto::role::Kind::Internal,
        RoleKind::Custom => proto::role::Kind::Custom,
    };
    proto::Role {
        name: role_name(&view.name),
        display_name: view.display_name,
        description: view.description,
        kind: kind.into(),
        permissions: texts(&view.permissions),
        access_policies: texts(&view.policies),
        parents: texts(&view.parents),
        covered_facets: view.covered_facets,
        always_held: view.always_held,
        max_holders: view.max_holders.map_or(0, count),
        mutually_exclusive_roles: texts(&view.mutually_exclusive),
        create_time: view.created.map(time),
        update_time: view.updated.map(time),
        left_out_api_scopes: texts(&view.left_out_api_scopes),
        api_scopes: texts(&view.api_scopes),
        permission_count: small_count(view.total.permissions),
        api_scope_count: small_count(view.total.api_scopes),
        holder_counts: view.holder_counts.map(holder_counts),
        etag: tokens.write_etag(view.etag),
    }
}

/// A role without its lists of permissions and API scopes.
pub(super) fn basic_role(tokens: &Tokens, view: RoleView) -> proto::Role {
    proto::Role {
        permissions: Vec::new(),
        left_out_api_scopes: Vec::new(),
        api_scopes: Vec::new(),
        ..role(tokens, view)
    }
}

pub(super) fn role_section(view: RoleSectionView) -> proto::RoleSection {
    proto::RoleSection {
        section: view.section.to_string(),
        display_name: view.display_name,
        description: view.description,
        permission_count: small_count(view.permission_count),
        contained_count: small_count(view.contained_count),
        permissions: view.permissions.into_iter().map(role_permission).collect(),
    }
}

fn role_permission(view: RolePermissionView) -> proto::RolePermission {
    proto::RolePermission {
        permission: view.permission.to_string(),
        description: view.description,
        contained: view.contained,
        api_scopes: texts(&view.api_scopes),
        deprecated: view.deprecated,
        feature: view.feature.map(|feature| feature.to_string()).unwrap_or_default(),
    }
}

pub(super) fn role_holder(tokens: &Tokens, account: &AccountId, view: RoleHolderView) -> proto::RoleHolder {
    // Where there are several, the one on the whole account says most.
    let first = view.bindings.iter().find(|binding| binding.resource.is_none()).or(view.bindings.first());
    let role_binding = first.map(|first| binding_name(account, first.number)).unwrap_or_default();
    let role_bindings = view.bindings.iter().map(|each| binding(tokens, account, each)).collect();
    let teams = view.teams.iter().map(|team| team_name(account, team)).collect();
    match view.who {
        RoleHolderName::User(id, profile, last_sign_in) => proto::RoleHolder {
            name: format!("accounts/{account}/users/{id}"),
            display_name: profile.display_name,
            username: profile.username,
            email: profile.email,
            last_sign_in_time: last_sign_in.map(time),
            role_binding,
            teams,
            role_bindings,
        },
        RoleHolderName::ServiceAccount(id, display_name) => proto::RoleHolder {
            name: format!("accounts/{account}/serviceAccounts/{id}"),
            display_name,
            role_binding,
            teams,
            role_bindings,
            ..proto::RoleHolder::default()
        },
    }
}

pub(super) fn user_role(tokens: &Tokens, account: &AccountId, held: HeldRoleView) -> proto::UserRole {
    proto::UserRole {
        role: role_name(&held.role),
        display_name: held.display_name,
        direct: held.direct,
        teams: held.teams.iter().map(|team| team_name(account, team)).collect(),
        role_bindings: held.bindings.iter().map(|each| binding(tokens, account, each)).collect(),
    }
}

/// Those of one kind that went with a thing that was deleted.
pub(super) fn removed(of: Use) -> proto::Use {
    proto::Use { kind: of.kind.to_owned(), count: count(of.count), names: of.names }
}

pub(super) fn binding_name(account: &AccountId, binding: Number) -> String {
    format!("accounts/{account}/roleBindings/{}", binding.0)
}

pub(super) fn binding(tokens: &Tokens, account: &AccountId, view: &BindingView) -> proto::RoleBinding {
    proto::RoleBinding {
        name: binding_name(account, view.number),
        holder: view.holder.to_string(),
        role: role_name(&view.role),
        create_time: Some(time(view.created)),
        etag: tokens.write_etag(view.etag),
        resource: view.resource.as_ref().map(ToString::to_string).unwrap_or_default(),
        expire_time: view.expires.map(time),
    }
}

pub(super) fn action(action: AppliedAction) -> proto::applied_change::Action {
    use proto::applied_change::Action;
    match action {
        AppliedAction::Create => Action::Create,
        AppliedAction::Update => Action::Update,
        AppliedAction::Delete => Action::Delete,
    }
}

pub(super) fn role_difference(difference: RoleDifference) -> proto::RoleDifference {
    proto::RoleDifference {
        role: difference.role,
        display_name: difference.display_name,
        action: action(difference.action).into(),
        gained_permissions: difference.gained.into_iter().collect(),
        lost_permissions: difference.lost.into_iter().collect(),
    }
}

pub(super) fn catalog_drop(drop: CatalogDrop) -> proto::CatalogDrop {
    proto::CatalogDrop {
        subject: drop.subject,
        account_count: count(drop.accounts),
        use_count: count(drop.uses),
        used_by: drop.used_by,
    }
}

pub(super) fn applied(change: Applied) -> proto::AppliedChange {
    proto::AppliedChange { action: action(change.action).into(), subject: change.subject, detail: change.detail }
}

pub(super) fn catalog_head(tokens: &Tokens, view: &CatalogView) -> proto::Catalog {
    let catalog = &view.definition;
    proto::Catalog {
        etag: tokens.write_etag(view.etag),
        name: format!("catalogs/{}", catalog.id),
        display_name: catalog.display_name.clone(),
        description: catalog.description.clone(),
        ..proto::Catalog::default()
    }
}

fn custom_role_parts(parts: CustomRoleParts) -> Vec<i32> {
    use proto::CustomRolePart;
    let parts = [
        (parts.permissions, CustomRolePart::Permissions),
        (parts.parents, CustomRolePart::Parents),
        (parts.managed_policies, CustomRolePart::ManagedPolicies),
        (parts.custom_policies, CustomRolePart::CustomPolicies),
    ];
    parts.into_iter().filter(|(is_offered, _)| *is_offered).map(|(_, part)| part.into()).collect()
}

fn managed_policies(tokens: &Tokens, view: &CatalogView) -> Vec<proto::AccessPolicy> {
    let catalog = &view.definition;
    let policies = catalog.policies.iter().zip(&view.policy_numbers);
    let policies = policies.map(|(each, number)| proto::AccessPolicy {
        name: format!("catalogs/{}/accessPolicies/{}", catalog.id, each.id),
        display_name: each.display_name.clone(),
        description: each.description.clone(),
        statements: each.statements.iter().map(super::policies::statement).collect(),
        create_time: None,
        update_time: None,
        etag: tokens.write_etag(Etag { number: *number, revision: view.etag.revision }),
    });
    policies.collect()
}

pub(super) fn catalog(tokens: &Tokens, view: &CatalogView) -> proto::Catalog {
    let catalog = &view.definition;
    let scope = |index: &crate::model::ApiScopeIndex| {
        catalog.api_scopes.get(index.position()).map(|scope| scope.id.to_string())
    };
    let resource_type = |index: ResourceTypeIndex| {
        catalog.resource_types.get(index.position()).map(|resource_type| resource_type.id.to_string())
    };
    let facet = |facet: &Facet| match facet {
        Facet::Feature => Some("feature".to_owned()),
        Facet::Type(index) => resource_type(*index),
    };
    let role = |index: RoleIndex| {
        catalog.roles.get(index.position()).map(|role| format!("catalogs/{}/roles/{}", catalog.id, role.id))
    };
    proto::Catalog {
        features: catalog
            .features
            .iter()
            .map(|each| proto::Feature {
                id: each.id.to_string(),
                display_name: each.display_name.clone(),
                description: each.description.clone(),
            })
            .collect(),
        sections: catalog
            .sections
            .iter()
            .map(|each| proto::Section {
                id: each.id.to_string(),
                display_name: each.display_name.clone(),
                description: each.description.clone(),
            })
            .collect(),
        api_scopes: catalog
            .api_scopes
            .iter()
            .map(|each| proto::ApiScope {
                id: each.id.to_string(),
                description: each.description.clone(),
                includes: each.includes.iter().filter_map(scope).collect(),
            })
            .collect(),
        permissions: catalog
            .permissions
            .iter()
            .zip(&view.all_api_scopes)
            .map(|(each, all_api_scopes)| {
                let section = catalog.sections.get(each.section.position());
                let feature = each.feature.and_then(|index| catalog.features.get(index.position()));
                proto::PermissionDefinition {
                    id: each.id.to_string(),
                    description: each.description.clone(),
                    section: section.map(|section| section.id.to_string()).unwrap_or_default(),
                    feature: feature.map(|feature| feature.id.to_string()).unwrap_or_default(),
                    api_scopes: each.api_scopes.iter().filter_map(scope).collect(),
                    internal: each.internal,
                    deprecated: each.deprecated,
                    all_api_scopes: texts(all_api_scopes),
                    resource_type: each.resource_type.and_then(resource_type).unwrap_or_default(),
                    facets: each.facets.iter().filter_map(facet).collect(),
                    condition: each.condition.as_ref().map(|it| it.as_str().to_owned()).unwrap_or_default(),
                }
            })
            .collect(),
        custom_role_parts: custom_role_parts(catalog.custom_roles),
        resource_types: catalog
            .resource_types
            .iter()
            .map(|each| proto::ResourceType {
                id: each.id.to_string(),
                plural: each.plural.to_string(),
                display_name: each.display_name.clone(),
                description: each.description.clone(),
                parent: each.parent.and_then(resource_type).unwrap_or_default(),
            })
            .collect(),
        access_policies: managed_policies(tokens, view),
        must_hold_role: catalog.must_hold_role,
        mutually_exclusive: catalog
            .mutually_exclusive
            .iter()
            .filter_map(|(one, other)| Some(proto::RolePair { role: role(*one)?, other_role: role(*other)? }))
            .collect(),
        ..catalog_head(tokens, view)
    }
}
