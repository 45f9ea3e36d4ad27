//! Whatever is done in whatever order, all lists tell the same.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use handstamp_core::Subject;
use handstamp_core::policy::Standing;
use handstamp_core::store::{Filter, Page};
use reqwest::Method;
use serde_json::{Value, json};

use crate::draw::{Draw, seed};
use crate::world::{Answer, World, send};

/// How many operations there are, over all subjects; ten times as many in a long run.
const OPERATIONS: u32 = 10_000;
const SUBJECTS: u32 = 8;

/// What holders, services and operators do, each as often as it is named.
const ACTS: [&str; 24] = [
    "begin",
    "begin",
    "begin",
    "begin",
    "begin cookie",
    "refresh",
    "refresh",
    "refresh",
    "old token",
    "touch",
    "touch",
    "logout",
    "logout",
    "logout-all",
    "logout others",
    "end other",
    "end by id",
    "end by filter",
    "suspend",
    "resume",
    "step-up",
    "disable",
    "roles",
    "label",
];

/// A session that somebody has.
#[derive(Clone)]
struct Held {
    id: String,
    access: String,
    refresh: String,
}

/// One subject, with all sessions that ever began for it.
struct Player<'a> {
    world: &'a World,
    subject: String,
    held: Vec<Held>,
    begun: Vec<String>,
    draw: Draw,
}

impl Player<'_> {
    async fn play(&mut self, operations: u32) {
        for _ in 0..operations {
            let act = *self.draw.of(&ACTS);
            let answer = self.act(act).await;
            assert!(answer.status < 500, "{act}: {} {:?}", answer.status, answer.json);
            if self.draw.once_in(50) {
                self.operate("enable", json!({})).await;
                self.world.advance(self.draw.below(120).into());
            }
        }
        self.operate("enable", json!({})).await;
        self.roles(Value::Null).await;
    }

    async fn act(&mut self, act: &str) -> Answer {
        match act {
            "begin" | "begin cookie" => return self.begin(act == "begin cookie").await,
            "disable" if self.draw.once_in(4) => return self.operate(act, json!({})).await,
            "roles" => {
                let all = [json!(["editor"]), json!(["editor", "reader"]), json!([]), Value::Null];
                return self.roles(self.draw.of(&all).clone()).await;
            }
            "end by filter" if self.draw.once_in(8) => {
                let filter = json!({ "subject": self.subject, "role": "reader" });
                return self.post_admin("/admin/sessions/end", json!({ "filter": filter })).await;
            }
            _ => {}
        }
        if self.held.is_empty() {
            return self.begin(false).await;
        }
        let place = self.draw.below(u32::try_from(self.held.len()).unwrap()) as usize;
        let (held, other) = (self.held[place].clone(), self.draw.of(&self.held).clone());
        match act {
            "refresh" => self.refresh(place).await,
            _ => self.on(act, &held, &other).await,
        }
    }

    async fn on(&self, act: &str, held: &Held, other: &Held) -> Answer {
        let world = self.world;
        let of = |path: &str| path.replace("{id}", &other.id);
        let request = match act {
            "old token" => return world.refresh(&held.refresh).await,
            "touch" => world.get("/sessions/my-session-logs?limit=1"),
            "logout" => world.post("/sessions/logout"),
            "logout-all" => world.post("/sessions/logout-all"),
            "logout others" => {
                world.post("/sessions/logout-all").json(&json!({ "except_current": true }))
            }
            "end other" => world.request(Method::DELETE, &of("/sessions/{id}")),
            "label" => world
                .request(Method::PATCH, &of("/sessions/{id}"))
                .json(&json!({ "label": self.draw.below(9).to_string() })),
            "step-up" => {
                let body = json!({ "session_id": other.id, "amr": ["otp"] });
                return send(world.post("/sessions/step-up").bearer_auth(&world.key).json(&body))
                    .await;
            }
            "end by id" => {
                return self.post_admin("/admin/sessions/end", json!({ "ids": [other.id] })).await;
            }
            "suspend" => {
                return self.post_admin(&of("/admin/sessions/{id}/suspend"), json!({})).await;
            }
            _ => return self.post_admin(&of("/admin/sessions/{id}/resume"), json!({})).await,
        };
        send(request.bearer_auth(&held.access)).await
    }

    async fn begin(&mut self, is_cookie: bool) -> Answer {
        let transport = if is_cookie { "cookie" } else { "token" };
        let body = json!({ "subject": self.subject, "roles": ["editor", "reader"], "transport": transport });
        let answer =
            send(self.world.post("/sessions").bearer_auth(&self.world.key).json(&body)).await;
        if answer.status == 201 {
            self.begun.push(text(&answer.json["session"]["id"]));
            if !is_cookie {
                self.held.push(Held {
                    id: text(&answer.json["session"]["id"]),
                    access: text(&answer.json["access_token"]),
                    refresh: text(&answer.json["refresh_token"]),
                });
            }
        }
        answer
    }

    async fn refresh(&mut self, place: usize) -> Answer {
        let answer = self.world.refresh(&self.held[place].refresh).await;
        if answer.status == 200 {
            self.held[place].access = text(&answer.json["access_token"]);
            self.held[place].refresh = text(&answer.json["refresh_token"]);
        } else if self.draw.once_in(2) {
            self.held.swap_remove(place);
        }
        answer
    }

    async fn roles(&self, roles: Value) -> Answer {
        let path = format!("/admin/subjects/{}/roles", self.subject);
        let request = self.world.request(Method::PUT, &path).bearer_auth(&self.world.admin);
        send(request.json(&json!({ "roles": roles }))).await
    }

    async fn operate(&self, act: &str, body: Value) -> Answer {
        self.post_admin(&format!("/admin/subjects/{}/{act}", self.subject), body).await
    }

    async fn post_admin(&self, path: &str, body: Value) -> Answer {
        send(self.world.post(path).bearer_auth(&self.world.admin).json(&body)).await
    }
}

fn text(json: &Value) -> String {
    json.as_str().unwrap().to_owned()
}

/// Sessions by their id, without what only the caller of a list is told.
type ById = BTreeMap<String, Value>;

/// All pages of a list; exactly one is current, where there is a holder.
async fn listed(world: &World, path: &str, token: &str, limit: u32, is_mine: bool) -> ById {
    let (mut all, mut cursor, mut current, mut count) = (ById::new(), String::new(), 0, 0);
    loop {
        let path = format!("{path}&limit={limit}{cursor}");
        let page = send(world.get(&path).bearer_auth(token)).await;
        assert_eq!(page.status, 200, "{path}: {:?}", page.json);
        for mut one in page.json["sessions"].as_array().unwrap().clone() {
            current += usize::from(one["is_current"] == true);
            one["is_current"] = Value::Null;
            count += 1;
            all.insert(text(&one["id"]), one);
        }
        match page.json["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!((count, current), (all.len(), usize::from(is_mine)), "{path}");
    all
}

/// What the engine finds, page by page: which sessions, and how they stand.
async fn scanned(world: &World, filter: &Filter) -> BTreeMap<String, (bool, bool)> {
    let (mut all, mut page) = (BTreeMap::new(), Page::first(13));
    loop {
        let found = world.sessions.scan(filter, &page).await.unwrap();
        all.extend(found.sessions.into_iter().map(|one| {
            let stands = (one.standing == Standing::Live, one.standing == Standing::Suspended);
            (one.record.id.to_string(), stands)
        }));
        match found.next {
            Some(next) => page.after = Some(next),
            None => return all,
        }
    }
}

async fn agree(world: &World, player: &Player<'_>) {
    let viewer = world.begin(&player.subject).await;
    let access = viewer.access_token.expose();
    let subject = Some(Subject::new(player.subject.clone()).unwrap());
    for is_live in [Some(true), None] {
        let (mine, theirs) = match is_live {
            Some(_) => ("/sessions/my-sessions?", "&active=true"),
            None => ("/sessions/my-sessions?include=ended", ""),
        };
        let theirs = format!("/admin/sessions?subject={}{theirs}", player.subject);
        let limit = 1 + player.draw.below(40);
        let mine = listed(world, mine, access, limit, true).await;
        let theirs = listed(world, &theirs, &world.admin, limit, false).await;
        assert_eq!(mine, theirs, "{} with {limit} a page", player.subject);
        let filter = Filter { subject: subject.clone(), is_live, ..Filter::default() };
        let shown = mine
            .iter()
            .map(|(id, one)| (id.clone(), (one["is_active"] == true, one["suspended"] == true)));
        assert_eq!(shown.collect::<BTreeMap<_, _>>(), scanned(world, &filter).await);
        if is_live.is_none() {
            let mut begun = player.begun.clone();
            begun.push(viewer.session.id.clone());
            begun.sort_unstable();
            assert_eq!(mine.into_keys().collect::<Vec<_>>(), begun, "all that ever began");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f02_after_10_000_random_operations_every_list_tells_the_same() {
    let seed = seed();
    println!("HANDSTAMP_SEED={seed}");
    let times = if std::env::var_os("HANDSTAMP_LONG").is_some() { 10 } else { 1 };
    let settings = [("limits.refresh", "none"), ("risk.new_device", "off")];
    let world = World::with(&settings).await;
    let mut players: Vec<Player<'_>> = (0..SUBJECTS)
        .map(|number| Player {
            world: &world,
            subject: format!("user-{number}"),
            held: Vec::new(),
            begun: Vec::new(),
            draw: Draw::new(seed, number.into()),
        })
        .collect();
    let each = OPERATIONS * times / SUBJECTS / u32::try_from(world.share()).unwrap();
    join_all(players.iter_mut().map(|player| player.play(each))).await;
    let begun: usize = players.iter().map(|player| player.begun.len()).sum();
    println!("{begun} sessions began");
    for player in &players {
        agree(&world, player).await;
    }
    let checked = send(world.get("/admin/logs/verify").bearer_auth(&world.admin)).await;
    assert_eq!(checked.json["ok"], true, "{}", checked.json);
}
