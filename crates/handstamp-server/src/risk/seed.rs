//! Counting again what happened before this process started.

use std::collections::HashSet;
use std::time::Duration;

use handstamp_core::event::{Action, Event};
use handstamp_core::id::SessionId;
use handstamp_core::store::{EventFilter, Page};
use handstamp_core::{SessionError, SessionManager};

use super::ACTOR;
use super::recent::{Attempt, Recent};

/// How far back is read: the longest window there is.
const BACK: Duration = Duration::from_secs(86_400);

/// How many events are read at a time, and how often at most: a log that is busier than 20,000
/// events a day is read less far.
const PAGE: usize = 1_000;
const PAGES: usize = 20;

/// Replays the sign-ins of the last day, those that came about and those that failed.
pub(super) async fn seed(recent: &Recent, sessions: &SessionManager) -> Result<(), SessionError> {
    let events = lately(sessions).await?;
    let ours = events.iter().filter(|event| event.actor.as_deref() == Some(ACTOR));
    let stopped: HashSet<SessionId> = ours.filter_map(|event| event.session).collect();
    for event in events.iter().rev() {
        let is_trusted = event.session.is_none_or(|session| !stopped.contains(&session));
        replay(recent, event, is_trusted);
    }
    Ok(())
}

fn replay(recent: &Recent, event: &Event, is_trusted: bool) {
    let personal = event.personal.as_ref();
    let attempt = Attempt {
        subject: event.subject.as_ref(),
        name: personal.and_then(|personal| personal.identifier.as_deref()),
        address: personal.and_then(|personal| personal.client.ip),
        at: event.at,
    };
    match event.action {
        Action::SignInFailed => drop(recent.failed(&attempt)),
        Action::SessionStarted | Action::GuestUpgraded => {
            recent.began(&attempt);
            if is_trusted {
                recent.trust(&attempt);
            }
        }
        _ => {}
    }
}

/// What happened, newest first. Without a filter by action: stores have no index of those, and
/// would look through the whole log for the last few.
async fn lately(sessions: &SessionManager) -> Result<Vec<Event>, SessionError> {
    let after = sessions.now().minus(BACK);
    let (mut events, mut page) = (Vec::new(), Page::first(PAGE));
    for _ in 0..PAGES {
        let read = sessions.events(&EventFilter::default(), &page).await?;
        let is_over = read.events.last().is_none_or(|event| event.at < after);
        let within = read.events.into_iter().filter(|event| event.at >= after);
        events.extend(within.filter(counts));
        match read.next.filter(|_| !is_over) {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    Ok(events)
}

fn counts(event: &Event) -> bool {
    let is_attempt = matches!(
        event.action,
        Action::SignInFailed | Action::SessionStarted | Action::GuestUpgraded
    );
    is_attempt || event.actor.as_deref() == Some(ACTOR)
}
