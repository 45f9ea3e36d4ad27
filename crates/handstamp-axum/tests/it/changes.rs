//! When changes of data persist.

use std::sync::Arc;

use axum::http::StatusCode;
use handstamp_axum::{Session, SessionRejection};
use tokio::sync::{Notify, oneshot};

use crate::browser::{Browser, streaming};
use crate::world::World;

#[tokio::test]
async fn n02_values_are_typed_and_read_back() {
    #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
    struct Cart {
        items: Vec<String>,
        total: i32,
    }
    let world = World::new();
    let app = world.routes(|router| {
        let put = |session: Session| async move {
            session.set("cart", &Cart { items: vec!["tea".into()], total: 3 })?;
            session.set("count", &5_i32)?;
            Ok::<_, SessionRejection>("")
        };
        let get = |session: Session| async move {
            let cart: Option<Cart> = session.get("cart")?;
            let count: i32 = session.get("count")?.unwrap_or_default();
            Ok::<_, SessionRejection>(format!("{cart:?} {count} {}", session.has("cart")))
        };
        router.route("/put", axum::routing::get(put)).route("/cart", axum::routing::get(get))
    });
    let mut browser = Browser::new(&app);
    browser.get("/put").await;
    assert_eq!(
        browser.get("/cart").await.body,
        r#"Some(Cart { items: ["tea"], total: 3 }) 5 true"#
    );
}

#[tokio::test]
async fn n02_a_value_of_another_type_is_an_error_not_nothing() {
    let world = World::new();
    let app = world.route("/x", |session: Session| async move {
        session.set("n", &"text")?;
        session.get::<u64>("n")?;
        Ok::<_, SessionRejection>("not reached")
    });
    let answer = Browser::new(&app).get("/x").await;
    assert!(answer.status.is_server_error(), "{answer:?}");
    assert!(!answer.body.contains("text"), "nothing of the inside: {}", answer.body);
}

#[tokio::test]
async fn n04_what_only_reads_writes_nothing() {
    let world = World::new();
    let mut browser = world.browser();
    browser.get("/visit").await;
    browser.get("/visit").await;
    world.settle().await;
    let before = world.commits();
    for _ in 0..10 {
        assert!(browser.get("/read/visits").await.set_cookies().is_empty());
    }
    assert_eq!(world.commits(), before);
}

#[tokio::test]
async fn n04_64_requests_at_once_all_count() {
    let world = World::new();
    let mut browser = world.browser();
    browser.get("/visit").await;
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let mut tab = browser.clone();
            tokio::spawn(async move { tab.get("/visit").await.status })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), StatusCode::OK);
    }
    assert_eq!(browser.get("/read/visits").await.body, "65");
}

#[tokio::test]
async fn changes_are_committed_before_the_head_leaves() {
    let world = World::new();
    let mut browser = world.browser();
    let before = world.commits();
    browser.post("/set/note/x").await;
    assert_eq!(world.commits(), before + 1);
    assert_eq!(browser.get("/read/note").await.body, "\"x\"");
}

#[tokio::test]
async fn a_4xx_keeps_changes_and_a_5xx_drops_them() {
    let world = World::new();
    let mut browser = world.browser();
    browser.get("/visit").await;
    assert_eq!(browser.post("/set-and-answer/404").await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.get("/read/status").await.body, "404");
    assert_eq!(browser.post("/set-and-answer/503").await.status.as_u16(), 503);
    assert_eq!(browser.get("/read/status").await.body, "404");
}

#[tokio::test]
async fn a_visitor_whose_handler_failed_has_no_session() {
    let world = World::new();
    let mut browser = world.browser();
    let answer = browser.post("/set-and-answer/500").await;
    assert!(answer.set_cookies().is_empty());
    assert_eq!(world.rows().await, 0);
}

#[tokio::test]
async fn commit_stands_though_the_answer_is_a_500() {
    let world = World::new();
    let app = world.routes(|router| {
        let put = |session: Session| async move {
            session.set("kept", &1)?;
            session.commit().await?;
            session.set("dropped", &1)?;
            Ok::<_, SessionRejection>(StatusCode::INTERNAL_SERVER_ERROR)
        };
        let keys = |session: Session| async move {
            format!("{} {}", session.has("kept"), session.has("dropped"))
        };
        router.route("/put", axum::routing::get(put)).route("/keys", axum::routing::get(keys))
    });
    let mut browser = Browser::new(&app);
    browser.get("/put").await;
    assert_eq!(browser.get("/keys").await.body, "true false");
}

#[tokio::test]
async fn a_streaming_body_persists_only_by_commit() {
    let world = World::new();
    let app = world.routes(|router| {
        let with = |session: Session| async move {
            session.set("head", &1).unwrap();
            streaming(async move {
                session.set("with", &1).unwrap();
                session.commit().await.unwrap();
                "done"
            })
        };
        let without = |session: Session| async move {
            streaming(async move {
                session.set("without", &1).unwrap();
                "done"
            })
        };
        let keys = |session: Session| async move {
            format!("{} {} {}", session.has("head"), session.has("with"), session.has("without"))
        };
        let router = router.route("/with", axum::routing::get(with));
        let router = router.route("/without", axum::routing::get(without));
        router.route("/keys", axum::routing::get(keys))
    });
    let mut browser = Browser::new(&app);
    assert_eq!(browser.get("/with").await.body, "done");
    assert_eq!(browser.get("/without").await.body, "done");
    assert_eq!(browser.get("/keys").await.body, "true true false");
}

#[tokio::test]
async fn a_spawned_task_persists_only_by_commit() {
    let world = World::new();
    let (done, is_done) = oneshot::channel::<()>();
    let (go, done) = (Arc::new(Notify::new()), Arc::new(std::sync::Mutex::new(Some(done))));
    let start = Arc::clone(&go);
    let app = world.routes(|router| {
        let spawn = move |session: Session| async move {
            session.set("n", &1).unwrap();
            tokio::spawn(async move {
                start.notified().await;
                session.set("task", &1).unwrap();
                session.commit().await.unwrap();
                session.set("late", &1).unwrap();
                let done = done.lock().unwrap().take();
                done.unwrap().send(()).unwrap();
            });
            "spawned"
        };
        let keys = |session: Session| async move {
            format!("{} {}", session.has("task"), session.has("late"))
        };
        router.route("/spawn", axum::routing::get(spawn)).route("/keys", axum::routing::get(keys))
    });
    let mut browser = Browser::new(&app);
    browser.get("/spawn").await;
    assert_eq!(browser.get("/keys").await.body, "false false");
    go.notify_one();
    is_done.await.unwrap();
    assert_eq!(browser.get("/keys").await.body, "true false");
    assert_eq!(world.sessions.dropped_dirty(), 1, "what was dropped is counted");
}

#[tokio::test]
async fn clones_and_extractors_of_one_request_are_one_session() {
    let world = World::new();
    let app = world.routes(|router| {
        let put = |one: Session, other: Session| async move {
            one.clone().set("n", &1).unwrap();
            format!("{:?}", other.get::<u8>("n").unwrap())
        };
        router.route("/put", axum::routing::get(put))
    });
    let mut browser = Browser::new(&app);
    assert_eq!(browser.get("/put").await.body, "Some(1)");
}

#[tokio::test]
async fn n02_a_value_over_the_limit_is_an_error_before_anything_is_stored() {
    let config = handstamp_core::SessionConfig::default().edit().max_value_bytes(100);
    let world = World::with(config.build().unwrap());
    let app = world.route("/x", |session: Session| async move {
        session.set("big", &"x".repeat(101))?;
        Ok::<_, SessionRejection>("")
    });
    let answer = Browser::new(&app).get("/x").await;
    assert!(answer.status.is_client_error() || answer.status.is_server_error(), "{answer:?}");
    assert!(answer.set_cookies().is_empty());
    assert_eq!(world.rows().await, 0);
}

#[tokio::test]
async fn a_visitors_request_that_commits_twice_at_once_begins_one_session() {
    let world = World::new();
    let app = world.routes(|router| {
        let twice = |session: Session| async move {
            session.set("one", &1).unwrap();
            let (one, other) = (session.clone(), session.clone());
            let first = tokio::spawn(async move { one.commit().await });
            tokio::task::yield_now().await;
            session.set("other", &1).unwrap();
            let second = tokio::spawn(async move { other.commit().await });
            first.await.unwrap().unwrap();
            second.await.unwrap().unwrap();
        };
        let both = |session: Session| async move {
            format!("{} {}", session.has("one"), session.has("other"))
        };
        router.route("/twice", axum::routing::get(twice)).route("/both", axum::routing::get(both))
    });
    let mut browser = Browser::new(&app);
    browser.get("/twice").await;
    assert_eq!(world.rows().await, 1);
    assert_eq!(browser.get("/both").await.body, "true true");
}

#[tokio::test]
async fn a_sign_in_while_the_visitors_data_is_being_committed_leaves_one_live_session() {
    let world = World::new();
    let app = world.routes(|router| {
        let enter = |session: Session| async move {
            session.set("cart", &1).unwrap();
            let committing = session.clone();
            let commit = tokio::spawn(async move { committing.commit().await });
            tokio::task::yield_now().await;
            session.login("alice").await.unwrap();
            commit.await.unwrap().unwrap();
        };
        router.route("/enter", axum::routing::post(enter))
    });
    let mut browser = Browser::new(&app);
    browser.post("/enter").await;
    assert_eq!(browser.get("/whoami").await.body, "alice");
    assert_eq!(browser.get("/read/cart").await.body, "1");
}
