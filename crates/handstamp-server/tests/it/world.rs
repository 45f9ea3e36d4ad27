//! A service of its own for each test: own store, own port, own clock.
//!
//! With `HANDSTAMP_TEST_STORE=postgres` it is two services on one PostgreSQL, which requests come to
//! by turns: see [`door`].

mod door;
mod place;

use std::sync::Arc;
use std::time::Duration;

use handstamp_core::ledger::Ledger;
use handstamp_core::store::SessionStore;
use handstamp_core::testing::GateStore;
use handstamp_core::time::{Clock, ManualClock, SystemClock, Timestamp};
use handstamp_core::{KeyRing, SessionManager};
use handstamp_protocol::sessions::TokenAnswer;
use handstamp_server::settings::{Inputs, load};
use handstamp_server::{Foundation, Listeners, Scope, Service, StoreFigures, serve};
use handstamp_sqlite::SqliteStore;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use door::Door;
use place::Place;

/// A running service, and what its callers need.
pub(crate) struct World {
    pub(crate) service: Arc<Service>,
    pub(crate) sessions: SessionManager,
    /// Stands before the store of the sessions, and lets a test hold and fail its calls.
    pub(crate) gate: GateStore<Arc<dyn SessionStore>>,
    pub(crate) url: String,
    pub(crate) clock: Arc<ManualClock>,
    /// A service key with every scope but `admin`, which may grant `editor` and `reader`.
    pub(crate) key: String,
    /// A service key with the scope `admin`.
    pub(crate) admin: String,
    pub(crate) http: reqwest::Client,
    // In the order in which they go.
    stops: Vec<oneshot::Sender<()>>,
    door: Option<Door>,
    place: Place,
}

/// One of the services that share a place.
struct Node {
    service: Arc<Service>,
    sessions: SessionManager,
    gate: GateStore<Arc<dyn SessionStore>>,
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) json: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or_default()
    }

    /// Status and code together, as the error table has them.
    pub(crate) fn problem(&self) -> (u16, &str) {
        (self.status, self.code())
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// A service with these settings: `("guests.enabled", "true")`.
    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        Self::with_environment(settings, &[]).await
    }

    /// The same, where these environment variables are set.
    pub(crate) async fn with_environment(
        settings: &[(&str, &str)],
        environment: &[(&str, &str)],
    ) -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_800_000_000_000));
        Self::built(inputs(settings, environment), clock.clone(), clock).await
    }

    /// The same by the system's clock, for what is measured and for programs that have no other.
    pub(crate) async fn in_real_time(settings: &[(&str, &str)]) -> Self {
        let unused = ManualClock::at(Timestamp::from_millis(0));
        Self::built(inputs(settings, &[]), Arc::new(SystemClock::new()), unused).await
    }

    async fn built(inputs: Inputs, time: Arc<dyn Clock>, clock: Arc<ManualClock>) -> Self {
        let (place, ring) = (Place::new().await, KeyRing::generate().unwrap());
        let mut door = if place.is_shared() { Some(Door::new().await) } else { None };
        let url = door.as_ref().map(Door::url);
        let mut nodes = Vec::new();
        for _ in 0..place.nodes() {
            let of = (&place, ring.clone(), Arc::clone(&time));
            nodes.push(Node::start(&inputs, of, url.clone()).await);
        }
        if let Some(door) = &mut door {
            door.open(nodes.iter().map(|node| (node.address, node.sessions.clone())).collect());
        }
        let url = url.unwrap_or_else(|| format!("http://{}", nodes[0].address));
        let mut nodes = nodes.into_iter();
        let Node { service, sessions, gate, stop, .. } = nodes.next().unwrap();
        let stops = [stop].into_iter().chain(nodes.map(|node| node.stop)).collect();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        // By turns only if each request has a connection of its own.
        let http = if door.is_some() { http.pool_max_idle_per_host(0) } else { http };
        Self {
            key: service_key(&service, Scope::parse("sessions").unwrap()).await,
            admin: service_key(&service, vec![Scope::Admin]).await,
            http: http.build().unwrap(),
            service,
            sessions,
            gate,
            url,
            clock,
            stops,
            door,
            place,
        }
    }

    /// Whether several services share the sessions.
    pub(crate) const fn is_shared(&self) -> bool {
        self.door.is_some()
    }

    /// How many seconds late an idle session may end: several services do not know to the second what
    /// the others have seen.
    pub(crate) const fn idle_slack(&self) -> u64 {
        if self.is_shared() { 65 } else { 0 }
    }

    /// By how much what is played in great numbers is divided where a database on a server makes it
    /// slow; not in a long run.
    pub(crate) fn share(&self) -> u64 {
        let is_long = std::env::var_os("HANDSTAMP_LONG").is_some();
        if self.is_shared() && !is_long { 10 } else { 1 }
    }

    /// From now on all requests come to the service that the test holds: for what each service has
    /// of its own, which the test says.
    pub(crate) fn on_one_node(&self) {
        if let Some(door) = &self.door {
            door.keep_to_the_first();
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    /// Begins a session with tokens.
    pub(crate) async fn begin(&self, subject: &str) -> TokenAnswer {
        self.begin_with(json!({ "subject": subject })).await
    }

    pub(crate) async fn begin_with(&self, body: Value) -> TokenAnswer {
        let answer = send(self.post("/sessions").bearer_auth(&self.key).json(&body)).await;
        assert_eq!(answer.status, 201, "{:?}", answer.json);
        serde_json::from_value(answer.json).unwrap()
    }

    /// Begins a session with a cookie; answers it as `name=value`.
    pub(crate) async fn begin_cookie(&self, subject: &str) -> String {
        let body = json!({ "subject": subject, "transport": "cookie" });
        let answer = send(self.post("/sessions").bearer_auth(&self.key).json(&body)).await;
        assert_eq!(answer.status, 201, "{:?}", answer.json);
        let cookie = answer.json["set_cookie"][0].as_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        send(self.post("/sessions/refresh").json(&json!({ "refresh_token": token }))).await
    }

    pub(crate) async fn status(&self, access_token: &str) -> Answer {
        send(self.get("/sessions/status").bearer_auth(access_token)).await
    }

    /// Where the database lies, which is a file then.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.place.folder()
    }

    /// The database as a file.
    pub(crate) fn embedded(&self) -> &SqliteStore {
        self.place.embedded()
    }

    /// Changes the database as somebody would who can write to it.
    pub(crate) async fn meddle(&self, sql: &'static str) {
        self.place.meddle(sql).await;
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for stop in self.stops.drain(..) {
            let _ = stop.send(());
        }
    }
}

impl Node {
    /// Starts a service, which is reached at `url` or else at its own address.
    async fn start(
        inputs: &Inputs,
        (place, ring, time): (&Place, KeyRing, Arc<dyn Clock>),
        url: Option<String>,
    ) -> Self {
        let settings = load(inputs).unwrap().settings;
        let (store, ledger): (Arc<dyn SessionStore>, Arc<dyn Ledger>) = place.open().await;
        let gate = GateStore::new(store);
        let figures = StoreFigures::default();
        let measured = figures.measure(Arc::new(gate.clone()));
        let sessions = SessionManager::builder(measured, settings.config.clone(), ring)
            .clock(Arc::clone(&time))
            .build();
        let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let service = Service::open(Foundation {
            sessions: sessions.clone(),
            ledger,
            clock: time,
            figures,
            settings,
            public_url: url.unwrap_or_else(|| format!("http://{address}")),
        });
        let service = service.await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let asked = async move {
            let _ = stopped.await;
        };
        let listeners = Listeners { tcp, local: None, figures: None };
        tokio::spawn(serve(Arc::clone(&service), listeners, asked, Duration::from_secs(1)));
        Self { service, sessions, gate, address, stop }
    }
}

async fn service_key(service: &Service, scopes: Vec<Scope>) -> String {
    let roles = ["editor".to_owned(), "reader".to_owned()];
    let made = service.service_keys().create("test", &scopes, &roles).await.unwrap();
    made.text.to_string()
}

/// These settings, and a cookie that goes over plain HTTP unless they say otherwise.
fn inputs(settings: &[(&str, &str)], environment: &[(&str, &str)]) -> Inputs {
    let variables = environment.iter().map(|(name, text)| ((*name).into(), (*text).into()));
    let inputs = settings
        .iter()
        .fold(Inputs::new(), |inputs, (name, value)| inputs.flag(*name, *value, "--set"))
        .environment(variables);
    match settings.iter().any(|(name, _)| *name == "cookies.secure") {
        true => inputs,
        false => inputs.flag("cookies.secure", "false", "--set").flag(
            "cookies.name",
            "handstamp-dev",
            "--set",
        ),
    }
}

/// Sends a request and reads the answer whole.
pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await.unwrap();
    let json = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer { status, headers, json }
}
