//! Having a browser open an address that nobody but its user may know.
//!
//! What a program is started with, every user of the machine can read. So the browser is given the
//! name of a file that only its user may read, and the file leads on to the address.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use url::Url;

use super::keep;

/// How the folders of such files begin.
const BEGINS: &str = "opening-";
/// A folder that is older was left by a login that was killed.
const LEFT: Duration = Duration::from_secs(3600);

/// The file that leads on, which goes when this is dropped.
pub(super) struct Lead {
    folder: PathBuf,
    file: PathBuf,
}

impl Lead {
    /// Writes it, into a folder of its own in this one.
    pub(super) fn write(within: &Path, address: &str) -> io::Result<Self> {
        sweep(within);
        let chance = getrandom::u64().map_err(io::Error::other)?;
        let folder = within.join(format!("{BEGINS}{chance:016x}"));
        let mut maker = DirBuilder::new();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            std::os::unix::fs::DirBuilderExt::mode(&mut maker, 0o700);
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        maker.create(&folder)?;
        let lead = Self { file: folder.join("sign-in.html"), folder };
        options.open(&lead.file)?.write_all(page(address).as_bytes())?;
        Ok(lead)
    }

    /// Has the browser of this machine open it. Where that cannot be done the address stands on
    /// the terminal.
    pub(super) fn open(&self) {
        let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
        let _ = self.open_with(Path::new(program));
    }

    fn open_with(&self, program: &Path) -> io::Result<std::process::Child> {
        let none = |()| io::Error::other("the folder has no absolute name");
        let file = std::path::absolute(&self.file)?;
        let address = Url::from_file_path(file).map_err(none)?;
        let mut command = Command::new(program);
        command.arg(address.as_str()).env_remove(keep::KEY);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn sweep(within: &Path) {
    for entry in std::fs::read_dir(within).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(BEGINS);
        let age = entry.metadata().and_then(|about| about.modified()).map(|at| at.elapsed());
        if is_ours && age.is_ok_and(|age| age.is_ok_and(|age| age > LEFT)) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// A page that goes on to the address at once, and does not say where it came from.
fn page(address: &str) -> String {
    let address: String = address.chars().map(escaped).collect();
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <meta name=\"referrer\" content=\"no-referrer\">\
         <meta http-equiv=\"refresh\" content=\"0; url={address}\"><title>handstamp</title>\
         <p><a href=\"{address}\">Sign in</a>\n"
    )
}

/// A character as it stands in an attribute. Of a URL only these mean something there.
fn escaped(it: char) -> String {
    match it {
        '&' => "&amp;".into(),
        '"' => "&quot;".into(),
        '\'' => "&#39;".into(),
        '<' => "&lt;".into(),
        '>' => "&gt;".into(),
        it => it.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "https://shop.example/terminal?state=s3cret&device=a%20b";

    #[cfg(unix)]
    #[test]
    fn what_leads_to_the_page_is_for_its_owner_only_and_goes_in_the_end() {
        use std::os::unix::fs::PermissionsExt;

        let within = tempfile::tempdir().unwrap();
        let lead = Lead::write(within.path(), ADDRESS).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&lead.folder), mode(&lead.file)), (0o700, 0o600));
        let text = std::fs::read_to_string(&lead.file).unwrap();
        let shown = "https://shop.example/terminal?state=s3cret&amp;device=a%20b";
        assert!(text.contains(&format!("content=\"0; url={shown}\"")), "{text}");
        assert!(text.contains(&format!("href=\"{shown}\"")), "{text}");
        drop(lead);
        assert_eq!(std::fs::read_dir(within.path()).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn the_browser_is_started_without_the_address_among_its_arguments() {
        use std::os::unix::fs::PermissionsExt;

        let within = tempfile::tempdir().unwrap();
        let (opener, seen) = (within.path().join("opener"), within.path().join("seen"));
        let script = format!("#!/bin/sh\nprintf '%s\\n' \"$@\" > '{}'\n", seen.display());
        std::fs::write(&opener, script).unwrap();
        std::fs::set_permissions(&opener, PermissionsExt::from_mode(0o700)).unwrap();
        let lead = Lead::write(within.path(), ADDRESS).unwrap();
        assert!(lead.open_with(&opener).unwrap().wait().unwrap().success());
        let seen = std::fs::read_to_string(seen).unwrap();
        assert!(seen.starts_with("file:///") && seen.lines().count() == 1, "{seen}");
        assert!(!seen.contains("s3cret") && !seen.contains("shop.example"), "{seen}");
        let file = Url::parse(seen.trim()).unwrap().to_file_path().unwrap();
        assert!(std::fs::read_to_string(file).unwrap().contains("s3cret"));
    }

    #[test]
    fn an_address_ends_no_attribute() {
        let text = page("https://a/?\"><script>'");
        assert!(!text.contains("<script") && !text.contains("?\""), "{text}");
    }
}
