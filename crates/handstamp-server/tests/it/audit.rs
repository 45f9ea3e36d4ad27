//! The audit log as operators check it: what was done to it behind the service's back is named,
//! checkpoints are kept elsewhere, what is old goes.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{Answer, World, send};

const DAY: u64 = 86_400;

async fn get(world: &World, path: &str) -> Answer {
    send(world.get(path).bearer_auth(&world.admin)).await
}

async fn verified(world: &World) -> Value {
    let answer = get(world, "/admin/logs/verify").await;
    assert_eq!(answer.status, 200, "{:?}", answer.json);
    answer.json
}

/// A failed sign-in, which is one event in a batch of its own.
async fn fail(world: &World, subject: &str) {
    let body = json!({ "subject": subject, "reason": "bad_password", "client": {} });
    let answer = send(world.post("/sessions/failures").bearer_auth(&world.key).json(&body)).await;
    assert_eq!(answer.status, 202, "{:?}", answer.json);
}

async fn fail_four(world: &World) {
    for subject in ["ada", "bob", "eve", "joe"] {
        fail(world, subject).await;
    }
}

/// What the check says once `sql` was run on the database of a service that goes on.
async fn named_after(sql: &'static str) -> String {
    let world = World::new().await;
    // Each service has a chain of its own.
    world.on_one_node();
    fail_four(&world).await;
    let whole = verified(&world).await;
    assert_eq!((&whole["ok"], &whole["checked"]), (&json!(true), &json!(4)), "{whole}");
    world.meddle(sql).await;
    let found = verified(&world).await;
    assert_eq!(found["ok"], false, "{found}");
    found["first_bad"].as_str().unwrap().to_owned()
}

/// Waits until `look` finds something: the service looks after its log each second.
async fn soon<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..400 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing came of it");
}

/// A file for checkpoints, outside the folder of the database.
struct Elsewhere {
    _folder: tempfile::TempDir,
    file: PathBuf,
}

impl Elsewhere {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("checkpoints");
        Self { _folder: folder, file }
    }

    async fn world(&self, more: &[(&str, &str)]) -> World {
        let file = self.file.display().to_string();
        let world = World::with(&[&[("audit.checkpoint_file", &*file)], more].concat()).await;
        // Each service has a chain of its own.
        world.on_one_node();
        world
    }

    fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits for a checkpoint that knows of so many events.
    async fn covers(&self, events: u64) -> String {
        let end = format!("\"event\":{events},");
        soon(async || self.lines().into_iter().find(|line| line.contains(&end))).await
    }
}

#[tokio::test]
async fn s106_a_changed_event_is_named_over_http() {
    let changed = "UPDATE events SET is_success = 1 WHERE number = 2";
    assert_eq!(named_after(changed).await, "chain 1, batch 2, event 2: is not as it was sealed");
}

#[tokio::test]
async fn s106_a_removed_event_is_named_over_http() {
    let said = named_after("DELETE FROM events WHERE number = 2").await;
    assert!(said.starts_with("chain 1, batch 2, event 2: does not follow"), "{said}");
}

#[tokio::test]
async fn s106_events_in_another_order_are_named_over_http() {
    let swapped = "UPDATE events SET place = 100 WHERE number = 2;
                   UPDATE events SET place = 2, number = 2 WHERE number = 3;
                   UPDATE events SET place = 3, number = 3 WHERE place = 100";
    assert_eq!(named_after(swapped).await, "chain 1, batch 2, event 2: is not as it was sealed");
}

#[tokio::test]
async fn s106_a_tail_that_was_cut_off_is_named_against_the_checkpoint_of_the_last_minute() {
    let elsewhere = Elsewhere::new();
    let world = elsewhere.world(&[]).await;
    fail_four(&world).await;
    world.advance(61);
    elsewhere.covers(4).await;
    assert_eq!(verified(&world).await["ok"], true);
    world.meddle("DELETE FROM events WHERE number > 2; DELETE FROM batches WHERE number > 2").await;
    let found = verified(&world).await;
    let gone = "chain 1, batch 3, event 3: is gone, and a checkpoint knows it";
    assert_eq!((&found["ok"], &found["first_bad"]), (&json!(false), &json!(gone)), "{found}");
    assert!(found["checkpoint_at"].is_string());
    fail(&world, "ada").await;
    assert_eq!(verified(&world).await["ok"], false, "going on mends nothing");
}

#[tokio::test]
async fn s106_a_checkpoint_stays_good_when_keys_are_changed_and_another_ones_is_refused() {
    let elsewhere = Elsewhere::new();
    let world = elsewhere.world(&[]).await;
    fail_four(&world).await;
    world.advance(61);
    let first = elsewhere.covers(4).await;
    let key = world.sessions.keys().infos()[0].id;
    world.sessions.keys().rotate().unwrap();
    fail_four(&world).await;
    world.advance(61);
    let second = elsewhere.covers(8).await;
    world.sessions.keys().retire(key).unwrap();
    for line in [&first, &second] {
        let path = format!("/admin/logs/verify?checkpoint={}", encoded(line));
        let answer = get(&world, &path).await;
        assert_eq!((answer.status, &answer.json["ok"]), (200, &json!(true)), "{:?}", answer.json);
    }
    let other = Elsewhere::new();
    let stranger = other.world(&[]).await;
    fail_four(&stranger).await;
    stranger.advance(61);
    let bent = first.replacen("\"event\":4", "\"event\":3", 1);
    for line in [&other.covers(4).await, &bent, "{}", "x"] {
        let path = format!("/admin/logs/verify?checkpoint={}", encoded(line));
        assert_eq!(get(&world, &path).await.problem(), (422, "BAD_REQUEST"), "{line}");
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn a_checkpoint_is_an_event_for_webhooks_where_that_is_wanted() {
    let world = World::with(&[("audit.checkpoint_event", "true")]).await;
    fail_four(&world).await;
    world.advance(61);
    let line = soon(async || {
        let list = get(&world, "/admin/logs?action=audit.checkpoint").await;
        list.json["logs"][0]["details"]["checkpoint"].as_str().map(str::to_owned)
    })
    .await;
    assert!(line.starts_with("{\"handstamp_checkpoint\":1,"), "{line}");
    assert_eq!(verified(&world).await["ok"], true);
}

#[tokio::test]
async fn s106_what_is_old_goes_by_itself_and_the_log_goes_on_to_verify() {
    let settings = [("audit.keep_personal_days", "2"), ("audit.keep_events_days", "10")];
    let world = World::with(&settings).await;
    let client = json!({ "ip_address": "198.51.100.77", "user_agent": "Old/1.0" });
    world.begin_with(json!({ "subject": "ada", "client": client })).await;
    let login = "/admin/logs?subject=ada&action=login";
    assert_eq!(get(&world, login).await.json["logs"][0]["ip_address"], "198.51.100.77");

    world.advance(3 * DAY);
    soon(async || {
        let line = get(&world, login).await.json["logs"][0].clone();
        (line["ip_address"].is_null() && line["user_agent"].is_null()).then_some(())
    })
    .await;
    let marked = get(&world, "/admin/logs?action=personal.expired").await;
    assert_eq!(marked.json["logs"].as_array().unwrap().len(), 1);
    assert_eq!(verified(&world).await["ok"], true);
    let week = "from=2027-01-14T00:00:00Z&to=2027-01-20T00:00:00Z";
    let ips = get(&world, &format!("/admin/analytics/ips?{week}")).await;
    assert!(!ips.json.to_string().contains("198.51.100.77"), "{}", ips.json);

    world.advance(9 * DAY);
    soon(async || {
        let list = get(&world, login).await;
        list.json["logs"].as_array().unwrap().is_empty().then_some(())
    })
    .await;
    let checked = verified(&world).await;
    assert_eq!(checked["ok"], true, "after a signed cut: {checked}");
    let logins = get(&world, &format!("/admin/analytics/logins?{week}")).await;
    let points = logins.json["points"].as_array().unwrap();
    assert_eq!(points.iter().filter_map(|point| point["count"].as_u64()).sum::<u64>(), 1);
}

#[tokio::test]
async fn s106_what_was_changed_is_not_cut_off_when_it_is_old() {
    let settings = [("audit.keep_events_days", "7"), ("audit.keep_personal_days", "7")];
    let world = World::with(&settings).await;
    world.on_one_node();
    fail_four(&world).await;
    world.meddle("UPDATE events SET subject = 'nobody' WHERE number = 2").await;
    world.advance(30 * DAY);
    soon(async || {
        let marked = get(&world, "/admin/logs?action=personal.expired").await;
        marked.json["logs"].get(0).cloned()
    })
    .await;
    let list = get(&world, "/admin/logs?subject=nobody").await;
    assert_eq!(
        list.json["logs"].as_array().unwrap().len(),
        1,
        "nobody gets rid of traces by waiting"
    );
}

#[tokio::test]
async fn a_page_of_lines_that_share_a_name_is_full() {
    let world = World::new().await;
    for _ in 0..3 {
        let ada = world.begin("ada").await;
        send(world.post("/sessions/logout").bearer_auth(ada.access_token.expose())).await;
    }
    for subject in ["b", "c", "d", "e"] {
        world.begin(subject).await;
        fail(&world, subject).await;
    }
    world.advance(2 * DAY);
    world.sessions.cleanup().await.unwrap();
    for (name, count) in [("logout", 3), ("session_expired", 4), ("login", 11)] {
        let mut path = format!("/admin/logs?action={name}&limit=2");
        let mut found = 0;
        loop {
            let page = get(&world, &path).await.json;
            let lines = page["logs"].as_array().unwrap();
            assert!(lines.iter().all(|line| line["action"] == name), "{page}");
            found += lines.len();
            let Some(next) = page["next"].as_str() else { break };
            assert_eq!(lines.len(), 2, "{name}: a page that another follows is full");
            path = format!("/admin/logs?action={name}&limit=2&cursor={next}");
        }
        assert_eq!(found, count, "{name}");
    }
}
