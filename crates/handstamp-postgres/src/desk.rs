//! Where batches are written: one after another, for each is sealed to the one before it.

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
use crate::link::{Link, Transaction, With};
use crate::rows::Texts;
use crate::seat::{MOST_TRIES, Seat, Tip};
use crate::wake::Bell;
use crate::write::{Told, Written, write};

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
}

/// Who writes, and where that stands; unknown after whatever went wrong.
#[derive(Debug)]
struct State {
    seat: Seat,
    tip: Option<Tip>,
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
        Self { link, state: Mutex::new(State { seat, tip: None }), keep_changes, bell }
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
        for _ in 1..MOST_TRIES {
            match self.try_commit(&mut state, &mut commit).await {
                Err(fault) if fault.is_local() => {
                    if !self.set_apart(&mut state, &mut commit).await? {
                        return Err(fault.into());
                    }
                }
                Err(fault) if fault.is_race() || is_cut_off(&fault) => {}
                other => return Ok(other?),
            }
        }
        Ok(self.try_commit(&mut state, &mut commit).await?)
    }

    async fn try_commit(
        &self,
        state: &mut State,
        commit: &mut Commit,
    ) -> Result<Vec<Outcome>, Fault> {
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
        Ok(decided.outcomes)
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

    /// Writes `sheet` and commits. An answer that is lost is looked for.
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
        let cut = changes::cut_after(after.change, self.keep_changes);
        if let (Some(through), true) = (cut, after.change > tip.change) {
            let cut = sqlx::query(CUT).bind(i64::from(seat.writer)).bind(through);
            transaction.run(cut).await?;
        }
        if let Err(fault) = transaction.commit().await {
            match self.look_for(seat, after).await {
                Some(true) => {}
                Some(false) => return Err(Fault::Raced),
                None => return Err(Fault::Lost(Box::new(fault))),
            }
        }
        state.tip = Some(after);
        self.ring(told, &written);
        Ok(())
    }

    fn ring(&self, told: Told, written: &Written<'_>) {
        if told.has_others && written.changes.is_some() {
            self.bell.ring();
        }
    }

    /// Whether the commit after which its writer stands at `after` was done; `None` when nobody
    /// can tell any more, or not in time.
    async fn look_for(&self, seat: Seat, after: Tip) -> Option<bool> {
        let until = Instant::now() + self.link.patience().saturating_mul(2);
        loop {
            match self.look(seat).await {
                Ok(tip) => return tip.map(|tip| tip.commits >= after.commits),
                Err(fault) if Instant::now() >= until => {
                    tracing::warn!(%fault, "what became of a commit cannot be found out");
                    return None;
                }
                Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// Where the holder of `seat` stands; waits for a commit that is still under way.
    async fn look(&self, seat: Seat) -> Result<Option<Tip>, Fault> {
        let mut transaction = self.link.begin(With::Anybody).await?;
        let tip = seat.tip(&mut transaction).await?;
        transaction.give_up().await?;
        Ok(tip)
    }

    /// Where this process stands. One that has lost its seat takes another.
    async fn tip(&self, state: &mut State) -> Result<Tip, Fault> {
        if let Some(tip) = state.tip {
            return Ok(tip);
        }
        loop {
            if let Some(tip) = self.look(state.seat).await? {
                state.tip = Some(tip);
                return Ok(tip);
            }
            let seat = Seat::take(&self.link).await?;
            let (was, is) = (state.seat.writer, seat.writer);
            tracing::warn!(was, is, "this process was thought dead, and writes another chain now");
            state.seat = seat;
        }
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
