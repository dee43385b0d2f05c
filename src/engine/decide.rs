//! The answer to one question.

use super::{
    Attributes, CompiledCatalog, ConditionInput, Fit, NOWHERE, Place, RoleFacts, Standing, StatementFacts, Subject,
    agrees,
    effective::{Chain, EffectiveSet},
};
use crate::model::{ApiScopeIndex, Facet, PermissionIndex, ResourcePath, ResourceTypeIndex, is_within, pairs};

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Yes.
    Allow,
    /// No.
    Deny,
}

/// Why the answer is what it is. Each reason belongs to one decision. Of several grants the one that comes furthest says
/// why: in the order of these.
///
/// A whole word: answers are carried in words, and a processor that reads a word of which it wrote a byte just now waits.
#[repr(u64)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The account is suspended.
    AccountSuspended,
    /// The account has no such subject.
    SubjectUnknown,
    /// The subject is invited or suspended.
    SubjectNotActive,
    /// No role and no exception of the subject contains the permission.
    NoRoleGrants,
    /// One did, until a time that has passed.
    GrantExpired,
    /// One does, but the account is not entitled to the permission's feature.
    FeatureNotEntitled,
    /// The role is not held where the question is asked, or a policy does not speak of that resource.
    ResourceNotCovered,
    /// It depends on a resource or a value of a facet that the question does not name.
    ResourceRequired,
    /// The subject's access list does not have what the question is about.
    FacetNotGranted,
    /// A condition does not hold, or cannot be evaluated.
    ConditionFailed,
    /// The subject has a permission that provides the API scope, but every role that gives it leaves the scope out.
    ApiScopeLeftOut,
    /// It is granted, and a policy takes it away.
    DeniedByPolicy,
    /// A grant passes, and no policy takes it away.
    Allowed,
}

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    /// A permission.
    Permission(PermissionIndex),
    /// An API scope, which an allowed permission provides.
    ApiScope(ApiScopeIndex),
}

impl Asked {
    /// The permission, if it is one that is asked for.
    #[must_use]
    pub fn permission(self) -> Option<PermissionIndex> {
        match self {
            Self::Permission(permission) => Some(permission),
            Self::ApiScope(_) => None,
        }
    }
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

/// A question about a subject. It borrows all that it says, so that asking makes nothing.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What it is about.
    pub asked: Asked,
    /// Where it is asked.
    pub place: &'a Place<'a>,
    /// The id of the subject, for conditions.
    pub subject: &'a str,
    /// What else conditions see.
    pub attributes: &'a Attributes,
}

/// No attributes.
pub static NO_ATTRIBUTES: Attributes = Attributes::new();

impl<A: Into<Asked>> From<A> for Question<'_> {
    /// A question that names no place, for whoever has no conditions.
    fn from(asked: A) -> Self {
        Self { asked: asked.into(), place: &NOWHERE, subject: "", attributes: &NO_ATTRIBUTES }
    }
}

impl Reason {
    /// Every reason, in their order.
    pub const ALL: [Self; 13] = [
        Self::AccountSuspended,
        Self::SubjectUnknown,
        Self::SubjectNotActive,
        Self::NoRoleGrants,
        Self::GrantExpired,
        Self::FeatureNotEntitled,
        Self::ResourceNotCovered,
        Self::ResourceRequired,
        Self::FacetNotGranted,
        Self::ConditionFailed,
        Self::ApiScopeLeftOut,
        Self::DeniedByPolicy,
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
            | Self::GrantExpired
            | Self::FeatureNotEntitled
            | Self::ResourceNotCovered
            | Self::ResourceRequired
            | Self::FacetNotGranted
            | Self::ConditionFailed
            | Self::ApiScopeLeftOut
            | Self::DeniedByPolicy => Decision::Deny,
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
            Self::GrantExpired => "GRANT_EXPIRED",
            Self::FeatureNotEntitled => "FEATURE_NOT_ENTITLED",
            Self::ResourceNotCovered => "RESOURCE_NOT_COVERED",
            Self::ResourceRequired => "RESOURCE_REQUIRED",
            Self::FacetNotGranted => "FACET_NOT_GRANTED",
            Self::ConditionFailed => "CONDITION_FAILED",
            Self::ApiScopeLeftOut => "API_SCOPE_LEFT_OUT",
            Self::DeniedByPolicy => "DENIED_BY_POLICY",
        }
    }

    /// What it means and what to look at next, in one or two sentences for people.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Allowed => {
                "A role or an exception of the subject contains the permission, everything that it depends on holds, and no \
                 policy takes it away."
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
            Self::GrantExpired => {
                "A role or an exception of the subject contained the permission until a time that has passed. Give it again."
            }
            Self::FeatureNotEntitled => {
                "A role of the subject contains the permission, but the account is not entitled to the feature that the \
                 permission belongs to. Entitle the account to it."
            }
            Self::ResourceNotCovered => {
                "The subject has the permission, but not on this resource: the role is held on another one, or the policy \
                 speaks of others. Give the role here, or on a resource above."
            }
            Self::ResourceRequired => {
                "The subject has the permission on some resources or facet values, and the question names none. Name the \
                 resource with its whole path, or give the facet's value."
            }
            Self::FacetNotGranted => {
                "The permission is bounded by a facet, and the subject's access list has not the value that the question is \
                 about. Give it access, or a role that covers the facet."
            }
            Self::ConditionFailed => {
                "The permission is given under a condition that does not hold, or that could not be evaluated because an \
                 attribute is missing. Send the attributes that the condition names."
            }
            Self::ApiScopeLeftOut => {
                "The subject has a permission that provides the API scope, but every role that gives it leaves the API \
                 scope out, or one that it includes. Put it back into one of those roles."
            }
            Self::DeniedByPolicy => {
                "The subject has the permission, and a deny statement of one of its roles takes it away. A deny wins over every \
                 role and every exception."
            }
        }
    }
}

/// May this subject do this? Cost: constant where it is allowed on everything; else linear in the subject's grants, and for
/// an API scope in the permissions that provide it.
#[inline]
#[must_use]
pub fn decide<'a>(subject: &Subject, question: impl Into<Question<'a>>) -> Reason {
    let (set, question) = (&*subject.set, question.into());
    let outcome = match subject.standing {
        Standing::AccountSuspended => Outcome::Fails(Reason::AccountSuspended),
        Standing::Unknown => Outcome::Fails(Reason::SubjectUnknown),
        Standing::NotActive => Outcome::Fails(Reason::SubjectNotActive),
        Standing::Active if is_settled(set, &question) => Outcome::Passes,
        Standing::Active => refusal(set, &question).map_or_else(|| look_closer(set, &question), Outcome::Fails),
    };
    match outcome {
        Outcome::Passes => Reason::Allowed,
        // A failure is never an allow, whatever reason it was given.
        Outcome::Fails(Reason::Allowed) => Reason::NoRoleGrants,
        Outcome::Fails(reason) => reason,
    }
}

/// Whether it was found out that the answer is yes wherever the question is asked, when the set was worked out.
#[inline]
fn is_settled(set: &EffectiveSet, question: &Question<'_>) -> bool {
    match question.asked {
        Asked::Permission(permission) => set.settled().contains(permission),
        // A path can be of another line of types than the permission that settles it.
        Asked::ApiScope(scope) => question.place.path.is_empty() && set.settled_api_scopes().contains(scope),
    }
}

/// Why the answer is no, if that can be told without going through the grants.
#[inline]
fn refusal(set: &EffectiveSet, question: &Question<'_>) -> Option<Reason> {
    match question.asked {
        // Without a path every permission fits where it is asked.
        Asked::Permission(permission) if question.place.resource_type.is_none() => why_not_given(set, permission),
        Asked::Permission(_) | Asked::ApiScope(_) => None,
    }
}

/// Why no grant counts, if that is so for the permission wherever it is asked for.
#[inline]
fn why_not_given(set: &EffectiveSet, permission: PermissionIndex) -> Option<Reason> {
    match set.granted().contains(permission) {
        false if set.expired().contains(permission) => Some(Reason::GrantExpired),
        false => Some(Reason::NoRoleGrants),
        true => (!set.entitled().contains(permission)).then_some(Reason::FeatureNotEntitled),
    }
}

/// How far a question comes that depends on where it is asked, or on a condition, or that a policy denies.
#[inline(never)]
fn look_closer(set: &EffectiveSet, question: &Question<'_>) -> Outcome {
    match question.asked {
        Asked::Permission(permission) => Asking { set, question, permission, scope: None }.outcome(),
        Asked::ApiScope(scope) => set
            .catalog()
            .providing(scope)
            .map(|permission| Asking { set, question, permission, scope: Some(scope) }.outcome())
            .max()
            .unwrap_or(Outcome::Fails(Reason::NoRoleGrants)),
    }
}

/// The grants that let a question pass, whatever takes it away: chains by their position, and whether an exception does.
pub(super) fn passing<'a>(subject: &'a Subject, question: &Question<'_>) -> (Vec<&'a Chain>, Vec<PermissionIndex>) {
    let set = &*subject.set;
    let (permissions, scope) = match question.asked {
        Asked::Permission(permission) => (vec![permission], None),
        Asked::ApiScope(scope) => (set.catalog().providing(scope).collect(), Some(scope)),
    };
    let (mut chains, mut exceptions) = (Vec::new(), Vec::new());
    for permission in permissions {
        let asking = Asking { set, question, permission, scope };
        if asking.outcome() != Outcome::Passes {
            continue;
        }
        let Some(fit) = set.catalog().fit(question.place, permission) else { continue };
        let passes =
            |chain: &&Chain| chain.permissions().contains(permission) && asking.chain(fit, chain) == Outcome::Passes;
        chains.extend(set.grants.iter().filter(passes));
        if set.exceptions.contains(permission) && asking.passes(fit, None, None, None) == Outcome::Passes {
            exceptions.push(permission);
        }
    }
    (chains, exceptions)
}

/// How far a question comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Fails(Reason),
    Passes,
}

/// A question about one permission.
struct Asking<'a> {
    set: &'a EffectiveSet,
    question: &'a Question<'a>,
    permission: PermissionIndex,
    /// It is asked for because it provides this.
    scope: Option<ApiScopeIndex>,
}

impl Asking<'_> {
    fn outcome(&self) -> Outcome {
        let (set, permission) = (self.set, self.permission);
        // Of another line of types: nothing of it is asked about.
        let Some(fit) = set.catalog().fit(self.question.place, permission) else {
            return Outcome::Fails(Reason::NoRoleGrants);
        };
        if let Some(reason) = why_not_given(set, permission) {
            return Outcome::Fails(reason);
        }
        let is_about = |chain: &&Chain| chain.permissions().contains(permission);
        let mut furthest = Outcome::Fails(Reason::NoRoleGrants);
        for chain in set.grants.iter().filter(is_about) {
            furthest = furthest.max(self.chain(fit, chain));
            if furthest == Outcome::Passes {
                break;
            }
        }
        if furthest != Outcome::Passes && set.exceptions.contains(permission) {
            furthest = furthest.max(self.passes(fit, None, None, None));
        }
        if furthest == Outcome::Passes && set.denies.iter().filter(is_about).any(|chain| self.is_denied(fit, chain)) {
            return Outcome::Fails(Reason::DeniedByPolicy);
        }
        furthest
    }

    fn chain(&self, fit: Fit<'_>, chain: &Chain) -> Outcome {
        // A chain without its binding gives nothing.
        let Some(bound) = self.set.bindings().get(chain.binding) else { return Outcome::Fails(Reason::NoRoleGrants) };
        let on = bound.resource.as_ref().map(|on| (&on.path, on.resource_type));
        self.passes(fit, on, Some(&chain.role), chain.statement.as_deref())
    }

    /// How far one grant comes. `role`: the one that lists it; none: it is an exception.
    fn passes(
        &self,
        fit: Fit<'_>,
        on: Option<(&ResourcePath, ResourceTypeIndex)>,
        role: Option<&RoleFacts>,
        statement: Option<&StatementFacts>,
    ) -> Outcome {
        let catalog = &**self.set.catalog();
        let covered = match fit {
            Fit::Exact(path) => {
                on.is_none_or(|(on, _)| is_within(path, on.as_str()))
                    && statement.is_none_or(|statement| statement.matches(path))
            }
            Fit::Everything(path) => {
                on.is_none_or(|(on, _)| is_within(path, on.as_str()))
                    && statement.is_none_or(|statement| statement.matches_all_below(path))
            }
        };
        if !covered {
            let somewhere = matches!(fit, Fit::Everything(path) if self.could_cover(catalog, path, on, statement));
            let reason = if somewhere { Reason::ResourceRequired } else { Reason::ResourceNotCovered };
            return Outcome::Fails(reason);
        }
        let covers = role.map_or(&[][..], |role| &role.covers);
        let mut stopped = None;
        for facet in catalog.facets(self.permission).iter().filter(|facet| !covers.contains(facet)) {
            // One that naming a value could mend comes first in the order of reasons.
            stopped = stopped.into_iter().chain(self.stops(catalog, *facet)).min();
        }
        if let Some(reason) = stopped {
            return Outcome::Fails(reason);
        }
        let conditions = catalog.condition(self.permission).into_iter();
        let mut conditions = conditions.chain(statement.and_then(|statement| statement.condition.as_ref()));
        if !conditions.all(|condition| self.holds(catalog, condition) == Some(true)) {
            return Outcome::Fails(Reason::ConditionFailed);
        }
        match (self.scope, role) {
            (Some(scope), Some(role)) if !catalog.provides(self.permission, scope, &role.left_out) => {
                Outcome::Fails(Reason::ApiScopeLeftOut)
            }
            _ => Outcome::Passes,
        }
    }

    /// Whether there is a longer path, down to the permission's type, that a grant covers.
    fn could_cover(
        &self,
        catalog: &CompiledCatalog,
        path: &str,
        on: Option<(&ResourcePath, ResourceTypeIndex)>,
        statement: Option<&StatementFacts>,
    ) -> bool {
        let lives_on = catalog.definition(self.permission).and_then(|definition| definition.resource_type);
        let Some(lives_on) = lives_on else { return false };
        let known = match on {
            None => path,
            Some((on, _)) if is_within(path, on.as_str()) => path,
            Some((on, at)) if is_within(on.as_str(), path) && catalog.is_within_type(lives_on, at) => on.as_str(),
            Some(_) => return false,
        };
        let Some(statement) = statement.filter(|statement| !statement.resources.is_empty()) else { return true };
        let depth = pairs(known).filter(|_| !known.is_empty()).count();
        let types = &catalog.catalog().definition.resource_types;
        let below = catalog.chain(lives_on).iter().skip(depth).filter_map(|index| types.get(index.position()));
        let below = below.flat_map(|each| [Some(each.plural.as_str()), None]);
        let whole = known.split('/').filter(|_| !known.is_empty()).map(Some).chain(below);
        statement.resources.iter().any(|pattern| pattern.could_match(whole.clone()))
    }

    /// Why a facet does not let the question through; none: it does.
    fn stops(&self, catalog: &CompiledCatalog, facet: Facet) -> Option<Reason> {
        let access = self.set.access();
        let resource_type = match facet {
            Facet::Feature => {
                return (!access.has_feature_of(catalog, self.permission)).then_some(Reason::FacetNotGranted);
            }
            Facet::Type(resource_type) => resource_type,
        };
        let Some(list) = access.resources(resource_type) else { return Some(Reason::FacetNotGranted) };
        if list.all {
            return None;
        }
        match self.question.place.value(catalog, resource_type) {
            Some(value) => {
                let has_it = list.values.iter().any(|each| each.as_str() == value);
                (!has_it).then_some(Reason::FacetNotGranted)
            }
            None => {
                let fits = list.values.iter().any(|value| agrees(value.as_str(), self.question.place.path));
                Some(if fits { Reason::ResourceRequired } else { Reason::FacetNotGranted })
            }
        }
    }

    fn is_denied(&self, fit: Fit<'_>, chain: &Chain) -> bool {
        let bound = self.set.bindings().get(chain.binding);
        // What cannot be told applies.
        let (Some(bound), Some(statement)) = (bound, &chain.statement) else { return true };
        let on = bound.resource.as_ref().map_or("", |on| on.path.as_str());
        match fit {
            // Something below could be denied, so not everything is allowed.
            Fit::Everything(path) => is_within(path, on) || is_within(on, path),
            Fit::Exact(path) => {
                is_within(path, on)
                    && statement.matches(path)
                    && statement.condition.as_ref().is_none_or(|condition| {
                        // One that cannot be evaluated applies.
                        self.holds(self.set.catalog(), condition) != Some(false)
                    })
            }
        }
    }

    fn holds(&self, catalog: &CompiledCatalog, condition: &super::ReadyCondition) -> Option<bool> {
        let place = self.question.place;
        let types = (0u32..).map(ResourceTypeIndex).zip(&catalog.catalog().definition.resource_types);
        let facets: Vec<(&str, &str)> =
            types.filter_map(|(index, each)| Some((each.id.as_str(), place.value(catalog, index)?))).collect();
        let (subject, attributes) = (self.question.subject, self.question.attributes);
        condition.holds(&ConditionInput { subject, path: place.path, facets: &facets, attributes })
    }
}
