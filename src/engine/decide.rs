//! The answer to one question, and the list of all that would be allowed.

use super::{HeldRole, Standing, Subject};
use crate::model::{ApiScopeIndex, PermissionIndex};

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Yes.
    Allow,
    /// No.
    Deny,
}

/// Why the answer is what it is. Each reason belongs to one decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A role of the subject contains the permission, and the account is entitled to its feature.
    Allowed,
    /// The account is suspended.
    AccountSuspended,
    /// The account has no such subject.
    SubjectUnknown,
    /// The subject is invited or suspended.
    SubjectNotActive,
    /// No role of the subject contains the permission.
    NoRoleGrants,
    /// A role does, but the account is not entitled to the permission's feature.
    FeatureNotEntitled,
    /// The subject has a permission that provides the API scope, but every role that gives it leaves the scope out.
    ApiScopeLeftOut,
}

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    /// A permission.
    Permission(PermissionIndex),
    /// An API scope, which an allowed permission provides.
    ApiScope(ApiScopeIndex),
}

impl From<PermissionIndex> for Asked {
    fn from(permission: PermissionIndex) -> Self {
        Self::Permission(permission)
    }
}

impl From<ApiScopeIndex> for Asked {
    fn from(scope: ApiScopeIndex) -> Self {
        Self::ApiScope(scope)
    }
}

impl Reason {
    /// Every reason, in the order in which they are looked for; [`Self::Allowed`] last.
    pub const ALL: [Self; 7] = [
        Self::AccountSuspended,
        Self::SubjectUnknown,
        Self::SubjectNotActive,
        Self::NoRoleGrants,
        Self::FeatureNotEntitled,
        Self::ApiScopeLeftOut,
        Self::Allowed,
    ];

    /// The decision that it belongs to.
    #[must_use]
    pub fn decision(self) -> Decision {
        match self {
            Self::Allowed => Decision::Allow,
            Self::AccountSuspended
            | Self::SubjectUnknown
            | Self::SubjectNotActive
            | Self::NoRoleGrants
            | Self::FeatureNotEntitled
            | Self::ApiScopeLeftOut => Decision::Deny,
        }
    }

    /// Its name in documents and scenario files; on the wire it has the prefix `DECISION_REASON_`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Allowed => "ALLOWED",
            Self::AccountSuspended => "ACCOUNT_SUSPENDED",
            Self::SubjectUnknown => "SUBJECT_UNKNOWN",
            Self::SubjectNotActive => "SUBJECT_NOT_ACTIVE",
            Self::NoRoleGrants => "NO_ROLE_GRANTS",
            Self::FeatureNotEntitled => "FEATURE_NOT_ENTITLED",
            Self::ApiScopeLeftOut => "API_SCOPE_LEFT_OUT",
        }
    }

    /// What it means and what to look at next, in one or two sentences for people.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Allowed => {
                "A role of the subject contains the permission, and the account is entitled to its feature."
            }
            Self::AccountSuspended => "The account is suspended: nobody of it is allowed anything until it is active.",
            Self::SubjectUnknown => "The account has no such subject. Ids are case-sensitive.",
            Self::SubjectNotActive => {
                "The subject is invited or suspended. Only an active one is ever allowed anything."
            }
            Self::NoRoleGrants => {
                "No role that the subject holds, directly or through a team, contains the permission. \
                 Give it a role that does, or add the permission to a custom role that it holds."
            }
            Self::FeatureNotEntitled => {
                "A role of the subject contains the permission, but the account is not entitled to the feature that the \
                 permission belongs to. Entitle the account to it."
            }
            Self::ApiScopeLeftOut => {
                "The subject has a permission that provides the API scope, but every role that gives it leaves the API \
                 scope out, or one that it includes. Put it back into one of those roles."
            }
        }
    }
}

/// May this subject do this? Cost: constant.
#[must_use]
pub fn decide(subject: &Subject, asked: impl Into<Asked>) -> Reason {
    match subject.standing {
        Standing::AccountSuspended => return Reason::AccountSuspended,
        Standing::Unknown => return Reason::SubjectUnknown,
        Standing::NotActive => return Reason::SubjectNotActive,
        Standing::Active => {}
    }
    let set = &subject.set;
    let (allowed, entitled, granted) = match asked.into() {
        // Nothing lies between being entitled to a permission and being allowed it.
        Asked::Permission(permission) => {
            (set.allowed().contains(permission), false, set.granted().contains(permission))
        }
        Asked::ApiScope(scope) => (
            set.allowed_api_scopes().contains(scope),
            set.entitled_api_scopes().contains(scope),
            set.granted_api_scopes().contains(scope),
        ),
    };
    match (allowed, entitled, granted) {
        (true, ..) => Reason::Allowed,
        (false, true, _) => Reason::ApiScopeLeftOut,
        (false, false, true) => Reason::FeatureNotEntitled,
        (false, false, false) => Reason::NoRoleGrants,
    }
}

/// Every permission that [`decide`] allows and whose id comes after `after`, ordered by id, each with the bindings that
/// it comes from. Cost: linear in the catalog's permissions, and in the bindings for each permission that is taken.
pub fn effective_permissions<'a>(
    subject: &'a Subject,
    after: Option<&'a str>,
) -> impl Iterator<Item = (PermissionIndex, Vec<&'a HeldRole>)> + 'a {
    let set = &subject.set;
    let comes_after = move |permission: &PermissionIndex| {
        let id = set.catalog().definition(*permission).map(|definition| definition.id.as_str());
        after.is_none_or(|after| id.is_some_and(|id| id > after))
    };
    let allowed = move |permission: &PermissionIndex| decide(subject, *permission) == Reason::Allowed;
    set.catalog().permissions().filter(comes_after).filter(allowed).map(move |permission| {
        let contains = |held: &&HeldRole| set.role(held.role).is_some_and(|role| role.permissions.contains(permission));
        (permission, subject.held.iter().filter(contains).collect())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        engine::{CompiledCatalog, EffectiveSet},
        model::{
            ApiScope, ApiScopeId, ApiScopeIndex, Catalog, CatalogDefinition, CatalogId, CatalogRole, CustomRoleParts,
            Feature, FeatureId, FeatureIndex, Number, PermissionDefinition, PermissionId, RoleId, RoleRecord, Section,
            SectionId, SectionIndex, TeamId, Timestamp,
        },
    };

    const GATED: PermissionIndex = PermissionIndex(0);
    const FREE: PermissionIndex = PermissionIndex(1);
    const INTERNAL: PermissionIndex = PermissionIndex(2);

    /// Three permissions: one of a feature, one of none, one internal; a managed and an internal role with all of them.
    fn catalog() -> Arc<CompiledCatalog> {
        let permission = |id: &str, feature, internal| PermissionDefinition {
            id: PermissionId::new(id).unwrap(),
            description: String::new(),
            section: SectionIndex(0),
            feature,
            api_scopes: vec![ApiScopeIndex(1)],
            internal,
            deprecated: false,
        };
        let role = |id: &str, internal| CatalogRole {
            id: RoleId::new(id).unwrap(),
            display_name: String::new(),
            description: String::new(),
            internal,
            permissions: vec![GATED, FREE, INTERNAL],
        };
        let scope =
            |id: &str, includes| ApiScope { id: ApiScopeId::new(id).unwrap(), description: String::new(), includes };
        Arc::new(CompiledCatalog::new(Catalog {
            number: Number(1),
            definition: CatalogDefinition {
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
                permissions: vec![
                    permission("z.gated", Some(FeatureIndex(0)), false),
                    permission("a.free", None, false),
                    permission("m.internal", None, true),
                ],
                roles: vec![role("managed", false), role("internal", true)],
                custom_roles: CustomRoleParts { permissions: true },
            },
            feature_numbers: vec![Number(10)],
            permission_numbers: vec![Number(20), Number(21), Number(22)],
            role_numbers: vec![Number(30), Number(31)],
        }))
    }

    fn subject(standing: Standing, features: &[Number], role_ids: &[&str], team: Option<&str>) -> Subject {
        let catalog = catalog();
        let roles: Vec<_> = role_ids.iter().map(|id| Arc::clone(catalog.role(id).unwrap())).collect();
        let team = team.map(|id| (Number(40), TeamId::new(id).unwrap()));
        let held =
            roles.iter().map(|role| HeldRole { role: role.number, team: team.clone(), binding: Number(50) }).collect();
        Subject { standing, set: Arc::new(EffectiveSet::new(catalog, features, roles)), held }
    }

    #[test]
    fn a_permission_needs_a_role_and_the_feature_and_the_answer_says_which_is_missing() {
        let on = [Number(10)];
        for (features, roles, permission, expected) in [
            (&on[..], &["managed"][..], GATED, Reason::Allowed),
            (&[], &["managed"], GATED, Reason::FeatureNotEntitled),
            (&[], &["managed"], FREE, Reason::Allowed),
            (&on, &[], GATED, Reason::NoRoleGrants),
            (&[], &[], GATED, Reason::NoRoleGrants),
            (&on, &["managed"], INTERNAL, Reason::NoRoleGrants),
            (&on, &["internal"], INTERNAL, Reason::Allowed),
            (&on, &["managed"], PermissionIndex(3), Reason::NoRoleGrants),
            (&on, &["managed"], PermissionIndex(u32::MAX), Reason::NoRoleGrants),
        ] {
            let subject = subject(Standing::Active, features, roles, None);
            assert_eq!(decide(&subject, permission), expected, "{features:?} {roles:?} {permission:?}");
        }
    }

    #[test]
    fn nobody_who_is_not_active_is_allowed_anything_whatever_they_hold() {
        for (standing, expected) in [
            (Standing::AccountSuspended, Reason::AccountSuspended),
            (Standing::Unknown, Reason::SubjectUnknown),
            (Standing::NotActive, Reason::SubjectNotActive),
        ] {
            let subject = subject(standing, &[Number(10)], &["managed", "internal"], None);
            for permission in [GATED, FREE, INTERNAL] {
                assert_eq!(decide(&subject, permission), expected);
            }
            assert_eq!(effective_permissions(&subject, None).count(), 0);
        }
    }

    #[test]
    fn the_list_is_what_would_be_allowed_ordered_by_id_with_every_path() {
        let subject = subject(Standing::Active, &[Number(10)], &["managed", "internal"], Some("night-shift"));
        let listed: Vec<_> = effective_permissions(&subject, None).map(|(index, held)| (index, held.len())).collect();
        assert_eq!(listed, [(FREE, 2), (INTERNAL, 1), (GATED, 2)]);
        let rest: Vec<_> = effective_permissions(&subject, Some("a.free")).map(|(index, _)| index).collect();
        assert_eq!(rest, [INTERNAL, GATED]);
    }

    #[test]
    fn a_custom_role_gives_nothing_internal_and_nothing_that_its_catalog_has_no_more() {
        let catalog = catalog();
        let record = RoleRecord {
            id: RoleId::new("mine").unwrap(),
            display_name: String::new(),
            description: String::new(),
            permissions: vec![Number(21), Number(22), Number(99)],
            left_out_api_scopes: Vec::new(),
            created: Timestamp(0),
            updated: Timestamp(0),
        };
        let role = catalog.custom_role(Number(60), &record);
        let given: Vec<_> =
            [GATED, FREE, INTERNAL].into_iter().filter(|each| role.permissions.contains(*each)).collect();
        assert_eq!(given, [FREE]);
    }

    #[test]
    fn a_permission_provides_the_api_scopes_that_its_own_include() {
        let catalog = catalog();
        let scopes = catalog.api_scopes(FREE);
        let ids: Vec<_> = catalog.api_scope_ids(&scopes).map(ApiScopeId::as_str).collect();
        assert_eq!(ids, ["message:send", "sms:send"], "ordered by id");
    }

    #[test]
    fn an_api_scope_needs_a_permission_that_provides_it_and_a_role_that_does_not_leave_it_out() {
        const SMS: ApiScopeIndex = ApiScopeIndex(0);
        const MESSAGE: ApiScopeIndex = ApiScopeIndex(1);
        let catalog = catalog();
        let role = |number, permissions: &[u64], left_out: &[&str]| {
            let record = RoleRecord {
                id: RoleId::new("mine").unwrap(),
                display_name: String::new(),
                description: String::new(),
                permissions: permissions.iter().copied().map(Number).collect(),
                left_out_api_scopes: left_out.iter().map(|id| ApiScopeId::new(id).unwrap()).collect(),
                created: Timestamp(0),
                updated: Timestamp(0),
            };
            Arc::new(catalog.custom_role(Number(number), &record))
        };
        let (gated, free) = (&[20][..], &[21][..]);
        for (features, roles, sms, message) in [
            (&[][..], vec![], Reason::NoRoleGrants, Reason::NoRoleGrants),
            (&[], vec![role(60, free, &[])], Reason::Allowed, Reason::Allowed),
            (&[], vec![role(60, gated, &[])], Reason::FeatureNotEntitled, Reason::FeatureNotEntitled),
            (&[Number(10)], vec![role(60, gated, &[])], Reason::Allowed, Reason::Allowed),
            // What includes a scope that is left out goes with it.
            (&[], vec![role(60, free, &["sms:send"])], Reason::ApiScopeLeftOut, Reason::ApiScopeLeftOut),
            // A scope that comes only by being included goes with what includes it.
            (&[], vec![role(60, free, &["message:send"])], Reason::ApiScopeLeftOut, Reason::ApiScopeLeftOut),
            // Another role gives it all the same; the furthest of several failures is the reason.
            (&[], vec![role(60, free, &["sms:send"]), role(61, free, &[])], Reason::Allowed, Reason::Allowed),
            (
                &[],
                vec![role(60, free, &["sms:send"]), role(61, gated, &[])],
                Reason::ApiScopeLeftOut,
                Reason::ApiScopeLeftOut,
            ),
        ] {
            let held = roles.iter().map(|role| HeldRole { role: role.number, team: None, binding: Number(50) });
            let held = held.collect();
            let set = Arc::new(EffectiveSet::new(Arc::clone(&catalog), features, roles));
            let subject = Subject { standing: Standing::Active, set, held };
            assert_eq!((decide(&subject, SMS), decide(&subject, MESSAGE)), (sms, message));
            assert_eq!(decide(&subject, ApiScopeIndex(9)), Reason::NoRoleGrants);
        }
    }

    #[test]
    fn every_reason_but_one_is_a_denial() {
        let allowing: Vec<_> = Reason::ALL.into_iter().filter(|reason| reason.decision() == Decision::Allow).collect();
        assert_eq!(allowing, [Reason::Allowed]);
    }
}
