//! A service of its own for each test: own store, own port, own clock.

use std::sync::Arc;
use std::time::Duration;

use handstamp_core::ledger::Ledger;
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

/// A running service, and what its callers need.
pub(crate) struct World {
    pub(crate) service: Arc<Service>,
    pub(crate) sessions: SessionManager,
    pub(crate) store: Arc<SqliteStore>,
    /// Stands before the store of the sessions, and lets a test hold and fail its calls.
    pub(crate) gate: GateStore<Arc<SqliteStore>>,
    pub(crate) url: String,
    pub(crate) clock: Arc<ManualClock>,
    /// A service key with every scope but `admin`, which may grant `editor` and `reader`.
    pub(crate) key: String,
    /// A service key with the scope `admin`.
    pub(crate) admin: String,
    pub(crate) http: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    folder: tempfile::TempDir,
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
        let folder = tempfile::tempdir().unwrap();
        let loaded = load(&inputs).unwrap();
        let store = SqliteStore::builder(folder.path().join("sessions.db"))
            .synchronous(handstamp_sqlite::Synchronous::Normal)
            .open()
            .await
            .unwrap();
        let store = Arc::new(store);
        let gate = GateStore::new(Arc::clone(&store));
        let figures = StoreFigures::default();
        let sessions = SessionManager::builder(
            figures.measure(Arc::new(gate.clone())),
            loaded.settings.config.clone(),
            KeyRing::generate().unwrap(),
        )
        .clock(Arc::clone(&time))
        .build();
        let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", tcp.local_addr().unwrap());
        let service = Service::open(Foundation {
            sessions: sessions.clone(),
            ledger: Arc::clone(&store) as Arc<dyn Ledger>,
            clock: time,
            figures,
            settings: loaded.settings,
            public_url: url.clone(),
        })
        .await
        .unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let asked = async move {
            let _ = stopped.await;
        };
        let listeners = Listeners { tcp, local: None, figures: None };
        tokio::spawn(serve(Arc::clone(&service), listeners, asked, Duration::from_secs(1)));
        let key = |scopes: Vec<Scope>| {
            let service = Arc::clone(&service);
            async move {
                let roles = ["editor".to_owned(), "reader".to_owned()];
                let made = service.service_keys().create("test", &scopes, &roles).await.unwrap();
                made.text.to_string()
            }
        };
        Self {
            key: key(Scope::parse("sessions").unwrap()).await,
            admin: key(vec![Scope::Admin]).await,
            http: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap(),
            service,
            sessions,
            store,
            gate,
            url,
            clock,
            stop: Some(stop),
            folder,
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

    /// Where the database lies.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Changes the database as somebody would who can write to it.
    pub(crate) async fn meddle(&self, sql: &'static str) {
        self.store.on_writer(move |database| database.execute_batch(sql)).await.unwrap();
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
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
