//! What is odd about a sign-in or a refresh, and what is done about it.
//!
//! The rules are pure functions over what just happened and what is known from before
//! ([`rules`]). [`Risk`] gathers that, asks them, writes what they find into the audit log as
//! events that explain themselves ([`explain`]), and sets the session aside or ends it where an
//! operator has said so, all before the answer leaves. Of a sign-in that is told in one step with
//! the session ([`Foreseen`]).
//!
//! A rule is a guess. By default it only tells; `docs/concepts/risk.md` says how each can be wrong.

mod advice;
mod begin;
mod config;
mod history;
mod recent;
mod rule;
pub mod rules;
mod seed;
mod signal;
mod stop;
mod tell;
#[cfg(test)]
mod tests;
pub(crate) mod words;

use std::net::IpAddr;

pub use advice::Advice;
pub use begin::Foreseen;
pub use config::{RiskConfig, RiskConfigError, Threshold, Throttle};
use handstamp_core::event::{self, Event};
use handstamp_core::id::{SessionId, Subject};
use handstamp_core::record::{Client, EndReason, Record};
use handstamp_core::store::{EventFilter, Page};
use handstamp_core::{SessionError, SessionManager, SignInFailure};
use history::seen;
pub use recent::{Attempt, Recent};
pub use rule::{Action, Finding, ParseActionError, Rule, Severity};
pub use signal::{
    BeginSignal, Device, FailureSignal, History, RefreshSignal, Seen, Tally, source_of,
};
use stop::Stop;
pub use tell::explain;
use tell::{During, Scene};

use crate::client::device_words;
use crate::geo::Geo;

/// Who set a session aside or ended it, when a rule did.
pub const ACTOR: &str = "handstamp:risk";

/// Why a session is set aside until a fresh factor has been checked; where a rule asks for an
/// operator instead, the reason is the rule's name.
pub const STEP_UP: &str = "step_up";

/// How many earlier findings of a session are looked at before one is told again.
const TOLD_LOOK: usize = 20;

/// Why the engine suspends a session whose refresh token came back.
const REUSED: &str = "refresh token reuse";

/// Asks the rules, tells what they find, and acts on it. One per service.
#[derive(Debug)]
pub struct Risk {
    config: RiskConfig,
    geo: Geo,
    recent: Recent,
}

/// What came of asking the rules about a session.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Verdict {
    /// The strictest of what is done about the findings.
    pub action: Action,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// What came of asking the rules about a sign-in that failed.
#[derive(Clone, PartialEq, Debug)]
pub struct FailureVerdict {
    /// How many failures of the subject or name are recent; of the address where neither is known.
    pub recent: u32,
    /// What to do about the next try.
    pub advice: Advice,
    /// What was found.
    pub findings: Vec<Finding>,
}

impl Risk {
    /// Rules of these settings, that look places up in `geo`.
    ///
    /// # Errors
    /// [`RiskConfigError`] for a setting out of its range.
    pub fn new(config: RiskConfig, geo: Geo) -> Result<Self, RiskConfigError> {
        config.check()?;
        Ok(Self { recent: Recent::new(&config), config, geo })
    }

    /// The file of places.
    pub const fn geo(&self) -> &Geo {
        &self.geo
    }

    /// Counts again what the audit log tells of the last hours. Call it once, before the first
    /// request: a restart is then no fresh start for whoever tries passwords.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the store is out of reach; retrying helps.
    pub async fn seed(&self, sessions: &SessionManager) -> Result<(), SessionError> {
        seed::seed(&self.recent, sessions).await
    }

    /// Judges a refresh by `client`, before its answer leaves. `record` says how the session began.
    /// What was told of this session before is neither told again nor acted on again.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] or [`SessionError::Unknown`] when the store is out of reach.
    /// **Hand out no token then**: it is not known whether a rule would have stopped the session.
    pub async fn on_refresh(
        &self,
        sessions: &SessionManager,
        record: &Record,
        client: &Client,
    ) -> Result<Verdict, SessionError> {
        let words = |client: &Client| device_words(client.user_agent.as_deref()?);
        let (before, now) = (words(&record.client), words(client));
        let (at, place) = (sessions.now(), client.ip.and_then(|ip| self.geo.place(ip)));
        let signal = RefreshSignal {
            at,
            device_before: before.as_deref(),
            device: now.as_deref(),
            began: &seen(record.created_at, &record.client, &self.geo),
            place: place.as_ref(),
        };
        let mut findings = rules::on_refresh(&signal, &self.config);
        let mut is_told = Vec::new();
        for finding in &findings {
            is_told.push(was_told(sessions, record.id, finding.rule, client).await?);
        }
        let mut is_told = is_told.into_iter();
        findings.retain(|_| is_told.next() != Some(true));
        let scene = Scene::of(sessions, record, client, During::Refresh);
        self.conclude(&scene, findings).await
    }

    /// Judges that a superseded refresh token of `session` came back from `client`. The engine has
    /// told of it and ended or suspended the session by its policy; this tells where it came back
    /// from, once for each session. Call it when a refresh answers [`SessionError::Ended`] with
    /// `reuse`, or [`SessionError::Suspended`].
    ///
    /// # Errors
    /// As [`on_refresh`](Self::on_refresh).
    pub async fn on_reuse(
        &self,
        sessions: &SessionManager,
        session: SessionId,
        client: &Client,
    ) -> Result<Verdict, SessionError> {
        let Some(record) = sessions.record(session).await?.filter(|record| is_reused(record))
        else {
            return Ok(Verdict::default());
        };
        let rule = Rule::RefreshReuse;
        if !self.config.asks(rule) || !told(sessions, session, rule, 1).await?.is_empty() {
            return Ok(Verdict::default());
        }
        let words = "with a token that had been exchanged before";
        let scene = Scene::of(sessions, &record, client, During::Refresh);
        self.conclude(&scene, vec![Finding::new(rule, words)]).await
    }

    /// Counts a sign-in that failed, and advises about the next. Call it after
    /// [`SessionManager::sign_in_failed`], which notes the failure itself.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the store is out of reach; the failure is counted all the
    /// same.
    pub async fn on_failure(
        &self,
        sessions: &SessionManager,
        failure: &SignInFailure<'_>,
    ) -> Result<FailureVerdict, SessionError> {
        let name = failure.identifier.map(|typed| sessions.blind(typed));
        let (subject, at) = (failure.subject.as_ref(), sessions.now());
        let address = failure.client.ip;
        let attempt = Attempt { subject, name: name.as_deref(), address, at };
        let (signal, advice) = self.recent.failed(&attempt);
        let findings = rules::on_failure(&signal, &self.config);
        let client = &failure.client;
        let scene = Scene { sessions, during: During::Failure, subject, session: None, client };
        sessions.tell(self.events(&scene, &findings)?).await?;
        let is_named = subject.is_some() || name.is_some();
        let recent = if is_named { signal.tally.by_subject } else { signal.tally.by_address };
        Ok(FailureVerdict { recent, advice, findings })
    }

    /// What to do about a try to sign in that is to come: for an application that asks before it
    /// checks a password. `identifier` is what was typed as a name.
    pub fn advise(
        &self,
        sessions: &SessionManager,
        subject: Option<&Subject>,
        identifier: Option<&str>,
        address: Option<IpAddr>,
    ) -> Advice {
        let name = identifier.map(|typed| sessions.blind(typed));
        let at = sessions.now();
        self.recent.advise(&Attempt { subject, name: name.as_deref(), address, at })
    }

    /// Tells what was found and does what is to be done about it, in one commit: whoever cuts off
    /// their connection in between would otherwise have been told of, and go on.
    async fn conclude(
        &self,
        scene: &Scene<'_>,
        findings: Vec<Finding>,
    ) -> Result<Verdict, SessionError> {
        let events = self.events(scene, &findings)?;
        let verdict = self.verdict(findings);
        let is_done = match (scene.session, self.stop(&verdict)) {
            (Some(id), Some(stop)) => stop.carry_out(scene.sessions, id, &events).await?,
            _ => false,
        };
        if !is_done {
            scene.sessions.tell(events).await?;
        }
        Ok(verdict)
    }

    /// What the log is to say of these findings.
    fn events(&self, scene: &Scene<'_>, findings: &[Finding]) -> Result<Vec<Event>, SessionError> {
        let told =
            findings.iter().map(|found| scene.finding(found, self.config.action(found.rule)));
        told.collect()
    }

    /// The strictest of what is to be done about these findings.
    fn verdict(&self, findings: Vec<Finding>) -> Verdict {
        let actions = findings.iter().map(|finding| self.config.action(finding.rule));
        Verdict { action: actions.max().unwrap_or_default(), findings }
    }

    /// How a session is stopped for these findings, if it is.
    fn stop(&self, verdict: &Verdict) -> Option<Stop> {
        let action_of = |finding: &Finding| self.config.action(finding.rule);
        let strictest = verdict.findings.iter().max_by_key(|finding| action_of(finding))?;
        Stop::of(verdict.action, strictest.rule)
    }
}

/// Whether a session ended, or was suspended, because a superseded refresh token of it came back.
fn is_reused(record: &Record) -> bool {
    let is_ended = record.ended.as_ref().is_some_and(|ended| ended.reason == EndReason::Reuse);
    let why = record.suspended.as_ref().and_then(|suspended| suspended.why.as_deref());
    is_ended || why == Some(REUSED)
}

/// The latest events that `rule` caused for a session.
async fn told(
    sessions: &SessionManager,
    session: SessionId,
    rule: Rule,
    limit: usize,
) -> Result<Vec<Event>, SessionError> {
    let actions = vec![event::Action::Risk(rule.as_str().into())];
    let filter = EventFilter { session: Some(session), actions, ..EventFilter::default() };
    Ok(sessions.events(&filter, &Page::first(limit)).await?.events)
}

/// Whether `rule` has told of this session that it is used by such a program, from such a country.
async fn was_told(
    sessions: &SessionManager,
    session: SessionId,
    rule: Rule,
    client: &Client,
) -> Result<bool, SessionError> {
    let words = |client: &Client| device_words(client.user_agent.as_deref()?);
    let country = |client: &Client| client.location.as_ref()?.country.clone();
    let is_same = |event: &Event| {
        event.personal.as_ref().is_some_and(|personal| match rule {
            Rule::UserAgentChange => words(&personal.client) == words(client),
            _ => country(&personal.client) == country(client),
        })
    };
    Ok(told(sessions, session, rule, TOLD_LOOK).await?.iter().any(is_same))
}
