//! Rules about where somebody is.

use std::time::Duration;

use handstamp_core::time::Timestamp;

use crate::geo::Point;
use crate::risk::words::{grouped, span};
use crate::risk::{BeginSignal, Finding, History, RefreshSignal, RiskConfig, Rule};

/// A sign-in from a country that the subject did not sign in from before.
///
/// Silent for a first sign-in, and where no country is known on either side.
pub fn new_country(signal: &BeginSignal<'_>, history: &History) -> Option<Finding> {
    let country = signal.place?.location.country.as_deref()?;
    let known = history.0.iter().filter(|seen| seen.country.is_some()).count();
    if known == 0 || history.knows_country(country) {
        return None;
    }
    Some(Finding::new(Rule::NewCountry, "a country not seen before").with("known", known))
}

/// From one place to another, in the time between.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Journey {
    /// How far it is at least, in kilometres.
    pub least_km: f64,
    /// How far it is between the points, in kilometres.
    pub km: f64,
    /// How long it took.
    pub time: Duration,
}

impl Journey {
    /// From the last sign-in of the subject to this one; `None` where either place is unknown.
    pub fn of_begin(signal: &BeginSignal<'_>, history: &History) -> Option<Self> {
        let (last, from) = history.last_place()?;
        Some(Self::between((from, last.at), (signal.place?.point?, signal.at)))
    }

    /// From where the session began to where it is refreshed.
    pub fn of_refresh(signal: &RefreshSignal<'_>) -> Option<Self> {
        let from = (signal.began.point?, signal.began.at);
        Some(Self::between(from, (signal.place?.point?, signal.at)))
    }

    /// Two sign-ins that raced each other may stand in either order, so the time between them
    /// counts without its sign.
    fn between(from: (Point, Timestamp), to: (Point, Timestamp)) -> Self {
        let time = to.1.since(from.1).max(from.1.since(to.1));
        Self { least_km: from.0.least_km(&to.0), km: from.0.distance_km(&to.0), time }
    }
}

/// A journey that nobody makes: farther than `min_distance_km` beyond what both places may be off,
/// and faster than `max_speed_kmh`.
pub fn impossible_travel(journey: &Journey, config: &RiskConfig) -> Option<Finding> {
    // Whatever is told in the same second was nearly as far apart a second later.
    let hours = journey.time.max(Duration::from_secs(1)).as_secs_f64() / 3_600.0;
    let is_far = journey.least_km > f64::from(config.min_distance_km);
    let is_fast = journey.least_km > f64::from(config.max_speed_kmh) * hours;
    if !is_far || !is_fast {
        return None;
    }
    let (km, minutes) = (rounded(journey.km), journey.time.as_secs() / 60);
    let words = format!("{} km from the last place, {} later", grouped(km), span(journey.time));
    let finding = Finding::new(Rule::ImpossibleTravel, words);
    Some(finding.with("distance_km", km).with("minutes", minutes))
}

/// Whole kilometres, in steps of ten: more would claim to know more than an address tells.
fn rounded(km: f64) -> u64 {
    (km / 10.0).round() as u64 * 10
}
