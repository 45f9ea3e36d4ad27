//! Waking those who follow the change log, on other nodes: earlier than they would look by
//! themselves, and never instead of looking.

use std::sync::Arc;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::{Notify, watch};

use crate::link::Link;

const CHANNEL: &str = "handstamp";

/// Told after the commit, in a transaction that writes nothing: to notify within a commit would
/// make all commits of all nodes wait for each other.
const RING: &str = "SELECT pg_notify('handstamp', '')";

/// Tells others that something has changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bell(Arc<Notify>);

impl Bell {
    /// Rings, soon; what rings together is heard once.
    pub(crate) fn ring(&self) {
        self.0.notify_one();
    }

    /// Rings whenever it is told to, for ever.
    pub(crate) async fn work(self, link: Link) {
        loop {
            self.0.notified().await;
            if let Err(fault) = link.rows(|| sqlx::query(RING)).await {
                tracing::debug!(%fault, "other nodes were not woken; they look by themselves");
            }
        }
    }
}

/// Listens for ever, and counts what it hears; counts as well whenever it may have missed something.
pub(crate) async fn listen(pool: PgPool, heard: watch::Sender<u64>) {
    loop {
        if let Ok(mut listener) = PgListener::connect_with(&pool).await
            && listener.listen(CHANNEL).await.is_ok()
        {
            heard.send_modify(|count| *count += 1);
            while listener.try_recv().await.is_ok() {
                heard.send_modify(|count| *count += 1);
            }
        }
        if pool.is_closed() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}
