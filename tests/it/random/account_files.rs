//! Accounts as files.

use serde_json::{Value, json};

use super::{
    super::oracle::{Account, Holder, PolicyName, RoleName, State},
    statements::statements_written,
};

pub(super) fn account_file(id: &str, whole: &Account) -> Vec<u8> {
    let mut file = json!({
        "kind": "account", "id": id, "catalog": whole.catalog, "features": whole.features,
        "state": if whole.active { "active" } else { "suspended" },
        "roles": roles(whole), "teams": teams(whole), "users": users(whole),
    });
    if !whole.resources.is_empty() {
        file["resources"] =
            whole.resources.keys().map(|path| json!({"path": path, "display_name": "A thing"})).collect();
    }
    if !whole.policies.is_empty() {
        let policies = whole.policies.iter().map(|(id, statements)| {
            json!({"id": id, "display_name": "A policy", "statements": statements_written(statements)})
        });
        file["policies"] = policies.collect();
    }
    if !whole.service_accounts.is_empty() {
        let accounts = whole.service_accounts.iter().map(|(id, each)| {
            let held = held(whole, &Holder::ServiceAccount(id.clone()));
            json!({"id": id, "state": state(each.state), "roles": held})
        });
        file["service_accounts"] = accounts.collect();
    }
    serde_json::to_vec(&file).unwrap()
}

fn state(state: State) -> &'static str {
    match state {
        State::Invited => "invited",
        State::Active => "active",
        State::Suspended => "suspended",
    }
}

fn role_name(role: &RoleName) -> String {
    match role {
        RoleName::Managed(id) => id.clone(),
        RoleName::Custom(id) => format!("custom/{id}"),
    }
}

fn roles(whole: &Account) -> Vec<Value> {
    let mut roles = Vec::new();
    for (id, role) in &whole.roles {
        let mut text = json!({"id": id, "display_name": "A role", "permissions": role.permissions});
        if !role.left_out.is_empty() {
            text["left_out_api_scopes"] = json!(role.left_out);
        }
        if !role.policies.is_empty() {
            let policies = role.policies.iter().map(|policy| match policy {
                PolicyName::Managed(id) => json!(id),
                PolicyName::Custom(id) => json!(format!("custom/{id}")),
            });
            text["policies"] = policies.collect();
        }
        if !role.parents.is_empty() {
            text["parents"] = role.parents.iter().map(role_name).collect();
        }
        if !role.covers.is_empty() {
            text["covers"] = json!(role.covers);
        }
        roles.push(text);
    }
    roles
}

/// The roles of a holder: by name alone, or with what else there is to say.
fn held(whole: &Account, holder: &Holder) -> Vec<Value> {
    let mut held = Vec::new();
    for ((other, role, resource), binding) in &whole.bindings {
        if other != holder {
            continue;
        }
        if resource.is_none() && binding.expires.is_none() {
            held.push(json!(role_name(role)));
            continue;
        }
        let mut text = json!({"role": role_name(role)});
        if let Some(resource) = resource {
            text["resource"] = json!(resource);
        }
        if let Some(expires) = binding.expires {
            text["expires"] = json!(instant(expires));
        }
        held.push(text);
    }
    held
}

fn access(whole: &Account, holder: &Holder) -> Vec<Value> {
    let own = whole.access.iter().filter(|((other, _), _)| other == holder);
    own.map(|((_, facet), access)| match access.all {
        true => json!({"facet": facet, "all": true}),
        false => json!({"facet": facet, "values": access.values}),
    })
    .collect()
}

fn teams(whole: &Account) -> Vec<Value> {
    let team = |id: &String| {
        let holder = Holder::Team(id.clone());
        json!({"id": id, "roles": held(whole, &holder), "access": access(whole, &holder)})
    };
    whole.teams.keys().map(team).collect()
}

fn users(whole: &Account) -> Vec<Value> {
    whole.users.keys().map(|id| user(whole, id)).collect()
}

/// A user as a line.
pub(super) fn user_line(whole: &Account, id: &str) -> Vec<u8> {
    [serde_json::to_vec(&user(whole, id)).unwrap(), b"\n".to_vec()].concat()
}

fn user(whole: &Account, id: &str) -> Value {
    let (holder, user) = (Holder::User(id.to_owned()), &whole.users[id]);
    let joined = whole.teams.iter().filter(|(_, members)| members.contains(id));
    let joined: Vec<&String> = joined.map(|(team, _)| team).collect();
    let exceptions = whole.exceptions.iter().filter(|((user, _), _)| user == id);
    let exceptions = exceptions.map(|((_, permission), exception)| {
        let mut text = json!({"permission": permission, "reason": exception.reason});
        if let Some(expires) = exception.expires {
            text["expires"] = json!(instant(expires));
        }
        text
    });
    json!({
        "id": id, "state": state(user.state), "display_name": user.texts.display_name,
        "username": user.texts.username, "email": user.texts.email, "teams": joined,
        "roles": held(whole, &holder), "access": access(whole, &holder), "exceptions": exceptions.collect::<Vec<_>>(),
    })
}

/// A time as files have it. Days are counted as in Howard Hinnant's `civil_from_days`.
fn instant(millis: u64) -> String {
    let (days, of_day) = (millis / 86_400_000, millis % 86_400_000);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", of_day % 1_000)
}
