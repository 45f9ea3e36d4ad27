//! The log of the program, on stderr.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

/// How lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Look {
    /// For people.
    Text,
    /// One JSON object a line.
    #[cfg_attr(not(feature = "serve"), expect(dead_code, reason = "a setting of the service"))]
    Json,
}

/// Begins to write the log. `RUST_LOG` goes before `level`. A second call changes nothing.
pub(crate) fn start(look: Look, level: LevelFilter) {
    let asked = std::env::var("RUST_LOG").ok().and_then(|asked| asked.parse::<Targets>().ok());
    let filter = asked.unwrap_or_else(|| Targets::new().with_default(level));
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match look {
        Look::Text => lines.boxed(),
        Look::Json => fmt::layer().json().with_writer(std::io::stderr).boxed(),
    };
    let _ = tracing_subscriber::registry().with(lines).with(filter).try_init();
}
