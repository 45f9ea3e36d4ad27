//! `handstamp doctor`.

mod look;

use serde_json::json;

use super::running::Running;
use super::{Flags, Missing};
use crate::failure::Failure;
use crate::output::{self, Table};
use crate::serve::kept::DATABASE;
use crate::settings::Listen;
use look::Finding;

/// Of which service.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    flags: Flags,
}

/// How a thing was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Health {
    Good,
    /// It works, and is seldom meant.
    Doubtful,
    /// It does not work, or is not safe.
    Bad,
}

impl Health {
    const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Doubtful => "doubtful",
            Self::Bad => "bad",
        }
    }
}

/// Looks at everything and changes nothing.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let findings = examine(options)?;
    let bad = findings.iter().filter(|finding| finding.health == Health::Bad).count();
    if options.flags.json {
        let checks: Vec<_> = findings.iter().map(as_json).collect();
        output::json(&json!({ "ok": bad == 0, "checks": checks }))?;
    } else {
        let mut table = Table::new(["what", "is", "found"]);
        for finding in &findings {
            let Finding { what, health, found } = finding;
            table.row([(*what).into(), health.word().into(), found.clone()]);
        }
        table.print()?;
    }
    match bad {
        0 => Ok(()),
        1 => Err(Failure::new("one thing is not as it must be")),
        many => Err(Failure::new(format!("{many} things are not as they must be"))),
    }
}

fn examine(options: &Options) -> Result<Vec<Finding>, Failure> {
    let loaded = match options.flags.source.load(&Listen::default()) {
        Ok(loaded) => loaded,
        Err(failure) => return Ok(vec![Finding::bad("settings", failure.text())]),
    };
    let folder = loaded.settings.store.data_dir.clone();
    let mut findings = vec![look::settings(&loaded)];
    findings.push(look::key_ring(&loaded.settings.keys, &folder));
    let is_shared = loaded.settings.store.is_shared();
    if !is_shared && !folder.join(DATABASE).exists() {
        let found = format!("none yet in {}; handstamp serve makes it", folder.display());
        findings.push(Finding::doubtful("data", found));
        return Ok(findings);
    }
    if folder.exists() {
        findings.push(look::folder(&folder));
        findings.push(look::disk(&folder));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::because("cannot start", &error))?;
    runtime.block_on(async {
        match Running::reach(loaded.settings, Missing::Refuse).await {
            Ok(running) => {
                findings.push(look::service(&running));
                findings.push(look::store(&running).await);
                findings.push(look::clock(&running, is_shared).await);
                running.leave().await?;
            }
            Err(failure) => findings.push(Finding::bad("service", failure.text())),
        }
        Ok(findings)
    })
}

fn as_json(finding: &Finding) -> serde_json::Value {
    json!({
        "what": finding.what,
        "is": finding.health.word(),
        "found": finding.found,
    })
}
