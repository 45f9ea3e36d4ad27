//! Several processes that share one stored session: stopped, killed, and never signed out.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use handstamp_client::storage::{Protection, SealedFile, SealingKey, Storage};
use handstamp_client::testing::TestServer;
use handstamp_client::{
    AuthError, AuthState, BackendError, ClientConfig, HandstampBackend, SessionManager,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::files::Place;
use crate::listener::{self, Heard, Listener, reply};
use crate::wire::granted;

const URL: &str = "HANDSTAMP_CLIENT_URL";
const FILE: &str = "HANDSTAMP_CLIENT_FILE";
const SECONDS: &str = "HANDSTAMP_CLIENT_SECONDS";
const PATIENCE: &str = "HANDSTAMP_CLIENT_PATIENCE";

/// How long an access token lives here, in seconds.
const LIFE: u64 = 2;
/// How many tasks of each process ask for tokens all the time.
const TASKS: usize = 50;

fn storage(path: &Path) -> SealedFile {
    SealedFile::new(path, Protection::Key(SealingKey::from_bytes([7; 32])))
}

/// One of the processes. Its server knows it by its `User-Agent`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_several() {
    let Ok(url) = std::env::var(URL) else { return };
    let agent = std::process::id().to_string();
    let client = reqwest::Client::builder().user_agent(agent).build().unwrap();
    let mut config = ClientConfig::default();
    let patience = std::env::var(PATIENCE).unwrap().parse().unwrap();
    config.lock_patience = Duration::from_secs(patience);
    let manager = SessionManager::builder()
        .storage(storage(Path::new(&std::env::var(FILE).unwrap())))
        .backend(HandstampBackend::with_client(client, &url).unwrap())
        .config(config)
        .build();
    let span = Duration::from_secs(std::env::var(SECONDS).unwrap().parse().unwrap());
    let until = Instant::now() + span;
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let manager = manager.clone();
            tokio::spawn(async move {
                while Instant::now() < until {
                    match manager.token().await {
                        Ok(_) | Err(AuthError::Offline { .. }) => {}
                        // One of the others was stopped while it wrote.
                        Err(AuthError::Storage(error)) if error.is_passing() => {}
                        Err(error) => panic!("signed out: {error:?}"),
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    // A refresh that is under way is to come to its end: nobody is killed here but by the server.
    while matches!(manager.state(), AuthState::Refreshing(_)) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn spawn(url: &str, path: &Path, seconds: u64, is_stopping: bool) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::one_of_several"])
        .env(URL, url)
        .env(FILE, path)
        .env(SECONDS, seconds.to_string())
        // One that is stopped is not to hold the others up for most of the test.
        .env(PATIENCE, if is_stopping { "1" } else { "15" })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What happens to whoever asks for the so-manieth refresh, once the server has made the next
/// generation and before it answers.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Fate {
    Stopped,
    Killed,
}

/// The server's side of it.
#[derive(Default)]
pub(crate) struct Tale {
    /// How long an access token lives, in seconds.
    pub(crate) life: u64,
    pub(crate) asked: AtomicUsize,
    in_flight: AtomicUsize,
    pub(crate) most_in_flight: AtomicUsize,
    stopped: Mutex<Option<(Pid, Instant)>>,
    killed: Mutex<Option<Pid>>,
}

impl Tale {
    pub(crate) fn living(life: u64) -> Arc<Self> {
        Arc::new(Self { life, ..Self::default() })
    }

    /// Lets a stopped process go on if it was stopped that long ago.
    pub(crate) fn wake(&self, after: Duration) {
        let mut stopped = self.stopped.lock().unwrap();
        if let Some((pid, _)) = stopped.take_if(|(_, at)| at.elapsed() >= after) {
            kill_process(pid, Signal::CONT).unwrap();
        }
    }

    pub(crate) fn answer(
        &self,
        server: &TestServer,
        heard: &Heard,
        fates: &[(usize, Fate)],
    ) -> String {
        let body: Value = serde_json::from_str(&heard.body).unwrap();
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let flying = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_in_flight.fetch_max(flying, Ordering::SeqCst);
        let outcome = server.exchange(&text("refresh_token"), &text("attempt_id"));
        let pid = heard.header("user-agent").and_then(|pid| Pid::from_raw(pid.parse().ok()?));
        match fates.iter().find(|(at, _)| *at == number) {
            Some((_, Fate::Stopped)) => {
                kill_process(pid.unwrap(), Signal::STOP).unwrap();
                *self.stopped.lock().unwrap() = Some((pid.unwrap(), Instant::now()));
            }
            Some((_, Fate::Killed)) => {
                kill_process(pid.unwrap(), Signal::KILL).unwrap();
                *self.killed.lock().unwrap() = pid;
            }
            None => {}
        }
        // Long enough that others run into it.
        std::thread::sleep(Duration::from_millis(20));
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        match outcome {
            Ok(next) => {
                let generation = next.access_token.expose()[1..].parse().unwrap();
                listener::json(200, &granted(generation, self.life))
            }
            Err(BackendError::Refused { reason }) => {
                let body = format!(
                    r#"{{"status":401,"code":"SESSION_ENDED","reason":"{}",
                        "timestamp":"2027-01-15T08:00:00.000Z"}}"#,
                    reason.unwrap()
                );
                reply(401, &["Content-Type: application/problem+json"], &body)
            }
            Err(_) => reply(500, &[], ""),
        }
    }
}

/// Lets so many processes share a session for so long, and says what the server saw.
async fn share(seconds: u64, fates: &'static [(usize, Fate)]) -> (TestServer, Arc<Tale>) {
    let place = Place::new();
    let server = TestServer::new(Duration::from_secs(LIFE));
    let tale = Tale::living(LIFE);
    let (model, telling) = (server.clone(), Arc::clone(&tale));
    let listener = Listener::start(move |heard| telling.answer(&model, heard, fates)).await;
    let first = SessionManager::builder().storage(storage(&place.path())).build();
    first.create_session_from_login_result(server.sign_in(), None).await.unwrap();
    let is_stopping = fates.iter().any(|(_, fate)| *fate == Fate::Stopped);
    let start = |_| spawn(&listener.url, &place.path(), seconds, is_stopping);
    let children: Vec<_> = (0..4).map(start).collect();
    wake_what_was_stopped(&tale, seconds).await;
    for child in children {
        let pid = Pid::from_child(&child);
        let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap());
        let output = output.await.unwrap();
        let was_killed = *tale.killed.lock().unwrap() == Some(pid);
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.success(), !was_killed, "{told}");
    }
    let kept = storage(&place.path()).load().unwrap().stored.session.unwrap();
    assert_eq!(kept.token().expose(), format!("a{}", server.rotations()));
    (server, tale)
}

/// Lets a stopped process go on after twice the life of a token.
async fn wake_what_was_stopped(tale: &Tale, seconds: u64) {
    let until = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(50)).await;
        tale.wake(Duration::from_secs(2 * LIFE));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_12_four_processes_of_fifty_tasks_renew_once_each_time() {
    let began = Instant::now();
    let (server, tale) = share(8, &[]).await;
    let seconds = began.elapsed().as_secs_f64();
    assert_eq!(server.ended(), None);
    assert_eq!(tale.most_in_flight.load(Ordering::SeqCst), 1);
    assert_eq!(server.rotations(), tale.asked.load(Ordering::SeqCst));
    // A token lives for 2 s and is renewed after 80 % of that, or a tenth of the rest before.
    let most = (seconds / 1.5) as usize + 1;
    assert!((2..=most).contains(&server.rotations()), "{} in {seconds} s", server.rotations());
}

#[tokio::test(flavor = "multi_thread")]
async fn defect_13_one_is_stopped_one_is_killed_and_nobody_is_signed_out() {
    let (server, tale) = share(14, &[(2, Fate::Stopped), (5, Fate::Killed)]).await;
    assert_eq!(server.ended(), None);
    assert!(tale.killed.lock().unwrap().is_some());
    assert!(server.rotations() >= 3, "{}", server.rotations());
}
