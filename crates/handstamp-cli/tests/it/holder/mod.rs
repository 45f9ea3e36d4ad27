//! The commands of whoever is signed in, against a service that runs.

mod accounts;
mod browser;
mod files;
mod kept;
mod keyring;
mod secrets;
mod sessions;

use handstamp_client::SessionManager;
use handstamp_client::storage::{Protection, SealedFile, SealingKey};
use handstamp_protocol::Time;
use serde_json::Value as Json;

use crate::world::{Ran, Served, World};

/// 32 bytes of zeros: what sessions are sealed with where nothing else is said.
pub(super) const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A service, and a machine that seals with a key from its environment.
pub(super) struct Here {
    pub(super) served: Served,
    pub(super) world: World,
    key: String,
}

impl Here {
    pub(super) fn new() -> Self {
        Self::of(World::new().with("HANDSTAMP_HOLDER_KEY", KEY))
    }

    /// The same on a machine with another environment.
    pub(super) fn of(world: World) -> Self {
        Self::at(world, "127.0.0.1:0")
    }

    /// The same at an address of its own.
    pub(super) fn at(world: World, address: &str) -> Self {
        let make = ["service-key", "create", "--name", "web", "--scope", "begin", "--json"];
        let made: Json = serde_json::from_str(&world.run(&make).out()).unwrap();
        let served = world.start(&["serve", "--listen", address]);
        Self { served, world, key: made["key"].as_str().unwrap().to_owned() }
    }

    /// What the service answers to a sign-in of somebody.
    pub(super) fn sign_in(&self, subject: &str) -> Json {
        self.served.begin(&self.key, subject)
    }

    /// Signs somebody in on this machine; answers with what.
    #[track_caller]
    pub(super) fn login(&self, subject: &str, flags: &[&str]) -> Json {
        let answer = self.sign_in(subject);
        self.paste(refresh_token(&answer), flags).out();
        answer
    }

    pub(super) fn paste(&self, token: &str, flags: &[&str]) -> Ran {
        let login = ["login", "--with-token", "--service", &self.served.url];
        self.world.feed(&[&login[..], flags].concat(), token)
    }

    /// Lets the access token of the account `default` be over, as if this machine had slept.
    pub(super) fn age(&self) {
        let path = self.world.path(".local/share/handstamp/accounts/default.session");
        let key = SealingKey::from_text(KEY).unwrap();
        let file = SealedFile::new(path, Protection::Key(key));
        let file = file.for_account(&format!("default {}", self.served.url));
        let manager = SessionManager::builder().storage(file).build();
        let aged = manager.update(|session| session.tokens.expires_at = Some(Time::default()));
        tokio::runtime::Runtime::new().unwrap().block_on(aged).unwrap();
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Ran {
        self.world.run(arguments)
    }
}

pub(super) fn refresh_token(answer: &Json) -> &str {
    answer["refresh_token"].as_str().unwrap()
}

pub(super) fn session_id(answer: &Json) -> &str {
    answer["session"]["id"].as_str().unwrap()
}
