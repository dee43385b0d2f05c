//! Messages of the API as JSON and YAML: every field, under its name in the API and in its order.
//!
//! Enums are their names there, times are RFC 3339 text or null, counts are numbers. Each message is taken apart without
//! `..`, so a field that is new in the API cannot be forgotten here. Start with [`Shown`].

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::proto;

/// A message as programs see it.
pub struct Shown<'a, M>(pub &'a M);

macro_rules! shown {
    ($($message:ident { $($field:ident $(as $how:ident)?),* $(,)? })*) => {$(
        impl Serialize for Shown<'_, proto::$message> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let proto::$message { $($field),* } = self.0;
                let mut map = serializer.serialize_map(None)?;
                $(map.serialize_entry(stringify!($field), &shown!(@ $field $($how)?))?;)*
                map.end()
            }
        }
    )*};
    (@ $field:ident) => { $field };
    (@ $field:ident $how:ident) => { $how($field) };
}

macro_rules! names {
    ($($function:ident: $enum:path),* $(,)?) => {$(
        /// The name of a value in the API; a value that only a newer server knows is its number.
        pub fn $function(value: &i32) -> String {
            type Enum = $enum;
            Enum::try_from(*value).map_or_else(|_| value.to_string(), |known| known.as_str_name().to_owned())
        }
    )*};
}

names! {
    role_kind: proto::role::Kind,
    user_state: proto::user::State,
    service_account_state: proto::service_account::State,
    action_name: proto::applied_change::Action,
    effect_name: proto::policy_statement::Effect,
}

fn part_names(parts: &[i32]) -> Vec<String> {
    let name = |part: &i32| {
        proto::CustomRolePart::try_from(*part).map_or_else(|_| part.to_string(), |known| known.as_str_name().to_owned())
    };
    parts.iter().map(name).collect()
}

fn one<M>(message: &Option<M>) -> Option<Shown<'_, M>> {
    message.as_ref().map(Shown)
}

fn each<M>(messages: &[M]) -> Vec<Shown<'_, M>> {
    messages.iter().map(Shown).collect()
}

fn time<T: ToString>(time: &Option<T>) -> Option<String> {
    time.as_ref().map(T::to_string)
}

/// A name alone.
impl Serialize for Shown<'_, String> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

shown! {
    Role {
        name, display_name, description, kind as role_kind, permissions, create_time as time, update_time as time,
        left_out_api_scopes, api_scopes, permission_count, api_scope_count, holder_counts as one, etag,
        access_policies, parents, covered_facets, always_held, max_holders, mutually_exclusive_roles,
    }
    RoleHolderCounts { user_count, direct_user_count, inherited_user_count, service_account_count, team_count }
    RoleSection { section, display_name, description, permission_count, contained_count, permissions as each }
    RolePermission { permission, description, contained, api_scopes, deprecated, feature }
    RoleHolder { name, display_name, username, email, last_sign_in_time as time, role_binding, teams, role_bindings as each }
    CreateRoleResponse { role as one, consistency_token }
    UpdateRoleResponse { role as one, consistency_token }
    DuplicateRoleResponse { role as one, consistency_token, omitted_parts }
    ImportRolePermissionsResponse { role as one, added_permissions, consistency_token }
    DeleteRoleResponse { consistency_token, holder_counts as one, removed as each }
    Use { kind, count, names }
    RoleBinding { name, holder, role, create_time as time, etag, resource, expire_time as time }
    BatchCreateRoleBindingsResponse { role_bindings as each, consistency_token }

    Team { name, display_name, description, create_time as time, update_time as time, member_count, etag }
    CreateTeamResponse { team as one, consistency_token }
    UpdateTeamResponse { team as one, consistency_token }
    DeleteTeamResponse { consistency_token, member_count, removed as each }
    AddTeamMembersResponse { consistency_token }
    RemoveTeamMembersResponse { consistency_token }
    ReplaceTeamMembersResponse { added_count, removed_count, consistency_token }

    User {
        name, display_name, username, email, state as user_state, create_time as time, update_time as time,
        last_sign_in_time as time, etag,
    }
    UserRole { role, display_name, direct, teams, role_bindings as each }
    CreateUserResponse { user as one, consistency_token }
    UpdateUserResponse { user as one, consistency_token }
    DeleteUserResponse { consistency_token, removed as each }
    EraseUserPersonalFieldsResponse { user as one, consistency_token }
    RecordUserSignInResponse { last_sign_in_time as time, consistency_token }
    ListUserTeamsResponse { teams, consistency_token }
    AddUserTeamsResponse { consistency_token }
    RemoveUserTeamsResponse { consistency_token }
    ReplaceUserTeamsResponse { joined_teams, left_teams, consistency_token }

    ServiceAccount {
        name, display_name, description, state as service_account_state, create_time as time, update_time as time, etag,
    }
    CreateServiceAccountResponse { service_account as one, consistency_token }
    UpdateServiceAccountResponse { service_account as one, consistency_token }
    DeleteServiceAccountResponse { consistency_token }

    Catalog {
        name, display_name, description, features as each, sections as each, api_scopes as each, permissions as each,
        custom_role_parts as part_names, etag, resource_types as each, access_policies as each, must_hold_role,
        mutually_exclusive as each,
    }
    ResourceType { id, plural, display_name, description, parent }
    RolePair { role, other_role }
    AccessPolicy {
        name, display_name, description, statements as each, create_time as time, update_time as time, etag,
    }
    PolicyStatement { effect as effect_name, permissions, resources, condition }
    Feature { id, display_name, description }
    Section { id, display_name, description }
    ApiScope { id, description, includes }
    PermissionDefinition {
        id, description, section, feature, api_scopes, internal, deprecated, all_api_scopes, resource_type, facets, condition,
    }
    GetCatalogResponse { catalog as one, consistency_token }
    DeleteCatalogResponse { consistency_token }
    AppliedChange { action as action_name, subject, detail }
    CatalogDrop { subject, account_count, use_count, used_by }
    CompareCatalogsResponse { changes as each, roles as each, consistency_token }
    RoleDifference { role, display_name, action as action_name, gained_permissions, lost_permissions }

    EffectiveApiScope { api_scope, description, permissions }
    EffectivePermission {
        permission, section, feature, api_scopes, grant_paths as each, deprecated, resource_type, facets, conditional,
        denies as each,
    }
    GrantPath {
        role, team, role_binding, listed_by, access_policy, statement, resource, resource_patterns, covered_facets,
        conditions, expire_time as time, exception_reason,
    }
    DenyPath {
        role, team, role_binding, listed_by, access_policy, statement, resource, resource_patterns, condition,
        expire_time as time,
    }
    AllowedSubject { subject, direct, teams }

    Resource { name, path, resource_type, display_name, create_time as time, update_time as time, etag }
    GetResourceResponse { resource as one, consistency_token }
    BatchCreateResourcesResponse { resources as each, consistency_token }
    UpdateResourceResponse { resource as one, consistency_token }
    DeleteResourceResponse { consistency_token, removed as each }

    GetAccessPolicyResponse { access_policy as one, consistency_token }
    CreateAccessPolicyResponse { access_policy as one, consistency_token }
    UpdateAccessPolicyResponse { access_policy as one, consistency_token }
    DeleteAccessPolicyResponse { consistency_token, removed as each }

    AccessList { facet, all, values }
    SetAccessListResponse { access_list as one, consistency_token }
    AddAccessResponse { access_list as one, consistency_token }
    RemoveAccessResponse { access_list as one, consistency_token }

    Exception { name, permission, reason, expire_time as time, create_time as time }
    CreateExceptionResponse { exception as one, consistency_token }
    DeleteExceptionResponse { consistency_token }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_there_even_if_it_is_empty() {
        let json = serde_json::to_value(Shown(&proto::Role::default())).unwrap();
        let json = json.as_object().unwrap();
        assert_eq!(json.len(), 19);
        assert_eq!(json["kind"], "KIND_UNSPECIFIED");
        assert_eq!(json["permissions"], serde_json::json!([]));
        assert!(json["create_time"].is_null() && json["holder_counts"].is_null());
    }

    #[test]
    fn a_value_that_only_a_newer_server_knows_is_its_number() {
        let user = proto::User { state: 99, ..proto::User::default() };
        assert_eq!(serde_json::to_value(Shown(&user)).unwrap()["state"], "99");
        let yaml = serde_saphyr::to_string(&Shown(&proto::UserRole::default())).unwrap();
        assert_eq!(yaml, "role: \"\"\ndisplay_name: \"\"\ndirect: false\nteams: []\nrole_bindings: []\n");
    }
}
