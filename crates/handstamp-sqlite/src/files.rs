//! The files of a database: where they are and who may read them.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::SqliteError;

/// `path` with `suffix` after its name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Makes the directory and the file of the database where they are missing, and answers the one
/// name of the file, so that two names for it share one lock. A file with something in it is left
/// as it is: it may not be ours.
pub(crate) fn prepare(path: &Path) -> Result<PathBuf, SqliteError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        make_folder(folder).map_err(|error| SqliteError::of_files(folder, error))?;
    }
    let of_files = |error| SqliteError::of_files(path, error);
    let file = create(path).map_err(of_files)?;
    if file.metadata().map_err(of_files)?.len() == 0 {
        restrict(path).map_err(of_files)?;
    }
    path.canonicalize().map_err(of_files)
}

/// Lets nobody but the owner read the files of a database that is ours, also those that a crash
/// left behind.
pub(crate) fn restrict_all(path: &Path) -> Result<(), SqliteError> {
    let all = ["", "-wal", "-shm"].map(|suffix| beside(path, suffix));
    let mut there = all.iter().filter(|path| path.exists());
    there.try_for_each(|path| restrict(path).map_err(|error| SqliteError::of_files(path, error)))
}

/// Opens `path` for reading and writing; makes it if it is missing.
pub(crate) fn create(path: &Path) -> io::Result<fs::File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(folder)
}

/// Mode 0600, whatever the umask says.
#[cfg(unix)]
pub(crate) fn restrict(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mut permissions = fs::metadata(path)?.permissions();
    if permissions.mode() & 0o777 == 0o600 {
        return Ok(());
    }
    permissions.set_mode(0o600);
    fs::set_permissions(path, permissions)
}

/// Elsewhere than on Unix, the directory decides who may read.
#[cfg(not(unix))]
pub(crate) fn restrict(path: &Path) -> io::Result<()> {
    fs::metadata(path).map(drop)
}
