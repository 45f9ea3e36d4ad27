//! What one node does to a subject or to everybody is known on the other.

use super::two::Nodes;
use crate::conformance::engine::id_of;
use crate::id::Subject;
use crate::record::EndReason;
use crate::roles::Roles;
use crate::sign_in::SignIn;
use crate::testing::{Call, When};

fn ada() -> Subject {
    Subject::new("ada").unwrap()
}

/// Disabled on one node: out on the other at its next read, and enabled again nobody is revived.
pub async fn a_subject_disabled_elsewhere_is_out(nodes: Nodes) {
    let cookie = nodes.a.cookie("ada").await;
    nodes.b.warm(&cookie).await;
    nodes.a.sessions.disable(&ada(), None).await.unwrap();
    nodes.b.catch_up().await;
    nodes.b.assert_ended(&cookie, EndReason::Disabled).await;
    assert!(nodes.b.sessions.begin("ada").await.is_err(), "nobody begins either");
    nodes.a.sessions.enable(&ada(), None).await.unwrap();
    nodes.b.assert_ended(&cookie, EndReason::Disabled).await;
    nodes.b.cookie("ada").await;
}

/// All but one end on one node: on the other too, and the one that was spared is good.
pub async fn an_end_of_all_elsewhere_bites_and_spares_whom_it_spared(nodes: Nodes) {
    let (ended, spared) = (nodes.a.cookie("ada").await, nodes.b.cookie("ada").await);
    nodes.b.warm(&ended).await;
    nodes.b.warm(&spared).await;
    let except = Some(id_of(&spared));
    nodes.a.sessions.end_all(&ada(), except, EndReason::LogoutAll, None).await.unwrap();
    nodes.b.catch_up().await;
    nodes.b.assert_ended(&ended, EndReason::LogoutAll).await;
    nodes.b.warm(&spared).await;
}

/// A role taken away on one node is gone on the other at its next read.
pub async fn a_role_taken_away_elsewhere_is_gone(nodes: Nodes) {
    let roles = |names: &[&str]| Roles::new(names.iter().copied()).unwrap();
    let sign_in = SignIn::new("ada").unwrap().roles(roles(&["admin", "reader"]));
    let begun = nodes.a.sessions.begin(sign_in).await.unwrap();
    let cookie = crate::conformance::engine::cookie_of(&begun);
    nodes.b.warm(&cookie).await;
    assert!(nodes.b.load(&cookie).await.roles().iter().any(|role| role == "admin"));
    nodes.a.sessions.set_roles(&ada(), Some(roles(&["reader"])), None).await.unwrap();
    nodes.b.catch_up().await;
    let left = nodes.b.load(&cookie).await.roles();
    assert_eq!(left.iter().collect::<Vec<_>>(), ["reader"]);
    nodes.b.warm(&cookie).await;
}

/// Everybody is ended on one node: on the other too, at its next read.
pub async fn an_end_of_everybody_elsewhere_bites(nodes: Nodes) {
    let cookies = [nodes.a.cookie("ada").await, nodes.b.cookie("bob").await];
    for cookie in &cookies {
        nodes.b.warm(cookie).await;
    }
    nodes.a.sessions.end_everybody(None).await.unwrap();
    nodes.b.catch_up().await;
    for cookie in &cookies {
        nodes.b.assert_ended(cookie, EndReason::Admin).await;
    }
    let fresh = nodes.a.cookie("cy").await;
    nodes.b.warm(&fresh).await;
}

/// A session that was loaded before its subject was disabled, and arrives afterwards, is not good.
pub async fn a_head_changed_while_a_session_is_loaded_bites(nodes: Nodes) {
    let cookie = nodes.a.cookie("ada").await;
    nodes.b.catch_up().await;
    let held = nodes.b.gate.hold(Call::Load, When::After);
    let (sessions, asked) = (nodes.b.sessions.clone(), cookie.clone());
    let load = tokio::spawn(async move { sessions.load(&asked).await.is_ok() });
    held.arrived().await;
    nodes.a.sessions.disable(&ada(), None).await.unwrap();
    nodes.b.catch_up().await;
    held.release();
    assert!(!load.await.unwrap(), "it was loaded again");
    nodes.b.assert_ended(&cookie, EndReason::Disabled).await;
}
