//! Who overrides whom, and what follows when nobody says anything.

use std::path::PathBuf;
use std::time::Duration;

use super::super::{Inputs, Rate, Source, load};
use super::{file, loaded};

fn set(inputs: Inputs, name: &str, text: &str) -> Inputs {
    inputs.environment([(name.to_owned(), text.to_owned())])
}

#[test]
fn a_flag_overrides_a_variable_overrides_the_file_overrides_the_default() {
    let of = |inputs: &Inputs| {
        let loaded = load(inputs).unwrap();
        let it = loaded.effective.iter().find(|it| it.name == "tokens.lifetime_seconds").unwrap();
        assert_eq!(it.default_text(), "1800");
        (loaded.settings.tokens.lifetime.as_secs(), it.source.to_string())
    };
    let inputs = Inputs::new();
    assert_eq!(of(&inputs), (1800, "default".into()));
    let inputs = file("\n[tokens]\nlifetime_seconds = 900\n");
    assert_eq!(of(&inputs), (900, "handstamp.toml:3".into()));
    let inputs = set(inputs, "HANDSTAMP_TOKENS_LIFETIME_SECONDS", "901");
    assert_eq!(of(&inputs), (901, "HANDSTAMP_TOKENS_LIFETIME_SECONDS".into()));
    let inputs = inputs.flag("tokens.lifetime_seconds", "902", "--set tokens.lifetime_seconds");
    assert_eq!(of(&inputs), (902, "--set tokens.lifetime_seconds".into()));
}

#[test]
fn a_wrong_value_is_told_also_when_it_is_overridden() {
    let inputs = file("[log]\nlevel = \"loud\"\n").flag("log.level", "warn", "--set log.level");
    let line = super::wrong(&inputs);
    assert!(line.starts_with("handstamp.toml:2:1: log.level is \"loud\""), "{line}");
}

#[test]
fn lists_are_lists_in_the_file_and_texts_with_commas_elsewhere() {
    let text = "server.trusted_proxies = [\"10.0.0.0/8\", \"192.0.2.7\"]";
    let variable = "HANDSTAMP_SERVER_TRUSTED_PROXIES";
    let same = [file(text), set(Inputs::new(), variable, "10.0.0.0/8, 192.0.2.7")];
    for inputs in same {
        let proxies = load(&inputs).unwrap().settings.server.trusted_proxies;
        let shown: Vec<_> = proxies.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["10.0.0.0/8", "192.0.2.7/32"]);
    }
    let none = set(file(text), variable, "");
    assert!(load(&none).unwrap().settings.server.trusted_proxies.is_empty());
}

#[test]
fn roles_are_a_section_whose_keys_are_names() {
    let text = "[roles]\neditor = [\"posts.write\", \"posts.read\"]\n\"handstamp:admin\" = []\n";
    let inputs = set(file(text), "HANDSTAMP_ROLES_READER", "posts.read");
    let loaded = load(&inputs).unwrap();
    let roles: Vec<_> = loaded.settings.roles.keys().cloned().collect();
    assert_eq!(roles, ["editor", "handstamp:admin", "reader"]);
    let editor = handstamp_core::roles::Roles::new(["editor"]).unwrap();
    assert!(loaded.settings.config.has_permission(&editor, "posts.write"));
    let shown = loaded.effective.iter().find(|it| it.name == "roles.editor").unwrap();
    assert_eq!(shown.value_text(), "posts.write, posts.read");
}

#[test]
fn numbers_carry_the_unit_of_their_key() {
    let settings = loaded("[risk]\nremember_days = 100\n[limits]\nguest = \"3/2m\"\n").settings;
    assert_eq!(settings.risk.remember, Duration::from_secs(8_640_000));
    let rate = Rate { count: 3, window: Duration::from_secs(120) };
    assert_eq!(settings.limits.guest, Some(rate));
    assert_eq!(loaded("limits.guest = \"none\"").settings.limits.guest, None);
}

#[test]
fn the_key_ring_lies_in_the_configuration_folder_unless_somebody_says_where() {
    let keys = |variables: &[(&str, &str)]| {
        let variables = variables.iter().map(|(name, text)| ((*name).into(), (*text).into()));
        load(&Inputs::new().environment(variables)).unwrap().settings.keys.file
    };
    let at = |path: &str| Some(PathBuf::from(path));
    assert_eq!(keys(&[]), None);
    assert_eq!(keys(&[("HOME", "/h")]), at("/h/.config/handstamp/handstamp.keys"));
    let both = [("HOME", "/h"), ("XDG_CONFIG_HOME", "/c")];
    assert_eq!(keys(&both), at("/c/handstamp/handstamp.keys"));
    let relative = [("HOME", "/h"), ("XDG_CONFIG_HOME", "c")];
    assert_eq!(keys(&relative), at("/h/.config/handstamp/handstamp.keys"));
    let said = [("HOME", "/h"), ("HANDSTAMP_KEYS_FILE", "ring")];
    assert_eq!(keys(&said), at("ring"));
    let ring = "x".repeat(40);
    assert_eq!(keys(&[("HOME", "/h"), ("HANDSTAMP_KEYS_RING", &ring)]), None);
}

#[test]
fn the_issuer_is_the_public_address_or_else_where_it_listens() {
    let issuer = |text: &str, bound: &str| loaded(text).settings.issuer(bound.parse().unwrap());
    assert_eq!(issuer("", "127.0.0.1:4711"), "http://127.0.0.1:4711");
    assert_eq!(issuer("server.listen = \"[::]:0\"", "[::]:4711"), "http://[::1]:4711");
    let public = "server.public_url = \"https://a.example/\"";
    assert_eq!(issuer(public, "127.0.0.1:1"), "https://a.example");
    let both = format!("{public}\ntokens.issuer = \"https://b.example\"");
    assert_eq!(issuer(&both, "127.0.0.1:1"), "https://b.example");
    let shown = loaded("").effective;
    let shown = shown.iter().find(|it| it.name == "tokens.issuer").unwrap();
    assert_eq!(
        (shown.value_text().as_str(), &shown.source),
        ("http://127.0.0.1:7070", &Source::Default)
    );
}

#[test]
fn variables_of_others_are_left_alone() {
    let others = [
        ("HANDSTAMP_SERVER_SERVICE_HOST", "10.0.0.1"),
        ("HANDSTAMP_SERVER_PORT", "tcp://10.0.0.1:7070"),
        ("HANDSTAMP_SERVER_PORT_7070_TCP_ADDR", "10.0.0.1"),
        ("PATH", "/bin"),
    ];
    let others = others.map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(load(&Inputs::new().environment(others)).unwrap().warnings, Vec::<String>::new());
    let unknown = set(Inputs::new(), "HANDSTAMP_BIN", "/bin/handstamp");
    let warned = load(&unknown).unwrap().warnings;
    assert_eq!(warned, ["environment variable HANDSTAMP_BIN is no setting; it is ignored"]);
}

#[test]
fn what_is_seldom_meant_is_warned_of() {
    let warned = |text: &str| loaded(text).warnings;
    assert_eq!(warned(""), Vec::<String>::new());
    let seldom = [
        ("server.listen = \"0.0.0.0:7070\"", "server.public_url is none"),
        ("server.public_url = \"http://a.example\"", "do not send a Secure cookie"),
        (
            "server.public_url = \"https://a.example\"\nsessions.preset = \"development\"",
            "over http",
        ),
        ("keys.file = \"handstamp-data/ring\"", "both halves"),
        ("server.metrics_listen = \"0.0.0.0:9000\"", "reads the figures"),
        ("webhooks.allow_private_networks = true", "inner network"),
    ];
    for (text, said) in seldom {
        let warned = warned(text);
        assert!(warned.len() == 1 && warned[0].contains(said), "{text}: {warned:?}");
    }
}
