//! A connection that can be cut: what a network does to a verifier.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes connections on to a service until it is cut.
pub(crate) struct Wire {
    pub(crate) url: String,
    state: Arc<State>,
}

struct State {
    to: String,
    is_cut: AtomicBool,
    cuts: watch::Sender<u32>,
    connections: AtomicUsize,
}

impl Wire {
    /// A wire to the service at `url`.
    pub(crate) async fn to(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            to: url.trim_start_matches("http://").to_owned(),
            is_cut: AtomicBool::new(false),
            cuts: watch::Sender::default(),
            connections: AtomicUsize::new(0),
        });
        let accepting = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                accepting.connections.fetch_add(1, Ordering::Relaxed);
                if !accepting.is_cut.load(Ordering::Relaxed) {
                    tokio::spawn(pass(from, Arc::clone(&accepting)));
                }
            }
        });
        Self { url: own, state }
    }

    /// Breaks every connection, and each that is tried until it is mended.
    pub(crate) fn cut(&self) {
        self.state.is_cut.store(true, Ordering::Relaxed);
        self.state.cuts.send_modify(|count| *count += 1);
    }

    pub(crate) fn mend(&self) {
        self.state.is_cut.store(false, Ordering::Relaxed);
    }

    /// How many connections were tried so far.
    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }
}

async fn pass(mut from: TcpStream, state: Arc<State>) {
    let mut cuts = state.cuts.subscribe();
    let Ok(mut to) = TcpStream::connect(&state.to).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut from, &mut to) => {}
        _ = cuts.changed() => {}
    }
}
