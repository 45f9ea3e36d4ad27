//! Files beside the log: how far it was exported, and checkpoints that were kept elsewhere.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use handstamp_core::chain::Checkpoint;

use crate::failure::{Exit, Failure};

/// How far the log was exported, in a file.
pub(super) struct Place<'a>(&'a Path);

impl<'a> Place<'a> {
    pub(super) const fn of(file: &'a Path) -> Self {
        Self(file)
    }

    /// Where to go on; empty for the beginning.
    pub(super) fn read(&self) -> Result<String, Failure> {
        match fs::read_to_string(self.0) {
            Ok(text) => Ok(text.trim().to_owned()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(self.failed("read", &error)),
        }
    }

    /// Replaces the file as a whole, so that it is never half of a place.
    pub(super) fn write(&self, cursor: &str) -> Result<(), Failure> {
        let new = PathBuf::from(format!("{}.new", self.0.display()));
        let written = fs::File::create(&new).and_then(|mut file| {
            file.write_all(format!("{cursor}\n").as_bytes())?;
            file.sync_all()
        });
        let written = written.and_then(|()| fs::rename(&new, self.0));
        written.map_err(|error| self.failed("written", &error))
    }

    fn failed(&self, what: &str, error: &std::io::Error) -> Failure {
        Failure::because(format!("{} cannot be {what}", self.0.display()), error)
    }
}

/// The newest checkpoint in a file of them, a line each. A last line that was cut off is no fault.
///
/// # Errors
/// Exit 3 where there is no such file, 2 where a line is no checkpoint or there is none.
pub(super) fn newest_checkpoint(file: &Path) -> Result<String, Failure> {
    let named = file.display();
    let text = fs::read_to_string(file).map_err(|error| {
        let exit = if error.kind() == ErrorKind::NotFound { Exit::NotFound } else { Exit::Failed };
        Failure::because(format!("{named} cannot be read"), &error).with(exit)
    })?;
    let whole = text.rfind('\n').map_or(text.as_str(), |end| &text[..end]);
    let mut newest: Option<Checkpoint> = None;
    for (number, line) in (1..).zip(whole.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let checkpoint: Checkpoint = line.parse().map_err(|_| {
            Failure::new(format!("{named}:{number} is no checkpoint")).with(Exit::Usage)
        })?;
        newest = newest.filter(|newest| newest.at() > checkpoint.at()).or(Some(checkpoint));
    }
    let none = || Failure::new(format!("there is no checkpoint in {named}")).with(Exit::Usage);
    newest.map(|newest| newest.to_string()).ok_or_else(none)
}
