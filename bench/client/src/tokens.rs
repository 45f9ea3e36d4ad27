//! What handing out a token costs, alone and among many tasks, and what it costs a request.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use handstamp_client::MemoryStorage;
use handstamp_client::http::HttpClient;
use reqwest::{Method, Request};
use tokio::runtime::{Builder, Runtime};

use crate::measure::{Aim, median};
use crate::peers::{Google, Mutexed, Yup};
use crate::{Failure, ours};

/// How many calls each of many tasks makes.
const CALLS: u32 = 100_000;
/// How many calls a round makes, of one task alone: less than the system lets a thread run for.
const ROUND: u32 = 2_000;
/// How many tasks want tokens at once.
const TASKS: u32 = 16;

/// What hands out tokens.
macro_rules! cost {
    ($name:literal, $alone:expr, $many:expr, $of:expr, $call:ident) => {{
        let of = Arc::new($of);
        let one = alone($alone, || async {
            black_box(of.$call().await);
        });
        let (many, waits) = among($many, || {
            let of = Arc::clone(&of);
            async move {
                for _ in 0..CALLS {
                    black_box(of.$call().await.is_empty());
                }
            }
        });
        row($name, one, many, waits);
        (one, many, waits)
    }};
}

/// So that one loop serves whatever is handed out.
trait Emptiness {
    fn is_empty(&self) -> bool;
}

impl Emptiness for handstamp_client::Token {
    fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

/// The client, as its peers are asked.
struct Ours(handstamp_client::SessionManager);

impl Ours {
    async fn token(&self) -> handstamp_client::Token {
        self.0.token().await.expect("somebody is signed in")
    }
}

pub(crate) fn run(with_peers: bool, aims: &mut Vec<Aim>) -> Result<(), Failure> {
    let one = Builder::new_current_thread().enable_all().build()?;
    let many = Builder::new_multi_thread().enable_all().build()?;
    println!("| a token of | alone, ns | {TASKS} tasks at once, ns | waits of threads |");
    println!("|---|---|---|---|");
    let manager = one.block_on(ours::signed_in(MemoryStorage::new()))?;
    let (alone, _, waits) = cost!("Handstamp", &one, &many, Ours(manager.clone()), token);
    aims.push(Aim {
        what: "a token of a live session",
        measured: alone,
        at_most: 200.0,
        unit: "ns",
    });
    // Threads that find nothing to do wait too: when the last of the tasks is done.
    aims.push(Aim {
        what: "waits of threads in 1.6 million calls of 16 tasks",
        measured: f64::from(u32::try_from(waits)?),
        at_most: 100.0,
        unit: "waits",
    });
    if with_peers {
        cost!("oauth2 behind Tokio's mutex", &one, &many, Mutexed::new(), token);
        let folder = tempfile::tempdir()?;
        cost!("yup-oauth2", &one, &many, many.block_on(Yup::new(folder.path()))?, token);
        cost!("google-cloud-auth (a header)", &one, &many, many.block_on(Google::new())?, headers);
    }
    authorize(&one, manager, aims)
}

fn row(name: &str, one: f64, many: f64, waits: u64) {
    println!("| {name} | {one:.0} | {many:.0} | {waits} |");
}

fn alone<F: Future<Output = ()>>(runtime: &Runtime, call: impl Fn() -> F) -> f64 {
    median(ROUND, || {
        runtime.block_on(async {
            for _ in 0..ROUND {
                call().await;
            }
        });
    })
}

/// Nanoseconds of a processor for each call of many tasks at once, and how often a thread waited.
fn among<F: Future<Output = ()> + Send + 'static>(
    runtime: &Runtime,
    task: impl Fn() -> F,
) -> (f64, u64) {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let before = waits();
    let begun = Instant::now();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..TASKS).map(|_| tokio::spawn(task())).collect();
        for task in tasks {
            task.await.expect("a task of the measurement");
        }
    });
    let spent = begun.elapsed().as_secs_f64() * 1e9 * processors as f64;
    (spent / f64::from(TASKS * CALLS), waits() - before)
}

/// How often threads of this process gave up their processor because they had to wait.
pub(crate) fn waits() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of_one = |entry: std::fs::DirEntry| {
        let status = std::fs::read_to_string(entry.path().join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        line.trim().parse::<u64>().ok()
    };
    tasks.filter_map(of_one).sum()
}

fn authorize(
    runtime: &Runtime,
    manager: handstamp_client::SessionManager,
    aims: &mut Vec<Aim>,
) -> Result<(), Failure> {
    let client = HttpClient::new(manager, &["https://api.example.com"])?;
    let request = Request::new(Method::GET, "https://api.example.com/orders?page=7".parse()?);
    let copied = |request: &Request| request.try_clone().expect("a request without a body");
    let bare = alone(runtime, || async { drop(black_box(copied(&request))) });
    let whole = alone(runtime, || async {
        let mut request = copied(&request);
        client.authorize(&mut request).await.expect("somebody is signed in");
        drop(black_box(request));
    });
    println!("\nA request is authorised in {:.0} ns.", whole - bare);
    aims.push(Aim {
        what: "what authorising adds to a request",
        measured: whole - bare,
        at_most: 1000.0,
        unit: "ns",
    });
    Ok(())
}
