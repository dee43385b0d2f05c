//! Catalogs, accounts and users that are made by number, for what grows.

use std::{fmt::Write as _, ops::Range};

use rolecall::{
    files,
    model::{AccountId, AccountState, CatalogId, ProfileRecord, RoleId, UserId, UserState},
    service::{NewAccount, NewUser, RoleName, Service, apply_catalog, create_account, create_users},
};

use super::accounts::user;

/// How many users one write creates.
const STEP: usize = 1_000;

/// The id of a permission of a catalog that was made.
pub fn permission(number: usize) -> String {
    format!("made.things-{number}.view")
}

/// Creates a catalog of so many permissions, in equal parts in so many roles.
pub async fn catalog(service: &Service, id: &str, permissions: usize, roles: usize) {
    let mut text = format!(
        "kind: catalog\nid: {id}\ndisplay_name: Made\nsections:\n  - {{id: made, display_name: Made}}\napi_scopes:\n  - id: made:read\n\
         permissions:\n"
    );
    for number in 0..permissions {
        writeln!(text, "  - {{id: {}, section: made, api_scopes: ['made:read']}}", permission(number)).unwrap();
    }
    text += "roles:\n";
    for role in 0..roles {
        writeln!(text, "  - id: role-{role}\n    display_name: R\n    permissions:").unwrap();
        for number in role * permissions / roles..(role + 1) * permissions / roles {
            writeln!(text, "      - {}", permission(number)).unwrap();
        }
    }
    let catalog = files::parse_catalog(text.as_bytes()).unwrap();
    service.write(apply_catalog(catalog, true, None, Default::default())).await.unwrap();
}

/// Creates an account under a catalog.
pub async fn account(service: &Service, id: &str, catalog: &str) {
    let new = NewAccount {
        id: AccountId::new(id).unwrap(),
        display_name: String::new(),
        catalog: CatalogId::new(catalog).unwrap(),
        state: AccountState::Active,
        features: Vec::new(),
    };
    service.write(create_account(new)).await.unwrap();
}

/// Creates users of an account, each with the first so many roles of its catalog.
pub async fn users(service: &Service, account: &str, catalog: &str, numbers: Range<usize>, roles: usize) {
    let catalog = CatalogId::new(catalog).unwrap();
    let role = |number| RoleName::Catalog(catalog.clone(), RoleId::new(&format!("role-{number}")).unwrap());
    let roles: Vec<RoleName> = (0..roles).map(role).collect();
    // A user of many roles is many records.
    let step = (STEP / roles.len()).max(1);
    for first in numbers.clone().step_by(step) {
        let new = |number| NewUser {
            id: UserId::new(&user(number)).unwrap(),
            state: UserState::Active,
            profile: ProfileRecord::default(),
            roles: roles.clone(),
            bindings: Vec::new(),
            teams: Vec::new(),
            access: Vec::new(),
        };
        let users = (first..numbers.end.min(first + step)).map(new).collect();
        service.write(create_users("CreateUsers", AccountId::new(account).unwrap(), users)).await.unwrap();
    }
}
