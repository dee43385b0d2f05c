//! The accounts that are asked about.

use std::{path::Path, sync::Arc, time::Duration};

use rolecall::{
    config::{DataPlace, LogFormat, ServeSettings},
    files,
    presets::{BIRD, INFOBIP, INFOBIP_CLASSIC, Preset, TEAM_INBOX, TEXTEL},
    server::{self, Running},
    service::{apply_account, apply_catalog},
};

/// How many users each of the small accounts has.
pub const USERS: usize = 1_000;

/// A server in this process, without data.
pub async fn server(directory: &Path) -> Running {
    server_with_cache(directory, 256 << 20).await
}

/// The same, with a cache of so many bytes.
pub async fn server_with_cache(directory: &Path, cache_bytes: u64) -> Running {
    server::start(ServeSettings {
        listen: Some("127.0.0.1:0".parse().unwrap()),
        listen_unix: None,
        data: DataPlace::Directory(directory.to_owned()),
        cache_bytes,
        threads: None,
        log: "error".to_owned(),
        log_format: LogFormat::Pretty,
        drain: Duration::ZERO,
        shutdown_grace: Duration::from_secs(1),
        ready_file: None,
    })
    .await
    .unwrap()
}

/// The id of a user.
pub fn user(number: usize) -> String {
    format!("user-{number}")
}

/// What is asked in an account of one kind.
pub struct Kind {
    pub name: &'static str,
    pub account: &'static str,
    pub permission: &'static str,
    pub resource: &'static str,
    pub facets: &'static [(&'static str, &'static str)],
    /// The assignee is the one who asks.
    pub is_assigned: bool,
    preset: Preset,
    /// The account file, less its users.
    head: &'static str,
    /// What each user has.
    user: &'static str,
}

/// Roles and teams alone; then each of what an account can use besides.
pub const KINDS: [Kind; 5] = [
    Kind {
        name: "roles and teams",
        account: "plain",
        permission: "reports.detailed.view",
        resource: "",
        facets: &[],
        is_assigned: false,
        preset: INFOBIP_CLASSIC,
        head: "features: [dashboard, logs, reports, teams]\nteams:\n  - {id: team, roles: [analyze-manager]}\n",
        user: "teams: [team], roles: [account-manager]",
    },
    Kind {
        name: "policies with a deny, on a resource",
        account: "policies",
        permission: "inbox.conversations.view",
        resource: "workspaces/sales/channels/sms",
        facets: &[],
        is_assigned: false,
        preset: BIRD,
        head: "resources:\n  - {path: workspaces/sales, display_name: S}\npolicies:\n  - id: kept\n    display_name: K\n    \
               statements:\n      - {effect: deny, permissions: ['*.*.delete']}\nroles:\n  - {id: careful, display_name: C, \
               policies: [inbox-agent, custom/kept]}\n",
        user: "roles: [{role: custom/careful, resource: workspaces/sales}]",
    },
    Kind {
        name: "facets",
        account: "facets",
        permission: "conversations.conversations.view",
        resource: "",
        facets: &[("line", "lines/one")],
        is_assigned: false,
        preset: TEXTEL,
        head: "features: [conversations]\nresources:\n  - {path: lines/one, display_name: One}\n",
        user: "roles: [standard-user], access: [{facet: feature, values: [conversations]}, {facet: line, values: [lines/one]}]",
    },
    Kind {
        name: "a condition",
        account: "conditions",
        permission: "conversations.conversations.view",
        resource: "",
        facets: &[],
        is_assigned: true,
        preset: INFOBIP,
        head: "features: [conversations]\n",
        user: "roles: [agent-for-conversations]",
    },
    Kind {
        name: "an exception that expires",
        account: "exceptions",
        permission: "reporting.reports.view",
        resource: "",
        facets: &[],
        is_assigned: false,
        preset: TEAM_INBOX,
        head: "",
        user: "roles: [agent], exceptions: [{permission: reporting.reports.view, reason: R, \
               expires: '2099-01-01T00:00:00Z'}]",
    },
];

impl Kind {
    /// The account file, less its users.
    pub fn head(&self) -> String {
        format!("kind: account\nid: {}\ncatalog: {}\n{}users:\n", self.account, self.preset.name, self.head)
    }

    /// A line of the account file for a user.
    pub fn user_line(&self, user: &str) -> String {
        format!("  - {{id: {user}, {}}}\n", self.user)
    }

    /// Creates the account with its catalog.
    pub async fn create(&self, running: &Running) {
        let catalog = files::parse_catalog(self.preset.catalog.as_bytes()).unwrap();
        let mut text = self.head();
        for number in 0..USERS {
            text += &self.user_line(&user(number));
        }
        let account = files::parse_account(text.as_bytes()).unwrap();
        running.service().write(apply_catalog(catalog, true, None, Arc::default())).await.unwrap();
        running.service().write(apply_account(account, None, Arc::default())).await.unwrap();
    }
}
