//! Catalogs and account files made at random, applied, and taken over by the oracle.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use tonic::Status;

use super::{
    super::oracle::{Catalog, CustomRole, Holder, Permission, Role, RoleName, State, User},
    Difference, Random, Set, Worker, features, permissions, roles, teams, users,
};

impl Worker {
    fn random_catalog(&mut self) -> Catalog {
        let random = &mut self.random;
        let kept = random.subset(85, features());
        let mut api_scopes: BTreeMap<String, Set> = BTreeMap::new();
        for number in 0..5 {
            // Only later ones are included, so there are no cycles.
            let includes = random.subset(30, (number + 1..5).map(|other| format!("x{other}:y")));
            api_scopes.insert(format!("x{number}:y"), includes);
        }
        let mut defined = BTreeMap::new();
        for id in random.subset(92, permissions()) {
            let feature = if random.chance(60) { random.pick(kept.iter().cloned()) } else { None };
            let internal = random.chance(12);
            let section = format!("s{}", random.below(2));
            let scopes = random.subset(25, api_scopes.keys().cloned());
            defined.insert(id, Permission { feature, internal, section, api_scopes: scopes });
        }
        let mut managed = BTreeMap::new();
        for number in 0..5 {
            if random.chance(90) {
                let internal = number == 4;
                let may = |(_, permission): &(&String, &Permission)| internal || !permission.internal;
                let may: Vec<String> = defined.iter().filter(may).map(|(id, _)| id.clone()).collect();
                managed.insert(format!("m{number}"), Role { internal, permissions: random.subset(30, may) });
            }
        }
        Catalog { features: kept, permissions: defined, api_scopes, roles: managed }
    }

    pub(super) async fn replace_catalog(&mut self, number: usize) -> Result<(), Status> {
        let catalog = self.random_catalog();
        let id = self.catalog_id(number);
        let file = json!({
            "kind": "catalog", "id": id, "display_name": id, "custom_roles": ["permissions"],
            "features": catalog.features.iter().map(|id| json!({"id": id, "display_name": id})).collect::<Vec<_>>(),
            "sections": [{"id": "s0", "display_name": "S"}, {"id": "s1", "display_name": "S"}],
            "api_scopes": catalog.api_scopes.iter()
                .map(|(id, includes)| json!({"id": id, "includes": includes})).collect::<Vec<_>>(),
            "permissions": catalog.permissions.iter().map(|(id, each)| {
                let mut text = json!({"id": id, "section": each.section, "api_scopes": each.api_scopes, "internal": each.internal});
                if let Some(feature) = &each.feature {
                    text["feature"] = json!(feature);
                }
                text
            }).collect::<Vec<_>>(),
            "roles": catalog.roles.iter().map(|(id, each)| {
                json!({"id": id, "display_name": id, "internal": each.internal, "permissions": each.permissions})
            }).collect::<Vec<_>>(),
        });
        let file = serde_json::to_string_pretty(&file).unwrap();
        self.token = self
            .clients
            .apply_catalog(&file)
            .await
            .map_err(|(problems, status)| Status::internal(format!("{status}: {problems:?}")))?;
        self.oracle.replace_catalog(&id, catalog);
        Ok(())
    }

    /// Applies a file that keeps, drops and adds at random.
    pub(super) async fn apply_account(&mut self, account: &str) -> Result<(), Difference> {
        let Some(found) = self.oracle.accounts.get(account).cloned() else { return Ok(()) };
        let catalog = self.oracle.catalogs[&found.catalog].clone();
        let random = &mut self.random;
        let kept_features = random.subset(70, catalog.features.clone());
        let mut kept_roles: BTreeMap<String, Set> = BTreeMap::new();
        for id in random.subset(70, roles()) {
            let may = catalog.permissions.iter().filter(|(_, each)| !each.internal).map(|(id, _)| id.clone());
            let may: Vec<String> = may.collect();
            let old = found.roles.get(&id).filter(|_| random.chance(60)).map(|role| role.permissions.clone());
            let old = old.map(|old: Set| old.into_iter().filter(|id| may.contains(id)).collect());
            let listed = old.unwrap_or_else(|| random.subset(30, may));
            kept_roles.insert(id, listed);
        }
        let kept_teams = random.subset(70, teams());
        let mut names: Vec<RoleName> = catalog.roles.keys().cloned().map(RoleName::Managed).collect();
        names.extend(kept_roles.keys().cloned().map(RoleName::Custom));
        let mut bindings = BTreeSet::new();
        let mut choose = |random: &mut Random, holder: Holder| -> Vec<String> {
            let mut chosen = Vec::new();
            for role in &names {
                let held = found.bindings.contains_key(&(holder.clone(), role.clone()));
                if random.chance(if held { 80 } else { 10 }) {
                    bindings.insert((holder.clone(), role.clone()));
                    chosen.push(match role {
                        RoleName::Managed(id) => id.clone(),
                        RoleName::Custom(id) => format!("custom/{id}"),
                    });
                }
            }
            chosen
        };
        let mut file_teams = Vec::new();
        for team in &kept_teams {
            file_teams.push(json!({"id": team, "roles": choose(random, Holder::Team(team.clone()))}));
        }
        let mut file_users = Vec::new();
        let mut states = BTreeMap::new();
        let mut members: BTreeMap<String, Set> = kept_teams.iter().map(|team| (team.clone(), Set::new())).collect();
        for user in random.subset(80, users()) {
            let state = if random.chance(85) { State::Active } else { State::Suspended };
            let text = if state == State::Active { "active" } else { "suspended" };
            let joined = random.subset(35, kept_teams.clone());
            for team in &joined {
                members.get_mut(team).unwrap().insert(user.clone());
            }
            let held = choose(random, Holder::User(user.clone()));
            file_users.push(json!({"id": user, "state": text, "teams": joined, "roles": held}));
            states.insert(user, state);
        }
        let file = json!({
            "kind": "account", "id": account, "catalog": found.catalog, "features": kept_features,
            "roles": kept_roles.iter()
                .map(|(id, listed)| json!({"id": id, "display_name": id, "permissions": listed})).collect::<Vec<_>>(),
            "teams": file_teams, "users": file_users,
        });
        let outcome = self.clients.apply_account(&serde_json::to_string(&file).unwrap()).await;
        let outcome =
            outcome.map_err(|(problems, status)| Status::new(status.code(), format!("{status} {problems:?}")));
        if let Some(token) = self.expect("ApplyAccount", outcome, None)? {
            self.token = token;
            // Nothing of an account but its catalog outlives a file that does not name it.
            let whole = self.oracle.accounts.get_mut(account).unwrap();
            whole.active = true;
            whole.features = kept_features;
            whole.roles = kept_roles
                .into_iter()
                .map(|(id, listed)| (id, CustomRole { permissions: listed, left_out: Set::new() }))
                .collect();
            whole.teams = members;
            whole.users = states.into_iter().map(|(id, state)| (id, User { state, ..User::default() })).collect();
            whole.bindings = bindings.into_iter().map(|binding| (binding, 0)).collect();
        }
        Ok(())
    }
}
