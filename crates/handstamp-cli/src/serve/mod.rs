//! `handstamp serve`.

mod greeting;
pub(crate) mod kept;
mod notify;
pub(crate) mod opening;
mod ring;

use std::time::Duration;

use handstamp_server::settings::{Loaded, Log, LogFormat, LogLevel, Settings};
use tracing_subscriber::filter::LevelFilter;

use crate::failure::Failure;
use crate::log::{self, Look};
use crate::settings::{Listen, Source};
use crate::signals;

/// How to serve.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    listen: Listen,

    #[command(flatten)]
    source: Source,
}

/// Serves until the program is asked to stop.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let Loaded { settings, warnings, .. } = options.source.load(&options.listen)?;
    start_log(&settings.log);
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // New requests are looked for after so many steps of others. By default after 61, which are
        // some milliseconds where each of them signs a token.
        .event_interval(16)
        .build();
    let runtime = runtime.map_err(|error| Failure::because("cannot start threads", &error))?;
    let done = runtime.block_on(serve(settings));
    // What still reads a file or waits for a name does not hold the program up.
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

async fn serve(settings: Settings) -> Result<(), Failure> {
    let grace = settings.server.shutdown_grace;
    let opened = opening::open(settings).await?;
    // Before the first word: whoever reads it may stop the program at once.
    let asked_to_stop = signals::asked_to_stop()?;
    let asked_to_stop = async {
        asked_to_stop.await;
        notify::stopping();
    };
    greeting::print(&opened)?;
    notify::ready(&opened.url);
    tokio::spawn(ring::follow(opened.ring));
    let _lock = opened.lock;
    let served = handstamp_server::serve(opened.service, opened.listeners, asked_to_stop, grace);
    let served = served.await;
    opened.place.leave().await;
    served.map_err(|error| Failure::because("cannot go on serving", &error))
}

fn start_log(log: &Log) {
    let look = match log.format {
        LogFormat::Text => Look::Text,
        LogFormat::Json => Look::Json,
    };
    let level = match log.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    log::start(look, level);
}
