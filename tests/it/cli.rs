//! A person's session with the command line, as processes against a real server.
//!
//! Every command is run as it is typed; what it prints and its exit code are compared. [`Session`] is the server and a
//! place for files.

use std::{
    fmt::Write as _,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use rolecall::presets::INFOBIP_CLASSIC;
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Ended, Process, program, rolecall, run};

pub struct Session {
    _server: Process,
    pub address: String,
    files: TempDir,
    _data: TempDir,
}

impl Session {
    /// A server with nothing in it.
    pub fn start() -> Self {
        let data = TempDir::new().unwrap();
        let server = Process::start(data.path(), &[]);
        Self { address: server.address(), _server: server, files: TempDir::new().unwrap(), _data: data }
    }

    /// A server with the preset and its account.
    pub fn with_preset() -> Self {
        let session = Self::start();
        session.apply("catalog.yaml", INFOBIP_CLASSIC.catalog).expect(0);
        session.apply("account.yaml", INFOBIP_CLASSIC.account).expect(0);
        session
    }

    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.files.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        run(rolecall().args(arguments).args(["--address", &self.address]))
    }

    pub fn apply(&self, name: &str, content: &str) -> Ended {
        run(rolecall().arg("apply").arg(self.file(name, content)).args(["--address", &self.address]))
    }

    pub fn export(&self, name: &str) -> String {
        self.run(&["export", name]).expect(0)
    }
}

/// A text with one part replaced, which has to be there.
#[track_caller]
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

#[test]
fn applying_a_file_prints_exactly_what_it_changes() {
    let session = Session::start();
    let printed = session.apply("catalog.yaml", INFOBIP_CLASSIC.catalog).expect(0);
    assert!(printed.contains("created  catalogs/infobip-classic"), "{printed}");
    let printed = session.apply("account.yaml", INFOBIP_CLASSIC.account).expect(0);
    assert!(printed.ends_with("accounts/demo is as the file says: 21 created, 0 updated, 0 deleted\n"), "{printed}");
    for (name, content) in [("catalog.yaml", INFOBIP_CLASSIC.catalog), ("account.yaml", INFOBIP_CLASSIC.account)] {
        let printed = session.apply(name, content).expect(0);
        assert!(printed.ends_with(": nothing changed, the file was in force already\n"), "{printed}");
    }

    let mut file = INFOBIP_CLASSIC.account.to_owned();
    for (from, to) in [
        ("      - conversations.queues.view\n", ""),
        ("      - conversations.conversations.assign\n", "      - conversations.queues.edit\n"),
        // The team goes, and with it Emil's membership, which is told with the team.
        (
            "  - id: operations\n    display_name: Operations\n    description: Keeps channels, numbers and apps running.\n    \
             roles:\n      - integrations-manager\n",
            "",
        ),
        ("    teams:\n      - operations\n", ""),
        (
            "email: hana@demo-shop.example\n    teams:\n      - support\n",
            "email: hana@demo-shop.example\n    teams: [marketing]\n",
        ),
        ("display_name: Amira Haddad", "display_name: Amira H."),
        ("  - id: ivo\n", "  - id: jun\n    teams: [support]\n  - id: ivo\n"),
    ] {
        file = replaced(&file, from, to);
    }
    let printed = session.apply("account.yaml", &file).expect(0);
    let rows: Vec<Vec<&str>> = printed.lines().map(|line| line.split_whitespace().collect()).collect();
    let changed: Vec<_> = rows[1..rows.len() - 1].iter().map(|row| (row[0], row[1])).collect();
    let mut sorted = changed.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        [
            ("created", "users/jun"),
            ("deleted", "teams/operations"),
            ("updated", "roles/contact-agent"),
            ("updated", "users/amira"),
            ("updated", "users/hana"),
        ],
        "{printed}"
    );
    let detail_of = |subject: &str| rows.iter().find(|row| row.get(1) == Some(&subject)).unwrap()[2..].join(" ");
    assert_eq!(detail_of("users/amira"), "display_name");
    assert_eq!(detail_of("users/hana"), "teams +marketing -support");
    assert_eq!(
        detail_of("roles/contact-agent"),
        "permissions +conversations.queues.edit -conversations.conversations.assign -conversations.queues.view"
    );
    assert!(printed.ends_with("1 created, 3 updated, 1 deleted\n"), "{printed}");
}

#[test]
fn an_export_can_be_applied_and_exported_again_as_the_same_bytes() {
    let session = Session::with_preset();
    let names = ["null", "1e3", "0x1F", "~", "true", "No", "-", "=", "2024-01-01", "1_000", ".5", "a:b", "+1", "@x"];
    let texts = [
        "null",
        "1e3",
        "~",
        "",
        " leading and trailing ",
        "two  spaces",
        "\"double\" and 'single'",
        "back\\slash",
        "# no comment",
        "key: value",
        "- item",
        "{a: [b]}",
        "&anchor *alias !tag",
        "%percent",
        "Žofie 山田 🦀",
        "e\u{301} \u{200f}rtl\u{200b}",
        "---",
        "...",
    ];
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let mut file = "kind: account\nid: \"1e3\"\ndisplay_name: \"null\"\ncatalog: infobip-classic\nusers:\n".to_owned();
    for (index, text) in texts.iter().enumerate() {
        let id = names.get(index).map_or_else(|| format!("u{index}"), |id| (*id).to_owned());
        writeln!(file, "  - id: {}\n    display_name: {}", quoted(&id), quoted(text)).unwrap();
    }
    file += "teams:\n";
    for name in names {
        writeln!(file, "  - id: {0}\n    display_name: {0}\n    description: {0}", quoted(name)).unwrap();
    }
    session.apply("nasty.yaml", &file).expect(0);

    for name in ["catalogs/infobip-classic", "accounts/demo", "accounts/1e3"] {
        let exported = session.export(name);
        let again = session.apply("exported.yaml", &exported).expect(0);
        assert!(again.contains("nothing changed"), "{name}: {again}");
        assert_eq!(session.export(name), exported, "{name}");
        // The same on a server that never saw it.
        let other = Session::with_preset();
        other.apply("exported.yaml", &exported).expect(0);
        assert_eq!(other.export(name), exported, "{name} on another server");
    }
    let exported: Value = serde_saphyr::from_str(&session.export("accounts/1e3")).unwrap();
    let users = exported["users"].as_array().unwrap();
    for (index, text) in texts.iter().enumerate() {
        let id = names.get(index).map_or_else(|| format!("u{index}"), |id| (*id).to_owned());
        let user = users.iter().find(|user| user["id"] == id.as_str()).unwrap();
        assert_eq!(user["display_name"].as_str().unwrap_or_default(), *text, "{id}");
    }

    let path = session.files.path().join("to.yaml");
    let ended = session.run(&["export", "accounts/demo", "--output-file", path.to_str().unwrap()]);
    assert_eq!(ended.expect(0), "");
    assert_eq!(std::fs::read_to_string(path).unwrap(), session.export("accounts/demo"));
}

#[test]
fn a_check_says_allow_deny_or_error_by_its_exit_code() {
    let session = Session::with_preset();
    for (user, permission, account, code, expected) in [
        ("beatriz", "reports.detailed.view", "demo", 0, "ALLOW  ALLOWED"),
        ("users/beatriz", "reports.detailed.view", "accounts/demo", 0, "ALLOW  ALLOWED"),
        ("ivo", "reports.detailed.view", "demo", 1, "DENY  NO_ROLE_GRANTS"),
        ("chidi", "reports.detailed.view", "demo", 1, "DENY  SUBJECT_NOT_ACTIVE"),
        ("nobody", "reports.detailed.view", "demo", 1, "DENY  SUBJECT_UNKNOWN"),
        ("beatriz", "reports.detailed.veiw", "demo", 67, "PERMISSION_NOT_FOUND"),
        ("beatriz", "reports.detailed.view", "dmeo", 67, "ACCOUNT_NOT_FOUND"),
        ("teams/support", "reports.detailed.view", "demo", 65, "subject"),
    ] {
        let ended = session.run(&["check", user, permission, "--account", account]);
        let printed = format!("{}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.code, code, "{user} {permission}: {printed}");
        assert!(printed.contains(expected), "{user} {permission}: {printed}");
        assert_eq!(ended.stdout.is_empty(), code > 1, "an error is not printed as an answer: {printed}");
    }
}

#[test]
fn permissions_are_printed_as_a_table_as_json_and_as_yaml() {
    let session = Session::with_preset();
    let printed =
        |format: &str| session.run(&["permissions", "fatou", "--account", "demo", "--output", format]).expect(0);
    let table = printed("table");
    let json: Value = serde_json::from_str(&printed("json")).unwrap();
    let yaml: Value = serde_saphyr::from_str(&printed("yaml")).unwrap();
    assert_eq!(json, yaml);
    let permissions = json["permissions"].as_array().unwrap();
    assert!(!permissions.is_empty());
    for permission in permissions {
        assert!(table.contains(permission["permission"].as_str().unwrap()), "{permission}\n{table}");
        assert!(!permission["grant_paths"].as_array().unwrap().is_empty(), "{permission}");
    }
    let json = session.run(&["check", "ivo", "reports.detailed.view", "--account", "demo", "-o", "json"]);
    let json: Value = serde_json::from_str(&json.expect(1)).unwrap();
    assert_eq!(json["decision"], "DECISION_DENY");
}

#[test]
fn all_that_is_wrong_with_a_file_is_told_with_its_place() {
    let session = Session::start();
    let file = "kind: catalog\nid: bad id\ndisplay_name: Bad\nfeatures:\n  - id: f\n    display_name: F\n  - id: f\n    \
                display_name: F again\nsections:\n  - id: s\n    display_name: S\npermissions:\n  - id: one\n    \
                description: Too few segments.\n    section: s\n  - id: a.b\n    description: No such section.\n    \
                section: t\n  - id: a.c\n    description: No such feature.\n    section: s\n    feature: g\nroles:\n  \
                - id: r\n    display_name: R\n    description: R.\n    permissions: [a.b, a.x]\n    colour: red\n";
    let ended = session.apply("bad.yaml", file);
    assert_eq!(ended.code, 65, "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    let path = session.files.path().join("bad.yaml");
    let mut places: Vec<(usize, usize)> = Vec::new();
    for line in ended.stderr.lines().filter(|line| !line.starts_with("error: ")) {
        let rest = line.strip_prefix(&format!("{}:", path.display())).unwrap_or_else(|| panic!("{line}"));
        let mut parts = rest.splitn(3, ':');
        let mut number = || parts.next().unwrap().parse().unwrap();
        places.push((number(), number()));
    }
    let lines: Vec<_> = places.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 7, 13, 18, 22, 27, 28], "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("7 problems in {}; nothing was changed", path.display())));
    session.run(&["export", "catalogs/bad"]).expect(67);
}

#[test]
fn without_a_server_a_command_says_what_to_do() {
    // Taken and given back: nobody listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let place = TempDir::new().unwrap();
    let file = place.path().join("account.yaml");
    std::fs::write(&file, INFOBIP_CLASSIC.account).unwrap();
    let socket = format!("unix:{}", place.path().join("socket").display());
    for address in [address.as_str(), socket.as_str()] {
        for arguments in [
            ["check", "a", "b.c", "--account=d"].as_slice(),
            &["permissions", "a", "--account=d"],
            &["apply", file.to_str().unwrap()],
            &["export", "accounts/demo"],
        ] {
            let ended = run(rolecall().args(arguments).args(["--address", address]));
            assert_eq!(ended.code, 69, "{arguments:?}: {}", ended.stderr);
            assert!(ended.stderr.contains(address), "{arguments:?}: {}", ended.stderr);
            assert!(ended.stderr.contains("rolecall serve"), "{arguments:?}: {}", ended.stderr);
        }
        let ended = run(rolecall().args(["healthcheck", "--address", address]));
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{}", ended.stderr);
    }
}

#[test]
fn health_version_and_completions_need_nothing_else() {
    let session = Session::start();
    let ended = session.run(&["healthcheck"]);
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (0, "", ""));
    session.run(&["healthcheck", "--service", "rolecall.v1.UserService"]).expect(0);
    session.run(&["healthcheck", "--service", "rolecall.v1.NoService"]).expect(1);
    let version = run(rolecall().arg("version")).expect(0);
    assert_eq!(version, format!("rolecall {}\n", env!("CARGO_PKG_VERSION")));
    for shell in ["bash", "zsh", "fish"] {
        let script = run(rolecall().args(["completion", shell])).expect(0);
        assert!(script.contains("rolecall") && script.contains("permissions"), "{shell}");
    }
}

#[test]
fn twenty_thousand_users_are_applied_in_one_write_and_come_back_as_they_were() {
    let session = Session::with_preset();
    let mut file = "kind: account\nid: large\ndisplay_name: Large\ncatalog: infobip-classic\nfeatures:\n  - reports\n\
                    teams:\n  - id: all\n    display_name: All\n    roles: [analyze-manager]\nusers:\n"
        .to_owned();
    for number in 0..20_000 {
        writeln!(file, "  - id: user-{number:05}\n    display_name: User {number}").unwrap();
        if number % 2 == 0 {
            file += "    teams: [all]\n";
        }
        if number % 5 == 0 {
            file += "    roles: [people-manager]\n";
        }
    }
    let begun = Instant::now();
    let printed = session.apply("large.yaml", &file).expect(0);
    let applied = begun.elapsed();
    assert!(printed.ends_with("20002 created, 0 updated, 0 deleted\n"), "{}", printed.lines().last().unwrap());
    let exported = session.export("accounts/large");
    println!("20,000 users: {applied:.1?} to apply, {:.1?} to export", begun.elapsed() - applied);
    // It was written in the canonical form, so the bytes have to be the same.
    assert!(exported == file, "the export differs; it begins with\n{}", &exported[..500]);
    let ended = session.run(&["check", "user-19998", "reports.detailed.view", "--account", "large"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let ended = session.run(&["check", "user-19999", "reports.detailed.view", "--account", "large"]);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
}

#[test]
fn the_commands_that_the_demo_prints_work_as_they_are_printed() {
    let mut demo = Process::start_demo();
    let begun = Instant::now();
    let commands: Vec<String> = loop {
        let printed = demo.stdout();
        let commands: Vec<_> = printed.lines().filter_map(|line| line.strip_prefix("  ")).map(str::to_owned).collect();
        if printed.contains("Ctrl-C") {
            break commands;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{printed}");
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(commands.len(), 3, "{commands:?}");
    let expected = ["ALLOW  ALLOWED", "reports.detailed.view", "DECISION_ALLOW"];
    for (command, expected) in commands.iter().zip(expected) {
        let ended = run(Command::new("sh").args(["-c", command]));
        assert_ne!(ended.code, 127, "{command}: grpcurl is missing: run tests/run, which installs it");
        assert_eq!(ended.code, 0, "{command}: {}{}", ended.stdout, ended.stderr);
        assert!(ended.stdout.contains(expected), "{command}: {}", ended.stdout);
    }
    assert!(commands[0].starts_with(program().to_str().unwrap()), "{}", commands[0]);
    demo.stop();
}
