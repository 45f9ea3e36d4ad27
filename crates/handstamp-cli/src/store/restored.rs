//! `handstamp store restored`.

use handstamp_core::SessionManager;
use handstamp_core::ledger::Ledger;

use crate::failure::{Exit, Failure};
use crate::output;
use crate::serve::kept::{self, Kept};
use crate::serve::opening;
use crate::settings::{self, Listen, Source};

/// Of which service.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    source: Source,

    /// Who restored it, for the audit log
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

/// A store knows nothing of what came after its backup: who signed out since would be signed in
/// again. So nobody is.
pub(super) async fn run(options: &Options) -> Result<(), Failure> {
    let loaded = options.source.load(&Listen::default())?;
    settings::warn(&loaded);
    let store = &loaded.settings.store;
    if !store.is_shared() && !store.data_dir.join(kept::DATABASE).exists() {
        let folder = store.data_dir.display();
        let line = format!("there are no sessions in {folder}; name the folder with --data-dir");
        return Err(Failure::new(line).with(Exit::NotFound));
    }
    let ring = opening::ring(&loaded.settings)?;
    let Kept { store, ledger, place } = kept::open(store).await?;
    let sessions = SessionManager::builder(store, loaded.settings.config.clone(), ring);
    let done = end(&sessions.maintenance(false).build(), &*ledger, options.by.as_deref()).await;
    place.leave().await;
    done?;
    output::line("nobody is signed in any more")?;
    output::line(
        "service keys, disabled accounts and erased subjects are as they were when the backup was made: \
         see to them, then start the service",
    )
}

async fn end(
    sessions: &SessionManager,
    ledger: &dyn Ledger,
    by: Option<&str>,
) -> Result<(), Failure> {
    // What another ring seals would break the audit log for good.
    let ring = handstamp_server::recognise(sessions, ledger).await;
    ring.map_err(|error| Failure::because("nothing is written", &error))?;
    let ended = sessions.end_everybody(by).await;
    ended.map_err(|error| Failure::because("cannot sign everybody out", &error))?;
    let stopped = sessions.shutdown().await;
    stopped.map_err(|error| Failure::because("cannot sign everybody out", &error))
}
