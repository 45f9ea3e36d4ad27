//! What is left of a session's secrets in the memory of a process that has cleared it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use handstamp_client::backend::{Answer, RefreshCall};
use handstamp_client::storage::{Protection, SealedFile, SealingKey, Storage, Stored};
use handstamp_client::{AuthBackend, Granted, Outcome, SessionManager, Token, testing};

use crate::files::Place;

const FILE: &str = "HANDSTAMP_CLIENT_MEMORY_FILE";

fn storage(path: &Path) -> SealedFile {
    SealedFile::new(path, Protection::Key(SealingKey::from_bytes([7; 32])))
}

/// A secret that stands nowhere in a program.
fn secret(seed: u64) -> String {
    let mut state = seed;
    let mut letter = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + u8::try_from((state >> 59) % 26).unwrap())
    };
    (0..64).map(|_| letter()).collect()
}

/// The secrets before a refresh, and after it.
const BEFORE: [u64; 2] = [1, 2];
const AFTER: [u64; 2] = [3, 4];
const NONE: [u64; 0] = [];

/// A server in the process itself, which keeps nothing: HTTP has buffers of its own.
struct Forgetful;

impl AuthBackend for Forgetful {
    fn refresh(&self, _: RefreshCall) -> Answer<'_, Granted> {
        let [access, refresh] = AFTER.map(|seed| Token::from(secret(seed)));
        let granted = Granted { refresh_token: Some(refresh), ..Granted::new(access) };
        Box::pin(std::future::ready(Ok(granted)))
    }

    fn revoke(&self, _: Token) -> Answer<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Says where it is, and waits to be told to go on.
#[allow(clippy::print_stdout, reason = "its parent reads it")]
fn stop_at(place: &str) {
    println!("\nat {place}");
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// The process whose memory is read.
#[tokio::test]
async fn one_that_is_read() {
    let Ok(path) = std::env::var(FILE) else { return };
    let manager =
        SessionManager::builder().storage(storage(&PathBuf::from(path))).backend(Forgetful).build();
    drop(manager.token().await.unwrap());
    manager.save_session().await.unwrap();
    stop_at("signed in");
    assert_eq!(manager.refresh().await, Outcome::Refreshed);
    drop(manager.token().await.unwrap());
    stop_at("refreshed");
    manager.clear().await.unwrap();
    stop_at("cleared");
}

/// The process, its lines, and the way to it.
struct Read {
    child: Child,
    lines: BufReader<ChildStdout>,
    line: ChildStdin,
}

impl Read {
    fn start(path: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "memory::one_that_is_read", "--nocapture"]).env(FILE, path);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let line = child.stdin.take().unwrap();
        Self { child, lines, line }
    }

    fn until(&mut self, place: &str) {
        let wanted = format!("at {place}");
        let found = self.lines.by_ref().lines().any(|line| line.unwrap() == wanted);
        assert!(found, "it never was {place}");
    }

    fn go_on(&mut self) {
        self.line.write_all(b"\n").unwrap();
    }

    /// Which of the secrets its memory holds. The first bytes of freed memory are the allocator's, so
    /// the middle of a secret is looked for.
    fn holds(&self, seeds: &[u64]) -> Vec<u64> {
        let memory = self.memory();
        let is_held = |seed: &&u64| {
            let secret = secret(**seed);
            let middle = &secret.as_bytes()[24..56];
            memory.iter().any(|part| part.windows(middle.len()).any(|bytes| bytes == middle))
        };
        seeds.iter().filter(is_held).copied().collect()
    }

    /// All that it may write to.
    fn memory(&self) -> Vec<Vec<u8>> {
        let folder = PathBuf::from(format!("/proc/{}", self.child.id()));
        let maps = std::fs::read_to_string(folder.join("maps")).unwrap();
        let memory = File::open(folder.join("mem")).unwrap();
        let part = |line: &str| {
            let (range, rest) = line.split_once(' ')?;
            let (from, to) = range.split_once('-').filter(|_| rest.starts_with("rw"))?;
            let [from, to] = [from, to].map(|text| u64::from_str_radix(text, 16).unwrap());
            let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
            memory.read_exact_at(&mut bytes, from).ok().map(|()| bytes)
        };
        maps.lines().filter_map(part).collect()
    }
}

#[test]
fn nothing_of_a_token_is_left_in_memory_once_the_session_is_cleared() {
    let place = Place::new();
    let [access, refresh] = BEFORE.map(secret);
    let mut session = testing::session(&access, &refresh, 1800);
    // By the clock of tests these tokens may come later than now, which would have them renewed.
    session.tokens.obtained_at = None;
    let stored = Stored { session: Some(session), outbox: vec![] };
    storage(&place.path()).replace(None, &stored).unwrap();
    let mut process = Read::start(&place.path());
    process.until("signed in");
    assert_eq!(process.holds(&BEFORE), BEFORE, "what is held can be found");
    process.go_on();
    process.until("refreshed");
    assert_eq!(process.holds(&BEFORE), NONE, "what was replaced is gone");
    assert_eq!(process.holds(&AFTER), AFTER);
    process.go_on();
    process.until("cleared");
    assert_eq!(process.holds(&[BEFORE, AFTER].concat()), NONE);
    process.go_on();
    assert!(process.child.wait().unwrap().success());
}
