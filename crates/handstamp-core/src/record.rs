//! What a store keeps of a session.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::data::{Data, Flash, JsonText};
use crate::encoding::serde_bytes;
use crate::id::{ChangeId, SessionId, Subject};
use crate::roles::Roles;
use crate::time::Timestamp;

/// Who the session stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Nobody: a visitor for whom something was stored.
    Anonymous,
    /// A stand-in that the user asked for; has a subject of its own.
    Guest,
    /// Somebody who signed in.
    User,
}

impl Kind {
    /// The name on the wire and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Guest => "guest",
            Self::User => "user",
        }
    }
}

/// How the holder presents the session; fixed when it begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// A cookie that a browser keeps.
    Cookie,
    /// A refresh token, and access tokens minted with it.
    Token,
}

impl Transport {
    /// The name on the wire and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Token => "token",
        }
    }
}

/// Why a session ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Its holder signed out.
    Logout,
    /// Its holder signed out everywhere.
    LogoutAll,
    /// Its holder ended it from another session.
    Revoked,
    /// A new session took over from it at sign-in.
    Replaced,
    /// A newer session of the subject needed its place.
    Limit,
    /// A superseded token of it came back.
    Reuse,
    /// Its subject was disabled.
    Disabled,
    /// An operator ended it.
    Admin,
    /// Nothing was heard of it for the idle lifetime.
    Idle,
    /// Its absolute lifetime was over.
    Absolute,
}

impl EndReason {
    /// Every reason, in the order of their declaration.
    pub const ALL: [Self; 10] = [
        Self::Logout,
        Self::LogoutAll,
        Self::Revoked,
        Self::Replaced,
        Self::Limit,
        Self::Reuse,
        Self::Disabled,
        Self::Admin,
        Self::Idle,
        Self::Absolute,
    ];

    /// The name on the wire and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::LogoutAll => "logout_all",
            Self::Revoked => "revoked",
            Self::Replaced => "replaced",
            Self::Limit => "limit",
            Self::Reuse => "reuse",
            Self::Disabled => "disabled",
            Self::Admin => "admin",
            Self::Idle => "idle",
            Self::Absolute => "absolute",
        }
    }

    /// Whether the session ran out, rather than being ended by an act.
    pub const fn is_expiry(self) -> bool {
        matches!(self, Self::Idle | Self::Absolute)
    }
}

/// The end of a session: what turns its record into a tombstone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ended {
    /// When it ended.
    pub at: Timestamp,
    /// Why.
    pub reason: EndReason,
    /// Who ended it: a subject, an operator's name, or nobody when it ran out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Arc<str>>,
    /// The session that took over. For operators; nobody is ever redirected along it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<SessionId>,
}

/// Set aside: no token of the session is good until it is resumed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Suspended {
    /// Since when.
    pub at: Timestamp,
    /// Who set it aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Arc<str>>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Arc<str>>,
    /// Whether a step-up takes the session back, and not only a person who resumes it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_until_step_up: bool,
}

/// Where the current token of a session comes from: everything the verdict on a presented token
/// needs. Holds no secret: the proof in a token also needs the root key.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lineage {
    /// 16 random bytes, drawn when the session begins.
    #[serde(with = "serde_bytes")]
    pub salt: [u8; 16],
    /// The generation whose token is current; starts at 1.
    pub generation: u32,
    /// The root key that made the current token.
    pub key_id: u8,
    /// The root key that made the token before it.
    pub previous_key_id: u8,
    /// When the current generation came to be.
    pub rotated_at: Timestamp,
    /// Whether the current token, or an access token minted with it, has been presented.
    pub is_seen: bool,
    /// When that was first; of no account while it has not.
    pub seen_at: Timestamp,
    /// The first generation that is not older than the latest privilege change.
    pub privilege_generation: u32,
    /// When that change was.
    pub privilege_at: Timestamp,
    /// SHA-256 of the attempt id that asked for the current generation.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_hash")]
    pub attempt: Option<[u8; 32]>,
    /// How often the current generation was answered again.
    #[serde(default)]
    pub retries: u8,
}

impl fmt::Debug for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lineage")
            .field("generation", &self.generation)
            .field("key_id", &self.key_id)
            .field("rotated_at", &self.rotated_at)
            .field("is_seen", &self.is_seen)
            .finish_non_exhaustive()
    }
}

mod optional_hash {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Hash(#[serde(with = "crate::encoding::serde_bytes")] [u8; 32]);

    pub(super) fn serialize<S: Serializer>(
        hash: &Option<[u8; 32]>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        hash.map(Hash).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<[u8; 32]>, D::Error> {
        Ok(Option::<Hash>::deserialize(from)?.map(|hash| hash.0))
    }
}

/// What is known of the machine and place a session is used from. Personal data.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Client {
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// Its `User-Agent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<Arc<str>>,
    /// What it is, in words: "Firefox on Linux".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Arc<str>>,
    /// Where it is, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Arc<Location>>,
    /// What tells this device from another of the same kind, as the application reckons it; cut
    /// to [`MAX_FINGERPRINT`](Self::MAX_FINGERPRINT) characters when a session begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Arc<str>>,
}

impl Client {
    /// The longest fingerprint that is kept, in characters.
    pub const MAX_FINGERPRINT: usize = 256;

    /// As a record keeps it.
    pub(crate) fn cut(mut self) -> Self {
        let end = |text: &Arc<str>| {
            text.char_indices().nth(Self::MAX_FINGERPRINT).map(|(end, _)| text[..end].into())
        };
        self.fingerprint = self.fingerprint.map(|text| end(&text).unwrap_or(text));
        self
    }
}

/// A place, as far as an address tells it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Location {
    /// ISO 3166-1 alpha-2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Arc<str>>,
    /// State, province or the like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Arc<str>>,
    /// City.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<Arc<str>>,
}

/// NIST SP 800-63B-4 assurance level of the authentication behind a session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assurance {
    /// One factor.
    #[default]
    Aal1,
    /// Two factors.
    Aal2,
    /// Two factors, one of them hardware that cannot be phished.
    Aal3,
}

/// What the application told of the person at sign-in. Personal data.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Profile {
    /// Display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Arc<str>>,
    /// Telephone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Arc<str>>,
    /// The application's own claims, a JSON object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<JsonText>,
}

/// What a store keeps of a session.
///
/// A record whose [`ended`](Self::ended) is set is a **tombstone**: for ever refused, kept so that
/// "why was I signed out?" has an answer, and removed only by purge.
#[derive(Clone, PartialEq)]
pub struct Record {
    /// The public name.
    pub id: SessionId,
    /// Counts replaces; the first is 1. The store sets it.
    pub version: u64,
    /// The change that made this version.
    pub change_id: ChangeId,
    /// The owner; an anonymous session has none.
    pub subject: Option<Subject>,
    /// The epoch of the subject's head that this session belongs to. The store sets it.
    pub epoch: u64,
    /// The deployment's epoch that this session belongs to. The store sets it.
    pub deployment_epoch: u64,
    /// Anonymous, guest or user.
    pub kind: Kind,
    /// Cookie or token.
    pub transport: Transport,
    /// What the session was granted; the head may narrow it.
    pub roles: Roles,
    /// When it began.
    pub created_at: Timestamp,
    /// The last full authentication, from which the absolute lifetime counts.
    pub authenticated_at: Timestamp,
    /// The last activity. Moved by touch without a new version, forward only.
    pub last_seen: Timestamp,
    /// When it is over whatever happens.
    pub absolute_expiry: Timestamp,
    /// How long it may be idle; `None` for no idle limit.
    pub idle_lifetime: Option<Duration>,
    /// Which token is good.
    pub lineage: Lineage,
    /// Authentication methods (RFC 8176), as the application named them.
    pub amr: Vec<Arc<str>>,
    /// The assurance level of the authentication.
    pub assurance: Assurance,
    /// Machine and place.
    pub client: Client,
    /// Name, email, phone, claims.
    pub profile: Profile,
    /// What the holder calls this device.
    pub label: Option<Arc<str>>,
    /// For whom access tokens of this session are meant; empty for whom the issuer means them by
    /// default.
    pub audience: Vec<Arc<str>>,
    /// The service that began it, by the name that it signs in under.
    pub client_id: Option<Arc<str>>,
    /// Whether the cookie outlives the browser.
    pub is_remembered: bool,
    /// Set aside, and by whom.
    pub suspended: Option<Suspended>,
    /// The application's data.
    pub data: Data,
    /// Messages to be shown once.
    pub flash: Vec<Flash>,
    /// What this session's CSRF tokens are made from.
    pub csrf_seed: [u8; 16],
    /// Set when the session ended: this is a tombstone.
    pub ended: Option<Ended>,
}

/// Shows what is public of a session: no data, no seed, no salt.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("id", &self.id)
            .field("version", &self.version)
            .field("change_id", &self.change_id)
            .field("subject", &self.subject)
            .field("epoch", &self.epoch)
            .field("kind", &self.kind)
            .field("transport", &self.transport)
            .field("roles", &self.roles)
            .field("created_at", &self.created_at)
            .field("last_seen", &self.last_seen)
            .field("absolute_expiry", &self.absolute_expiry)
            .field("lineage", &self.lineage)
            .field("keys", &self.data.len())
            .field("suspended", &self.suspended)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

impl Record {
    /// Whether this is a tombstone.
    pub const fn is_tombstone(&self) -> bool {
        self.ended.is_some()
    }

    /// When the session runs out by what the record says: the stricter of idle and absolute.
    pub fn due_at(&self) -> Timestamp {
        match self.idle_lifetime {
            Some(idle) => self.last_seen.plus(idle).min(self.absolute_expiry),
            None => self.absolute_expiry,
        }
    }

    /// The first generation whose access tokens are good: that of the latest privilege change. While
    /// the session is suspended, none that has been minted is.
    pub const fn min_generation(&self) -> u32 {
        match self.suspended {
            Some(_) => self.lineage.generation.saturating_add(1),
            None => self.lineage.privilege_generation,
        }
    }

    /// Which limit [`due_at`](Self::due_at) is.
    pub fn due_reason(&self) -> EndReason {
        if self.due_at() == self.absolute_expiry { EndReason::Absolute } else { EndReason::Idle }
    }

    /// Turns the record into a tombstone: what identifies and explains it stays, what the
    /// application stored goes. A tombstone stays as it is.
    pub fn end(&mut self, ended: Ended) {
        if self.ended.is_some() {
            return;
        }
        self.data = Data::default();
        self.flash = Vec::new();
        self.profile.claims = None;
        self.csrf_seed = [0; 16];
        self.suspended = None;
        self.ended = Some(ended);
    }

    /// Erases what is personal in a tombstone; a record that is none stays as it is.
    pub fn blank(&mut self) {
        if self.is_tombstone() {
            self.client = Client::default();
            self.profile = Profile::default();
            self.label = None;
        }
    }
}

/// The part of a record that no store looks into, for stores that keep it as one value.
///
/// The format carries a version; a node reads its own and the previous one.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// The version of this format: 1.
    #[serde(rename = "v")]
    format: u8,
    lineage: Lineage,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    amr: Vec<Arc<str>>,
    #[serde(default)]
    assurance: Assurance,
    #[serde(default)]
    profile: Profile,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fingerprint: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    audience: Vec<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_id: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    suspended: Option<Suspended>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    flash: Vec<Flash>,
    #[serde(with = "serde_bytes")]
    csrf: [u8; 16],
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<Ended>,
}

/// A stored value is not what this version of Handstamp writes.
#[derive(Debug, thiserror::Error)]
#[error("a stored {what} cannot be read")]
pub struct FormatError {
    what: &'static str,
    #[source]
    source: Option<serde_json::Error>,
}

impl FormatError {
    /// A stored `what` cannot be read.
    pub const fn new(what: &'static str) -> Self {
        Self { what, source: None }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("format", &self.format).finish_non_exhaustive()
    }
}

impl Body {
    const FORMAT: u8 = 1;

    /// Bytes that most bodies fit into.
    const ROOM: usize = 512;

    /// The body of `record`, as JSON text.
    ///
    /// # Errors
    /// [`FormatError`] when it cannot be written as JSON, which no valid record brings about.
    pub fn to_json(record: &Record) -> Result<String, FormatError> {
        let body = Self {
            format: Self::FORMAT,
            lineage: record.lineage.clone(),
            amr: record.amr.clone(),
            assurance: record.assurance,
            profile: record.profile.clone(),
            fingerprint: record.client.fingerprint.clone(),
            audience: record.audience.clone(),
            client_id: record.client_id.clone(),
            suspended: record.suspended.clone(),
            flash: record.flash.clone(),
            csrf: record.csrf_seed,
            ended: record.ended.clone(),
        };
        let failed = |source| FormatError { what: "record body", source };
        let mut json = Vec::with_capacity(Self::ROOM);
        serde_json::to_writer(&mut json, &body).map_err(|source| failed(Some(source)))?;
        String::from_utf8(json).map_err(|_| failed(None))
    }

    /// Reads a body back into `record`, whose other fields the store filled from its columns.
    ///
    /// # Errors
    /// [`FormatError`] when the text is damaged or of an unknown format.
    pub fn read_into(json: &str, record: &mut Record) -> Result<(), FormatError> {
        let body: Self = serde_json::from_str(json)
            .map_err(|source| FormatError { what: "record body", source: Some(source) })?;
        if body.format != Self::FORMAT {
            return Err(FormatError::new("record body of another version"));
        }
        record.lineage = body.lineage;
        record.amr = body.amr;
        record.assurance = body.assurance;
        record.profile = body.profile;
        record.client.fingerprint = body.fingerprint;
        record.audience = body.audience;
        record.client_id = body.client_id;
        record.suspended = body.suspended;
        record.flash = body.flash;
        record.csrf_seed = body.csrf;
        record.ended = body.ended;
        Ok(())
    }
}
