//! What holds across nodes because the database decides it, and what is found out by a cursor.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use handstamp_core::store::Filter;
use handstamp_postgres::testing::block_on;
use serde_json::{Value as Json, json};

use super::{Shared, accepts, sign_out, text, wires};
use crate::killed::clients::{Client, Draw, Wire};
use crate::killed::held;
use crate::world::Served;

/// 200 refreshes at once with one token, spread over both: all are answered, by one successor.
#[test]
fn n200_refreshes_over_two_nodes_get_one_successor() {
    let shared = Shared::new();
    let served = shared.pair(&[]);
    let begun = shared.begin(&mut wires(&served)[0], "ada");
    let body = json!({ "refresh_token": text(&begun, "refresh_token") });
    let successors = Mutex::new(BTreeSet::new());
    std::thread::scope(|threads| {
        for n in 0..200 {
            let (url, body, successors) = (&served[n % 2].url, &body, &successors);
            threads.spawn(move || {
                let mut wire = Wire::open(url).unwrap();
                let (status, answer) = wire.ask("/sessions/refresh", None, body).unwrap();
                assert_eq!(status, 200, "{answer}");
                successors.lock().unwrap().insert(text(&answer, "refresh_token").to_owned());
            });
        }
    });
    let successors = successors.into_inner().unwrap();
    assert_eq!(successors.len(), 1, "one bump");
    let logged = "handstamp.events WHERE action = 'session.refreshed'";
    assert_eq!(block_on(shared.database.count(logged)), 1, "told once");
}

/// "Read your own revocation" on a node that did not make it.
#[test]
fn b03_a_cursor_of_one_node_is_met_by_the_other() {
    let shared = Shared::new();
    let served = shared.pair(&[]);
    let [mut one, mut other] = wires(&served);
    for _ in 0..50 {
        let begun = shared.begin(&mut one, "ada");
        let token = text(&begun, "access_token");
        assert!(accepts(&mut other, token));
        sign_out(&mut one, &begun);
        let demand = format!("Handstamp-Min: {}\r\n", one.cursor.as_ref().unwrap());
        let (status, answer) = other.get_with("/sessions/status", token, &demand).unwrap();
        assert_eq!((status, &answer["is_active"]), (200, &json!(false)), "{answer}");
    }
    let begun = shared.begin(&mut one, "ada");
    let (token, unknown) = (text(&begun, "access_token"), "Handstamp-Min: 1-1\r\n");
    let (status, answer) = other.get_with("/sessions/status", token, unknown).unwrap();
    assert_eq!(status, 503, "a state that nobody knows: {answer}");
}

/// 60 sign-ins at once over both, where three may be.
#[test]
fn b10_a_limit_holds_across_nodes() {
    let shared = Shared::new();
    let limit = ["--set", "sessions.max_per_subject=3", "--set", "sessions.limit_strategy=deny"];
    let served = shared.pair(&limit);
    let answers = at_once(60, &served, |wire| begin(&shared, wire, "ada"));
    let begun = answers.iter().filter(|(status, _)| *status == 201).count();
    assert_eq!(begun, 3, "{answers:?}");
    let refused = answers.iter().filter(|(_, answer)| answer["code"] == "LIMIT_REACHED").count();
    assert_eq!(refused, 57, "{answers:?}");
    lists_equal_scans(&shared, &served);
}

/// Sign-ins on both while somebody is disabled on one: none that began after it was acknowledged
/// succeeds, and none of those before it lives.
#[test]
fn s36_disabling_holds_across_nodes() {
    let shared = Shared::new();
    let served = shared.pair(&[]);
    for turn in 0..20 {
        let subject = format!("subject-{turn}");
        let (is_disabled, count) = (AtomicBool::new(false), Mutex::new(0));
        std::thread::scope(|threads| {
            for node in 0..4 {
                let (shared, url, subject) = (&shared, &served[node % 2].url, &subject);
                let (is_disabled, count) = (&is_disabled, &count);
                threads.spawn(move || {
                    let mut wire = Wire::open(url).unwrap();
                    loop {
                        let is_after = is_disabled.load(Ordering::SeqCst);
                        let (status, answer) = begin(shared, &mut wire, subject);
                        if status == 403 {
                            return assert_eq!(answer["code"], "SUBJECT_DISABLED", "{answer}");
                        }
                        assert_eq!((status, is_after), (201, false), "{answer}");
                        *count.lock().unwrap() += 1;
                    }
                });
            }
            while *count.lock().unwrap() < 8 {
                std::thread::yield_now();
            }
            let path = format!("/admin/subjects/{subject}/disable");
            let mut wire = Wire::open(&served[turn % 2].url).unwrap();
            let (status, answer) = wire.ask(&path, Some(&shared.admin), &json!({})).unwrap();
            assert_eq!(status, 200, "{answer}");
            is_disabled.store(true, Ordering::SeqCst);
        });
    }
    let live = block_on(shared.database.count("handstamp.user_sessions WHERE is_active"));
    assert_eq!(live, 0, "nobody is in");
    lists_equal_scans(&shared, &served);
}

/// Both are killed again and again under load, one while the other serves: what either acknowledged
/// is there, nothing that ended lives, and the log tells exactly what happened.
#[test]
fn what_either_node_acknowledged_survives_sigkill_of_both() {
    let seed = std::env::var("HANDSTAMP_SEED").ok();
    let seed = seed.map_or_else(|| std::process::id().into(), |text| text.parse().unwrap());
    println!("HANDSTAMP_SEED={seed}");
    let kills = if std::env::var_os("HANDSTAMP_LONG").is_some() { 100 } else { 10 };
    let (shared, draw) = (Shared::new(), Draw::new(seed));
    let mut clients: Vec<_> = (0..6).map(|number| Client::new(seed, number)).collect();
    let mut acknowledged = 0;
    for turn in 0..kills {
        let [one, other] = shared.pair(&["--set", "sessions.grace_seconds=300"]);
        let urls = [one.url.clone(), other.url.clone()];
        std::thread::scope(|threads| {
            for (number, client) in clients.iter_mut().enumerate() {
                // What one acknowledged in the turn before is looked at on the other now.
                let url = &urls[(number + turn) % 2];
                threads.spawn(|| client.work(url, &shared.key));
            }
            log_grows(&shared, 1 + draw.below(40));
            drop(one);
            log_grows(&shared, draw.below(10));
            drop(other);
        });
        acknowledged += clients.iter_mut().map(Client::take_count).sum::<u32>();
        block_on(async { held::holds(&shared.database.open().await, &clients).await });
    }
    let verify = ["audit", "verify", "--json", "--keys", "shared.keys"];
    let verified = shared.world.run(&verify);
    assert_eq!(verified.exit, 0, "{}{}", verified.out, verified.err);
    println!("{kills} kills of each, {acknowledged} acknowledged");
    assert!(acknowledged > u32::try_from(kills).unwrap(), "they hardly did anything");
}

/// Waits until so many more events are in the log.
fn log_grows(shared: &Shared, more: u64) {
    let count = || block_on(shared.database.count("handstamp.events")) as u64;
    let (before, begun) = (count(), Instant::now());
    while count() < before + more {
        assert!(begun.elapsed() < Duration::from_secs(60), "the clients stand still");
        std::thread::sleep(Duration::from_millis(3));
    }
}

fn begin(shared: &Shared, wire: &mut Wire, subject: &str) -> (u16, Json) {
    wire.ask("/sessions", Some(&shared.key), &json!({ "subject": subject })).unwrap()
}

/// What so many get who ask at once, each on a connection of its own.
fn at_once<T: Send>(
    many: usize,
    served: &[Served; 2],
    ask: impl Fn(&mut Wire) -> T + Sync,
) -> Vec<T> {
    let answers = Mutex::new(Vec::new());
    std::thread::scope(|threads| {
        for n in 0..many {
            let (url, ask, answers) = (&served[n % 2].url, &ask, &answers);
            threads.spawn(move || {
                let answer = ask(&mut Wire::open(url).unwrap());
                answers.lock().unwrap().push(answer);
            });
        }
    });
    answers.into_inner().unwrap()
}

/// What each node lists, page by page, is what is in the database.
fn lists_equal_scans(shared: &Shared, served: &[Served; 2]) {
    for is_live in [true, false] {
        let filter = Filter { is_live: Some(is_live), ..Filter::default() };
        let scanned = async { held::records(&shared.database.open().await, &filter).await };
        let scanned: BTreeSet<_> = block_on(scanned).keys().map(ToString::to_string).collect();
        for wire in &mut wires(served) {
            assert_eq!(listed(shared, wire, is_live), scanned);
        }
    }
}

fn listed(shared: &Shared, wire: &mut Wire, is_live: bool) -> BTreeSet<String> {
    let (mut ids, mut cursor) = (BTreeSet::new(), String::new());
    loop {
        let path = format!("/admin/sessions?active={is_live}&limit=50{cursor}");
        let (status, answer) = wire.get(&path, &shared.admin).unwrap();
        assert_eq!(status, 200, "{answer}");
        for session in answer["sessions"].as_array().unwrap() {
            assert!(ids.insert(text(session, "id").to_owned()), "listed twice: {session}");
        }
        match answer["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}
