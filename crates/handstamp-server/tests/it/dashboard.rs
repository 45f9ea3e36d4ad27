//! The pages, as far as no browser is needed to see that they keep their promises.

use serde_json::json;

use crate::browser::Browser;
use crate::world::World;

#[tokio::test]
async fn s10_a_link_lets_one_browser_in_once_and_only_when_asked() {
    let world = World::new().await;
    let link = world.service.dashboard_link().await.unwrap();
    let (path, code) = link.strip_prefix(&world.url).unwrap().split_once('#').unwrap();
    let mut browser = Browser::new(&world);
    // Whatever previews the link only looks.
    assert_eq!(browser.get(path).await.status, 200);
    assert_eq!(browser.get("/admin").await.status, 401);
    assert_eq!(browser.post(path, path, &[("code", code)]).await.header("location"), "/admin");
    assert_eq!(browser.get("/admin").await.status, 200);

    let mut other = Browser::new(&world);
    let refused = other.post(path, path, &[("code", code)]).await;
    assert_eq!(refused.status, 422);
    assert!(refused.says("handstamp dashboard"), "it says how to get another");
    assert_eq!(other.get("/admin").await.status, 401);
}

#[tokio::test]
async fn s10_a_link_is_used_from_its_own_page_only() {
    let world = World::new().await;
    let link = world.service.dashboard_link().await.unwrap();
    let (path, code) = link.strip_prefix(&world.url).unwrap().split_once('#').unwrap();
    let refused = Browser::new(&world).post_bare(path, &[("code", code)]).await;
    assert_eq!(refused.status, 403);
    let mut browser = Browser::new(&world);
    assert_eq!(browser.post(path, path, &[("code", code)]).await.status, 303, "and is still good");
}

#[tokio::test]
async fn whoever_is_no_operator_sees_nothing() {
    let world = World::new().await;
    let nobody = Browser::new(&world).get("/admin").await;
    assert_eq!(nobody.status, 401);
    assert!(nobody.says("handstamp dashboard"));
    let cookie = world.begin_cookie("ada").await;
    for page in ["/admin", "/admin/ui/sessions"] {
        let refused = Browser::with(&world, &cookie).get(page).await;
        assert_eq!(refused.status, 403, "{page}");
        assert!(refused.says("For operators only"));
    }
    let by_key = world.get("/admin").bearer_auth(&world.admin).send().await.unwrap();
    assert_eq!(by_key.status().as_u16(), 403, "pages are for browsers");
}

#[tokio::test]
async fn an_operator_must_have_signed_in_lately() {
    let world = World::new().await;
    let mut operator = Browser::operator(&world).await;
    for _ in 0..2 {
        world.advance(1201);
        assert_eq!(operator.get("/admin").await.status, 200, "and being active is not enough");
    }
    world.advance(1201);
    let refused = operator.get("/admin").await;
    assert_eq!(refused.status, 403);
    assert!(refused.says("handstamp dashboard"));
}

#[tokio::test]
async fn pages_load_nothing_from_elsewhere_and_run_nothing_inline() {
    let world = World::new().await;
    world.begin_with(json!({ "subject": "<script>alert(1)</script>", "name": "\"><b>" })).await;
    let mut operator = Browser::operator(&world).await;
    for path in ["/admin", "/admin/ui/sessions"] {
        let page = operator.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        let policy = page.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("cache-control"), "no-store");
        assert!(!page.says("<script>alert") && !page.says("\"><b>"), "{path}");
        assert!(!page.says(" style=") && !page.says(" onclick=") && !page.says("http://"));
        assert!(page.text.contains("&lt;script&gt;") || page.text.contains("&#60;script&#62;"));
    }
}

#[tokio::test]
async fn b05_a_session_tells_its_story_and_why_it_is_over() {
    let world = World::new().await;
    let ada = world.begin("ada").await;
    let old = ada.refresh_token.expose().to_owned();
    let next = world.refresh(&old).await.json["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(world.refresh(&next).await.status, 200);
    world.advance(60);
    assert_eq!(world.refresh(&old).await.status, 401);

    let mut operator = Browser::operator(&world).await;
    let story = operator.get(&format!("/admin/ui/sessions/{}", ada.session.id)).await;
    assert_eq!(story.status, 200);
    assert!(story.says("A superseded token came back"));
    assert!(story.says("token reuse"), "the reason in words");
    assert!(story.says("generation 1") && story.says("generation 3"), "both lineages");
    assert_eq!(operator.get("/admin/ui/sessions/nonsense").await.status, 404);
}

#[tokio::test]
async fn the_list_takes_the_filters_of_the_api() {
    let world = World::new().await;
    world.begin("ada").await;
    world.begin("grace").await;
    let mut operator = Browser::operator(&world).await;
    let list = operator.get("/admin/ui/sessions?subject=ada&ip=&active=true").await;
    assert!(list.says(">ada</a>") && !list.says(">grace</a>"));
    assert_eq!(operator.get("/admin/ui/sessions?ip=home").await.status, 422);
}

#[tokio::test]
async fn an_open_page_that_renews_itself_is_no_activity_and_takes_no_message() {
    let world = World::new().await;
    let mut operator = Browser::operator(&world).await;
    operator.get("/admin").await;
    let before = world.sessions.scan(&Default::default(), &Default::default()).await.unwrap();
    world.advance(1800);
    let renewed = operator.renew("/admin").await;
    assert_eq!(renewed.status, 200);
    let after = world.sessions.scan(&Default::default(), &Default::default()).await.unwrap();
    assert_eq!(before.sessions[0].record.last_seen, after.sessions[0].record.last_seen);
}
