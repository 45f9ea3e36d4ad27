//! Reasons and events, as people say them.

use handstamp_core::record::EndReason;

/// Why a session ended, said to an operator.
pub(super) const fn ended(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Logout => "The holder signed out.",
        EndReason::LogoutAll => "The holder signed out everywhere.",
        EndReason::Revoked => "The holder ended it from another device.",
        EndReason::Replaced => "A new sign-in on the same device took over from it.",
        EndReason::Limit => "The subject had as many sessions as it may have, and a new one began.",
        EndReason::Reuse => {
            "A superseded token came back: somebody else may hold a copy of it, so the session \
             ended to be safe."
        }
        EndReason::Disabled => "The subject was disabled.",
        EndReason::Admin => "An operator ended it.",
        EndReason::Idle => "Nothing was heard of it for its idle lifetime.",
        EndReason::Absolute => "It had reached its absolute lifetime.",
    }
}

/// The same in a few words, for lists.
pub(super) const fn ended_in_short(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Logout => "signed out",
        EndReason::LogoutAll => "signed out everywhere",
        EndReason::Revoked => "ended from another device",
        EndReason::Replaced => "replaced by a new sign-in",
        EndReason::Limit => "too many sessions",
        EndReason::Reuse => "token reuse",
        EndReason::Disabled => "subject disabled",
        EndReason::Admin => "ended by an operator",
        EndReason::Idle => "idle too long",
        EndReason::Absolute => "reached its age limit",
    }
}

/// Why a session ended, by the reason's name, said to its holder.
pub(super) fn ended_for_holder(reason: &str) -> &'static str {
    match EndReason::ALL.into_iter().find(|known| known.as_str() == reason) {
        Some(EndReason::Logout) => "You signed out in this browser.",
        Some(EndReason::LogoutAll) => "You signed out everywhere, and this was one of the places.",
        Some(EndReason::Revoked) => "You signed this device out from another one.",
        Some(EndReason::Replaced) => "You signed in again in this browser.",
        Some(EndReason::Limit) => "You signed in on more devices than an account may have.",
        Some(EndReason::Reuse) => {
            "An outdated copy of this device's credential turned up, so it was signed out to be \
             safe."
        }
        Some(EndReason::Disabled) => "Your account was closed.",
        Some(EndReason::Admin) => "An operator ended this session.",
        Some(EndReason::Idle) => "Nothing happened here for a while.",
        Some(EndReason::Absolute) => "It has been long since you signed in.",
        None => "Sign in to the application in this browser, then come back.",
    }
}

/// What an event tells of, by the name of its action.
pub(super) fn action(name: &str) -> String {
    let words = match name {
        "session.started" => "Signed in",
        "guest.started" => "Began as a guest",
        "guest.upgraded" => "A guest became a user",
        "session.refreshed" => "Refreshed",
        "session.rotated" => "Got a new token",
        "session.ended" => "Ended",
        "session.suspended" => "Set aside",
        "session.resumed" => "Taken back",
        "sign_in.failed" => "Sign-in failed",
        "sign_in.refused" => "Sign-in refused",
        "session.used_after_end" => "Used after its end",
        "access.denied" => "Access denied",
        "request.cross_site" => "A request from another site was refused",
        "request.limited" => "Asked too often",
        "service.started" => "The service started",
        "service.stopped" => "The service stopped",
        "refresh.reused" => "A superseded token came back",
        "step_up" => "Confirmed who they are",
        "roles.changed" => "Roles changed",
        "subject.disabled" => "Disabled",
        "subject.enabled" => "Enabled again",
        "subject.erased" => "Personal data erased",
        "audit.checkpoint" => "A checkpoint of the log was signed",
        "personal.expired" => "Personal data erased, being past its age",
        "subject.ended" => "Signed out everywhere",
        "deployment.ended" => "Everybody was signed out",
        "device.new" => "New device",
        "risk.new_device" => "From a device not seen before",
        "risk.new_country" => "From a new country",
        "risk.impossible_travel" => "Faster than anybody travels",
        "risk.many_failures" => "Many failed sign-ins",
        "risk.many_subjects" => "Many users tried from one address",
        "risk.user_agent_change" => "Another browser in mid-session",
        "risk.refresh_reuse" => "A refresh token was used twice",
        other => return unnamed(other),
    };
    words.to_owned()
}

/// "admin.sessions_ended" as "Operator: sessions ended".
fn unnamed(name: &str) -> String {
    let (sort, rest) = name.split_once('.').unwrap_or(("", name));
    let rest = rest.replace('_', " ");
    match sort {
        "risk" => format!("Risk: {rest}"),
        "admin" => format!("Operator: {rest}"),
        _ => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_core::event::Action;

    #[test]
    fn every_reason_and_every_action_has_its_own_words() {
        for reason in EndReason::ALL {
            let same = |other: &&EndReason| ended(**other) == ended(reason);
            assert_eq!(EndReason::ALL.iter().filter(same).count(), 1, "{reason:?}");
            assert_ne!(ended_for_holder(reason.as_str()), ended_for_holder("none"));
        }
        for name in Action::names() {
            assert_ne!(action(name), unnamed(name), "{name}");
        }
        assert_eq!(action("admin.sessions_ended"), "Operator: sessions ended");
    }
}
