//! The threads that read, each on its own connection.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use handstamp_core::store::StoreError;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::connection;
use crate::error::SqliteError;
use crate::fault::Fault;

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// Reads that wait for a thread.
///
/// A thread that is busy takes the next read itself, and only then is another woken for what still
/// waits: on one processor a handful of reads costs two changes of threads and not one each.
#[derive(Default)]
struct Inbox {
    waiting: Mutex<Waiting>,
    bell: Condvar,
}

#[derive(Default)]
struct Waiting {
    reads: VecDeque<Read>,
    /// How many threads wait for the bell.
    idle: usize,
    /// The bell has rung for these reads, and nobody has come yet.
    has_rung: bool,
    is_over: bool,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, read: Read) {
        let mut waiting = self.lock();
        waiting.reads.push_back(read);
        self.ring(waiting);
    }

    /// The next read; none once it is over.
    fn next(&self) -> Option<Read> {
        let mut waiting = self.lock();
        loop {
            if let Some(read) = waiting.reads.pop_front() {
                waiting.has_rung = false;
                self.ring(waiting);
                return Some(read);
            }
            if waiting.is_over {
                return None;
            }
            waiting.idle += 1;
            waiting = self.bell.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            waiting.idle -= 1;
        }
    }

    /// Wakes a thread for what waits, unless one is on its way.
    fn ring(&self, mut waiting: MutexGuard<'_, Waiting>) {
        if waiting.reads.is_empty() || waiting.has_rung || waiting.idle == 0 {
            return;
        }
        waiting.has_rung = true;
        drop(waiting);
        self.bell.notify_one();
    }

    fn close(&self) {
        self.lock().is_over = true;
        self.bell.notify_all();
    }
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

/// The way to the threads that read.
#[derive(Debug)]
pub(crate) struct Readers {
    inbox: Arc<Inbox>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    /// Starts `count` threads that read the database at `path`.
    pub(crate) fn start(path: &Path, count: usize) -> Result<Self, SqliteError> {
        let connect = |_| connection::reader(path);
        let connections = (0..count.max(1)).map(connect).collect::<Result<Vec<_>, _>>();
        let connections = connections.map_err(|error| SqliteError::of_sqlite(path, error))?;
        Self::on(path, connections)
    }

    /// Starts a thread for each of `connections` to the database at `path`.
    pub(crate) fn on(path: &Path, connections: Vec<Connection>) -> Result<Self, SqliteError> {
        let inbox = Arc::new(Inbox::default());
        let mut readers = Self { inbox, threads: Vec::with_capacity(connections.len()) };
        for connection in connections {
            let inbox = Arc::clone(&readers.inbox);
            let thread = thread::Builder::new()
                .name("handstamp-read".into())
                .spawn(move || work(&connection, &inbox))
                .map_err(|error| SqliteError::other(path, error))?;
            readers.threads.push(thread);
        }
        Ok(readers)
    }

    /// Has one of the threads do `read`. It sees all that was acknowledged before.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let read = Box::new(move |connection: &Connection| drop(reply.send(read(connection))));
        self.inbox.put(read);
        Ok(answer.await.map_err(|_| StoreError::unavailable(Fault::Panicked))??)
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.inbox.close();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn work(connection: &Connection, inbox: &Inbox) {
    while let Some(read) = inbox.next() {
        // Whoever asked hears of the panic because the answer never comes; a read leaves
        // nothing behind, so the thread goes on.
        if catch_unwind(AssertUnwindSafe(|| read(connection))).is_err() {
            tracing::error!("a read of the session store panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn every_read_is_done_once_by_however_many_threads_and_what_waits_is_done_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::File::create(&path).unwrap();
        for count in [1, 4] {
            let readers = Readers::start(&path, count).unwrap();
            let (done, told) = channel();
            let putters = std::array::from_fn::<_, 3, _>(|from| {
                let (inbox, done) = (Arc::clone(&readers.inbox), done.clone());
                thread::spawn(move || {
                    for number in 0..500 {
                        let done = done.clone();
                        inbox.put(Box::new(move |_| done.send((from, number)).unwrap()));
                    }
                })
            });
            drop(done);
            putters.into_iter().for_each(|putter| putter.join().unwrap());
            drop(readers);
            let mut all: Vec<_> = told.iter().collect();
            all.sort_unstable();
            let expected = (0..3).flat_map(|from| (0..500).map(move |number| (from, number)));
            assert!(all.into_iter().eq(expected), "{count} threads");
        }
    }
}
