//! Values put into the messages of the API.

use crate::{
    model::{AccountId, AccountState, CatalogDefinition, Timestamp, UserState},
    proto,
    service::{
        AccountView, Applied, AppliedAction, BindingView, Decision, HolderName, Reason, RoleKind, RoleName, RoleView,
        TeamView, UserView,
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
    }
}

pub(super) fn role_name(name: &RoleName) -> String {
    match name {
        RoleName::Catalog(catalog, role) => format!("catalogs/{catalog}/roles/{role}"),
        RoleName::Account(account, role) => format!("accounts/{account}/roles/{role}"),
    }
}

pub(super) fn account(view: AccountView) -> proto::Account {
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
        ..Default::default()
    }
}

pub(super) fn user(account: &AccountId, view: UserView) -> proto::User {
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
        ..Default::default()
    }
}

pub(super) fn team(account: &AccountId, view: TeamView) -> proto::Team {
    proto::Team {
        name: format!("accounts/{account}/teams/{}", view.id),
        display_name: view.display_name,
        description: view.description,
        create_time: Some(time(view.created)),
        update_time: Some(time(view.updated)),
        ..Default::default()
    }
}

pub(super) fn role(view: RoleView) -> proto::Role {
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
        permissions: view.permissions.iter().map(ToString::to_string).collect(),
        create_time: view.created.map(time),
        update_time: view.updated.map(time),
        ..Default::default()
    }
}

pub(super) fn binding(account: &AccountId, view: &BindingView) -> proto::RoleBinding {
    let holder = match &view.holder {
        HolderName::User(user) => format!("users/{user}"),
        HolderName::Team(team) => format!("teams/{team}"),
        HolderName::ServiceAccount(id) => format!("serviceAccounts/{id}"),
    };
    proto::RoleBinding {
        name: format!("accounts/{account}/roleBindings/{}", view.number.0),
        holder,
        role: role_name(&view.role),
        create_time: Some(time(view.created)),
        ..Default::default()
    }
}

pub(super) fn applied(change: Applied) -> proto::AppliedChange {
    use proto::applied_change::Action;
    let action = match change.action {
        AppliedAction::Create => Action::Create,
        AppliedAction::Update => Action::Update,
        AppliedAction::Delete => Action::Delete,
    };
    proto::AppliedChange { action: action.into(), subject: change.subject, detail: change.detail }
}

pub(super) fn catalog_head(catalog: &CatalogDefinition) -> proto::Catalog {
    proto::Catalog {
        name: format!("catalogs/{}", catalog.id),
        display_name: catalog.display_name.clone(),
        description: catalog.description.clone(),
        ..proto::Catalog::default()
    }
}

pub(super) fn catalog(catalog: &CatalogDefinition) -> proto::Catalog {
    let scope = |index: &crate::model::ApiScopeIndex| {
        catalog.api_scopes.get(index.position()).map(|scope| scope.id.to_string())
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
            .map(|each| {
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
                    ..Default::default()
                }
            })
            .collect(),
        custom_role_parts: match catalog.custom_roles.permissions {
            true => vec![proto::CustomRolePart::Permissions.into()],
            false => Vec::new(),
        },
        ..catalog_head(catalog)
    }
}
