use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use handstamp_core::record::Location;
use handstamp_core::time::Timestamp;

use super::*;
use crate::geo::{Place, Point};
use crate::risk::{Action, Device, Rule, Seen, Tally};

const PARIS: (&str, f64, f64) = ("FR", 48.8566, 2.3522);
const LYON: (&str, f64, f64) = ("FR", 45.764, 4.8357);
const NEW_YORK: (&str, f64, f64) = ("US", 40.7128, -74.006);

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000).plus(Duration::from_secs(seconds))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn place((country, latitude, longitude): (&str, f64, f64)) -> Place {
    let location = Location { country: Some(country.into()), ..Location::default() };
    Place { location: Arc::new(location), point: Point::new(latitude, longitude, Some(20.0)) }
}

/// A sign-in on `device` from `place`, with nothing that failed before.
fn begin<'a>(seconds: u64, device: &'a str, place: &'a Place) -> BeginSignal<'a> {
    let source = Some(ip("192.0.2.1"));
    let tally = Tally::default();
    let device = Device { words: Some(device), fingerprint: None };
    BeginSignal { at: at(seconds), device, source, place: Some(place), tally }
}

/// An earlier sign-in on `device` from `place`.
fn earlier(seconds: u64, device: &str, place: &Place) -> Seen {
    Seen {
        at: at(seconds),
        device: Some(device.into()),
        source: Some(ip("192.0.2.1")),
        country: place.location.country.clone(),
        point: place.point,
        fingerprint: None,
    }
}

fn found(signal: &BeginSignal<'_>, history: &[Seen]) -> Vec<Rule> {
    let findings = on_begin(signal, &History(history.to_vec()), &RiskConfig::default());
    findings.into_iter().map(|finding| finding.rule).collect()
}

#[test]
fn b11_a_first_sign_in_is_never_odd() {
    for place in [place(PARIS), place(NEW_YORK)] {
        assert_eq!(found(&begin(0, "Firefox on Linux", &place), &[]), []);
    }
}

#[test]
fn b11_the_same_device_from_the_same_place_is_not_odd() {
    let paris = place(PARIS);
    let history = [earlier(0, "Firefox on Linux", &paris)];
    assert_eq!(found(&begin(1, "Firefox on Linux", &paris), &history), []);
}

#[test]
fn b11_a_device_not_seen_before_is_found_and_one_seen_long_ago_is_not() {
    let paris = place(PARIS);
    let mut history = vec![earlier(9, "Firefox on Linux", &paris), earlier(1, "curl", &paris)];
    assert_eq!(found(&begin(10, "Chrome on Windows", &paris), &history), [Rule::NewDevice]);
    assert_eq!(found(&begin(10, "curl", &paris), &history), []);
    history.iter_mut().for_each(|seen| seen.device = None);
    assert_eq!(found(&begin(10, "curl", &paris), &history), [], "nothing to compare with");
}

#[test]
fn b11_a_country_not_seen_before_is_found_and_another_city_is_not() {
    let (paris, lyon, new_york) = (place(PARIS), place(LYON), place(NEW_YORK));
    let history = [earlier(0, "curl", &paris)];
    let days_later = 5 * 86_400;
    assert_eq!(found(&begin(days_later, "curl", &new_york), &history), [Rule::NewCountry]);
    assert_eq!(found(&begin(days_later, "curl", &lyon), &history), []);
    let nowhere = BeginSignal { place: None, ..begin(days_later, "curl", &lyon) };
    assert_eq!(found(&nowhere, &history), []);
}

#[test]
fn b11_two_places_too_far_apart_for_the_time_are_found() {
    let (paris, new_york) = (place(PARIS), place(NEW_YORK));
    let history = [earlier(0, "curl", &new_york), earlier(100, "curl", &paris)];
    let after = |seconds: u64| found(&begin(100 + seconds, "curl", &new_york), &history);
    assert_eq!(after(1_500), [Rule::ImpossibleTravel]);
    assert_eq!(after(6 * 3_600), [Rule::ImpossibleTravel]);
    assert_eq!(after(7 * 3_600), [], "there are aeroplanes");
}

#[test]
fn b11_a_finding_explains_itself_without_saying_where_anybody_is() {
    let (paris, new_york) = (place(PARIS), place(NEW_YORK));
    let history = History(vec![earlier(0, "curl", &paris)]);
    let findings = on_begin(&begin(1_500, "curl", &new_york), &history, &RiskConfig::default());
    let words: Vec<_> = findings.iter().map(|finding| &*finding.words).collect();
    assert_eq!(
        words,
        ["a country not seen before", "5,840 km from the last place, 25 minutes later"]
    );
    let reasons = serde_json::to_string(&findings[1].reasons).unwrap();
    assert_eq!(reasons, r#"{"distance_km":5840,"minutes":25}"#);
}

#[test]
fn b11_what_places_may_be_off_counts_for_the_traveller() {
    let config = RiskConfig { min_distance_km: 100, ..RiskConfig::default() };
    let journey = |accuracy| {
        let paris = Point::new(48.8566, 2.3522, Some(accuracy)).unwrap();
        let lyon = Point::new(45.764, 4.8357, Some(accuracy)).unwrap();
        Journey {
            least_km: paris.least_km(&lyon),
            km: paris.distance_km(&lyon),
            time: Duration::from_secs(60),
        }
    };
    assert!(impossible_travel(&journey(20.0), &config).is_some());
    assert!(impossible_travel(&journey(150.0), &config).is_none());
}

#[test]
fn b11_sign_ins_of_the_same_moment_are_told_in_either_order() {
    let (paris, new_york) = (place(PARIS), place(NEW_YORK));
    for (first, second) in [(0, 0), (0, 1), (1, 0)] {
        let history = [earlier(first, "curl", &paris), earlier(0, "curl", &new_york)];
        let history = &history[..1];
        let rules = found(&begin(second, "curl", &new_york), history);
        assert_eq!(rules, [Rule::NewCountry, Rule::ImpossibleTravel]);
    }
}

/// Farther never turns a finding into none, and longer never turns none into a finding.
#[test]
fn b11_impossible_travel_is_monotone_in_distance_and_time() {
    let config = RiskConfig::default();
    let is_found = |km: u32, seconds: u64| {
        let km = f64::from(km);
        let time = Duration::from_secs(seconds);
        impossible_travel(&Journey { least_km: km, km, time }, &config).is_some()
    };
    for km in (0..20_000).step_by(97) {
        for seconds in [0, 1, 59, 3_599, 3_600, 7_200, 86_400, 8_640_000] {
            assert!(!is_found(km, seconds) || is_found(km + 97, seconds));
            assert!(is_found(km, seconds) || !is_found(km, seconds + 1_000));
        }
        assert!(km > 500 || !is_found(km, 0), "never below the least distance");
        assert!(km <= 500 || is_found(km, 0));
    }
}

#[test]
fn f10_failures_are_many_from_the_threshold_on() {
    let config = RiskConfig::default();
    let failures = |subject, address| many_failures(subject, address, &config).map(|it| it.words);
    assert_eq!(failures(4, 19), None);
    assert_eq!(failures(5, 0).unwrap(), "5 failures within 15 minutes");
    assert_eq!(failures(0, 20).unwrap(), "20 failures within 15 minutes");
    assert_eq!(many_failures(9, 90, &config).unwrap().reasons["by"], "subject");
    assert_eq!(many_failures(4, 90, &config).unwrap().reasons["by"], "address");
    for (subject, address) in [(0, 0), (4, 19), (5, 3), (50, 500)] {
        let is_found = failures(subject, address).is_some();
        assert!(!is_found || failures(subject + 1, address + 1).is_some());
    }
}

#[test]
fn f10_a_sign_in_after_many_failures_is_odd() {
    let paris = place(PARIS);
    let tally = Tally { by_subject: 12, ..Tally::default() };
    let signal = BeginSignal { tally, ..begin(1, "curl", &paris) };
    let history = History(vec![earlier(0, "curl", &paris)]);
    let findings = on_begin(&signal, &history, &RiskConfig::default());
    assert_eq!(findings[0].words, "after 12 failures within 15 minutes");
    assert_eq!(findings.len(), 1);
}

#[test]
fn f10_an_address_that_tries_many_subjects_is_odd_unless_it_is_home() {
    let paris = place(PARIS);
    let tally = Tally { by_address: 30, subjects: 12, ..Tally::default() };
    let signal = BeginSignal { tally, ..begin(1, "curl", &paris) };
    let home = earlier(0, "curl", &paris);
    assert_eq!(found(&signal, std::slice::from_ref(&home)), [], "an office with a thief in it");
    let elsewhere = Seen { source: Some(ip("192.0.2.9")), ..home };
    assert_eq!(found(&signal, &[elsewhere]), [Rule::ManyFailures, Rule::ManySubjects]);
    assert_eq!(
        found(&signal, &[]),
        [Rule::ManyFailures, Rule::ManySubjects],
        "a first sign-in is odd by what others did"
    );
    let nowhere = BeginSignal { source: None, ..signal };
    assert_eq!(found(&nowhere, &[]), []);
}

#[test]
fn b11_a_session_that_goes_on_with_another_program_is_found() {
    let (began, config) = (Seen::default(), RiskConfig::default());
    let change = |before, now| {
        let (at, began) = (at(0), &began);
        let signal = RefreshSignal { at, device_before: before, device: now, began, place: None };
        on_refresh(&signal, &config).into_iter().map(|finding| finding.rule).collect::<Vec<_>>()
    };
    let (firefox, curl) = (Some("Firefox on Linux"), Some("curl"));
    assert_eq!(change(firefox, curl), [Rule::UserAgentChange]);
    assert_eq!(change(firefox, firefox), []);
    assert_eq!(change(None, curl), []);
    assert_eq!(change(firefox, None), []);
}

#[test]
fn b11_a_session_that_goes_on_too_far_away_is_found() {
    let (new_york, began) = (place(NEW_YORK), earlier(0, "curl", &place(PARIS)));
    let refreshed = |seconds| {
        let place = Some(&new_york);
        let at = at(seconds);
        let signal = RefreshSignal { at, device_before: None, device: None, began: &began, place };
        on_refresh(&signal, &RiskConfig::default()).len()
    };
    assert_eq!((refreshed(600), refreshed(86_400)), (1, 0));
}

#[test]
fn b11_a_rule_that_is_off_says_nothing() {
    let (paris, new_york) = (place(PARIS), place(NEW_YORK));
    let history = History(vec![earlier(0, "Firefox on Linux", &paris)]);
    let tally = Tally { by_subject: 99, by_address: 999, subjects: 60 };
    let source = Some(ip("198.51.100.1"));
    let signal = BeginSignal { tally, source, ..begin(60, "curl", &new_york) };
    let rules = |config: &RiskConfig| -> Vec<Rule> {
        on_begin(&signal, &history, config).into_iter().map(|finding| finding.rule).collect()
    };
    let all = [
        Rule::NewDevice,
        Rule::NewCountry,
        Rule::ImpossibleTravel,
        Rule::ManyFailures,
        Rule::ManySubjects,
    ];
    assert_eq!(rules(&RiskConfig::default()), all);
    let some = RiskConfig {
        new_device: Action::Off,
        impossible_travel: Action::Off,
        many_failures: Action::Off,
        ..RiskConfig::default()
    };
    assert_eq!(rules(&some), [Rule::NewCountry, Rule::ManySubjects]);
}

#[test]
fn f10_what_was_told_of_failures_is_not_told_again() {
    let config = RiskConfig::default();
    let tally = Tally { by_subject: 7, by_address: 40, subjects: 20 };
    let told = |by_subject, by_address, by_subjects| {
        let signal = FailureSignal {
            tally,
            is_new_by_subject: by_subject,
            is_new_by_address: by_address,
            is_new_by_subjects: by_subjects,
        };
        on_failure(&signal, &config).into_iter().map(|finding| finding.words).collect::<Vec<_>>()
    };
    assert_eq!(told(false, false, false), Vec::<String>::new());
    assert_eq!(told(true, true, false), ["7 failures within 15 minutes"]);
    assert_eq!(
        told(false, true, true),
        ["40 failures within 15 minutes", "where 20 accounts were tried within 60 minutes"]
    );
}
