//! What all calls share, and how it becomes a router.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit};
use axum::middleware::from_fn_with_state;
use handstamp_axum::SessionLayer;
use handstamp_axum::problem::Problem;
use handstamp_axum::site::SiteCheck;
use handstamp_core::SessionManager;
use handstamp_core::ledger::Ledger;
use handstamp_core::record::Client;
use handstamp_core::text::plain;
use handstamp_core::time::Clock;
use http::header::{AUTHORIZATION, COOKIE, ORIGIN, REFERER, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use tokio::sync::watch;

use crate::access::Access;
use crate::audit::Audit;
use crate::client::{self, TrustedProxies};
use crate::dashboard::{self, Found, Links};
use crate::error::StartError;
use crate::feed::Feed;
use crate::geo::Geo;
use crate::hub::Hub;
use crate::idempotency::Idempotency;
use crate::limits::Limits;
use crate::metrics::{Metrics, StoreFigures};
use crate::request::Ids;
use crate::risk::Risk;
use crate::routes::{PassedOn, Places};
use crate::service_keys::ServiceKeys;
use crate::settings::Settings;
use crate::telemetry::{self, Telemetry};
use crate::undo::Undo;
use crate::webhooks::Webhooks;
use crate::{openapi, request, ring, routes};

/// What a service is made of.
pub struct Foundation {
    /// The sessions.
    pub sessions: SessionManager,
    /// What is kept beside them.
    pub ledger: Arc<dyn Ledger>,
    /// The time, by the same clock as the sessions'.
    pub clock: Arc<dyn Clock>,
    /// What is counted of the store of `sessions`, where that is
    /// [measured](StoreFigures::measure).
    pub figures: StoreFigures,
    /// The settings.
    pub settings: Settings,
    /// The address under which the service is reached: `https://id.example.org`.
    pub public_url: String,
}

impl std::fmt::Debug for Foundation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Foundation").field("public_url", &self.public_url).finish_non_exhaustive()
    }
}

/// A session service. Handlers share it.
pub struct Service {
    pub(crate) sessions: SessionManager,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) settings: Settings,
    pub(crate) keys: ServiceKeys,
    pub(crate) access: Access,
    pub(crate) idempotency: Idempotency,
    pub(crate) limits: Limits,
    pub(crate) geo: Geo,
    pub(crate) risk: Risk,
    pub(crate) undo: Undo,
    pub(crate) webhooks: Webhooks,
    pub(crate) hub: Hub,
    pub(crate) feed: Feed,
    pub(crate) passed_on: PassedOn,
    /// Of holders' event streams.
    pub(crate) streams: Places,
    pub(crate) site: SiteCheck,
    pub(crate) metrics: Metrics,
    pub(crate) telemetry: Option<Telemetry>,
    pub(crate) request_ids: Ids,
    /// Of every answer.
    pub(crate) common_headers: HeaderMap,
    pub(crate) links: Links,
    pub(crate) chain: Found,
    pub(crate) audit: Audit,
    proxies: TrustedProxies,
    public_url: String,
    openapi: OnceLock<String>,
    stop: watch::Sender<bool>,
    is_draining: AtomicBool,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("public_url", &self.public_url).finish_non_exhaustive()
    }
}

impl Service {
    /// Opens the service: reads or makes its signing keys, opens the file of places.
    ///
    /// # Errors
    /// [`StartError`], whose text says in one line what to do.
    ///
    /// # Security
    /// A key ring under which the data was not written is refused before anything is: what a wrong
    /// ring seals breaks the audit log for good.
    pub async fn open(foundation: Foundation) -> Result<Arc<Self>, StartError> {
        let Foundation { sessions, ledger, clock, figures, settings, public_url } = foundation;
        ring::recognise(&sessions, &*ledger).await?;
        let (kept, time) = (Arc::clone(&ledger), Arc::clone(&clock));
        let access = Access::open(&sessions, kept, time, &settings.tokens, &public_url).await?;
        let geo = Geo::open(settings.geo.database.as_deref())?;
        let risk = Risk::new((&settings.risk).into(), geo.clone())?;
        risk.seed(&sessions).await?;
        let options = (&settings.webhooks).into();
        let webhooks =
            Webhooks::builder(sessions.clone(), Arc::clone(&ledger), Arc::clone(&clock), options)
                .build()?;
        let audit = Audit::open(&sessions, Arc::clone(&ledger), &settings.audit)?;
        Ok(Arc::new(Self {
            audit,
            keys: ServiceKeys::new(Arc::clone(&ledger), Arc::clone(&clock)),
            idempotency: Idempotency::new(Arc::clone(&ledger), Arc::clone(&clock)),
            limits: Limits::new(&settings.limits),
            proxies: TrustedProxies::new(settings.server.trusted_proxies.clone()),
            undo: Undo::new(Arc::clone(&ledger), Arc::clone(&clock)),
            webhooks,
            hub: Hub::open(&sessions).await?,
            passed_on: PassedOn::new(),
            streams: Places::default(),
            site: site_check(&sessions),
            feed: Feed::new(&sessions, settings.tokens.lifetime)?,
            links: Links::new(Arc::clone(&ledger), Arc::clone(&clock)),
            chain: Found::default(),
            metrics: Metrics::new(&figures),
            telemetry: Telemetry::open(&settings.telemetry),
            request_ids: Ids::default(),
            common_headers: request::common_headers(public_url.starts_with("https://")),
            openapi: OnceLock::new(),
            stop: watch::Sender::new(false),
            is_draining: AtomicBool::new(false),
            sessions,
            ledger,
            settings,
            access,
            geo,
            risk,
            public_url,
        }))
    }

    /// Service keys: made and revoked by operators.
    pub const fn service_keys(&self) -> &ServiceKeys {
        &self.keys
    }

    /// The address under which the service is reached.
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// The OpenAPI document.
    pub fn openapi(&self) -> &str {
        self.openapi.get_or_init(|| {
            let document = openapi::document(&routes::all(), &self.public_url);
            document.to_string()
        })
    }

    /// Says by `/readyz` from now on that the service is about to stop; it goes on serving.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// Tells event streams and background work to end.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Resolves when the service is asked to stop.
    pub(crate) fn stopping(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut stop = self.stop.subscribe();
        async move {
            let _ = stop.wait_for(|is_stopping| *is_stopping).await;
        }
    }

    /// Where a request comes from, as far as its connection, proxies of ours and its headers tell.
    pub(crate) fn client_of(&self, parts: &Parts) -> Client {
        let ip = self.proxies.client_address(peer(parts), &parts.headers);
        let user_agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        self.kept(client::describe(Some(ip), user_agent, None, &self.geo))
    }

    /// Where an end user is, as a service that begins a session tells it.
    pub(crate) fn client_told(&self, told: &handstamp_protocol::sessions::Client) -> Client {
        let user_agent = told.user_agent.as_deref();
        let device = told.device_info.as_deref();
        let fingerprint = told.fingerprint.as_deref().and_then(|text| plain(text, 256));
        self.kept(Client {
            fingerprint: fingerprint.map(Into::into),
            ..client::describe(told.ip_address, user_agent, device, &self.geo)
        })
    }

    /// A client as it may be kept: with its network in the place of its address, where the
    /// operator wants no more. The place was looked up by the whole address.
    fn kept(&self, client: Client) -> Client {
        match self.settings.audit.truncate_ip {
            true => Client { ip: client.ip.map(client::network), ..client },
            false => client,
        }
    }

    /// Whether a request came by a proxy of ours, whose headers count.
    pub(crate) fn proxies(&self) -> &TrustedProxies {
        &self.proxies
    }
}

/// The cross-site check of requests that a proxy asks about: the same as the session layer's.
fn site_check(sessions: &SessionManager) -> SiteCheck {
    let config = sessions.config();
    SiteCheck::new(config.trusted_origins()).https_only(config.cookie().secure)
}

/// Whoever is at the other end of the connection; the local socket is this machine.
pub(crate) fn peer(parts: &Parts) -> IpAddr {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0.ip())
}

/// Everything that can be asked for over the network.
pub fn router(service: Arc<Service>) -> Router {
    complete(Router::new(), service)
}

/// Puts the calls of the table beside `router`'s, and around all of them what every request passes.
pub(crate) fn complete(mut router: Router<Arc<Service>>, service: Arc<Service>) -> Router {
    for route in routes::all() {
        router = router.route(route.path, route.into_handler());
    }
    router = router.merge(dashboard::router());
    let router = router
        .fallback(|| async { nothing_here(StatusCode::NOT_FOUND, "there is nothing here") })
        .method_not_allowed_fallback(|| async {
            nothing_here(StatusCode::METHOD_NOT_ALLOWED, "this cannot be done here")
        })
        // As one layer: the router puts what is inside of each of its layers into a box of its own.
        .layer((
            from_fn_with_state(Arc::clone(&service), request::pass),
            DefaultBodyLimit::max(service.settings.server.body_limit),
            session_layer(&service),
        ));
    // Where nobody wants traces, no request passes by it.
    let router = match service.telemetry {
        Some(_) => router.layer(from_fn_with_state(Arc::clone(&service), telemetry::pass)),
        None => router,
    };
    router.with_state(service)
}

/// Gives every request its session.
pub(crate) fn session_layer(service: &Arc<Service>) -> SessionLayer {
    let within = Arc::clone(service);
    SessionLayer::new(service.sessions.clone())
        .client_ip(move |parts| Some(within.proxies.client_address(peer(parts), &parts.headers)))
        .exempt(is_no_browser)
}

fn nothing_here(status: StatusCode, detail: &'static str) -> Problem {
    Problem::new(status, "BAD_REQUEST", detail)
}

/// Whether the cross-site check does not apply: the authority of the request is a header that no
/// browser adds by itself, or there is neither a cookie nor anything that a browser would send
/// along, so that it is a program and acts for nobody but itself.
fn is_no_browser(parts: &Parts) -> bool {
    let headers = &parts.headers;
    let has = |name: &str| headers.contains_key(name);
    headers.contains_key(AUTHORIZATION)
        || !(headers.contains_key(COOKIE)
            || headers.contains_key(ORIGIN)
            || headers.contains_key(REFERER)
            || has("sec-fetch-site"))
}
