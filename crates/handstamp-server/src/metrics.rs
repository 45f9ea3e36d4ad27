//! What the service counts, in the text format of Prometheus.

mod requests;
mod standing;
mod store;

use std::fmt::Write;
use std::time::Duration;

use handstamp_core::SessionManager;
use http::Method;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::feed::Feed;
use requests::Requests;
use standing::Standing;
pub use store::{Measured, StoreFigures};

/// The type of [`Metrics::text`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Bounds of the time a request takes, in seconds: from a cached check to a stalled disk.
const BUCKETS: [f64; 12] =
    [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0];

/// One thing that happened to a session, by the name of its event.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Happened {
    action: String,
}

/// Counters and gauges of one service.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Requests,
    events: Family<Happened, Counter>,
    standing: Standing,
    /// Event streams that are open.
    pub(crate) streams: Gauge,
}

impl Metrics {
    /// Nothing yet, but what `store` has counted.
    pub(crate) fn new(store: &StoreFigures) -> Self {
        let mut registry = Registry::with_prefix("handstamp");
        let requests = Requests::new(&mut registry);
        let events = Family::default();
        let (standing, streams) = (Standing::default(), Gauge::default());
        registry.register("events", "Events committed, by action", events.clone());
        standing.register(&mut registry);
        store.register(&mut registry);
        registry.register("open_streams", "Event streams that are open", streams.clone());
        Self { registry, requests, events, standing, streams }
    }

    /// Counts a request that was answered. `route` is the pattern, never the path: a path holds
    /// ids without end.
    pub(crate) fn request(&self, method: &Method, route: &str, status: u16, took: Duration) {
        self.requests.count(method, route, status, took);
    }

    /// Counts an event.
    pub(crate) fn event(&self, action: &str) {
        self.events.get_or_create(&Happened { action: action.to_owned() }).inc();
    }

    /// Everything, as Prometheus reads it.
    pub(crate) async fn text(&self, sessions: &SessionManager, feed: &Feed) -> String {
        self.standing.look(sessions, feed).await;
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            text.clear();
            let _ = write!(text, "# EOF");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_core::{KeyRing, SessionConfig, store::MemoryStore};

    #[tokio::test]
    async fn requests_are_counted_by_pattern_and_made_up_methods_are_one() {
        let metrics = Metrics::new(&StoreFigures::default());
        let method = |name: &str| Method::from_bytes(name.as_bytes()).unwrap();
        for name in ["GET", "GET", "BREW", "PROPFIND"] {
            metrics.request(&method(name), "/sessions/{id}", 200, Duration::from_micros(80));
        }
        let keys = KeyRing::generate().unwrap();
        let sessions = SessionManager::new(MemoryStore::new(), SessionConfig::default(), keys);
        let feed = Feed::new(&sessions, Duration::from_secs(60)).unwrap();
        let text = metrics.text(&sessions, &feed).await;
        let line = |method: &str, count: u32| {
            format!(
                "handstamp_requests_total{{method=\"{method}\",route=\"/sessions/{{id}}\",status=\"200\"}} {count}"
            )
        };
        assert!(text.contains(&line("GET", 2)), "{text}");
        assert!(text.contains("method=\"other\""), "{text}");
        assert!(text.contains("handstamp_request_duration_seconds_bucket"), "{text}");
        assert!(text.trim_end().ends_with("# EOF"));
    }
}
