//! A node whose way to the database is cut, between it and the database by a proxy, while the other
//! node goes on.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use handstamp_postgres::testing::{Loses, Proxy, block_on, shared_folder};
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;

use super::{Shared, accepts, sign_out, text};
use crate::killed::clients::Wire;
use crate::world::Served;

/// How long a node trusts its memory.
const LEASE: Duration = Duration::from_secs(5);

/// Until when anything must have come about, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two nodes, one of which has a proxy before the database.
struct CutOff {
    one: Served,
    other: Served,
    shared: Shared,
    proxy: Proxy,
    _runtime: Runtime,
}

impl CutOff {
    fn new() -> Self {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        let proxy = runtime.block_on(async { Proxy::before(shared_folder()) });
        let shared = Shared::new();
        let through = proxy.url(&shared.database.url());
        let one = shared.serve("one", &[]);
        let other = shared.serve("other", &["--store", &through]);
        Self { one, other, shared, proxy, _runtime: runtime }
    }

    /// A connection to the node that stays in touch.
    fn one(&self) -> Wire {
        Wire::open(&self.one.url).unwrap()
    }

    /// A connection to the one that is cut off.
    fn other(&self) -> Wire {
        Wire::open(&self.other.url).unwrap()
    }

    /// Has the node that is cut off read the log, so that its lease is fresh.
    fn renew_the_lease(&self) {
        let (mut one, mut other) = (self.one(), self.other());
        let begun = self.shared.begin(&mut one, "cid");
        sign_out(&mut one, &begun);
        let demand = format!("Handstamp-Min: {}\r\n", one.cursor.as_ref().unwrap());
        let token = text(&begun, "access_token");
        let (status, answer) = other.get_with("/sessions/status", token, &demand).unwrap();
        assert_eq!((status, &answer["is_active"]), (200, &json!(false)), "{answer}");
    }

    fn counted(&self, action: &str) -> usize {
        let events = format!("handstamp.events WHERE action = '{action}'");
        block_on(self.shared.database.count(&events))
    }
}

/// What a node says of an access token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Said {
    Good,
    Bad,
    Unavailable,
}

fn say(wire: &mut Wire, token: &str) -> Said {
    match wire.get("/sessions/status", token).unwrap() {
        (200, answer) if answer["is_active"] == true => Said::Good,
        (200, _) => Said::Bad,
        (503, _) => Said::Unavailable,
        other => panic!("{other:?}"),
    }
}

/// Asks until that is said; answers when the last request was asked that was answered by `Good`.
fn until(wire: &mut Wire, token: &str, wanted: Said) -> Option<Instant> {
    let (begun, mut last) = (Instant::now(), None);
    loop {
        let asked = Instant::now();
        let said = say(wire, token);
        if said == wanted {
            return last;
        }
        if said == Said::Good {
            last = Some(asked);
        }
        assert!(begun.elapsed() < PATIENCE, "it says {said:?}, never {wanted:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Connections that are closed, and then a network that swallows everything: a node that cannot
/// reach the database takes nobody once its lease has lapsed, then says 503, and comes back by
/// itself. What ended meanwhile is refused from the first answer on.
#[test]
fn b03_a_node_that_is_cut_off_accepts_nothing_after_the_lease_and_comes_back() {
    let nodes = CutOff::new();
    for loses in [Loses::Way, Loses::Silence] {
        let [ended, lives] = ["ada", "bob"].map(|name| nodes.shared.begin(&mut nodes.one(), name));
        let [ended_token, lives_token] = [&ended, &lives].map(|it| text(it, "access_token"));
        let mut other = nodes.other();
        assert!(accepts(&mut other, ended_token) && accepts(&mut other, lives_token));
        nodes.renew_the_lease();
        nodes.proxy.loses(loses);
        let cut = Instant::now();
        sign_out(&mut nodes.one(), &ended);
        std::thread::scope(|threads| {
            for token in [ended_token, lives_token] {
                let mut wire = nodes.other();
                threads.spawn(move || {
                    let last = until(&mut wire, token, Said::Unavailable);
                    // Of the one that ended it may have heard just in time.
                    assert!(last.is_some() || token == ended_token, "not from memory");
                    let late = last.map_or(Duration::ZERO, |last| last - cut);
                    assert!(late <= LEASE, "{loses:?}: accepted after {late:?}");
                    println!("{loses:?}: accepted for the last time after {late:?}");
                });
            }
        });
        assert_eq!(say(&mut other, ended_token), Said::Unavailable, "nor is it refused");
        let (status, _) = other.get("/readyz", "").unwrap();
        assert_eq!(status, 503);
        nodes.proxy.loses(Loses::Nothing);
        let healed = Instant::now();
        let accepted = until(&mut nodes.other(), ended_token, Said::Bad);
        assert!(accepted.is_none(), "{loses:?}: what ended was never good again");
        until(&mut nodes.other(), lives_token, Said::Good);
        println!("{loses:?}: answered again after {:?}", healed.elapsed());
    }
}

/// Many clients ask a node that is cut off about many sessions, without a pause, until it is back:
/// the database is asked a little, not once for each of them.
#[test]
fn a_database_that_is_back_is_not_run_over() {
    let nodes = CutOff::new();
    let mut one = nodes.one();
    let sessions: Vec<Json> =
        (0..200).map(|n| nodes.shared.begin(&mut one, &format!("subject-{n}"))).collect();
    let tokens: Vec<&str> = sessions.iter().map(|it| text(it, "access_token")).collect();
    let mut other = nodes.other();
    assert!(tokens.iter().all(|token| accepts(&mut other, token)));
    nodes.proxy.loses(Loses::Way);
    until(&mut other, tokens[0], Said::Unavailable);
    let (is_over, answered) = (AtomicBool::new(false), Mutex::new([0_u64; 3]));
    std::thread::scope(|threads| {
        for client in 0..20 {
            let (tokens, answered, is_over, mut wire) =
                (&tokens, &answered, &is_over, nodes.other());
            threads.spawn(move || {
                for turn in 0.. {
                    if is_over.load(Ordering::SeqCst) {
                        return;
                    }
                    let said = say(&mut wire, tokens[(client * 10 + turn * 7) % tokens.len()]);
                    answered.lock().unwrap()[said as usize] += 1;
                }
            });
        }
        let count = |said: Said| answered.lock().unwrap()[said as usize];
        let wait = |said: Said, many: u64| {
            let (begun, until) = (Instant::now(), count(said) + many);
            while count(said) < until {
                assert!(begun.elapsed() < PATIENCE, "{:?}", answered.lock().unwrap());
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        let figures = || (nodes.proxy.connections(), nodes.proxy.asked());
        let (begun, before) = (Instant::now(), figures());
        wait(Said::Unavailable, 1_000);
        let (cut, span) = (figures(), begun.elapsed());
        println!("cut off, 1,000 answers: {} connections in {span:?}", cut.0 - before.0);
        nodes.proxy.loses(Loses::Nothing);
        let begun = Instant::now();
        wait(Said::Good, 2_000);
        let (healed, span) = (figures(), begun.elapsed());
        is_over.store(true, Ordering::SeqCst);
        let (connections, asked) = (healed.0 - cut.0, healed.1 - cut.1);
        println!("healed, 2,000 answers: {asked} asked, {connections} connections, in {span:?}");
        // Reads of the log go on, about one a wake-up; what is asked for is loaded by four at most.
        assert!(asked < 500, "{asked} asked of the database");
        assert!(connections < 50, "{connections} connections");
    });
    assert_eq!(answered.into_inner().unwrap()[Said::Bad as usize], 0);
}

/// The answer to a commit is lost on the way: whoever waits for it hears what came of it, and it
/// happened once.
#[test]
fn a_commit_whose_answer_is_cut_off_is_applied_once() {
    let nodes = CutOff::new();
    let mut wire = nodes.other();
    let lose = || {
        nodes.proxy.loses(Loses::Answer);
        nodes.proxy.lost()
    };
    for turn in 1..=10 {
        let before = lose();
        let begun = nodes.shared.begin(&mut wire, "ada");
        assert!(nodes.proxy.lost() > before, "nothing was lost");
        let (body, before) = (json!({ "refresh_token": text(&begun, "refresh_token") }), lose());
        let (status, refreshed) = wire.ask("/sessions/refresh", None, &body).unwrap();
        assert_eq!(status, 200, "{refreshed}");
        assert!(nodes.proxy.lost() > before, "nothing was lost");
        let before = lose();
        sign_out(&mut wire, &refreshed);
        assert!(nodes.proxy.lost() > before, "nothing was lost");
        nodes.proxy.loses(Loses::Nothing);
        let told = ["session.started", "session.refreshed", "session.ended"];
        assert_eq!(told.map(|action| nodes.counted(action)), [turn; 3]);
        let mut one = nodes.one();
        assert!(!accepts(&mut one, text(&refreshed, "access_token")));
    }
}
