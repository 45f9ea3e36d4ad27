//! The program that is killed: clients that sign in, change data and sign out, each of a subject
//! of its own, and say what was acknowledged.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use handstamp_core::config::SessionConfig;
use handstamp_core::ledger::Ledger;
use handstamp_core::record::EndReason;
use handstamp_core::{KeyRing, SessionId, SessionManager, Subject};
use handstamp_sqlite::SqliteStore;

/// Where the program works; set for nothing else.
pub(crate) const PLACE: &str = "HANDSTAMP_KILLED_PLACE";

/// How many rounds each client does; without it, until it is killed.
pub(crate) const ROUNDS: &str = "HANDSTAMP_KILLED_ROUNDS";

/// How many clients there are; without it, eight.
pub(crate) const CLIENTS: &str = "HANDSTAMP_KILLED_CLIENTS";

fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.parse().ok()
}

/// The keys, the same at every start.
pub(crate) fn keys(place: &Path) -> KeyRing {
    KeyRing::open_or_create(place.join("keys").join("session.keys")).unwrap()
}

/// Says that something was acknowledged: one line, written at once.
fn acknowledge(what: &str) {
    std::io::stdout().lock().write_all(format!("ack {what}\n").as_bytes()).unwrap();
}

pub(crate) fn run(place: &Path) {
    let clients = number(CLIENTS).unwrap_or(8);
    let rounds = number(ROUNDS).unwrap_or(usize::MAX);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.unwrap().block_on(async {
        let store = Arc::new(SqliteStore::open(place.join("sessions.db")).await.unwrap());
        let sessions = SessionManager::new(store.clone(), SessionConfig::default(), keys(place));
        if rounds == usize::MAX {
            // Until it is killed, reports are made beside the clients.
            tokio::spawn(roll_up(store));
        }
        let clients: Vec<_> = (0..clients)
            .map(|client| tokio::spawn(work(sessions.clone(), format!("user {client}"), rounds)))
            .collect();
        for client in clients {
            client.await.unwrap();
        }
    });
}

async fn roll_up(ledger: Arc<dyn Ledger>) {
    loop {
        ledger.roll_up(7).await.unwrap();
        tokio::task::yield_now().await;
    }
}

async fn work(sessions: SessionManager, user: String, rounds: usize) {
    let subject = Subject::new(user.clone()).unwrap();
    for round in 0..rounds {
        let session = sessions.start();
        session.login(user.as_str()).await.unwrap();
        let id: SessionId = session.id().unwrap();
        acknowledge(&format!("begun {id} {user}"));
        for count in 1..=3 {
            session.update("count", |it: &mut Option<u64>| *it.get_or_insert(0) += 1).unwrap();
            session.commit().await.unwrap();
            acknowledge(&format!("count {id} {count}"));
        }
        if round % 2 == 0 {
            session.logout().await.unwrap();
            acknowledge(&format!("ended {id}"));
        }
        if round % 5 == 4 {
            sessions.end_all(&subject, None, EndReason::LogoutAll, None).await.unwrap();
            acknowledge(&format!("ended-all {user}"));
        }
    }
}
