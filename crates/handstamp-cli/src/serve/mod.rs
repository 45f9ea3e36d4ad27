//! `handstamp serve`.

use handstamp_server::settings::{Log, LogFormat, LogLevel};
use tracing_subscriber::filter::LevelFilter;

use crate::failure::Failure;
use crate::log::{self, Look};
use crate::settings::{self, Listen, Source};

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
    let loaded = options.source.load(&options.listen)?;
    settings::warn(&loaded);
    start_log(&loaded.settings.log);
    Err(Failure::new("this build holds no service"))
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
