//! The commands of operators, over the socket of a running service and without one.

use serde_json::{Value as Json, json};

use crate::world::{Served, World, mode, set_mode};

/// A service with a key, and a session of ada.
struct Running {
    served: Served,
    world: World,
    key: String,
    session: Json,
}

impl Running {
    fn new() -> Self {
        let world = World::new();
        let served = world.serve(&[]);
        let key = key_of(&world, "sessions");
        let session = served.begin(&key, "ada");
        Self { served, world, key, session }
    }

    fn id(&self) -> &str {
        self.session["session"]["id"].as_str().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Json {
        self.world.run(&[arguments, &["--json"]].concat()).json()
    }

    fn good(&self, arguments: &[&str]) -> String {
        self.world.run(arguments).good()
    }
}

fn key_of(world: &World, scope: &str) -> String {
    let made = world.run(&["service-key", "create", "--name", "web", "--scope", scope, "--json"]);
    made.json()["key"].as_str().unwrap().to_owned()
}

#[test]
fn b17_a_service_key_is_made_before_the_service_starts_and_good_once_it_runs() {
    let world = World::new();
    let arguments = ["service-key", "create", "--name", "web", "--scope", "begin,introspect"];
    let made = world.run(&[&arguments[..], &["--json"]].concat()).json();
    let mut fields: Vec<_> = made.as_object().unwrap().keys().collect();
    fields.sort();
    assert_eq!(fields, ["id", "key", "name", "scopes"]);
    assert_eq!(made["scopes"], json!(["begin", "introspect"]));
    assert_eq!(mode(&world.path("handstamp-data")), 0o700);
    let served = world.serve(&[]);
    served.begin(made["key"].as_str().unwrap(), "ada");
}

#[test]
fn b17_a_service_key_of_a_running_service_is_shown_once_listed_and_revoked() {
    let running = Running::new();
    let arguments = ["service-key", "create", "--name", "till", "--scope", "admin"];
    let printed = running.world.run(&arguments).out();
    assert!(printed.starts_with("hsk_") && printed.lines().count() == 1, "{printed}");
    let listed = running.json(&["service-key", "list"]);
    let keys = listed["service_keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    assert!(!listed.to_string().contains(printed.trim()), "the key is never shown again");
    let till = keys.iter().find(|key| key["name"] == "till").unwrap();
    assert_eq!((&till["scopes"], &till["revoked_at"]), (&json!(["admin"]), &Json::Null));
    let id = till["id"].as_str().unwrap();
    assert_eq!(running.json(&["service-key", "revoke", id]), json!({ "revoked": true }));
    assert_eq!(running.json(&["service-key", "revoke", id]), json!({ "revoked": false }));
    let table = running.good(&["service-key", "list"]);
    assert!(table.starts_with("id ") && table.contains("till"), "{table}");
    running.world.run(&["service-key", "revoke", "nobody"]).line(3);
    let line =
        running.world.run(&["service-key", "create", "--name", "x", "--scope", "root"]).line(2);
    assert!(line.contains("introspect"), "{line}");
}

#[test]
fn what_only_an_operator_here_may_ask_is_not_to_be_had_over_the_network() {
    let running = Running::new();
    for path in ["/local/service-keys", "/local/subjects/ada"] {
        assert_eq!(running.served.get(path).0, 404, "{path}");
    }
    assert!(!running.served.get("/openapi.json").1.contains("/local/"));
}

#[test]
fn f02_sessions_are_listed_shown_and_ended() {
    let running = Running::new();
    running.served.begin(&running.key, "bob");
    let listed = running.json(&["sessions", "list", "--subject", "ada"]);
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(listed["sessions"][0]["id"], running.id());
    let table = running.good(&["sessions", "list"]);
    assert!(table.contains("bob") && table.contains("203.0.113.7"), "{table}");
    assert_eq!(running.json(&["sessions", "show", running.id()])["subject"], "ada");
    let preview = running.good(&["sessions", "end", "--subject", "ada", "--dry-run"]);
    assert_eq!(preview, "1 session would end\n");
    let ended = running.json(&["sessions", "end", running.id(), "--reason", "lost phone"]);
    assert_eq!(ended, json!({ "processed": 1, "more": false }));
    let left = running.json(&["sessions", "list", "--active"]);
    assert_eq!(left["sessions"][0]["subject"], "bob");
    let line = running.world.run(&["sessions", "show", "AAAAAAAAAAAAAAAAAAAAAAAA"]).line(3);
    assert!(line.starts_with("there is no session"), "{line}");
    assert!(running.world.run(&["sessions", "end"]).line(2).contains("--subject"));
}

#[test]
fn b05_why_a_session_ended_is_told_by_its_id_and_by_a_token_of_it() {
    let running = Running::new();
    let said = running.good(&["sessions", "why", running.id()]);
    assert!(said.starts_with("live; the first to end it"), "{said}");
    running.good(&["sessions", "end", running.id()]);
    let token = running.session["refresh_token"].as_str().unwrap();
    for which in [running.id(), token] {
        assert_eq!(running.json(&["sessions", "why", which])["reason"], "admin", "{which}");
    }
    running.world.run(&["sessions", "why", "AAAAAAAAAAAAAAAAAAAAAAAA"]).line(3);
    running.world.run(&["sessions", "why", "nonsense"]).line(4);
}

#[test]
fn b07_an_end_with_time_to_take_it_back_is_taken_back() {
    let running = Running::new();
    let arguments = ["sessions", "end", "--subject", "ada", "--undo-seconds", "3600"];
    let set_aside = running.json(&arguments);
    let why = running.good(&["sessions", "why", running.id()]);
    assert!(why.starts_with("suspended"), "{why}");
    let undo = running.json(&["sessions", "undo", set_aside["undo_id"].as_str().unwrap()]);
    assert_eq!(undo, json!({ "resumed": 1 }));
}

#[test]
fn b09_a_subject_is_shown_narrowed_disabled_and_enabled() {
    let running = Running::new();
    let shown = running.json(&["subject", "show", "ada"]);
    assert_eq!((&shown["is_disabled"], &shown["roles"]), (&json!(false), &Json::Null));
    assert_eq!(shown["sessions"][0]["id"], running.id());
    let narrowed = running.json(&["subject", "roles", "ada", "reader", "editor"]);
    assert_eq!(narrowed["roles"], json!(["editor", "reader"]));
    let none = running.json(&["subject", "roles", "ada", "--none"]);
    assert_eq!(none["roles"], json!([]));
    let said = running.good(&["subject", "roles", "ada", "--as-granted"]);
    assert_eq!(said, "ada: enabled; roles as granted\n");
    let said = running.good(&["subject", "disable", "ada", "--reason", "left"]);
    assert!(said.starts_with("ada: disabled;") && said.contains("1 session ended"), "{said}");
    assert_eq!(running.json(&["subject", "enable", "ada"])["is_disabled"], false);
    assert!(running.world.run(&["subject", "erase", "ada"]).line(2).contains("--yes"));
}

#[test]
fn f01_the_log_is_read_exported_and_checked() {
    let running = Running::new();
    running.good(&["sessions", "end", running.id()]);
    let last = running.good(&["audit", "tail"]);
    let first = last.lines().find(|line| line.contains("login")).unwrap();
    assert!(first.contains("ada") && first.contains("203.0.113.7"), "{last}");
    assert!(last.lines().position(|line| line == first).unwrap() < last.lines().count() - 1);
    let exported = running.good(&["audit", "export", "--subject", "ada"]);
    let lines: Vec<Json> =
        exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["action"] == "login"), "{exported}");
    assert!(lines.iter().all(|line| line["subject"] == "ada"), "{exported}");
    let checked = running.json(&["audit", "verify"]);
    assert!(checked["ok"] == true && checked["checked"].as_u64().unwrap() >= 3, "{checked}");
    let said = running.good(&["audit", "verify"]);
    assert!(said.ends_with("the chain is whole\n"), "{said}");
}

/// Shows F01.
#[test]
fn s106_the_log_is_exported_on_from_where_it_ended_before() {
    let running = Running::new();
    let arguments = ["audit", "export", "--resume", "place"];
    let first = running.good(&arguments);
    assert!(first.lines().count() >= 1 && first.contains("login"), "{first}");
    assert_eq!(running.good(&arguments), "", "nothing happened since");
    running.good(&["sessions", "end", running.id()]);
    let second = running.good(&arguments);
    let lines: Vec<Json> = second.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["action"], "logout", "{second}");
    assert_eq!(first + &second, running.good(&["audit", "export"]), "whole, and in its order");
    running.world.write("place", "nonsense");
    running.world.run(&arguments).line(2);
}

#[test]
fn s103_the_log_is_exported_by_the_names_of_the_owasp_vocabulary() {
    let running = Running::new();
    running.good(&["sessions", "end", running.id()]);
    let exported = running.good(&["audit", "export", "--owasp", "--subject", "ada"]);
    let lines: Vec<Json> =
        exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let named = |event: &str| lines.iter().find(|line| line["event"] == event);
    let began = named("session_created:ada").unwrap_or_else(|| panic!("{exported}"));
    assert_eq!((&began["source_ip"], &began["level"]), (&json!("203.0.113.7"), &json!("INFO")));
    assert!(named("authn_token_revoked:ada").is_some(), "{exported}");
}

#[test]
fn b06_a_subject_is_erased_once_that_is_meant_and_one_that_nobody_knows_is_not() {
    let running = Running::new();
    running.world.run(&["subject", "erase", "nobody", "--yes"]).line(3);
    let said = running.good(&["subject", "erase", "ada", "--yes", "--reason", "asked to"]);
    assert!(said.contains("1 session ended") && said.contains("of the log erased"), "{said}");
    let exported = running.good(&["audit", "export"]);
    assert!(!exported.contains("203.0.113.7") && exported.contains("\"ada\""), "{exported}");
    assert!(running.good(&["audit", "verify"]).contains("the chain is whole"));
}

/// Changes the database while nobody serves.
fn meddle(world: &World, sql: &str) {
    let path = world.path("handstamp-data/sessions.db");
    rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

/// A log of some events behind a service that is stopped, with the checkpoints that it left.
fn left_behind() -> World {
    let world = World::new()
        .with("HANDSTAMP_AUDIT_CHECKPOINT_SECONDS", "1")
        .with("HANDSTAMP_AUDIT_CHECKPOINT_FILE", "checkpoints");
    let served = world.serve(&[]);
    let key = key_of(&world, "sessions");
    for subject in ["ada", "bob", "eve"] {
        served.begin(&key, subject);
    }
    let verify = ["audit", "verify", "--json"];
    let count = world.run(&verify).json()["checked"].as_u64().unwrap();
    let covers =
        |text: String| text.lines().any(|line| line.contains(&format!("\"event\":{count}")));
    for _ in 0..200 {
        if covers(std::fs::read_to_string(world.path("checkpoints")).unwrap_or_default()) {
            assert_eq!(served.stop().exit, 0);
            return world;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("there is no checkpoint");
}

#[test]
fn s106_a_changed_removed_or_moved_event_is_named() {
    for (sql, said) in [
        ("UPDATE events SET subject = 'mallory' WHERE number = 3", "event 2: is not as it was"),
        ("DELETE FROM events WHERE number = 3", "batch 2, event 2: is not as it was sealed"),
        (
            "DELETE FROM events WHERE number IN (2, 3)",
            "does not follow: something before it is gone",
        ),
        (
            "UPDATE events SET place = 99 WHERE number = 2;
             UPDATE events SET place = 2, number = 2 WHERE number = 3;
             UPDATE events SET place = 3, number = 3 WHERE place = 99",
            "is not as it was sealed",
        ),
    ] {
        let world = left_behind();
        meddle(&world, sql);
        let line = world.run(&["audit", "verify"]).line(1);
        assert!(line.starts_with("the log was changed") && line.contains(said), "{sql}: {line}");
    }
}

#[test]
fn s106_a_tail_that_was_cut_off_is_named_against_a_checkpoint() {
    let world = left_behind();
    let said = world.run(&["audit", "verify"]).good();
    assert!(said.contains("reaches to the checkpoint of "), "{said}");
    std::fs::rename(world.path("checkpoints"), world.path("elsewhere")).unwrap();
    meddle(
        &world,
        "DELETE FROM batches WHERE number > 2; DELETE FROM ledger WHERE shelf = 'audit';
         DELETE FROM events WHERE place > (SELECT max(first_place + events) - 1 FROM batches)",
    );
    let whole = world.run(&["audit", "verify"]).good();
    assert!(whole.contains("the chain is whole"), "what is left verifies: {whole}");
    let line = world.run(&["audit", "verify", "--checkpoint", "elsewhere"]).line(1);
    assert!(line.contains("batch 3") && line.contains("a checkpoint knows it"), "{line}");
    world.run(&["audit", "verify", "--checkpoint", "nowhere"]).line(3);
    world.write("elsewhere", "nonsense\n");
    world.run(&["audit", "verify", "--checkpoint", "elsewhere"]).line(2);
}

#[test]
fn without_a_service_a_command_opens_the_store_itself() {
    let Running { served, world, session, .. } = Running::new();
    assert_eq!(served.stop().exit, 0);
    let id = session["session"]["id"].as_str().unwrap();
    assert_eq!(world.run(&["sessions", "end", id]).good(), "1 session ended\n");
    let why = world.run(&["sessions", "why", id, "--json"]).json();
    assert_eq!(why["reason"], "admin");
    let line = world.run(&["dashboard"]).line(5);
    assert!(line.contains("handstamp serve"), "{line}");
}

#[test]
fn a_folder_without_sessions_is_named_and_not_made() {
    let world = World::new();
    let line = world.run(&["sessions", "list", "--data-dir", "typo"]).line(3);
    assert_eq!(line, "there are no sessions in typo; name the folder with --data-dir");
    assert!(!world.path("typo").exists());
}

#[test]
fn a_holder_of_the_data_that_does_not_answer_is_told_with_exit_5() {
    let world = World::new();
    let _served = world.serve(&[]);
    std::fs::remove_file(world.path("handstamp-data/handstamp.sock")).unwrap();
    let line = world.run(&["sessions", "list"]).line(5);
    assert!(line.contains("does not answer"), "{line}");
}

#[test]
fn a_link_to_the_dashboard_is_a_new_one_each_time() {
    let running = Running::new();
    let (one, other) = (running.good(&["dashboard"]), running.good(&["dashboard"]));
    assert!(one.starts_with(&running.served.url), "{one}");
    assert_ne!(one, other);
}

#[test]
fn the_doctor_finds_a_service_in_good_health() {
    let running = Running::new();
    let found = running.json(&["doctor"]);
    assert_eq!(found["ok"], true, "{found}");
    let whats: Vec<_> = found["checks"].as_array().unwrap().iter().map(|it| &it["what"]).collect();
    assert_eq!(whats, ["settings", "key ring", "data", "disk", "service", "store", "clock"]);
}

#[test]
fn the_doctor_finds_what_is_wrong_and_changes_nothing() {
    let world = World::new();
    let ran = world.run(&["doctor"]);
    assert_eq!(ran.exit, 1, "there is no key ring yet");
    assert!(ran.out.contains("handstamp keys generate"), "{}", ran.out);
    assert!(!world.path(".config").exists() && !world.path("handstamp-data").exists());
    assert_eq!(world.serve(&["--keys", "handstamp-data/ring"]).stop().exit, 0);
    set_mode(&world.path("handstamp-data"), 0o755);
    let ran = world.run(&["doctor", "--keys", "handstamp-data/ring"]);
    assert_eq!(ran.exit, 1);
    assert!(ran.out.contains("chmod 700") && ran.out.contains("beside the data"), "{}", ran.out);
    set_mode(&world.path("handstamp-data"), 0o700);
    set_mode(&world.path("handstamp-data/sessions.db"), 0o644);
    let ran = world.run(&["doctor", "--keys", "handstamp-data/ring"]);
    assert_eq!(ran.exit, 1);
    assert!(ran.out.contains("chmod 600 handstamp-data/sessions.db"), "{}", ran.out);
    let ran = world.run(&["doctor", "--set", "server.listen=nowhere"]);
    assert_eq!(ran.exit, 1, "settings that cannot be understood are a finding like any other");
    assert!(ran.out.contains("server.listen"), "{}", ran.out);
}
