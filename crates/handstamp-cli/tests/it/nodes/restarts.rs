//! Both nodes behind nginx, restarted one after the other while requests come in.

use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use handstamp_postgres::testing::block_on;
use serde_json::json;

use super::{Shared, accepts, sign_out, text, wires};
use crate::killed::clients::Wire;
use crate::world::Served;

/// nginx, until it is dropped.
struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Nginx {
    fn start(shared: &Shared, served: &[Served; 2], listen: &str) -> Self {
        let folder = shared.world.path("nginx");
        std::fs::create_dir(&folder).unwrap();
        let [one, other] = [0, 1].map(|node| host(&served[node].url).to_owned());
        let config = include_str!("nginx.conf")
            .replace("{folder}", &folder.display().to_string())
            .replace("{listen}", listen)
            .replace("{one}", &one)
            .replace("{other}", &other);
        let path = folder.join("config");
        std::fs::write(&path, config).unwrap();
        let mut command = Command::new("/usr/sbin/nginx");
        command.arg("-p").arg(&folder).args(["-e", "stderr", "-c"]).arg(&path);
        let child =
            command.spawn().expect("nginx is not installed: on Debian, apt-get install nginx");
        let nginx = Self(child);
        let begun = Instant::now();
        while Wire::open(&format!("http://{listen}")).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "nginx does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        nginx
    }
}

fn host(url: &str) -> &str {
    url.strip_prefix("http://").unwrap()
}

/// A port that is free now.
fn free() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Each is stopped and started twice under load: checks, refreshes, sign-ins and sign-outs all are
/// answered as if nothing were.
#[test]
fn a_rolling_restart_behind_nginx_costs_no_request() {
    let shared = Shared::new();
    let mut served = shared.pair(&[]);
    let listen = free();
    let _nginx = Nginx::start(&shared, &served, &listen);
    let url = format!("http://{listen}");
    let (is_over, answered) = (AtomicBool::new(false), AtomicU32::new(0));
    let more = |many: u32| {
        let until = answered.load(Ordering::SeqCst) + many;
        let begun = Instant::now();
        while answered.load(Ordering::SeqCst) < until {
            assert!(begun.elapsed() < Duration::from_secs(60), "the clients stand still");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    std::thread::scope(|threads| {
        for client in 0..4 {
            let (shared, url, is_over, answered) = (&shared, &url, &is_over, &answered);
            threads.spawn(move || {
                let mut wire = Wire::open(url).unwrap();
                let subject = format!("subject-{client}");
                while !is_over.load(Ordering::SeqCst) {
                    let count = a_life(shared, &mut wire, &subject);
                    answered.fetch_add(count, Ordering::SeqCst);
                }
            });
        }
        more(50);
        for node in [0, 1, 0, 1] {
            let name = ["one", "other"][node];
            let address = host(&served[node].url).to_owned();
            served[node].terminate();
            more(30);
            served[node] = shared.serve_at(&address, name, &[]);
            more(30);
        }
        is_over.store(true, Ordering::SeqCst);
    });
    println!("{} requests were answered over four restarts", answered.into_inner());
}

/// What a newer version of the program adds to the schema does not stop those that run; one that
/// starts afterwards is refused.
#[test]
fn nodes_that_run_go_on_where_a_newer_one_brings_the_schema_up() {
    let shared = Shared::new();
    let served = shared.pair(&[]);
    let newer = "ALTER TABLE handstamp.sessions ADD COLUMN is_newer BOOLEAN NOT NULL DEFAULT FALSE;
        INSERT INTO handstamp.versions (version)
        SELECT max(version) + 1 FROM handstamp.versions";
    block_on(shared.database.run(newer));
    for wire in &mut wires(&served) {
        a_life(&shared, wire, "ada");
    }
    let serve = ["serve", "--listen", "127.0.0.1:0", "--keys", "shared.keys", "--data-dir", "new"];
    let refused = shared.world.run(&serve);
    assert_ne!(refused.exit, 0);
    assert!(refused.err.contains("newer"), "{}", refused.err);
}

/// A session from its begin to its end; answers how many requests that took.
fn a_life(shared: &Shared, wire: &mut Wire, subject: &str) -> u32 {
    let mut session = shared.begin(wire, subject);
    for _ in 0..3 {
        for _ in 0..10 {
            assert!(accepts(wire, text(&session, "access_token")));
        }
        let body = json!({ "refresh_token": text(&session, "refresh_token") });
        let (status, answer) = wire.ask("/sessions/refresh", None, &body).unwrap();
        assert_eq!(status, 200, "{answer}");
        session = answer;
    }
    sign_out(wire, &session);
    35
}
