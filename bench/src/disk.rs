//! Where measurements lay their files, and what they weigh.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::Fault;

/// `target/bench` of the project.
pub(crate) fn folder() -> Result<PathBuf, Fault> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// A folder of its own on the disk of the project, removed when it is dropped.
pub(crate) fn scratch() -> Result<TempDir, Fault> {
    Ok(tempfile::Builder::new().prefix("run-").tempdir_in(folder()?)?)
}

/// Bytes of the files in `folder`.
pub(crate) fn bytes_in(folder: &Path) -> Result<u64, Fault> {
    let sizes = folder.read_dir()?.map(|entry| Ok(entry?.metadata()?.len()));
    sizes.sum()
}

/// Bytes of memory that this process holds (RSS); 0 where the system does not tell.
pub(crate) fn resident_bytes() -> u64 {
    resident_bytes_of("self")
}

/// The same of the process with this id.
pub(crate) fn resident_bytes_of(id: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}
