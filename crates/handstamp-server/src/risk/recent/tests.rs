use std::time::Duration;

use super::*;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000).plus(Duration::from_secs(seconds))
}

fn ip(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

fn subject(name: &str) -> Subject {
    Subject::new(name).unwrap()
}

fn recent() -> Recent {
    Recent::new(&RiskConfig::default())
}

/// A try of `subject` from `address`.
fn by<'a>(subject: &'a Subject, address: &str, seconds: u64) -> Attempt<'a> {
    Attempt { subject: Some(subject), name: None, address: ip(address), at: at(seconds) }
}

/// A try under a name that is nobody's.
fn named<'a>(name: &'a str, address: &str, seconds: u64) -> Attempt<'a> {
    Attempt { subject: None, name: Some(name), address: ip(address), at: at(seconds) }
}

#[test]
fn f10_failures_are_counted_by_subject_by_name_and_by_source() {
    let (recent, ada) = (recent(), subject("ada"));
    recent.failed(&by(&ada, "192.0.2.1", 0));
    recent.failed(&by(&ada, "192.0.2.2", 1));
    let (signal, _) = recent.failed(&named("nobody", "192.0.2.1", 2));
    assert_eq!(signal.tally, Tally { by_subject: 1, by_address: 2, subjects: 2 });
    let (signal, _) = recent.failed(&by(&ada, "192.0.2.1", 3));
    assert_eq!(signal.tally, Tally { by_subject: 3, by_address: 3, subjects: 2 });
    let (signal, _) = recent.failed(&named("ada", "192.0.2.3", 4));
    assert_eq!(signal.tally.by_subject, 1, "a name is no subject");
}

#[test]
fn f10_failures_are_forgotten_after_the_window() {
    let (recent, ada) = (recent(), subject("ada"));
    for second in 0..4 {
        recent.failed(&by(&ada, "192.0.2.1", second));
    }
    let (signal, _) = recent.failed(&by(&ada, "192.0.2.1", 1_000));
    assert_eq!(signal.tally, Tally { by_subject: 1, by_address: 1, subjects: 1 });
}

#[test]
fn f10_each_level_is_told_once() {
    let (recent, ada) = (recent(), subject("ada"));
    let told: Vec<u64> = (1..=45)
        .filter(|second| recent.failed(&by(&ada, "192.0.2.1", *second)).0.is_new_by_subject)
        .collect();
    assert_eq!(told, [5, 10, 20, 40]);
    let again: Vec<u64> = (10_000..10_008)
        .filter(|second| recent.failed(&by(&ada, "192.0.2.1", *second)).0.is_new_by_subject)
        .collect();
    assert_eq!(again, [10_004], "after a quiet window from the start");
}

#[test]
fn f10_subjects_tried_from_one_source_are_told_apart_up_to_a_bound() {
    let recent = recent();
    for number in 0..200 {
        let (signal, _) = recent.failed(&named(&format!("name-{number}"), "192.0.2.1", number));
        assert_eq!(u64::from(signal.tally.subjects), (number + 1).min(64));
        let is_level = [9, 19, 39].contains(&number);
        assert_eq!(signal.is_new_by_subjects, is_level, "{number}");
    }
}

#[test]
fn f10_addresses_of_one_network_of_ipv6_are_one_source() {
    let (recent, ada) = (recent(), subject("ada"));
    for host in 0..30 {
        recent.failed(&by(&ada, &format!("2001:db8::{host:x}"), host));
    }
    let (signal, _) = recent.failed(&by(&ada, "2001:db8::ffff", 31));
    assert_eq!(signal.tally.by_address, 31);
}

#[test]
fn b11_a_sign_in_tells_what_failed_before_and_forgets_it() {
    let (recent, ada) = (recent(), subject("ada"));
    for second in 0..12 {
        recent.failed(&by(&ada, "192.0.2.1", second));
    }
    let tally = recent.began(&by(&ada, "192.0.2.1", 12));
    assert_eq!(tally, Tally { by_subject: 12, by_address: 12, subjects: 1 });
    assert_eq!(recent.began(&by(&ada, "192.0.2.1", 12)), tally, "until it is trusted");
    recent.trust(&by(&ada, "192.0.2.1", 12));
    let (signal, advice) = recent.failed(&by(&ada, "192.0.2.1", 13));
    assert_eq!((signal.tally.by_subject, advice), (1, Advice::Allow));
    assert_eq!(signal.tally.by_address, 13, "one good password clears no address");
}

#[test]
fn s94_failures_from_elsewhere_do_not_slow_a_subject_down_where_it_is_at_home() {
    let (recent, ada) = (recent(), subject("ada"));
    recent.trust(&by(&ada, "192.0.2.1", 0));
    for second in 1..=60 {
        let address = format!("198.51.100.{second}");
        recent.failed(&by(&ada, &address, second));
    }
    assert!(matches!(recent.advise(&by(&ada, "203.0.113.1", 61)), Advice::Block(_)));
    assert_eq!(recent.advise(&by(&ada, "192.0.2.1", 61)), Advice::Allow);
}

#[test]
fn b11_the_advice_wears_off() {
    let (recent, ada) = (recent(), subject("ada"));
    for second in 0..6 {
        recent.failed(&by(&ada, "192.0.2.1", second));
    }
    let advised = |seconds| recent.advise(&by(&ada, "192.0.2.1", seconds));
    assert_eq!(advised(5), Advice::Delay(Duration::from_secs(4)));
    assert_eq!(advised(8), Advice::Delay(Duration::from_secs(1)));
    assert_eq!(advised(9), Advice::Allow);
}

#[test]
fn s95_a_name_that_is_nobodys_is_advised_like_a_subject() {
    let (recent, ada) = (recent(), subject("ada"));
    for second in 0..60 {
        let (signal, advice) = recent.failed(&by(&ada, "192.0.2.1", second));
        let (other, other_advice) = recent.failed(&named("ada@nowhere", "198.51.100.1", second));
        assert_eq!((signal, advice), (other, other_advice));
    }
}

#[test]
fn f10_a_flood_of_names_and_addresses_takes_bounded_room() {
    let (recent, ada) = (recent(), subject("ada"));
    for number in 0..100_000_u32 {
        let address = std::net::Ipv4Addr::from(0x0b00_0000 + number).to_string();
        recent.failed(&named(&number.to_string(), &address, 0));
        if number % 1_000 == 0 {
            recent.failed(&by(&ada, "192.0.2.1", 0));
        }
        if number % 10 == 0 {
            recent.trust(&by(&subject(&number.to_string()), &address, 0));
        }
    }
    let kept = recent.lock();
    for held in [kept.accounts.len(), kept.sources.len(), kept.homes.len()] {
        assert!(held <= CAPACITY, "{held}");
    }
    drop(kept);
    let (signal, _) = recent.failed(&by(&ada, "192.0.2.1", 0));
    assert_eq!(signal.tally.by_subject, 101, "the one under attack is still counted");
}

#[test]
fn what_is_kept_shows_nobodys_name() {
    let (recent, ada) = (recent(), subject("ada"));
    recent.failed(&by(&ada, "192.0.2.1", 0));
    let shown = format!("{recent:?}");
    assert!(!shown.contains("ada") && !shown.contains("192.0.2.1"), "{shown}");
}

#[test]
fn an_attempt_of_nobody_from_nowhere_is_no_trouble() {
    let recent = recent();
    let attempt = Attempt { subject: None, name: None, address: None, at: at(0) };
    let (signal, advice) = recent.failed(&attempt);
    assert_eq!((signal.tally, advice), (Tally::default(), Advice::Allow));
    recent.trust(&attempt);
    assert_eq!(recent.began(&attempt), Tally::default());
}
