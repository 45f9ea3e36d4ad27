//! Whether a session is live, and who makes room for a new one. Pure functions.

use std::time::Duration;

use crate::config::{LimitStrategy, SessionConfig};
use crate::head::{Deployment, Head};
use crate::id::SessionId;
use crate::record::{EndReason, Ended, Record};
use crate::roles::Roles;
use crate::time::Timestamp;

/// The longest that activity goes unrecorded, whatever the idle lifetime: 60 seconds.
const LONGEST_TOUCH: Duration = Duration::from_secs(60);

/// How late a flush of noted activity may come on top: 5 seconds.
const FLUSH_SLACK: Duration = Duration::from_secs(5);

/// How far activity must have moved before it is written: 1/20 of the idle lifetime, at most
/// 60 seconds.
pub fn touch_interval(idle: Duration) -> Duration {
    (idle / 20).min(LONGEST_TOUCH)
}

/// How much later than the idle lifetime a session may run out when its last activity is known
/// only from the store. Nobody is expired early, unless a process was killed before it had written
/// activity that came after a longer silence.
pub fn touch_slack(idle: Duration) -> Duration {
    touch_interval(idle) + FLUSH_SLACK
}

/// What is known of a session's last activity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LastSeen {
    /// When it was.
    pub at: Timestamp,
    /// Whether this process saw it; otherwise the store's figure may lag by
    /// [`touch_slack`].
    pub is_exact: bool,
}

/// Whether a session is live, and if not, why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Live: its tokens are good.
    Live,
    /// Set aside.
    Suspended,
    /// A tombstone, or as good as one: the head forbids it, or a limit has passed.
    Over {
        /// What its tombstone says or will say.
        ended: Ended,
        /// Whether the tombstone is written.
        is_written: bool,
    },
}

/// Whether `record` is live at `now`, where its head, if it has one, allows it or not: what
/// [`standing`] answers, without the reasons.
pub fn is_live(
    record: &Record,
    is_allowed: bool,
    deployment: Deployment,
    seen: LastSeen,
    now: Timestamp,
) -> bool {
    let is_whole = record.ended.is_none() && record.suspended.is_none();
    let is_allowed = is_allowed && record.deployment_epoch == deployment.epoch;
    is_whole && is_allowed && due(record, seen, now).is_none()
}

/// Judges `record` under its `head` and the `deployment` at `now`.
pub fn standing(
    record: &Record,
    head: Option<&Head>,
    deployment: Deployment,
    seen: LastSeen,
    now: Timestamp,
) -> Standing {
    let is_allowed = head.map_or(record.subject.is_none(), |head| head.allows(record.epoch));
    if is_live(record, is_allowed, deployment, seen, now) {
        return Standing::Live;
    }
    if let Some(ended) = &record.ended {
        return Standing::Over { ended: ended.clone(), is_written: true };
    }
    if let Some(ended) = forbidden(record, head, deployment, now).or_else(|| due(record, seen, now))
    {
        return Standing::Over { ended, is_written: false };
    }
    if record.suspended.is_some() { Standing::Suspended } else { Standing::Live }
}

fn forbidden(
    record: &Record,
    head: Option<&Head>,
    deployment: Deployment,
    now: Timestamp,
) -> Option<Ended> {
    let ended = |at, reason| Ended { at, reason, by: None, successor: None };
    if record.deployment_epoch != deployment.epoch {
        return Some(ended(now, EndReason::Admin));
    }
    let Some(head) = head else {
        // A session with a subject is never without a head; if it were, nothing would allow it.
        return record.subject.as_ref().map(|_| ended(now, EndReason::LogoutAll));
    };
    if head.is_disabled || head.epoch != record.epoch {
        let reason = if head.is_disabled { EndReason::Disabled } else { EndReason::LogoutAll };
        return Some(head.moved.clone().unwrap_or_else(|| ended(now, reason)));
    }
    None
}

/// The end that a limit has brought, if one has. The stricter of idle and absolute wins.
fn due(record: &Record, seen: LastSeen, now: Timestamp) -> Option<Ended> {
    let idle_expiry = record.idle_lifetime.map(|idle| {
        let slack = if seen.is_exact { Duration::ZERO } else { touch_slack(idle) };
        (seen.at.plus(idle), seen.at.plus(idle).plus(slack))
    });
    let over = |at, reason| Some(Ended { at, reason, by: None, successor: None });
    match idle_expiry {
        Some((told, real)) if now >= real && told < record.absolute_expiry => {
            over(told, EndReason::Idle)
        }
        _ if now >= record.absolute_expiry => over(record.absolute_expiry, EndReason::Absolute),
        _ => None,
    }
}

/// The roles that a session has now: those it was granted, narrowed by the head.
pub fn effective_roles(record: &Record, head: Option<&Head>) -> Roles {
    match head.and_then(|head| head.roles.as_ref()) {
        Some(allowed) => record.roles.narrowed_by(allowed),
        None => record.roles.clone(),
    }
}

/// Which of the subject's live sessions makes room for a new one; `None` when none may.
pub fn make_room(strategy: LimitStrategy, live: &[Record]) -> Option<SessionId> {
    let record = match strategy {
        LimitStrategy::Deny => None,
        LimitStrategy::EndOldest => live.iter().min_by_key(|record| (record.created_at, record.id)),
        LimitStrategy::EndNextToExpire => {
            live.iter().min_by_key(|record| (record.due_at(), record.id))
        }
    };
    record.map(|record| record.id)
}

/// When a session runs out if it is not used again: the earlier of idle and absolute, and which.
pub fn first_to_expire(record: &Record, seen: Timestamp) -> (Timestamp, EndReason) {
    match record.idle_lifetime.map(|idle| seen.plus(idle)) {
        Some(idle) if idle < record.absolute_expiry => (idle, EndReason::Idle),
        _ => (record.absolute_expiry, EndReason::Absolute),
    }
}

/// Whether a cookie's generation is old enough to be rotated, by age or because a newer key is
/// active; not within the grace of the first sight of it.
pub fn is_rotation_due(
    record: &Record,
    config: &SessionConfig,
    active_key: u8,
    now: Timestamp,
) -> bool {
    let is_old =
        config.rotate_every().is_some_and(|every| now.since(record.lineage.rotated_at) >= every);
    (is_old || record.lineage.key_id != active_key) && record.lineage.is_settled(now)
}
