//! Writes the log back to the database beside the writer, so that no commit waits for it.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

use crate::connection;
use crate::open::Synchronous;

/// Transactions between two rounds.
const EVERY: u32 = 64;

/// The way to the thread that writes the log back.
///
/// It never catches up with a writer that never rests, so the log would grow without end. Once it
/// is long ([`connection::make_writer`]) the writer itself writes back the little that is left, and
/// begins the log anew.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    bell: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    round: Arc<Mutex<()>>,
    since: u32,
}

impl Checkpoints {
    /// Starts the thread for the database at `path`.
    pub(crate) fn start(path: PathBuf, synchronous: Synchronous) -> std::io::Result<Self> {
        // One ring is enough, however often it is asked for.
        let (bell, rings) = sync_channel(1);
        let round = Arc::new(Mutex::new(()));
        let rounds = Arc::clone(&round);
        let thread = thread::Builder::new()
            .name("handstamp-log".into())
            .spawn(move || work(&path, synchronous, &rings, &rounds))?;
        Ok(Self { bell: Some(bell), thread: Some(thread), round, since: 0 })
    }

    /// Waits for the round that goes on; none begins while this is held. SQLite has nobody wait for
    /// another who writes back.
    pub(crate) fn paused(&self) -> MutexGuard<'_, ()> {
        lock(&self.round)
    }

    /// A transaction was committed.
    pub(crate) fn count(&mut self) {
        self.since += 1;
        if self.since >= EVERY
            && let Some(bell) = &self.bell
        {
            self.since = 0;
            let _ = bell.try_send(());
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        drop(self.bell.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(round: &Mutex<()>) -> MutexGuard<'_, ()> {
    round.lock().unwrap_or_else(PoisonError::into_inner)
}

fn work(path: &std::path::Path, synchronous: Synchronous, rings: &Receiver<()>, round: &Mutex<()>) {
    let opened = connection::connect(path).and_then(|connection| {
        connection::make_writer(&connection, synchronous)?;
        Ok(connection)
    });
    match opened {
        Ok(connection) => rings.iter().for_each(|()| {
            let _round = lock(round);
            write_back(&connection);
        }),
        // The writer then does all of it.
        Err(error) => tracing::warn!(%error, "the log is not written back in the background"),
    }
}

fn write_back(connection: &Connection) {
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        tracing::warn!(%error, "the log was not written back");
    }
}
