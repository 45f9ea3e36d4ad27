//! A way to a server that loses what it is told to lose.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

const SOCKET: &str = ".s.PGSQL.5432";
const COMMIT: &[u8] = b"COMMIT\0";

/// What becomes of the next commit, and of what follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Loses {
    Nothing,
    /// The commit itself.
    Request,
    /// The answer to it.
    Answer,
    /// The answer to it; and nobody gets through any more.
    AnswerAndWay,
    /// Nobody gets through.
    Way,
}

/// Stands between a store and its server, and cuts a connection off once.
pub(crate) struct Proxy {
    folder: TempDir,
    loses: Arc<AtomicU8>,
    lost: Arc<AtomicU32>,
}

impl Proxy {
    /// Before the server that has its socket in `server`.
    pub(crate) fn before(server: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let loses = Arc::new(AtomicU8::new(Loses::Nothing as u8));
        let lost = Arc::new(AtomicU32::new(0));
        let (server, of, count) = (server.join(SOCKET), Arc::clone(&loses), Arc::clone(&lost));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if of.load(Ordering::SeqCst) != Loses::Way as u8 {
                    let server = UnixStream::connect(&server).await.unwrap();
                    tokio::spawn(carry(client, server, Arc::clone(&of), Arc::clone(&count)));
                }
            }
        });
        Self { folder, loses, lost }
    }

    /// The address by which the server is reached at `url` leads through here.
    pub(crate) fn url(&self, url: &str) -> String {
        let (start, _) = url.split_once("?host=").unwrap();
        format!("{start}?host={}", self.folder.path().display())
    }

    pub(crate) fn loses(&self, what: Loses) {
        self.loses.store(what as u8, Ordering::SeqCst);
    }

    /// How often it lost something.
    pub(crate) fn lost(&self) -> u32 {
        self.lost.load(Ordering::SeqCst)
    }
}

/// Carries on in both ways, until something is to be lost.
async fn carry(
    mut client: UnixStream,
    mut server: UnixStream,
    loses: Arc<AtomicU8>,
    lost: Arc<AtomicU32>,
) {
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(1..) = read else { return };
                let message = &asked[..read.unwrap()];
                let is_commit = message.windows(COMMIT.len()).any(|part| part == COMMIT);
                let what = loses.load(Ordering::SeqCst);
                if what == Loses::Way as u8 {
                    return;
                }
                if what == Loses::Nothing as u8 || !is_commit {
                    server.write_all(message).await.unwrap();
                    continue;
                }
                let next = if what == Loses::AnswerAndWay as u8 { Loses::Way } else { Loses::Nothing };
                loses.store(next as u8, Ordering::SeqCst);
                lost.fetch_add(1, Ordering::SeqCst);
                if what != Loses::Request as u8 {
                    server.write_all(message).await.unwrap();
                    // It answers once it is done.
                    let _ = server.read(&mut answered).await.unwrap();
                }
                return;
            }
            read = server.read(&mut answered) => {
                let Ok(1..) = read else { return };
                if client.write_all(&answered[..read.unwrap()]).await.is_err() {
                    return;
                }
            }
        }
    }
}
