//! The packages of a peer, installed from its lock file into `target/bench/peers/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::options::Project;
use crate::{Fault, disk};

/// What a finished installation leaves: the list that it was made from.
const STAMP: &str = ".installed-from";

/// Installs a project, unless what it would install is there; answers its folder.
///
/// # Errors
/// Its package manager is missing or has failed.
pub(crate) fn install(project: Project) -> Result<PathBuf, Fault> {
    packages(project.folder())
}

/// The same of a folder in `bench/peers/`.
///
/// # Errors
/// As [`install`].
pub(crate) fn packages(name: &str) -> Result<PathBuf, Fault> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name);
    let folder = disk::folder()?.join("peers").join(name);
    fs::create_dir_all(&folder)?;
    for entry in fs::read_dir(&source)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), folder.join(entry.file_name()))?;
        }
    }
    let is_python = folder.join("requirements.txt").is_file();
    let list = if is_python { "requirements.txt" } else { "package-lock.json" };
    let wanted = fs::read(folder.join(list))?;
    if fs::read(folder.join(STAMP)).is_ok_and(|installed| installed == wanted) {
        return Ok(folder);
    }
    eprintln!("  installing {name}");
    if is_python {
        python(&folder)?
    } else {
        node(&folder)?
    }
    fs::write(folder.join(STAMP), wanted)?;
    Ok(folder)
}

fn node(folder: &Path) -> Result<(), Fault> {
    succeed(Command::new("npm").arg("ci").current_dir(folder))
}

fn python(folder: &Path) -> Result<(), Fault> {
    succeed(Command::new("python3").args(["-m", "venv", "venv"]).current_dir(folder))?;
    let install = ["install", "--quiet", "--no-deps", "--requirement", "requirements.txt"];
    succeed(Command::new("venv/bin/pip").args(install).current_dir(folder))
}

fn succeed(command: &mut Command) -> Result<(), Fault> {
    let program = command.get_program().to_string_lossy().into_owned();
    let hint = "install it, or leave the peer out by `--peers`";
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program} has failed ({status}); {hint}").into()),
        Err(error) => Err(format!("{program} could not be started: {error}; {hint}").into()),
    }
}
