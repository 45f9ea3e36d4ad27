//! A way to a server that loses what it is told to lose.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

const SOCKET: &str = ".s.PGSQL.5432";
const COMMIT: &[u8] = b"COMMIT\0";

/// A statement with so many values is a commit by itself; no other has nearly as many.
const VALUES: usize = 64;

/// What a [`Proxy`] loses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Loses {
    /// It carries everything.
    Nothing,
    /// The next commit itself.
    Request,
    /// The answer to the next commit.
    Answer,
    /// The answer to the next commit; and nobody gets through any more.
    AnswerAndWay,
    /// Nobody gets through: connections are closed.
    Way,
    /// Everything, without a word: connections stay, and nothing comes of them.
    Silence,
}

/// What the pool asks of a connection that is given back to it, after whoever used it has gone on.
const SIGN_OF_LIFE: &[u8] = b"S\0\0\0\x04";

/// Stands between stores and their server, and loses what it is told to lose.
#[derive(Debug)]
pub struct Proxy {
    folder: TempDir,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    loses: AtomicU8,
    lost: AtomicU32,
    asked: AtomicU64,
    connections: AtomicU32,
}

impl State {
    fn loses(&self, what: Loses) -> bool {
        self.loses.load(Ordering::SeqCst) == what as u8
    }
}

impl Proxy {
    /// Before the server that has its socket in `server`. It works on the runtime that it is called
    /// on.
    pub fn before(server: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let state = Arc::new(State::default());
        let (server, of) = (server.join(SOCKET), Arc::clone(&state));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                of.connections.fetch_add(1, Ordering::SeqCst);
                if !of.loses(Loses::Way) {
                    let server = UnixStream::connect(&server).await.unwrap();
                    tokio::spawn(carry(client, server, Arc::clone(&of)));
                }
            }
        });
        Self { folder, state }
    }

    /// The address by which the server is reached at `url` leads through here.
    pub fn url(&self, url: &str) -> String {
        let (start, _) = url.split_once("?host=").unwrap();
        format!("{start}?host={}", self.folder.path().display())
    }

    /// What it loses from now on.
    pub fn loses(&self, what: Loses) {
        self.state.loses.store(what as u8, Ordering::SeqCst);
    }

    /// How often it lost a commit or the answer to one.
    pub fn lost(&self) -> u32 {
        self.state.lost.load(Ordering::SeqCst)
    }

    /// How much the server was asked through it: about one a round trip.
    pub fn asked(&self) -> u64 {
        self.state.asked.load(Ordering::SeqCst)
    }

    /// How many connections were made.
    pub fn connections(&self) -> u32 {
        self.state.connections.load(Ordering::SeqCst)
    }
}

/// Carries on in both ways, until something is to be lost.
async fn carry(mut client: UnixStream, mut server: UnixStream, state: Arc<State>) {
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                if asked[..length] != *SIGN_OF_LIFE {
                    state.asked.fetch_add(1, Ordering::SeqCst);
                }
                if state.loses(Loses::Silence) {
                    continue;
                }
                if !ask(&mut server, &asked[..length], &state).await {
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                if state.loses(Loses::Silence) {
                    continue;
                }
                if client.write_all(&answered[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Whether `message` has something kept: a `COMMIT`, or the statement that is one.
fn is_commit(message: &[u8]) -> bool {
    message.windows(COMMIT.len()).any(|part| part == COMMIT)
        || values(message).is_some_and(|values| values >= VALUES)
}

/// How many values a message binds to a statement: after its kind and length come the names of portal
/// and statement, and the formats of the values.
fn values(message: &[u8]) -> Option<usize> {
    let mut names = message.strip_prefix(b"B")?.get(4..)?.splitn(3, |byte| *byte == 0).skip(2);
    let (formats, rest) = names.next()?.split_first_chunk()?;
    let rest = rest.get(2 * usize::from(u16::from_be_bytes(*formats))..)?;
    Some(u16::from_be_bytes(*rest.first_chunk()?).into())
}

/// Tells the server, or not; answers whether the connection goes on.
async fn ask(server: &mut UnixStream, message: &[u8], state: &State) -> bool {
    if state.loses(Loses::Way) {
        return false;
    }
    let is_commit = is_commit(message);
    if state.loses(Loses::Nothing) || !is_commit {
        return server.write_all(message).await.is_ok();
    }
    let (has_way, is_told) = (!state.loses(Loses::AnswerAndWay), !state.loses(Loses::Request));
    let next = if has_way { Loses::Nothing } else { Loses::Way };
    state.loses.store(next as u8, Ordering::SeqCst);
    state.lost.fetch_add(1, Ordering::SeqCst);
    if is_told && server.write_all(message).await.is_ok() {
        // It answers once it is done.
        let _ = server.read(&mut vec![0; 1 << 16]).await;
    }
    false
}
