//! What an application says when somebody has proved who they are.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::config::SessionConfig;
use crate::data::{self, Data, DataError, JsonText};
use crate::error::SessionError;
use crate::event::Event;
use crate::id::{ParseIdError, SessionId, Subject};
use crate::record::{Assurance, Client, Kind, Profile, Record, Suspended, Transport};
use crate::roles::Roles;
use crate::time::Timestamp;
use crate::token::Token;

/// What of the data of the session before goes over to the new one at sign-in. CSRF seed,
/// `return_to` and OAuth state never do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Merge {
    /// All keys.
    #[default]
    KeepAll,
    /// These keys.
    Keep(Vec<Arc<str>>),
    /// Nothing.
    Drop,
}

/// Keys that never cross a sign-in, whatever the merge rule: where to return to, and the state of
/// an OAuth exchange, belong to the visitor who began it.
pub const NEVER_CARRIED: [&str; 3] = ["return_to", "oauth_state", "oauth_nonce"];

impl Merge {
    /// The data that goes over.
    pub(crate) fn carry(&self, data: &Data) -> Data {
        let is_carried = |key: &str| match self {
            Self::KeepAll => true,
            Self::Keep(keys) => keys.iter().any(|kept| &**kept == key),
            Self::Drop => false,
        };
        let mut kept = Data::default();
        for (key, value) in data.iter() {
            if is_carried(key) && !NEVER_CARRIED.contains(&&**key) {
                kept.insert(Arc::clone(key), Arc::clone(value));
            }
        }
        kept
    }
}

/// A session that is to begin: whose, and what the application knows of them.
///
/// ```
/// use handstamp_core::sign_in::SignIn;
/// use handstamp_core::roles::Roles;
/// let sign_in = SignIn::new("user-17")?
///     .name("Ada")
///     .roles(Roles::new(["editor"])?)
///     .remember(true);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
#[must_use = "it signs nobody in until it is given to login or begin"]
pub struct SignIn {
    pub(crate) subject: Subject,
    pub(crate) kind: Kind,
    pub(crate) transport: Transport,
    pub(crate) roles: Roles,
    pub(crate) profile: Profile,
    pub(crate) amr: Vec<Arc<str>>,
    pub(crate) assurance: Assurance,
    pub(crate) is_remembered: bool,
    pub(crate) merge: Merge,
    pub(crate) client: Option<Client>,
    pub(crate) label: Option<Arc<str>>,
    pub(crate) absolute: Option<Duration>,
    pub(crate) idle: Option<Duration>,
    pub(crate) data: Data,
    pub(crate) audience: Vec<Arc<str>>,
    pub(crate) client_id: Option<Arc<str>>,
    pub(crate) upgrade: Option<Upgrade>,
    pub(crate) told: Vec<Event>,
    pub(crate) suspension: Option<Suspension>,
}

/// How a session is suspended.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Suspension {
    /// Who does it, for the log. Default nobody.
    pub by: Option<Arc<str>>,
    /// Why, for the log. Default untold.
    pub why: Option<Arc<str>>,
    /// Whether a step-up takes it back; otherwise only [`SessionManager::resume`] does. Default no.
    ///
    /// [`SessionManager::resume`]: crate::SessionManager::resume
    pub is_until_step_up: bool,
}

impl Suspension {
    /// What the record says of it from `at` on.
    pub(crate) fn since(&self, at: Timestamp) -> Suspended {
        let Self { by, why, is_until_step_up } = self.clone();
        Suspended { at, by, why, is_until_step_up }
    }
}

/// The token of the session that a sign-in takes over from; none if the text was no token.
#[derive(Clone)]
pub(crate) struct Upgrade(pub(crate) Option<Token>);

impl PartialEq for Upgrade {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => one.is_same(other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Upgrade").field(&self.0.as_ref().map(Token::session)).finish()
    }
}

/// The shortest lifetime that a sign-in can ask for: what is less counts as this.
const SHORTEST: Duration = Duration::from_secs(1);

impl SignIn {
    /// How many methods of sign-in a session names at most, those of later step-ups among them.
    pub const MOST_METHODS: usize = 16;

    /// The longest name of a method, in characters.
    pub const LONGEST_METHOD: usize = 64;

    /// `subject` signs in.
    ///
    /// # Errors
    /// [`ParseIdError`] when the subject is empty, longer than 255 bytes or holds a control
    /// character.
    pub fn new(subject: impl Into<Arc<str>>) -> Result<Self, ParseIdError> {
        Ok(Self::of(Subject::new(subject)?))
    }

    /// `subject` signs in.
    pub fn of(subject: Subject) -> Self {
        Self {
            subject,
            kind: Kind::User,
            transport: Transport::Cookie,
            roles: Roles::none(),
            profile: Profile::default(),
            amr: Vec::new(),
            assurance: Assurance::Aal1,
            is_remembered: false,
            merge: Merge::KeepAll,
            client: None,
            label: None,
            absolute: None,
            idle: None,
            data: Data::default(),
            audience: Vec::new(),
            client_id: None,
            upgrade: None,
            told: Vec::new(),
            suspension: None,
        }
    }

    /// A stand-in that the user asked for, not a person who proved who they are.
    pub const fn guest(mut self) -> Self {
        self.kind = Kind::Guest;
        self
    }

    /// What the session may do. Default nothing.
    pub fn roles(mut self, roles: Roles) -> Self {
        self.roles = roles;
        self
    }

    /// Display name.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.profile.name = Some(name.into());
        self
    }

    /// E-mail address.
    pub fn email(mut self, email: impl Into<Arc<str>>) -> Self {
        self.profile.email = Some(email.into());
        self
    }

    /// Telephone number.
    pub fn phone(mut self, phone: impl Into<Arc<str>>) -> Self {
        self.profile.phone = Some(phone.into());
        self
    }

    /// The application's own claims, the text of a JSON object. They count in the size of the
    /// session; that they are too large is found out when it begins.
    pub fn claims(mut self, claims: impl Into<JsonText>) -> Self {
        self.profile.claims = Some(claims.into());
        self
    }

    /// How they proved who they are: values of RFC 8176 such as `pwd`, `otp`, `hwk`. At most
    /// [`MOST_METHODS`](Self::MOST_METHODS), each of 1 to 64 characters, or no session begins.
    pub fn amr<I: IntoIterator<Item: Into<Arc<str>>>>(mut self, amr: I) -> Self {
        self.amr = amr.into_iter().map(Into::into).collect();
        self
    }

    /// How sure that is. Default AAL1.
    pub const fn assurance(mut self, assurance: Assurance) -> Self {
        self.assurance = assurance;
        self
    }

    /// Whether the cookie outlives the browser, and the longer lifetime counts. Default no.
    pub const fn remember(mut self, remember: bool) -> Self {
        self.is_remembered = remember;
        self
    }

    /// What of the visitor's data goes over. Default all.
    pub fn merge(mut self, merge: Merge) -> Self {
        self.merge = merge;
        self
    }

    /// Where they sign in from. Default what the request tells.
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client.cut());
        self
    }

    /// How the holder presents the session. Default a cookie; [`Session::login`] always makes
    /// one.
    ///
    /// [`Session::login`]: crate::Session::login
    pub const fn transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// What the holder calls this device.
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// An absolute lifetime shorter than the configured one, counted from each full
    /// authentication, at least 1 second. A longer one is the configured one. Default the
    /// configured one.
    pub const fn absolute(mut self, lifetime: Duration) -> Self {
        self.absolute = Some(lifetime);
        self
    }

    /// An idle lifetime shorter than the configured one, in whole milliseconds, at least
    /// 1 second. A longer one is the configured one. Default the configured one.
    pub const fn idle(mut self, lifetime: Duration) -> Self {
        self.idle = Some(lifetime);
        self
    }

    /// Puts `value` under `key` in the new session. It takes the place of what the visitor's
    /// session brings along under that key.
    ///
    /// # Errors
    /// [`DataError`] when the key is empty or longer than 255 bytes, or the value cannot be
    /// written as JSON. That it is too large is found out when the session begins.
    pub fn data<T: Serialize + ?Sized>(mut self, key: &str, value: &T) -> Result<Self, DataError> {
        let json = data::encode(key, value)?;
        self.data.insert(data::checked_key(key)?, json);
        Ok(self)
    }

    /// For whom access tokens of the session are meant. Default whom their issuer means by
    /// default.
    pub fn audience<I: IntoIterator<Item: Into<Arc<str>>>>(mut self, audience: I) -> Self {
        self.audience = audience.into_iter().map(Into::into).collect();
        self
    }

    /// The service that begins the session, by the name that it is known under. Default none.
    pub fn client_id(mut self, client_id: impl Into<Arc<str>>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// Takes over from the guest or the anonymous session whose refresh token or cookie value
    /// this is: its data comes along by the [`Merge`] rule and it ends as `replaced`. For a sign-in
    /// outside the guest's own request; [`Session::login`] takes over by itself from the session of
    /// its request, and refuses to from another beside it.
    ///
    /// The token must be current, or the one before as far as its transport allows. One that is
    /// not, or that is of a user's session, lets no session begin, and a sign-in that is refused
    /// leaves the guest as it was.
    ///
    /// [`Session::login`]: crate::Session::login
    pub fn upgrade_from(mut self, token: &str) -> Self {
        self.upgrade = Some(Upgrade(Token::parse(token)));
        self
    }
}

impl SignIn {
    /// What the audit log is to say beside that the session began: committed with it, or not at
    /// all. The engine puts the session's id into each event, which the caller cannot know yet.
    ///
    /// For what was found out about somebody before they were let in: see
    /// [`SessionManager::event`](crate::SessionManager::event).
    pub fn telling(mut self, events: Vec<Event>) -> Self {
        self.told = events;
        self
    }

    /// Begins the session suspended: none of its tokens is good until it is resumed, and there is
    /// no moment at which one was. For somebody who must show another factor first. Default no.
    pub fn suspended(mut self, suspension: Suspension) -> Self {
        self.suspension = Some(suspension);
        self
    }

    /// Who signs in, as what, and from where if that is told.
    pub const fn parts(&self) -> (&Subject, Kind, Option<&Client>) {
        (&self.subject, self.kind, self.client.as_ref())
    }

    /// The events that are told, for the session that begins.
    pub(crate) fn told_of(&self, session: SessionId) -> impl Iterator<Item = Event> + '_ {
        self.told.iter().map(move |event| Event { session: Some(session), ..event.clone() })
    }

    /// Absolute and idle lifetime of the session: as configured, or as asked if that is shorter.
    fn lifetimes(&self, config: &SessionConfig) -> (Duration, Option<Duration>) {
        let (ttl, idle) = config.lifetimes(self.is_remembered);
        let asked = |lifetime: Duration| lifetime.max(SHORTEST);
        let ttl = self.absolute.map_or(ttl, |lifetime| ttl.min(asked(lifetime)));
        let whole = |lifetime: Duration| {
            let beyond = lifetime.subsec_nanos() % 1_000_000;
            asked(lifetime.saturating_sub(Duration::from_nanos(beyond.into())))
        };
        let idle = idle.into_iter().chain(self.idle.map(whole)).min();
        (ttl, idle)
    }

    /// Puts into a record what the sign-in says; lifetimes count from `now`.
    pub(crate) fn put_into(&self, record: &mut Record, config: &SessionConfig, now: Timestamp) {
        let (ttl, idle) = self.lifetimes(config);
        record.kind = self.kind;
        record.roles = self.roles.clone();
        record.absolute_expiry = now.plus(ttl);
        record.idle_lifetime = idle;
        record.amr.clone_from(&self.amr);
        record.assurance = self.assurance;
        record.profile = self.profile.clone();
        record.is_remembered = self.is_remembered;
        record.audience.clone_from(&self.audience);
        record.client_id.clone_from(&self.client_id);
        if self.label.is_some() {
            record.label.clone_from(&self.label);
        }
        if let Some(client) = &self.client {
            record.client = client.clone();
        }
    }
}

/// Refuses more or longer methods of sign-in than a session may name.
pub(crate) fn check_methods(amr: &[Arc<str>]) -> Result<(), SessionError> {
    let fits = |method: &Arc<str>| (1..=SignIn::LONGEST_METHOD).contains(&method.chars().count());
    if amr.len() <= SignIn::MOST_METHODS && amr.iter().all(fits) {
        return Ok(());
    }
    Err(SessionError::Refused("amr has at most 16 methods of 1 to 64 characters".into()))
}

/// Something that names who signs in: a [`SignIn`], a [`Subject`], or its text.
pub trait IntoSignIn {
    /// Reads it as a sign-in.
    ///
    /// # Errors
    /// [`SessionError::Refused`] when the text is no subject.
    fn into_sign_in(self) -> Result<SignIn, SessionError>;
}

impl IntoSignIn for SignIn {
    fn into_sign_in(self) -> Result<SignIn, SessionError> {
        Ok(self)
    }
}

impl IntoSignIn for Subject {
    fn into_sign_in(self) -> Result<SignIn, SessionError> {
        Ok(SignIn::of(self))
    }
}

impl IntoSignIn for &str {
    fn into_sign_in(self) -> Result<SignIn, SessionError> {
        SignIn::new(self).map_err(|error| SessionError::Refused(error.to_string()))
    }
}

impl IntoSignIn for String {
    fn into_sign_in(self) -> Result<SignIn, SessionError> {
        self.as_str().into_sign_in()
    }
}
