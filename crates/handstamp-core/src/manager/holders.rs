//! What holders and services do with a token in their hands, outside any request of a browser.

use std::sync::Arc;

use super::{Begun, SessionManager};
use crate::engine::Judged;
use crate::error::SessionError;
use crate::id::{SessionId, Subject};
use crate::policy::{Standing, first_to_expire};
use crate::random::random;
use crate::record::{Client, EndReason, Ended};
use crate::session::{CookieValue, Session};
use crate::sign_in::SignIn;
use crate::time::Timestamp;
use crate::token::TokenText;
use crate::{cache::Cached, encoding};

/// What is the matter with a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Why {
    /// Whether its tokens are good.
    pub is_active: bool,
    /// Whether it is set aside.
    pub is_suspended: bool,
    /// Its end, if it is over.
    pub ended: Option<Ended>,
    /// Which limit it meets first, [`EndReason::Idle`] or [`EndReason::Absolute`], if it is not
    /// over.
    pub first_to_expire: Option<EndReason>,
    /// When it meets that limit.
    pub at: Option<Timestamp>,
}

impl SessionManager {
    /// Ends the session of a refresh token or of a cookie's value. A proof that is good is authority
    /// enough, however old the token is. `false` if the session had ended already.
    ///
    /// # Errors
    /// [`SessionError::Invalid`] for what is no good token, [`SessionError::NotFound`] when its
    /// record has been purged; [`SessionError::Unavailable`] or [`SessionError::Unknown`] when the
    /// store is out of reach.
    pub async fn end_by_token(&self, token: &str, reason: EndReason) -> Result<bool, SessionError> {
        let (session, _) = self.engine.proven(token).await?;
        let by = session.record.subject.as_ref().map(|subject| subject.as_str().into());
        self.engine.end(session.record.id, reason, by).await
    }

    /// Why a token is refused, or how long its session has left. Asking is no activity.
    ///
    /// # Errors
    /// [`SessionError::Invalid`] for what is no good token: whoever cannot prove to have held the
    /// session hears nothing of it; [`SessionError::NotFound`] when its record has been purged;
    /// [`SessionError::Unavailable`].
    pub async fn why(&self, token: &str) -> Result<Why, SessionError> {
        let (session, _) = self.engine.proven(token).await?;
        Ok(self.why_session(&session))
    }

    /// Why a session ended, or how long it has left; `None` if nothing is stored under `id`.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the store is out of reach, [`SessionError::Corrupt`] when
    /// the record cannot be read.
    pub async fn why_of(&self, id: SessionId) -> Result<Option<Why>, SessionError> {
        let session = self.engine.fetch(id).await?;
        Ok(session.map(|session| self.why_session(&session)))
    }

    fn why_session(&self, session: &Cached) -> Why {
        let standing = self.engine.standing(session);
        let ended = match &standing {
            Standing::Over { ended, .. } => Some(ended.clone()),
            Standing::Live | Standing::Suspended => None,
        };
        let seen = session.activity.last_seen().at;
        let next = ended.is_none().then(|| first_to_expire(&session.record, seen));
        Why {
            is_active: standing == Standing::Live,
            is_suspended: standing == Standing::Suspended,
            ended,
            first_to_expire: next.map(|(_, which)| which),
            at: next.map(|(at, _)| at),
        }
    }

    /// The live session of a current refresh token or cookie's value, to be looked at. Nothing is
    /// exchanged, nothing rotated, and it is no activity.
    ///
    /// # Errors
    /// [`SessionError::Invalid`] for what is no good token, or a superseded one;
    /// [`SessionError::NotFound`], [`SessionError::Ended`], [`SessionError::Expired`],
    /// [`SessionError::Suspended`]; [`SessionError::Unavailable`].
    pub async fn peek(&self, token: &str) -> Result<Session, SessionError> {
        let cached = self.engine.peek(token).await?;
        Ok(Session::of_access(Arc::clone(&self.engine), cached, Client::default()))
    }

    /// The live session of a cookie, for somebody who cannot hand its holder another: a proxy that
    /// asks whether to let a request pass. Judged as [`resolve`](Session::resolve) does, but that
    /// nothing is rotated and nothing is to be sent. It is no activity; the caller may note some.
    ///
    /// # Errors
    /// [`SessionError::Invalid`] for what is no good cookie, or for two of them;
    /// [`SessionError::NotFound`] for none, or for one of no session; [`SessionError::Ended`],
    /// [`SessionError::Expired`], [`SessionError::Suspended`]; [`SessionError::Unavailable`].
    pub async fn look(&self, cookie: CookieValue<'_>) -> Result<Session, SessionError> {
        let text = match cookie {
            CookieValue::None => return Err(SessionError::NotFound),
            CookieValue::Several => return Err(SessionError::Invalid),
            CookieValue::One(value) => TokenText::read(value).ok_or(SessionError::Invalid)?,
        };
        self.engine.ensure_maintenance();
        match self.engine.look(&text).await? {
            Judged::Good { session, .. } => {
                Ok(Session::of_access(Arc::clone(&self.engine), session, Client::default()))
            }
            Judged::Refused { why, .. } => Err(why.into()),
        }
    }

    /// Notes that somebody checked a fresh factor of the session's user, by these methods
    /// (RFC 8176): both lifetimes start anew and the token is replaced. Answers the new one, to be
    /// handed to the holder; the old one and its access tokens are dead at once.
    ///
    /// A session that was set aside until this, by the policy on reused tokens or by
    /// [`suspend_until_step_up`](Self::suspend_until_step_up), is taken back in the same step.
    ///
    /// # Errors
    /// [`SessionError::Refused`] for more or longer methods than [`SignIn::amr`](crate::SignIn::amr)
    /// takes, with those before; [`SessionError::Unauthenticated`] for a session of no user;
    /// [`SessionError::NotFound`], [`SessionError::Ended`], [`SessionError::Expired`],
    /// [`SessionError::Suspended`]; [`SessionError::Unavailable`] or [`SessionError::Unknown`].
    ///
    /// # Security
    /// ASVS 7.2.4: no token known before the check is good after it.
    pub async fn step_up(&self, id: SessionId, amr: &[&str]) -> Result<Begun, SessionError> {
        let amr = amr.iter().map(|method| Arc::from(*method)).collect();
        let delta = crate::delta::Delta::new();
        Begun::of(&*self.engine.step_up(id, amr, delta).await?)
    }

    /// A session that has begun, with its first token again: for a caller whose answer was lost.
    /// `None` once another token has taken its place, or the session is over.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the store is out of reach.
    pub async fn begun(&self, id: SessionId) -> Result<Option<Begun>, SessionError> {
        let session = self.engine.first_token_of(id).await?;
        session.as_deref().map(Begun::of).transpose()
    }

    /// Names a device, or takes its name away. Retrying is harmless.
    ///
    /// # Errors
    /// [`SessionError::NotFound`], [`SessionError::Ended`], [`SessionError::Expired`],
    /// [`SessionError::Suspended`]; [`SessionError::Unavailable`].
    pub async fn label(&self, id: SessionId, label: Option<&str>) -> Result<(), SessionError> {
        self.engine.label(id, label.map(Arc::from)).await
    }

    /// The sign-in of a guest who has no name: one is drawn for them, `guest:` and 22 characters.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when no random bytes can be had.
    pub fn guest(&self) -> Result<SignIn, SessionError> {
        let name: [u8; 16] = random(&*self.engine.rng)?;
        let subject = Subject::new(format!("guest:{}", encoding::encode(&name)));
        let subject = subject.map_err(|error| SessionError::Refused(error.to_string()))?;
        Ok(SignIn::of(subject).guest())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SessionConfig;
    use crate::key::KeyRing;
    use crate::record::Transport;
    use crate::store::MemoryStore;
    use crate::time::ManualClock;
    use std::time::Duration;

    fn sessions() -> (SessionManager, Arc<ManualClock>) {
        let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
        let keys = KeyRing::generate().unwrap();
        let sessions = SessionManager::builder(MemoryStore::new(), SessionConfig::default(), keys)
            .clock(Arc::clone(&clock))
            .maintenance(false)
            .build();
        (sessions, clock)
    }

    async fn begin(sessions: &SessionManager, transport: Transport) -> Begun {
        sessions.begin(SignIn::new("ada").unwrap().transport(transport)).await.unwrap()
    }

    #[tokio::test]
    async fn an_old_token_is_authority_enough_to_end_its_session_and_to_hear_why() {
        let (sessions, clock) = sessions();
        let begun = begin(&sessions, Transport::Token).await;
        let old = begun.token.to_text();
        assert_eq!(sessions.why(&old).await.unwrap().first_to_expire, Some(EndReason::Idle));
        sessions.refresh(&old, None).await.unwrap();
        clock.advance(Duration::from_secs(60));
        assert!(sessions.end_by_token(&old, EndReason::Logout).await.unwrap());
        assert!(!sessions.end_by_token(&old, EndReason::Logout).await.unwrap());
        let why = sessions.why(&old).await.unwrap();
        assert_eq!(why.ended.unwrap().reason, EndReason::Logout);
        let forged = sessions.end_by_token("hsr_x", EndReason::Logout).await;
        assert!(matches!(forged, Err(SessionError::Invalid)));
    }

    #[tokio::test]
    async fn a_look_exchanges_nothing_and_sees_only_what_is_current() {
        let (sessions, _) = sessions();
        let begun = begin(&sessions, Transport::Token).await;
        let first = begun.token.to_text();
        assert_eq!(sessions.peek(&first).await.unwrap().id(), Some(begun.record.id));
        let second = sessions.refresh(&first, None).await.unwrap();
        assert!(matches!(sessions.peek(&first).await, Err(SessionError::Invalid)));
        assert!(sessions.peek(&second.token.to_text()).await.is_ok());
    }

    #[tokio::test]
    async fn a_session_is_answered_again_until_its_token_is_exchanged() {
        let (sessions, _) = sessions();
        let begun = begin(&sessions, Transport::Token).await;
        let again = sessions.begun(begun.record.id).await.unwrap().unwrap();
        assert_eq!(*again.token.to_text(), *begun.token.to_text());
        sessions.refresh(&begun.token.to_text(), None).await.unwrap();
        assert!(sessions.begun(begun.record.id).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn s05_a_step_up_by_a_service_kills_the_old_token_at_once() {
        let (sessions, _) = sessions();
        let begun = begin(&sessions, Transport::Token).await;
        let stepped = sessions.step_up(begun.record.id, &["otp"]).await.unwrap();
        assert!(sessions.refresh(&begun.token.to_text(), None).await.is_err());
        assert!(sessions.refresh(&stepped.token.to_text(), None).await.is_ok());
    }
}
