//! Requests that were answered: how many, by method, route and status; how long they took, by
//! route.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use http::Method;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::BUCKETS;

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Asked {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Route {
    route: String,
}

/// Both series.
#[derive(Debug)]
pub(super) struct Requests {
    answered: Family<Asked, Counter>,
    seconds: Family<Route, Histogram, fn() -> Histogram>,
    /// The same figures once more, by route: every request looks for its own, and does so without
    /// a copy of the route's text.
    known: RwLock<HashMap<String, Known>>,
}

/// The figures of one route.
#[derive(Debug)]
struct Known {
    seconds: Histogram,
    /// By method and status, which for one route are few.
    answered: Vec<(&'static str, u16, Counter)>,
}

impl Requests {
    /// Registers both.
    pub(super) fn new(registry: &mut Registry) -> Self {
        let answered = Family::default();
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        let seconds = Family::new_with_constructor(histogram);
        registry.register("requests", "Requests answered", answered.clone());
        registry.register_with_unit(
            "request_duration",
            "Time from a request's head to its answer's",
            Unit::Seconds,
            seconds.clone(),
        );
        Self { answered, seconds, known: RwLock::default() }
    }

    /// Counts one. `route` is the pattern, never the path: a path holds ids without end.
    pub(super) fn count(&self, method: &Method, route: &str, status: u16, took: Duration) {
        let method = label(method);
        if !self.count_known(method, route, status, took) {
            self.know(method, route, status);
            self.count_known(method, route, status, took);
        }
    }

    fn count_known(&self, method: &'static str, route: &str, status: u16, took: Duration) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = known.get(route) else { return false };
        let Some(answered) = known.answered(method, status) else { return false };
        answered.inc();
        known.seconds.observe(took.as_secs_f64());
        true
    }

    fn know(&self, method: &'static str, route: &str, status: u16) {
        let route = route.to_owned();
        let seconds = self.seconds.get_or_create_owned(&Route { route: route.clone() });
        let asked = Asked { method, route, status };
        let counter = self.answered.get_or_create_owned(&asked);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let known =
            known.entry(asked.route).or_insert_with(|| Known { seconds, answered: Vec::new() });
        if known.answered(method, status).is_none() {
            known.answered.push((method, status, counter));
        }
    }
}

impl Known {
    fn answered(&self, method: &str, status: u16) -> Option<&Counter> {
        let mut all = self.answered.iter();
        all.find(|one| one.1 == status && one.0 == method).map(|(.., counter)| counter)
    }
}

/// The method as a label. One that HTTP does not know is none: clients could make up any number.
const fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
