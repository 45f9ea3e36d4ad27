//! The task behind a connection: keeps it alive, tells it of renewed tokens, makes it anew.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::WebSocketError;
use super::dial::{Dialed, Dialer, Stream};
use super::handle::{Command, WebSocket};
use super::message::{Ending, Incoming, Message};
use super::options::Renewal;
use super::queue::{Told, WAITING, queue};
use super::verdict::{Verdict, of_code};
use crate::clock;
use crate::error::AuthError;
use crate::manager::{Inner, Monitoring};
use crate::random;
use crate::refresh::Pace;
use crate::session::Session;
use crate::state::AuthState;

/// How long a connection must have stood for the next try to begin with the shortest wait.
const STEADY: Duration = Duration::from_secs(30);

/// Starts the task of a connection that was just made.
pub(super) fn start(dialer: Dialer, dialed: Dialed) -> WebSocket {
    let (commands, commanded) = mpsc::channel(WAITING);
    let (told, incoming) = queue(dialer.options.largest_message);
    let inner = Arc::clone(dialer.inner());
    let line = Line {
        states: inner.states(),
        _monitoring: inner.monitor(),
        inner,
        dialer,
        commands: commanded,
        told,
        subscriptions: Vec::new(),
        shown: dialed.session,
        pace: Pace::default(),
        was_spared: false,
        noted: None,
    };
    tokio::spawn(line.run(dialed.stream));
    WebSocket::new(commands, incoming)
}

struct Line {
    inner: Arc<Inner>,
    /// Nobody else may be renewing what this connection lives on.
    _monitoring: Monitoring,
    states: watch::Receiver<AuthState>,
    dialer: Dialer,
    commands: mpsc::Receiver<Command>,
    told: Told,
    subscriptions: Vec<(String, Message)>,
    /// The session whose token the server knows.
    shown: Arc<Session>,
    pace: Pace,
    /// A token was refused, and renewed for that; the next refusal is the last.
    was_spared: bool,
    /// When a use of the session was last noted.
    noted: Option<Duration>,
}

/// What happens to a connection that stands.
enum Event {
    Command(Option<Command>),
    Heard(Option<Result<tungstenite::Message, tungstenite::Error>>),
    State,
    Beat,
    /// Nobody listens any more.
    Unheard,
}

impl Line {
    async fn run(mut self, stream: Stream) {
        let ending = match self.stand(stream).await {
            Ok(never) => match never {},
            Err(ending) => ending,
        };
        let _ = self.told.tell(Incoming::Ended(ending)).await;
    }

    /// Keeps a connection until it has ended for good.
    async fn stand(&mut self, mut stream: Stream) -> Result<std::convert::Infallible, Ending> {
        loop {
            let since = self.inner.clock.elapsed();
            let verdict = self.live(&mut stream).await;
            if verdict != Verdict::Broken {
                self.part(&mut stream).await;
            }
            drop(stream);
            if let Verdict::Over(ending) = verdict {
                return Err(ending);
            }
            if self.inner.clock.elapsed().saturating_sub(since) >= STEADY {
                self.pace.succeeded();
            }
            self.tell(Incoming::Broken).await?;
            stream = self.come_back(verdict).await?;
            self.tell(Incoming::Restored).await?;
        }
    }

    /// Serves a connection as long as it stands.
    async fn live(&mut self, stream: &mut Stream) -> Verdict {
        if let Err(verdict) = self.replay(stream).await {
            return verdict;
        }
        let (clock, options) = (Arc::clone(&self.inner.clock), Arc::clone(&self.dialer.options));
        let mut beat = clock.sleep(options.ping_every);
        let (mut is_asked, mut is_heard) = (false, false);
        loop {
            let event = tokio::select! {
                command = self.commands.recv() => Event::Command(command),
                _ = self.states.changed() => Event::State,
                () = &mut beat => Event::Beat,
                heard = hear(&self.told, stream) => Event::Heard(heard),
                () = self.told.closed() => Event::Unheard,
            };
            let done = match event {
                Event::Command(command) => self.carry_out(command, stream).await,
                Event::State => self.follow(stream).await,
                Event::Heard(Some(Ok(tungstenite::Message::Close(frame)))) => {
                    self.part(stream).await;
                    Err(self.judge(frame.map(|frame| frame.code.into())))
                }
                Event::Heard(heard) => {
                    is_heard = true;
                    self.take(heard)
                }
                Event::Unheard => Err(Verdict::Over(Ending::Here)),
                // What nobody reads cannot be heard.
                Event::Beat if is_asked && !is_heard && self.told.has_room() => {
                    Err(Verdict::Broken)
                }
                Event::Beat => {
                    (is_asked, is_heard) = (!is_asked, false);
                    let wait = if is_asked { options.pong_within } else { options.ping_every };
                    beat = clock.sleep(wait);
                    match is_asked {
                        true => {
                            self.say(stream, tungstenite::Message::Ping(Vec::new().into())).await
                        }
                        false => Ok(()),
                    }
                }
            };
            if let Err(verdict) = done {
                return verdict;
            }
        }
    }

    /// Sends what the application subscribed to.
    async fn replay(&mut self, stream: &mut Stream) -> Result<(), Verdict> {
        self.follow(stream).await?;
        for (_, message) in &self.subscriptions {
            self.say(stream, message.clone().into()).await?;
        }
        Ok(())
    }

    /// Hands a message over, in time.
    async fn say(&self, stream: &mut Stream, message: tungstenite::Message) -> Result<(), Verdict> {
        tokio::select! {
            sent = stream.send(message) => sent.map_err(|_| Verdict::Broken),
            () = self.inner.clock.sleep(self.dialer.options.pong_within) => Err(Verdict::Broken),
        }
    }

    /// Does with the session what became of it.
    async fn follow(&mut self, stream: &mut Stream) -> Result<(), Verdict> {
        let session = self.present().map_err(Verdict::Over)?;
        if session.generation == self.shown.generation {
            return Ok(());
        }
        self.shown = session;
        self.was_spared = false;
        match self.dialer.options.renewal {
            Renewal::InBand => {
                let message = (self.dialer.options.authenticate)(self.shown.token());
                self.say(stream, Message::Text(message).into()).await
            }
            Renewal::Reconnect => Err(Verdict::Broken),
            Renewal::Untold => Ok(()),
        }
    }

    /// The session, if it is still the one that the connection was made for.
    fn present(&self) -> Result<Arc<Session>, Ending> {
        let session = self.inner.session();
        let session = session.filter(|session| session.lineage == self.shown.lineage);
        session.ok_or(Ending::SignedOut)
    }

    /// What came over the connection.
    fn take(
        &self,
        heard: Option<Result<tungstenite::Message, tungstenite::Error>>,
    ) -> Result<(), Verdict> {
        let message = match heard {
            Some(Ok(tungstenite::Message::Text(text))) => Message::Text(text.as_str().to_owned()),
            Some(Ok(tungstenite::Message::Binary(bytes))) => Message::Binary(bytes.to_vec()),
            Some(Ok(_)) => return Ok(()),
            Some(Err(_)) | None => return Err(Verdict::Broken),
        };
        // There is room: nothing is heard without, and nobody else tells.
        self.told.message(message).map_err(|_| Verdict::Over(Ending::Here))
    }

    fn judge(&self, code: Option<u16>) -> Verdict {
        match of_code(code) {
            Verdict::TokenRefused(code) if self.was_spared => {
                Verdict::Over(Ending::Refused { code })
            }
            verdict => verdict,
        }
    }

    /// Does what the application asks for.
    async fn carry_out(
        &mut self,
        command: Option<Command>,
        stream: &mut Stream,
    ) -> Result<(), Verdict> {
        let (message, reply) = match command {
            None | Some(Command::Close) => return Err(Verdict::Over(Ending::Here)),
            Some(Command::Send(message, reply)) => (message, reply),
            Some(Command::Subscribe(name, message, reply)) => {
                self.remember(name, message.clone());
                (message, reply)
            }
            Some(Command::Unsubscribe(name, message, reply)) => {
                self.subscriptions.retain(|(known, _)| *known != name);
                match message {
                    Some(message) => (message, reply),
                    None => return answer(reply, Ok(())),
                }
            }
        };
        let said = self.say(stream, message.into()).await;
        self.note_use();
        let _ = answer(reply, said.map_err(|_| WebSocketError::Broken));
        said
    }

    fn remember(&mut self, name: String, message: Message) {
        match self.subscriptions.iter_mut().find(|(known, _)| *known == name) {
            Some((_, there)) => *there = message,
            None => self.subscriptions.push((name, message)),
        }
    }

    /// Notes now and then that the session is used: it is activity of its user.
    fn note_use(&mut self) {
        let (now, every) = (self.inner.clock.elapsed(), self.inner.config.note_use_every);
        if self.noted.is_some_and(|at| now.saturating_sub(at) < every) {
            return;
        }
        self.noted = Some(now);
        let (inner, shown) = (Arc::clone(&self.inner), Arc::clone(&self.shown));
        let host = self.dialer.host().map(str::to_owned);
        tokio::spawn(async move { inner.note_use(&shown, host.as_deref(), None).await });
    }

    /// Makes the connection anew, as often as it takes.
    async fn come_back(&mut self, verdict: Verdict) -> Result<Stream, Ending> {
        let is_refused = matches!(verdict, Verdict::TokenRefused(_));
        let mut refused = is_refused.then(|| Arc::clone(&self.shown));
        self.was_spared |= is_refused;
        let mut asked = None;
        loop {
            let chance = random::bytes::<1>().map_or(0, |[chance]| chance);
            let wait = self.pace.failed(self.inner.clock.elapsed(), asked, chance);
            let dialing = dial_after(self.dialer.clone(), wait, refused.clone());
            match self.meanwhile(dialing).await? {
                Ok(dialed) => {
                    self.present()?;
                    self.shown = dialed.session;
                    return Ok(dialed.stream);
                }
                Err(error) => asked = self.pause(&error)?,
            }
            refused = refused.filter(|_| !self.is_renewed());
        }
    }

    /// Whether the present token is another one than the server knows.
    fn is_renewed(&self) -> bool {
        self.present().is_ok_and(|session| session.generation > self.shown.generation)
    }

    /// How long the server wishes to be left alone after a failure, unless the failure is the end.
    fn pause(&self, error: &WebSocketError) -> Result<Option<Duration>, Ending> {
        match error {
            WebSocketError::Auth(AuthError::Offline { retry_at }) => {
                Ok(Some(clock::between(self.inner.clock.now(), *retry_at)))
            }
            WebSocketError::Auth(error) if error.needs_sign_in() => Err(Ending::SignedOut),
            WebSocketError::Refused { status: code @ (401 | 403) } => {
                Err(Ending::Refused { code: *code })
            }
            WebSocketError::Passing { retry_after, .. } => Ok(*retry_after),
            // A proxy before a server that restarts says all sorts of things.
            _ => Ok(None),
        }
    }

    async fn tell(&mut self, incoming: Incoming) -> Result<(), Ending> {
        let told = self.told.clone();
        let told = self.meanwhile(async move { told.tell(incoming).await });
        told.await?.map_err(|_| Ending::Here)
    }

    /// Waits for something while there is no connection; ends early if there is to be none.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Ending> {
        let mut work = pin!(work);
        loop {
            self.present()?;
            tokio::select! {
                done = &mut work => return Ok(done),
                command = self.commands.recv() => self.put_off(command)?,
                _ = self.states.changed() => {}
                () = self.told.closed() => return Err(Ending::Here),
            }
        }
    }

    /// What the application asks for while there is no connection.
    fn put_off(&mut self, command: Option<Command>) -> Result<(), Ending> {
        let (reply, done) = match command {
            None | Some(Command::Close) => return Err(Ending::Here),
            Some(Command::Send(_, reply)) => (reply, Err(WebSocketError::Broken)),
            Some(Command::Subscribe(name, message, reply)) => {
                self.remember(name, message);
                (reply, Ok(()))
            }
            Some(Command::Unsubscribe(name, _, reply)) => {
                self.subscriptions.retain(|(known, _)| *known != name);
                (reply, Ok(()))
            }
        };
        let _ = answer(reply, done);
        Ok(())
    }

    /// Says goodbye, or answers one, if the server still listens.
    async fn part(&self, stream: &mut Stream) {
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        tokio::select! {
            _ = stream.close(Some(frame)) => {}
            () = self.inner.clock.sleep(self.dialer.options.pong_within) => {}
        }
    }
}

/// What comes next, once there is room for it; nothing ever if nobody listens any more.
async fn hear(
    told: &Told,
    stream: &mut Stream,
) -> Option<Result<tungstenite::Message, tungstenite::Error>> {
    match told.room().await {
        Ok(()) => stream.next().await,
        Err(_) => std::future::pending().await,
    }
}

/// Connects after a while, with a token after the one of this session if that was refused.
async fn dial_after(
    dialer: Dialer,
    wait: Duration,
    refused: Option<Arc<Session>>,
) -> Result<Dialed, WebSocketError> {
    if let Some(session) = refused {
        dialer.inner().renewed(&session).await?;
    }
    dialer.inner().clock.sleep(wait).await;
    dialer.dial().await
}

/// Tells the application, if it still wants to know.
fn answer(reply: super::handle::Reply, done: Result<(), WebSocketError>) -> Result<(), Verdict> {
    let _ = reply.send(done);
    Ok(())
}
