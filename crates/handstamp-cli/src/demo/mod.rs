//! The demo: a small shop on this machine, with sessions in a SQLite file, and the session service
//! with its dashboard beside it. Both work on the same sessions, in one process. What the service's
//! API is for, the shop asks over HTTP, by a service key of its own: it reports sign-ins that fail,
//! and heeds the advice.
//!
//! Accounts, wares and pages belong to the demo, not to Handstamp: they show what an application
//! brings along, and what is left to write when sessions are taken care of.

mod accounts;
mod cart;
mod counsel;
mod door;
mod greeting;
mod history;
mod live;
mod opening;
mod pages;
mod server;
mod service;
mod shop;
mod terminals;
mod wording;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use handstamp_core::SessionManager;
use tokio::sync::watch;
use tracing_subscriber::filter::LevelFilter;

use crate::failure::Failure;
use crate::log::{self, Look};
use accounts::Accounts;
use counsel::Counsel;
use door::Door;
use service::Beside;
use shop::Shop;
use terminals::Terminals;

/// How long calls of the service may take to end after the program is asked to stop.
const GRACE: Duration = Duration::from_secs(1);

/// What the demo was asked for.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Port on 127.0.0.1; 0 takes any that is free
    #[arg(long, default_value_t = 8080, value_name = "N")]
    port: u16,

    /// Port of the service and its dashboard; 0 takes any that is free [default: 7070, or any that
    /// is free where that is taken]
    #[arg(long, value_name = "N")]
    service_port: Option<u16>,

    /// Begin with nothing, and not with two weeks that are made up
    #[arg(long)]
    no_history: bool,

    /// Folder for the sessions [default: handstamp-demo in your data folder]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// The key ring; made if it is not there, and better not kept beside the data
    /// [default: handstamp/demo.keys in your configuration folder]
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,

    /// How many seconds after a sign-in the checkout still believes that it is you
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    fresh: u64,

    /// Use a cookie without `Secure` and without the prefix `__Host-`, for browsers that refuse
    /// those over http://127.0.0.1: Safari does; Chromium and curl do not
    #[arg(long)]
    plain_cookie: bool,
}

/// What every page of the demo can reach.
#[derive(Debug)]
struct App {
    sessions: SessionManager,
    door: Door,
    shop: Shop,
    terminals: Terminals,
    fresh_seconds: u64,
    /// Turns true when the program is asked to stop.
    stopping: watch::Receiver<bool>,
}

impl App {
    /// Resolves when the program is asked to stop.
    fn stopping(&self) -> impl Future<Output = ()> + Send + use<> {
        stopped(self.stopping.clone())
    }
}

/// Resolves when `stopping` says so.
async fn stopped(mut stopping: watch::Receiver<bool>) {
    let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
}

/// Opens the shop and serves until the program is asked to stop.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    log::start(Look::Text, LevelFilter::WARN);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::because("cannot start threads", &error))?;
    let done = runtime.block_on(serve(options));
    // A password that is still being checked does not hold the program up.
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

async fn serve(options: &Options) -> Result<(), Failure> {
    let opened = opening::open(options).await?;
    let (stop, stopping) = watch::channel(false);
    let app = Arc::new(App {
        sessions: opened.sessions.clone(),
        door: Door {
            accounts: Accounts::hash()?,
            counsel: Counsel::new(opened.beside.asked_by_shop.clone())?,
        },
        shop: Shop::open(),
        terminals: Terminals::new(opened.beside.asked_for_terminals.clone())?,
        fresh_seconds: options.fresh,
        stopping: stopping.clone(),
    });
    // Before the first word: whoever reads it may stop the program at once.
    let asked_to_stop = server::asked_to_stop(stop)?;
    greeting::print(&opened)?;
    let shop = server::serve(opened.listener, server::router(app), asked_to_stop, stopping.clone());
    let Beside { service, listeners, .. } = opened.beside;
    let service = handstamp_server::serve(service, listeners, stopped(stopping), GRACE);
    let service = async {
        service.await.map_err(|error| Failure::because("the service cannot go on serving", &error))
    };
    let served = tokio::try_join!(shop, service);
    let written = opened.sessions.shutdown().await;
    served?;
    written.map_err(|error| Failure::because("the last activity could not be written", &error))
}
