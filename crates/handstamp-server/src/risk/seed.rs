//! Counting again what happened before this process started.

use std::time::Duration;

use handstamp_core::event::{Action, Event};
use handstamp_core::store::{EventFilter, Page};
use handstamp_core::{SessionError, SessionManager};

use super::recent::{Attempt, Recent};

/// How far back is read: the longest window there is.
const BACK: Duration = Duration::from_secs(86_400);

/// How many events are read at a time, and how often at most: a log that is busier than 20,000
/// events a day is read less far.
const PAGE: usize = 1_000;
const PAGES: usize = 20;

/// Replays the sign-ins of the last day, those that came about and those that failed.
pub(super) async fn seed(recent: &Recent, sessions: &SessionManager) -> Result<(), SessionError> {
    for event in attempts(sessions).await?.iter().rev() {
        let personal = event.personal.as_ref();
        let attempt = Attempt {
            subject: event.subject.as_ref(),
            name: personal.and_then(|personal| personal.identifier.as_deref()),
            address: personal.and_then(|personal| personal.client.ip),
            at: event.at,
        };
        if event.action == Action::SignInFailed {
            recent.failed(&attempt);
        } else {
            recent.succeeded(&attempt);
        }
    }
    Ok(())
}

/// Newest first. Without a filter by action: stores have no index of those, and would look through
/// the whole log for the last few.
async fn attempts(sessions: &SessionManager) -> Result<Vec<Event>, SessionError> {
    let after = sessions.now().minus(BACK);
    let (mut attempts, mut page) = (Vec::new(), Page::first(PAGE));
    for _ in 0..PAGES {
        let read = sessions.events(&EventFilter::default(), &page).await?;
        let is_over = read.events.last().is_none_or(|event| event.at < after);
        let within = read.events.into_iter().filter(|event| event.at >= after);
        attempts.extend(within.filter(|event| is_attempt(&event.action)));
        match read.next.filter(|_| !is_over) {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    Ok(attempts)
}

const fn is_attempt(action: &Action) -> bool {
    matches!(action, Action::SignInFailed | Action::SessionStarted | Action::GuestUpgraded)
}
