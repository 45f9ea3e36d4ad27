//! Traces: a span for each request, for a receiver of OpenTelemetry.
//!
//! A span tells method, pattern of the path, status and time, and nothing else: no path, no query,
//! no header, no address, no subject, no id of a session. It goes out as OTLP over HTTP, in JSON.
//! docs/decisions/0013 says why without a crate for it.

mod otlp;
mod parent;
mod sender;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use handstamp_core::random::{Rng, SystemRng};
use handstamp_core::time::Timestamp;
use http::Method;
use tokio::sync::mpsc;

use crate::service::{Service, peer};
use crate::settings;
use parent::Parent;

/// How many spans wait to be sent; what comes beyond that is dropped.
const WAITING: usize = 4_096;

/// A request that was answered.
#[derive(Clone, Debug)]
struct Span {
    trace: [u8; 16],
    id: [u8; 8],
    parent: Option<[u8; 8]>,
    method: Method,
    route: Option<Arc<str>>,
    status: u16,
    began: Timestamp,
    took: Duration,
}

/// Takes spans and sends them.
#[derive(Debug)]
pub(crate) struct Telemetry {
    sample_percent: u8,
    spans: mpsc::Sender<Span>,
    waiting: std::sync::Mutex<Option<mpsc::Receiver<Span>>>,
    target: sender::Target,
}

impl Telemetry {
    /// What these settings ask for; `None` where they name no receiver.
    pub(crate) fn open(settings: &settings::Telemetry) -> Option<Self> {
        let url = settings.otlp_endpoint.as_ref()?;
        let (spans, waiting) = mpsc::channel(WAITING);
        Some(Self {
            sample_percent: settings.sample_percent,
            spans,
            waiting: std::sync::Mutex::new(Some(waiting)),
            target: sender::Target {
                url: format!("{}/v1/traces", url.as_str()),
                service: settings.service_name.clone(),
            },
        })
    }

    /// Sends what is taken until `stopping` resolves, and what waits then. The second call does
    /// nothing.
    pub(crate) async fn run(&self, stopping: impl Future<Output = ()> + Send) {
        let waiting = self.waiting.lock().ok().and_then(|mut waiting| waiting.take());
        if let Some(waiting) = waiting {
            sender::run(waiting, &self.target, stopping).await;
        }
    }

    /// The place of a span in its trace; `None` where nobody wants it.
    fn place(&self, parent: Option<Parent>) -> Option<Place> {
        let mut id = [0; 8];
        SystemRng.fill(&mut id).ok()?;
        if let Some(parent) = parent {
            let Parent { trace, span, is_sampled } = parent;
            return is_sampled.then_some(Place { trace, id, parent: Some(span) });
        }
        let mut trace = [0; 16];
        SystemRng.fill(&mut trace).ok()?;
        let [.., last] = trace;
        let is_wanted = u32::from(last) * 100 < u32::from(self.sample_percent) * 256;
        is_wanted.then_some(Place { trace, id, parent: None })
    }
}

/// Where a span stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Place {
    trace: [u8; 16],
    id: [u8; 8],
    parent: Option<[u8; 8]>,
}

/// Notes a span of the request.
///
/// # Security
/// The trace that a request says it belongs to counts only where a trusted proxy says so: anybody
/// else could write into other people's traces, or have everything sampled.
pub(crate) async fn pass(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(telemetry) = &service.telemetry else { return next.run(request).await };
    let parts = request.into_parts();
    let is_trusted = service.proxies().contains(peer(&parts.0));
    let parent = is_trusted.then(|| parent::read(&parts.0.headers)).flatten();
    let (method, route) =
        (parts.0.method.clone(), parts.0.extensions.get::<MatchedPath>().cloned());
    let request = Request::from_parts(parts.0, parts.1);
    let Some(Place { trace, id, parent }) = telemetry.place(parent) else {
        return next.run(request).await;
    };
    let (began, clock) = (service.sessions.now(), Instant::now());
    let response = next.run(request).await;
    let span = Span {
        trace,
        id,
        parent,
        method,
        route: route.map(|route| route.as_str().into()),
        status: response.status().as_u16(),
        began,
        took: clock.elapsed(),
    };
    // A receiver that is slow or away costs no request anything but its span.
    let _ = telemetry.spans.try_send(span);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn telemetry(sample_percent: u8) -> Telemetry {
        let (spans, _) = mpsc::channel(1);
        let target = sender::Target { url: String::new(), service: String::new() };
        Telemetry { sample_percent, spans, waiting: std::sync::Mutex::default(), target }
    }

    #[test]
    fn a_share_of_the_traces_that_begin_here_is_kept() {
        let kept = |percent| (0..400).filter(|_| telemetry(percent).place(None).is_some()).count();
        assert_eq!((kept(0), kept(100)), (0, 400));
        assert!((100..300).contains(&kept(50)));
    }

    #[test]
    fn a_trace_that_began_elsewhere_is_kept_where_it_is_kept_there() {
        let parent = |is_sampled| Some(Parent { trace: [7; 16], span: [9; 8], is_sampled });
        let place = telemetry(0).place(parent(true)).unwrap();
        assert_eq!((place.trace, place.parent), ([7; 16], Some([9; 8])));
        assert_eq!(telemetry(100).place(parent(false)), None);
    }
}
