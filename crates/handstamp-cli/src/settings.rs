//! From the command line to the settings of the service.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use handstamp_core::key::{KeyRing, KeyRingError};
use handstamp_server::settings::{Document, Inputs, Keys, Loaded, SettingsError, load};

use crate::failure::{Exit, Failure, say};

/// What help calls these flags.
const SETTINGS: &str = "Settings of the service";

/// The file that is read when nobody names one, if it is there.
const USUAL_FILE: &str = "handstamp.toml";

/// Flags of every command that needs settings.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Source {
    /// The file of settings [default: handstamp.toml in this folder, if it is there]
    #[arg(long, help_heading = SETTINGS, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Folder of the database (store.data_dir)
    #[arg(long, help_heading = SETTINGS, value_name = "DIR")]
    data_dir: Option<String>,

    /// Where sessions are kept, like postgres://user@host/name (store.url); a password belongs into
    /// the file or the environment
    #[arg(long, help_heading = SETTINGS, value_name = "ADDRESS")]
    store: Option<String>,

    /// File of the key ring (keys.file)
    #[arg(long, help_heading = SETTINGS, value_name = "FILE")]
    keys: Option<String>,

    /// Any other setting, like sessions.idle_seconds=900; may be repeated
    #[arg(long, help_heading = SETTINGS, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
}

/// Where to listen, for commands that listen.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Listen {
    /// Address and port to listen on (server.listen); port 0 takes any that is free
    #[arg(long, help_heading = SETTINGS, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
}

impl Source {
    /// Reads the settings.
    ///
    /// # Errors
    /// Exit 2 with a line for each thing that is wrong; exit 3 where a named file is not there.
    pub(crate) fn load(&self, listen: &Listen) -> Result<Loaded, Failure> {
        let mut inputs = Inputs::new().environment(variables());
        if let Some(document) = self.document()? {
            inputs = inputs.document(document);
        }
        let flags = [
            ("server.listen", "--listen", &listen.listen),
            ("store.data_dir", "--data-dir", &self.data_dir),
            ("store.url", "--store", &self.store),
            ("keys.file", "--keys", &self.keys),
        ];
        // `--set` first: it names any setting, the others one.
        for set in &self.set {
            let (setting, value) = set.split_once('=').ok_or_else(|| no_value(set))?;
            inputs = inputs.flag(setting, value, format!("--set {setting}"));
        }
        for (setting, flag, value) in flags {
            if let Some(value) = value {
                inputs = inputs.flag(setting, value, flag);
            }
        }
        load(&inputs).map_err(|error| wrong(&error))
    }

    fn document(&self) -> Result<Option<Document>, Failure> {
        let path = self.config.as_deref().unwrap_or(Path::new(USUAL_FILE));
        match Document::read(path) {
            Ok(document) => Ok(Some(document)),
            Err(error) if error.kind() == ErrorKind::NotFound => match &self.config {
                None => Ok(None),
                Some(path) => {
                    let line = format!("there is no file of settings at {}", path.display());
                    Err(Failure::new(line).with(Exit::NotFound))
                }
            },
            Err(error) => Err(Failure::because(format!("cannot read {}", path.display()), &error)),
        }
    }
}

/// What the variables of holders begin with: none is a setting of the service.
const HOLDER: &str = "HANDSTAMP_HOLDER_";

/// The environment, as far as it is text: no setting is anything else.
fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, text)| {
        let name = name.into_string().ok().filter(|name| !name.starts_with(HOLDER))?;
        Some((name, text.into_string().ok()?))
    })
}

fn no_value(set: &str) -> Failure {
    let line = format!("--set {set:?} has no value; say --set section.key=value");
    Failure::new(line).with(Exit::Usage)
}

fn wrong(error: &SettingsError) -> Failure {
    Failure::lines(error.problems()).with(Exit::Usage)
}

/// Tells what works and is seldom meant.
pub(crate) fn warn(loaded: &Loaded) {
    loaded.warnings.iter().for_each(|warning| say(&format!("warning: {warning}")));
}

/// Where the key ring lies.
pub(crate) fn key_file(keys: &Keys) -> Result<&Path, Failure> {
    keys.file.as_deref().ok_or_else(|| {
        Failure::new("there is no home directory for the key ring; say where with --keys FILE")
    })
}

/// The key ring that a secret manager gave, or else the one in its file.
pub(crate) fn key_ring(
    keys: &Keys,
    open: fn(&Path) -> Result<KeyRing, KeyRingError>,
) -> Result<KeyRing, Failure> {
    match &keys.ring {
        Some(ring) => KeyRing::from_json(ring.expose())
            .map_err(|error| Failure::because("keys.ring cannot be used", &error)),
        None => {
            let path = key_file(keys)?;
            let ring = if is_credential(path) { KeyRing::from_guarded(path) } else { open(path) };
            ring.map_err(|error| no_ring(&error))
        }
    }
}

/// Whether systemd gave the file to this service, for it alone: a copy that shows a group which
/// may read it, because the right is given by an access list.
fn is_credential(path: &Path) -> bool {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    folder.is_some_and(|folder| folder.is_absolute() && path.starts_with(folder))
}

/// Why a key ring cannot be used, with the exit code for it.
pub(crate) fn no_ring(error: &KeyRingError) -> Failure {
    let failure = Failure::new(crate::failure::chain(error));
    match error {
        KeyRingError::Io { path, source } if source.kind() == ErrorKind::NotFound => {
            let path = path.display();
            let line = format!("there is no key ring at {path}; handstamp keys generate makes one");
            Failure::new(line).with(Exit::NotFound)
        }
        KeyRingError::Permissions { .. } => failure.with(Exit::Refused),
        _ => failure,
    }
}
