//! Making sure that what the tests need is there: installed where we may, else named.
//!
//! Nothing is ever skipped for want of a program: either it is there afterwards, or the tests fail
//! with the exact command to run.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::shell;

/// The program, and Debian's package.
const CHROMIUM: &str = "chromium";

/// What a machine may do about missing packages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Installer {
    /// `apt-get`, as root.
    Root,
    /// `sudo -n apt-get`, which asks for no password.
    Sudo,
    /// Nothing: somebody has to.
    Nobody,
}

/// The program that shows what the system is asked, and Debian's package: the tests of the store
/// read its traces.
const STRACE: &str = "strace";

/// The proxies that the tests of forward-auth run, and Debian's packages. nginx lies where only
/// root looks.
const PROXIES: [(&str, &str); 2] = [("/usr/sbin/nginx", "nginx"), ("caddy", "caddy")];

/// What comes with every server of PostgreSQL on Debian, and its package: the tests of the store
/// start servers of their own. The server itself lies in a folder of its version.
const POSTGRES: (&str, &str) = ("/usr/bin/pg_ctlcluster", "postgresql");

/// The pooler that the tests of the store put before a server, and Debian's package.
const POOLER: (&str, &str) = ("/usr/sbin/pgbouncer", "pgbouncer");

/// What the tests of the keyring run, and Debian's packages: a session bus of their own, and the
/// keyring of GNOME in it.
const KEYRING: [(&str, &str); 2] =
    [("dbus-run-session", "dbus"), ("gnome-keyring-daemon", "gnome-keyring")];

/// Makes sure that strace, nginx, Caddy, PostgreSQL, PgBouncer, GNOME Keyring, Chromium, Node.js and
/// the packages of `e2e/` are there; answers where Chromium is.
///
/// # Errors
/// Something is missing and may not be installed by us, or its installation failed. The text holds
/// the command to run.
pub(crate) fn all_tests() -> Result<PathBuf, String> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let mut programs = vec![(STRACE, STRACE), ("node", "nodejs"), ("npm", "npm")];
    programs.extend(PROXIES);
    programs.extend([POSTGRES, POOLER]);
    programs.extend(KEYRING);
    if named.is_none() {
        programs.push((CHROMIUM, CHROMIUM));
    }
    self::programs(&programs)?;
    npm_packages()?;
    let chromium = named.unwrap_or_else(|| CHROMIUM.into());
    shell::find(&chromium).ok_or_else(|| format!("there is no {}", chromium.display()))
}

/// The API fuzzer, from PyPI, at the version that the tests were written with.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// Makes sure that the API fuzzer is there, in a Python environment of its own below `target/`;
/// answers where its program is.
///
/// # Errors
/// There is no Python, or the package cannot be installed. The text holds the command to run.
pub(crate) fn fuzzer() -> Result<PathBuf, String> {
    programs(&[("python3", "python3-venv")])?;
    let folder = shell::root().join("target/schemathesis");
    let (program, stamp) = (folder.join("bin/schemathesis"), folder.join("installed"));
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == SCHEMATHESIS) {
        return Ok(program);
    }
    shell::run(shell::command("python3").args(["-m", "venv"]).arg(&folder))?;
    let pip = folder.join("bin/pip");
    shell::run(Command::new(&pip).args(["install", "--quiet", SCHEMATHESIS])).map_err(|why| {
        format!("{why}; the command by hand is\n\n    {} install {SCHEMATHESIS}\n", pip.display())
    })?;
    fs::write(&stamp, SCHEMATHESIS).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok(program)
}

/// Makes sure that programs are there, each given with Debian's package.
///
/// # Errors
/// As [`all_tests`].
pub(crate) fn programs(programs: &[(&str, &'static str)]) -> Result<(), String> {
    let missing = missing_packages(programs);
    if missing.is_empty() { Ok(()) } else { install(&missing) }
}

/// The packages of those programs that are not there.
fn missing_packages(programs: &[(&str, &'static str)]) -> Vec<&'static str> {
    let missing = programs.iter().filter(|(program, _)| !shell::is_there(program));
    missing.map(|(_, package)| *package).collect()
}

fn install(packages: &[&str]) -> Result<(), String> {
    let installer = installer();
    if installer == Installer::Nobody {
        return Err(format!(
            "this needs {}; on Debian run\n\n    {}\n\nElsewhere install what these packages hold \
             (Node.js 18 or newer; set CHROMIUM to Chromium's path).",
            packages.join(", "),
            by_hand(packages)
        ));
    }
    shell::run(apt_get(installer).arg("update"))?;
    shell::run(
        apt_get(installer).args(["install", "--yes", "--no-install-recommends"]).args(packages),
    )
    .map_err(|why| format!("{why}; the command by hand is\n\n    {}\n", by_hand(packages)))
}

fn by_hand(packages: &[&str]) -> String {
    format!("sudo apt-get update && sudo apt-get install --yes {}", packages.join(" "))
}

/// Debian only: elsewhere `chromium` may be another thing (Ubuntu's is an empty shell around a
/// snap, which does not start in a container).
fn installer() -> Installer {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    if !is_debian(&release) || !shell::is_there("apt-get") {
        Installer::Nobody
    } else if prints("id", &["-u"], "0") {
        Installer::Root
    } else if prints("sudo", &["-n", "id", "-u"], "0") {
        Installer::Sudo
    } else {
        Installer::Nobody
    }
}

fn is_debian(release: &str) -> bool {
    release.lines().any(|line| matches!(line, "ID=debian" | "ID=\"debian\""))
}

fn prints(program: &str, args: &[&str], expected: &str) -> bool {
    let answer = Command::new(program).args(args).output();
    answer.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).trim() == expected)
}

fn apt_get(installer: Installer) -> Command {
    let mut command = match installer {
        Installer::Sudo => {
            let mut sudo = shell::command("sudo");
            sudo.args(["-n", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
            sudo
        }
        _ => shell::command("apt-get"),
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// `npm ci` in `e2e/`, unless what it would install is what is there.
fn npm_packages() -> Result<(), String> {
    let folder = shell::root().join("e2e");
    let lock = folder.join("package-lock.json");
    let wanted = fs::read(&lock).map_err(|error| format!("{}: {error}", lock.display()))?;
    let stamp = folder.join("node_modules/.installed-from");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    shell::run(shell::command("npm").arg("ci").current_dir(&folder))
        .map_err(|why| format!("{why}; the command by hand is\n\n    (cd e2e && npm ci)\n"))?;
    fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_debian_is_debian() {
        assert!(is_debian("NAME=x\nID=debian\nVERSION_ID=\"12\"\n"));
        assert!(!is_debian("ID=ubuntu\nID_LIKE=debian\n"));
        assert!(!is_debian(""));
    }

    #[test]
    fn a_missing_program_is_named_by_its_package() {
        let programs = [("sh", "dash"), ("no-such-program-anywhere", "some-package")];
        assert_eq!(missing_packages(&programs), ["some-package"]);
    }

    #[test]
    fn the_command_by_hand_names_every_package() {
        assert_eq!(
            by_hand(&["nodejs", "chromium"]),
            "sudo apt-get update && sudo apt-get install --yes nodejs chromium"
        );
    }
}
