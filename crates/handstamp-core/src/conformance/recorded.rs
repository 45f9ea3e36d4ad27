//! Histories of concurrent clients, recorded through the whole engine and checked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::fixture::Fixture;
use super::linear::{Answer, Ask, Operation, is_linearizable};
use crate::config::SessionConfig;
use crate::id::SessionId;
use crate::key::KeyRing;
use crate::random::{Rng, SeededRng, random};
use crate::session::CookieAction;
use crate::sign_in::Merge;
use crate::store::SessionStore;
use crate::testing::{Call, Failure, GateStore};
use crate::{Session, SessionError, SessionManager, SignIn};

const CLIENTS: u64 = 6;
const OPERATIONS: u64 = 16;
const SLOTS: usize = 2;

/// Records `rounds` histories, one seed each, from `first` on, and checks each: six clients share
/// two sessions, change, read and end them and sign in anew, while the store delays its answers
/// and loses some.
///
/// # Panics
/// Where what the clients of a session saw cannot be put into one order, with the seed and the
/// history.
pub async fn recorded_histories_are_linearizable(fixture: &dyn Fixture, first: u64, rounds: u64) {
    histories_of(&[fixture.open().await], first, rounds, false).await;
}

/// The same by clients of several nodes, each on a way of its own to one store. Where they catch up,
/// each client has its node read the change log to its end before it asks.
pub(super) async fn histories_of(
    stores: &[Arc<dyn SessionStore>],
    first: u64,
    rounds: u64,
    is_catching_up: bool,
) {
    let (mut sessions, mut operations) = (0, 0);
    for seed in first..first + rounds {
        for (id, history) in record(stores, seed, is_catching_up).await {
            assert!(is_linearizable(&history), "seed {seed}, session {id}: {}", shown(&history));
            sessions += 1;
            operations += history.len();
        }
    }
    println!("{rounds} histories of {sessions} sessions, {operations} operations");
}

/// A history for people: one operation on each line, by the moment of its call.
fn shown(history: &[Operation]) -> String {
    let mut history = history.to_vec();
    history.sort_by_key(|operation| operation.called);
    history.iter().map(|operation| format!("\n  {operation:?}")).collect()
}

/// What the clients share.
struct Shared {
    nodes: Vec<Node>,
    is_catching_up: bool,
    /// The cookies that are in use.
    slots: [Mutex<String>; SLOTS],
    moment: AtomicU64,
    histories: Mutex<HashMap<SessionId, Vec<Operation>>>,
}

/// One process.
struct Node {
    gate: GateStore<Arc<dyn SessionStore>>,
    sessions: SessionManager,
}

impl Node {
    fn new(store: &Arc<dyn SessionStore>, keys: &KeyRing, seed: u64) -> Self {
        let gate = GateStore::new(Arc::clone(store));
        gate.schedule(seed);
        let builder = SessionManager::builder(gate.clone(), SessionConfig::default(), keys.clone());
        Self { gate, sessions: builder.maintenance(false).build() }
    }
}

async fn record(
    stores: &[Arc<dyn SessionStore>],
    seed: u64,
    is_catching_up: bool,
) -> HashMap<SessionId, Vec<Operation>> {
    let keys = KeyRing::generate().unwrap();
    let nodes: Vec<Node> = stores.iter().map(|store| Node::new(store, &keys, seed)).collect();
    let sessions = &nodes[0].sessions;
    let slots = [sign_in(sessions).await, sign_in(sessions).await].map(Mutex::new);
    let (moment, histories) = (AtomicU64::new(0), Mutex::default());
    let shared = Arc::new(Shared { nodes, is_catching_up, slots, moment, histories });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let rng = SeededRng::new(seed * CLIENTS + client);
            let node = usize::try_from(client).unwrap() % stores.len();
            tokio::spawn(work(Arc::clone(&shared), node, rng))
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    std::mem::take(&mut *shared.histories.lock().unwrap())
}

async fn sign_in(sessions: &SessionManager) -> String {
    loop {
        let session = sessions.start();
        // A lost request is no sign-in; somebody who was not told tries again.
        if session.login(newcomer()).await.is_ok() {
            return cookie(&session).unwrap();
        }
    }
}

fn newcomer() -> SignIn {
    SignIn::new("ann").unwrap().merge(Merge::Drop)
}

fn cookie(session: &Session) -> Option<String> {
    match session.outgoing().cookie {
        CookieAction::Set { value, .. } => Some(value.to_string()),
        CookieAction::None | CookieAction::Remove => None,
    }
}

fn draw(rng: &SeededRng, below: u64) -> u64 {
    let bytes: [u8; 4] = random(rng as &dyn Rng).unwrap();
    u64::from(u32::from_be_bytes(bytes)) % below
}

async fn work(shared: Arc<Shared>, node: usize, rng: SeededRng) {
    let Node { gate, sessions } = &shared.nodes[node];
    for _ in 0..OPERATIONS {
        let slot = &shared.slots[usize::try_from(draw(&rng, SLOTS as u64)).unwrap()];
        if draw(&rng, 8) == 0 {
            // Each that nobody knows of doubles the orders to be tried: there are a few.
            let failure = match draw(&rng, 16) {
                0 => Failure::RequestLost,
                1..8 => Failure::Unavailable,
                _ => Failure::ReplyLost,
            };
            gate.fail_next(Call::Commit, failure);
        }
        let token = slot.lock().unwrap().clone();
        let (choice, value) = (draw(&rng, 40), draw(&rng, 1000));
        match choice {
            0..16 => shared.ask(sessions, &token, Ask::Get).await,
            16..22 => shared.ask(sessions, &token, Ask::Set(value)).await,
            22..38 => shared.ask(sessions, &token, Ask::Add(value)).await,
            _ => shared.ask(sessions, &token, Ask::End).await,
        }
        if choice >= 38 {
            let fresh = sign_in(sessions).await;
            *slot.lock().unwrap() = fresh;
        }
    }
}

impl Shared {
    fn tick(&self) -> u64 {
        self.moment.fetch_add(1, Ordering::SeqCst)
    }

    async fn ask(&self, sessions: &SessionManager, token: &str, ask: Ask) {
        let id = crate::token::Token::parse(token).unwrap().session();
        let called = self.tick();
        let answer = answer_of(self.act(sessions, token, ask).await);
        let answered = self.tick();
        // What nothing came of is no part of the history.
        let Some(answer) = answer else { return };
        let operation = Operation { called, answered, ask, answer };
        self.histories.lock().unwrap().entry(id).or_default().push(operation);
    }

    async fn act(
        &self,
        sessions: &SessionManager,
        token: &str,
        ask: Ask,
    ) -> Result<Answer, SessionError> {
        if self.is_catching_up {
            sessions.catch_up().await?;
        }
        let session = sessions.load(token).await?;
        match ask {
            Ask::Get => return Ok(Answer::Value(session.get("n")?)),
            Ask::Set(value) => session.set("n", &value)?,
            Ask::Add(value) => session.update("n", move |it: &mut Option<u64>| {
                *it = Some(it.unwrap_or(0) + value);
            })?,
            Ask::End if self.tick().is_multiple_of(2) => session.logout().await?,
            Ask::End => session.login(newcomer()).await?,
        }
        session.commit().await?;
        Ok(Answer::Done)
    }
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
