//! A subject is erased while everything else goes on.

use handstamp_core::{KeyRing, SessionConfig, SessionManager, SignInFailure, Subject};

use crate::fixture::Place;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_waits_for_whoever_writes_the_log_back() {
    let place = Place::new();
    let keys = KeyRing::generate().unwrap();
    let builder = SessionManager::builder(place.open().await, SessionConfig::default(), keys);
    let sessions = builder.maintenance(false).build();
    let others = (0..16).map(|_| {
        let sessions = sessions.clone();
        tokio::spawn(async move {
            loop {
                let failure = SignInFailure { reason: "no", ..SignInFailure::default() };
                sessions.sign_in_failed(failure).await.unwrap();
            }
        })
    });
    let others: Vec<_> = others.collect();
    for n in 0..300 {
        let subject = Subject::new(&*format!("subject {n}")).unwrap();
        sessions.begin(subject.as_str()).await.unwrap();
        let erased = sessions.erase_subject(&subject, None).await;
        assert!(erased.is_ok(), "erasure {n}: {erased:?}");
    }
    others.iter().for_each(tokio::task::JoinHandle::abort);
}
