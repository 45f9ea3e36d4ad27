//! The audit log: failed sign-ins and other events go in, and come out.

use std::sync::Arc;

use super::SessionManager;
use crate::commit::{Job, blank_event};
use crate::encoding;
use crate::error::SessionError;
use crate::event::{Action, Event, Personal};
use crate::id::Subject;
use crate::record::Client;
use crate::store::{EventFilter, EventPage, Page};
use crate::token::mac;

/// A sign-in that failed, as the application saw it.
#[derive(Clone, Debug, Default)]
pub struct SignInFailure<'a> {
    /// Whose sign-in, if what was typed names somebody.
    pub subject: Option<Subject>,
    /// What was typed as a name. Only a keyed hash of it is kept: people type passwords there.
    pub identifier: Option<&'a str>,
    /// Why, as a code of the application's: `wrong_password`, `unknown_user`.
    pub reason: &'a str,
    /// Where from.
    pub client: Client,
}

impl SessionManager {
    /// Notes a failed sign-in in the audit log.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the store is out of reach.
    pub async fn sign_in_failed(&self, failure: SignInFailure<'_>) -> Result<(), SessionError> {
        let engine = &self.engine;
        let mut event =
            blank_event(Action::SignInFailed, &failure.client, engine.now(), &*engine.rng)?;
        event.is_success = false;
        event.error = Some(failure.reason.into());
        event.subject = failure.subject;
        let identifier = failure.identifier.map(|typed| self.blind(typed));
        event.set_personal(Personal { client: failure.client, identifier });
        self.tell(vec![event]).await
    }

    /// An event of `action` at this moment, from `client` and about nobody yet: to be filled in and
    /// given to [`tell`](Self::tell).
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when no random bytes can be had.
    pub fn event(&self, action: Action, client: &Client) -> Result<Event, SessionError> {
        blank_event(action, client, self.engine.now(), &*self.engine.rng)
    }

    /// Writes events that change no session into the audit log, all or none; nothing at all is
    /// written for none.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] or [`SessionError::Unknown`] when the store is out of reach.
    pub async fn tell(&self, events: Vec<Event>) -> Result<(), SessionError> {
        if events.is_empty() {
            return Ok(());
        }
        let job = |reply| Job::Tell { events, reply };
        self.engine.committer.run(job).await.map(drop)
    }

    /// A keyed hash under which two equal names are equal, and that tells nobody the name: what the
    /// audit log keeps of a name that was typed. Case and space around it do not count.
    pub fn blind(&self, typed: &str) -> Arc<str> {
        let key = self.engine.keys.active();
        let mac = mac(key.identifier_key(), &[typed.trim().to_lowercase().as_bytes()]);
        format!("{}.{}", key.id(), encoding::encode(&mac[..16])).into()
    }

    /// Events by `filter`, newest first.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the store is out of reach, [`SessionError::Refused`] for
    /// a cursor that is none.
    pub async fn events(
        &self,
        filter: &EventFilter,
        page: &Page,
    ) -> Result<EventPage, SessionError> {
        Ok(self.engine.store.events(filter, page).await?)
    }
}
