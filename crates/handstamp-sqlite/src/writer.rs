//! The one thread that writes: takes what waits, applies it in one transaction, answers.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use handstamp_core::store::StoreError;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use crate::checkpoint::Checkpoints;
use crate::connection;
use crate::fault::Fault;
use crate::state::State;

/// Jobs that share a transaction at most, so that nobody waits long for the first answer.
const MOST_JOBS: usize = 32;

/// How often the log is tried to be emptied, each time for as long as a lock is waited for.
const EMPTYINGS: usize = 3;

/// Where a job sends its answer.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// How a job is worked on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Care {
    /// As fast as can be; a fault costs the whole transaction.
    Fast,
    /// After a fault: what is at fault is set apart, the rest is done.
    Isolated,
}

/// Something to be done by the writer.
pub(crate) trait Work: Send {
    /// Does it, or a bounded part of it, inside a transaction. May be called again after a
    /// rollback, so what it remembers counts only from [`settle`](Self::settle) on.
    fn step(&mut self, connection: &Connection, state: &mut State, care: Care)
    -> Result<(), Fault>;

    /// Whether, with this step, something is erased for good, so that the log of the database must
    /// not hold it any longer either.
    fn is_erased(&self) -> bool {
        false
    }

    /// The transaction is on disk: answers, or asks for another turn.
    fn settle(self: Box<Self>) -> Option<Box<dyn Work>>;

    /// It cannot be done: answers why.
    fn fail(self: Box<Self>, error: StoreError);
}

/// The way to the thread that writes.
#[derive(Debug)]
pub(crate) struct Writer {
    inbox: Option<Sender<Box<dyn Work>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread. `open` runs in it first; what it makes is sent to `opened`.
    pub(crate) fn start<T: Send + 'static, E: Send + 'static>(
        open: impl FnOnce() -> Result<(Desk, T), E> + Send + 'static,
        opened: oneshot::Sender<Result<T, E>>,
    ) -> std::io::Result<Self> {
        let (inbox, jobs) = channel();
        let body = move || match open() {
            Err(error) => drop(opened.send(Err(error))),
            Ok((desk, made)) => {
                if opened.send(Ok(made)).is_ok() {
                    desk.work(&jobs);
                }
            }
        };
        let thread = thread::Builder::new().name("handstamp-write".into()).spawn(body)?;
        Ok(Self { inbox: Some(inbox), thread: Some(thread) })
    }

    /// Has `job` done and waits for its answer, which `made` makes from where to send it.
    pub(crate) async fn run<T, W: Work + 'static>(
        &self,
        make: impl FnOnce(Reply<T>) -> W,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let inbox = self.inbox.as_ref().ok_or_else(|| StoreError::unavailable(Fault::Panicked))?;
        inbox.send(Box::new(make(reply))).map_err(|_| StoreError::unavailable(Fault::Panicked))?;
        // Taken and never answered: nobody knows how far it came.
        answer.await.unwrap_or_else(|_| Err(StoreError::unknown(Fault::Panicked)))
    }
}

/// What was sent is still done, then the thread closes the database.
impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.inbox.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the thread works with.
pub(crate) struct Desk {
    /// Dropped first, so that the writer's connection is the last and tidies up.
    pub(crate) checkpoints: Checkpoints,
    /// The one connection that writes.
    pub(crate) connection: Connection,
    /// Where things stand.
    pub(crate) state: State,
}

impl Desk {
    fn work(mut self, inbox: &Receiver<Box<dyn Work>>) {
        let mut waiting: VecDeque<Box<dyn Work>> = VecDeque::new();
        loop {
            if waiting.is_empty() {
                let Ok(job) = inbox.recv() else { return };
                waiting.push_back(job);
            }
            while waiting.len() < MOST_JOBS
                && let Ok(job) = inbox.try_recv()
            {
                waiting.push_back(job);
            }
            let jobs = waiting.drain(..).collect();
            waiting.extend(self.turn(jobs));
        }
    }

    /// Does `jobs` in one transaction, or else each alone. Answers those that want another turn.
    fn turn(&mut self, mut jobs: Vec<Box<dyn Work>>) -> Vec<Box<dyn Work>> {
        match self.transact(&mut jobs, Care::Fast) {
            Ok(()) => jobs.into_iter().filter_map(|job| self.settle(job)).collect(),
            Err(fault) if jobs.len() == 1 && !fault.is_local() => {
                jobs.into_iter().for_each(|job| job.fail(unanswered(&fault)));
                Vec::new()
            }
            Err(Fault::Torn(error)) => {
                let fault = Fault::Torn(error);
                jobs.into_iter().for_each(|job| job.fail(unanswered(&fault)));
                Vec::new()
            }
            Err(_) => jobs.into_iter().filter_map(|job| self.alone(job)).collect(),
        }
    }

    fn alone(&mut self, mut job: Box<dyn Work>) -> Option<Box<dyn Work>> {
        match self.transact(std::slice::from_mut(&mut job), Care::Isolated) {
            Ok(()) => self.settle(job),
            Err(fault) => {
                job.fail(unanswered(&fault));
                None
            }
        }
    }

    fn settle(&self, job: Box<dyn Work>) -> Option<Box<dyn Work>> {
        if job.is_erased()
            && let Err(error) = self.empty_log()
        {
            job.fail(error);
            return None;
        }
        job.settle()
    }

    /// Empties the log of the database. Our own reading is short; whoever else has the file open
    /// may take longer.
    fn empty_log(&self) -> Result<(), StoreError> {
        let _paused = self.checkpoints.paused();
        for _ in 0..EMPTYINGS {
            match connection::empty_log(&self.connection) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {}
                Err(error) => return Err(StoreError::unknown(Fault::from(error))),
            }
        }
        let why = "it is erased, but the log of the database still holds it: another program reads";
        Err(StoreError::unknown(why))
    }

    fn transact(&mut self, jobs: &mut [Box<dyn Work>], care: Care) -> Result<(), Fault> {
        let before = self.state.clone();
        let Self { checkpoints, connection, state } = self;
        let done = catch_unwind(AssertUnwindSafe(|| steps(connection, state, jobs, care)));
        let done = done.unwrap_or(Err(Fault::Panicked));
        match &done {
            Ok(()) => checkpoints.count(),
            Err(fault) => self.undo(before, fault),
        }
        done
    }

    /// Back to where things stood.
    fn undo(&mut self, before: State, fault: &Fault) {
        tracing::warn!(%fault, "a transaction of the session store was rolled back");
        self.state = before;
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "the session store could not roll back");
        }
        if matches!(fault, Fault::Torn(_))
            && let Ok(state) = self.state.read_again(&self.connection)
        {
            self.state = state;
        }
    }
}

fn steps(
    connection: &Connection,
    state: &mut State,
    jobs: &mut [Box<dyn Work>],
    care: Care,
) -> Result<(), Fault> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    for job in jobs {
        job.step(connection, state, care)?;
    }
    connection.prepare_cached("COMMIT")?.execute([]).map_err(Fault::of_commit)?;
    Ok(())
}

/// What each of several callers hears of one fault.
fn unanswered(fault: &Fault) -> StoreError {
    let text = chain(fault);
    match fault {
        Fault::Torn(_) => StoreError::unknown(text),
        _ => StoreError::unavailable(text),
    }
}

fn chain(fault: &Fault) -> String {
    match std::error::Error::source(fault) {
        Some(source) => format!("{fault}: {source}"),
        None => fault.to_string(),
    }
}
