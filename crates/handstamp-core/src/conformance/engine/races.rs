//! Two things at once on one session or subject, in every order.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::schedule::{Turns, in_every_schedule, in_schedules};
use super::stage::{Stage, cookie_of, id_of, reason_of};
use crate::config::{LONGEST_COOKIE, LimitStrategy};
use crate::error::SessionError;
use crate::id::Subject;
use crate::manager::{Begun, SessionManager};
use crate::policy::Standing;
use crate::record::{EndReason, Transport};
use crate::session::{CookieAction, Finish};
use crate::sign_in::SignIn;

/// Waits for every actor; what one panicked with goes on.
async fn all(actors: Vec<JoinHandle<()>>) {
    for actor in actors {
        if let Err(failed) = actor.await {
            std::panic::resume_unwind(failed.into_panic());
        }
    }
}

/// Something that is true from some point on.
#[derive(Clone, Debug, Default)]
struct Since(Arc<AtomicBool>);

impl Since {
    fn now(&self) {
        self.0.store(true, SeqCst);
    }

    fn is_past(&self) -> bool {
        self.0.load(SeqCst)
    }
}

fn subject(turns: &Turns) -> Subject {
    Subject::new(turns.subject()).unwrap()
}

/// The engine says of a cookie what the store says of its session.
async fn assert_engine_tells_the_truth(stage: &Stage, cookie: &str) {
    let truth = stage.truth(id_of(cookie)).await;
    let loaded = stage.sessions.load(cookie).await;
    match (&truth, &loaded) {
        (Standing::Live, Ok(_)) | (Standing::Suspended, Err(SessionError::Suspended)) => {}
        (Standing::Over { ended, .. }, Err(SessionError::Ended { reason, .. })) => {
            assert_eq!(ended.reason, *reason);
        }
        _ => panic!("the store says {truth:?}, the engine {loaded:?}"),
    }
}

/// A save that is under way never undoes a sign-out, and one that comes after it fails.
pub async fn a_save_in_flight_never_undoes_a_logout(stage: Stage) {
    in_every_schedule(stage, logout_and_save).await;
}

async fn logout_and_save(stage: Arc<Stage>, mut turns: Turns) {
    let cookie = stage.cookie(&turns.subject()).await;
    let is_out = Since::default();
    let mut actors = vec![tokio::spawn(sign_out(
        stage.sessions.clone(),
        cookie.clone(),
        is_out.clone(),
        turns.another(),
    ))];
    for key in ["a", "b"] {
        let saver = save_before(
            stage.sessions.clone(),
            (cookie.clone(), key),
            is_out.clone(),
            turns.another(),
        );
        actors.push(tokio::spawn(saver));
    }
    all(actors).await;
    let record = stage.record(id_of(&cookie)).await;
    assert_eq!(record.ended.map(|ended| ended.reason), Some(EndReason::Logout));
    assert!(record.data.is_empty());
    assert_engine_tells_the_truth(&stage, &cookie).await;
}

async fn sign_out(sessions: SessionManager, cookie: String, is_out: Since, mut turns: Turns) {
    let session = sessions.load(&cookie).await.unwrap();
    turns.pause().await;
    session.logout().await.unwrap();
    is_out.now();
    assert_eq!(session.outgoing().cookie, CookieAction::Remove);
}

async fn save_before(
    sessions: SessionManager,
    (cookie, key): (String, &str),
    is_out: Since,
    mut turns: Turns,
) {
    turns.pause().await;
    let was_out_at_load = is_out.is_past();
    let session = match sessions.load(&cookie).await {
        Ok(session) => session,
        Err(error) => return assert!(is_logout(&error), "{error}"),
    };
    assert!(!was_out_at_load, "a cookie was good after the sign-out");
    session.set(key, &1).unwrap();
    turns.pause().await;
    let was_out = is_out.is_past();
    let saved = match session.finish(true) {
        Finish::Commit(commit) => commit.await,
        Finish::Nothing => panic!("there was something to commit"),
    };
    match saved {
        Ok(()) => assert!(!was_out, "a save was acknowledged after the sign-out"),
        Err(error) => assert!(is_logout(&error), "{error}"),
    }
    assert_eq!(session.outgoing().cookie, CookieAction::None);
}

const fn is_logout(error: &SessionError) -> bool {
    matches!(error, SessionError::Ended { reason: EndReason::Logout, .. })
}

/// What one sign-in saw of an act that ends the subject's sessions.
struct SignedIn {
    cookie: Option<String>,
    was_before: bool,
    was_after: bool,
}

/// Marks when an act begins and when it is done.
#[derive(Clone, Debug, Default)]
struct Act {
    begins: Since,
    is_done: Since,
}

/// Signs in while an act may be under way.
async fn sign_in(
    sessions: SessionManager,
    subject: Subject,
    act: Act,
    mut turns: Turns,
) -> SignedIn {
    turns.pause().await;
    let was_after = act.is_done.is_past();
    let begun = sessions.begin(subject).await;
    let was_before = !act.begins.is_past();
    let cookie = match begun {
        Ok(begun) => Some(cookie_of(&begun)),
        Err(SessionError::SubjectDisabled) => None,
        Err(error) => panic!("{error}"),
    };
    SignedIn { cookie, was_before, was_after }
}

/// Two sign-ins beside `ending`; answers what they saw once all is over.
async fn sign_ins_beside<F>(
    stage: &Stage,
    turns: &mut Turns,
    ending: impl FnOnce(SessionManager, Subject) -> F,
) -> Vec<SignedIn>
where
    F: Future<Output = ()> + Send + 'static,
{
    let (act, subject) = (Act::default(), subject(turns));
    let (marks, mut pauses) = (act.clone(), turns.another());
    let ending = ending(stage.sessions.clone(), subject.clone());
    let ending = tokio::spawn(async move {
        pauses.pause().await;
        marks.begins.now();
        ending.await;
        marks.is_done.now();
    });
    let mut begin =
        || sign_in(stage.sessions.clone(), subject.clone(), act.clone(), turns.another());
    let (one, other) = (tokio::spawn(begin()), tokio::spawn(begin()));
    let seen = vec![one.await.unwrap(), other.await.unwrap()];
    all(vec![ending]).await;
    seen
}

/// Whoever signed in before an end-all is out, whoever signs in after it is in, and of those
/// between the store and the engine say the same.
pub async fn end_all_and_sign_in_agree_on_who_is_in(stage: Stage) {
    in_every_schedule(stage, end_all_and_sign_in).await;
}

async fn end_all_and_sign_in(stage: Arc<Stage>, mut turns: Turns) {
    let old = stage.cookie(&turns.subject()).await;
    let end_all = |sessions: SessionManager, subject| async move {
        sessions.end_all(&subject, None, EndReason::LogoutAll, None).await.unwrap();
    };
    let seen = sign_ins_beside(&stage, &mut turns, end_all).await;
    let mut live = 0;
    for SignedIn { cookie, was_before, was_after } in seen {
        let cookie = cookie.expect("nobody is disabled");
        let truth = stage.truth(id_of(&cookie)).await;
        assert!(!was_before || reason_of(&truth) == Some(EndReason::LogoutAll), "{truth:?}");
        assert!(!was_after || truth == Standing::Live, "{truth:?}");
        live += u32::from(truth == Standing::Live);
        assert_engine_tells_the_truth(&stage, &cookie).await;
    }
    assert_eq!(reason_of(&stage.truth(id_of(&old)).await), Some(EndReason::LogoutAll));
    assert_engine_tells_the_truth(&stage, &old).await;
    assert_eq!(stage.counted(&turns.subject()).await, live);
}

/// No session of a disabled subject is live, whoever signs in at the same time.
pub async fn nobody_signs_in_past_a_disable(stage: Stage) {
    in_every_schedule(stage, disable_and_sign_in).await;
}

async fn disable_and_sign_in(stage: Arc<Stage>, mut turns: Turns) {
    let who = turns.subject();
    let old = stage.cookie(&who).await;
    let disable = |sessions: SessionManager, subject| async move {
        sessions.disable(&subject, None).await.unwrap();
    };
    let seen = sign_ins_beside(&stage, &mut turns, disable).await;
    assert!(seen.iter().all(|it| !(it.was_after && it.cookie.is_some())));
    let cookies = seen.into_iter().filter_map(|it| it.cookie).chain([old]);
    for cookie in cookies {
        let truth = stage.truth(id_of(&cookie)).await;
        assert_eq!(reason_of(&truth), Some(EndReason::Disabled));
        assert_engine_tells_the_truth(&stage, &cookie).await;
    }
    assert_eq!((stage.live(&who).await.len(), stage.counted(&who).await), (0, 0));
}

/// How many sessions one subject may have in the races for room.
const LIMIT: u32 = 2;

/// Never more than the limit are live when 50 sign in above it: all above it are refused.
pub async fn never_more_than_the_limit_when_all_above_are_refused(stage: Stage) {
    at_the_limit(stage, LimitStrategy::Deny).await;
}

/// Never more than the limit are live when 50 sign in above it: the oldest make room.
pub async fn never_more_than_the_limit_when_the_oldest_make_room(stage: Stage) {
    at_the_limit(stage, LimitStrategy::EndOldest).await;
}

/// Never more than the limit are live when 50 sign in above it: those that expire next make room.
pub async fn never_more_than_the_limit_when_the_next_to_expire_make_room(stage: Stage) {
    at_the_limit(stage, LimitStrategy::EndNextToExpire).await;
}

async fn at_the_limit(stage: Stage, strategy: LimitStrategy) {
    let stage = stage.configured(|edit| edit.limit(Some(LIMIT)).limit_strategy(strategy));
    // The three strategies have their ten thousand together.
    in_schedules(3_400, stage, crowd).await;
}

async fn crowd(stage: Arc<Stage>, mut turns: Turns) {
    let is_denied = stage.config.limit_strategy() == LimitStrategy::Deny;
    let (who, is_over) = (turns.subject(), Since::default());
    let watch = watch_the_limit(Arc::clone(&stage), who.clone(), is_over.clone(), turns.another());
    let watching = tokio::spawn(watch);
    let sign_ins: Vec<_> = (0..LIMIT + 50)
        .map(|_| tokio::spawn(come_in(stage.sessions.clone(), who.clone(), turns.another())))
        .collect();
    let mut came_in = Vec::new();
    for sign_in in sign_ins {
        came_in.extend(sign_in.await.unwrap());
    }
    is_over.now();
    all(vec![watching]).await;
    assert_eq!(came_in.len(), if is_denied { LIMIT as usize } else { LIMIT as usize + 50 });
    let live = stage.live(&who).await;
    assert_eq!((live.len(), stage.counted(&who).await), (LIMIT as usize, LIMIT));
    assert!(live.iter().all(|id| came_in.iter().any(|begun| begun.record.id == *id)));
}

async fn come_in(sessions: SessionManager, who: String, mut turns: Turns) -> Option<Begun> {
    turns.pause().await;
    match sessions.begin(who).await {
        Ok(begun) => Some(begun),
        Err(SessionError::LimitReached { limit: LIMIT }) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Looks at what is stored again and again: at no time are there more than may be.
async fn watch_the_limit(stage: Arc<Stage>, who: String, is_over: Since, mut turns: Turns) {
    while !is_over.is_past() {
        assert!(stage.live(&who).await.len() <= LIMIT as usize, "more than the limit are live");
        assert!(stage.counted(&who).await <= LIMIT, "more than the limit are counted");
        for _ in 0..8 {
            turns.pause().await;
        }
    }
}

/// A privilege change with requests in flight: one bump, their data is kept, nothing ends, and
/// no response but its own carries a cookie.
pub async fn a_privilege_change_with_requests_in_flight_ends_nothing(stage: Stage) {
    in_every_schedule(stage, regenerate_and_save).await;
}

async fn regenerate_and_save(stage: Arc<Stage>, mut turns: Turns) {
    let old = stage.cookie(&turns.subject()).await;
    let is_new = Since::default();
    let (regenerating, mut pauses) = (stage.load(&old).await, turns.another());
    let marks = is_new.clone();
    let regenerating = tokio::spawn(async move {
        pauses.pause().await;
        regenerating.set("mine", &0).unwrap();
        regenerating.regenerate().await.unwrap();
        marks.now();
        regenerating.outgoing().cookie
    });
    let savers: Vec<_> = ["a", "b"]
        .map(|key| {
            let request = (old.clone(), key);
            let saved =
                save_beside(stage.sessions.clone(), request, is_new.clone(), turns.another());
            tokio::spawn(saved)
        })
        .into();
    let cookie = regenerating.await.unwrap();
    let CookieAction::Set { value, .. } = cookie else { panic!("{cookie:?}") };
    let mut saved = vec!["mine"];
    for saver in savers {
        saved.extend(saver.await.unwrap());
    }
    let record = stage.record(id_of(&old)).await;
    assert_eq!((record.lineage.generation, record.ended.as_ref()), (2, None));
    assert!(saved.iter().all(|key| record.data.get(key).is_some()), "an acknowledged save is lost");
    assert!(stage.sessions.load(&value).await.is_ok());
    let refused = stage.sessions.load(&old).await;
    assert!(matches!(refused, Err(SessionError::Invalid)), "{refused:?}");
}

/// Saves with the old cookie; answers the key if it was saved.
async fn save_beside(
    sessions: SessionManager,
    (cookie, key): (String, &'static str),
    is_new: Since,
    mut turns: Turns,
) -> Option<&'static str> {
    turns.pause().await;
    let was_new = is_new.is_past();
    let session = match sessions.load(&cookie).await {
        Ok(session) => session,
        Err(error) => {
            assert!(matches!(error, SessionError::Invalid), "{error}");
            return None;
        }
    };
    assert!(!was_new, "the old cookie was good after the privilege change");
    turns.pause().await;
    session.set(key, &1).unwrap();
    if let Finish::Commit(commit) = session.finish(true) {
        commit.await.unwrap();
    }
    assert_eq!(session.outgoing().cookie, CookieAction::None);
    Some(key)
}

/// Activity that is noted and flushed while a session ends does not bring it back.
pub async fn a_touch_never_undoes_an_end(stage: Stage) {
    // Every schedule moves the time of all.
    let stage = stage.configured(|edit| edit.idle(None).ttl(LONGEST_COOKIE));
    in_every_schedule(stage, touch_and_end).await;
}

async fn touch_and_end(stage: Arc<Stage>, mut turns: Turns) {
    let cookie = stage.cookie(&turns.subject()).await;
    // By more than the interval of a touch.
    stage.clock.advance(Duration::from_secs(61));
    let id = id_of(&cookie);
    let used = stage.load(&cookie).await;
    let (mut pauses, sessions) = (turns.another(), stage.sessions.clone());
    let touching = tokio::spawn(async move {
        pauses.pause().await;
        assert!(matches!(used.finish(true), Finish::Nothing));
        sessions.shutdown().await.unwrap();
    });
    let (mut pauses, sessions) = (turns.another(), stage.sessions.clone());
    let ending = tokio::spawn(async move {
        pauses.pause().await;
        assert!(sessions.end(id, EndReason::Admin, Some("op")).await.unwrap());
    });
    all(vec![touching, ending]).await;
    let ended = stage.record(id).await.ended.expect("it has ended");
    assert_eq!((ended.reason, ended.by.as_deref()), (EndReason::Admin, Some("op")));
    assert_engine_tells_the_truth(&stage, &cookie).await;
    assert_eq!(stage.counted(&turns.subject()).await, 0);
}

/// A load that is under way while a session ends does not leave the old record in the cache.
pub async fn a_cache_fill_never_revives_what_ends(stage: Stage) {
    let stage = stage.configured(|edit| edit.cache_bytes(1 << 20));
    in_every_schedule(stage, fill_and_end).await;
}

async fn fill_and_end(stage: Arc<Stage>, mut turns: Turns) {
    // Half of the ends are of the one session, half of all of its subject.
    let (cookie, is_of_all) = (stage.cookie(&turns.subject()).await, turns.below(2) == 0);
    let (cold, subject, is_out) = (stage.restarted(), subject(&turns), Since::default());
    let (mut pauses, sessions, marks) = (turns.another(), cold.clone(), is_out.clone());
    let id = id_of(&cookie);
    let ending = tokio::spawn(async move {
        pauses.pause().await;
        if is_of_all {
            sessions.end_all(&subject, None, EndReason::Admin, None).await.unwrap();
        } else {
            assert!(sessions.end(id, EndReason::Admin, None).await.unwrap());
        }
        marks.now();
    });
    let fill = |mut pauses: Turns| {
        let (sessions, cookie, is_out) = (cold.clone(), cookie.clone(), is_out.clone());
        async move {
            pauses.pause().await;
            let was_out = is_out.is_past();
            let loaded = sessions.load(&cookie).await;
            assert!(!(was_out && loaded.is_ok()), "good after the end was acknowledged");
        }
    };
    let fills = [fill(turns.another()), fill(turns.another()), fill(turns.another())];
    let mut actors: Vec<_> = fills.into_iter().map(tokio::spawn).collect();
    actors.push(ending);
    all(actors).await;
    let after = cold.load(&cookie).await;
    let is_ended = matches!(after, Err(SessionError::Ended { reason: EndReason::Admin, .. }));
    assert!(is_ended, "{after:?}");
}

/// A guest who is upgraded twice and ended at the same time comes to one end, and somebody is
/// signed in only if it was the upgrade.
pub async fn an_upgrade_and_an_end_agree_on_the_guest(stage: Stage) {
    in_every_schedule(stage, upgrade_and_end).await;
}

async fn upgrade_and_end(stage: Arc<Stage>, mut turns: Turns) {
    let guest = stage.sessions.guest().unwrap().transport(Transport::Token);
    let guest = stage.sessions.begin(guest.data("cart", &3).unwrap()).await.unwrap();
    let (token, id) = (cookie_of(&guest), guest.record.id);
    let subject = subject(&turns);
    let mut upgrade = || {
        let sign_in = SignIn::of(subject.clone()).upgrade_from(&token);
        let (sessions, mut turns) = (stage.sessions.clone(), turns.another());
        tokio::spawn(async move {
            turns.pause().await;
            sessions.begin(sign_in).await
        })
    };
    let (one, other) = (upgrade(), upgrade());
    turns.pause().await;
    let has_ended = stage.sessions.end(id, EndReason::Admin, None).await.unwrap();
    let begun = [one.await.unwrap(), other.await.unwrap()];
    let winners: Vec<&Begun> = begun.iter().flatten().collect();
    let ended = stage.record(id).await.ended.unwrap();
    let expected = if has_ended { EndReason::Admin } else { EndReason::Replaced };
    assert_eq!(ended.reason, expected);
    assert_eq!(winners.len(), usize::from(!has_ended), "{begun:?}");
    assert_eq!(ended.successor, winners.first().map(|begun| begun.record.id));
    for error in begun.iter().filter_map(|begun| begun.as_ref().err()) {
        let is_told = matches!(error, SessionError::Ended { reason, .. } if *reason == expected);
        assert!(is_told, "{error}");
    }
    assert_eq!(stage.live(subject.as_str()).await.len(), winners.len());
    assert!(winners.iter().all(|begun| begun.record.data.get("cart").is_some()));
}

/// A step-up beside refreshes ends nothing, and whoever was answered last holds the one good token:
/// the session never has two lineages.
pub async fn a_step_up_and_a_refresh_leave_one_good_token(stage: Stage) {
    in_every_schedule(stage, step_up_and_refresh).await;
}

async fn step_up_and_refresh(stage: Arc<Stage>, mut turns: Turns) {
    let token = stage.refresh_token(&turns.subject()).await;
    let id = id_of(&token);
    let refreshes: Vec<_> = (0..2)
        .map(|_| {
            let (sessions, token, mut turns) =
                (stage.sessions.clone(), token.clone(), turns.another());
            tokio::spawn(async move {
                turns.pause().await;
                sessions.refresh(&token, None).await
            })
        })
        .collect();
    turns.pause().await;
    let stepped = stage.sessions.step_up(id, &["otp"]).await.unwrap();
    for refresh in refreshes {
        match refresh.await.unwrap() {
            // Before the step-up, or with it in one commit: then it got the token of both.
            Ok(refreshed) => {
                let generation = refreshed.record.lineage.generation;
                assert!(generation <= stepped.record.lineage.generation);
            }
            Err(error) => assert!(matches!(error, SessionError::Invalid), "{error}"),
        }
    }
    assert_eq!(stage.truth(id).await, Standing::Live);
    let record = stage.record(id).await;
    assert_eq!(record.lineage.generation, stepped.record.lineage.generation);
    assert_eq!(record.lineage.privilege_generation, record.lineage.generation);
    let superseded = stage.sessions.refresh(&token, None).await;
    assert!(matches!(superseded, Err(SessionError::Invalid)), "{superseded:?}");
    stage.sessions.refresh(&cookie_of(&stepped), None).await.unwrap();
}
