//! A small shop over a memory store, with its own clock.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use axum::Router;
use axum::extract::Path;
use axum::handler::Handler;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::routing::{get, post};
use handstamp_axum::{
    CsrfForm, CsrfToken, Flashes, RequireUser, Session, SessionLayer, SessionRejection, require,
};
use handstamp_core::roles::Roles;
use handstamp_core::store::{Filter, Page, SessionStore};
use handstamp_core::time::{ManualClock, Timestamp};
use handstamp_core::{KeyRing, SessionConfig, SessionManager, SignIn};
use serde_json::Value;

use crate::browser::Browser;
use crate::watched::{Watch, Watched};

type Answer<T> = Result<T, SessionRejection>;

pub(crate) struct World {
    pub(crate) sessions: SessionManager,
    pub(crate) app: Router,
    pub(crate) clock: Arc<ManualClock>,
    keys: KeyRing,
    store: Watched,
}

impl World {
    pub(crate) fn new() -> Self {
        let config = SessionConfig::default().edit().permissions("editor", ["orders.refund"]);
        Self::with(config.build().unwrap())
    }

    pub(crate) fn with(config: SessionConfig) -> Self {
        Self::build(config, KeyRing::generate().unwrap())
    }

    pub(crate) fn with_keys(keys: KeyRing) -> Self {
        Self::build(SessionConfig::default(), keys)
    }

    fn build(config: SessionConfig, keys: KeyRing) -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_800_000_000_000));
        let store = Watched::new();
        let sessions = manager(&store, &config, &keys, &clock);
        let app = Self::router().layer(layer(&sessions));
        Self { sessions, app, clock, keys, store }
    }

    /// The same sessions after a restart: nothing in the near cache.
    pub(crate) fn restarted(&self) -> Self {
        let (store, clock) = (self.store.clone(), Arc::clone(&self.clock));
        let sessions = manager(&store, self.sessions.config(), &self.keys, &clock);
        let app = Self::router().layer(layer(&sessions));
        Self { sessions, app, clock, keys: self.keys.clone(), store }
    }

    /// How often the store was asked anything.
    pub(crate) fn calls(&self) -> usize {
        self.store.watch.calls.load(SeqCst)
    }

    /// How many batches were committed.
    pub(crate) fn commits(&self) -> usize {
        self.store.watch.commits.load(SeqCst)
    }

    /// How many records there are, tombstones included.
    pub(crate) async fn rows(&self) -> usize {
        let (all, page) = (Filter::default(), Page::first(1000));
        self.store.inner.scan(&all, &page).await.unwrap().records.len()
    }

    /// Puts the store out of reach, or back.
    pub(crate) fn store_is_down(&self, is_down: bool) {
        self.store.watch.is_down.store(is_down, SeqCst);
    }

    /// Holds every commit from now on until [`Watch::released`] is notified.
    pub(crate) fn hold_commits(&self) -> &Watch {
        self.store.watch.holds_commits.store(true, SeqCst);
        &self.store.watch
    }

    /// Waits until everything that goes on in the background is done.
    pub(crate) async fn settle(&self) {
        self.sessions.shutdown().await.unwrap();
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser::new(&self.app)
    }

    /// The shop with more routes.
    pub(crate) fn routes(&self, add: impl FnOnce(Router) -> Router) -> Router {
        add(Self::router()).layer(layer(&self.sessions))
    }

    /// The shop with one more page.
    pub(crate) fn route<T: 'static>(&self, path: &str, page: impl Handler<T, ()>) -> Router {
        self.routes(|router| router.route(path, get(page)))
    }

    /// The routes of the shop, without the layer.
    pub(crate) fn router() -> Router {
        Router::new()
            .merge(pages())
            .merge(forms())
            .merge(doors())
            .route("/guarded", get(|| async { "in" }).route_layer(require::user()))
    }
}

fn manager(
    store: &Watched,
    config: &SessionConfig,
    keys: &KeyRing,
    clock: &Arc<ManualClock>,
) -> SessionManager {
    let builder = SessionManager::builder(store.clone(), config.clone(), keys.clone());
    builder.clock(Arc::clone(clock)).maintenance(false).build()
}

fn layer(sessions: &SessionManager) -> SessionLayer {
    SessionLayer::new(sessions.clone())
        .sign_in_path("/login")
        .step_up_path("/step-up")
        .client_ip(|_| Some([192, 0, 2, 7].into()))
}

/// Pages that read.
fn pages() -> Router {
    let public = || async { "public" };
    let cached = |session: Session| async move {
        session.id();
        ([(CACHE_CONTROL, "public, max-age=60")], "")
    };
    Router::new()
        .route("/public", get(public).post(public))
        .route("/cached", get(cached))
        .route("/visit", get(visit))
        .route("/whoami", get(whoami))
        .route("/account", get(|user: RequireUser| async move { user.id().to_string() }))
        .route("/read/{key}", get(read))
        .route("/flashes", get(flashes))
        .route("/token", get(|csrf: CsrfToken| async move { csrf.as_str().to_owned() }))
        .route("/field", get(|session: Session| async move { session.csrf_field().to_string() }))
}

async fn visit(session: Session) -> Answer<String> {
    let visits = session.update("visits", |n: &mut Option<u64>| {
        *n.get_or_insert(0) += 1;
        n.unwrap_or(0)
    })?;
    Ok(visits.to_string())
}

async fn whoami(session: Session) -> String {
    session.user_id().map_or_else(|| "nobody".to_owned(), |user| user.to_string())
}

async fn read(session: Session, Path(key): Path<String>) -> Answer<String> {
    Ok(session.get::<Value>(&key)?.map(|value| value.to_string()).unwrap_or_default())
}

async fn flashes(flashes: Flashes) -> String {
    flashes.iter().map(|flash| format!("{}={flash};", flash.key)).collect()
}

/// Requests that change data.
fn forms() -> Router {
    Router::new()
        .route("/set/{key}/{value}", post(set))
        .route("/set-and-answer/{status}", post(set_and_answer))
        .route("/flash/{key}/{text}", post(flash))
        .route("/order", post(order))
        .route(
            "/regenerate-csrf",
            post(|session: Session| async move { session.regenerate_csrf() }),
        )
}

async fn set(session: Session, Path((key, value)): Path<(String, String)>) -> Answer<()> {
    Ok(session.set(&key, &value)?)
}

async fn set_and_answer(session: Session, Path(status): Path<u16>) -> Answer<StatusCode> {
    session.set("status", &status)?;
    Ok(StatusCode::from_u16(status).unwrap())
}

async fn flash(session: Session, Path((key, text)): Path<(String, String)>) -> Answer<()> {
    Ok(session.flash(&key, &text)?)
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    item: String,
}

async fn order(CsrfForm(order): CsrfForm<Order>) -> String {
    format!("ordered {}", order.item)
}

/// Requests that decide who somebody is.
fn doors() -> Router {
    Router::new()
        .route("/login/{user}", post(login))
        .route("/login-as/{role}", post(login_as))
        .route("/remember/{user}", post(remember))
        .route("/guest/{id}", post(guest))
        .route("/login/then/500", post(login_then_500))
        .route("/logout", post(logout))
        .route("/regenerate", post(regenerate))
        .route("/regenerate/then/500", post(regenerate_then_500))
        .route("/destroy", post(destroy))
        .route("/step-up", post(step_up))
        .route("/end-others", post(end_others))
}

async fn login(session: Session, Path(user): Path<String>) -> Answer<()> {
    Ok(session.login(user).await?)
}

async fn login_as(session: Session, Path(role): Path<String>) -> Answer<()> {
    let roles = Roles::new([role.as_str()]).unwrap();
    Ok(session.login(SignIn::new(role).unwrap().roles(roles)).await?)
}

async fn remember(session: Session, Path(user): Path<String>) -> Answer<()> {
    Ok(session.login(SignIn::new(user).unwrap().remember(true)).await?)
}

async fn guest(session: Session, Path(id): Path<String>) -> Answer<()> {
    Ok(session.login(SignIn::new(id).unwrap().guest()).await?)
}

async fn login_then_500(session: Session) -> Answer<StatusCode> {
    session.login("alice").await?;
    session.set("note", &"dropped")?;
    Ok(StatusCode::INTERNAL_SERVER_ERROR)
}

async fn logout(session: Session) -> Answer<()> {
    Ok(session.logout().await?)
}

async fn regenerate(session: Session) -> Answer<()> {
    Ok(session.regenerate().await?)
}

async fn regenerate_then_500(session: Session) -> Answer<StatusCode> {
    session.regenerate().await?;
    session.set("note", &"dropped")?;
    Ok(StatusCode::INTERNAL_SERVER_ERROR)
}

async fn destroy(session: Session) -> Answer<String> {
    session.destroy().await?;
    Ok(format!("destroyed: {}", session.is_destroyed()))
}

async fn step_up(session: Session) -> Answer<()> {
    Ok(session.step_up(&["pwd"]).await?)
}

async fn end_others(session: Session) -> Answer<String> {
    Ok(session.end_others().await?.to_string())
}
