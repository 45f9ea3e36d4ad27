//! A store decorator that holds, fails and counts calls.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::call::{Call, Counters, Counts, Failure, When};
use super::held::{Barrier, Held};
use crate::store::{Batch, Outcome, SessionStore, StoreError};

/// Stands before any store and lets a test decide what becomes of each call.
///
/// Clones share the gate: one goes to the engine, one stays with the test.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use handstamp_core::store::{Filter, MemoryStore, Page, SessionStore};
/// use handstamp_core::testing::{Call, Failure, GateStore, When};
///
/// let gate = GateStore::new(MemoryStore::new());
/// let held = gate.hold(Call::Load, When::Before);
/// let asking = gate.clone();
/// let load = tokio::spawn(async move { asking.load(&[]).await });
/// held.arrived().await;
/// assert!(!load.is_finished());
/// held.release();
/// assert!(load.await.unwrap().is_ok());
///
/// gate.fail_next(Call::Scan, Failure::Unavailable);
/// assert!(gate.scan(&Filter::default(), &Page::default()).await.is_err());
/// assert_eq!((gate.counts().load, gate.counts().scan), (1, 1));
/// # });
/// ```
pub struct GateStore<S> {
    pub(super) inner: Arc<S>,
    control: Arc<Control>,
}

#[derive(Default)]
struct Control {
    counters: Counters,
    orders: Mutex<Orders>,
}

/// What the test has ordered.
#[derive(Default)]
struct Orders {
    holds: Vec<Hold>,
    failures: VecDeque<(Call, Failure)>,
    is_down: bool,
    /// Commits that nobody waits for any more and that the store has still to carry out.
    late: Vec<Batch>,
    /// The state of the generator of delays, once there is a schedule.
    schedule: Option<u64>,
}

struct Hold {
    call: Call,
    when: When,
    fits: Box<dyn Fn(&Batch) -> bool + Send>,
    barrier: Arc<Barrier>,
}

/// What will happen to one call.
struct Course {
    before: Option<Arc<Barrier>>,
    after: Option<Arc<Barrier>>,
    turns: (u32, u32),
}

impl<S> GateStore<S> {
    /// A gate before `inner` that lets everything through.
    pub fn new(inner: S) -> Self {
        Self { inner: Arc::new(inner), control: Arc::default() }
    }

    /// The store behind the gate, for a test to look past it.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Holds the next `call`, before or after the store does it, until the answer of this is
    /// released or dropped. Each hold is for one call; several holds hold several, in order.
    pub fn hold(&self, call: Call, when: When) -> Held {
        self.hold_that(call, when, |_| true)
    }

    /// Holds the next commit whose batch `fits`.
    pub fn hold_commit(&self, when: When, fits: impl Fn(&Batch) -> bool + Send + 'static) -> Held {
        self.hold_that(Call::Commit, when, fits)
    }

    fn hold_that(
        &self,
        call: Call,
        when: When,
        fits: impl Fn(&Batch) -> bool + Send + 'static,
    ) -> Held {
        let barrier = Arc::<Barrier>::default();
        let held = Held { barrier: Arc::clone(&barrier) };
        self.orders().holds.push(Hold { call, when, fits: Box::new(fits), barrier });
        held
    }

    /// Lets the next `call` fail; given several times, the next ones, in this order.
    pub fn fail_next(&self, call: Call, failure: Failure) {
        self.orders().failures.push_back((call, failure));
    }

    /// Takes the store down, so that every call is
    /// [`Unavailable`](crate::store::StoreError::Unavailable), or up again.
    pub fn set_down(&self, is_down: bool) {
        self.orders().is_down = is_down;
    }

    /// From now on every call lets other tasks run for a few turns of the scheduler, before and
    /// after the store does it, as drawn from `seed`: on a runtime of one thread, each seed gives
    /// one interleaving, again and again.
    pub fn schedule(&self, seed: u64) {
        self.orders().schedule = Some(seed);
    }

    /// How many calls have come to the gate, held and failed ones included.
    pub fn counts(&self) -> Counts {
        self.control.counters.read()
    }

    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.control.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps `batch` until it is delivered.
    pub(super) fn keep(&self, batch: Batch) {
        self.orders().late.push(batch);
    }

    /// Takes `call` through the gate. `batch` is what it commits.
    pub(super) async fn pass(&self, call: Call, batch: Option<&Batch>) -> Passage {
        self.control.counters.add(call);
        let course = self.orders().course(call, batch);
        take_turns(course.turns.0).await;
        if let Some(barrier) = &course.before {
            barrier.pass().await;
        }
        // Decided after the gate, so that a test can take the store down while a call is held.
        let failure = self.orders().failure(call);
        Passage { course, failure }
    }
}

impl<S: SessionStore> GateStore<S> {
    /// Has the store carry out the commits that were
    /// [late](Failure::RequestLate), in their order; answers what came of each group.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn deliver(&self) -> Result<Vec<Outcome>, StoreError> {
        let late = std::mem::take(&mut self.orders().late);
        let mut outcomes = Vec::new();
        for batch in late {
            outcomes.extend(self.inner.commit(batch).await?);
        }
        Ok(outcomes)
    }
}

/// A call that is past the gate, before the store.
pub(super) struct Passage {
    course: Course,
    failure: Option<Failure>,
}

impl Passage {
    /// Whether the store is to hear of it later.
    pub(super) fn is_late(&self) -> bool {
        self.failure == Some(Failure::RequestLate)
    }

    /// Lets the store do it, unless that is to fail, and takes the answer back through the gate.
    pub(super) async fn to<T>(
        self,
        ask: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let answer = match self.failure {
            None => ask.await,
            Some(Failure::Unavailable) => Err(StoreError::unavailable("so the test wants it")),
            Some(Failure::RequestLost | Failure::RequestLate) => {
                Err(StoreError::unknown("so the test wants it"))
            }
            Some(Failure::ReplyLost) => {
                ask.await.and(Err(StoreError::unknown("so the test wants it")))
            }
        };
        if let Some(barrier) = &self.course.after {
            barrier.pass().await;
        }
        take_turns(self.course.turns.1).await;
        answer
    }
}

async fn take_turns(turns: u32) {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}

impl Orders {
    fn course(&mut self, call: Call, batch: Option<&Batch>) -> Course {
        Course {
            before: self.take_hold(call, When::Before, batch),
            after: self.take_hold(call, When::After, batch),
            turns: (self.draw_turns(), self.draw_turns()),
        }
    }

    fn take_hold(&mut self, call: Call, when: When, batch: Option<&Batch>) -> Option<Arc<Barrier>> {
        let place = self.holds.iter().position(|hold| {
            let is_meant = hold.call == call && hold.when == when;
            is_meant && batch.is_none_or(|batch| (hold.fits)(batch))
        });
        place.map(|place| self.holds.remove(place).barrier)
    }

    fn failure(&mut self, call: Call) -> Option<Failure> {
        if self.is_down {
            return Some(Failure::Unavailable);
        }
        let place = self.failures.iter().position(|(failing, _)| *failing == call);
        place.and_then(|place| self.failures.remove(place)).map(|(_, failure)| failure)
    }

    /// Nought to seven turns, by SplitMix64.
    fn draw_turns(&mut self) -> u32 {
        let Some(state) = &mut self.schedule else { return 0 };
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed >> 61) as u32
    }
}

impl<S> Clone for GateStore<S> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), control: Arc::clone(&self.control) }
    }
}

impl<S> fmt::Debug for GateStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateStore").field("counts", &self.counts()).finish_non_exhaustive()
    }
}
