//! What time does to a process: it starts anew and knows less, its clock is set, its machine sleeps.

use std::sync::Arc;
use std::time::Duration;

use super::schedule::Turns;
use super::stage::{START, Stage, id_of};
use super::time::{HOUR, MILLI, MINUTE, SECOND, assert_buried, leave, look, over, visit};
use crate::config::SessionConfig;
use crate::manager::SessionManager;
use crate::policy::touch_slack;
use crate::record::EndReason;
use crate::sign_in::SignIn;
use crate::testing::ManualMachine;
use crate::time::{SystemClock, Timestamp};

/// How many histories of activity are played, and how many steps each has.
const HISTORIES: u64 = 200;
const STEPS: usize = 40;

/// One life by the book: what was done last, and whether this process saw it.
struct Life {
    cookie: String,
    begun: Timestamp,
    used: Timestamp,
    is_exact: bool,
    /// Whether other processes may have seen it: then nobody knows to the second.
    is_shared: bool,
}

impl Life {
    /// Before this, nobody may refuse it.
    fn earliest(&self, config: &SessionConfig) -> Timestamp {
        self.ends(config, Duration::ZERO)
    }

    /// From here on, everybody must.
    fn latest(&self, config: &SessionConfig) -> Timestamp {
        let is_exact = self.is_exact && !self.is_shared;
        let slack = config.idle().map(touch_slack).filter(|_| !is_exact);
        self.ends(config, slack.unwrap_or_default())
    }

    fn ends(&self, config: &SessionConfig, slack: Duration) -> Timestamp {
        let idle = config.idle().map_or(Timestamp::MAX, |idle| self.used.plus(idle).plus(slack));
        idle.min(self.begun.plus(config.ttl()))
    }
}

/// Whatever somebody does, and however often the process starts anew: nobody is refused early, and
/// nobody later than stated. Who is refused once is refused for ever.
pub async fn s25_no_history_of_activity_ends_anybody_early_or_late(stage: Stage) {
    let stage = stage.configured(|edit| edit.ttl(HOUR * 4));
    let is_shared = stage.is_shared();
    for seed in 0..HISTORIES {
        let mut turns = Turns::of(seed);
        let mut sessions = stage.restarted();
        let begun = sessions.begin(turns.subject().as_str()).await.unwrap();
        let (cookie, now) = (begun.token.to_text().to_string(), sessions.now());
        let mut life = Life { cookie, begun: now, used: now, is_exact: true, is_shared };
        for step in 0..STEPS {
            stage.clock.advance(span(&mut turns));
            if turns.below(8) == 0 {
                sessions = stage.restarted();
                life.is_exact = false;
            }
            let is_over = act(&stage, &sessions, &mut life, turns.below(6)).await;
            let now = sessions.now();
            let context = format!("history {seed}, step {step}, at {now:?}");
            assert!(!is_over || now >= life.earliest(&stage.config), "early: {context}");
            assert!(is_over || now < life.latest(&stage.config), "late: {context}");
            if is_over {
                stage.clock.set(life.begun);
                assert!(
                    look(&stage, &stage.restarted(), &life.cookie).await.is_some(),
                    "{context}"
                );
                break;
            }
        }
    }
}

/// Mostly minutes, now and then more than an hour; never so short that activity is noted and
/// cannot be written before the next.
fn span(turns: &mut Turns) -> Duration {
    let most = if turns.below(6) == 0 { 70 * 60_000 } else { 10 * 60_000 };
    Duration::from_secs(5) + Duration::from_millis(turns.below(most))
}

/// One of the things that happen; answers whether the session was refused.
async fn act(stage: &Stage, sessions: &SessionManager, life: &mut Life, what: u64) -> bool {
    if what == 0 {
        sessions.cleanup().await.unwrap();
        return look(stage, sessions, &life.cookie).await.is_some();
    }
    let session = stage.request_of(sessions, &life.cookie).await;
    let is_over = over(&session).is_some();
    match what {
        1 => session.not_activity(),
        2 if !is_over => session.set("seen", &sessions.now().as_millis()).unwrap(),
        3 if !is_over => session.regenerate().await.unwrap(),
        _ => {}
    }
    leave(sessions, &session, &mut life.cookie).await;
    if !is_over && what != 1 {
        (life.used, life.is_exact) = (sessions.now(), true);
    }
    is_over
}

/// The most that a restart does not know: activity that had not moved far enough to be written.
/// It costs nobody their session early, and lengthens it by no more than the slack.
pub async fn after_a_restart_the_idle_limit_is_late_by_the_slack_at_most(stage: Stage) {
    let (mut ada, mut bob) = (stage.cookie("ada").await, stage.cookie("bob").await);
    stage.clock.advance(MINUTE - MILLI);
    visit(&stage, &stage.sessions, &mut ada).await;
    visit(&stage, &stage.sessions, &mut bob).await;
    assert_eq!(stage.record(id_of(&ada)).await.last_seen, START);
    let (used, restarted) = (stage.sessions.now(), stage.restarted());
    stage.clock.set(used.plus(HOUR).minus(MILLI));
    assert_eq!(look(&stage, &restarted, &ada).await, None);
    assert_eq!(look(&stage, &stage.sessions, &bob).await, None);
    stage.clock.set(used.plus(HOUR).plus(stage.late(&bob).await));
    let end = (EndReason::Idle, used.plus(HOUR));
    assert_eq!(look(&stage, &stage.sessions, &bob).await, Some(end));
    stage.clock.set(START.plus(HOUR).plus(touch_slack(HOUR)).minus(MILLI));
    assert_eq!(look(&stage, &restarted, &ada).await, None);
    stage.clock.set(START.plus(HOUR).plus(touch_slack(HOUR)));
    let end = (EndReason::Idle, START.plus(HOUR));
    assert_eq!(look(&stage, &restarted, &ada).await, Some(end));
}

/// What a restarted process has seen itself it knows to the second.
pub async fn activity_after_a_restart_is_exact_again(stage: Stage) {
    let mut cookie = stage.cookie("ada").await;
    stage.clock.advance(MINUTE * 30);
    let restarted = stage.restarted();
    assert_eq!(visit(&stage, &restarted, &mut cookie).await, None);
    let end = restarted.now().plus(HOUR);
    stage.clock.set(end.minus(MILLI));
    assert_eq!(look(&stage, &restarted, &cookie).await, None);
    stage.clock.set(end.plus(stage.late(&cookie).await));
    assert_eq!(look(&stage, &restarted, &cookie).await, Some((EndReason::Idle, end)));
}

/// A cleanup ends what everybody refuses by now, and nobody before their time.
pub async fn a_cleanup_ends_nobody_before_their_time(stage: Stage) {
    let (mut used, unused) = (stage.cookie("ada").await, stage.cookie("bob").await);
    stage.clock.advance(MINUTE - MILLI);
    visit(&stage, &stage.sessions, &mut used).await;
    let restarted = stage.restarted();
    for sessions in [&stage.sessions, &restarted] {
        stage.clock.set(START.plus(HOUR).minus(MILLI));
        assert_eq!(sessions.cleanup().await.unwrap().ended, 0);
    }
    stage.clock.set(START.plus(MINUTE).plus(HOUR).minus(SECOND));
    restarted.cleanup().await.unwrap();
    assert_eq!(look(&stage, &restarted, &used).await, None);
    stage.clock.set(START.plus(HOUR).plus(touch_slack(HOUR)));
    restarted.cleanup().await.unwrap();
    for cookie in [&used, &unused] {
        assert_buried(&stage, cookie, EndReason::Idle, START.plus(HOUR)).await;
    }
}

/// A manager on `machine`, as a process that has just started would have it.
fn on(stage: &Stage, machine: &Arc<ManualMachine>) -> SessionManager {
    let (config, keys) = (stage.config.clone(), stage.keys.clone());
    SessionManager::builder(stage.gate.clone(), config, keys)
        .clock(SystemClock::over(Arc::clone(machine)))
        .maintenance(false)
        .build()
}

async fn cookie_on(sessions: &SessionManager, who: &str) -> String {
    sessions.begin(who).await.unwrap().token.to_text().to_string()
}

const HOUR_STEP: i64 = 3_600_000;

/// Somebody sets the clock forward and back by an hour: nothing that ran out lives again, nothing
/// that lives ends, and the time that is left is what it was.
pub async fn s34_a_step_of_the_wall_clock_revives_nobody_and_ends_nobody(stage: Stage) {
    let machine = ManualMachine::at(START);
    let sessions = on(&stage, &machine);
    let mut dead = Vec::new();
    for who in ["ada", "bob", "eve", "joe"] {
        dead.push(cookie_on(&sessions, who).await);
    }
    let late = stage.late(&dead[0]).await;
    machine.pass(HOUR + late);
    let live = cookie_on(&sessions, "zoe").await;
    for step in [HOUR_STEP, -HOUR_STEP, -HOUR_STEP, HOUR_STEP] {
        machine.step(step);
        let over = look(&stage, &sessions, &dead.pop().unwrap()).await;
        assert_eq!(over, Some((EndReason::Idle, START.plus(HOUR))));
        let ended = sessions.cleanup().await.unwrap().ended;
        // Where the limit is late for everybody, those who are over are due for all by now.
        assert!(ended == 0 || stage.is_shared() && ended == dead.len(), "{ended} ended");
        assert_eq!(look(&stage, &sessions, &live).await, None);
    }
    machine.step(HOUR_STEP);
    machine.pass(HOUR - MILLI);
    assert_eq!(look(&stage, &sessions, &live).await, None);
    machine.pass(MILLI + late);
    let end = (EndReason::Idle, START.plus(HOUR * 2 + late));
    assert_eq!(look(&stage, &sessions, &live).await, Some(end));
}

/// Time goes on while the machine sleeps: who was idle for too long is signed out when it wakes,
/// and who has time left is not.
pub async fn s34_time_spent_suspended_counts(stage: Stage) {
    let machine = ManualMachine::at(START);
    let sessions = on(&stage, &machine);
    let (idle, remembered) = (cookie_on(&sessions, "ada").await, {
        let sign_in = SignIn::new("bob").unwrap().remember(true);
        sessions.begin(sign_in).await.unwrap().token.to_text()
    });
    machine.pass(HOUR * 2);
    let end = (EndReason::Idle, START.plus(HOUR));
    assert_eq!(look(&stage, &sessions, &idle).await, Some(end));
    assert_eq!(look(&stage, &sessions, &remembered).await, None);
}

/// A step is taken over at the next start. Back by an hour: what has its tombstone stays dead, what
/// lives lives, and its activity is not forgotten.
pub async fn s34_a_restart_on_a_clock_set_back_revives_no_tombstone(stage: Stage) {
    let machine = ManualMachine::at(START);
    let sessions = on(&stage, &machine);
    let dead = cookie_on(&sessions, "ada").await;
    let late = stage.late(&dead).await;
    machine.pass(HOUR + late);
    assert!(look(&stage, &sessions, &dead).await.is_some());
    let mut live = cookie_on(&sessions, "bob").await;
    machine.step(-HOUR_STEP);
    let restarted = on(&stage, &machine);
    assert_eq!(restarted.now(), START.plus(late));
    assert!(look(&stage, &restarted, &dead).await.is_some());
    assert_eq!(visit(&stage, &restarted, &mut live).await, None);
    assert_eq!(restarted.cleanup().await.unwrap().total(), 0);
    assert_eq!(stage.record(id_of(&live)).await.last_seen, START.plus(HOUR + late));
}
