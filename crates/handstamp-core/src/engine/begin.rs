//! A session begins: at sign-in, for a guest, or because a visitor stored something.

use std::sync::{Arc, Mutex, PoisonError};

use super::Engine;
use super::acts::session_of;
use crate::cache::Cached;
use crate::commit::{Build, Draft, Job, Mutation, NewSession, blank_event, event_of};
use crate::data::Data;
use crate::delta::{Content, Delta};
use crate::error::SessionError;
use crate::event::{Action, Event};
use crate::head::Head;
use crate::id::{ChangeId, Partition, SessionId, Subject};
use crate::policy::{Standing, make_room};
use crate::random::random;
use crate::record::{Assurance, Client, EndReason, Kind, Profile, Record, Transport};
use crate::roles::Roles;
use crate::sign_in::{Merge, SignIn, check_methods};
use crate::store::Page;
use crate::time::Timestamp;
use crate::token::{Token, new_salt};

/// How often a sign-in makes room for itself while others take it.
const ATTEMPTS: usize = 16;

/// How many sessions of a subject are looked at to find who makes room.
const LOOK: usize = 1000;

/// A session that is to begin.
pub(crate) struct Begin {
    /// Who signs in; a visitor who stored something has none.
    pub(crate) sign_in: Option<SignIn>,
    /// What the request tells of where they are.
    pub(crate) client: Client,
    /// The session that it takes over from, as the request knew it.
    pub(crate) old: Option<Arc<Record>>,
    /// What this request changed and has not committed yet. Shared, so that it is not lost with a
    /// sign-in that is refused.
    pub(crate) delta: Arc<Mutex<Delta>>,
}

/// What every attempt to begin shares.
struct Plan {
    begin: Mutex<Begin>,
    id: SessionId,
    /// The token of the session that it takes over from, where that is not the request's own.
    upgrade: Option<Token>,
}

impl Engine {
    /// Begins a session: makes room if the limit asks for it, inserts, ends the old one.
    pub(crate) async fn begin(
        self: &Arc<Self>,
        mut begin: Begin,
    ) -> Result<Arc<Cached>, SessionError> {
        begin.sign_in.iter().try_for_each(|sign_in| check_methods(&sign_in.amr))?;
        let upgrade = begin.sign_in.as_ref().and_then(|sign_in| sign_in.upgrade.clone());
        if let Some(upgrade) = &upgrade {
            begin.old = Some(self.guest_of(upgrade).await?);
        }
        let upgrade = upgrade.and_then(|upgrade| upgrade.0);
        let subject = begin.sign_in.as_ref().map(|sign_in| sign_in.subject.clone());
        let partition = match &subject {
            Some(subject) => Partition::of_subject(&self.store.meta().partition_key, subject),
            None => Partition::draw(&*self.rng)?,
        };
        let id = SessionId::generate(partition, &*self.rng)?;
        let plan = Arc::new(Plan { begin: Mutex::new(begin), id, upgrade });
        let begun = match (self.attempt(&plan, Vec::new()).await, &subject) {
            (Err(SessionError::LimitReached { limit }), Some(subject)) => {
                self.begin_with_room(&plan, subject, limit).await
            }
            (answer, _) => answer,
        };
        begun.inspect_err(|error| self.tell_refused(&plan, subject, error))
    }

    /// Tells of somebody who proved who they are and for whom no session began.
    fn tell_refused(&self, plan: &Plan, subject: Option<Subject>, error: &SessionError) {
        if !matches!(error, SessionError::LimitReached { .. } | SessionError::SubjectDisabled) {
            return;
        }
        let client = {
            let begin = plan.lock();
            let told = begin.sign_in.as_ref().and_then(|sign_in| sign_in.client.clone());
            told.unwrap_or_else(|| begin.client.clone()).cut()
        };
        let event = blank_event(Action::SignInRefused, &client, self.now(), &*self.rng);
        let Ok(mut event) = event else { return };
        (event.is_success, event.error) = (false, Some(error.code().into()));
        event.actor = subject.as_ref().map(|subject| subject.as_str().into());
        event.subject = subject;
        drop(self.committer.submit(|reply| Job::Tell { events: vec![event], reply }));
    }

    async fn begin_with_room(
        self: &Arc<Self>,
        plan: &Arc<Plan>,
        subject: &Subject,
        limit: u32,
    ) -> Result<Arc<Cached>, SessionError> {
        // Sign-ins of one subject go one by one from here, or each would take the room that
        // another has made.
        let room = self.room(subject);
        let _held = room.lock().await;
        let old = plan.old();
        for _ in 0..ATTEMPTS {
            let Some(victims) = self.victims(subject, limit, old).await? else {
                return Err(SessionError::LimitReached { limit });
            };
            match self.attempt(plan, victims).await {
                Err(SessionError::LimitReached { .. }) => {}
                answer => return answer,
            }
        }
        Err(SessionError::Unavailable("other sign-ins took the room every time".into()))
    }

    fn room(&self, subject: &Subject) -> Arc<tokio::sync::Mutex<()>> {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(room) = rooms.get(subject).and_then(std::sync::Weak::upgrade) {
            return room;
        }
        rooms.retain(|_, room| room.strong_count() > 0);
        let room = Arc::new(tokio::sync::Mutex::new(()));
        rooms.insert(subject.clone(), Arc::downgrade(&room));
        room
    }

    /// Who makes room for one more: first the session that it takes over from, if that is the
    /// subject's own, then as many as are over the limit still; `None` when nobody may.
    async fn victims(
        &self,
        subject: &Subject,
        limit: u32,
        old: Option<SessionId>,
    ) -> Result<Option<Vec<SessionId>>, SessionError> {
        let listed = self.unended(subject).await?;
        let Some(head) = self.counted(subject).await? else { return Ok(Some(Vec::new())) };
        let needed = (head.live + 1).saturating_sub(limit) as usize;
        let (mut live, over): (Vec<Record>, Vec<Record>) = listed
            .into_iter()
            .filter(|record| record.epoch == head.epoch)
            .partition(|record| self.is_live(record, &head));
        let own = live.iter().find(|record| Some(record.id) == old).map(|record| record.id);
        // What has run out and has no tombstone yet still counts, and goes before what lives.
        let mut victims: Vec<SessionId> =
            own.into_iter().chain(over.into_iter().map(|record| record.id)).take(needed).collect();
        live.retain(|record| !victims.contains(&record.id));
        while victims.len() < needed {
            let Some(id) = make_room(self.config.limit_strategy(), &live) else {
                return Ok(None);
            };
            live.retain(|record| record.id != id);
            victims.push(id);
        }
        Ok(Some(victims))
    }

    /// Every record of the subject that is no tombstone.
    async fn unended(&self, subject: &Subject) -> Result<Vec<Record>, SessionError> {
        let (mut records, mut page) = (Vec::new(), Page::first(LOOK));
        loop {
            let listed = self.store.by_subject(subject, false, &page).await?;
            records.extend(listed.records);
            match listed.next {
                Some(next) => page.after = Some(next),
                None => return Ok(records),
            }
        }
    }

    async fn counted(&self, subject: &Subject) -> Result<Option<Head>, SessionError> {
        self.cache.put_deployment(self.store.load(&[]).await?.deployment);
        Ok(self.store.heads(std::slice::from_ref(subject)).await?.pop())
    }

    fn is_live(&self, record: &Record, head: &Head) -> bool {
        matches!(self.standing_of(record, Some(head)), Standing::Live | Standing::Suspended)
    }

    async fn attempt(
        self: &Arc<Self>,
        plan: &Arc<Plan>,
        victims: Vec<SessionId>,
    ) -> Result<Arc<Cached>, SessionError> {
        let old = plan.old();
        let reason = |id| if Some(id) == old { EndReason::Replaced } else { EndReason::Limit };
        let victims = victims
            .into_iter()
            .map(|id| (id, Self::end_as(reason(id), None, Some(plan.id))))
            .collect();
        let replaced: Option<(SessionId, Mutation)> =
            old.map(|old| (old, Self::end_as(EndReason::Replaced, None, Some(plan.id))));
        let (engine, shared) = (Arc::clone(self), Arc::clone(plan));
        let build: Build = Box::new(move |old| shared.build(&engine, old));
        let job = |reply| Job::Begin { victims, build, old: replaced, reply };
        session_of(self.committer.run(job).await?)
    }
}

impl Plan {
    fn lock(&self) -> std::sync::MutexGuard<'_, Begin> {
        self.begin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn old(&self) -> Option<SessionId> {
        self.lock().old.as_ref().map(|old| old.id)
    }

    /// The record of the new session, from the latest of the old one.
    fn build(&self, engine: &Engine, old: Option<&Draft<'_>>) -> Result<NewSession, SessionError> {
        if let Some(token) = &self.upgrade {
            engine.check_upgrade(token, old)?;
        }
        let old = old.map(|draft| &draft.record).filter(|old| !old.is_tombstone());
        let begin = self.lock();
        let now = engine.now();
        let before = old.map(Content::of).unwrap_or_default();
        let mut delta = begin.delta.lock().unwrap_or_else(PoisonError::into_inner);
        let content = delta.applied_to(&before, engine.sizes())?;
        let mut record = blank(engine, self.id, &begin, now)?;
        if let Some(sign_in) = &begin.sign_in {
            let (content, sizes) =
                (carried(sign_in, begin.old.as_deref(), content), engine.sizes());
            let content = content.with_beside(sign_in.profile.claims.as_ref(), &sign_in.amr);
            content.check(sizes)?.with(&sign_in.data, sizes)?.put_values_into(&mut record);
            record.subject = Some(sign_in.subject.clone());
            record.transport = sign_in.transport;
            sign_in.put_into(&mut record, &engine.config, now);
        } else {
            content.put_values_into(&mut record);
        }
        let limit = begin.sign_in.as_ref().and(engine.config.limit());
        let mut events = vec![started(engine, &record, old, now)?];
        if let Some(sign_in) = &begin.sign_in {
            events.extend(sign_in.told_of(self.id));
            events.extend(suspend(engine, &mut record, sign_in, now)?);
        }
        Ok(NewSession { record: Box::new(record), limit, events })
    }
}

/// What crosses a sign-in: data by the merge rule, messages unless it drops everything, and
/// nothing from one person to another.
fn carried(sign_in: &SignIn, old: Option<&Record>, content: Content) -> Content {
    let is_somebody_else = old.is_some_and(|old| {
        old.kind == Kind::User && old.subject.as_ref() != Some(&sign_in.subject)
    });
    if is_somebody_else || sign_in.merge == Merge::Drop {
        return Content::default();
    }
    Content { data: sign_in.merge.carry(&content.data), ..content }
}

fn blank(
    engine: &Engine,
    id: SessionId,
    begin: &Begin,
    now: Timestamp,
) -> Result<Record, SessionError> {
    let (ttl, idle) = engine.config.lifetimes(false);
    let salt = new_salt(&*engine.rng)?;
    Ok(Record {
        id,
        version: 1,
        change_id: ChangeId::from_bytes([0; 16]),
        subject: None,
        epoch: 0,
        deployment_epoch: 0,
        kind: Kind::Anonymous,
        transport: Transport::Cookie,
        roles: Roles::none(),
        created_at: now,
        authenticated_at: now,
        last_seen: now,
        absolute_expiry: now.plus(ttl),
        idle_lifetime: idle,
        lineage: crate::record::Lineage::begin(salt, engine.keys.active_id(), now),
        amr: Vec::new(),
        assurance: Assurance::Aal1,
        client: begin.client.clone().cut(),
        profile: Profile::default(),
        label: None,
        audience: Vec::new(),
        client_id: None,
        is_remembered: false,
        suspended: None,
        data: Data::default(),
        flash: Vec::new(),
        csrf_seed: random(&*engine.rng)?,
        ended: None,
    })
}

/// Suspends a session before it begins, if the sign-in asks for that; answers what tells of it.
fn suspend(
    engine: &Engine,
    record: &mut Record,
    sign_in: &SignIn,
    now: Timestamp,
) -> Result<Option<Event>, SessionError> {
    let Some(suspension) = &sign_in.suspension else { return Ok(None) };
    record.suspended = Some(suspension.since(now));
    let mut event = event_of(record, Action::SessionSuspended, now, &*engine.rng)?;
    event.actor.clone_from(&suspension.by);
    Ok(Some(event))
}

fn started(
    engine: &Engine,
    record: &Record,
    old: Option<&Record>,
    now: Timestamp,
) -> Result<Event, SessionError> {
    let was_guest = old.is_some_and(|old| old.kind == Kind::Guest);
    let action = match record.kind {
        Kind::Guest => Action::GuestStarted,
        Kind::User if was_guest => Action::GuestUpgraded,
        Kind::User | Kind::Anonymous => Action::SessionStarted,
    };
    let mut event = event_of(record, action, now, &*engine.rng)?;
    event.actor = record.subject.as_ref().map(|subject| subject.as_str().into());
    event.details.insert("kind".into(), record.kind.as_str().into());
    event.details.insert("transport".into(), record.transport.as_str().into());
    if let Some(old) = old {
        event.details.insert("replaces".into(), old.id.to_string().into());
    }
    Ok(event)
}
