//! The key in GNOME Keyring, in a session bus of its own: stored, read by the next program, locked,
//! silent, absent. Needs Debian's packages `dbus` and `gnome-keyring`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::{Here, refresh_token};
use crate::world::{Ran, World, set_mode};

/// Opens the keyring of this home with a password; makes it the first time.
const UNLOCK: &str = "printf 'open sesame' | gnome-keyring-daemon --unlock --components=secrets \
                      >/dev/null 2>&1";

/// A desktop: a home, and a session bus for as long as a script runs.
struct Desktop {
    here: Here,
}

impl Desktop {
    fn new() -> Self {
        let here = Here::of(World::new());
        fs::create_dir(here.world.path("run")).unwrap();
        set_mode(&here.world.path("run"), 0o700);
        Self { here }
    }

    /// Runs a script in a fresh session on this desktop; `$HS` is the program.
    fn run(&self, script: &str) -> Ran {
        self.run_with(&[], script)
    }

    fn run_with(&self, bus: &[&str], script: &str) -> Ran {
        let program = env!("CARGO_BIN_EXE_handstamp");
        let home = self.here.world.path("");
        let mut command = Command::new("dbus-run-session");
        command.args(bus).args(["--", "sh", "-c", script]);
        command.current_dir(&home).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command.env("HOME", &home).env("XDG_RUNTIME_DIR", home.join("run")).env("HS", program);
        let mut ran: Ran = command.output().unwrap().into();
        // What the bus itself has to say about limits of the machine is not ours.
        let ours = ran.err.lines().filter(|line| line.starts_with("handstamp"));
        ran.err = ours.map(|line| format!("{line}\n")).collect();
        ran
    }

    /// A script that signs in with a fresh token.
    fn login(&self, flags: &str) -> String {
        let answer = self.here.sign_in("ada");
        fs::write(self.here.world.path("token"), refresh_token(&answer)).unwrap();
        format!("$HS login --with-token --service {} {flags} <token", self.here.served.url)
    }

    fn file(&self) -> PathBuf {
        self.here.world.path(".local/share/handstamp/accounts/default.session")
    }
}

#[test]
fn j02_the_key_lies_in_the_keyring_and_the_next_program_finds_it() {
    let desktop = Desktop::new();
    let login = desktop.login("--keyring require");
    let script = format!("{UNLOCK}; {login} && $HS whoami && $HS status --json");
    let said = desktop.run(&script).good();
    assert!(said.contains("signed in as ada") && said.contains("\"sealed\": true"), "{said}");
    let kept = String::from_utf8_lossy(&fs::read(desktop.file()).unwrap()).into_owned();
    assert!(!kept.contains("hsr_") && !kept.contains("eyJ"));
    // The next session of this desktop, after it has been unlocked again.
    assert_eq!(desktop.run(&format!("{UNLOCK}; $HS whoami")).good(), "ada\n");
    let token = desktop.run(&format!("{UNLOCK}; $HS token")).good();
    assert_eq!(token.matches('.').count(), 2);
}

#[test]
fn defect_25_a_locked_keyring_is_not_a_missing_one() {
    let desktop = Desktop::new();
    let login = desktop.login("");
    desktop.run(&format!("{UNLOCK}; {login}")).good();
    let kept = fs::read(desktop.file()).unwrap();
    // Nobody unlocks it, and nobody is there to be asked.
    for command in ["$HS token", "$HS status", "$HS logout", "$HS whoami", &desktop.login("")] {
        let line = desktop.run(command).line(4);
        assert!(line.contains("keyring is locked"), "{command}: {line}");
        assert_eq!(fs::read(desktop.file()).unwrap(), kept, "{command}");
    }
    // Where there is none at all the file that was sealed with it stays as it is, too.
    let line = desktop.here.run(&["token"]).line(4);
    assert!(line.contains("no keyring"), "{line}");
    assert_eq!(fs::read(desktop.file()).unwrap(), kept);
    desktop.run(&format!("{UNLOCK}; $HS token")).good();
}

#[test]
fn defect_25_a_keyring_that_does_not_answer_is_not_waited_for_for_ever() {
    let desktop = Desktop::new();
    let login = desktop.login("");
    let script = format!(
        "{UNLOCK}; {login} >/dev/null; \
         kill -STOP $(cat daemon); \
         $HS token; code=$?; kill -CONT $(cat daemon); exit $code"
    );
    // The daemon is started in the foreground, so that its id is known.
    let script = script.replace(
        UNLOCK,
        "printf 'open sesame' | gnome-keyring-daemon --unlock --foreground \
         --components=secrets >/dev/null 2>&1 & echo $! >daemon; \
         until dbus-send --session --print-reply --dest=org.freedesktop.DBus / \
         org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets | grep -q true; \
         do sleep 0.05; done",
    );
    let began = std::time::Instant::now();
    let line = desktop.run(&script).line(4);
    assert!(line.contains("does not answer"), "{line}");
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
}

#[test]
fn defect_25_a_session_bus_without_a_keyring_leads_to_a_plain_file_that_is_told_of() {
    let desktop = Desktop::new();
    let config = desktop.here.world.path("bus.conf");
    let text = "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
        \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\"><busconfig>\
        <type>session</type><listen>unix:tmpdir=/tmp</listen><policy context=\"default\">\
        <allow send_destination=\"*\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/></policy>\
        </busconfig>";
    fs::write(&config, text).unwrap();
    let bus = format!("--config-file={}", config.display());
    let line = desktop.run_with(&[&bus], &desktop.login("--keyring require")).line(4);
    assert!(line.contains("no keyring"), "{line}");
    let ran = desktop.run_with(&[&bus], &desktop.login(""));
    assert_eq!(ran.exit, 0, "{}", ran.err);
    assert!(ran.err.contains("not sealed"), "{}", ran.err);
}
