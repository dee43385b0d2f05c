//! Random definitions from a seed, full of texts that YAML likes to misread.

use crate::{
    files::{AccountDefinition, RoleDefinition, RoleName, ServiceAccountDefinition, TeamDefinition, UserDefinition},
    model::*,
};

const NASTY: [&str; 40] = [
    "Ana",
    "Ana B.",
    "\"quoted\"",
    "it's",
    "a: b",
    "a:b",
    "- x",
    "-",
    "null",
    "Null",
    "~",
    "1e3",
    "0x1f",
    "1_000",
    ".inf",
    "NaN",
    "true",
    "No",
    "y",
    " lead",
    "trail ",
    "a  b",
    "🎉 party 👩‍👩‍👧",
    "two\nlines\n",
    "\n",
    "\ttab\t",
    "#x",
    "a #x",
    "@x",
    "=1",
    "*x",
    "&x",
    "!x",
    "{a}",
    "[b]",
    "%x",
    "a\\nb",
    "\u{feff}bom\u{2028}line\u{202e}",
    "---",
    "<<",
];

const ID_CHARS: &[u8] = b"abcXYZ019.@:+=~-";

/// Xorshift: small, and the same everywhere.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        // Never 0, and seeds that are close to each other far apart.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end
    }

    fn text(&mut self) -> String {
        let mut text = String::from(NASTY[self.below(NASTY.len())]);
        if self.below(3) == 0 {
            text.push_str(NASTY[self.below(NASTY.len())]);
        }
        text
    }

    fn maybe_text(&mut self) -> String {
        if self.below(3) == 0 { String::new() } else { self.text() }
    }

    /// Unique by its number, which may stand anywhere in it.
    fn id(&mut self, number: usize) -> String {
        const WORDS: [&str; 8] = ["null", "true", "~", "-", "1e", "no", "=", "0x"];
        let mut id = String::from(WORDS[self.below(WORDS.len())]);
        for _ in 0..self.below(4) {
            id.push(ID_CHARS[self.below(ID_CHARS.len())] as char);
        }
        if number > 0 { format!("{id}_{number}") } else { id }
    }

    fn ids(&mut self, max: usize) -> Vec<String> {
        (0..self.below(max + 1)).map(|number| self.id(number)).collect()
    }

    fn permission_ids(&mut self, max: usize) -> Vec<PermissionId> {
        (0..self.below(max + 1)).map(|number| PermissionId::new(&format!("1.{number}e1")).unwrap()).collect()
    }

    /// Some of `0..end`, each once, in any order.
    fn some(&mut self, end: usize) -> Vec<u32> {
        let mut some: Vec<u32> = (0..end as u32).filter(|_| self.below(3) == 0).collect();
        for index in (1..some.len()).rev() {
            some.swap(index, self.below(index + 1));
        }
        some
    }

    pub(super) fn catalog(&mut self) -> CatalogDefinition {
        let features: Vec<_> = self
            .ids(5)
            .iter()
            .map(|id| Feature {
                id: FeatureId::new(id).unwrap(),
                display_name: self.text(),
                description: self.maybe_text(),
            })
            .collect();
        let sections: Vec<_> = self
            .ids(5)
            .iter()
            .map(|id| Section {
                id: SectionId::new(id).unwrap(),
                display_name: self.text(),
                description: self.maybe_text(),
            })
            .collect();
        // A scope includes only those before it: no cycles.
        let api_scopes: Vec<_> = self
            .ids(8)
            .iter()
            .enumerate()
            .map(|(index, id)| ApiScope {
                id: ApiScopeId::new(id).unwrap(),
                description: self.maybe_text(),
                includes: self.some(index).into_iter().map(ApiScopeIndex).collect(),
            })
            .collect();
        let ids = if sections.is_empty() { Vec::new() } else { self.permission_ids(12) };
        let permissions: Vec<_> = ids
            .into_iter()
            .map(|id| PermissionDefinition {
                id,
                description: self.maybe_text(),
                section: SectionIndex(self.below(sections.len()) as u32),
                feature: (!features.is_empty() && self.below(2) == 0)
                    .then(|| FeatureIndex(self.below(features.len()) as u32)),
                api_scopes: self.some(api_scopes.len()).into_iter().map(ApiScopeIndex).collect(),
                internal: self.below(4) == 0,
                deprecated: self.below(4) == 0,
            })
            .collect();
        let roles = self
            .ids(6)
            .iter()
            .map(|id| {
                let internal = self.below(3) == 0;
                let mut listed = self.some(permissions.len());
                listed.retain(|index| internal || !permissions[*index as usize].internal);
                listed.sort_unstable();
                CatalogRole {
                    id: RoleId::new(id).unwrap(),
                    display_name: self.text(),
                    description: self.maybe_text(),
                    internal,
                    permissions: listed.into_iter().map(PermissionIndex).collect(),
                }
            })
            .collect();
        CatalogDefinition {
            id: CatalogId::new(&self.id(0)).unwrap(),
            display_name: self.text(),
            description: self.maybe_text(),
            features,
            sections,
            api_scopes,
            permissions,
            roles,
            custom_roles: CustomRoleParts { permissions: self.below(2) == 0 },
        }
    }

    fn role_names(&mut self, custom: &[RoleDefinition]) -> Vec<RoleName> {
        let mut names: Vec<_> = self.ids(3).iter().map(|id| RoleName::Managed(RoleId::new(id).unwrap())).collect();
        for index in self.some(custom.len()) {
            names.insert(self.below(names.len() + 1), RoleName::Custom(custom[index as usize].id.value.clone()));
        }
        names
    }

    pub(super) fn account(&mut self) -> AccountDefinition {
        let roles: Vec<_> = self
            .ids(5)
            .iter()
            .map(|id| RoleDefinition {
                id: RoleId::new(id).unwrap().into(),
                display_name: self.text(),
                description: self.maybe_text(),
                permissions: self.permission_ids(5).into_iter().rev().map(Into::into).collect(),
                left_out_api_scopes: self.ids(3).iter().map(|id| ApiScopeId::new(id).unwrap().into()).collect(),
            })
            .collect();
        let teams: Vec<_> = self
            .ids(5)
            .iter()
            .map(|id| TeamDefinition {
                id: TeamId::new(id).unwrap().into(),
                display_name: self.maybe_text(),
                description: self.maybe_text(),
                roles: self.role_names(&roles).into_iter().map(Into::into).collect(),
            })
            .collect();
        let users = self
            .ids(12)
            .iter()
            .map(|id| UserDefinition {
                id: UserId::new(id).unwrap().into(),
                display_name: self.maybe_text(),
                username: self.maybe_text(),
                email: ["", "ana@example.com", "@", "x: @ #", "\"a b\"@c"][self.below(5)].to_owned(),
                state: [UserState::Active, UserState::Invited, UserState::Suspended][self.below(3)],
                teams: self.some(teams.len()).into_iter().map(|index| teams[index as usize].id.clone()).collect(),
                roles: self.role_names(&roles).into_iter().map(Into::into).collect(),
            })
            .collect();
        let service_accounts = self
            .ids(4)
            .iter()
            .map(|id| ServiceAccountDefinition {
                id: ServiceAccountId::new(id).unwrap().into(),
                display_name: self.maybe_text(),
                description: self.maybe_text(),
                state: [ServiceAccountState::Active, ServiceAccountState::Suspended][self.below(2)],
                roles: self.role_names(&roles).into_iter().map(Into::into).collect(),
            })
            .collect();
        AccountDefinition {
            id: AccountId::new(&self.id(0)).unwrap().into(),
            display_name: self.maybe_text(),
            catalog: CatalogId::new(&self.id(0)).unwrap().into(),
            state: [AccountState::Active, AccountState::Suspended][self.below(2)],
            features: self.ids(5).iter().map(|id| FeatureId::new(id).unwrap().into()).collect(),
            roles,
            teams,
            users,
            service_accounts,
        }
    }
}
