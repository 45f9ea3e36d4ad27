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
