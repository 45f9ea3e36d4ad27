//! The verifier without a feed: remembered tokens, and times.

use std::sync::Arc;
use std::time::Duration;

use handstamp_protocol::feed::Cursor;
use handstamp_verify::{Algorithm, Keys, Liveness, SigningKey, Verifier, VerifyError};

use crate::world::{ManualClock, claims, expected, key, set, sign};

fn world() -> (Verifier, SigningKey, Arc<ManualClock>) {
    let (key, clock) = (key(Algorithm::Es256), Arc::new(ManualClock::default()));
    let keys = Arc::new(Keys::fixed(set(&key)));
    let verifier = Verifier::with(expected(), keys, Liveness::UntilExpiry, clock.clone(), 1 << 20);
    (verifier, key, clock)
}

#[test]
fn a_token_that_was_seen_before_is_the_same_claims() {
    let (verifier, key, _) = world();
    let token = sign(&key);
    let first = verifier.check(&token).unwrap();
    assert_eq!(*first, claims());
    assert!(Arc::ptr_eq(&first, &verifier.check(&token).unwrap()));
}

#[test]
fn s64_a_remembered_token_is_past_its_time_when_it_is() {
    let (verifier, key, clock) = world();
    let token = sign(&key);
    clock.advance(Duration::from_secs(1799));
    assert!(verifier.check(&token).is_ok());
    clock.advance(Duration::from_secs(1));
    assert_eq!(verifier.check(&token).unwrap_err(), VerifyError::Expired);
    assert_eq!(verifier.check(&token).unwrap_err(), VerifyError::Expired);
}

#[test]
fn a_bad_token_is_bad_every_time() {
    let (verifier, key, _) = world();
    let token = sign(&key);
    verifier.check(&token).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let bad = format!("{}.{signature}", signed.replacen("ey", "ez", 2));
    assert!(matches!(verifier.check(&bad).unwrap_err(), VerifyError::Invalid(_)));
    for _ in 0..2 {
        let cut = verifier.check(&token[..token.len() - 43]).unwrap_err();
        assert!(matches!(cut, VerifyError::Invalid(_)));
    }
}

#[tokio::test]
async fn without_a_feed_there_is_nothing_to_wait_for_and_no_state_to_demand() {
    let (verifier, ..) = world();
    assert_eq!(verifier.ready(Duration::ZERO).await, Ok(()));
    let verdict = verifier.at_least(&Cursor::of([(1, 1)]), Duration::ZERO).await;
    assert_eq!(verdict, Err(VerifyError::Behind));
}

#[test]
fn s80_debug_shows_no_token() {
    let (verifier, key, _) = world();
    let token = sign(&key);
    verifier.check(&token).unwrap();
    let shown = format!("{verifier:?}");
    assert!(!shown.contains(&token) && !shown.contains("ada"), "{shown}");
}
