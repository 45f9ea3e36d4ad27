//! What a store does besides answering; it stops with the store.

use std::future::Future;

use tokio::task::AbortHandle;

/// Tasks that are aborted when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Tasks(Vec<AbortHandle>);

impl Tasks {
    /// Starts the first task.
    pub(crate) fn start(task: impl Future<Output = ()> + Send + 'static) -> Self {
        let mut tasks = Self::default();
        tasks.add(task);
        tasks
    }

    /// Starts one more.
    pub(crate) fn add(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.push(tokio::spawn(task).abort_handle());
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}
