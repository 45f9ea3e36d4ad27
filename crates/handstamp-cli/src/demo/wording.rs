//! Reasons and spans of time, as people say them.

use std::time::Duration;

use handstamp_axum::Session;
use handstamp_core::SessionError;
use handstamp_core::record::EndReason;

/// Said when nobody is signed in and nothing is known of the reason.
pub(super) const SIGNED_OUT: &str = "Nothing of your visit is left in this browser.";

/// Said of a session that is set aside.
pub(super) const SET_ASIDE: &str = "This visit is set aside for the moment.";

/// Why a session ended, said to its holder.
pub(super) const fn why(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Logout => "You signed out in this browser.",
        EndReason::LogoutAll => {
            "You signed out all other devices from one of them, and this was another."
        }
        EndReason::Revoked => "You signed this device out from another one.",
        EndReason::Replaced => "You signed in again in this browser.",
        EndReason::Limit => {
            "You signed in on more devices than an account may have; this was the oldest."
        }
        EndReason::Reuse => {
            "An outdated copy of this device's cookie turned up, so it was signed out to be safe."
        }
        EndReason::Disabled => "This account was closed.",
        EndReason::Admin => "The shop ended this visit.",
        EndReason::Idle => "Nothing happened here for a while.",
        EndReason::Absolute => {
            "It has been long since you signed in; please show your ticket again."
        }
    }
}

/// The same in two or three words, for a list.
pub(super) const fn why_in_short(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Logout => "signed out there",
        EndReason::LogoutAll => "signed out with all others",
        EndReason::Revoked => "signed out from another device",
        EndReason::Replaced => "signed in anew",
        EndReason::Limit => "too many devices",
        EndReason::Reuse => "an outdated cookie came back",
        EndReason::Disabled => "account closed",
        EndReason::Admin => "ended by the shop",
        EndReason::Idle => "not used for a while",
        EndReason::Absolute => "reached its age limit",
    }
}

/// Why the cookie that was presented is not good, said to whoever presented it.
pub(super) fn refused(session: &Session) -> &'static str {
    match session.refusal().map(SessionError::from) {
        Some(SessionError::Ended { reason, .. } | SessionError::Expired { reason, .. }) => {
            why(reason)
        }
        Some(SessionError::Suspended) => SET_ASIDE,
        _ => SIGNED_OUT,
    }
}

/// "5 minutes": the largest unit that fits, rounded down.
pub(super) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (count, unit) = match seconds {
        0..60 => return "less than a minute".into(),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

/// How long something still lasts: rounded up, so that half an hour is not 29 minutes at once.
pub(super) fn left(time: Duration) -> String {
    span(time + Duration::from_secs(59))
}

/// Whole seconds, rounded up: who waits so long is not too early.
pub(super) const fn seconds(time: Duration) -> u64 {
    time.as_secs() + if time.subsec_nanos() > 0 { 1 } else { 0 }
}

/// How long to wait: seconds as long as they can be counted, then minutes.
pub(super) fn wait(time: Duration) -> String {
    match seconds(time) {
        1 => "1 second".into(),
        seconds @ ..=120 => format!("{seconds} seconds"),
        _ => left(time),
    }
}

/// "5 minutes ago".
pub(super) fn ago(time: Duration) -> String {
    if time.as_secs() < 60 { "just now".into() } else { format!("{} ago", span(time)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_their_largest_unit() {
        let say = |seconds| span(Duration::from_secs(seconds));
        assert_eq!(say(59), "less than a minute");
        assert_eq!((say(60), say(119)), ("1 minute".into(), "1 minute".into()));
        assert_eq!((say(7_200), say(86_400 * 29)), ("2 hours".into(), "29 days".into()));
        assert_eq!(left(Duration::from_secs(1_799)), "30 minutes");
        assert_eq!(wait(Duration::from_millis(900)), "1 second");
        assert_eq!(wait(Duration::from_millis(1_001)), "2 seconds");
        assert_eq!(wait(Duration::from_secs(900)), "15 minutes");
        assert_eq!(ago(Duration::from_secs(3)), "just now");
        assert_eq!(ago(Duration::from_secs(180)), "3 minutes ago");
    }

    #[test]
    fn every_reason_has_its_own_words() {
        for reason in EndReason::ALL {
            let same = |other: &&EndReason| why(**other) == why(reason);
            assert_eq!(EndReason::ALL.iter().filter(same).count(), 1, "{reason:?}");
        }
    }
}
