//! Sessions and events as pages show them: in words, with what may be followed as a link.

use std::fmt;
use std::net::IpAddr;

use handstamp_core::Listed;
use handstamp_core::event::{Action, Event};
use handstamp_core::policy::Standing;
use handstamp_core::record::{Client, Location, Record};
use handstamp_core::time::Timestamp;
use handstamp_protocol::{paths, sessions as wire};

use super::wording;
use crate::answer;
use crate::client::device_words;
use crate::risk;

/// The page of one session.
pub(super) const SESSION: &str = "/admin/ui/sessions/{id}";
/// The page of one subject.
pub(super) const SUBJECT: &str = "/admin/ui/subjects/{subject}";

/// A point in time, as the element that a script turns into the reader's own words. Where there is
/// no script it is told in UTC.
pub(super) struct When {
    iso: String,
    is_exact: bool,
}

impl When {
    pub(super) fn of(at: Timestamp) -> Self {
        Self { iso: answer::time(at).to_string(), is_exact: false }
    }

    /// The same, with date and time rather than how long ago.
    pub(super) fn exact(at: Timestamp) -> Self {
        Self { is_exact: true, ..Self::of(at) }
    }

    /// As it stands in attributes.
    pub(super) fn iso(&self) -> &str {
        &self.iso
    }
}

/// The HTML of it. Holds nothing but digits, so templates take it as safe.
impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = if self.is_exact { " data-exact" } else { "" };
        let plain = self.iso.get(..16).unwrap_or(&self.iso).replace('T', " ");
        write!(f, r#"<time datetime="{}"{exact}>{plain} UTC</time>"#, self.iso)
    }
}

/// Where somebody is, as far as an address tells.
pub(super) struct Place {
    pub(super) ip: Option<IpAddr>,
    pub(super) city: Option<String>,
    pub(super) country: Option<String>,
}

impl Place {
    fn of(client: &Client) -> Self {
        let place = client.location.as_deref();
        let text = |of: fn(&Location) -> Option<&std::sync::Arc<str>>| {
            place.and_then(of).map(|text| text.to_string())
        };
        Self {
            ip: client.ip,
            city: text(|place| place.city.as_ref()),
            country: text(|place| place.country.as_ref()),
        }
    }
}

/// What a device is called.
pub(super) fn device(client: &Client) -> String {
    let told = client.device.as_deref().map(str::to_owned);
    let read = || client.user_agent.as_deref().and_then(device_words);
    told.or_else(read).unwrap_or_else(|| "Unknown device".into())
}

/// How a session stands, in two words with a colour.
pub(super) struct Badge {
    pub(super) class: &'static str,
    pub(super) text: &'static str,
}

impl Badge {
    fn of(standing: &Standing) -> Self {
        match standing {
            Standing::Live => Self { class: "good", text: "live" },
            Standing::Suspended => Self { class: "warn", text: "set aside" },
            Standing::Over { ended, .. } => {
                let class = if ended.reason.as_str() == "reuse" { "bad" } else { "" };
                Self { class, text: wording::ended_in_short(ended.reason) }
            }
        }
    }
}

/// A session of a list.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) link: String,
    /// Whose, and the page about them.
    pub(super) subject: Option<(String, String)>,
    pub(super) name: Option<String>,
    pub(super) label: Option<String>,
    pub(super) kind: &'static str,
    pub(super) device: String,
    pub(super) place: Place,
    pub(super) began: When,
    pub(super) seen: When,
    pub(super) badge: Badge,
    pub(super) is_over: bool,
    pub(super) is_current: bool,
}

impl Row {
    /// `current` is the session that looks at the list.
    pub(super) fn of(one: &Listed, current: Option<handstamp_core::SessionId>) -> Self {
        Self::judged(&one.record, &one.standing, current)
    }

    /// A session as the API tells of it, which is live.
    pub(super) fn told(one: &wire::Session) -> Self {
        let place = one.location.as_ref();
        Self {
            link: paths::with(SESSION, &one.id),
            id: one.id.clone(),
            subject: one.subject.as_deref().map(subject_link),
            name: one.name.clone(),
            label: one.label.clone(),
            kind: if one.kind == wire::Kind::Guest { "guest" } else { "user" },
            device: one.device_info.clone().unwrap_or_else(|| "Unknown device".into()),
            place: Place {
                ip: one.ip_address,
                city: place.and_then(|place| place.city.clone()),
                country: place.and_then(|place| place.country.clone()),
            },
            began: When::of(answer::timestamp(one.created_at)),
            seen: When::of(answer::timestamp(one.last_activity)),
            badge: Badge::of(&Standing::Live),
            is_over: false,
            is_current: one.is_current,
        }
    }

    fn judged(
        record: &Record,
        standing: &Standing,
        current: Option<handstamp_core::SessionId>,
    ) -> Self {
        let id = record.id.to_string();
        Self {
            link: paths::with(SESSION, &id),
            id,
            subject: record.subject.as_ref().map(|subject| subject_link(subject.as_str())),
            name: record.profile.name.as_deref().map(str::to_owned),
            label: record.label.as_deref().map(str::to_owned),
            kind: record.kind.as_str(),
            device: device(&record.client),
            place: Place::of(&record.client),
            began: When::of(record.created_at),
            seen: When::of(record.last_seen),
            badge: Badge::of(standing),
            is_over: matches!(standing, Standing::Over { .. }),
            is_current: Some(record.id) == current,
        }
    }
}

/// A subject and the page about it.
pub(super) fn subject_link(subject: &str) -> (String, String) {
    (subject.to_owned(), paths::with(SUBJECT, subject))
}

/// A line of the log.
pub(super) struct Line {
    pub(super) id: String,
    pub(super) words: String,
    /// Its name in the log.
    pub(super) action: String,
    /// `good`, `bad`, `warn` or nothing.
    pub(super) tone: &'static str,
    /// More about it, for people.
    pub(super) more: Option<String>,
    pub(super) when: When,
    pub(super) subject: Option<(String, String)>,
    pub(super) session: Option<(String, String)>,
    pub(super) actor: Option<String>,
    pub(super) device: Option<String>,
    pub(super) place: Option<Place>,
    pub(super) details: Vec<(String, String)>,
}

impl Line {
    pub(super) fn of(event: &Event) -> Self {
        let action = event.action.to_string();
        let client = event.personal.as_ref().map(|personal| &personal.client);
        let known = client.filter(|client| client.device.is_some() || client.user_agent.is_some());
        let session = event.session.map(|id| id.to_string());
        Self {
            id: event.id.to_string(),
            words: wording::action(&action),
            tone: tone(event),
            more: more(event),
            when: When::of(event.at),
            subject: event.subject.as_ref().map(|subject| subject_link(subject.as_str())),
            session: session.map(|id| (id.clone(), paths::with(SESSION, &id))),
            actor: actor(event),
            device: known.map(device),
            place: client.map(Place::of),
            details: details(event),
            action,
        }
    }
}

/// Who did it, where that is not the subject itself.
fn actor(event: &Event) -> Option<String> {
    let subject = event.subject.as_ref().map(handstamp_core::Subject::as_str);
    event.actor.as_deref().filter(|actor| Some(*actor) != subject).map(str::to_owned)
}

fn tone(event: &Event) -> &'static str {
    let severity = event.details.get("severity").and_then(|it| it.as_str());
    let reason = event.details.get("reason").and_then(|it| it.as_str());
    match (&event.action, severity, reason) {
        (Action::RefreshReused, ..) | (Action::Risk(_), Some("high"), _) => "bad",
        (Action::SessionEnded, _, Some("reuse")) => "bad",
        (
            Action::SignInFailed
            | Action::SignInRefused
            | Action::RequestCrossSite
            | Action::SessionSuspended
            | Action::SubjectDisabled,
            ..,
        )
        | (Action::Risk(_), Some("medium"), _) => "warn",
        (Action::SessionStarted | Action::SessionResumed | Action::GuestUpgraded, ..) => "good",
        _ => "",
    }
}

/// What there is to say beyond the name of what happened.
fn more(event: &Event) -> Option<String> {
    let text = |name: &str| event.details.get(name).and_then(|it| it.as_str()).map(str::to_owned);
    match &event.action {
        Action::Risk(_) => risk::explain(event),
        Action::SessionEnded => text("reason").map(|reason| in_short(&reason)),
        Action::SignInFailed => event.error.as_deref().map(|error| error.replace('_', " ")),
        _ => text("reason"),
    }
}

fn in_short(reason: &str) -> String {
    use handstamp_core::record::EndReason;
    let known = EndReason::ALL.into_iter().find(|known| known.as_str() == reason);
    known.map_or_else(|| reason.to_owned(), |known| wording::ended_in_short(known).to_owned())
}

fn details(event: &Event) -> Vec<(String, String)> {
    let shown = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    event.details.iter().map(|(name, value)| (name.replace('_', " "), shown(value))).collect()
}
