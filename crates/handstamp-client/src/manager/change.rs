//! Reading what is kept, and changing it: the one place where memory and storage meet.

use std::path::PathBuf;
use std::sync::Arc;

use handstamp_protocol::sessions::Reason;

use super::{Held, Inner, Phase};
use crate::error::AuthError;
use crate::session::Session;
use crate::state::AuthEvent;
use crate::storage::{Loaded, Replaced, Revocation, Storage, StorageError, Stored};

/// How often a change is tried that others get in the way of.
const TRIES: usize = 32;

/// Whether a change is kept at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Save {
    /// Whatever the configuration says.
    Always,
    /// As the configuration says.
    Configured,
    /// As the configuration says; where it cannot be kept nothing has changed.
    OrNothing,
    /// Along with the next change: it could be lost, and would not be missed.
    Never,
}

/// What a look at what is kept shows.
enum Seen {
    /// What was seen or written last.
    Same(Loaded),
    /// What somebody else has written.
    Other(Loaded),
    /// What is in memory was damaged, and lies here. Nothing is in its place.
    Lost(PathBuf),
}

/// What a change works on.
pub(crate) struct Draft {
    pub(crate) session: Option<Session>,
    pub(crate) outbox: Vec<Revocation>,
    /// The session ended by the server's word, for this reason.
    pub(crate) ended: Option<Option<Reason>>,
    /// Nothing has changed but when the session was last used: nobody who watches is told.
    pub(crate) is_use: bool,
}

impl Draft {
    /// The session, if it is of the same sign-in as this one.
    pub(super) fn of(&mut self, one: &Session) -> Result<&mut Session, AuthError> {
        match &mut self.session {
            Some(session) if session.lineage == one.lineage => Ok(session),
            Some(_) => Err(AuthError::Replaced),
            None => Err(AuthError::NotAuthenticated),
        }
    }
}

impl Inner {
    /// Calls the storage, on a thread that may block if it needs one.
    pub(crate) async fn on_storage<R: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Storage) -> Result<R, StorageError> + Send + 'static,
    ) -> Result<R, StorageError> {
        if !self.storage.is_blocking() {
            return call(&*self.storage);
        }
        let storage = Arc::clone(&self.storage);
        let called = tokio::task::spawn_blocking(move || call(&*storage)).await;
        called.unwrap_or_else(|gone| Err(StorageError::Io(std::io::Error::other(gone))))
    }

    /// Reads what is kept, unless that was done.
    pub(crate) async fn restore(&self) -> Result<(), AuthError> {
        if self.is_settled() {
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        self.restore_in_turn().await
    }

    fn is_settled(&self) -> bool {
        self.held().phase.is_settled()
    }

    async fn restore_in_turn(&self) -> Result<(), AuthError> {
        if self.is_settled() {
            return Ok(());
        }
        let loaded = match self.on_storage(|storage| storage.load()).await {
            // Whoever was told of the damage may have made nothing of it: it is told again.
            Ok(Loaded { version: None, set_aside: Some(set_aside), .. }) if self.is_damaged() => {
                return Err(StorageError::Damaged { set_aside }.into());
            }
            Ok(loaded) => loaded,
            Err(error) => return Err(self.not_restored(error)),
        };
        self.hold_loaded(loaded);
        self.held_mut().phase = Phase::Settled;
        self.publish();
        self.tell(AuthEvent::Restored);
        Ok(())
    }

    fn not_restored(&self, error: StorageError) -> AuthError {
        if let StorageError::Damaged { set_aside } = &error {
            self.held_mut().phase = Phase::Damaged(set_aside.clone());
            self.tell(AuthEvent::SetAside { path: set_aside.clone() });
        } else {
            self.held_mut().phase = Phase::Locked;
        }
        self.publish();
        error.into()
    }

    fn is_damaged(&self) -> bool {
        matches!(self.held().phase, Phase::Damaged(_))
    }

    /// Looks at what is kept now, and takes it over if another process has written.
    pub(crate) async fn adopt_what_is_kept(&self) -> Result<(), StorageError> {
        let _turn = self.turn.lock().await;
        let loaded = self.on_storage(|storage| storage.load()).await;
        match self.seen(loaded)? {
            Seen::Same(_) => Ok(()),
            Seen::Other(loaded) => {
                self.adopt(loaded);
                Ok(())
            }
            Seen::Lost(path) => {
                self.lose(path);
                self.keep_again().await
            }
        }
    }

    /// What a look at what is kept has shown. A file that is damaged, here or by what another
    /// process has found, takes nothing from memory.
    fn seen(&self, loaded: Result<Loaded, StorageError>) -> Result<Seen, StorageError> {
        let held = self.held();
        let has_something = held.session.is_some() || !held.outbox.is_empty();
        match loaded {
            Err(StorageError::Damaged { set_aside }) if has_something => Ok(Seen::Lost(set_aside)),
            Err(error) => Err(error),
            Ok(Loaded { version: None, set_aside: Some(path), .. })
                if has_something && (held.version.is_some() || held.is_lost) =>
            {
                Ok(Seen::Lost(path))
            }
            Ok(loaded) if loaded.version == held.version => Ok(Seen::Same(loaded)),
            Ok(loaded) => Ok(Seen::Other(loaded)),
        }
    }

    /// What is in memory is kept nowhere any more.
    fn lose(&self, path: PathBuf) {
        let mut held = self.held_mut();
        let was_known = std::mem::replace(&mut held.is_lost, true);
        held.version = None;
        held.is_dirty = true;
        drop(held);
        if !was_known {
            self.tell(AuthEvent::SetAside { path });
        }
    }

    /// Keeps what is in memory in the place of what was lost.
    async fn keep_again(&self) -> Result<(), StorageError> {
        let before = self.held().clone();
        let draft = draft_of(&before);
        match self.keep(&before, &draft).await {
            Ok(Replaced::Stored(version)) => {
                let mut held = self.held_mut();
                held.version = version;
                (held.is_dirty, held.is_lost) = (false, false);
            }
            // Another process had it in memory too, or somebody has signed in.
            Ok(Replaced::Conflict(loaded)) => self.adopt(*loaded),
            Err(error) => {
                self.tell(AuthEvent::NotKept);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Takes what is kept in the place of what is in memory, whatever is newer.
    pub(super) async fn take_what_is_kept(&self) -> Result<(), StorageError> {
        let _turn = self.turn.lock().await;
        let loaded = self.on_storage(|storage| storage.load()).await;
        match self.seen(loaded)? {
            Seen::Lost(set_aside) => {
                self.lose(set_aside.clone());
                Err(StorageError::Damaged { set_aside })
            }
            Seen::Same(loaded) | Seen::Other(loaded) => {
                self.hold_loaded(loaded);
                Ok(())
            }
        }
    }

    /// Another process has written: what is kept counts, unless what is in memory is newer. That it
    /// is where it was not kept yet, and where somebody who was stopped has written late, which
    /// only locks could keep him from.
    fn adopt(&self, mut loaded: Loaded) {
        if let Some(path) = loaded.set_aside.take() {
            self.tell(AuthEvent::SetAside { path });
        }
        if is_newer(&self.held(), &loaded.stored) {
            let mut held = self.held_mut();
            held.version = loaded.version;
            (held.is_dirty, held.is_lost) = (true, false);
            return;
        }
        let (was, is) = (self.session(), loaded.stored.session.as_ref());
        let event = match (&was, is) {
            (Some(was), Some(is)) if was.lineage == is.lineage => {
                was.is_older_than(is).then_some(AuthEvent::Adopted)
            }
            (_, Some(_)) => Some(AuthEvent::Adopted),
            (Some(_), None) => Some(AuthEvent::SignedOut),
            (None, None) => None,
        };
        self.hold_loaded(loaded);
        if let Some(event) = event {
            self.tell(event);
        }
    }

    fn hold_loaded(&self, loaded: Loaded) {
        if let Some(path) = loaded.set_aside {
            self.tell(AuthEvent::SetAside { path });
        }
        let Stored { mut session, outbox } = loaded.stored;
        let mut held = self.held_mut();
        if let (Some(was), Some(is)) = (&held.session, &mut session)
            && was.lineage == is.lineage
        {
            // Uses are written down now and then only.
            is.metadata.last_api_call_at =
                is.metadata.last_api_call_at.max(was.metadata.last_api_call_at);
        }
        held.is_doubted = match held.phase.is_settled() {
            // What others write while we run has a time that can be believed.
            true => held.is_doubted && is_same_tokens(held.session.as_deref(), session.as_ref()),
            false => session.as_ref().is_some_and(|it| it.is_from_later_than(self.clock.now())),
        };
        if session.is_some() {
            held.phase = Phase::Settled;
        }
        held.session = session.map(Arc::new);
        held.outbox = outbox;
        held.version = loaded.version;
        (held.is_dirty, held.is_lost) = (false, false);
        self.show_quickly(&held);
        drop(held);
        self.publish();
    }

    /// Changes what is in memory, and what is kept with it. `act` may run several times: again on
    /// what another process has written in between.
    ///
    /// Where it cannot be kept the change stands in memory, and the error says so; but for
    /// [`Save::OrNothing`].
    pub(crate) async fn change<R>(
        &self,
        save: Save,
        act: impl FnMut(&mut Draft) -> R,
    ) -> Result<R, AuthError> {
        let _turn = self.turn.lock().await;
        self.restore_in_turn().await?;
        self.change_in_turn(save, act).await
    }

    /// The same for a sign-in, which may take the place of what was damaged.
    pub(super) async fn change_anew<R>(
        &self,
        save: Save,
        act: impl FnMut(&mut Draft) -> R,
    ) -> Result<R, AuthError> {
        let _turn = self.turn.lock().await;
        match self.restore_in_turn().await {
            Err(_) if self.is_damaged() => {}
            restored => restored?,
        }
        self.change_in_turn(save, act).await
    }

    async fn change_in_turn<R>(
        &self,
        save: Save,
        mut act: impl FnMut(&mut Draft) -> R,
    ) -> Result<R, AuthError> {
        let is_kept = match save {
            Save::Always => true,
            Save::Configured | Save::OrNothing => self.config.auto_save,
            Save::Never => false,
        };
        for _ in 0..TRIES {
            let before = self.held().clone();
            let mut draft = draft_of(&before);
            let answer = act(&mut draft);
            if !is_kept {
                let is_dirty = before.is_dirty || save != Save::Never;
                self.hold(before, draft, is_dirty);
                return Ok(answer);
            }
            let loaded = match self.keep(&before, &draft).await {
                Ok(Replaced::Stored(version)) => {
                    self.hold(Held { version, ..before }, draft, false);
                    return Ok(answer);
                }
                Ok(Replaced::Conflict(loaded)) => Ok(*loaded),
                Err(error) => Err(error),
            };
            match self.seen(loaded) {
                Ok(Seen::Same(_)) => {}
                Ok(Seen::Other(loaded)) => self.adopt(loaded),
                Ok(Seen::Lost(path)) => self.lose(path),
                Err(error) if save == Save::OrNothing => return Err(error.into()),
                Err(error) => {
                    self.hold(before, draft, true);
                    self.tell(AuthEvent::NotKept);
                    return Err(error.into());
                }
            }
        }
        Err(StorageError::Busy.into())
    }

    async fn keep(&self, before: &Held, draft: &Draft) -> Result<Replaced, StorageError> {
        let expected = before.version.clone();
        let stored = Stored { session: draft.session.clone(), outbox: draft.outbox.clone() };
        self.on_storage(move |storage| storage.replace(expected.as_ref(), &stored)).await
    }

    fn hold(&self, before: Held, draft: Draft, is_dirty: bool) {
        let phase = match draft.ended {
            Some(reason) => Phase::Expired(reason),
            None if draft.session.is_some() || before.session.is_some() => Phase::Settled,
            None => before.phase,
        };
        let is_use = draft.is_use;
        let mut held = self.held_mut();
        // Whether the server can be reached was perhaps found out in between.
        let is_offline = held.is_offline && draft.session.is_some();
        let is_same = is_same_tokens(held.session.as_deref(), draft.session.as_ref());
        let is_doubted = held.is_doubted && is_same;
        *held = Held {
            session: draft.session.map(Arc::new),
            outbox: draft.outbox,
            version: before.version,
            is_dirty,
            is_lost: before.is_lost && is_dirty,
            is_doubted,
            is_offline,
            phase,
        };
        self.show_quickly(&held);
        drop(held);
        if is_use { self.show() } else { self.publish() }
    }
}

fn is_same_tokens(one: Option<&Session>, other: Option<&Session>) -> bool {
    let of = |session: &Session| (session.lineage.clone(), session.generation);
    one.map(of) == other.map(of)
}

/// Whether what is in memory is a later state of the same sign-in than what is kept.
fn is_newer(held: &Held, stored: &Stored) -> bool {
    let (Some(ours), Some(theirs)) = (&held.session, &stored.session) else { return false };
    let is_ahead = ours.generation > theirs.generation;
    let is_as_far = held.is_dirty && ours.generation == theirs.generation;
    ours.lineage == theirs.lineage && (is_ahead || is_as_far)
}

fn draft_of(held: &Held) -> Draft {
    let session = held.session.as_deref().cloned();
    Draft { session, outbox: held.outbox.clone(), ended: None, is_use: false }
}
