//! Connections: how many there may be, and how long one may keep others waiting for nothing.
//!
//! A connection that begins a request and does not go on with its head holds a place, and so does
//! one that says nothing at all. Neither is ever answered, so nobody misses it when it is closed.

use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::response::Response;
use axum::serve::Listener;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service as Answers;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{MissedTickBehavior, interval};

use crate::service::Service;
use crate::settings::Server;

/// How often a connection is looked at while its head may be read.
const LOOKS: u32 = 4;

/// How long a connection may be quiet between requests: longer than nginx and common clients keep
/// one for the next, so that they close it and no request meets a connection that is going.
const QUIET: Duration = Duration::from_secs(150);

/// Accepts until the service stops, then waits for what is under way. What answers a connection is
/// made by `make`.
pub(crate) async fn serve<S>(
    mut listener: TcpListener,
    service: &Service,
    make: impl Fn(SocketAddr) -> S,
) where
    S: Answers<Request<Incoming>, Response = Response, Error = Infallible> + Send + 'static,
    S::Future: Send,
{
    let Server { head_timeout, max_connections, .. } = service.settings.server;
    let places = Arc::new(Semaphore::new(max_connections));
    let mut stop = pin!(service.stopping());
    loop {
        // First a place: whoever finds none waits in the backlog of the system.
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, Listener::accept(&mut listener).await)
        };
        let (place, (stream, peer)) = tokio::select! {
            () = &mut stop => break,
            accepted = accepted => accepted,
        };
        // It is never closed.
        let Ok(place) = place else { break };
        // Answers are small and written whole: waiting for more only delays them.
        let _ = stream.set_nodelay(true);
        tokio::spawn(hold(stream, make(peer), head_timeout, service.stopping(), place));
    }
    drop(listener);
    let all = u32::try_from(max_connections).unwrap_or(u32::MAX);
    drop(places.acquire_many(all).await);
}

/// Answers the requests of one connection until it is closed, by either side.
async fn hold<S>(
    stream: TcpStream,
    answers: S,
    head_timeout: Duration,
    stopping: impl Future<Output = ()> + Send,
    _place: OwnedSemaphorePermit,
) where
    S: Answers<Request<Incoming>, Response = Response, Error = Infallible> + Send,
{
    let progress = Arc::new(Progress::default());
    let io = TokioIo::new(Watched { stream, progress: Arc::clone(&progress) });
    let answers = Noted { answers, progress: Arc::clone(&progress) };
    let mut connection = pin!(http1::Builder::new().serve_connection(io, answers));
    let mut stopping = pin!(stopping);
    let mut is_stopping = false;
    let mut patience = Patience::new(head_timeout);
    let mut looks = interval(patience.every);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            // How it ends is the caller's concern.
            _ = connection.as_mut() => return,
            () = &mut stopping, if !is_stopping => {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            _ = looks.tick() => if patience.is_over(&progress) { return },
        }
    }
}

/// What a connection is at. Noted by its stream and its calls, without a clock: the hot path costs
/// two writes to memory of its own.
#[derive(Default)]
struct Progress {
    phase: AtomicU8,
    /// Changes whenever something has come on.
    moves: AtomicU64,
}

/// The head of a request is awaited: of the first, or one that has begun.
const HEAD: u8 = 0;
/// A request is read or answered, which has limits of its own.
const ANSWERING: u8 = 1;
/// An answer was given, and is perhaps still given: an event stream shows that it lives.
const ANSWERED: u8 = 2;

impl Progress {
    fn phase(&self) -> u8 {
        self.phase.load(Ordering::Relaxed)
    }

    fn turn(&self, phase: u8) {
        self.phase.store(phase, Ordering::Relaxed);
        self.moves.fetch_add(1, Ordering::Relaxed);
    }

    fn was_read(&self) {
        if self.phase() == ANSWERED {
            self.turn(HEAD);
        }
    }

    fn was_written(&self) {
        if self.phase() != HEAD {
            self.turn(ANSWERED);
        }
    }
}

/// For how long nothing has come on.
struct Patience {
    every: Duration,
    moves: u64,
    looks: u32,
}

impl Patience {
    fn new(head_timeout: Duration) -> Self {
        Self { every: head_timeout / LOOKS, moves: 0, looks: 0 }
    }

    fn is_over(&mut self, progress: &Progress) -> bool {
        let moves = progress.moves.load(Ordering::Relaxed);
        if moves != self.moves {
            (self.moves, self.looks) = (moves, 0);
            return false;
        }
        self.looks = self.looks.saturating_add(1);
        match progress.phase() {
            // The first look may come right after the last move.
            HEAD => self.looks > LOOKS,
            ANSWERED => self.every.saturating_mul(self.looks) > QUIET.max(self.every * LOOKS),
            _ => false,
        }
    }
}

/// A stream that notes what comes and goes.
struct Watched {
    stream: TcpStream,
    progress: Arc<Progress>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, into))?;
        if into.filled().len() > before {
            self.progress.was_read();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, from));
        self.progress.was_written();
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, from));
        self.progress.was_written();
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Calls that are noted.
struct Noted<S> {
    answers: S,
    progress: Arc<Progress>,
}

impl<S: Answers<Request<Incoming>>> Answers<Request<Incoming>> for Noted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, request: Request<Incoming>) -> S::Future {
        self.progress.turn(ANSWERING);
        self.answers.call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many looks it takes until a connection is over that does not come on.
    fn looks(progress: &Progress) -> Option<u32> {
        let mut patience = Patience::new(Duration::from_secs(16));
        patience.moves = progress.moves.load(Ordering::Relaxed);
        (1..1000).find(|_| patience.is_over(progress))
    }

    #[test]
    fn a_head_that_does_not_come_is_waited_for_by_its_limit_and_an_answer_for_ever() {
        let progress = Progress::default();
        assert_eq!(looks(&progress), Some(5), "nothing was ever said");
        progress.was_read();
        assert_eq!(looks(&progress), Some(5), "half a head");
        progress.turn(ANSWERING);
        progress.was_read();
        assert_eq!(looks(&progress), None, "a body is bound by the time of its request");
        progress.was_written();
        assert_eq!(looks(&progress), Some(38), "more than 150 s of quiet");
        progress.was_read();
        progress.was_written();
        assert_eq!(looks(&progress), Some(5), "half of the next head");
    }

    #[test]
    fn whatever_comes_on_is_waited_for_anew_and_bytes_of_a_head_are_not() {
        let progress = Progress::default();
        let mut patience = Patience::new(Duration::from_secs(16));
        let mut looks = |come_on: fn(&Progress)| {
            (1..1000).find(|_| {
                come_on(&progress);
                patience.is_over(&progress)
            })
        };
        assert_eq!(looks(Progress::was_read), Some(5));
        progress.turn(ANSWERING);
        assert_eq!(looks(Progress::was_written), None);
    }
}
