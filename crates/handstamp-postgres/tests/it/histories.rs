//! Clients of two nodes, which are killed one after another in the middle of what they do, on a server
//! that crashes: what the clients of each session saw can be put into one order, and nothing that was
//! acknowledged is lost.
//!
//! A node is a runtime of its own with a store and a manager. To kill it is to stop that runtime: all
//! that is under way ends where it stands and its connections break off, as with a process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use handstamp_core::conformance::linear::{Answer, Ask, Operation, is_linearizable};
use handstamp_core::id::SessionId;
use handstamp_core::random::{Rng, SeededRng, random};
use handstamp_core::token::Token;
use handstamp_core::{KeyRing, SessionConfig, SessionError, SessionManager};
use handstamp_postgres::PostgresStore;
use handstamp_postgres::testing::Server;
use tokio::runtime::{Builder, Handle, Runtime};

const NODES: usize = 2;
const CLIENTS: u64 = 6;
const OPERATIONS: u64 = 16;
const SLOTS: usize = 2;
/// After so many moments of a history something breaks, again and again.
const BREAKS_EVERY: u64 = 40;

/// A process.
struct Node {
    runtime: Option<Runtime>,
    handle: Handle,
    sessions: SessionManager,
}

impl Node {
    /// Starts one, as often as it takes.
    fn start(url: &str, keys: &KeyRing) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let store = loop {
            let builder = PostgresStore::builder(url).connections(4);
            match runtime.block_on(builder.open()) {
                Ok(store) => break store,
                // The server is just coming up.
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        let sessions = SessionManager::new(store, SessionConfig::default(), keys.clone());
        Self { handle: runtime.handle().clone(), runtime: Some(runtime), sessions }
    }
}

/// What the clients share.
struct Shared {
    server: Server,
    keys: KeyRing,
    nodes: Mutex<Vec<Node>>,
    slots: [Mutex<String>; SLOTS],
    moment: AtomicU64,
    histories: Mutex<HashMap<SessionId, Vec<Operation>>>,
}

/// What is counted, so that nobody takes a test for a good one in which nothing happened.
#[derive(Default, Debug)]
struct Seen {
    rounds: u64,
    operations: usize,
    unknown: usize,
    kills: u32,
    crashes: u32,
}

fn draw(rng: &SeededRng, below: u64) -> u64 {
    let bytes: [u8; 4] = random(rng as &dyn Rng).unwrap();
    u64::from(u32::from_be_bytes(bytes)) % below
}

/// Shows B02.
#[test]
fn b02_histories_over_nodes_that_are_killed_and_a_server_that_crashes_are_linearizable() {
    let is_long = std::env::var_os("HANDSTAMP_LONG").is_some();
    let until = Instant::now() + Duration::from_secs(if is_long { 600 } else { 20 });
    let shared = Arc::new(Shared::new());
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut seen = Seen::default();
    while Instant::now() < until || seen.rounds < 4 {
        let seed = 1 + seen.rounds;
        let round = runtime.block_on(round(&shared, seed, &mut seen));
        for (id, history) in round {
            let shown: String = history.iter().map(|it| format!("\n  {it:?}")).collect();
            assert!(is_linearizable(&history), "seed {seed}, session {id}:{shown}");
            seen.operations += history.len();
            seen.unknown += history.iter().filter(|it| it.answer == Answer::Unknown).count();
        }
        seen.rounds += 1;
    }
    println!("{seen:?}");
    assert!(seen.kills >= 4 && seen.crashes >= 2 && seen.operations > 100, "{seen:?}");
    let (handle, sessions) = shared.node(0);
    let check = runtime.block_on(handle.spawn(async move { sessions.verify_log().await }));
    let check = check.unwrap().unwrap();
    assert!(check.first_bad.is_none(), "every chain of events verifies: {check:?}");
}

/// One history of each session, with the last word of a node that has seen nothing of it.
async fn round(
    shared: &Arc<Shared>,
    seed: u64,
    seen: &mut Seen,
) -> HashMap<SessionId, Vec<Operation>> {
    for slot in &shared.slots {
        let fresh = shared.sign_in(0).await;
        *slot.lock().unwrap() = fresh;
    }
    let begun = shared.moment.load(Ordering::SeqCst);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let rng = SeededRng::new(seed * CLIENTS + client);
            tokio::spawn(work(Arc::clone(shared), rng))
        })
        .collect();
    let mut next = begun + BREAKS_EVERY;
    while !clients.iter().all(tokio::task::JoinHandle::is_finished) {
        if shared.moment.load(Ordering::SeqCst) < next {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        }
        next += BREAKS_EVERY;
        let (shared, which) = (Arc::clone(shared), (next / BREAKS_EVERY + seed) % 3);
        let is_crash = which == 2;
        let breaking = move || match which {
            2 => shared.server.crash(),
            place => shared.kill(usize::try_from(place).unwrap()),
        };
        tokio::task::spawn_blocking(breaking).await.unwrap();
        if is_crash {
            seen.crashes += 1;
        } else {
            seen.kills += 1;
        }
    }
    for client in clients {
        client.await.unwrap();
    }
    let fresh = Arc::clone(shared);
    tokio::task::spawn_blocking(move || fresh.kill(1)).await.unwrap();
    let tokens: Vec<String> =
        shared.slots.iter().map(|slot| slot.lock().unwrap().clone()).collect();
    for token in &tokens {
        shared.ask(1, token, Ask::Get).await;
    }
    std::mem::take(&mut *shared.histories.lock().unwrap())
}

async fn work(shared: Arc<Shared>, rng: SeededRng) {
    for _ in 0..OPERATIONS {
        let slot = &shared.slots[usize::try_from(draw(&rng, SLOTS as u64)).unwrap()];
        let place = usize::try_from(draw(&rng, NODES as u64)).unwrap();
        let token = slot.lock().unwrap().clone();
        let (choice, value) = (draw(&rng, 40), draw(&rng, 1000));
        match choice {
            0..14 => shared.ask(place, &token, Ask::Get).await,
            14..20 => shared.ask(place, &token, Ask::Set(value)).await,
            20..38 => shared.ask(place, &token, Ask::Add(value)).await,
            _ => {
                shared.ask(place, &token, Ask::End).await;
                let fresh = shared.sign_in(place).await;
                *slot.lock().unwrap() = fresh;
            }
        }
    }
}

impl Shared {
    fn new() -> Self {
        // What was acknowledged is on disk: this server syncs.
        let server = Server::start(&[]);
        handstamp_postgres::testing::block_on(server.create("shop", "template0"));
        let keys = KeyRing::generate().unwrap();
        let nodes = (0..NODES).map(|_| Node::start(&server.url("shop"), &keys)).collect();
        let (slots, moment, histories) = (Default::default(), AtomicU64::new(0), Mutex::default());
        Self { server, keys, nodes: Mutex::new(nodes), slots, moment, histories }
    }

    /// The node at `place` as it is now.
    fn node(&self, place: usize) -> (Handle, SessionManager) {
        let nodes = self.nodes.lock().unwrap();
        (nodes[place].handle.clone(), nodes[place].sessions.clone())
    }

    /// Kills the node at `place` and starts another in its stead.
    fn kill(&self, place: usize) {
        let runtime = self.nodes.lock().unwrap()[place].runtime.take();
        runtime.unwrap().shutdown_background();
        let fresh = Node::start(&self.server.url("shop"), &self.keys);
        self.nodes.lock().unwrap()[place] = fresh;
    }

    /// Signs somebody in, as often as it takes: who was not told tries again.
    async fn sign_in(&self, place: usize) -> String {
        loop {
            let (handle, sessions) = self.node(place);
            let begun = handle.spawn(async move { sessions.begin("ann").await }).await;
            if let Ok(Ok(begun)) = begun {
                return begun.token.to_text().to_string();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn ask(&self, place: usize, token: &str, ask: Ask) {
        let id = Token::parse(token).unwrap().session();
        let called = self.moment.fetch_add(1, Ordering::SeqCst);
        let (handle, sessions) = self.node(place);
        let (token, has_begun) = (token.to_owned(), Arc::new(AtomicBool::new(false)));
        let begins = Arc::clone(&has_begun);
        let acting = handle.spawn(async move {
            begins.store(true, Ordering::SeqCst);
            act(&sessions, &token, ask).await
        });
        let answer = acting.await;
        let answered = self.moment.fetch_add(1, Ordering::SeqCst);
        let answer = match answer {
            Ok(answer) => answer_of(answer),
            // The node was killed, before it began or while it was at it.
            Err(_) if ask == Ask::Get || !has_begun.load(Ordering::SeqCst) => None,
            Err(_) => Some(Answer::Unknown),
        };
        let Some(answer) = answer else {
            // What nothing came of is no part of the history, and nobody hurries to ask again.
            return tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let operation = Operation { called, answered, ask, answer };
        self.histories.lock().unwrap().entry(id).or_default().push(operation);
    }
}

async fn act(sessions: &SessionManager, token: &str, ask: Ask) -> Result<Answer, SessionError> {
    sessions.catch_up().await?;
    let session = sessions.load(token).await?;
    match ask {
        Ask::Get => return Ok(Answer::Value(session.get("n")?)),
        Ask::Set(value) => session.set("n", &value)?,
        Ask::Add(value) => session.update("n", move |it: &mut Option<u64>| {
            *it = Some(it.unwrap_or(0) + value);
        })?,
        Ask::End => session.logout().await?,
    }
    session.commit().await?;
    Ok(Answer::Done)
}

/// What the client was told; `None` when nothing was changed.
fn answer_of(answer: Result<Answer, SessionError>) -> Option<Answer> {
    match answer {
        Ok(answer) => Some(answer),
        Err(SessionError::Ended { .. } | SessionError::Expired { .. }) => Some(Answer::Over),
        Err(SessionError::Unavailable(_)) => None,
        Err(SessionError::Unknown(_)) => Some(Answer::Unknown),
        Err(other) => panic!("{other:?}"),
    }
}
