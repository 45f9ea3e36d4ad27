//! What a sign-in asks for beside its subject: a guest to take over from, data, lifetimes.

use std::time::Duration;

use super::stage::{Stage, cookie_of, id_of};
use crate::config::LimitStrategy;
use crate::data::DataError;
use crate::error::SessionError;
use crate::event::Action;
use crate::id::Subject;
use crate::manager::Begun;
use crate::record::{Client, EndReason, Kind, Transport};
use crate::roles::Roles;
use crate::sign_in::{Merge, SignIn};

fn ada() -> SignIn {
    SignIn::new("ada").unwrap()
}

async fn guest(stage: &Stage, transport: Transport) -> String {
    let guest = stage.sessions.guest().unwrap().transport(transport);
    cookie_of(&stage.sessions.begin(guest.data("cart", &3).unwrap()).await.unwrap())
}

async fn value(stage: &Stage, begun: &Begun, key: &str) -> Option<String> {
    stage.record(begun.record.id).await.data.get(key).map(ToString::to_string)
}

/// Shows J06: a guest becomes a user and keeps what they had, whatever its transport and the
/// user's; the guest ends as replaced.
pub async fn j06_a_guest_becomes_a_user_with_its_data(stage: Stage) {
    for from in [Transport::Cookie, Transport::Token] {
        for to in [Transport::Cookie, Transport::Token] {
            let token = guest(&stage, from).await;
            let begun = stage.sessions.begin(ada().transport(to).upgrade_from(&token)).await;
            let begun = begun.unwrap();
            assert_eq!((begun.record.kind, begun.transport()), (Kind::User, to));
            assert_eq!(value(&stage, &begun, "cart").await.as_deref(), Some("3"));
            let ended = stage.record(id_of(&token)).await.ended.unwrap();
            assert_eq!(ended.reason, EndReason::Replaced);
            assert_eq!(ended.successor, Some(begun.record.id));
            assert_eq!(stage.actions(begun.record.id).await, [Action::GuestUpgraded]);
        }
    }
}

/// The visitor for whom something was stored is taken over from like a guest, by the merge rule,
/// and what the sign-in itself brings takes the place of what comes along.
pub async fn a_visitor_is_taken_over_from_by_the_merge_rule(stage: Stage) {
    let visitor = stage.visitor("cart", "3").await;
    let sign_in = ada().data("cart", "mine").unwrap().upgrade_from(&visitor);
    let begun = stage.sessions.begin(sign_in).await.unwrap();
    assert_eq!(value(&stage, &begun, "cart").await.as_deref(), Some("\"mine\""));
    assert_eq!(stage.actions(begun.record.id).await, [Action::SessionStarted]);
    let visitor = stage.visitor("cart", "3").await;
    let sign_in = ada().merge(Merge::Drop).upgrade_from(&visitor);
    let begun = stage.sessions.begin(sign_in).await.unwrap();
    assert_eq!(value(&stage, &begun, "cart").await, None);
}

/// The token before the current one upgrades as far as its transport allows, an older one never,
/// and none that is older ends the guest.
pub async fn a_superseded_token_upgrades_only_within_the_grace(stage: Stage) {
    let first = guest(&stage, Transport::Token).await;
    let second = stage.sessions.refresh(&first, None).await.unwrap().token.to_text();
    stage.sessions.begin(ada().upgrade_from(&first)).await.unwrap();
    assert!(stage.record(id_of(&second)).await.is_tombstone());
    let first = guest(&stage, Transport::Token).await;
    let second = stage.sessions.refresh(&first, None).await.unwrap().token.to_text();
    let third = stage.sessions.refresh(&second, None).await.unwrap().token.to_text();
    let refused = stage.sessions.begin(ada().upgrade_from(&first)).await;
    assert!(matches!(refused, Err(SessionError::Invalid)), "{refused:?}");
    stage.sessions.begin(ada().upgrade_from(&third)).await.unwrap();
    stage.sessions.shutdown().await.unwrap();
    assert!(stage.actions(id_of(&first)).await.contains(&Action::RefreshReused));
}

/// A text that is no token, a forged token, one of the other transport, one of a user's session or
/// of a session that is over: nobody is signed in, and nothing of the guest changes.
pub async fn a_token_that_is_no_good_upgrades_nobody(stage: Stage) {
    let token = guest(&stage, Transport::Token).await;
    let bent =
        format!("{}{}", &token[..70], if token.ends_with('A') { "QQQQQQQQQ" } else { "AAAAAAAAA" });
    let bare = token.trim_start_matches("hsr_").to_owned();
    let of_a_user = stage.cookie("bob").await;
    for bad in ["", "hsr_", &bent, &bare, &of_a_user] {
        let refused = stage.sessions.begin(ada().upgrade_from(bad)).await;
        assert!(matches!(refused, Err(SessionError::Invalid)), "{bad:?}: {refused:?}");
    }
    stage.sessions.suspend(id_of(&token), None, None).await.unwrap();
    let refused = stage.sessions.begin(ada().upgrade_from(&token)).await;
    assert!(matches!(refused, Err(SessionError::Suspended)), "{refused:?}");
    stage.sessions.end(id_of(&token), EndReason::Admin, None).await.unwrap();
    let refused = stage.sessions.begin(ada().upgrade_from(&token)).await;
    let is_told = matches!(refused, Err(SessionError::Ended { reason: EndReason::Admin, .. }));
    assert!(is_told && stage.live("ada").await.is_empty(), "{refused:?}");
    assert!(stage.load(&of_a_user).await.is_authenticated());
}

/// A sign-in that the limit or the head refuses leaves the guest and its data as they were.
pub async fn an_upgrade_that_is_refused_leaves_the_guest(stage: Stage) {
    let stage = stage.configured(|edit| edit.limit(Some(1)).limit_strategy(LimitStrategy::Deny));
    stage.begin("ada").await;
    stage.sessions.disable(&Subject::new("bob").unwrap(), None).await.unwrap();
    let token = guest(&stage, Transport::Token).await;
    let before = stage.record(id_of(&token)).await;
    for who in ["ada", "bob"] {
        let sign_in = SignIn::new(who).unwrap().upgrade_from(&token);
        assert!(stage.sessions.begin(sign_in).await.is_err());
        assert_eq!(stage.record(id_of(&token)).await, before);
    }
    let large = ada().data("big", &"x".repeat(70_000)).unwrap().upgrade_from(&token);
    let refused = stage.sessions.begin(large).await;
    let is_told = matches!(refused, Err(SessionError::Data(DataError::TooLarge { .. })));
    assert!(is_told, "{refused:?}");
    assert_eq!(stage.record(id_of(&token)).await, before);
}

/// A sign-in in a request that has a session takes over from that one, and from no other beside
/// it.
pub async fn a_request_with_a_session_takes_over_from_no_other(stage: Stage) {
    let session = stage.load(&stage.visitor("cart", "3").await).await;
    let token = guest(&stage, Transport::Cookie).await;
    let refused = session.login(ada().upgrade_from(&token)).await;
    assert!(matches!(refused, Err(SessionError::Refused(_))), "{refused:?}");
    assert!(stage.live("ada").await.is_empty());
    let fresh = stage.sessions.start();
    fresh.login(ada().upgrade_from(&token)).await.unwrap();
    assert_eq!(fresh.get::<u32>("cart").unwrap(), Some(3));
}

/// Lifetimes can be shortened and never lengthened, and a step-up gives no more than was granted.
pub async fn a_sign_in_shortens_lifetimes_and_never_lengthens_them(stage: Stage) {
    let (ttl, idle) = stage.config.lifetimes(false);
    let minute = Duration::from_secs(60);
    let long = ada().absolute(ttl * 2).idle(ttl * 2);
    let record = stage.sessions.begin(long).await.unwrap().record;
    assert_eq!(
        (record.absolute_expiry.since(record.created_at), record.idle_lifetime),
        (ttl, idle)
    );
    let short = ada().absolute(minute * 10).idle(Duration::from_micros(60_000_999));
    let begun = stage.sessions.begin(short).await.unwrap();
    assert_eq!(begun.record.idle_lifetime, Some(minute));
    stage.clock.advance(minute / 2);
    let session = stage.load(&cookie_of(&begun)).await;
    session.step_up(&["otp"]).await.unwrap();
    let record = session.record().unwrap();
    assert_eq!(record.absolute_expiry, stage.sessions.now().plus(minute * 10));
    let none = ada().absolute(Duration::ZERO).idle(Duration::ZERO);
    let record = stage.sessions.begin(none).await.unwrap().record;
    assert_eq!(record.idle_lifetime, Some(Duration::from_secs(1)));
}

/// Audience, service and fingerprint are kept with the session; a fingerprint is cut. A session
/// that has begun tells the roles that its subject's head leaves it.
pub async fn a_session_remembers_who_began_it_and_for_whom(stage: Stage) {
    let editor = Roles::new(["editor"]).unwrap();
    stage
        .sessions
        .set_roles(&Subject::new("ada").unwrap(), Some(editor.clone()), None)
        .await
        .unwrap();
    let client = Client { fingerprint: Some("é".repeat(300).into()), ..Client::default() };
    let sign_in = ada()
        .audience(["https://api.example"])
        .client_id("shop")
        .roles(Roles::new(["editor", "owner"]).unwrap())
        .client(client);
    let begun = stage.sessions.begin(sign_in).await.unwrap();
    assert_eq!(begun.roles, editor);
    let record = stage.restarted().record(begun.record.id).await.unwrap().unwrap();
    assert_eq!(record.audience, ["https://api.example".into()]);
    assert_eq!(record.client_id.as_deref(), Some("shop"));
    assert_eq!(record.client.fingerprint.as_deref(), Some(&*"é".repeat(256)));
}
