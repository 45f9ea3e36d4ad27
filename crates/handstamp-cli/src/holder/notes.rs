//! What lies beside the file of a session: the address of its service, and how the last session
//! ended.
//!
//! The address is readable, and written once more under the key of the session. Whoever changes it
//! gets no token: a session is sealed for its address and does not open for another, and a token
//! that somebody pastes goes only where he says himself or where the key vouches for.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use handstamp_client::HandstampBackend;
use handstamp_client::address::AddressError;
use handstamp_client::storage::{Protection, SealedNote};
use handstamp_protocol::Time;
use handstamp_protocol::sessions::Reason;
use serde::{Deserialize, Serialize};
use url::Url;

use super::failures;
use crate::failure::{Exit, Failure};

/// How the file with the address of the service ends.
const SERVICE: &str = "service";
/// How the file ends in which the same address is sealed.
const VOUCHED: &str = "service-sealed";
/// How the file that tells of the last end ends.
const ENDED: &str = "ended";
/// No such file is larger, in bytes.
const LARGEST: u64 = 4096;

/// How a session ended.
#[derive(Serialize, Deserialize)]
pub(super) struct End {
    /// Why, if the service said.
    pub(super) reason: Option<Reason>,
    /// When that was seen here.
    pub(super) seen_at: Time,
}

/// The address of the service of the session at `path`.
///
/// # Errors
/// Exit 1 if there is one and it cannot be read, or is none.
pub(super) fn service(path: &Path) -> Result<Option<String>, Failure> {
    let file = path.with_extension(SERVICE);
    let text = read(&file);
    let text = text.map_err(|e| Failure::because(format!("cannot read {}", file.display()), &e))?;
    text.map(|text| address(text.trim())).transpose()
}

/// Keeps the address, with what the session is sealed with.
pub(super) fn keep_service(
    path: &Path,
    service: &str,
    protection: &Protection,
) -> Result<(), Failure> {
    let file = path.with_extension(SERVICE);
    write(&file, &format!("{service}\n"))
        .map_err(|error| Failure::because(format!("cannot write {}", file.display()), &error))?;
    let sealed = vouched(path, protection).keep(service);
    sealed.map(drop).map_err(|error| failures::of_storage(&error))
}

/// The address of the service, if the key vouches for it.
///
/// # Errors
/// Exit 4 if the keyring does not give the key.
pub(super) fn vouched_service(
    path: &Path,
    protection: &Protection,
) -> Result<Option<String>, Failure> {
    let noted = service(path)?;
    let sealed = vouched(path, protection).read();
    let sealed = sealed.map_err(|error| failures::of_storage(&error))?;
    Ok(noted.filter(|noted| sealed.as_ref() == Some(noted)))
}

fn vouched(path: &Path, protection: &Protection) -> SealedNote {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    SealedNote::new(path.with_extension(VOUCHED), protection.clone(), &format!("service of {name}"))
}

/// Forgets all that lies beside the session.
pub(super) fn forget(path: &Path) {
    for ending in [SERVICE, VOUCHED, ENDED] {
        let _ = fs::remove_file(path.with_extension(ending));
    }
}

/// Notes that the session has ended. That this cannot be kept is no failure of the command.
pub(super) fn note_end(path: &Path, reason: Option<&Reason>) {
    let end = End { reason: reason.cloned(), seen_at: SystemTime::now().into() };
    if let Ok(text) = serde_json::to_string(&end) {
        let _ = write(&path.with_extension(ENDED), &text);
    }
}

/// How the last session ended, if nobody has signed in since.
pub(super) fn end(path: &Path) -> Option<End> {
    let text = read(&path.with_extension(ENDED)).ok()??;
    serde_json::from_str(&text).ok()
}

/// Somebody has signed in.
pub(super) fn forget_end(path: &Path) {
    let _ = fs::remove_file(path.with_extension(ENDED));
}

/// The address of a service as it is kept: `https://id.example.com`.
///
/// # Errors
/// Exit 2 if it is none; exit 4 if a token would go over the network in the clear.
pub(super) fn address(text: &str) -> Result<String, Failure> {
    let line = || format!("{text:?} is not the address of a service, like https://id.example.com");
    let url = Url::parse(text).map_err(|_| Failure::new(line()).with(Exit::Usage))?;
    match HandstampBackend::new(text) {
        Ok(_) => Ok(url.as_str().trim_end_matches('/').to_owned()),
        Err(AddressError::Plain(_)) => {
            let line = format!("{text} is not https: whoever is on the way could read the tokens");
            Err(Failure::new(line).with(Exit::Refused))
        }
        Err(_) => Err(Failure::new(line()).with(Exit::Usage)),
    }
}

fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::metadata(path) {
        Ok(about) if about.is_file() && about.len() <= LARGEST => {
            fs::read_to_string(path).map(Some)
        }
        Ok(_) => Err(io::Error::other("it is no file of ours")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a file whole, for its owner only.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let fresh = path.with_extension(format!("new-{}", std::process::id()));
    let _ = fs::remove_file(&fresh);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_of_https_or_of_this_machine() {
        for (text, kept) in [
            ("https://id.example.com/", "https://id.example.com"),
            ("https://example.com/auth", "https://example.com/auth"),
            ("http://127.0.0.1:7070", "http://127.0.0.1:7070"),
            ("http://localhost:7070/", "http://localhost:7070"),
            ("http://[::1]:7070", "http://[::1]:7070"),
        ] {
            assert_eq!(address(text).unwrap(), kept);
        }
        for text in ["http://id.example.com", "http://127.0.0.1.example.com"] {
            assert_eq!(address(text).unwrap_err().exit(), Exit::Refused, "{text}");
        }
        for text in ["", "id.example.com", "ftp://id", "https://u:p@id", "https://id/?a"] {
            assert_eq!(address(text).unwrap_err().exit(), Exit::Usage, "{text}");
        }
    }
}
