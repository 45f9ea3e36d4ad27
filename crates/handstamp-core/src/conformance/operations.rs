//! Random operations by several actors through the whole engine, compared with a reference after
//! every step.

use std::sync::Arc;
use std::time::Duration;

use super::fixture::Fixture;
use super::reference::Reference;
use super::sample::{at, subject};
use crate::config::SessionConfig;
use crate::id::{SessionId, Subject};
use crate::key::KeyRing;
use crate::random::{Rng, SeededRng, random};
use crate::record::{Client, EndReason, Transport};
use crate::roles::Roles;
use crate::session::{CookieAction, CookieValue, Finish, Presented};
use crate::store::{Page, SessionStore};
use crate::time::ManualClock;
use crate::token::AttemptId;
use crate::{Session, SessionError, SessionManager, SignIn};

// Lifetimes are in seconds.
pub(super) const IDLE: u64 = 3900;
pub(super) const ABSOLUTE: u64 = 36_000;
pub(super) const LIMIT: usize = 3;
const KEYS: [&str; 3] = ["cart", "lang", "visits"];
const ROLES: [&str; 3] = ["admin", "editor", "reader"];
const STEPS: usize = 60;

/// What holds for all sessions of a subject.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    pub(super) epoch: u32,
    pub(super) is_disabled: bool,
    pub(super) roles: Option<Vec<&'static str>>,
}

/// What a session's holder can tell of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    Live,
    Suspended,
    Over,
}

/// Runs `sequences` sequences of 60 random operations, one seed each, from `first` on, and compares
/// the engine with the reference after every step: the standing of each session, its data, roles
/// and messages, who is listed, and the live counts in heads.
///
/// # Panics
/// Where they differ, with the seed and the operations up to there.
pub async fn random_operations_agree_with_the_reference(
    fixture: &dyn Fixture,
    first: u64,
    sequences: u64,
) {
    let store = fixture.open().await;
    for seed in first..first + sequences {
        let mut run = Run::new(Arc::clone(&store), seed);
        for _ in 0..STEPS {
            run.step().await;
            run.agrees().await;
        }
    }
    println!("{sequences} sequences of {STEPS} operations, seeds from {first}");
}

/// What is known of a session besides the reference: its id, and its tokens by generation.
struct Known {
    id: SessionId,
    transport: Transport,
    tokens: Vec<String>,
}

struct Run {
    store: Arc<dyn SessionStore>,
    sessions: SessionManager,
    clock: Arc<ManualClock>,
    rng: SeededRng,
    seed: u64,
    subjects: [Subject; 2],
    reference: Reference,
    known: Vec<Known>,
    /// Which session each browser's cookie is of.
    browsers: [Option<usize>; 3],
    told: Vec<String>,
}

impl Run {
    fn new(store: Arc<dyn SessionStore>, seed: u64) -> Self {
        let clock = ManualClock::at(at(0));
        let config = SessionConfig::default()
            .edit()
            .idle(Some(Duration::from_secs(IDLE)))
            .ttl(Duration::from_secs(ABSOLUTE))
            .limit(Some(u32::try_from(LIMIT).unwrap()))
            .keep_tombstones(Duration::from_secs(7200));
        let keys = KeyRing::generate().unwrap();
        let sessions = SessionManager::builder(Arc::clone(&store), config.build().unwrap(), keys)
            .clock(Arc::clone(&clock))
            .maintenance(false)
            .build();
        Self {
            store,
            sessions,
            clock,
            rng: SeededRng::new(seed),
            seed,
            subjects: ["ann", "bob"].map(|name| subject(&format!("{name} {seed}"))),
            reference: Reference::default(),
            known: Vec::new(),
            browsers: [None; 3],
            told: Vec::new(),
        }
    }

    fn draw(&self, below: usize) -> usize {
        let bytes: [u8; 4] = random(&self.rng as &dyn Rng).unwrap();
        u32::from_be_bytes(bytes) as usize % below
    }

    fn draw_session(&self) -> Option<usize> {
        (!self.known.is_empty()).then(|| self.draw(self.known.len()))
    }

    fn draw_roles(&self) -> Vec<&'static str> {
        let mask = self.draw(8);
        ROLES.into_iter().enumerate().filter(|(n, _)| mask & (1 << n) != 0).map(|it| it.1).collect()
    }

    fn tell(&mut self, what: String) {
        self.told.push(what);
    }

    /// What is shown where the two differ.
    fn context(&self) -> String {
        format!("seed {}, after:\n{}", self.seed, self.told.join("\n"))
    }

    async fn step(&mut self) {
        self.pass(1);
        match self.draw(24) {
            0..9 => self.visit().await,
            9..12 => self.login().await,
            12 => self.logout().await,
            13 => self.begin_device().await,
            14..17 => self.refresh().await,
            17 => self.end().await,
            18 => self.end_all().await,
            19 => self.switch().await,
            20 => self.suspend_or_resume().await,
            21 => self.narrow().await,
            22 => self.wait(),
            _ => self.cleanup().await,
        }
        self.sessions.shutdown().await.unwrap();
    }

    fn pass(&mut self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        self.reference.now += seconds;
    }

    /// Time passes, but not into the slack after an idle limit, in which both answers are right.
    fn wait(&mut self) {
        let seconds = [20, 40, 600, 3000][self.draw(4)];
        self.tell(format!("wait {seconds} s"));
        self.pass(seconds);
        while self.is_in_doubt() {
            self.pass(100);
        }
    }

    /// Whether a session is within the slack after a limit, or gets there by the steps to come.
    fn is_in_doubt(&self) -> bool {
        let now = self.reference.now;
        let is_near = |due: u64| due <= now + STEPS as u64 && now < due + 200;
        let sessions = self.reference.sessions.iter().filter(|it| !it.is_buried);
        sessions.into_iter().any(|it| is_near(it.seen + IDLE) || is_near(it.begun + ABSOLUTE))
    }

    fn cookie_of(&self, browser: usize) -> Option<(usize, String)> {
        let n = self.browsers[browser]?;
        Some((n, self.known[n].tokens.last()?.clone()))
    }

    async fn open(&self, browser: usize) -> Session {
        let cookie = self.cookie_of(browser);
        let value = cookie
            .as_ref()
            .map_or(CookieValue::None, |(_, text)| CookieValue::One(text.as_bytes()));
        let client = Client::default();
        let session = self.sessions.open(Presented { cookie: value, pre_session: None, client });
        session.resolve().await.unwrap();
        session
    }

    /// Takes a response's cookie, and learns of the session that it is of.
    fn take(&mut self, browser: usize, session: &Session) {
        match session.outgoing().cookie {
            CookieAction::None => {}
            CookieAction::Remove => self.browsers[browser] = None,
            CookieAction::Set { value, .. } => {
                let id = session.id().unwrap();
                let n = self.learn(id, Transport::Cookie, value.to_string());
                self.browsers[browser] = Some(n);
            }
        }
    }

    fn learn(&mut self, id: SessionId, transport: Transport, token: String) -> usize {
        let known = self.known.iter().position(|it| it.id == id);
        let n = known.unwrap_or_else(|| {
            self.known.push(Known { id, transport, tokens: Vec::new() });
            self.known.len() - 1
        });
        if !self.known[n].tokens.contains(&token) {
            self.known[n].tokens.push(token);
        }
        n
    }

    /// The session of a browser's cookie, if it is live.
    fn live(&self, browser: usize) -> Option<usize> {
        self.browsers[browser].filter(|n| self.reference.standing(*n) == Standing::Live)
    }

    /// A request that reads or changes data, and is activity.
    async fn visit(&mut self) {
        let (browser, key, value) = (self.draw(3), KEYS[self.draw(3)], self.draw(100) as u64);
        let session = self.open(browser).await;
        let what = ["read", "set", "update", "remove", "flash", "take flash", "clear", "rotate"]
            [self.draw(8)];
        self.tell(format!("browser {browser}: {what} {key} {value}"));
        let mut live = self.live(browser);
        assert_eq!(live.is_some(), session.id().is_some(), "{}", self.context());
        let is_change = matches!(what, "set" | "update" | "flash");
        // A suspended session's cookie stores nothing; any other visitor gets a session.
        let may_begin = session.refusal().is_none_or(|it| it.may_begin());
        match what {
            "set" => session.set(key, &value).unwrap(),
            "update" => {
                session
                    .update(key, move |it: &mut Option<u64>| {
                        *it = Some(it.unwrap_or(0) + value);
                    })
                    .unwrap();
            }
            "remove" => drop(session.remove(key)),
            "flash" => session.flash("note", &value).unwrap(),
            "take flash" => {
                let expected = live.and_then(|n| self.reference.sessions[n].flash.first().copied());
                assert_eq!(session.get_flash("note"), expected, "{}", self.context());
            }
            "clear" => session.clear(),
            "rotate" => session.regenerate().await.unwrap(),
            _ => {}
        }
        if let Finish::Commit(commit) = session.finish(true) {
            commit.await.unwrap();
        }
        if live.is_none() && is_change && may_begin {
            live = self.reference.begin(None, Vec::new(), None);
        }
        self.take(browser, &session);
        let now = self.reference.now;
        let Some(it) = live.map(|n| &mut self.reference.sessions[n]) else { return };
        it.seen = now;
        match what {
            "set" => drop(it.data.insert(key, value)),
            "update" => *it.data.entry(key).or_default() += value,
            "remove" => drop(it.data.remove(key)),
            "flash" => it.flash.push(value),
            "take flash" if !it.flash.is_empty() => drop(it.flash.remove(0)),
            "clear" => (it.data, it.flash) = Default::default(),
            _ => {}
        }
    }

    async fn login(&mut self) {
        let (browser, who, roles) = (self.draw(3), self.draw(2), self.draw_roles());
        self.tell(format!("browser {browser}: login {who} {roles:?}"));
        let session = self.open(browser).await;
        let sign_in = SignIn::of(self.subjects[who].clone());
        let answer = session.login(sign_in.roles(Roles::new(roles.clone()).unwrap())).await;
        let old = self.live(browser);
        let expected = self.reference.begin(Some(who), roles, old);
        match (&answer, expected) {
            (Ok(()), Some(_)) | (Err(SessionError::SubjectDisabled), None) => {}
            _ => panic!("login answered {answer:?}, not {expected:?}; {}", self.context()),
        }
        self.take(browser, &session);
    }

    async fn logout(&mut self) {
        let browser = self.draw(3);
        self.tell(format!("browser {browser}: logout"));
        let session = self.open(browser).await;
        session.logout().await.unwrap();
        // The cookie of a suspended session is good enough to sign it out.
        let meant =
            self.browsers[browser].filter(|n| self.reference.standing(*n) != Standing::Over);
        if let Some(n) = meant {
            self.reference.sessions[n].is_buried = true;
        }
        self.take(browser, &session);
    }

    async fn begin_device(&mut self) {
        let (who, roles) = (self.draw(2), self.draw_roles());
        self.tell(format!("a device begins for {who}"));
        let sign_in = SignIn::of(self.subjects[who].clone()).transport(Transport::Token);
        let begun = self.sessions.begin(sign_in.roles(Roles::new(roles.clone()).unwrap())).await;
        let expected = self.reference.begin(Some(who), roles, None);
        assert_eq!(begun.is_ok(), expected.is_some(), "{begun:?} {}", self.context());
        if let Ok(begun) = begun {
            self.learn(begun.record.id, Transport::Token, begun.token.to_text().to_string());
        }
    }

    async fn refresh(&mut self) {
        let devices: Vec<usize> = (0..self.known.len())
            .filter(|n| self.known[*n].transport == Transport::Token)
            .collect();
        if devices.is_empty() {
            return;
        }
        let n = devices[self.draw(devices.len())];
        // Mostly the current token, sometimes one of those before.
        let count = self.known[n].tokens.len();
        let generation = count - self.draw(4).min(count - 1) / 2;
        let attempt = (self.draw(2) == 0).then_some(generation);
        self.tell(format!("device {n}: refresh {generation} of {count}, attempt {attempt:?}"));
        let id = attempt.and_then(|it| AttemptId::new(&format!("{it:0>24}")));
        let token = self.known[n].tokens[generation - 1].clone();
        let answer = self.sessions.refresh(&token, id.as_ref()).await;
        // A refresh of a session that is over writes its tombstone.
        let is_over = self.reference.standing(n) == Standing::Over;
        self.reference.sessions[n].is_buried |= is_over;
        let expected = self.reference.refresh(n, generation, attempt);
        assert_eq!(answer.is_ok(), expected.is_some(), "{answer:?} {}", self.context());
        let (Ok(refreshed), Some(served)) = (answer, expected) else { return };
        self.learn(refreshed.record.id, Transport::Token, refreshed.token.to_text().to_string());
        assert_eq!(self.known[n].tokens.len(), served, "{}", self.context());
        let is_it = *self.known[n].tokens[served - 1] == **refreshed.token.to_text();
        assert!(is_it, "the same successor; {}", self.context());
    }

    async fn end(&mut self) {
        let Some(n) = self.draw_session() else { return };
        self.tell(format!("end {n}"));
        let was_there = !self.reference.sessions[n].is_buried;
        let answer = self.sessions.end(self.known[n].id, EndReason::Admin, None).await;
        assert_eq!(answer.unwrap(), was_there, "{}", self.context());
        self.reference.sessions[n].is_buried = true;
    }

    async fn end_all(&mut self) {
        let who = self.draw(2);
        let spared =
            self.draw_session().filter(|n| self.reference.sessions[*n].subject == Some(who));
        self.tell(format!("end all of {who} but {spared:?}"));
        let except = spared.map(|n| self.known[n].id);
        let answer =
            self.sessions.end_all(&self.subjects[who], except, EndReason::LogoutAll, None).await;
        answer.unwrap();
        self.reference.end_all(who, spared);
    }

    async fn switch(&mut self) {
        let who = self.draw(2);
        let is_disabled = self.reference.heads[who].is_disabled;
        self.tell(format!("{} {who}", if is_disabled { "enable" } else { "disable" }));
        if is_disabled {
            self.sessions.enable(&self.subjects[who], None).await.unwrap();
        } else {
            self.sessions.disable(&self.subjects[who], None).await.unwrap();
            self.reference.end_all(who, None);
        }
        self.reference.heads[who].is_disabled = !is_disabled;
    }

    async fn suspend_or_resume(&mut self) {
        let Some(n) = self.draw_session() else { return };
        let (standing, id) = (self.reference.standing(n), self.known[n].id);
        self.tell(format!("suspend or resume {n}, {standing:?}"));
        let is_suspended = self.reference.sessions[n].is_suspended;
        let answer = match is_suspended {
            true => self.sessions.resume(id, None).await,
            false => self.sessions.suspend(id, None, None).await,
        };
        assert_eq!(answer.is_err(), standing == Standing::Over, "{answer:?} {}", self.context());
        if standing != Standing::Over {
            self.reference.sessions[n].is_suspended = !is_suspended;
        }
    }

    async fn narrow(&mut self) {
        let who = self.draw(2);
        let roles = (self.draw(3) > 0).then(|| self.draw_roles());
        self.tell(format!("roles of {who}: {roles:?}"));
        let named = roles.clone().map(|roles| Roles::new(roles).unwrap());
        self.sessions.set_roles(&self.subjects[who], named, None).await.unwrap();
        self.reference.heads[who].roles = roles;
    }

    async fn cleanup(&mut self) {
        self.tell("cleanup".into());
        self.sessions.cleanup().await.unwrap();
        for n in 0..self.known.len() {
            let is_over = self.reference.standing(n) == Standing::Over;
            self.reference.sessions[n].is_buried |= is_over;
        }
    }

    async fn agrees(&mut self) {
        for n in 0..self.known.len() {
            self.session_agrees(n).await;
        }
        // Looking at a cookie of a session that is over writes its tombstone.
        self.sessions.shutdown().await.unwrap();
        for who in 0..self.subjects.len() {
            self.subject_agrees(who).await;
        }
    }

    async fn session_agrees(&mut self, n: usize) {
        let (standing, known) = (self.reference.standing(n), &self.known[n]);
        if known.transport == Transport::Token {
            return;
        }
        let it = &self.reference.sessions[n];
        let token = known.tokens.last().unwrap();
        match (standing, self.sessions.load(token).await) {
            (Standing::Live, Ok(session)) => {
                for key in KEYS {
                    let value = session.get::<u64>(key).unwrap();
                    assert_eq!(
                        value,
                        it.data.get(key).copied(),
                        "{key} of {n}; {}",
                        self.context()
                    );
                }
                assert_eq!(session.has_flash("note"), !it.flash.is_empty(), "{}", self.context());
                let head = it.subject.and_then(|who| self.reference.heads[who].roles.as_ref());
                let is_kept = |role: &&str| head.is_none_or(|roles| roles.contains(role));
                let roles: Vec<&str> = it.roles.iter().copied().filter(is_kept).collect();
                assert!(session.roles().iter().eq(roles), "roles of {n}; {}", self.context());
            }
            (Standing::Suspended, Err(SessionError::Suspended)) => {}
            (Standing::Over, Err(error)) if !error.is_fault() => {}
            (_, answer) => panic!("{n} is {standing:?}, not {answer:?}; {}", self.context()),
        }
        for old in &known.tokens[..known.tokens.len() - 1] {
            let answer = self.sessions.load(old).await;
            assert!(answer.is_err(), "an old token of {n} is good; {}", self.context());
        }
        self.reference.sessions[n].is_buried |= standing == Standing::Over;
    }

    async fn subject_agrees(&self, who: usize) {
        let subject = &self.subjects[who];
        let page = Page::first(1000);
        let listed = self.sessions.sessions_of(subject, false, &page).await.unwrap();
        let mut listed: Vec<_> = listed.records.iter().map(|record| record.id).collect();
        let is_listed = |n: &usize| {
            let is_theirs = self.reference.sessions[*n].subject == Some(who);
            is_theirs && self.reference.standing(*n) != Standing::Over
        };
        let all = (0..self.known.len()).filter(is_listed);
        let mut expected: Vec<_> = all.map(|n| self.known[n].id).collect();
        listed.sort_unstable();
        expected.sort_unstable();
        assert_eq!(listed, expected, "who is listed for {who}; {}", self.context());
        let head = self.store.heads(std::slice::from_ref(subject)).await.unwrap().remove(0);
        let live = self.reference.counted(who).len();
        assert_eq!(head.live as usize, live, "live count of {who}; {}", self.context());
        assert_eq!(head.is_disabled, self.reference.heads[who].is_disabled, "{}", self.context());
    }
}
