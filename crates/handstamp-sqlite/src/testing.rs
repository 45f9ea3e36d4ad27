//! A job that tests bring.

use handstamp_core::store::StoreError;
use rusqlite::Connection;

use crate::fault::Fault;
use crate::state::State;
use crate::writer::{Care, Reply, Work};

/// Whatever a test wants done on the writer's connection.
pub(crate) struct Errand<F> {
    pub(crate) job: F,
    pub(crate) reply: Reply<()>,
}

impl<F: FnMut(&Connection) -> rusqlite::Result<()> + Send> Work for Errand<F> {
    fn step(&mut self, connection: &Connection, _: &mut State, _: Care) -> Result<(), Fault> {
        Ok((self.job)(connection)?)
    }

    fn settle(self: Box<Self>) -> Option<Box<dyn Work>> {
        let _ = self.reply.send(Ok(()));
        None
    }

    fn fail(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error));
    }
}
