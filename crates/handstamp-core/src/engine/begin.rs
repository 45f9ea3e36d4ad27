//! A session begins: at sign-in, for a guest, or because a visitor stored something.

use std::sync::{Arc, Mutex, PoisonError};

use super::Engine;
use super::acts::session_of;
use crate::cache::Cached;
use crate::commit::{Build, Job, Mutation, NewSession, event_of};
use crate::data::{Data, Flash};
use crate::delta::{Content, Delta};
use crate::error::SessionError;
use crate::event::Action;
use crate::id::{ChangeId, Partition, SessionId, Subject};
use crate::policy::make_room;
use crate::random::random;
use crate::record::{Assurance, Client, EndReason, Kind, Profile, Record, Transport};
use crate::roles::Roles;
use crate::sign_in::{Merge, SignIn};
use crate::store::Page;
use crate::time::Timestamp;
use crate::token::new_salt;

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
    /// The session that it takes over from.
    pub(crate) old: Option<SessionId>,
    /// What this request changed and has not committed yet. Shared, so that it is not lost with a
    /// sign-in that is refused.
    pub(crate) delta: Arc<Mutex<Delta>>,
}

/// What every attempt to begin shares.
struct Plan {
    begin: Mutex<Begin>,
    id: SessionId,
}

impl Engine {
    /// Begins a session: makes room if the limit asks for it, inserts, ends the old one.
    pub(crate) async fn begin(self: &Arc<Self>, begin: Begin) -> Result<Arc<Cached>, SessionError> {
        let subject = begin.sign_in.as_ref().map(|sign_in| sign_in.subject.clone());
        let partition = match &subject {
            Some(subject) => Partition::of_subject(&self.store.meta().partition_key, subject),
            None => Partition::draw(&*self.rng)?,
        };
        let id = SessionId::generate(partition, &*self.rng)?;
        let plan = Arc::new(Plan { begin: Mutex::new(begin), id });
        match (self.attempt(&plan, Vec::new()).await, subject) {
            (Err(SessionError::LimitReached { limit }), Some(subject)) => {
                self.begin_with_room(&plan, &subject, limit).await
            }
            (answer, _) => answer,
        }
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
        let old = plan.lock().old;
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
        let page = self.store.by_subject(subject, false, &Page::first(LOOK)).await?;
        let heads = self.store.heads(std::slice::from_ref(subject)).await?;
        let epoch = heads.first().map_or(0, |head| head.epoch);
        let live = page.records.into_iter().filter(|record| record.epoch == epoch);
        let (own, mut live): (Vec<Record>, Vec<Record>) =
            live.partition(|record| Some(record.id) == old);
        let mut victims: Vec<SessionId> = own.iter().map(|record| record.id).collect();
        while live.len() >= limit as usize {
            let Some(id) = make_room(self.config.limit_strategy(), &live) else {
                return Ok(None);
            };
            live.retain(|record| record.id != id);
            victims.push(id);
        }
        Ok(Some(victims))
    }

    async fn attempt(
        self: &Arc<Self>,
        plan: &Arc<Plan>,
        victims: Vec<SessionId>,
    ) -> Result<Arc<Cached>, SessionError> {
        let old = plan.lock().old;
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

    /// The record of the new session, from the latest of the old one.
    fn build(&self, engine: &Engine, old: Option<&Record>) -> Result<NewSession, SessionError> {
        let begin = self.lock();
        let now = engine.now();
        let before = old.map(Content::of).unwrap_or_default();
        let mut delta = begin.delta.lock().unwrap_or_else(PoisonError::into_inner);
        let content = delta.applied_to(&before, engine.sizes())?;
        let mut record = blank(engine, self.id, &begin, now)?;
        if let Some(sign_in) = &begin.sign_in {
            (record.data, record.flash) = carried(sign_in, old, content);
            sign(&mut record, sign_in, engine, now);
        } else {
            (record.data, record.flash) = (content.data, content.flash);
        }
        let limit = begin.sign_in.as_ref().and(engine.config.limit());
        let events = vec![started(engine, &record, old, now)?];
        Ok(NewSession { record: Box::new(record), limit, events })
    }
}

/// What crosses a sign-in: data by the merge rule, messages unless it drops everything, and
/// nothing from one person to another.
fn carried(sign_in: &SignIn, old: Option<&Record>, content: Content) -> (Data, Vec<Flash>) {
    let is_somebody_else = old.is_some_and(|old| {
        old.kind == Kind::User && old.subject.as_ref() != Some(&sign_in.subject)
    });
    if is_somebody_else || sign_in.merge == Merge::Drop {
        return (Data::default(), Vec::new());
    }
    (sign_in.merge.carry(&content.data), content.flash)
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
        client: begin.client.clone(),
        profile: Profile::default(),
        label: None,
        is_remembered: false,
        suspended: None,
        data: Data::default(),
        flash: Vec::new(),
        csrf_seed: random(&*engine.rng)?,
        ended: None,
    })
}

/// Puts into a record what the sign-in says.
fn sign(record: &mut Record, sign_in: &SignIn, engine: &Engine, now: Timestamp) {
    let (ttl, idle) = engine.config.lifetimes(sign_in.is_remembered);
    record.subject = Some(sign_in.subject.clone());
    record.kind = sign_in.kind;
    record.transport = sign_in.transport;
    record.roles = sign_in.roles.clone();
    record.absolute_expiry = now.plus(ttl);
    record.idle_lifetime = idle;
    record.amr.clone_from(&sign_in.amr);
    record.assurance = sign_in.assurance;
    record.profile = sign_in.profile.clone();
    record.is_remembered = sign_in.is_remembered;
    record.label.clone_from(&sign_in.label);
    if let Some(client) = &sign_in.client {
        record.client = client.clone();
    }
}

fn started(
    engine: &Engine,
    record: &Record,
    old: Option<&Record>,
    now: Timestamp,
) -> Result<crate::event::Event, SessionError> {
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
