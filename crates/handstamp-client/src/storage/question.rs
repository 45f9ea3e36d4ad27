//! One question to a keyring at a time. A keyring may ask its user in turn, who is not there: whoever
//! wants to know meanwhile waits for the same answer, and asks nothing himself.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::StorageError;
use super::key::SealingKey;

/// Why a keyring gave no key.
#[derive(Clone, Debug)]
pub(super) enum Refusal {
    /// It has none.
    NoEntry,
    /// What lies there is no key.
    NoKey,
    Locked,
    /// There is no keyring on this system.
    Absent,
    /// The program has set none.
    NoStore,
    Failed(Arc<dyn std::error::Error + Send + Sync>),
}

impl From<Refusal> for StorageError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoEntry | Refusal::Absent => Self::NoKey,
            Refusal::NoKey => Self::WrongKey,
            Refusal::Locked => Self::Locked,
            Refusal::NoStore => Self::NoStore,
            Refusal::Failed(error) => Self::Keyring(Box::new(error)),
        }
    }
}

/// What a question came to.
pub(super) type Answer = Result<SealingKey, Refusal>;

#[derive(Default)]
enum State {
    #[default]
    Unasked,
    /// It was asked then, and has not answered.
    Asked(Instant),
    Known(SealingKey),
    /// It said no then.
    Refused(Instant, Refusal),
}

/// The question that is under way, and what was answered.
#[derive(Default)]
pub(super) struct Questions {
    state: Mutex<State>,
    answered: Condvar,
}

impl Questions {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key that is known; or else asks for it, on a thread that may hang. Waits so long for an
    /// answer, counted from the moment of the question, and for so long a refusal counts: fifty
    /// tasks that want the key are one question to its user.
    pub(super) fn ask(
        self: &Arc<Self>,
        patience: Duration,
        question: impl FnOnce() -> Answer + Send + 'static,
    ) -> Result<SealingKey, StorageError> {
        let mut question = Some(question);
        let mut state = self.state();
        loop {
            let waits = match &*state {
                State::Known(key) => return Ok(key.clone()),
                State::Refused(at, refusal)
                    if question.is_none() || refusal.lasts() && at.elapsed() < patience =>
                {
                    return Err(refusal.clone().into());
                }
                State::Asked(at) => patience.saturating_sub(at.elapsed()),
                State::Unasked | State::Refused(..) => match question.take() {
                    Some(question) => {
                        self.begin(question)?;
                        *state = State::Asked(Instant::now());
                        patience
                    }
                    None => return Err(StorageError::Locked),
                },
            };
            if waits.is_zero() {
                return Err(StorageError::Locked);
            }
            let waited = self.answered.wait_timeout(state, waits);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Under the lock of the state, so that the answer comes after the question.
    fn begin(
        self: &Arc<Self>,
        question: impl FnOnce() -> Answer + Send + 'static,
    ) -> Result<(), StorageError> {
        let questions = Arc::clone(self);
        // Made in the thread: one that cannot be started has no answer to tell, and the state is held here.
        let asking = move || {
            let mut answering = Answering(questions, Err(Refusal::Locked));
            answering.1 = question();
        };
        thread::Builder::new().name("keyring".to_owned()).spawn(asking)?;
        Ok(())
    }
}

impl Refusal {
    /// Whether asking at once again would only trouble the user.
    const fn lasts(&self) -> bool {
        matches!(self, Self::Locked | Self::Failed(_))
    }
}

/// Tells the answer when the question is over, also if the keyring panics.
struct Answering(Arc<Questions>, Answer);

impl Drop for Answering {
    fn drop(&mut self) {
        let refused = |refusal: &Refusal| State::Refused(Instant::now(), refusal.clone());
        let state = self.1.as_ref().map_or_else(refused, |key| State::Known(key.clone()));
        *self.0.state() = state;
        self.0.answered.notify_all();
    }
}
