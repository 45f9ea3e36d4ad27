//! A policy tried out: whom would it sign out?

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use handstamp_axum::problem::Problem;
use handstamp_core::Listed;
use handstamp_core::id::Subject;
use handstamp_core::policy::Standing;
use handstamp_core::store::{Filter, Page};
use handstamp_core::time::Timestamp;
use handstamp_protocol::policy::{DryRunAnswer, DryRunRequest};

use super::problem;
use crate::answer::{self, Shown};
use crate::body::{Json, out_of_range};
use crate::caller::Operator;
use crate::json::Body;
use crate::service::Service;

/// How many sessions are shown of those that would be over.
const SAMPLE: usize = 20;

/// `POST /admin/policy/dry-run`: looks at every live session and changes nothing.
pub(crate) async fn dry_run(
    State(service): State<Arc<Service>>,
    _operator: Operator,
    Json(request): Json<DryRunRequest>,
) -> Result<Body<DryRunAnswer>, Problem> {
    let mut trial = Trial::of(&request, service.sessions.now())?;
    let filter = Filter { is_live: Some(true), ..Filter::default() };
    let mut page = Page::first(1000);
    loop {
        let listed = service.sessions.scan(&filter, &page).await.map_err(problem)?;
        listed.sessions.into_iter().for_each(|one| trial.look(one));
        match listed.next {
            Some(next) => page.after = Some(next),
            None => return Ok(Body(trial.answer())),
        }
    }
}

/// A policy on trial. Sessions come newest first, so the ones beyond a number are the oldest.
struct Trial {
    now: Timestamp,
    idle: Option<Duration>,
    absolute: Option<Duration>,
    most: Option<u32>,
    checked: u64,
    over: u64,
    counts: HashMap<Subject, u32>,
    hit: HashSet<Subject>,
    sample: Vec<Listed>,
}

impl Trial {
    fn of(request: &DryRunRequest, now: Timestamp) -> Result<Self, Problem> {
        let seconds = |field: &str, given: Option<u64>| match given {
            Some(0) => Err(out_of_range(field, "must be at least 1")),
            given => Ok(given.map(Duration::from_secs)),
        };
        if request.max_sessions == Some(0) {
            return Err(out_of_range("max_sessions", "must be at least 1"));
        }
        Ok(Self {
            now,
            idle: seconds("idle_seconds", request.idle_seconds)?,
            absolute: seconds("absolute_seconds", request.absolute_seconds)?,
            most: request.max_sessions,
            checked: 0,
            over: 0,
            counts: HashMap::new(),
            hit: HashSet::new(),
            sample: Vec::new(),
        })
    }

    fn look(&mut self, one: Listed) {
        if one.standing != Standing::Live {
            return;
        }
        self.checked += 1;
        if !self.would_end(&one) {
            return;
        }
        self.over += 1;
        self.hit.extend(one.record.subject.clone());
        if self.sample.len() < SAMPLE {
            self.sample.push(one);
        }
    }

    fn would_end(&mut self, one: &Listed) -> bool {
        let record = &one.record;
        let is_past = |lifetime: Option<Duration>, since: Timestamp| {
            lifetime.is_some_and(|lifetime| self.now.since(since) >= lifetime)
        };
        if is_past(self.idle, record.last_seen) || is_past(self.absolute, record.authenticated_at) {
            return true;
        }
        let (Some(most), Some(subject)) = (self.most, &record.subject) else { return false };
        let count = self.counts.entry(subject.clone()).or_default();
        *count += 1;
        *count > most
    }

    fn answer(self) -> DryRunAnswer {
        let sample = self.sample.iter().map(|one| answer::session(Shown::listed(one, false)));
        DryRunAnswer {
            checked: self.checked,
            sessions: self.over,
            subjects: self.hit.len() as u64,
            sample: sample.collect(),
        }
    }
}
