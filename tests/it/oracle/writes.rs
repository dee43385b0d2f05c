//! The writes of accounts, users, service accounts and teams, one for each thing that the API can change. What is deleted
//! is forgotten everywhere at once.

use super::{Account, Holder, Oracle, ServiceAccount, Set, State, Subject, Texts, User};

impl Oracle {
    /// Another write begins.
    pub fn next_write(&mut self) {
        self.write += 1;
    }

    pub fn create_account(&mut self, id: &str, catalog: &str, features: Set) {
        let account = Account { catalog: catalog.into(), active: true, features, ..Account::default() };
        self.accounts.insert(id.into(), account);
    }

    pub fn update_account(&mut self, id: &str, active: Option<bool>, features: Option<Set>) {
        if let Some(account) = self.accounts.get_mut(id) {
            account.active = active.unwrap_or(account.active);
            account.features = features.unwrap_or_else(|| account.features.clone());
        }
    }

    pub fn delete_account(&mut self, id: &str) {
        self.accounts.remove(id);
    }

    /// Makes an account equal to a file. What was there under the same id stays the same thing: it keeps its age and, of
    /// a user, the last sign-in. What is new is made in the order of the ids. A binding with another expiry is another one.
    pub fn apply_account(&mut self, id: &str, mut file: Account) {
        let old = self.accounts.get(id).cloned().unwrap_or_default();
        file.made = old.made;
        let mut next = || {
            file.made += 1;
            file.made
        };
        for (id, user) in &mut file.users {
            let known = old.users.get(id);
            user.last_sign_in = known.and_then(|known| known.last_sign_in);
            user.made = known.map_or_else(&mut next, |known| known.made);
        }
        for (id, account) in &mut file.service_accounts {
            account.made = old.service_accounts.get(id).map_or_else(&mut next, |known| known.made);
        }
        for (path, made) in &mut file.resources {
            *made = old.resources.get(path).copied().unwrap_or_else(&mut next);
        }
        for (key, binding) in &mut file.bindings {
            let same = old.bindings.get(key).filter(|known| known.expires == binding.expires);
            binding.made = same.map_or(self.write, |known| known.made);
        }
        file.drop_empty_access();
        for (id, role) in &mut file.roles {
            let before = old.roles.get(id).map(|role| role.left_out.clone()).unwrap_or_default();
            role.left_out.extend(self.void(&file.catalog, before));
        }
        self.accounts.insert(id.into(), file);
    }

    pub fn create_user(&mut self, account: &str, id: &str, state: State) {
        self.write(account, |account| {
            let user = User { state, made: account.next(), ..User::default() };
            account.users.insert(id.into(), user);
        });
    }

    pub fn update_user(&mut self, account: &str, id: &str, state: State) {
        self.write(account, |account| _ = account.users.get_mut(id).map(|user| user.state = state));
    }

    pub fn set_user_texts(&mut self, account: &str, id: &str, texts: Texts) {
        self.write(account, |account| _ = account.users.get_mut(id).map(|user| user.texts = texts));
    }

    /// The user stays, and so does what it may do.
    pub fn erase_user(&mut self, account: &str, id: &str) {
        self.set_user_texts(account, id, Texts::default());
    }

    /// An earlier sign-in than what is recorded changes nothing.
    pub fn record_sign_in(&mut self, account: &str, id: &str, seconds: i64) {
        self.write(account, |account| {
            if let Some(user) = account.users.get_mut(id) {
                user.last_sign_in = user.last_sign_in.max(Some(seconds));
            }
        });
    }

    pub fn delete_user(&mut self, account: &str, id: &str) {
        self.write(account, |account| {
            account.users.remove(id);
            account.teams.values_mut().for_each(|members| _ = members.remove(id));
            account.exceptions.retain(|(user, _), _| user != id);
            account.forget(&Holder::User(id.into()));
        });
    }

    pub fn create_service_account(&mut self, account: &str, id: &str, state: State) {
        self.write(account, |account| {
            let made = account.next();
            account.service_accounts.insert(id.into(), ServiceAccount { state, made });
        });
    }

    pub fn update_service_account(&mut self, account: &str, id: &str, state: State) {
        self.write(account, |account| _ = account.service_accounts.get_mut(id).map(|old| old.state = state));
    }

    pub fn delete_service_account(&mut self, account: &str, id: &str) {
        self.write(account, |account| {
            account.service_accounts.remove(id);
            account.forget(&Holder::ServiceAccount(id.into()));
        });
    }

    pub fn create_team(&mut self, account: &str, id: &str) {
        self.write(account, |account| _ = account.teams.insert(id.into(), Set::new()));
    }

    pub fn delete_team(&mut self, account: &str, id: &str) {
        self.write(account, |account| {
            account.teams.remove(id);
            account.forget(&Holder::Team(id.into()));
        });
    }

    pub fn add_member(&mut self, account: &str, team: &str, user: &str) {
        self.write(account, |account| _ = account.teams.get_mut(team).map(|members| members.insert(user.into())));
    }

    pub fn remove_member(&mut self, account: &str, team: &str, user: &str) {
        self.write(account, |account| _ = account.teams.get_mut(team).map(|members| members.remove(user)));
    }

    pub(super) fn write(&mut self, account: &str, write: impl FnOnce(&mut Account)) {
        if let Some(account) = self.accounts.get_mut(account) {
            write(account);
        }
    }
}

impl Account {
    pub(super) fn next(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    /// Takes away the bindings and the access lists of a holder.
    fn forget(&mut self, holder: &Holder) {
        self.bindings.retain(|(other, _, _), _| other != holder);
        self.access.retain(|(other, _), _| other != holder);
    }

    /// Where a subject stands, if there is such a one.
    pub fn state_of(&self, subject: &Subject) -> Option<State> {
        match subject {
            Subject::User(id) => self.users.get(id).map(|user| user.state),
            Subject::ServiceAccount(id) => self.service_accounts.get(id).map(|account| account.state),
        }
    }

    /// Whether somebody or something can hold roles here.
    pub fn has_holder(&self, holder: &Holder) -> bool {
        match holder {
            Holder::User(id) => self.users.contains_key(id),
            Holder::Team(id) => self.teams.contains_key(id),
            Holder::ServiceAccount(id) => self.service_accounts.contains_key(id),
        }
    }
}
