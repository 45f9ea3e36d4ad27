//! Terminals that ask to be signed in: codes that a browser takes to them, good once and for a
//! minute, and the sessions that they are exchanged for. The shop begins those over HTTP, by a
//! service key that is good for that alone.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use handstamp_protocol::paths;
use handstamp_protocol::sessions::{BeginRequest, Client as Holder, TokenAnswer};
use reqwest::Client;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::accounts::Account;
use super::counsel::Service;
use crate::failure::Failure;
use crate::proof;

/// How long a code is good. The browser is on its way already.
const LIFE: Duration = Duration::from_secs(60);
/// The most codes that wait, or that are remembered as spent.
const MOST: usize = 1_000;
/// How long the service may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What somebody said yes to.
#[derive(Clone, Debug)]
pub(super) struct Consent {
    pub(super) account: &'static Account,
    /// What the terminal calls its machine.
    pub(super) device: String,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
}

/// The answer to a code: tokens, and the service that they are for.
#[derive(Serialize)]
pub(super) struct Granted {
    service: String,
    #[serde(flatten)]
    answer: TokenAnswer,
}

/// Why there is no session for a code.
#[derive(Debug)]
pub(super) enum Refused {
    /// There is no such code, or it was another terminal's, or it is past its time.
    Grant,
    /// It was spent before, on this session, and somebody knows all that it takes to spend it.
    Again(String),
    /// The service did not do it.
    Service(reqwest::Error),
}

/// Hands out codes and takes them back.
#[derive(Debug)]
pub(super) struct Terminals {
    http: Client,
    service: Service,
    codes: Mutex<Codes>,
}

type Hash = [u8; 32];

/// Codes by their hash: whoever reads this memory has none.
#[derive(Debug, Default)]
struct Codes(HashMap<Hash, (Code, Instant)>);

#[derive(Debug)]
enum Code {
    Waiting(Consent),
    /// Exchanged; for which session is known once the service has answered.
    Spent {
        challenge: String,
        session: Option<String>,
    },
}

impl Terminals {
    pub(super) fn new(service: Service) -> Result<Self, Failure> {
        let http = Client::builder().no_proxy().timeout(PATIENCE).build();
        let http = http.map_err(|error| Failure::because("cannot start", &error))?;
        Ok(Self { http, service, codes: Mutex::default() })
    }

    /// A code for what somebody said yes to; none if too many wait, or there is no randomness.
    pub(super) fn code(&self, consent: Consent) -> Option<String> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).ok()?;
        let code = BASE64_URL_SAFE_NO_PAD.encode(bytes);
        self.codes().put(hash(&code), Code::Waiting(consent), Instant::now()).then_some(code)
    }

    /// Exchanges a code for a session.
    pub(super) async fn exchange(
        &self,
        code: &str,
        verifier: &str,
        redirect_uri: &str,
        user_agent: Option<String>,
    ) -> Result<Granted, Refused> {
        let consent = self.codes().spend(code, verifier, redirect_uri, Instant::now())?;
        let answer = self.begin(&consent, user_agent).await.map_err(Refused::Service)?;
        self.codes().remember(code, &answer.session.id);
        Ok(Granted { service: self.service.url.clone(), answer })
    }

    /// Begins the session. It has no role: a terminal is not to work in the stock room.
    async fn begin(
        &self,
        consent: &Consent,
        user_agent: Option<String>,
    ) -> reqwest::Result<TokenAnswer> {
        let account = consent.account;
        let asked = BeginRequest {
            subject: account.name.into(),
            kind: None,
            name: Some(account.full_name.into()),
            email: Some(account.email.into()),
            phone: None,
            roles: None,
            claims: None,
            amr: Some(vec!["pwd".into()]),
            remember: None,
            transport: None,
            audience: None,
            data: None,
            upgrade_from: None,
            lifetime: None,
            client: Holder {
                user_agent,
                device_info: Some(format!("Terminal on {}", consent.device)),
                ..Holder::default()
            },
        };
        let to = format!("{}{}", self.service.url, paths::SESSIONS);
        let request = self.http.post(to).bearer_auth(self.service.key.expose()).json(&asked);
        request.send().await?.error_for_status()?.json().await
    }

    fn codes(&self) -> MutexGuard<'_, Codes> {
        self.codes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(code: &str) -> Hash {
    Sha256::digest(code.as_bytes()).into()
}

impl Codes {
    fn put(&mut self, hash: Hash, code: Code, now: Instant) -> bool {
        self.0.retain(|_, (_, until)| *until > now);
        let has_room = self.0.len() < MOST;
        if has_room {
            self.0.insert(hash, (code, now + LIFE));
        }
        has_room
    }

    /// Takes a code out. One that is tried with the wrong proof is spent too: whoever has it has it
    /// from somewhere.
    fn spend(
        &mut self,
        code: &str,
        verifier: &str,
        redirect_uri: &str,
        now: Instant,
    ) -> Result<Consent, Refused> {
        let hash = hash(code);
        let (found, until) = self.0.remove(&hash).ok_or(Refused::Grant)?;
        let challenge = proof::challenge(verifier);
        match found {
            Code::Waiting(consent) => {
                let spent = Code::Spent { challenge: consent.challenge.clone(), session: None };
                self.0.insert(hash, (spent, until));
                let fits = consent.challenge == challenge && consent.redirect_uri == redirect_uri;
                if fits && until > now { Ok(consent) } else { Err(Refused::Grant) }
            }
            Code::Spent { challenge: spent, session } => {
                let again = session.clone().filter(|_| spent == challenge);
                self.0.insert(hash, (Code::Spent { challenge: spent, session }, until));
                Err(again.map_or(Refused::Grant, Refused::Again))
            }
        }
    }

    /// Which session a code was spent on.
    fn remember(&mut self, code: &str, id: &str) {
        if let Some((Code::Spent { session, .. }, _)) = self.0.get_mut(&hash(code)) {
            *session = Some(id.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::accounts::ACCOUNTS;

    const BACK: &str = "http://127.0.0.1:1234/signed-in";

    fn codes(now: Instant) -> Codes {
        let consent = Consent {
            account: &ACCOUNTS[0],
            device: "kiosk".into(),
            redirect_uri: BACK.into(),
            challenge: proof::challenge("verifier"),
        };
        let mut codes = Codes::default();
        assert!(codes.put(hash("code"), Code::Waiting(consent), now));
        codes
    }

    #[test]
    fn a_code_is_good_once_and_its_second_coming_names_the_session() {
        let now = Instant::now();
        let mut codes = codes(now);
        assert!(codes.spend("code", "verifier", BACK, now).is_ok());
        let mut again = |verifier| codes.spend("code", verifier, BACK, now);
        assert!(matches!(again("verifier"), Err(Refused::Grant)), "not known yet");
        codes.remember("code", "session");
        let mut again = |verifier| codes.spend("code", verifier, BACK, now);
        assert!(matches!(again("another"), Err(Refused::Grant)));
        assert!(matches!(again("verifier"), Err(Refused::Again(id)) if id == "session"));
    }

    #[test]
    fn a_code_of_another_terminal_is_spent_and_worth_nothing() {
        let now = Instant::now();
        for (verifier, back) in [("another", BACK), ("verifier", "http://127.0.0.1:9/signed-in")] {
            let mut codes = codes(now);
            assert!(matches!(codes.spend("code", verifier, back, now), Err(Refused::Grant)));
            assert!(matches!(codes.spend("code", "verifier", BACK, now), Err(Refused::Grant)));
        }
    }

    #[test]
    fn a_code_is_good_for_a_minute_and_only_so_many_wait() {
        let now = Instant::now();
        let late = codes(now).spend("code", "verifier", BACK, now + LIFE);
        assert!(matches!(late, Err(Refused::Grant)));
        let mut codes = codes(now);
        let spent = || Code::Spent { challenge: String::new(), session: None };
        let put = |codes: &mut Codes, count: usize, now| {
            codes.put(hash(&count.to_string()), spent(), now)
        };
        assert!((1..MOST).all(|count| put(&mut codes, count, now)));
        assert!(!put(&mut codes, MOST, now));
        assert!(put(&mut codes, MOST, now + LIFE));
    }
}
