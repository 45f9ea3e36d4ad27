//! Sessions, and how they begin and end.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::names::names;
use crate::object;
use crate::{Object, Secret, Time};

names! {
    /// Who a session stands for.
    Kind {
        /// Nobody: a visitor for whom something was stored.
        Anonymous = "anonymous",
        /// A stand-in that the user asked for.
        Guest = "guest",
        /// Somebody who signed in.
        User = "user",
    }
}

names! {
    /// How the holder presents a session; fixed when it begins.
    Transport {
        /// A cookie that a browser keeps.
        Cookie = "cookie",
        /// A refresh token, and access tokens minted with it.
        Token = "token",
    }
}

names! {
    /// Why a session ended or expired, or an access token did.
    Reason {
        /// Its holder signed out.
        Logout = "logout",
        /// Its holder signed out everywhere.
        LogoutAll = "logout_all",
        /// Its holder ended it from another session.
        Revoked = "revoked",
        /// A new session took over from it at sign-in.
        Replaced = "replaced",
        /// A newer session of the subject needed its place.
        Limit = "limit",
        /// A superseded token of it came back.
        Reuse = "reuse",
        /// Its subject was disabled.
        Disabled = "disabled",
        /// An operator ended it.
        Admin = "admin",
        /// Nothing was heard of it for the idle lifetime.
        Idle = "idle",
        /// Its absolute lifetime was over.
        Absolute = "absolute",
        /// Only the access token is past its time; the session may well be live.
        Expired = "expired",
    }
}

/// A session as its holder and operators see it. Whoever only writes it may borrow its texts:
/// `Session<&str>`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Session"))]
pub struct Session<T = String> {
    /// Its public name; no secret.
    pub id: String,
    /// Anonymous, guest or user.
    pub kind: Kind,
    /// Cookie or token.
    pub transport: Transport,
    /// The application's id of the user; an anonymous session has none.
    pub subject: Option<T>,
    /// Display name.
    pub name: Option<T>,
    /// E-mail address.
    pub email: Option<T>,
    /// Telephone number.
    pub phone: Option<T>,
    /// What it may do now.
    pub roles: Vec<T>,
    /// What it runs on, in words: "Firefox on Linux".
    pub device_info: Option<T>,
    /// `User-Agent`.
    pub user_agent: Option<T>,
    /// Where it was last used from.
    pub ip_address: Option<IpAddr>,
    /// The place of that address, where it is known.
    pub location: Option<Location<T>>,
    /// When it began.
    pub created_at: Time,
    /// The last full sign-in.
    pub authenticated_at: Time,
    /// The last activity.
    pub last_activity: Time,
    /// When it is over whatever happens.
    pub expires_at: Time,
    /// When it is over if nothing is heard of it; `null` without an idle limit.
    pub idle_expires_at: Option<Time>,
    /// How its user signed in (RFC 8176).
    pub amr: Vec<T>,
    /// Whether a token of it is good now.
    pub is_active: bool,
    /// Whether it is the one that asks.
    pub is_current: bool,
    /// Whether it is set aside.
    pub suspended: bool,
    /// How it ended, if it has.
    pub ended: Option<Ended>,
    /// What its holder calls it.
    pub label: Option<T>,
}

/// A place, as far as an address tells it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Location"))]
pub struct Location<T = String> {
    /// ISO 3166-1 alpha-2.
    pub country: Option<T>,
    /// State, province or the like.
    pub region: Option<T>,
    /// City.
    pub city: Option<T>,
}

/// The end of a session.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ended {
    /// When.
    pub at: Time,
    /// Why.
    pub reason: Reason,
    /// Who ended it; nobody when it ran out.
    pub by: Option<String>,
}

/// `POST /sessions`: begin a session for somebody who has proved who they are.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BeginRequest {
    /// The application's id of the user.
    pub subject: String,
    /// `user` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Telephone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// What the session may do; each must be one that the service key may grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// The application's own claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<Object>,
    /// How the user signed in (RFC 8176): `["pwd", "otp"]`. At most 16 methods, each of 1 to 64
    /// characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amr: Option<Vec<String>>,
    /// Whether the cookie outlives the browser; not by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remember: Option<bool>,
    /// `token` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// Who the access token is for; the configured audience by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// Who is at the other end, as the caller sees it.
    #[serde(default, deserialize_with = "object::only")]
    pub client: Client,
    /// What the session starts with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Object>,
    /// The guest's refresh token or cookie value: what the guest had comes along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade_from: Option<Secret>,
    /// Shorter lifetimes than the configured ones.
    #[serde(
        default,
        deserialize_with = "object::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub lifetime: Option<Lifetime>,
}

/// `POST /sessions/guest`: begin a session for a stand-in.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GuestRequest {
    /// `token` by default; a browser that calls itself gets a cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// Display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who the access token is for; the configured audience by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// What the session starts with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Object>,
}

/// The end user's machine, as the service that begins a session sees it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Client {
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<IpAddr>,
    /// Its `User-Agent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// What it is, in words; read off the user agent by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_info: Option<String>,
    /// What the application knows it again by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// Lifetimes of one session. They shorten what is configured, never lengthen it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Lifetime {
    /// How long it may be idle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_seconds: Option<u64>,
    /// How long it lasts whatever happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absolute_seconds: Option<u64>,
}

/// What begins and refreshes answer: tokens or cookies, by the session's transport.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Issued {
    /// `transport: "token"`.
    Token(Box<TokenAnswer>),
    /// `transport: "cookie"`.
    Cookie(Box<CookieAnswer>),
}

impl Issued {
    /// The session it is for.
    pub const fn session(&self) -> &Session {
        match self {
            Self::Token(answer) => &answer.session,
            Self::Cookie(answer) => &answer.session,
        }
    }
}

/// Tokens of a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenAnswer {
    /// The session.
    pub session: Session,
    /// A JWT.
    pub access_token: Secret,
    /// Always `Bearer`.
    pub token_type: String,
    /// How long the access token lives, in seconds.
    pub expires_in: u64,
    /// Good once: the next refresh answers its successor.
    pub refresh_token: Secret,
    /// How long the refresh token lives, in seconds.
    pub refresh_expires_in: u64,
}

/// Cookies of a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CookieAnswer {
    /// The session.
    pub session: Session,
    /// Whole values of `Set-Cookie` for the caller to relay to its browser; none when the service
    /// sets them itself.
    #[serde(default)]
    pub set_cookie: Vec<Secret>,
}

/// `GET /sessions/my-sessions`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MySessionsQuery {
    /// `ended` adds sessions that have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include: Option<Include>,
    /// How many: 1 to 200, 50 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 200)))]
    pub limit: Option<u16>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

names! {
    /// What a list has beside live sessions.
    Include {
        /// Sessions that have ended.
        Ended = "ended",
    }
}

/// A page of sessions.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionList {
    /// The sessions, newest first.
    pub sessions: Vec<Session>,
    /// Where the next page begins; `null` at the end.
    pub next: Option<String>,
}

/// `PATCH /sessions/{id}`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LabelRequest {
    /// What its holder calls this session; `null` takes the name away.
    pub label: Option<String>,
}

/// `POST /sessions/logout`. A body is needed only where no live credential comes along.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogoutRequest {
    /// Authority enough where the access token is dead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Secret>,
}

/// What became of one session.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndedAnswer {
    /// Whether this call ended it; `false` if it had ended before.
    pub ended: bool,
}

/// `POST /sessions/logout-all`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogoutAllRequest {
    /// Spare the session that asks; not by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub except_current: Option<bool>,
}

/// What became of several sessions.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndedCount {
    /// How many this call ended.
    pub ended: u64,
}
