//! Where this program keeps what belongs to its user.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// A folder of the XDG Base Directory Specification: what the variable says if that is absolute,
/// else the usual place under the home directory. `flag` is what says it otherwise.
pub(crate) fn home(variable: &str, usual: &str, flag: &str) -> Result<PathBuf, Failure> {
    let said = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::home_dir().filter(|home| home.is_absolute());
    said.or_else(|| Some(home()?.join(usual))).ok_or_else(|| {
        Failure::new(format!("there is no home directory to use; say where with {flag}"))
    })
}

/// Makes the folder, for its owner only; one that is there already stays as it is.
pub(crate) fn make_private(folder: &Path, flag: &str) -> Result<(), Failure> {
    let mut maker = std::fs::DirBuilder::new();
    maker.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut maker, 0o700);
    maker.create(folder).map_err(|error| {
        let line = format!("cannot make the folder {}", folder.display());
        Failure::because(format!("{line} (choose another with {flag})"), &error)
    })
}
