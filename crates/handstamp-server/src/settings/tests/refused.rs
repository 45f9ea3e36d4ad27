//! What is refused, with its line word by word.

use super::super::{Document, Inputs, load};
use super::{file, wrong};

const SECRET: &str = "correct horse battery staple, 32";

fn set(name: &str, text: &str) -> Inputs {
    Inputs::new().environment([(name.to_owned(), text.to_owned())])
}

#[test]
fn a_key_or_value_that_is_wrong_is_refused_in_these_words() {
    let lines = [
        (
            "[sessions]\nidel_seconds = 5",
            "2:1: there is no setting sessions.idel_seconds; did you mean sessions.idle_seconds?",
        ),
        (
            "[sesions]\nidle_seconds = 5",
            "1:2: there is no section \"sesions\"; did you mean [sessions]?",
        ),
        ("[sesions]", "1:2: there is no section \"sesions\"; did you mean [sessions]?"),
        (
            "[server]\ndata_dir = \"x\"",
            "2:1: there is no setting server.data_dir; did you mean store.data_dir?",
        ),
        ("[geo]\ncolour = 1", "2:1: there is no setting geo.colour; keys of [geo] are database"),
        (
            "listen = \"127.0.0.1:1\"",
            "1:1: \"listen\" stands outside of a section; did you mean server.listen?",
        ),
        (
            "[sessions]\nidle_seconds = \"an hour\"",
            "2:1: sessions.idle_seconds is \"an hour\", but must be whole seconds, 1 to 34560000, or \"none\"",
        ),
        (
            "[sessions]\nidle_seconds = \"60\"",
            "2:1: sessions.idle_seconds is \"60\", but must be whole seconds, 1 to 34560000, or \"none\"",
        ),
        (
            "[sessions]\n\n  idle_seconds = -1",
            "3:3: sessions.idle_seconds is -1, but must be whole seconds, 1 to 34560000, or \"none\"",
        ),
        (
            "[sessions]\nidle_seconds = 1.5",
            "2:1: sessions.idle_seconds is a number with a point, but must be whole seconds, 1 to 34560000, or \"none\"",
        ),
        ("cookies.secure = \"yes\"", "1:9: cookies.secure is \"yes\", but must be true or false"),
        (
            "tokens.algorithm = \"none\"",
            "1:8: tokens.algorithm is \"none\", but must be \"ES256\", \"Ed25519\" or \"HS256\"",
        ),
        (
            "server.listen = \"localhost\"",
            "1:8: server.listen is \"localhost\", but must be an IP address and a port, like 127.0.0.1:7070 or [::1]:7070",
        ),
        (
            "server.trusted_proxies = [\"10.0.0.0/8\", \"10.0.0.0/99\"]",
            "1:8: server.trusted_proxies is \"10.0.0.0/99\", but must be a list of IP addresses or networks, like 10.0.0.7 or 10.0.0.0/8, never all there are",
        ),
        (
            "server.trusted_proxies = [\"0.0.0.0/0\"]",
            "1:8: server.trusted_proxies is \"0.0.0.0/0\", but must be a list of IP addresses or networks, like 10.0.0.7 or 10.0.0.0/8, never all there are",
        ),
        (
            "risk.subjects_by_address = \"65/1h\"",
            "1:6: risk.subjects_by_address is 65/3600s, but must be at most 64",
        ),
        (
            "risk.new_device = \"panic\"",
            "1:6: risk.new_device is \"panic\", but must be \"off\", \"notify\", \"step_up\", \"suspend\" or \"end\"",
        ),
        (
            "cookies.trusted_origins = [\"https://a.example/\"]",
            "1:9: cookies.trusted_origins is \"https://a.example/\", but must be a list of origins like https://app.example.org, without a path",
        ),
        (
            "limits.guest = \"often\"",
            "1:8: limits.guest is \"often\", but must be so many in so long, like \"10/60s\" (s, m, h or d), or \"none\"",
        ),
        (
            "roles.editor = \"posts.write\"",
            "1:7: role \"editor\" must be a list of permissions; names have 1 to 64 bytes, no comma and no control character",
        ),
        ("log.level = \"info\"\nlog.level = \"warn\"", "2:5: duplicate key"),
    ];
    for (text, said) in lines {
        assert_eq!(wrong(&file(text)), format!("handstamp.toml:{said}"), "{text}");
    }
}

#[test]
fn columns_count_characters() {
    let line = wrong(&file("roles = { \"é\" = [\"a\"], \"ü\" = 1 }"));
    assert!(line.starts_with("handstamp.toml:1:24: role \"ü\""), "{line}");
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let inputs = file("[sessions]\nidel_seconds = 5\ngrace_seconds = 999\n[log]\nlevel = 1\n");
    let error = load(&inputs).unwrap_err();
    assert_eq!(error.problems().len(), 3, "{error:?}");
    assert!(error.to_string().ends_with("(and 2 more)"), "{error}");
}

#[test]
fn combinations_that_do_not_fit_are_refused_with_the_place_of_one_of_them() {
    let lines = [
        (
            "server.listen = \"0.0.0.0:7070\"\nsessions.preset = \"development\"",
            "handstamp.toml:1:8: cookies.secure is false (preset development), but must be true while server.listen (0.0.0.0:7070) is not a loopback address",
        ),
        (
            "cookies.secure = false",
            "handstamp.toml:1:9: cookies.name is __Host-handstamp (default), but must be used with",
        ),
        (
            "cookies.name = \"__Host-x\"\ncookies.path = \"/a\"",
            "handstamp.toml:1:9: cookies.name is __Host-x, but must be used with cookies.secure = true and cookies.path = \"/\", or browsers drop the cookie",
        ),
        (
            "cookies.name = \"a b\"",
            "handstamp.toml:1:9: cookies.name is a b, but must be 1 to 100 letters",
        ),
        (
            "cookies.name = \"x\"\ncookies.secure = false\ncookies.same_site = \"none\"",
            "handstamp.toml:3:9: cookies.same_site is none, but must be used with cookies.secure = true",
        ),
        (
            "cookies.name = \"x\"\ncookies.path = \"a\"",
            "handstamp.toml:2:9: cookies.path is a, but must be begun with '/'",
        ),
        (
            "sessions.idle_seconds = 90000",
            "handstamp.toml:1:10: sessions.idle_seconds is 90000, but must be no longer than sessions.absolute_seconds",
        ),
        (
            "sessions.remember_idle_seconds = 3000000",
            "handstamp.toml:1:10: sessions.remember_idle_seconds is 3000000, but must be no longer than sessions.remember_absolute_seconds",
        ),
        (
            "sessions.max_session_bytes = 10",
            "handstamp.toml:1:10: sessions.max_session_bytes is 10, but must be at least sessions.max_value_bytes",
        ),
        (
            "tokens.refresh_before_seconds = 1710",
            "handstamp.toml:1:8: tokens.refresh_before_seconds is 1710, but must be less than the 1710 seconds",
        ),
        (
            "tokens.keep_keys_seconds = 600",
            "handstamp.toml:1:8: tokens.keep_keys_seconds is 600, but must be at least tokens.lifetime_seconds",
        ),
        (
            "guests.idle_seconds = 2600000",
            "handstamp.toml:1:8: guests.idle_seconds is 2600000, but must be no longer than guests.absolute_seconds",
        ),
        (
            "server.metrics_listen = \"127.0.0.1:7070\"",
            "handstamp.toml:1:8: server.metrics_listen is 127.0.0.1:7070, but must be another address or port",
        ),
        (
            "keys.file = \"ring\"\nkeys.ring = \"{ a ring of at the least 32 bytes }\"",
            "handstamp.toml:1:6: keys.file is ring, but must be \"none\"",
        ),
    ];
    for (text, said) in lines {
        let line = wrong(&file(text));
        assert!(line.starts_with(said), "{text}: {line}");
    }
}

#[test]
fn x02_a_shared_secret_is_refused_when_it_is_missing_or_short() {
    let hs256 = || file("tokens.algorithm = \"HS256\"");
    let missing = "handstamp.toml:1:8: tokens.secret is none (default), but must be a text of 32 bytes or more";
    assert!(wrong(&hs256()).starts_with(missing));
    let with = |secret: &str| {
        hs256().environment([("HANDSTAMP_TOKENS_SECRET".to_owned(), secret.to_owned())])
    };
    for short in ["", "hunter2-hunter2", &SECRET[1..]] {
        let line = wrong(&with(short));
        assert!(line.contains("tokens.secret is ********, but must be a text of 32 to"), "{line}");
        assert!(short.is_empty() || !line.contains(short), "{line}");
    }
    let good = load(&with(SECRET)).unwrap();
    assert_eq!(good.settings.tokens.secret.as_ref().unwrap().expose(), SECRET);
    assert!(!format!("{good:?}").contains(SECRET));
    let shown = good.effective.iter().find(|it| it.name == "tokens.secret").unwrap();
    assert_eq!(shown.value_text(), "********");
}

#[test]
fn a_secret_in_a_file_that_others_can_read_is_refused_or_warned_of() {
    let text = format!("[tokens]\nalgorithm = \"HS256\"\nsecret = \"{SECRET}\"\n");
    let document = |mode| Document::of("handstamp.toml", text.as_str()).with_mode(Some(mode));
    let inputs = |mode| Inputs::new().document(document(mode));
    assert_eq!(
        wrong(&inputs(0o644)),
        "handstamp.toml:3:1: tokens.secret is a secret, and everybody can read this file \
         (mode 644); run: chmod 600 handstamp.toml"
    );
    let warned = load(&inputs(0o640)).unwrap().warnings;
    assert!(warned.len() == 1 && warned[0].contains("a group can read"), "{warned:?}");
    assert_eq!(load(&inputs(0o600)).unwrap().warnings, Vec::<String>::new());
    let open = Document::of("handstamp.toml", "log.level = \"warn\"").with_mode(Some(0o644));
    assert!(load(&Inputs::new().document(open)).is_ok(), "nothing in it is a secret");
}

#[test]
fn a_secret_is_no_flag() {
    let inputs = Inputs::new().flag("tokens.secret", SECRET, "--set tokens.secret");
    let line = wrong(&inputs);
    assert!(line.contains("set HANDSTAMP_TOKENS_SECRET") && !line.contains(SECRET), "{line}");
}

#[test]
fn a_flag_or_variable_that_is_no_setting_is_refused() {
    let flag = |name: &str| wrong(&Inputs::new().flag(name, "1", format!("--set {name}")));
    assert_eq!(
        flag("sessions.idel_seconds"),
        "flag --set sessions.idel_seconds: there is no setting sessions.idel_seconds; \
         did you mean sessions.idle_seconds?"
    );
    assert!(flag("idle_seconds").contains("did you mean sessions.idle_seconds?"));
    assert!(flag("sesions.idle_seconds").contains("did you mean [sessions]?"));
    assert_eq!(
        wrong(&set("HANDSTAMP_SESSION_IDLE_SECONDS", "5")),
        "environment variable HANDSTAMP_SESSION_IDLE_SECONDS: is no setting; \
         did you mean HANDSTAMP_SESSIONS_IDLE_SECONDS?"
    );
    let line = wrong(&set("HANDSTAMP_SESSIONS_COLOUR_OF_THE_WALLS", "5"));
    assert!(line.contains("is no setting"), "{line}");
}

#[test]
fn a_wrong_text_is_repeated_cut_and_without_control_characters() {
    let line = wrong(&set("HANDSTAMP_LOG_LEVEL", &format!("\u{1b}[2J{}", "x".repeat(1000))));
    assert!(line.len() < 250 && !line.contains('\u{1b}'), "{line:?}");
}
