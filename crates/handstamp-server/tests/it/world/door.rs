//! One address for several services: connections come to them by turns.
//!
//! What one service has acknowledged, the others have heard of before the answer is let through, so
//! that tests that look at one thing after another find what they did, whichever service they come
//! to. How late one hears of another by itself is shown elsewhere; what comes at once stays at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use handstamp_core::SessionManager;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(super) struct Door {
    listener: Option<TcpListener>,
    address: SocketAddr,
    keeps_to_the_first: Arc<AtomicBool>,
    task: Option<JoinHandle<()>>,
}

/// Where services listen, and their engines.
type Nodes = Vec<(SocketAddr, SessionManager)>;

impl Door {
    pub(super) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener: Some(listener), address, keeps_to_the_first: Arc::default(), task: None }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn open(&mut self, nodes: Nodes) {
        let (listener, nodes) = (self.listener.take().unwrap(), Arc::new(nodes));
        let (turn, keeps) = (AtomicUsize::new(0), Arc::clone(&self.keeps_to_the_first));
        self.task = Some(tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                let turn = turn.fetch_add(1, Ordering::Relaxed) % nodes.len();
                let node = if keeps.load(Ordering::Relaxed) { 0 } else { turn };
                tokio::spawn(carry(caller, Arc::clone(&nodes), node));
            }
        }));
    }

    pub(super) fn keep_to_the_first(&self) {
        self.keeps_to_the_first.store(true, Ordering::Relaxed);
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn carry(mut caller: TcpStream, nodes: Arc<Nodes>, node: usize) {
    let Ok(mut service) = TcpStream::connect(nodes[node].0).await else { return };
    let _ = (caller.set_nodelay(true), service.set_nodelay(true));
    let (mut asked, mut answered) = (vec![0; 1 << 14], vec![0; 1 << 14]);
    let (mut from_caller, mut to_caller) = caller.split();
    let (mut from_service, mut to_service) = service.split();
    let (mut is_asking, mut is_heard) = (true, true);
    loop {
        tokio::select! {
            read = from_caller.read(&mut asked), if is_asking => {
                let length = read.unwrap_or_default();
                is_asking = length > 0;
                if !is_asking {
                    let _ = to_service.shutdown().await;
                    continue;
                }
                // The test itself acts through the first.
                if node > 0 {
                    let _ = nodes[node].1.catch_up().await;
                }
                // A service that answers early listens no more, and its answer is on its way.
                is_heard = is_heard && to_service.write_all(&asked[..length]).await.is_ok();
            }
            read = from_service.read(&mut answered) => {
                let length = read.unwrap_or_default();
                if length == 0 {
                    break;
                }
                for (_, (_, sessions)) in nodes.iter().enumerate().filter(|(it, _)| *it != node) {
                    let _ = sessions.catch_up().await;
                }
                if to_caller.write_all(&answered[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
    // Closed at once, with words of the caller's unread, the answer would be lost with them.
    let _ = to_caller.shutdown().await;
    while from_caller.read(&mut asked).await.is_ok_and(|length| length > 0) {}
}
