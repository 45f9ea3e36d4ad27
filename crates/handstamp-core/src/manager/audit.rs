//! The audit log: failed sign-ins go in, events come out, the chain is checked.

use std::sync::Arc;

use super::SessionManager;
use crate::chain::{BrokenAt, Link, Sealer, verify_chain};
use crate::commit::{Job, blank_event};
use crate::encoding;
use crate::error::SessionError;
use crate::event::{Action, Event, Personal};
use crate::id::Subject;
use crate::record::Client;
use crate::store::{EventFilter, EventPage, Page};
use crate::token::mac;

/// How many batches are checked at a time.
const STEP: usize = 500;

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

/// What came of checking the audit log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogCheck {
    /// How many events were read.
    pub checked: u64,
    /// The first place that does not follow from what stands before it.
    pub first_bad: Option<BrokenAt>,
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

    /// Checks every chain of the audit log from its start.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the store is out of reach.
    pub async fn verify_log(&self) -> Result<LogCheck, SessionError> {
        let mut check = LogCheck { checked: 0, first_bad: None };
        for writer in self.engine.store.writers().await? {
            self.verify_writer(writer, &mut check).await?;
        }
        Ok(check)
    }

    async fn verify_writer(&self, writer: u32, check: &mut LogCheck) -> Result<(), SessionError> {
        let sealer = Sealer::new(self.engine.keys.clone());
        let (mut number, mut link) = (0, Link::START);
        loop {
            let batches = self.engine.store.sealed(writer, number, STEP).await?;
            check.checked += batches.iter().map(|batch| batch.events.len() as u64).sum::<u64>();
            match verify_chain(&sealer, number, link, &batches) {
                Ok(last) => (number, link) = last,
                Err(broken) => {
                    check.first_bad.get_or_insert(broken);
                    return Ok(());
                }
            }
            if batches.len() < STEP {
                return Ok(());
            }
        }
    }
}
