//! Random events, and what they add up to, counted one by one: what reports are held against.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::sample;
use crate::event::{Action, Event, Personal};
use crate::id::{Partition, SessionId};
use crate::ledger::report::{MOST_NAMES, Span};
use crate::ledger::{Point, Report};
use crate::random::SystemRng;
use crate::record::{Client, Location};
use crate::time::Timestamp;

/// Events of some weeks, in the order of the log.
pub(super) struct Happened {
    pub(super) events: Vec<Event>,
    dice: u64,
}

impl Happened {
    /// `count` events, always the same for a `seed`.
    pub(super) fn random(seed: u64, count: usize) -> Self {
        let mut happened = Self { events: Vec::new(), dice: seed };
        let (mut at, mut open) = (sample::BEGIN, Vec::new());
        for _ in 0..count {
            at = at.plus(Duration::from_secs(happened.roll(7200)));
            // Clocks step, and writers are not in step.
            let told = at.minus(Duration::from_secs(happened.roll(4000)));
            let event = happened.one(told, &mut open);
            happened.events.push(event);
        }
        happened
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.dice ^ (self.dice >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed >> 32) % sides
    }

    fn one(&mut self, at: Timestamp, open: &mut Vec<Event>) -> Event {
        match self.roll(20) {
            0..=6 => {
                let action = match self.roll(6) {
                    0 => Action::GuestStarted,
                    1 => Action::GuestUpgraded,
                    _ => Action::SessionStarted,
                };
                let event = self.by_somebody(action, at);
                open.push(event.clone());
                event
            }
            7..=11 if !open.is_empty() => {
                let which = usize::try_from(self.roll(open.len() as u64)).expect("few");
                let begun = open.swap_remove(which);
                let mut event = sample::event(Action::SessionEnded, at);
                (event.subject, event.session) = (begun.subject, begun.session);
                if self.roll(2) == 0 {
                    event.details.insert("lasted_ms".into(), self.roll(90_000_000).into());
                }
                event
            }
            12..=16 => {
                let mut event = self.by_somebody(Action::SignInFailed, at);
                event.is_success = false;
                event.error = (self.roll(4) > 0).then(|| format!("why{}", self.roll(3)).into());
                event
            }
            17 => sample::event(Action::DeploymentEnded, at),
            18 => self.by_somebody(Action::SessionEnded, at),
            _ => self.by_somebody(Action::SessionRefreshed, at),
        }
    }

    fn by_somebody(&mut self, action: Action, at: Timestamp) -> Event {
        let mut event = sample::event(action, at);
        event.error = None;
        let partition = Partition::draw(&SystemRng).expect("random bytes");
        event.session = Some(SessionId::generate(partition, &SystemRng).expect("random bytes"));
        let who = self.roll(6);
        event.subject = (who > 0).then(|| sample::subject(&format!("user{who}")));
        let country =
            |n: u64| Location { country: Some(format!("C{n}").into()), ..Location::default() };
        let client = Client {
            ip: (self.roll(8) > 0)
                .then(|| [192, 0, 2, u8::try_from(self.roll(5)).expect("few")].into()),
            device: (self.roll(5) > 0).then(|| format!("Device {}", self.roll(3)).into()),
            location: (self.roll(3) > 0).then(|| Arc::new(country(self.roll(3)))),
            ..Client::default()
        };
        event.set_personal(Personal { client, identifier: None });
        event
    }

    /// The points of `report`, counted anew. Medians are left out.
    pub(super) fn points(&self, report: Report, span: Span) -> Vec<Point> {
        if report == Report::LiveDevices {
            let devices = self.live().into_values().map(|device| (device, 1, false, None));
            return top(span.to, devices).into_iter().map(bare).collect();
        }
        span.starts()
            .flat_map(|at| self.of_bucket(report, at, at.plus(span.bucket.length())))
            .collect()
    }

    fn of_bucket(&self, report: Report, at: Timestamp, end: Timestamp) -> Vec<Point> {
        let here = |event: &&Event| (at..end).contains(&event.at);
        let events = self.events.iter().filter(here);
        let tries = events.clone().filter(|event| is_sign_in(event) || is_failure(event));
        let named = |name: Option<Arc<str>>, event: &Event| {
            (name, 1, is_failure(event), event.subject.as_ref().map(|it| it.as_str().to_owned()))
        };
        match report {
            Report::Logins => {
                let signed_in = tries.clone().filter(|event| is_sign_in(event));
                let users: BTreeSet<_> =
                    signed_in.clone().map(|event| event.subject.clone()).collect();
                let mut point = Point::new(at, None, signed_in.count() as u64);
                point.failed = Some(tries.filter(|event| is_failure(event)).count() as u64);
                point.subjects = Some(users.len() as u64);
                vec![point]
            }
            Report::Active => vec![Point::new(at, None, self.live_at(end))],
            Report::Durations => vec![durations(at, self.lasted(at, end))],
            Report::Devices => {
                top(at, events.filter(|it| is_start(it)).map(|it| named(device(it), it)))
                    .into_iter()
                    .map(bare)
                    .collect()
            }
            Report::Countries => {
                top(at, events.filter(|it| is_start(it)).map(|it| named(country(it), it)))
                    .into_iter()
                    .map(bare)
                    .collect()
            }
            Report::Failures => {
                let failures = events.filter(|event| is_failure(event));
                top(at, failures.map(|it| named(it.error.clone(), it)))
                    .into_iter()
                    .map(bare)
                    .collect()
            }
            Report::Users => {
                let known = tries.filter_map(|it| Some((it.subject.clone()?, it)));
                let points = top(at, known.map(|(who, it)| named(Some(who.as_str().into()), it)));
                points.into_iter().map(|point| Point { subjects: None, ..point }).collect()
            }
            Report::Ips => {
                let known = tries.filter_map(|it| Some((client(it)?.ip?, it)));
                top(at, known.map(|(ip, it)| named(Some(ip.to_string().into()), it)))
            }
            Report::LiveDevices => Vec::new(),
        }
    }

    /// The sessions that live after the last event, with their devices.
    fn live(&self) -> HashMap<SessionId, Option<Arc<str>>> {
        let mut live = HashMap::new();
        self.events.iter().for_each(|event| apply(&mut live, event));
        live
    }

    fn live_at(&self, end: Timestamp) -> u64 {
        let (mut live, mut sum) = (HashMap::new(), 0_i64);
        for event in &self.events {
            let before = live.len();
            apply(&mut live, event);
            if event.at < end {
                sum += live.len().cast_signed() as i64 - before.cast_signed() as i64;
            }
        }
        sum.try_into().unwrap_or(0)
    }

    /// How long sessions lasted that ended from `at` to `end`, in milliseconds.
    fn lasted(&self, at: Timestamp, end: Timestamp) -> Vec<u64> {
        let (mut begun, mut lasted) = (HashMap::new(), Vec::new());
        for event in &self.events {
            if is_start(event) {
                begun.insert(event.session, event.at);
            } else if event.action == Action::SessionEnded
                && let Some(since) = begun.remove(&event.session)
                && (at..end).contains(&event.at)
            {
                let told = event.details.get("lasted_ms").and_then(serde_json::Value::as_u64);
                let by_log = event.at.since(since).as_millis();
                lasted.push(told.unwrap_or_else(|| u64::try_from(by_log).expect("weeks")));
            }
        }
        lasted
    }
}

fn apply(live: &mut HashMap<SessionId, Option<Arc<str>>>, event: &Event) {
    match (&event.action, event.session) {
        (Action::DeploymentEnded, _) => live.clear(),
        (Action::SessionEnded, Some(id)) => drop(live.remove(&id)),
        (_, Some(id)) if is_start(event) => drop(live.insert(id, device(event))),
        _ => {}
    }
}

fn is_sign_in(event: &Event) -> bool {
    matches!(event.action, Action::SessionStarted | Action::GuestUpgraded)
        && event.subject.is_some()
}

fn is_failure(event: &Event) -> bool {
    event.action == Action::SignInFailed
}

fn is_start(event: &Event) -> bool {
    is_sign_in(event) || event.action == Action::GuestStarted && event.subject.is_some()
}

fn client(event: &Event) -> Option<&Client> {
    event.personal.as_ref().map(|personal| &personal.client)
}

fn device(event: &Event) -> Option<Arc<str>> {
    client(event)?.device.clone()
}

fn country(event: &Event) -> Option<Arc<str>> {
    client(event)?.location.as_ref()?.country.clone()
}

type Counted = (Option<Arc<str>>, u64, bool, Option<String>);

/// The points of what was counted by name, the greatest first.
fn top(at: Timestamp, all: impl Iterator<Item = Counted>) -> Vec<Point> {
    let mut names = BTreeMap::<_, (u64, u64, BTreeSet<String>)>::new();
    for (name, count, is_failure, who) in all {
        let of = names.entry(name).or_default();
        (of.0, of.1) = (of.0 + count, of.1 + u64::from(is_failure));
        of.2.extend(who);
    }
    let point = |(name, (count, failed, who)): (_, (_, _, BTreeSet<_>))| Point {
        failed: Some(failed),
        subjects: Some(who.len() as u64),
        ..Point::new(at, name, count)
    };
    let mut points: Vec<_> = names.into_iter().map(point).collect();
    points.sort_by_key(|point| std::cmp::Reverse(point.count));
    points.truncate(MOST_NAMES);
    points
}

fn bare(point: Point) -> Point {
    Point::new(point.at, point.name, point.count)
}

fn durations(at: Timestamp, lasted: Vec<u64>) -> Point {
    let mut point = Point::new(at, None, lasted.len() as u64);
    point.mean = lasted.iter().sum::<u64>().checked_div(point.count).map(Duration::from_millis);
    point
}
