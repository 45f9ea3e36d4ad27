//! Reads the store's change log and says what of it verifiers must hear.

use std::collections::HashSet;
use std::time::Duration;

use handstamp_core::event::{Action, Event};
use handstamp_core::head::Head;
use handstamp_core::id::Subject;
use handstamp_core::record::Record;
use handstamp_core::store::{
    Change, Cursor, EventFilter, Found, LoadAnswer, Page, SessionStore, StoreError,
};
use handstamp_core::{SessionError, SessionId, SessionManager};
use tokio::time::{MissedTickBehavior, interval};

use super::Feed;
use super::known::{Least, Line};

/// How many commits, events or records are read at once.
const STEP: usize = 1_000;

/// How often the log is read when nothing wakes the reader: what another process committed is found
/// then, and verifiers hear that all is well.
const EVERY: Duration = Duration::from_secs(1);

impl Feed {
    /// Follows the log until `stopping` resolves. A read that fails is tried again a second later;
    /// until one succeeds nobody hears that all is well.
    pub(crate) async fn run(
        &self,
        sessions: &SessionManager,
        stopping: impl Future<Output = ()> + Send,
    ) {
        let mut commits = sessions.commits();
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut reader = Reader { sessions, after: None, window: self.longest_token };
        tokio::pin!(stopping);
        loop {
            let made = *commits.borrow_and_update();
            let began = self.elapsed();
            match reader.read().await {
                Ok(lines) => self.take(lines, made, began),
                Err(error) => {
                    tracing::warn!(%error, "the change log cannot be read and will be tried again");
                    tokio::select! {
                        () = &mut stopping => return,
                        _ = ticks.tick() => continue,
                    }
                }
            }
            tokio::select! {
                () = &mut stopping => return,
                changed = commits.changed() => if changed.is_err() { return },
                () = self.wanted.notified() => {}
                _ = ticks.tick() => {}
            }
        }
    }
}

struct Reader<'a> {
    sessions: &'a SessionManager,
    /// Where the next read begins; `None` before the first, which looks back instead.
    after: Option<Cursor>,
    /// How far the first looks back.
    window: Duration,
}

impl Reader<'_> {
    fn store(&self) -> &dyn SessionStore {
        &**self.sessions.store()
    }

    /// Reads to the end of the log.
    async fn read(&mut self) -> Result<Vec<Line>, SessionError> {
        let Some(mut after) = self.after.clone() else { return self.look_back().await };
        let mut lines = Vec::new();
        loop {
            let read = self.store().changes(&after, STEP).await?;
            if read.has_gap {
                return self.look_back().await;
            }
            let is_over = read.changes.len() < STEP;
            for change in read.changes {
                self.lines_of(change, &mut lines).await?;
            }
            after = read.cursor;
            if is_over {
                self.after = Some(after);
                return Ok(lines);
            }
        }
    }

    async fn lines_of(&self, change: Change, lines: &mut Vec<Line>) -> Result<(), StoreError> {
        match change {
            Change::Session { id, is_ended: true, .. } => {
                lines.push(Line::Session(id, Least::Ended));
            }
            Change::Session { id, min_generation, .. } => {
                lines.push(Line::Session(id, Least::Generation(min_generation)));
            }
            Change::Subject { subject, epoch, .. } => {
                lines.push(Line::Subject(subject.clone(), epoch));
                self.narrowed(&subject, lines).await?;
            }
            Change::Deployment { epoch } => lines.push(Line::Deployment(epoch)),
        }
        Ok(())
    }

    /// Where a subject's roles are narrowed, its sessions that were granted more must refresh: their
    /// access tokens tell roles that are gone.
    async fn narrowed(&self, subject: &Subject, lines: &mut Vec<Line>) -> Result<(), StoreError> {
        let heads = self.store().heads(std::slice::from_ref(subject)).await?;
        let Some((head, roles)) = heads.first().and_then(|head| Some((head, head.roles.as_ref()?)))
        else {
            return Ok(());
        };
        let mut page = Page::first(STEP);
        loop {
            let listed = self.store().by_subject(subject, false, &page).await?;
            let is_cut = |record: &&Record| {
                record.epoch == head.epoch && record.roles.narrowed_by(roles) != record.roles
            };
            lines.extend(listed.records.iter().filter(is_cut).map(superseded));
            match listed.next {
                Some(next) => page.after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// What happened while nobody read: all within the life of a token, from the audit log.
    async fn look_back(&mut self) -> Result<Vec<Line>, SessionError> {
        let end = self.store().cursor().await?;
        let (sessions, subjects) = self.heard_of().await?;
        let mut lines = Vec::new();
        for subjects in subjects.chunks(STEP) {
            for head in self.store().heads(subjects).await? {
                self.lines_of(of_head(head), &mut lines).await?;
            }
        }
        for ids in sessions.chunks(STEP) {
            let LoadAnswer { found, .. } = self.store().load(ids).await?;
            lines.extend(ids.iter().zip(found).filter_map(|(id, found)| of_found(*id, &found)));
        }
        let LoadAnswer { deployment, .. } = self.store().load(&[]).await?;
        lines.push(Line::Deployment(deployment.epoch));
        self.after = Some(end);
        Ok(lines)
    }

    /// The sessions and subjects to which something happened lately. Without a filter by action:
    /// stores have no index of those.
    async fn heard_of(&self) -> Result<(Vec<SessionId>, Vec<Subject>), SessionError> {
        let after = self.sessions.now().minus(self.window);
        let filter = EventFilter { after: Some(after), ..EventFilter::default() };
        let (mut sessions, mut subjects) = (HashSet::new(), HashSet::new());
        let mut page = Page::first(STEP);
        loop {
            let read = self.store().events(&filter, &page).await?;
            let relevant = read.events.iter().filter(|event| takes_something(event));
            for event in relevant {
                sessions.extend(event.session);
                subjects.extend(event.subject.clone());
            }
            match read.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        Ok((sessions.into_iter().collect(), subjects.into_iter().collect()))
    }
}

/// Whether tokens that were good before an event may not be afterwards.
fn takes_something(event: &Event) -> bool {
    !matches!(
        event.action,
        Action::SessionStarted
            | Action::GuestStarted
            | Action::SessionRefreshed
            | Action::SignInFailed
            | Action::SubjectErased
            | Action::DeviceNew
    )
}

fn superseded(record: &Record) -> Line {
    Line::Session(record.id, Least::Generation(record.lineage.generation.saturating_add(1)))
}

fn of_head(head: Head) -> Change {
    Change::Subject { version: head.version, epoch: head.epoch, subject: head.subject }
}

/// A record that cannot be read is refused to everybody by the service, and so it is here.
fn of_found(id: SessionId, found: &Found) -> Option<Line> {
    match found {
        Found::Record(loaded) if loaded.record.is_tombstone() => {
            Some(Line::Session(id, Least::Ended))
        }
        Found::Record(loaded) => {
            Some(Line::Session(id, Least::Generation(loaded.record.min_generation())))
        }
        Found::Missing | Found::Corrupt(_) => Some(Line::Session(id, Least::Ended)),
    }
}
