//! Files that only their owner can read, replaced whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::KeyRingError;

pub(super) fn create(path: &Path, text: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create_folder(folder)?;
    }
    // Written beside and linked into place, so that a second process never reads half a ring.
    let beside = beside(path);
    write(&beside, text)?;
    let linked = std::fs::hard_link(&beside, path);
    std::fs::remove_file(&beside)?;
    linked?;
    sync_folder(path)
}

pub(super) fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let beside = beside(path);
    write(&beside, text)?;
    std::fs::rename(&beside, path)?;
    sync_folder(path)
}

/// Waits until nobody else changes the file. The system lets go of the lock when the process dies,
/// however it dies.
pub(super) fn lock(path: &Path) -> io::Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(Path::new(&name))?;
    file.lock()?;
    Ok(file)
}

fn beside(path: &Path) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    let unique = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let unique = unique.unwrap_or_default().as_nanos();
    name.push(format!(".{}-{unique}.new", std::process::id()));
    name.into()
}

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

#[cfg(unix)]
pub(super) fn refuse_open_mode(path: &Path) -> Result<(), KeyRingError> {
    use std::os::unix::fs::PermissionsExt;
    let meta = std::fs::metadata(path)
        .map_err(|source| KeyRingError::Io { path: path.to_path_buf(), source })?;
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(KeyRingError::Permissions { path: path.to_path_buf(), mode })
    }
}

#[cfg(not(unix))]
pub(super) fn refuse_open_mode(_: &Path) -> Result<(), KeyRingError> {
    Ok(())
}
