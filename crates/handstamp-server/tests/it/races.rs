//! Callers who race each other over HTTP.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use futures_util::future::join_all;
use handstamp_protocol::sessions::TokenAnswer;
use reqwest::Method;
use serde_json::{Value, json};

use crate::draw::{Draw, seed};
use crate::world::{Answer, World, send};

/// How many schedules are played.
const SCHEDULES: u64 = 10_000;

/// How many schedules are played at once, each with a subject of its own.
const LANES: usize = 16;

/// By whom and how a session is ended.
const ENDS: [&str; 8] = [
    "logout",
    "by refresh token",
    "revoke",
    "logout-all",
    "another device",
    "admin",
    "bulk",
    "disable",
];

/// A session that is ended while it is refreshed.
struct Race<'a> {
    world: &'a World,
    name: String,
    how: &'static str,
    begun: TokenAnswer,
    /// Another session of the same subject.
    other: TokenAnswer,
    is_acknowledged: AtomicBool,
    /// A refresh that started after that was refused.
    is_over: AtomicBool,
}

impl<'a> Race<'a> {
    async fn new(world: &'a World, name: String, how: &'static str) -> Self {
        let (begun, other) = tokio::join!(world.begin(&name), world.begin(&name));
        let (is_acknowledged, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { world, name, how, begun, other, is_acknowledged, is_over }
    }

    /// Ends the session, and notes that this was acknowledged.
    async fn end(&self) {
        let (world, how) = (self.world, self.how);
        let (own, other) = (self.begun.access_token.expose(), self.other.access_token.expose());
        let id = &self.begun.session.id;
        let request = match how {
            "logout" => world.post("/sessions/logout").bearer_auth(own),
            "by refresh token" => world
                .post("/sessions/logout")
                .json(&json!({ "refresh_token": self.begun.refresh_token })),
            "revoke" => {
                world.post("/sessions/revoke").json(&json!({ "token": self.begun.refresh_token }))
            }
            "logout-all" => world
                .post("/sessions/logout-all")
                .bearer_auth(other)
                .json(&json!({ "except_current": true })),
            "another device" => {
                world.request(Method::DELETE, &format!("/sessions/{id}")).bearer_auth(other)
            }
            "admin" => self.by_operator("/admin/sessions/end", json!({ "ids": [id] })),
            "bulk" => {
                let filter = json!({ "filter": { "subject": self.name } });
                self.by_operator("/admin/sessions/end", filter)
            }
            _ => {
                let path = format!("/admin/subjects/{}/disable", self.name);
                self.by_operator(&path, json!({}))
            }
        };
        let answer = send(request).await;
        assert_eq!(answer.status, 200, "{how}: {:?}", answer.json);
        self.is_acknowledged.store(true, Ordering::SeqCst);
    }

    fn by_operator(&self, path: &str, body: Value) -> reqwest::RequestBuilder {
        self.world.post(path).bearer_auth(&self.world.admin).json(&body)
    }

    /// Refreshes on and on, `tabs` at once and each time with what the last round gave, until after
    /// the end was acknowledged; answers how often it succeeded.
    async fn refresh_on(&self, tabs: u32, is_named: bool) -> u64 {
        let (mut token, mut count) = (self.begun.refresh_token.expose().to_owned(), 0);
        loop {
            let round = join_all((0..tabs).map(|tab| {
                let attempt = format!("{}-{tab:010}-{count:010}", self.name);
                self.refresh(&token, is_named.then_some(attempt))
            }));
            let successors: HashSet<String> = round.await.into_iter().flatten().collect();
            assert!(successors.len() <= 1, "{}: several successors", self.name);
            if self.is_over.load(Ordering::SeqCst) {
                return count;
            }
            if let Some(successor) = successors.into_iter().next() {
                token = successor;
                count += 1;
            }
        }
    }

    /// The successor, if there was one, which is never the case after the end was acknowledged.
    async fn refresh(&self, token: &str, attempt: Option<String>) -> Option<String> {
        let is_after = self.is_acknowledged.load(Ordering::SeqCst);
        let body = json!({ "refresh_token": token, "attempt_id": attempt });
        let answer = send(self.world.post("/sessions/refresh").json(&body)).await;
        if answer.status == 200 && !is_after {
            return Some(answer.json["refresh_token"].as_str().unwrap().to_owned());
        }
        self.refused(&answer);
        self.is_over.fetch_or(is_after, Ordering::SeqCst);
        None
    }

    fn refused(&self, answer: &Answer) {
        assert_eq!(
            answer.problem(),
            (401, "SESSION_ENDED"),
            "{} {}: {:?}",
            self.name,
            self.how,
            answer.json
        );
        assert!(answer.json.get("refresh_token").is_none());
    }

    /// The generation at which the session has ended.
    async fn generation(&self) -> u32 {
        let id = self.begun.session.id.parse().unwrap();
        let why = self.world.sessions.why_of(id).await.unwrap().unwrap();
        assert!(why.ended.is_some(), "{}: it lives", self.name);
        self.world.sessions.record(id).await.unwrap().unwrap().lineage.generation
    }
}

async fn take_turns(turns: u32) {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}

/// Plays one schedule; answers how many refreshes came before the end.
async fn play(world: &World, seed: u64, number: u64) -> u64 {
    let draw = Draw::new(seed, number);
    let how = *draw.of(&ENDS);
    let race = Race::new(world, format!("user-{number}"), how).await;
    let (tabs, is_named) = (1 + draw.below(3), draw.once_in(3));
    let (first, second) = (draw.below(20), draw.below(200));
    let refreshes = async {
        take_turns(first).await;
        race.refresh_on(tabs, is_named).await
    };
    let end = async {
        take_turns(second).await;
        race.end().await;
        race.generation().await
    };
    let (generation, count) = tokio::join!(end, refreshes);
    assert_eq!(race.generation().await, generation, "schedule {number}, {how}: a successor");
    let status = world.status(race.begun.access_token.expose()).await;
    assert_eq!(status.json["is_active"], false, "schedule {number}, {how}");
    count
}

/// Nothing that starts after the acknowledged end succeeds, and no successor is minted, however
/// a session is ended and whoever refreshes it meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s35_an_end_that_is_acknowledged_stops_every_refresh_over_http() {
    let (seed, begun) = (seed(), Instant::now());
    println!("HANDSTAMP_SEED={seed}");
    let world = World::with(&[("limits.refresh", "none")]).await;
    let schedules = SCHEDULES / world.share();
    let (next, refreshed) = (AtomicU64::new(0), AtomicU64::new(0));
    let lane = || async {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= schedules {
                break;
            }
            refreshed.fetch_add(play(&world, seed, number).await, Ordering::Relaxed);
        }
    };
    join_all((0..LANES).map(|_| lane())).await;
    let refreshed = refreshed.into_inner();
    println!("{schedules} schedules, {refreshed} refreshes before the end, {:?}", begun.elapsed());
    assert!(refreshed > schedules / 4, "the refreshes hardly met the ends");
}

/// Begins more sessions at once than there may be; answers what they got.
async fn crowd(world: &World, count: usize) -> Vec<Answer> {
    let body = json!({ "subject": "ada" });
    let calls =
        (0..count).map(|_| send(world.post("/sessions").bearer_auth(&world.key).json(&body)));
    join_all(calls).await
}

/// The sessions of ada, by whether they are live.
async fn count(world: &World, is_live: bool) -> usize {
    let path = format!("/admin/sessions?subject=ada&active={is_live}&limit=200");
    let list = send(world.get(&path).bearer_auth(&world.admin)).await;
    assert_eq!(list.json["next"], Value::Null);
    list.json["sessions"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b10_s40_never_more_sessions_than_the_limit_by_any_strategy_over_http() {
    const LIMIT: usize = 20;
    const MORE: usize = 50;
    for strategy in ["deny", "end_oldest", "end_next_to_expire"] {
        let limit = LIMIT.to_string();
        let settings =
            [("sessions.max_per_subject", &*limit), ("sessions.limit_strategy", strategy)];
        let world = World::with(&settings).await;
        let mut answers: HashMap<u16, Vec<Answer>> = HashMap::new();
        for answer in crowd(&world, LIMIT + MORE).await {
            answers.entry(answer.status).or_default().push(answer);
        }
        let begun = answers.remove(&201).unwrap();
        let refused = answers.remove(&409).unwrap_or_default();
        assert!(answers.is_empty(), "{strategy}: {answers:?}");
        let (expected, ended) = match strategy {
            "deny" => (LIMIT, 0),
            _ => (LIMIT + MORE, MORE),
        };
        assert_eq!((begun.len(), refused.len()), (expected, LIMIT + MORE - expected), "{strategy}");
        assert!(refused.iter().all(|answer| answer.code() == "LIMIT_REACHED"), "{strategy}");
        assert_eq!((count(&world, true).await, count(&world, false).await), (LIMIT, ended));
        let mut live = 0;
        for answer in begun {
            let refreshed = world.refresh(answer.json["refresh_token"].as_str().unwrap()).await;
            match refreshed.status {
                200 => live += 1,
                _ => {
                    assert_eq!(refreshed.json["reason"], "limit", "{strategy} {:?}", refreshed.json)
                }
            }
        }
        assert_eq!(live, LIMIT, "{strategy}");
    }
}
