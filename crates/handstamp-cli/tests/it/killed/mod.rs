//! `handstamp serve` is killed at any moment, while it starts and under load: whatever it acknowledged over HTTP is
//! there afterwards, nothing that ended lives, and the log tells exactly what happened.
//!
//! SIGKILL spares what the system has in its page cache; that the sync comes before the answer is
//! shown by the tests of the store.

pub(crate) mod clients;
pub(crate) mod held;

use std::time::{Duration, Instant};

use crate::world::World;
use clients::{Client, Draw};

/// How many clients work at once, each for a subject of its own.
const CLIENTS: u64 = 6;

/// How long a start takes at most on a quiet machine, in microseconds.
const A_START: u64 = 150_000;

/// How often the service is killed, while it starts and again under load: 60 times, or 1,000 in a long run.
fn kills() -> u32 {
    if std::env::var_os("HANDSTAMP_LONG").is_some() { 1_000 } else { 60 }
}

#[test]
fn what_the_service_acknowledged_survives_sigkill_at_any_moment() {
    let seed = std::env::var("HANDSTAMP_SEED").ok();
    let seed = seed.map_or_else(|| std::process::id().into(), |text| text.parse().unwrap());
    println!("HANDSTAMP_SEED={seed}");
    let (world, draw, begun) = (World::new(), Draw::new(seed), Instant::now());
    let create = ["service-key", "create", "--name", "web", "--scope", "sessions", "--json"];
    let made = world.run(&create).json();
    let key = made["key"].as_str().unwrap();
    let mut clients: Vec<_> = (0..CLIENTS).map(|number| Client::new(seed, number)).collect();
    let mut acknowledged = 0;
    for _ in 0..kills() {
        world.kill_after(Duration::from_micros(draw.below(A_START)));
        let served =
            world.serve(&["--set", "limits.refresh=none", "--set", "sessions.grace_seconds=300"]);
        let url = served.url.clone();
        std::thread::scope(|threads| {
            for client in &mut clients {
                threads.spawn(|| client.work(&url, key));
            }
            std::thread::sleep(Duration::from_micros(draw.below(500_000)));
            drop(served);
        });
        acknowledged += clients.iter_mut().map(Client::take_count).sum::<u32>();
        held::agrees(&world.path("handstamp-data/sessions.db"), &clients);
        let verified = world.run(&["audit", "verify", "--json"]);
        assert_eq!(verified.exit, 0, "{}{}", verified.out, verified.err);
    }
    println!("twice {} kills, {acknowledged} acknowledged, in {:?}", kills(), begun.elapsed());
    assert!(acknowledged > kills(), "the clients hardly did anything");
}

#[test]
fn a_first_start_that_is_killed_at_any_moment_is_taken_up_by_the_next() {
    let draw = Draw::new(std::process::id().into());
    for _ in 0..20 {
        let world = World::new();
        for _ in 0..3 {
            world.kill_after(Duration::from_micros(draw.below(A_START)));
        }
        let served = world.serve(&[]);
        assert_eq!(served.get("/readyz").0, 200);
        drop(served);
        let verified = world.run(&["audit", "verify", "--json"]);
        assert_eq!(verified.exit, 0, "{}{}", verified.out, verified.err);
    }
}
