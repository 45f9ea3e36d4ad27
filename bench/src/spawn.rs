//! Starts children and reads what they print.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::de::DeserializeOwned;

use crate::Fault;

/// This program again.
pub(crate) fn itself() -> Result<PathBuf, Fault> {
    Ok(std::env::current_exe()?)
}

/// The program that counts allocations, built now: cargo builds only the one it is asked to run.
pub(crate) fn counting() -> Result<PathBuf, Fault> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--release", "--bin", "allocations", "--manifest-path"]);
    if !command.arg(manifest).status()?.success() {
        return Err("the program that counts allocations could not be built".into());
    }
    Ok(itself()?.with_file_name("allocations"))
}

/// Runs a child and reads the line that it prints.
pub(crate) fn child<T: DeserializeOwned>(
    program: &PathBuf,
    arguments: &[String],
) -> Result<T, Fault> {
    let output = Command::new(program).args(arguments).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("a measurement failed: {}", arguments.join(" ")).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).map_err(|error| format!("{error} in {line:?}").into())
}
