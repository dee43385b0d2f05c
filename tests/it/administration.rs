//! What an administrator does, as processes against a real server. The session of docs/administration.md is run by
//! `commands`; here is what a document cannot show: questions at a terminal, long lists, and that nothing changes when
//! nothing should.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{
    cli::Session,
    process::{Ended, program},
    tools::root,
};

/// Every command that takes something away and has to be confirmed, in an order in which none spoils the next.
const RISKY: &[&str] = &[
    "roles delete contact-agent",
    "roles take analyze-manager fatou --leave-teams",
    "teams replace support LIST",
    "teams delete marketing",
    "users teams emil --none",
    "users erase hana",
    "users delete goran --erase",
    "service-accounts delete ci",
    "access set teams/support service --none",
    "resources delete channels/sms --force",
    "policies delete no-export",
];

/// Other commands that write.
const WRITES: &[&str] = &[
    "roles create night --name Night --import people-manager --section users --holder ivo --holder teams/support",
    "roles edit contact-agent --name Agent --add-section users --remove-permission conversations.queues.view",
    "roles edit contact-agent --leave-out conversations:read",
    "roles duplicate analyze-manager copy",
    "roles import contact-agent people-manager",
    "roles take people-manager hana",
    "roles give people-manager ivo teams/support serviceAccounts/ci",
    "roles take analyze-manager teams/support",
    "teams create night --name Night --role people-manager --member ivo",
    "teams edit support --name Helpers",
    "teams add support ivo dana",
    "teams remove support hana",
    "users invite nils --name Nils --email nils@demo-shop.example --role people-manager --team support",
    "users create olga --name Olga",
    "users create oskar --role people-manager --role-on analyze-manager=channels/sms --until 30d",
    "teams create day --role-on people-manager=channels/sms",
    "service-accounts create hourly --role-on people-manager=channels/sms",
    "users edit hana --email hana@elsewhere.example",
    "users activate chidi",
    "users suspend hana",
    "users sign-in hana --time 2026-11-20T08:00:00Z",
    "users teams hana --add marketing",
    "users teams hana --only support --only marketing",
    "service-accounts create nightly --role people-manager",
    "service-accounts edit ci --name Builder",
    "service-accounts suspend ci",
    "resources register channels/voice channels/mail",
    "resources rename channels/sms Texts",
    "policies create quiet POLICY",
    "policies edit no-export POLICY",
    "access set teams/operations channel --all",
    "access add hana channel channels/sms channels/whatsapp",
    "access remove hana channel channels/sms",
    "exceptions give hana reports.detailed.view --reason asked",
    "exceptions take ivo reports.detailed.view",
];

/// What a policy says.
const POLICY: &str = "display_name: Quiet\nstatements: [{effect: deny, permissions: [\"broadcast.**\"]}]\n";

/// The preset and some more of what can be changed; its catalog offers custom policies too.
fn session() -> Session {
    let session = Session::with_preset();
    let parts = "custom_roles:\n  - permissions\n";
    let catalog = session.export("catalogs/infobip-classic");
    assert!(catalog.contains(parts));
    session.apply("more.yaml", &catalog.replace(parts, &format!("{parts}  - custom_policies\n"))).expect(0);
    for line in [
        "service-accounts create ci",
        "policies create no-export POLICY",
        "access add teams/support service services/shop-news",
        "exceptions give ivo reports.detailed.view --reason asked",
    ] {
        run(&session, line, &[]).expect(0);
    }
    session
}

/// Runs a line for the account `demo`. `LIST` and `POLICY` stand for files of the session.
fn run(session: &Session, line: &str, more: &[&str]) -> Ended {
    let list = session.file("list", "# from the directory\nhana\nivo\n").display().to_string();
    let policy = session.file("policy", POLICY).display().to_string();
    let word = |word| match word {
        "LIST" => list.as_str(),
        "POLICY" => policy.as_str(),
        word => word,
    };
    let words: Vec<&str> = line.split(' ').map(word).collect();
    session.run(&[&words, more, &["--account", "demo"]].concat())
}

/// All that there is, so that two moments can be compared: the file, and what the file does not say.
fn everything(session: &Session) -> String {
    let mut all = session.export("accounts/demo");
    for line in ["users list", "teams list", "roles list", "service-accounts list"] {
        let json: Value = serde_json::from_str(&run(session, line, &["-o", "json"]).expect(0)).unwrap();
        // The consistency token may differ where nothing does.
        for (_, items) in json.as_object().unwrap().iter().filter(|(name, _)| *name != "consistency_token") {
            writeln!(all, "{items}").unwrap();
        }
    }
    all
}

/// Runs a command on a terminal of its own, where somebody types this.
fn at_terminal(session: &Session, line: &str, typed: &str) -> (i32, String) {
    let command = format!("{} {line} --address {}", program().display(), session.address);
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--echo", "never", "--command", &command, "/dev/null"])
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script of util-linux is there");
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n"))
}

#[test]
fn what_takes_something_away_needs_a_yes_where_nobody_can_be_asked() {
    let session = session();
    let before = everything(&session);
    for line in RISKY {
        let ended = run(&session, line, &[]);
        assert_eq!(ended.code, 64, "{line}: {}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.stdout, "", "{line}");
        assert!(ended.stderr.contains("--yes"), "{line}: {}", ended.stderr);
        // It says what would go, with a count.
        assert!(ended.stderr.chars().any(|each| each.is_ascii_digit()), "{}", ended.stderr);
    }
    assert_eq!(everything(&session), before, "and nothing has changed");
    for line in RISKY {
        let before = everything(&session);
        run(&session, line, &["--yes"]).expect(0);
        assert_ne!(everything(&session), before, "{line} with --yes is done");
    }
}

#[test]
fn a_dry_run_of_every_write_changes_nothing() {
    let session = session();
    let before = everything(&session);
    for line in WRITES.iter().chain(RISKY) {
        let printed = run(&session, line, &["--dry-run"]).expect(0);
        assert!(printed.starts_with("dry run, nothing was changed: "), "{line}: {printed}");
    }
    assert_eq!(everything(&session), before);
    for line in WRITES {
        let printed = run(&session, line, &["-o", "json"]).expect(0);
        let json: Value = serde_json::from_str(&printed).unwrap();
        assert!(json["consistency_token"].as_str().is_some_and(|token| !token.is_empty()), "{line}: {printed}");
    }
    assert_ne!(everything(&session), before);
}

#[test]
fn a_question_at_a_terminal_is_answered_by_a_person() {
    let session = session();
    let before = everything(&session);
    for (line, typed) in
        [("roles delete contact-agent --account demo", "n\n"), ("teams delete support --account demo", "\n")]
    {
        let (code, shown) = at_terminal(&session, line, typed);
        assert_eq!(code, 1, "{shown}");
        assert!(shown.contains("go on? [y/N]") && shown.contains("nothing was changed"), "{shown}");
    }
    assert_eq!(everything(&session), before);
    let (code, shown) = at_terminal(&session, "roles delete contact-agent --account demo", "y\n");
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("3 users (0 directly), 1 team and 0 service accounts would lose it"), "{shown}");
    run(&session, "roles show custom/contact-agent", &[]).expect(67);
    // Without --leave-teams a person is asked too, and a yes is enough.
    let (code, shown) = at_terminal(&session, "roles take analyze-manager beatriz --account demo", "yes\n");
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("would lose 1 other role: finance-data-manager"), "{shown}");
    assert!(shown.contains("users/beatriz lost analyze-manager, finance-data-manager and left teams/back-office"));
}

#[test]
fn a_catalog_that_drops_what_is_in_use_says_by_whom_and_needs_both_flags() {
    let session = session();
    let exported = session.export("catalogs/infobip-classic");
    let path = session.file("smaller.yaml", &exported.replace("finance-data-manager", "money-manager"));
    let apply = |more: &[&str]| session.run(&[&["apply", path.to_str().unwrap()], more].concat());
    for (more, code) in [(&[][..], 75), (&["--yes"][..], 75), (&["--dry-run"][..], 75), (&["--allow-drops"][..], 64)] {
        let ended = apply(more);
        assert_eq!(ended.code, code, "{more:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("roles/finance-data-manager would go: 1 use in 1 account"), "{}", ended.stderr);
    }
    assert_eq!(session.export("catalogs/infobip-classic"), exported);
    apply(&["--allow-drops", "--dry-run"]).expect(0);
    assert_eq!(session.export("catalogs/infobip-classic"), exported);

    let line = format!("apply {}", path.display());
    let (code, shown) = at_terminal(&session, &line, "n\n");
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("roles/finance-data-manager would go") && shown.contains("go on? [y/N]"), "{shown}");
    assert_eq!(session.export("catalogs/infobip-classic"), exported);
    apply(&["--allow-drops", "--yes"]).expect(0);
    assert_ne!(session.export("catalogs/infobip-classic"), exported);
}

#[test]
fn lists_are_read_to_their_end() {
    let session = session();
    let mut file =
        "kind: account\nid: demo\ncatalog: infobip-classic\nteams:\n  - id: all\n    roles: [people-manager]\nusers:\n"
            .to_owned();
    for number in 0..2_500 {
        writeln!(file, "  - id: user-{number:04}\n    teams: [all]").unwrap();
    }
    session.apply("large.yaml", &file).expect(0);
    for (line, name) in
        [("users list", "users"), ("roles holders people-manager", "holders"), ("teams members all", "members")]
    {
        let json: Value = serde_json::from_str(&run(&session, line, &["-o", "json"]).expect(0)).unwrap();
        assert_eq!(json[name].as_array().unwrap().len(), 2_500, "{line}");
        assert_eq!(run(&session, line, &[]).expect(0).lines().count(), 2_501, "{line}: a header and a line each");
    }
    // The list of a directory is as long, and goes in pieces.
    let list: String = (500..2_500).map(|number| format!("user-{number:04}\n")).collect();
    let path = session.file("directory", &list).display().to_string();
    let printed = run(&session, &format!("teams replace all {path}"), &["--yes"]).expect(0);
    assert_eq!(printed, "teams/all has 2000 members: 0 users joined, 500 users left\n");
}

#[test]
fn programs_get_the_same_as_json_and_as_yaml_with_full_names() {
    let session = session();
    for (line, name) in [
        ("roles list", "/roles/0/name"),
        ("roles show custom/contact-agent", "/role/name"),
        ("roles holders analyze-manager", "/holders/0/name"),
        ("teams list", "/teams/0/name"),
        ("teams show support", "/team/name"),
        ("teams members support", "/members/0"),
        ("users list", "/users/0/name"),
        ("users show beatriz", "/roles/0/teams/0"),
        ("users teams beatriz", "/teams/0"),
        ("service-accounts list", "/service_accounts/0/name"),
        ("service-accounts show ci", "/service_account/name"),
        ("api-scopes beatriz", "/consistency_token"),
        ("who-can reports.detailed.view", "/subjects/0/subject"),
        ("where-can dana channels.channels.use --type channel", "/consistency_token"),
        ("resources list", "/resources/0/name"),
        ("resources show channels/sms", "/resource/name"),
        ("policies list", "/access_policies/0/name"),
        ("policies show custom/no-export", "/access_policy/name"),
        ("access list teams/marketing", "/consistency_token"),
        ("exceptions list ivo", "/consistency_token"),
    ] {
        let json: Value = serde_json::from_str(&run(&session, line, &["-o", "json"]).expect(0)).unwrap();
        let yaml: Value = serde_saphyr::from_str(&run(&session, line, &["-o", "yaml"]).expect(0)).unwrap();
        assert_eq!(json, yaml, "{line}");
        let named = json.pointer(name).and_then(Value::as_str).unwrap_or_else(|| panic!("{line}: {json}"));
        assert!(
            ["accounts/demo/", "catalogs/infobip-classic/"].iter().any(|start| named.starts_with(start))
                || name == "/consistency_token",
            "{line}: {named}"
        );
        assert!(json["consistency_token"].is_string(), "{line}");
    }
    for line in ["catalog list", "catalog show infobip-classic", "presets list", "presets show infobip-classic"] {
        let words: Vec<&str> = line.split(' ').collect();
        let json: Value =
            serde_json::from_str(&session.run(&[&words[..], &["-o", "json"]].concat()).expect(0)).unwrap();
        let yaml: Value =
            serde_saphyr::from_str(&session.run(&[&words[..], &["-o", "yaml"]].concat()).expect(0)).unwrap();
        assert_eq!(json, yaml, "{line}");
    }
}

#[test]
fn a_comparison_of_catalogs_is_the_same_on_the_server_and_here() {
    let session = Session::with_preset();
    session.run(&["presets", "apply", "infobip"]).expect(0);
    let compared = |old: &str, new: &str, code| {
        let printed = session.run(&["catalog", "diff", old, new, "-o", "json"]).expect(code);
        let mut json: Value = serde_json::from_str(&printed).unwrap();
        json.as_object_mut().unwrap().remove("consistency_token");
        json
    };
    let there = compared("catalogs/infobip-classic", "catalogs/infobip", 1);
    assert!(!there["roles"].as_array().unwrap().is_empty());
    assert_eq!(compared("preset:infobip-classic", "preset:infobip", 1), there);
    assert_eq!(compared("catalogs/infobip-classic", "preset:infobip", 1), there);
    compared("catalogs/infobip", "preset:infobip", 0);
}

#[test]
fn the_document_names_every_exit_code() {
    let document = fs::read_to_string(root().join("docs/administration.md")).unwrap();
    let codes = rolecall::cli::exit::EXIT_CODES.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok());
    let codes: Vec<u8> = codes.collect();
    assert!(codes.len() > 5, "{codes:?}");
    for code in codes {
        assert!(document.contains(&format!("\n| {code} | ")), "{code}");
    }
}

#[test]
fn the_page_of_a_user_and_of_a_team_shows_what_each_has_access_to_itself() {
    let session = session();
    run(&session, "access add dana channel channels/sms channels/whatsapp", &[]).expect(0);
    let team = "Access:       all of channel; service services/shop-news; template templates/spring-sale\n";
    let user = "Access:      channel channels/sms, channels/whatsapp\n";
    for (line, shown) in [("teams show marketing", team), ("users show dana", user)] {
        let printed = run(&session, line, &[]).expect(0);
        assert!(printed.contains(shown), "{line}: {printed}");
    }
    for (line, facets) in [("teams show marketing", 3), ("users show dana", 1), ("users show emil", 0)] {
        let json: Value = serde_json::from_str(&run(&session, line, &["-o", "json"]).expect(0)).unwrap();
        assert_eq!(json["access_lists"].as_array().unwrap().len(), facets, "{line}: {json}");
    }
}
