//! The pages, as far as no browser is needed to see that they keep their promises.

use serde_json::json;

use crate::browser::Browser;
use crate::world::World;

/// What only operators see.
const PAGES: [&str; 9] = [
    "/admin",
    "/admin/ui/sessions",
    "/admin/ui/sessions/x",
    "/admin/ui/sessions/end?subject=ada",
    "/admin/ui/undo/00",
    "/admin/ui/subjects/ada",
    "/admin/ui/logs",
    "/admin/ui/webhooks",
    "/admin/ui/policy",
];

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
    for page in PAGES {
        assert_eq!(Browser::new(&world).get(page).await.status, 401, "{page}");
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
    let subject = "/admin/ui/subjects/%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    for path in ["/admin", "/admin/ui/sessions", "/admin/ui/logs", subject] {
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

/// Shows B16.
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

#[tokio::test]
async fn b07_a_bulk_end_is_looked_at_first_and_taken_back() {
    let world = World::new().await;
    let ada = world.begin("ada").await;
    let grace = world.begin("grace").await;
    let mut operator = Browser::operator(&world).await;
    let ask = "/admin/ui/sessions/end?subject=ada";
    let preview = operator.get(ask).await;
    assert!(preview.says("End 1 session?") && preview.says(">ada</a>"), "{}", preview.text);
    assert!(!preview.says(">grace</a>"));

    let fields = [("query", "subject=ada"), ("reason", "a drill"), ("undo_seconds", "300")];
    let done = operator.post(ask, "/admin/ui/sessions/end", &fields).await;
    assert_eq!(done.status, 303);
    let undo = done.header("location").to_owned();
    assert_eq!(world.status(ada.access_token.expose()).await.json["is_active"], false);
    assert_eq!(world.status(grace.access_token.expose()).await.json["is_active"], true);
    assert!(operator.get(&undo).await.says("1 session set aside"));

    assert_eq!(operator.post(&undo, &undo, &[]).await.status, 303);
    assert_eq!(world.status(ada.access_token.expose()).await.json["is_active"], true);
    assert!(operator.get(&undo).await.says("Nothing to take back"));
}

#[tokio::test]
async fn an_end_of_everybody_by_an_empty_filter_is_refused() {
    let world = World::new().await;
    let ada = world.begin("ada").await;
    let mut operator = Browser::operator(&world).await;
    assert_eq!(operator.get("/admin/ui/sessions/end?subject=").await.status, 422);
    let fields = [("query", ""), ("reason", ""), ("undo_seconds", "0")];
    let refused = operator.post("/admin", "/admin/ui/sessions/end", &fields).await;
    assert_eq!(refused.status, 422);
    assert_eq!(world.status(ada.access_token.expose()).await.json["is_active"], true);
}

#[tokio::test]
async fn forms_are_posted_from_their_own_pages_only() {
    let world = World::new().await;
    let ada = world.begin("ada").await;
    let mut operator = Browser::operator(&world).await;
    let story = format!("/admin/ui/sessions/{}", ada.session.id);
    let refused = operator.post_bare(&format!("{story}/end"), &[]).await;
    assert_eq!(refused.status, 403);
    assert!(refused.says("That form was not ours"));
    assert_eq!(world.status(ada.access_token.expose()).await.json["is_active"], true);
    assert_eq!(operator.post(&story, &format!("{story}/end"), &[]).await.status, 303);
    assert_eq!(world.status(ada.access_token.expose()).await.json["is_active"], false);
}

#[tokio::test]
async fn a_session_is_set_aside_and_taken_back_with_a_message_shown_once() {
    let world = World::new().await;
    let ada = world.begin("ada").await;
    let mut operator = Browser::operator(&world).await;
    let story = format!("/admin/ui/sessions/{}", ada.session.id);
    operator.post(&story, &format!("{story}/suspend"), &[]).await;
    assert!(!operator.renew(&story).await.says("its tokens are refused."), "no renewal takes it");
    assert!(operator.get(&story).await.says("its tokens are refused."));
    assert!(!operator.get(&story).await.says("its tokens are refused."));
    operator.post(&story, &format!("{story}/resume"), &[]).await;
    assert_eq!(world.status(ada.access_token.expose()).await.json["is_active"], true);
}

#[tokio::test]
async fn b09_a_subject_is_narrowed_disabled_and_enabled() {
    let world = World::new().await;
    let body = json!({ "subject": "a/b", "roles": ["editor", "reader"] });
    let ada = world.begin_with(body.clone()).await;
    let mut operator = Browser::operator(&world).await;
    let page = "/admin/ui/subjects/a%2Fb";
    let fields = [("roles", "reader, "), ("to", "narrow")];
    assert_eq!(operator.post(page, &format!("{page}/roles"), &fields).await.status, 303);
    let status = world.status(ada.access_token.expose()).await;
    assert_eq!(status.json["session"]["roles"], json!(["reader"]));

    operator.post(page, &format!("{page}/disable"), &[("reason", "left")]).await;
    assert!(operator.get(page).await.says(">disabled</span>"));
    assert_eq!(world.status(ada.access_token.expose()).await.json["reason"], "disabled");
    operator.post(page, &format!("{page}/enable"), &[("reason", "")]).await;
    world.begin_with(body).await;
}

#[tokio::test]
async fn f09_the_overview_counts_sessions_sign_ins_and_failures() {
    let world = World::new().await;
    for subject in ["ada", "grace", "mina"] {
        world.begin(subject).await;
    }
    let failure = json!({ "subject": "ada", "reason": "wrong_password",
        "client": { "ip_address": "203.0.113.9" } });
    for _ in 0..4 {
        let told = world.post("/sessions/failures").bearer_auth(&world.key).json(&failure);
        assert_eq!(told.send().await.unwrap().status().as_u16(), 202);
    }
    let mut operator = Browser::operator(&world).await;
    let page = operator.get("/admin?range=week").await;
    assert!(page.says(r#"data-count="live">4<"#), "three and the operator");
    assert!(page.says(r#"data-count="failures">4<"#));
    assert!(page.says("203.0.113.9"), "the address is worth a look");
    assert!(page.says(">Whole</p>"), "and the chain is whole");
}

#[tokio::test]
async fn f11_what_is_suspicious_stands_on_the_overview_in_words() {
    let world = World::new().await;
    for count in 0..30 {
        let failure = json!({ "subject": format!("user-{count}"), "reason": "wrong_password",
            "client": { "ip_address": "203.0.113.9" } });
        let told = world.post("/sessions/failures").bearer_auth(&world.key).json(&failure);
        assert_eq!(told.send().await.unwrap().status().as_u16(), 202);
    }
    let mut operator = Browser::operator(&world).await;
    let log = operator.get("/admin/ui/logs?action=risk.many_subjects").await;
    assert!(log.says("Many users tried from one address"), "{}", log.text);
    assert!(operator.get("/admin").await.says("/admin/ui/logs?ip=203.0.113.9"));
}

#[tokio::test]
async fn the_secret_of_a_webhook_is_shown_once() {
    let world = World::new().await;
    let mut operator = Browser::operator(&world).await;
    let page = "/admin/ui/webhooks";
    let fields = [("url", "https://example.org/hook"), ("events", "risk.*"), ("description", "")];
    let added = operator.post(page, page, &fields).await;
    assert_eq!(added.status, 200, "{}", added.text);
    assert!(added.says("whsec_"));
    let listed = operator.get(page).await;
    assert!(listed.says("https://example.org/hook") && !listed.says("whsec_"));
}

#[tokio::test]
async fn b15_another_policy_is_tried_and_changes_nothing() {
    let world = World::new().await;
    let ada = world.begin("ada").await;
    world.begin("ada").await;
    let mut operator = Browser::operator(&world).await;
    let page = operator.get("/admin/ui/policy?max_sessions=1&idle_minutes=").await;
    assert!(page.says("1 session of 1 subject would be over"), "{}", page.text);
    assert_eq!(world.status(ada.access_token.expose()).await.json["is_active"], true);
}

/// Shows B16.
#[tokio::test]
async fn f02_holders_see_and_end_their_own_devices_and_nobody_elses() {
    let world = World::new().await;
    let cookie = world.begin_cookie("ada").await;
    let other = world.begin("ada").await;
    let grace = world.begin("grace").await;
    let mut ada = Browser::with(&world, &cookie);
    let page = ada.get("/account/sessions").await;
    assert!(page.says("this device") && page.says(&other.session.id));
    assert!(!page.says(&grace.session.id) && !page.says("/admin/ui"));

    let of = |id: &str, what: &str| format!("/account/sessions/{id}/{what}");
    let name = of(&other.session.id, "name");
    ada.post("/account/sessions", &name, &[("name", "Kitchen")]).await;
    assert!(ada.get("/account/sessions").await.says("Kitchen"));
    let foreign = ada.post("/account/sessions", &of(&grace.session.id, "end"), &[]).await;
    assert_eq!(foreign.status, 404);
    ada.post("/account/sessions", "/account/sessions/end-others", &[]).await;
    assert_eq!(world.status(other.access_token.expose()).await.json["is_active"], false);
    assert_eq!(world.status(grace.access_token.expose()).await.json["is_active"], true);
}

#[tokio::test]
async fn b05_a_holder_who_is_signed_out_is_told_why() {
    let world = World::new().await;
    let cookie = world.begin_cookie("ada").await;
    let subject = "ada".parse().unwrap();
    world.sessions.disable(&subject, None).await.unwrap();
    let page = Browser::with(&world, &cookie).get("/account/sessions").await;
    assert_eq!(page.status, 401);
    assert!(page.says("Your account was closed."), "{}", page.text);
}

#[tokio::test]
async fn the_document_of_the_api_is_a_page_for_everybody() {
    let world = World::new().await;
    let page = Browser::new(&world).get("/docs").await;
    assert_eq!(page.status, 200);
    assert!(page.says("/admin/sessions/end") && page.says("schema-Session"));
}
