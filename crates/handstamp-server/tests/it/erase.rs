//! A subject is erased: nothing personal of it is left, and what happened is.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::streams::Stream;
use crate::world::{Answer, World, send};

/// What is personal of ada, each as it would be found.
const PERSONAL: [&str; 7] = [
    "198.51.100.77",
    "AdasBrowser/77",
    "Ada Lovelace-King",
    "ada.king@example.org",
    "+44 20 7946 0077",
    "the laptop in the study",
    "fingerprint-of-ada",
];

async fn erase(world: &World, subject: &str, body: Value) -> Answer {
    let path = format!("/admin/subjects/{subject}/erase");
    send(world.post(&path).bearer_auth(&world.admin).json(&body)).await
}

/// Somebody of whom a good deal is known: sessions that are live, over and renamed, and failed
/// sign-ins.
async fn live_of_ada(world: &World) -> Vec<String> {
    let body = json!({
        "subject": "ada", "name": PERSONAL[2], "email": PERSONAL[3], "phone": PERSONAL[4],
        "client": { "ip_address": PERSONAL[0], "user_agent": PERSONAL[1], "fingerprint": PERSONAL[6] },
    });
    let mut ids = Vec::new();
    for turn in 0..12 {
        let begun = world.begin_with(body.clone()).await;
        let access = begun.access_token.expose();
        let label = json!({ "label": PERSONAL[5] });
        let path = format!("/sessions/{}", begun.session.id);
        let named = world.request(reqwest::Method::PATCH, &path).bearer_auth(access).json(&label);
        assert_eq!(send(named).await.status, 204);
        world.refresh(begun.refresh_token.expose()).await;
        if turn % 3 == 0 {
            send(world.post("/sessions/logout").bearer_auth(access)).await;
        }
        let failed =
            json!({ "subject": "ada", "reason": "bad_password", "client": body["client"] });
        send(world.post("/sessions/failures").bearer_auth(&world.key).json(&failed)).await;
        ids.push(begun.session.id);
        world.begin_with(json!({ "subject": format!("bob-{turn}") })).await;
        world.advance(60);
    }
    ids
}

/// Everything that can be asked about sessions and the log, as one text.
async fn all_answers(world: &World, ids: &[String]) -> String {
    let mut text = String::new();
    let series = ["logins", "active", "devices", "durations", "failures", "ips", "countries"];
    let figures = series.iter().map(|name| format!("/admin/analytics/{name}?bucket=hour"));
    let lists = ["/admin/logs?limit=200", "/admin/sessions?limit=200", "/admin/webhooks"];
    let paths = lists.into_iter().map(str::to_owned).chain(figures);
    for path in paths {
        let answer = send(world.get(&path).bearer_auth(&world.admin)).await;
        assert_eq!(answer.status, 200, "{path}");
        text.push_str(&answer.json.to_string());
    }
    let mut operator = Browser::operator(world).await;
    let of_ada = ["/admin", "/admin/ui/logs", "/admin/ui/sessions", "/admin/ui/subjects/ada"];
    let stories = ids.iter().map(|id| format!("/admin/ui/sessions/{id}"));
    for path in of_ada.into_iter().map(str::to_owned).chain(stories) {
        text.push_str(&operator.get(&path).await.text);
    }
    let exported = world.sessions.export("", 10_000).await.unwrap();
    text.push_str(&format!("{:?}", exported.events));
    text + &rows(world).await
}

/// What the two views for reports show.
async fn rows(world: &World) -> String {
    let rows = Arc::new(Mutex::new(String::new()));
    let found = Arc::clone(&rows);
    let read = world.embedded().on_writer(move |database| {
        for (view, columns) in [("user_sessions", 10), ("session_logs", 9)] {
            let mut view = database.prepare(&format!("SELECT * FROM {view}"))?;
            let mut rows = view.query([])?;
            while let Some(row) = rows.next()? {
                for column in 0..columns {
                    let text = row.get_ref(column)?.as_str().unwrap_or_default().to_owned();
                    found.lock().unwrap().push_str(&(text + " "));
                }
            }
        }
        Ok(())
    });
    read.await.unwrap();
    rows.lock().unwrap().clone()
}

/// Which of what is personal stands in the files of the database.
fn left_in_files(world: &World) -> Vec<(String, &'static str)> {
    let mut left = Vec::new();
    for file in world.folder().read_dir().unwrap() {
        let path = file.unwrap().path();
        let content = std::fs::read(&path).unwrap();
        let is_there = |text: &&str| content.windows(text.len()).any(|at| at == text.as_bytes());
        let found = PERSONAL.into_iter().filter(is_there);
        left.extend(found.map(|text| (path.file_name().unwrap().to_string_lossy().into(), text)));
    }
    left
}

/// Shows B06.
#[tokio::test]
async fn b06_of_an_erased_subject_nothing_personal_is_in_any_answer_nor_in_the_files() {
    let world = World::new().await;
    let ids = live_of_ada(&world).await;
    let before = all_answers(&world, &ids).await;
    assert!(PERSONAL[..6].iter().all(|text| before.contains(text)), "it was there");
    assert!(!left_in_files(&world).is_empty());

    let erased = erase(&world, "ada", json!({ "reason": "asked to" })).await;
    assert_eq!(erased.status, 200, "{:?}", erased.json);
    assert_eq!(erased.json["ended"], 8);
    assert!(erased.json["erased"].as_u64().unwrap() >= 36, "{:?}", erased.json);
    assert!(!erased.header("handstamp-cursor").is_empty(), "verifiers can wait for it");

    let after = all_answers(&world, &ids).await;
    let left: Vec<_> = PERSONAL.iter().filter(|text| after.contains(**text)).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(left_in_files(&world), [], "not even where it was overwritten");
    assert!(after.contains("\"subject\":\"ada\""), "what happened stays");
    let checked = send(world.get("/admin/logs/verify").bearer_auth(&world.admin)).await;
    assert_eq!(checked.json["ok"], true, "{:?}", checked.json);
    let why = send(world.get("/admin/logs?action=subject.erased").bearer_auth(&world.admin)).await;
    let line = &why.json["logs"][0];
    assert_eq!((&line["subject"], &line["success"]), (&json!("ada"), &json!(true)));
    assert!(line["actor"].as_str().unwrap().starts_with("service:"), "{line}");
}

#[tokio::test]
async fn b06_an_erasure_ends_the_sessions_and_is_told_to_whoever_listens() {
    let world = World::new().await;
    let ada = world.begin("ada").await;
    let mut stream = Stream::open(world.get("/admin/events").bearer_auth(&world.admin)).await;
    let feed = world.get("/feed/revocations").bearer_auth(&world.key);
    let mut feed = feed.send().await.unwrap();
    assert_eq!(erase(&world, "ada", json!({})).await.json["ended"], 1);
    let told = loop {
        let event = stream.next().await.unwrap();
        if event.name == "subject.erased" {
            break event;
        }
    };
    assert_eq!(told.data["subject"], "ada");
    let mut lines = String::new();
    while !lines.contains(r#"{"subject":"ada","min_epoch":1}"#) {
        let chunk = feed.chunk().await.unwrap().expect("the feed goes on");
        lines.push_str(&String::from_utf8_lossy(&chunk));
    }
    let refused = world.refresh(ada.refresh_token.expose()).await;
    assert_eq!((refused.code(), &refused.json["reason"]), ("SESSION_ENDED", &json!("admin")));
    assert_eq!(erase(&world, "ada", json!({})).await.json["ended"], 0, "and again");
    world.begin("ada").await;
}

#[tokio::test]
async fn b06_whoever_nothing_is_known_of_is_not_erased_and_only_operators_erase() {
    let world = World::new().await;
    assert_eq!(erase(&world, "nobody", json!({})).await.problem(), (404, "SESSION_NOT_FOUND"));
    let logs = send(world.get("/admin/logs").bearer_auth(&world.admin)).await;
    assert!(!logs.json.to_string().contains("nobody"), "what was mistyped leaves no trace");
    let ada = world.begin("ada").await;
    let path = "/admin/subjects/ada/erase";
    for caller in [ada.access_token.expose(), &world.key] {
        let refused = send(world.post(path).bearer_auth(caller)).await;
        assert_eq!(refused.problem(), (403, "FORBIDDEN"));
    }
    assert_eq!(send(world.post(path)).await.status, 401);
    assert_eq!(world.status(ada.access_token.expose()).await.json["is_active"], true);
}

#[tokio::test]
async fn b06_the_page_of_a_subject_erases_it_once_its_name_was_typed() {
    let world = World::new().await;
    world.begin("ada").await;
    let mut operator = Browser::operator(&world).await;
    let page = "/admin/ui/subjects/ada";
    let erase = format!("{page}/erase");
    let fields = |meant| [("meant", meant), ("reason", "asked to")];
    assert_eq!(operator.post(page, &erase, &fields("bob")).await.status, 303);
    let refused = operator.get(page).await;
    assert!(refused.says("Nothing was erased") && !refused.says("Personal data erased"));
    let done = operator.post(page, &erase, &fields("ada")).await;
    assert_eq!((done.status, done.header("location")), (303, page));
    let after = operator.get(page).await;
    assert!(after.says("Erased: nothing personal") && after.says("Personal data erased"));
}
