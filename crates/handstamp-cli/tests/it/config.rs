//! `handstamp config`.

use crate::world::{World, set_mode};

fn row<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in\n{text}"))
        .split("  ")
        .filter(|it| !it.is_empty())
        .map(str::trim)
        .collect()
}

#[test]
fn every_setting_is_shown_with_value_unit_default_and_source() {
    let world = World::new().with("HANDSTAMP_TOKENS_LIFETIME_SECONDS", "600");
    world.write("handstamp.toml", "[sessions]\npreset = \"aal2\"\nidle_seconds = 900\n");
    let text = world.run(&["config", "--set", "log.level=warn"]).good();
    assert_eq!(row(&text, "setting"), ["setting", "value", "unit", "default", "source"]);
    assert_eq!(
        row(&text, "sessions.idle_seconds"),
        ["sessions.idle_seconds", "900", "seconds", "3600", "handstamp.toml:3"]
    );
    assert_eq!(
        row(&text, "tokens.lifetime_seconds"),
        ["tokens.lifetime_seconds", "600", "seconds", "1800", "HANDSTAMP_TOKENS_LIFETIME_SECONDS"]
    );
    assert_eq!(row(&text, "log.level"), ["log.level", "warn", "info", "--set log.level"]);
    assert_eq!(
        row(&text, "sessions.remember_absolute_seconds"),
        ["sessions.remember_absolute_seconds", "86400", "seconds", "86400", "preset aal2"]
    );
    assert_eq!(
        row(&text, "server.listen"),
        ["server.listen", "127.0.0.1:7070", "127.0.0.1:7070", "default"]
    );
    let ring = world.path(".config/handstamp/handstamp.keys");
    assert_eq!(row(&text, "keys.file")[1], ring.to_str().unwrap());
    assert!(!ring.exists(), "looking makes nothing");
    assert!(text.lines().count() > 80, "{text}");
}

#[test]
fn json_has_the_same_for_programs() {
    let world = World::new().with("HANDSTAMP_TOKENS_SECRET", "0123456789abcdef0123456789abcdef");
    let shown =
        world.run(&["config", "--json", "--set", "tokens.algorithm=HS256", "tokens"]).json();
    let settings = shown["settings"].as_array().unwrap();
    let of = |name: &str| settings.iter().find(|it| it["name"] == name).unwrap();
    assert!(settings.iter().all(|it| it["name"].as_str().unwrap().starts_with("tokens.")));
    let lifetime = of("tokens.lifetime_seconds");
    assert_eq!((&lifetime["value"], &lifetime["unit"]), (&1800.into(), &"seconds".into()));
    assert_eq!(of("tokens.secret")["value"], "********");
    assert_eq!(of("tokens.secret")["default"], serde_json::Value::Null);
    assert_eq!(shown["warnings"], serde_json::json!([]));
}

#[test]
fn a_section_a_setting_or_only_what_was_set_can_be_asked_for() {
    let world = World::new();
    let names = |arguments: &[&str]| {
        let text = world.run(&[&["config"], arguments].concat()).good();
        let names = text.lines().skip(1).filter_map(|line| line.split(' ').next());
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(names(&["geo"]), ["geo.database"]);
    assert_eq!(names(&["log.level"]), ["log.level"]);
    let none: [&str; 0] = [];
    assert_eq!(names(&["--changed"]), none);
    assert_eq!(names(&["--changed", "--data-dir", "d"]), ["store.data_dir"]);
    let line = world.run(&["config", "log.volume"]).line(3);
    assert!(line.contains("no setting or section \"log.volume\""), "{line}");
}

#[test]
fn the_file_of_this_folder_is_read_unless_another_is_named() {
    let world = World::new();
    let listen = |arguments: &[&str]| {
        let text = world.run(&[&["config", "server.listen"], arguments].concat()).good();
        row(&text, "server.listen")[1].to_owned()
    };
    assert_eq!(listen(&[]), "127.0.0.1:7070");
    world.write("handstamp.toml", "server.listen = \"127.0.0.1:1\"");
    world.write("other.toml", "server.listen = \"127.0.0.1:2\"");
    assert_eq!(listen(&[]), "127.0.0.1:1");
    assert_eq!(listen(&["--config", "other.toml"]), "127.0.0.1:2");
    assert_eq!(listen(&["--listen", "127.0.0.1:3"]), "127.0.0.1:3");
    let line = world.run(&["config", "--config", "gone.toml"]).line(3);
    assert_eq!(line, "there is no file of settings at gone.toml");
}

#[test]
fn each_thing_that_is_wrong_has_a_line_and_the_exit_code_is_2() {
    let world = World::new();
    world.write("handstamp.toml", "[sessions]\nidel_seconds = 5\n[log]\nlevel = \"loud\"\n");
    let ran = world.run(&["config"]);
    assert_eq!((ran.exit, ran.out.as_str()), (2, ""));
    assert_eq!(
        ran.err.lines().collect::<Vec<_>>(),
        [
            "handstamp: handstamp.toml:2:1: there is no setting sessions.idel_seconds; did you mean sessions.idle_seconds?",
            "handstamp: handstamp.toml:4:1: log.level is \"loud\", but must be \"error\", \"warn\", \"info\", \"debug\" or \"trace\"",
        ]
    );
    let line = World::new().run(&["config", "--set", "log.level"]).line(2);
    assert!(line.ends_with("say --set section.key=value"), "{line}");
    let line = World::new().run(&["config", "--listen", "here"]).line(2);
    assert!(line.starts_with("flag --listen: server.listen is \"here\""), "{line}");
}

#[cfg(unix)]
#[test]
fn x02_a_secret_that_everybody_can_read_is_refused() {
    let world = World::new();
    let secret = "0123456789abcdef0123456789abcdef";
    world.write(
        "handstamp.toml",
        &format!("[tokens]\nalgorithm = \"HS256\"\nsecret = \"{secret}\"\n"),
    );
    assert!(!world.run(&["config"]).good().contains(secret));
    set_mode(&world.path("handstamp.toml"), 0o644);
    let line = world.run(&["config"]).line(2);
    assert!(line.ends_with("run: chmod 600 handstamp.toml") && !line.contains(secret), "{line}");
}

#[test]
fn what_is_seldom_meant_is_warned_of_on_stderr() {
    let ran = World::new().run(&["config", "log", "--listen", "0.0.0.0:7070"]);
    assert_eq!(ran.exit, 0);
    assert!(
        ran.err.starts_with("handstamp: warning: server.listen is every address"),
        "{}",
        ran.err
    );
}
