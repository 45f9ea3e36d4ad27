//! For every row: its default is allowed, it can be set, and what is wrong with it is one line.

use super::super::entries::rows;
use super::super::row::Row;
use super::super::{Inputs, Preset, Settings, Source, load};
use super::{file, loaded, wrong};

/// Wrong for every type: too short for a secret, and no text has control characters.
const NONSENSE: &str = "\u{7}";

fn variable(row: &Row, text: &str) -> Inputs {
    Inputs::new().environment([(row.variable(), text.to_owned())])
}

fn defaults() -> Settings {
    load(&Inputs::new()).unwrap().settings
}

#[test]
fn every_default_is_allowed_and_is_what_counts_when_nothing_is_set() {
    for row in rows() {
        let set = load(&variable(row, row.default)).unwrap();
        assert_eq!(set.settings, defaults(), "{}", row.name());
    }
}

#[test]
fn every_setting_is_told_with_its_source_in_the_order_of_the_table() {
    let effective = load(&Inputs::new()).unwrap().effective;
    let names: Vec<_> = effective.iter().map(|setting| setting.name.clone()).collect();
    assert_eq!(names, rows().map(Row::name).collect::<Vec<_>>());
    assert!(effective.iter().all(|setting| setting.source == Source::Default));
    for row in rows() {
        let set = load(&variable(row, row.default)).unwrap().effective;
        let it = set.iter().find(|setting| setting.name == row.name()).unwrap();
        assert_eq!(it.source, Source::Variable(row.variable()));
    }
}

#[test]
fn every_wrong_value_is_one_line_with_its_place_its_name_and_what_is_allowed() {
    for row in rows() {
        let line = wrong(&variable(row, NONSENSE));
        let start = format!("environment variable {}: {} is ", row.variable(), row.name());
        assert!(line.starts_with(&start) && line.contains("but must be "), "{line}");
        assert!(!line.contains(NONSENSE), "{line:?}");
    }
}

#[test]
fn a_value_of_another_type_is_one_line_with_its_line_and_column() {
    for row in rows() {
        let line = wrong(&file(&format!("[{}]\n  {} = 1979-05-27\n", row.section, row.key)));
        let start = format!("handstamp.toml:2:3: {} is ", row.name());
        assert!(line.starts_with(&start) && line.contains("but must be "), "{line}");
    }
}

#[test]
fn every_name_with_a_slip_finds_the_right_one() {
    for row in rows() {
        let line = wrong(&file(&format!("[{}]\n{}x = 1\n", row.section, row.key)));
        let meant = format!("did you mean {}?", row.name());
        assert!(line.starts_with("handstamp.toml:2:1: there is no setting"), "{line}");
        assert!(line.ends_with(&meant), "{line}");
        let line = wrong(&Inputs::new().environment([(row.variable() + "X", "1".into())]));
        assert!(line.ends_with(&format!("did you mean {}?", row.variable())), "{line}");
    }
}

#[test]
fn every_row_says_what_it_is_in_sentences() {
    for row in rows() {
        let is_sentence = row.about.ends_with('.') && !row.about.contains('\n');
        assert!(is_sentence && row.about.len() > 12, "{}: {}", row.name(), row.about);
        assert!(row.about.starts_with(|c: char| c.is_uppercase()), "{}", row.name());
    }
}

#[test]
fn defaults_of_the_table_are_those_of_the_engine() {
    let settings = defaults();
    assert_eq!(settings.config, handstamp_core::SessionConfig::default());
    assert_eq!(settings.sessions.preset, Preset::Default);
}

#[test]
fn every_preset_becomes_the_configuration_of_its_name() {
    let presets = [
        Preset::Default,
        Preset::Production,
        Preset::Development,
        Preset::Aal1,
        Preset::Aal2,
        Preset::Aal3,
    ];
    for preset in presets {
        let loaded = loaded(&format!("sessions.preset = {:?}", preset.word()));
        assert_eq!(loaded.settings.config, preset.config());
        assert_eq!(loaded.settings.sessions.preset, preset);
    }
}

#[test]
fn a_preset_is_a_default_that_says_so() {
    let loaded = loaded("[sessions]\npreset = \"aal3\"\nmax_per_subject = 5\n");
    let of = |name: &str| loaded.effective.iter().find(|it| it.name == name).unwrap();
    let idle = of("sessions.idle_seconds");
    assert_eq!((idle.value_text(), idle.default_text()), ("900".into(), "900".into()));
    assert_eq!(idle.source.to_string(), "preset aal3");
    assert_eq!(of("sessions.max_per_subject").source.to_string(), "handstamp.toml:3");
    assert_eq!(of("sessions.grace_seconds").source, Source::Default);
}

fn reference(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/");
    std::fs::read_to_string(format!("{folder}{name}")).unwrap()
}

#[test]
fn the_annotated_file_says_every_default_and_nothing_else() {
    let text = reference("handstamp.example.toml");
    assert_eq!(loaded(&text).settings, defaults(), "as it stands, nothing is set");
    let is_setting = |line: &str| line.starts_with(|c: char| c.is_lowercase());
    let set =
        text.lines().map(|line| line.strip_prefix('#').filter(|it| is_setting(it)).unwrap_or(line));
    let mut all = loaded(&set.collect::<Vec<_>>().join("\n"));
    let is_set =
        |it: &super::super::Effective| it.source.to_string().starts_with("handstamp.toml:");
    assert!(all.effective.iter().all(is_set), "{:?}", all.effective);
    assert_eq!(all.settings.roles.remove("editor").map(|it| it.len()), Some(2));
    all.settings.config = defaults().config;
    assert_eq!(all.settings, defaults());
}

#[test]
fn the_reference_page_has_every_setting_in_the_words_of_its_refusal() {
    let page = reference("service-settings.md").replace('`', "\"");
    for row in rows() {
        let section = page.split("\n## ").find(|part| part.starts_with(row.section)).unwrap();
        let line = section.lines().find(|line| line.starts_with(&format!("| \"{}\" |", row.key)));
        let line = line.unwrap_or_else(|| panic!("{} is not on the page", row.name()));
        let refusal = wrong(&variable(row, NONSENSE));
        let (_, allowed) = refusal.split_once("but must be ").unwrap();
        assert!(line.contains(allowed), "{allowed}: {line}");
    }
}
