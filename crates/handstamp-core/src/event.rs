//! One line of the audit log, and the chain that seals the lines.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::id::{EventId, SessionId, Subject};
use crate::record::Client;
use crate::time::Timestamp;

/// What an event tells of.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Action {
    /// A session began.
    SessionStarted,
    /// A guest session began.
    GuestStarted,
    /// A guest became a user and kept what they had.
    GuestUpgraded,
    /// A refresh token was exchanged.
    SessionRefreshed,
    /// A session got a new token by privilege change, age or key.
    SessionRotated,
    /// A session ended; the reason is in the details.
    SessionEnded,
    /// A session was set aside.
    SessionSuspended,
    /// A session was taken back.
    SessionResumed,
    /// Somebody failed to sign in.
    SignInFailed,
    /// Somebody proved who they are and no session began: their limit is reached, or they are
    /// disabled.
    SignInRefused,
    /// A superseded token came back.
    RefreshReused,
    /// The token of a session that is over came back.
    SessionUsedAfterEnd,
    /// Somebody was refused what they may not do.
    AccessDenied,
    /// A request that another site made was refused.
    RequestCrossSite,
    /// A request was one too many.
    RequestLimited,
    /// A fresh factor was checked.
    StepUp,
    /// An operator named the roles of a subject.
    RolesChanged,
    /// A subject was disabled.
    SubjectDisabled,
    /// A subject was enabled again.
    SubjectEnabled,
    /// Personal parts of a subject's events were removed.
    SubjectErased,
    /// Personal parts of old events were removed.
    PersonalExpired,
    /// A checkpoint says where the log ended: for whoever keeps it elsewhere.
    Checkpoint,
    /// Every session of a subject, but perhaps one, was ended at once.
    SubjectEnded,
    /// Every session of the deployment was ended at once.
    DeploymentEnded,
    /// A subject was seen on a device for the first time.
    DeviceNew,
    /// The service began to serve.
    ServiceStarted,
    /// The service stopped serving.
    ServiceStopped,
    /// A risk rule spoke: `risk.` and its name.
    Risk(Arc<str>),
    /// An operator acted: `admin.` and what they did.
    Admin(Arc<str>),
}

const NAMES: [(&str, Action); 27] = [
    ("session.started", Action::SessionStarted),
    ("guest.started", Action::GuestStarted),
    ("guest.upgraded", Action::GuestUpgraded),
    ("session.refreshed", Action::SessionRefreshed),
    ("session.rotated", Action::SessionRotated),
    ("session.ended", Action::SessionEnded),
    ("session.suspended", Action::SessionSuspended),
    ("session.resumed", Action::SessionResumed),
    ("sign_in.failed", Action::SignInFailed),
    ("sign_in.refused", Action::SignInRefused),
    ("refresh.reused", Action::RefreshReused),
    ("session.used_after_end", Action::SessionUsedAfterEnd),
    ("access.denied", Action::AccessDenied),
    ("request.cross_site", Action::RequestCrossSite),
    ("request.limited", Action::RequestLimited),
    ("step_up", Action::StepUp),
    ("roles.changed", Action::RolesChanged),
    ("subject.disabled", Action::SubjectDisabled),
    ("subject.enabled", Action::SubjectEnabled),
    ("subject.erased", Action::SubjectErased),
    ("personal.expired", Action::PersonalExpired),
    ("audit.checkpoint", Action::Checkpoint),
    ("subject.ended", Action::SubjectEnded),
    ("deployment.ended", Action::DeploymentEnded),
    ("device.new", Action::DeviceNew),
    ("service.started", Action::ServiceStarted),
    ("service.stopped", Action::ServiceStopped),
];

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Risk(name) => write!(f, "risk.{name}"),
            Self::Admin(name) => write!(f, "admin.{name}"),
            named => NAMES
                .iter()
                .find(|(_, action)| action == named)
                .map_or(Ok(()), |(name, _)| f.write_str(name)),
        }
    }
}

impl Action {
    /// Every name that is always the same; those of risk rules and of operators' acts begin with
    /// `risk.` and `admin.`.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }

    /// The name of the OWASP Logging Vocabulary that fits, for a log that is searched by it;
    /// `None` where the vocabulary has none. [`Event::owasp_name`] also looks at how a session
    /// ended.
    pub const fn owasp_name(&self) -> Option<&'static str> {
        Some(match self {
            Self::SessionStarted | Self::GuestStarted | Self::GuestUpgraded => "session_created",
            Self::SessionRefreshed => "session_renewed",
            Self::SessionRotated => "authn_token_created",
            Self::SessionEnded => "session_logout",
            Self::SignInFailed | Self::SignInRefused => "authn_login_fail",
            Self::RefreshReused => "authn_token_reuse",
            Self::SessionUsedAfterEnd => "session_use_after_expire",
            Self::AccessDenied => "authz_fail",
            Self::RequestCrossSite => "malicious_csrf",
            Self::RequestLimited => "excess_rate_limit_exceeded",
            Self::ServiceStarted => "sys_startup",
            Self::ServiceStopped => "sys_shutdown",
            Self::StepUp => "authn_login_success",
            Self::SubjectDisabled => "authn_login_lock",
            Self::SubjectEnded | Self::DeploymentEnded => "authn_token_revoked",
            Self::RolesChanged | Self::SubjectEnabled | Self::SubjectErased | Self::Admin(_) => {
                "authz_admin"
            }
            Self::SessionSuspended
            | Self::SessionResumed
            | Self::PersonalExpired
            | Self::Checkpoint
            | Self::DeviceNew
            | Self::Risk(_) => {
                return None;
            }
        })
    }
}

/// The text names no action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of an action")]
pub struct ParseActionError;

impl FromStr for Action {
    type Err = ParseActionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(name) = text.strip_prefix("risk.") {
            return Ok(Self::Risk(name.into()));
        }
        if let Some(name) = text.strip_prefix("admin.") {
            return Ok(Self::Admin(name.into()));
        }
        let named = NAMES.iter().find(|(name, _)| *name == text);
        named.map(|(_, action)| action.clone()).ok_or(ParseActionError)
    }
}

impl Serialize for Action {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The part of an event that can be erased without breaking the chain.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Personal {
    /// Address, user agent, device, location.
    #[serde(flatten)]
    pub client: Client,
    /// Keyed hash of what was typed as a name at a failed sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifier: Option<Arc<str>>,
}

/// One line of the audit log.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// Names the event.
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// Whose chain it stands in. The store sets it.
    pub writer: u32,
    /// Where in that chain, from 1 without gaps. The store sets it.
    pub number: u64,
    /// What happened.
    pub action: Action,
    /// Whom it concerns; may be unknown.
    pub subject: Option<Subject>,
    /// Which session it concerns.
    pub session: Option<SessionId>,
    /// Who did it: a subject, an operator's name, or nobody.
    pub actor: Option<Arc<str>>,
    /// Whether what was tried came about.
    pub is_success: bool,
    /// What went wrong, as a code.
    pub error: Option<Arc<str>>,
    /// What else is worth knowing; never a secret, never personal.
    pub details: serde_json::Map<String, Value>,
    /// Personal part; `None` once erased.
    pub personal: Option<Personal>,
    /// 16 random bytes that keep the personal part from being guessed from its hash; all zero once
    /// it is erased.
    pub salt: [u8; 16],
    /// SHA-256 of salt and personal part; stays when the part is erased.
    pub personal_hash: [u8; 32],
}

impl Event {
    /// An event of `action` at `at`. `salt` is 16 fresh random bytes.
    pub fn new(id: EventId, at: Timestamp, action: Action, salt: [u8; 16]) -> Self {
        let mut event = Self {
            id,
            at,
            writer: 0,
            number: 0,
            action,
            subject: None,
            session: None,
            actor: None,
            is_success: true,
            error: None,
            details: serde_json::Map::new(),
            personal: None,
            salt,
            personal_hash: [0; 32],
        };
        event.set_personal(Personal::default());
        event
    }

    /// The name of the OWASP Logging Vocabulary that fits: that of the action, but for the end of
    /// a session by reason: run out, token reused, limit reached, or taken away by somebody; and for
    /// a sign-in that was refused by the limit.
    pub fn owasp_name(&self) -> Option<&'static str> {
        let reason = self.details.get("reason").and_then(Value::as_str);
        match (&self.action, reason) {
            (Action::SessionEnded, Some("idle" | "absolute")) => Some("session_expired"),
            (Action::SessionEnded, Some("limit")) => Some("excess_sessions_exceeded"),
            (Action::SessionEnded, Some("reuse")) => Some("authn_token_reuse"),
            (Action::SessionEnded, Some("logout_all" | "revoked" | "disabled" | "admin")) => {
                Some("authn_token_revoked")
            }
            (Action::SignInRefused, _) if self.error.as_deref() == Some("LIMIT_REACHED") => {
                Some("excess_sessions_exceeded")
            }
            (action, _) => action.owasp_name(),
        }
    }

    /// Puts the personal part in, with its hash.
    pub fn set_personal(&mut self, personal: Personal) {
        self.personal_hash = Self::hash_personal(&self.salt, &personal);
        self.personal = Some(personal);
    }

    /// Whether the personal part, if still there, is the one that was hashed.
    pub fn is_personal_intact(&self) -> bool {
        self.personal
            .as_ref()
            .is_none_or(|personal| Self::hash_personal(&self.salt, personal) == self.personal_hash)
    }

    /// Erases the personal part. What the chain seals stays.
    pub fn blank(&mut self) {
        self.personal = None;
        // With the salt, what little there is to know could be guessed from the hash.
        self.salt = [0; 16];
    }

    /// Whether a personal part is gone that said anything.
    pub fn is_blank(&self) -> bool {
        self.personal.is_none()
            && Self::hash_personal(&self.salt, &Personal::default()) != self.personal_hash
    }

    fn hash_personal(salt: &[u8; 16], personal: &Personal) -> [u8; 32] {
        let json = serde_json::to_vec(personal).unwrap_or_default();
        Sha256::new().chain_update(salt).chain_update(json).finalize().into()
    }

    /// What the chain seals: SHA-256 over every field, each with its length before it, and the
    /// hash of the personal part in the place of that part.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let details = serde_json::to_vec(&self.details).unwrap_or_default();
        let action = self.action.to_string();
        let fields: [Option<&[u8]>; 12] = [
            Some(self.id.as_bytes()),
            Some(&self.at.as_millis().to_be_bytes()),
            Some(&self.writer.to_be_bytes()),
            Some(&self.number.to_be_bytes()),
            Some(action.as_bytes()),
            self.subject.as_ref().map(|subject| subject.as_str().as_bytes()),
            self.session.as_ref().map(|session| &session.as_bytes()[..]),
            self.actor.as_deref().map(str::as_bytes),
            Some(&[u8::from(self.is_success)]),
            self.error.as_deref().map(str::as_bytes),
            Some(&details),
            Some(&self.personal_hash),
        ];
        for field in fields {
            let Some(bytes) = field else {
                hash.update([0]);
                continue;
            };
            hash.update([1]);
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        }
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_reads_back_from_its_name() {
        for (name, action) in NAMES {
            assert_eq!(action.to_string(), name);
            assert_eq!(name.parse::<Action>().unwrap(), action);
        }
        assert_eq!("risk.new_country".parse(), Ok(Action::Risk("new_country".into())));
        assert_eq!("session.dreamt".parse::<Action>(), Err(ParseActionError));
    }

    #[test]
    fn s103_names_are_of_the_owasp_vocabulary() {
        const VOCABULARY: [&str; 17] = [
            "authn_login_success",
            "authn_login_fail",
            "authn_login_lock",
            "authn_token_created",
            "authn_token_revoked",
            "authn_token_reuse",
            "authz_admin",
            "authz_fail",
            "excess_rate_limit_exceeded",
            "malicious_csrf",
            "sys_startup",
            "sys_shutdown",
            "session_use_after_expire",
            "session_created",
            "session_renewed",
            "session_expired",
            "session_logout",
        ];
        let named = NAMES.iter().filter_map(|(_, action)| action.owasp_name());
        assert!(named.clone().all(|name| VOCABULARY.contains(&name)));
        assert_eq!(named.count(), NAMES.len() - 5, "only these have none");
        assert_eq!(Action::Risk("x".into()).owasp_name(), None);
        assert_eq!(Action::Admin("x".into()).owasp_name(), Some("authz_admin"));
    }

    #[test]
    fn s103_the_end_of_a_session_is_named_by_its_reason() {
        let (id, at) = (EventId::from_bytes([1; 16]), Timestamp::from_millis(5));
        let mut event = Event::new(id, at, Action::SessionEnded, [9; 16]);
        for (reason, name) in [
            ("logout", "session_logout"),
            ("replaced", "session_logout"),
            ("idle", "session_expired"),
            ("absolute", "session_expired"),
            ("limit", "excess_sessions_exceeded"),
            ("reuse", "authn_token_reuse"),
            ("revoked", "authn_token_revoked"),
            ("logout_all", "authn_token_revoked"),
            ("disabled", "authn_token_revoked"),
            ("admin", "authn_token_revoked"),
        ] {
            event.details.insert("reason".into(), reason.into());
            assert_eq!(event.owasp_name(), Some(name), "{reason}");
        }
    }

    #[test]
    fn erasing_the_personal_part_keeps_the_digest_and_changing_it_shows() {
        let mut event = Event::new(
            EventId::from_bytes([1; 16]),
            Timestamp::from_millis(5),
            Action::SessionStarted,
            [9; 16],
        );
        let personal = Personal { identifier: Some("x".into()), ..Personal::default() };
        event.set_personal(personal);
        let sealed = event.digest();
        assert!(!event.is_blank());
        event.blank();
        assert!(event.is_blank());
        assert_eq!((event.digest(), event.salt), (sealed, [0; 16]));
        event.personal = Some(Personal { identifier: Some("y".into()), ..Personal::default() });
        assert!(!event.is_personal_intact());
    }
}
