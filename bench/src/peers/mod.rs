//! Each peer as a router that answers the same requests in its own way.

pub(crate) mod handstamp;
pub(crate) mod plain;
pub(crate) mod tower_sessions;

use axum::Router;
use http::HeaderValue;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::Fault;
use crate::drive;
use crate::options::{Case, Peer};

/// What all handlers answer.
const ANSWER: &str = "ok";

/// The value that requests read and write, beside three that they leave alone.
pub(crate) const COUNT: &str = "visits";

/// How durable SQLite is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Synchronous {
    Full,
    Normal,
}

/// A peer that is ready to answer.
pub(crate) struct Served {
    pub(crate) router: Router,
    /// A session for each client.
    pub(crate) cookies: Vec<HeaderValue>,
    /// Where its files are; they go with it.
    _files: Option<TempDir>,
}

/// The values of a session as they are when it begins.
pub(crate) const VALUES: [(&str, &str); 3] =
    [("name", "Ada Lovelace"), ("theme", "dark"), ("cart", "17,4,2026,9,12")];

/// Starts a peer, with a session for each of `clients`.
pub(crate) async fn start(peer: Peer, case: Case, clients: usize) -> Result<Served, Fault> {
    let (router, files) = match peer {
        Peer::Bare => (plain::bare(), None),
        Peer::PassThrough => (plain::pass_through(), None),
        Peer::HandstampMemory => (handstamp::on_memory(case)?, None),
        Peer::HandstampFull => with_files(handstamp::on_sqlite(case, Synchronous::Full).await?),
        Peer::HandstampNormal => with_files(handstamp::on_sqlite(case, Synchronous::Normal).await?),
        Peer::TowerMemory => (tower_sessions::on_memory(case), None),
        Peer::TowerFull => with_files(tower_sessions::on_sqlite(case, Synchronous::Full).await?),
        Peer::TowerNormal => {
            with_files(tower_sessions::on_sqlite(case, Synchronous::Normal).await?)
        }
    };
    // As every server does before it serves: else each request would make a service of its handler
    // anew, and of the layer around it.
    let router = router.with_state(());
    let mut cookies = Vec::new();
    for client in 0..clients {
        cookies.push(drive::begin(&router, &format!("/begin/{client}")).await?);
    }
    Ok(Served { router, cookies, _files: files })
}

fn with_files((router, files): (Router, TempDir)) -> (Router, Option<TempDir>) {
    (router, Some(files))
}
