//! Files that are whole or not there.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Lock, StorageError};
use crate::{fail, random};

/// No file of ours is larger, in bytes.
const LARGEST: u64 = 16 * 1024 * 1024;
/// How often it looks.
const LOOK: Duration = Duration::from_millis(5);

/// What a file's name goes on with while it is written, and when it was set aside.
const NEW: &str = ".new-";
const DAMAGED: &str = ".damaged-";

/// `path` with an addition to its name.
pub(super) fn beside(path: &Path, addition: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(addition);
    path.with_file_name(name)
}

/// What a file of ours holds; none if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, StorageError> {
    let about = match fs::symlink_metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if !about.is_file() || about.len() > LARGEST {
        return Err(StorageError::NotAFile);
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    own(&file)?;
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Refuses what belongs to somebody else, and takes from others the right to read it.
#[cfg(unix)]
fn own(file: &File) -> Result<(), StorageError> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    let about = file.metadata()?;
    if about.uid() != rustix::process::geteuid().as_raw() {
        return Err(StorageError::ForeignOwner);
    }
    if about.mode() & 0o077 != 0 {
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn own(_: &File) -> Result<(), StorageError> {
    Ok(())
}

/// Writes a file in the place of another, durably. `keep` is where the one before goes; without
/// it, nothing of it remains.
pub(crate) fn replace(path: &Path, bytes: &[u8], keep: Option<&Path>) -> io::Result<()> {
    Fresh::write(path, bytes)?.put(path, keep)
}

/// A file that is whole and durable, and not yet in its place. Removed if it never gets there.
pub(super) struct Fresh(PathBuf);

impl Fresh {
    pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<Self> {
        // Nobody could read it.
        if bytes.len() as u64 > LARGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        make_folder(path)?;
        let name = random::text().map_err(io::Error::other)?;
        let fresh = Self(beside(path, &format!("{NEW}{}", &name[..8])));
        write(&fresh.0, bytes)?;
        fail::point("new file written");
        Ok(fresh)
    }

    pub(super) fn put(self, path: &Path, keep: Option<&Path>) -> io::Result<()> {
        if let Some(keep) = keep {
            // A second name, so that there is no moment without a file.
            remove(keep)?;
            fail::point("file before last removed");
            if let Err(error) = link(path, keep) {
                // That is no reason to do without the new one.
                tracing::warn!(%error, "the write before the last one is not kept");
            }
            fail::point("last file named");
        }
        fs::rename(&self.0, path)?;
        fail::point("new file in place");
        // Everybody finds it from here on: to call it not kept would be to take it back.
        if let Err(error) = sync_folder(path) {
            tracing::warn!(%error, "what was kept may not outlive a loss of power");
        }
        Ok(())
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Gives a file another name, if the file is there. Where nobody can be kept out, another one may
/// have done so. Where files have one name only, as on FAT and many a network drive, it is copied.
fn link(path: &Path, name: &Path) -> io::Result<()> {
    let linked = fail::refused("hard link").and_then(|()| fs::hard_link(path, name));
    match or_missing(linked) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(_) => copy(path, name),
        Ok(()) => Ok(()),
    }
}

fn copy(path: &Path, name: &Path) -> io::Result<()> {
    match fs::read(path) {
        Ok(bytes) => Fresh::write(path, &bytes)?.put(name, None),
        Err(error) => or_missing(Err(error)),
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = private(OpenOptions::new().write(true).create_new(true)).open(path)?;
    fail::point("new file begun");
    file.write_all(bytes)?;
    file.sync_all()
}

/// Removes a file if it is there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    or_missing(fs::remove_file(path))
}

fn or_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Removes what a program left that was killed while it wrote, longer ago than this.
pub(super) fn sweep(path: &Path, age: Duration) {
    for entry in all_beside(path, NEW).unwrap_or_default() {
        if is_older(&entry, age) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Every file whose name is that of `path`, this addition, and more.
fn all_beside(path: &Path, addition: &str) -> io::Result<Vec<fs::DirEntry>> {
    let entries = match fs::read_dir(folder(path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let first = beside(path, addition);
    let prefix = first.file_name().unwrap_or_default().as_encoded_bytes();
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(prefix) {
            found.push(entry);
        }
    }
    Ok(found)
}

/// A damaged file that was set aside, if there is one.
pub(super) fn damaged(path: &Path) -> io::Result<Option<PathBuf>> {
    Ok(all_beside(path, DAMAGED)?.first().map(fs::DirEntry::path))
}

/// Removes every damaged file that was set aside.
pub(super) fn remove_damaged(path: &Path) -> io::Result<()> {
    all_beside(path, DAMAGED)?.iter().try_for_each(|entry| remove(&entry.path()))
}

fn is_older(entry: &fs::DirEntry, age: Duration) -> bool {
    let written = entry.metadata().and_then(|about| about.modified());
    age.is_zero() || written.is_ok_and(|at| at.elapsed().is_ok_and(|since| since > age))
}

/// Gives a damaged file another name in place of its own, one of those beside `of`, and says which.
pub(super) fn set_aside(path: &Path, of: &Path) -> Result<PathBuf, StorageError> {
    let aside = name_aside(of)?;
    fs::rename(path, &aside)?;
    sync_folder(path)?;
    Ok(aside)
}

/// Gives a damaged file another name beside its own.
pub(super) fn link_aside(path: &Path) -> Result<PathBuf, StorageError> {
    let aside = name_aside(path)?;
    link(path, &aside)?;
    Ok(aside)
}

fn name_aside(path: &Path) -> Result<PathBuf, StorageError> {
    let name = random::text()?;
    Ok(beside(path, &format!("{DAMAGED}{}", &name[..8])))
}

/// Takes a file in the place of another, durably.
pub(super) fn put_back(kept: &Path, path: &Path) -> io::Result<()> {
    fs::rename(kept, path)?;
    sync_folder(path)
}

/// Whether there is anything of this name.
pub(super) fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Makes the rename last.
#[cfg(unix)]
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = File::open(folder(path))?;
    match fail::refused("sync of a folder").and_then(|()| folder.sync_all()) {
        // What was renamed is as durable there as it gets.
        Err(error) if is_unknown_here(&error) => Ok(()),
        result => result,
    }
}

/// Whether a file system says that it does not know such a thing, which is no failure.
#[cfg(unix)]
fn is_unknown_here(error: &io::Error) -> bool {
    use rustix::io::Errno;

    let known = [
        Errno::INVAL,
        Errno::NOTSUP,
        Errno::OPNOTSUPP,
        Errno::NOSYS,
        Errno::NOLCK,
        Errno::ROFS,
        Errno::ISDIR,
    ];
    Errno::from_io_error(error).is_some_and(|number| known.contains(&number))
}

#[cfg(not(unix))]
fn is_unknown_here(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
}

#[cfg(not(unix))]
pub(super) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The folder, for its owner only if it has to be made.
fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder(path))
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Tries to lock a file of this name, which is made if need be and stays: whoever removed it would
/// let two in.
pub(super) fn try_lock(path: &Path) -> Result<Lock, StorageError> {
    let tried = open_lock(path).and_then(|file| match file.try_lock() {
        Ok(()) => Ok(Lock::Held(Box::new(file))),
        Err(TryLockError::WouldBlock) => Ok(Lock::Busy),
        Err(TryLockError::Error(error)) => Err(error),
    });
    match tried {
        // Such a file system: some network drives.
        Err(error) if is_unknown_here(&error) => Ok(Lock::Unsupported),
        tried => Ok(tried?),
    }
}

fn open_lock(path: &Path) -> io::Result<File> {
    fail::refused("lock")?;
    make_folder(path)?;
    private(OpenOptions::new().create(true).truncate(false).write(true)).open(path)
}

/// Waits for the lock of writers, but not for ever: its holder may be a program that was stopped.
pub(super) fn lock(path: &Path, patience: Duration) -> Result<Lock, StorageError> {
    let since = Instant::now();
    loop {
        match try_lock(path)? {
            Lock::Busy if since.elapsed() >= patience => return Err(StorageError::Busy),
            Lock::Busy => std::thread::sleep(LOOK),
            lock => return Ok(lock),
        }
    }
}
