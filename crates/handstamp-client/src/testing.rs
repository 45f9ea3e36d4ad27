//! For tests: a clock that is set by hand, a server that plays a script, sessions that are made up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use handstamp_protocol::Time;
use handstamp_protocol::sessions::Reason;
use tokio::sync::{oneshot, watch};

use crate::backend::{Answer, AuthBackend, BackendError, Granted, RefreshCall};
use crate::clock;
use crate::session::{AuthTokens, Session, UserInfo};
use crate::{BoxFuture, Clock, SystemClock, Token};

/// When tests begin.
pub const START: Time = Time::from_millis(1_800_000_000_000);

/// A clock that goes forward when told to. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct ManualClock {
    elapsed: Arc<watch::Sender<Duration>>,
}

impl ManualClock {
    /// A clock that stands at [`START`].
    pub fn new() -> Self {
        Self { elapsed: Arc::new(watch::Sender::new(Duration::ZERO)) }
    }

    /// Goes forward. Whoever sleeps until then wakes up.
    pub fn advance(&self, span: Duration) {
        self.elapsed.send_modify(|elapsed| *elapsed += span);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        clock::later(START, self.elapsed())
    }

    fn elapsed(&self) -> Duration {
        *self.elapsed.borrow()
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        let until = self.elapsed().saturating_add(span);
        let mut changes = self.elapsed.subscribe();
        Box::pin(async move {
            // The clock is gone only when the test is.
            let _ = changes.wait_for(|elapsed| *elapsed >= until).await;
        })
    }
}

/// A clock whose days pass in moments, the same ones for every process that reads the same
/// variable. How long anything waits is as ever.
#[derive(Clone, Debug)]
pub struct ScaledClock {
    system: SystemClock,
    origin: Duration,
    factor: u32,
}

impl ScaledClock {
    /// Names the moment that this clock begins at ([`START`]), and how fast it goes:
    /// `FACTOR@MILLISECONDS`.
    pub const VARIABLE: &str = "HANDSTAMP_CLIENT_SCALE";

    /// A clock that begins now and goes so many times as fast.
    pub fn new(factor: u32) -> Self {
        let system = SystemClock::new();
        Self { origin: system.elapsed(), system, factor }
    }

    /// The clock that [`VARIABLE`](Self::VARIABLE) names, if it does.
    pub fn from_env() -> Option<Self> {
        let text = std::env::var(Self::VARIABLE).ok()?;
        let (factor, origin) = text.split_once('@')?;
        let origin = Duration::from_millis(origin.parse().ok()?);
        Some(Self { system: SystemClock::new(), origin, factor: factor.parse().ok()? })
    }

    /// What [`VARIABLE`](Self::VARIABLE) says for other processes that go by this clock.
    pub fn name(&self) -> String {
        format!("{}@{}", self.factor, self.origin.as_millis())
    }
}

impl Clock for ScaledClock {
    fn now(&self) -> Time {
        clock::later(START, self.elapsed().saturating_sub(self.origin) * self.factor)
    }

    fn elapsed(&self) -> Duration {
        self.system.elapsed()
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        self.system.sleep(span)
    }
}

/// A session with these tokens, whose access token lives for so many seconds from [`START`].
///
/// # Panics
/// Where the operating system gives no random numbers.
#[allow(clippy::expect_used)] // It is for tests.
pub fn session(access_token: &str, refresh_token: &str, seconds: u64) -> Session {
    let tokens = AuthTokens::new(access_token)
        .with_refresh_token(refresh_token)
        .expiring_at(clock::later(START, Duration::from_secs(seconds)));
    let mut session = Session::new(tokens, UserInfo::default());
    session.begin(START).expect("random numbers");
    session
}

/// Every secret of [`full_session`].
#[cfg(test)]
pub(crate) const SECRETS: [&str; 5] =
    ["access-s3cret", "refresh-s3cret", "cookie-s3cret", "linked-s3cret", "attempt-s3cret"];

/// A session that has everything a session can have.
#[cfg(test)]
pub(crate) fn full_session() -> Session {
    use crate::session::{CookieChanges, LinkedSession};

    let mut session = session("access-s3cret", "refresh-s3cret", 1800);
    session.user = UserInfo {
        subject: Some("ada".into()),
        name: Some("Ada".into()),
        email: Some("ada@example.com".into()),
        phone: Some("+44 1".into()),
        roles: vec!["editor".into()],
    };
    let url = "https://api.example.com/".parse().unwrap();
    session.cookies.apply(&CookieChanges::of_pairs(&url, [("id", "cookie-s3cret")]));
    let secrets = [("key".to_owned(), Token::new("linked-s3cret"))].into();
    let linked = LinkedSession { secrets, ..LinkedSession::default() };
    session.linked.insert("turnkey".into(), linked);
    session.attempt =
        Some(crate::session::Attempt { id: Token::new("attempt-s3cret"), generation: 0 });
    session
}

/// How a [`TestServer`] treats a call, once.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step {
    /// It does what it should, and the answer gets lost on the way.
    LoseAnswer,
    /// It does nothing and asks to be left alone for so long.
    Busy(Option<Duration>),
    /// It says that the session is over, whatever is true.
    Refuse(Reason),
    /// It does what it should once this is told or dropped.
    Hold(oneshot::Receiver<()>),
    /// It does what it should, and its answer arrives once this is told or dropped.
    HoldAnswer(oneshot::Receiver<()>),
}

/// A server with one session that is as strict as can be: a superseded refresh token that comes
/// with another attempt id ends the session at once. Clones are the same server.
///
/// Refresh tokens are `r0`, `r1` and so on, access tokens `a0`, `a1`.
#[derive(Clone, Debug)]
pub struct TestServer(Arc<Mutex<Book>>);

#[derive(Debug)]
struct Book {
    generation: u64,
    attempt: Option<String>,
    ended: Option<Reason>,
    life: Duration,
    date: Option<Time>,
    is_repeatable: bool,
    steps: VecDeque<Step>,
    refreshes: usize,
    rotations: usize,
    revoked: Vec<String>,
}

impl TestServer {
    /// One whose access tokens live for so long.
    pub fn new(life: Duration) -> Self {
        Self(Arc::new(Mutex::new(Book {
            generation: 0,
            attempt: None,
            ended: None,
            life,
            date: None,
            is_repeatable: true,
            steps: VecDeque::new(),
            refreshes: 0,
            rotations: 0,
            revoked: Vec::new(),
        })))
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same without attempt ids, as a token endpoint of OAuth.
    #[must_use]
    pub fn without_attempts(self) -> Self {
        self.book().is_repeatable = false;
        self
    }

    /// The next calls to refresh or revoke are treated like this, in this order.
    pub fn then(&self, steps: impl IntoIterator<Item = Step>) {
        self.book().steps.extend(steps);
    }

    /// It does again what it should: nothing is left of what [`then`](Self::then) asked for.
    pub fn forgive(&self) {
        self.book().steps.clear();
    }

    /// What its clock shows from now on; without this it does not say.
    pub fn set_date(&self, date: Time) {
        self.book().date = Some(date);
    }

    /// Ends the session.
    pub fn end(&self, reason: Reason) {
        self.book().ended = Some(reason);
    }

    /// Why the session ended, if it did.
    pub fn ended(&self) -> Option<Reason> {
        self.book().ended.clone()
    }

    /// How often it was asked to refresh, heard or not.
    pub fn refreshes(&self) -> usize {
        self.book().refreshes
    }

    /// How often it made a new generation.
    pub fn rotations(&self) -> usize {
        self.book().rotations
    }

    /// What was revoked, in order.
    pub fn revoked(&self) -> Vec<String> {
        self.book().revoked.clone()
    }

    /// What a sign-in answers.
    pub fn sign_in(&self) -> Granted {
        let mut book = self.book();
        (book.generation, book.attempt, book.ended) = (0, None, None);
        book.granted()
    }

    async fn step(&self) -> Option<Step> {
        let step = self.book().steps.pop_front();
        match step {
            Some(Step::Hold(released)) => {
                let _ = released.await;
                None
            }
            step => step,
        }
    }

    /// What it answers to a refresh, by its rules.
    ///
    /// # Errors
    /// [`BackendError::Refused`].
    pub fn exchange(&self, token: &str, attempt: &str) -> Result<Granted, BackendError> {
        let mut book = self.book();
        let presented = token.strip_prefix('r').and_then(|number| number.parse::<u64>().ok());
        let is_attempt = book.is_repeatable && book.attempt.as_deref() == Some(attempt);
        match presented {
            _ if book.ended.is_some() => {}
            Some(number) if number == book.generation => {
                book.generation += 1;
                book.rotations += 1;
                book.attempt = Some(attempt.to_owned());
            }
            Some(number) if number + 1 == book.generation && is_attempt => {}
            _ => book.ended = Some(Reason::Reuse),
        }
        match &book.ended {
            Some(reason) => Err(BackendError::Refused { reason: Some(reason.clone()) }),
            None => Ok(book.granted()),
        }
    }
}

impl Book {
    fn granted(&self) -> Granted {
        Granted {
            expires_in: Some(self.life),
            refresh_token: Some(format!("r{}", self.generation).into()),
            date: self.date,
            ..Granted::new(format!("a{}", self.generation))
        }
    }
}

impl AuthBackend for TestServer {
    fn refresh(&self, call: RefreshCall) -> Answer<'_, Granted> {
        Box::pin(async move {
            self.book().refreshes += 1;
            let step = self.step().await;
            match step {
                Some(Step::Busy(retry_after)) => {
                    return Err(BackendError::Transient { retry_after, cause: None });
                }
                Some(Step::Refuse(reason)) => {
                    return Err(BackendError::Refused { reason: Some(reason) });
                }
                _ => {}
            }
            let answer = self.exchange(call.token.expose(), call.attempt.expose());
            match step {
                Some(Step::LoseAnswer) => Err(BackendError::passing()),
                Some(Step::HoldAnswer(released)) => {
                    let _ = released.await;
                    answer
                }
                _ => answer,
            }
        })
    }

    fn is_repeatable(&self) -> bool {
        self.book().is_repeatable
    }

    fn revoke(&self, refresh_token: Token) -> Answer<'_, ()> {
        Box::pin(async move {
            match self.step().await {
                Some(Step::Busy(retry_after)) => {
                    Err(BackendError::Transient { retry_after, cause: None })
                }
                _ => {
                    self.book().revoked.push(refresh_token.expose().to_owned());
                    Ok(())
                }
            }
        })
    }

    fn begin_guest(&self) -> Answer<'_, Granted> {
        Box::pin(async move { Ok(Granted { is_guest: Some(true), ..self.sign_in() }) })
    }
}
