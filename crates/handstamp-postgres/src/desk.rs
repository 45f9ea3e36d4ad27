//! Where batches are written: one after another, for each is sealed to the one before it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use handstamp_core::chain::Sealer;
use handstamp_core::event::Event;
use handstamp_core::head::{Deployment, Head};
use handstamp_core::record::Record;
use handstamp_core::store::{Batch, Outcome, StoreError};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::changes;
use crate::commit::{Commit, Decided};
use crate::events::Line;
use crate::fault::Fault;
use crate::link::{Link, Own, Transaction, With};
use crate::memory::{Memory, Seen};
use crate::rows::Texts;
use crate::seat::{MOST_TRIES, Seat, Tip};
use crate::wake::Bell;
use crate::write::{Written, write, write_alone};

/// How long to wait before the next look at what became of a commit.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

const CUT: &str = "DELETE FROM handstamp.changes WHERE writer = $1 AND number <= $2";

/// The seat of this process, and what it writes there.
#[derive(Debug)]
pub(crate) struct Desk {
    link: Link,
    state: Mutex<State>,
    keep_changes: i64,
    bell: Bell,
    losses: AtomicU64,
}

/// Who writes, and where that stands; unknown after whatever went wrong.
#[derive(Debug)]
struct State {
    seat: Seat,
    tip: Option<Tip>,
    /// The last line of the change log that the server has told of.
    change: i64,
    memory: Memory,
    /// What batches go by that take one round trip.
    own: Own,
}

/// What is to be written, before it has numbers.
#[derive(Default)]
pub(crate) struct Sheet<'a> {
    pub(crate) deployment: Deployment,
    pub(crate) heads: Vec<(&'a Head, i64)>,
    pub(crate) records: Vec<(&'a Record, &'a Texts)>,
    pub(crate) lines: Vec<&'a Line>,
    pub(crate) changes: Option<String>,
}

impl<'a> Sheet<'a> {
    /// Numbers and seals it after `tip`; answers where that stands then.
    fn seal(self, seat: Seat, tip: Tip, sealer: &Sealer) -> Result<(Written<'a>, Tip), Fault> {
        let Self { deployment, heads, records, lines, changes } = self;
        let mut after = tip;
        after.commits += 1;
        after.change += i64::from(changes.is_some());
        let mut written = Written { deployment, heads, records, changes, ..Written::default() };
        for line in lines {
            after.event += 1;
            after.until = after.until.max(line.event.at.as_millis());
            let (writer, number) = (seat.writer, after.event.unsigned_abs());
            written.lines.push((Event { writer, number, ..line.event.clone() }, line));
        }
        if !written.lines.is_empty() {
            let (key, link) = sealer.seal(&tip.link, written.lines.iter().map(|(event, _)| event));
            (after.batch, after.link) = (tip.batch + 1, link);
            written.seal = Some((key, tip.event + 1));
        }
        Ok((written, after))
    }
}

impl Desk {
    /// A desk at `seat`.
    pub(crate) fn new(link: Link, seat: Seat, keep_changes: i64, bell: Bell) -> Self {
        Self {
            link,
            state: Mutex::new(State {
                seat,
                tip: None,
                change: 0,
                memory: Memory::default(),
                own: Own::default(),
            }),
            keep_changes,
            bell,
            losses: AtomicU64::new(0),
        }
    }

    /// How often the server was found not to know what was written here, or by whom.
    pub(crate) fn losses(&self) -> u64 {
        self.losses.load(Ordering::Acquire)
    }

    /// Whose seat it is by now.
    pub(crate) async fn seat(&self) -> Seat {
        self.state.lock().await.seat
    }

    /// Applies the groups of `batch`. What others were faster at is decided again; what cannot be
    /// stored is found out and set apart.
    pub(crate) async fn commit(&self, batch: Batch) -> Result<Vec<Outcome>, StoreError> {
        let mut commit = Commit::of(batch);
        let mut state = self.state.lock().await;
        for turn in 1..MOST_TRIES {
            match self.try_commit(&mut state, &mut commit, turn == 1).await {
                Err(fault) if fault.is_local() => {
                    match self.set_apart(&mut state, &mut commit).await {
                        Ok(true) => {}
                        Ok(false) => return Err(fault.into()),
                        Err(fault) if fault.is_race() || is_cut_off(&fault) => {}
                        Err(fault) => return Err(fault.into()),
                    }
                }
                Err(fault) if fault.is_race() || is_cut_off(&fault) => {}
                other => return Ok(other?),
            }
        }
        Ok(self.try_commit(&mut state, &mut commit, false).await?)
    }

    /// At once the first time only: what was lost on its way may wait at the server for the same
    /// locks, which nothing but a transaction has a limit for as a whole.
    async fn try_commit(
        &self,
        state: &mut State,
        commit: &mut Commit,
        is_first: bool,
    ) -> Result<Vec<Outcome>, Fault> {
        if is_first && let Some(outcomes) = self.try_at_once(state, commit).await? {
            return Ok(outcomes);
        }
        let tip = self.tip(state).await?;
        state.tip = None;
        let mut transaction = self.link.begin(commit.with()).await?;
        let decided = commit.decide(&mut transaction).await?;
        if decided.is_empty() {
            transaction.give_up().await?;
            state.tip = Some(tip);
            return Ok(decided.outcomes);
        }
        let sheet = decided.sheet(commit, None);
        self.finish(state, transaction, tip, sheet, &commit.sealer).await?;
        state.memory.learn(decided.known);
        Ok(decided.outcomes)
    }

    /// Writes the batch in one round trip, if it meets what this process foresees and all of it is
    /// applied; `None` if not, and nothing is written.
    async fn try_at_once(
        &self,
        state: &mut State,
        commit: &Commit,
    ) -> Result<Option<Vec<Outcome>>, Fault> {
        if !self.link.is_prepared() || commit.with() == With::Nobody {
            return Ok(None);
        }
        let tip = self.tip(state).await?;
        let known = commit.foresee(&self.link, &state.memory).await?;
        let Some(seen) = Seen::of(&known) else { return Ok(None) };
        let decided = commit.decide_on(known);
        if !decided.is_whole() || decided.is_empty() {
            return Ok(None);
        }
        state.tip = None;
        let sheet = decided.sheet(commit, None);
        let (written, after) = sheet.seal(state.seat, tip, &commit.sealer)?;
        let way = (&self.link, &mut state.own);
        let has_others = match write_alone(way, state.seat, after, &seen, &written).await {
            Ok(told) => told.has_others,
            Err(fault) if fault.is_race() => {
                state.memory.forget(commit.subjects(), commit.changed());
                state.tip = Some(tip);
                return Ok(None);
            }
            Err(fault) if fault.is_refusal() => return Err(fault),
            Err(fault) => {
                self.find_out(state.seat, tip, after, fault).await?;
                true
            }
        };
        self.done(state, tip, after, has_others, &written).await;
        state.memory.learn(decided.known);
        Ok(Some(decided.outcomes))
    }

    /// Adds `lines` to the log, sealed.
    pub(crate) async fn append(&self, lines: Vec<Line>, sealer: &Sealer) -> Result<(), StoreError> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut state = self.state.lock().await;
        for _ in 1..MOST_TRIES {
            match self.try_append(&mut state, &lines, sealer).await {
                Err(fault) if fault.is_race() || is_cut_off(&fault) => {}
                other => return Ok(other?),
            }
        }
        Ok(self.try_append(&mut state, &lines, sealer).await?)
    }

    async fn try_append(
        &self,
        state: &mut State,
        lines: &[Line],
        sealer: &Sealer,
    ) -> Result<(), Fault> {
        let tip = self.tip(state).await?;
        state.tip = None;
        let transaction = self.link.begin(With::Anybody).await?;
        let sheet = Sheet { lines: lines.iter().collect(), ..Sheet::default() };
        self.finish(state, transaction, tip, sheet, sealer).await
    }

    /// Writes `sheet` and commits.
    async fn finish(
        &self,
        state: &mut State,
        mut transaction: Transaction,
        tip: Tip,
        sheet: Sheet<'_>,
        sealer: &Sealer,
    ) -> Result<(), Fault> {
        let seat = state.seat;
        let (written, after) = sheet.seal(seat, tip, sealer)?;
        let told = write(&mut transaction, seat, after, &written).await?;
        if let Err(fault) = transaction.commit().await {
            self.find_out(seat, tip, after, fault).await?;
        }
        self.done(state, tip, after, told.has_others, &written).await;
        Ok(())
    }

    /// The writer stands at `after` now. Rings for others, and shortens the change log when it is
    /// time to.
    async fn done(
        &self,
        state: &mut State,
        tip: Tip,
        after: Tip,
        has_others: bool,
        written: &Written<'_>,
    ) {
        (state.tip, state.change) = (Some(after), after.change);
        if has_others && written.changes.is_some() {
            self.bell.ring();
        }
        let through = changes::cut_after(after.change, self.keep_changes);
        if let (Some(through), true) = (through, after.change > tip.change) {
            let writer = i64::from(state.seat.writer);
            let cut = || sqlx::query(CUT).bind(writer).bind(through);
            if let Err(fault) = self.link.rows(cut).await {
                tracing::debug!(%fault, "the change log is longer than it need be, for now");
            }
        }
    }

    /// Finds out what became of a commit whose answer is lost in `fault`, and sees to it that it does
    /// not come about any more if it has not yet.
    ///
    /// # Errors
    /// [`Fault::Raced`] when nothing came of it, [`Fault::Lost`] when nobody can tell any more, or
    /// not in time.
    async fn find_out(&self, seat: Seat, tip: Tip, after: Tip, fault: Fault) -> Result<(), Fault> {
        let until = Instant::now() + self.link.patience().saturating_mul(2);
        let lost = loop {
            match seat.fence(&self.link, tip).await {
                Ok(Some(commits)) if commits == after.commits => return Ok(()),
                Ok(Some(_)) => return Err(Fault::Raced),
                Ok(None) => break fault,
                Err(fault) if Instant::now() >= until => break fault,
                Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
            }
        };
        tracing::warn!(fault = %lost, "what became of a commit cannot be found out");
        Err(Fault::Lost(Box::new(lost)))
    }

    /// Where this process stands. One that has lost its seat takes another.
    async fn tip(&self, state: &mut State) -> Result<Tip, Fault> {
        if let Some(tip) = state.tip {
            return Ok(tip);
        }
        loop {
            if let Some(tip) = state.seat.settle(&self.link).await? {
                if tip.change < std::mem::replace(&mut state.change, tip.change) {
                    self.has_lost(state);
                }
                state.tip = Some(tip);
                return Ok(tip);
            }
            if std::mem::take(&mut state.change) > 0 {
                self.has_lost(state);
            }
            let seat = Seat::take(&self.link).await?;
            let (was, is) = (state.seat.writer, seat.writer);
            tracing::warn!(was, is, "this process was thought dead, and writes another chain now");
            state.seat = seat;
        }
    }

    /// What this process knows may be of commits that never were.
    fn has_lost(&self, state: &mut State) {
        tracing::warn!("the server does not know what this process wrote: all is loaded anew");
        state.memory = Memory::default();
        self.losses.fetch_add(1, Ordering::AcqRel);
    }

    /// Tries each group of a batch alone, and takes it back; those that cannot be stored are known
    /// to be so from now on. Answers whether there are any.
    async fn set_apart(&self, state: &mut State, commit: &mut Commit) -> Result<bool, Fault> {
        let tip = self.tip(state).await?;
        let mut transaction = self.link.begin(commit.with()).await?;
        let decided = commit.decide(&mut transaction).await?;
        let mut bad = Vec::new();
        for place in decided.places() {
            if let Some(why) =
                self.trial(&mut transaction, state.seat, tip, commit, &decided, place).await?
            {
                bad.push((place, why));
            }
        }
        transaction.give_up().await?;
        let has_any = !bad.is_empty();
        for (place, why) in bad {
            if let Some(entry) = commit.entries.get_mut(place) {
                entry.texts = Err(why);
            }
        }
        Ok(has_any)
    }

    /// Why the group at `place` cannot be stored, if it cannot.
    async fn trial(
        &self,
        transaction: &mut Transaction,
        seat: Seat,
        tip: Tip,
        commit: &Commit,
        decided: &Decided,
        place: usize,
    ) -> Result<Option<String>, Fault> {
        let sheet = decided.sheet(commit, Some(place));
        let (written, after) = sheet.seal(seat, tip, &commit.sealer)?;
        transaction.say("SAVEPOINT one").await?;
        let done = write(transaction, seat, after, &written).await;
        transaction.say("ROLLBACK TO SAVEPOINT one").await?;
        match done {
            Ok(_) => Ok(None),
            Err(fault) if fault.is_local() => Ok(Some(fault.to_string())),
            Err(fault) => Err(fault),
        }
    }
}

/// Whether a connection broke before anything was asked to be kept; another one may do.
fn is_cut_off(fault: &Fault) -> bool {
    fault.is_broken() && !matches!(fault, Fault::Late)
}
