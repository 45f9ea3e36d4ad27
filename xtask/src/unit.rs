//! The systemd unit: whether systemd understands it, and how exposed it leaves the service.

use std::path::Path;

use crate::tally::Tally;
use crate::{Answer, shell};

const UNIT: &str = "packaging/systemd/handstamp.service";

/// Where the unit has the program; it need not be on this machine.
const PROGRAM: &str = "/usr/local/bin/handstamp";

/// The most exposure that is let pass, in tenths: 1.5 of 10. The guide for operators tells the
/// figure.
const MOST: &str = "--threshold=15";

/// Verifies the unit. Where there is no systemd-analyze, that is said and passed over.
pub(crate) fn run() -> Answer {
    if !shell::is_there("systemd-analyze") {
        println!("NOT CHECKED: the systemd unit (systemd-analyze is not on this machine)");
        return Ok(Tally::LEFT_OUT);
    }
    verify()?;
    let mut security = shell::command("systemd-analyze");
    security.args(["--no-pager", "security", "--offline=true", MOST, UNIT]);
    let told = shell::read(&mut security)?;
    println!("{}", told.lines().last().unwrap_or_default());
    Ok(Tally::PASSED)
}

/// Has systemd read the unit, with a program that is there in the place of ours.
fn verify() -> Result<(), String> {
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|error| error.to_string());
    let unit = with_program(&read(&shell::root().join(UNIT))?, &program()?);
    let folder = shell::target().join("unit");
    let path = folder.join("handstamp.service");
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(&path, unit))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    shell::run(shell::command("systemd-analyze").args(["--man=no", "verify"]).arg(path))
}

fn program() -> Result<String, String> {
    let here = std::env::current_exe().map_err(|error| error.to_string())?;
    Ok(here.display().to_string())
}

fn with_program(unit: &str, program: &str) -> String {
    unit.replace(&format!("ExecStart={PROGRAM}"), &format!("ExecStart={program}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_starts_our_program_and_another_can_stand_in() {
        let unit = std::fs::read_to_string(shell::root().join(UNIT)).unwrap();
        let other = with_program(&unit, "/bin/true");
        assert!(unit.contains("ExecStart=/usr/local/bin/handstamp serve"));
        assert!(other.contains("ExecStart=/bin/true serve"));
    }
}
