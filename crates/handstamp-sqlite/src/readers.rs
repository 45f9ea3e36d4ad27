//! The threads that read, each on its own connection.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use handstamp_core::store::StoreError;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::connection;
use crate::error::SqliteError;
use crate::fault::Fault;

type Read = Box<dyn FnOnce(&Connection) + Send>;
type Inbox = Arc<Mutex<Receiver<Read>>>;

/// The way to the threads that read.
#[derive(Debug)]
pub(crate) struct Readers {
    inbox: Option<Sender<Read>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    /// Starts `count` threads that read the database at `path`.
    pub(crate) fn start(path: &Path, count: usize) -> Result<Self, SqliteError> {
        let (inbox, reads) = channel();
        let reads: Inbox = Arc::new(Mutex::new(reads));
        let mut readers = Self { inbox: Some(inbox), threads: Vec::with_capacity(count) };
        for _ in 0..count.max(1) {
            let connection =
                connection::reader(path).map_err(|error| SqliteError::of_sqlite(path, error))?;
            let reads = Arc::clone(&reads);
            let thread = thread::Builder::new()
                .name("handstamp-read".into())
                .spawn(move || work(&connection, &reads))
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
        let gone = || StoreError::unavailable(Fault::Panicked);
        self.inbox.as_ref().ok_or_else(gone)?.send(read).map_err(|_| gone())?;
        Ok(answer.await.map_err(|_| gone())??)
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        drop(self.inbox.take());
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn work(connection: &Connection, inbox: &Inbox) {
    loop {
        let next = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(read) = next else { return };
        // Whoever asked hears of the panic because the answer never comes; a read leaves
        // nothing behind, so the thread goes on.
        if catch_unwind(AssertUnwindSafe(|| read(connection))).is_err() {
            tracing::error!("a read of the session store panicked");
        }
    }
}
