//! `handstamp keys retire`.

use std::time::Duration;

use handstamp_core::key::{KeyInfo, KeyRing, KeyState};
use handstamp_core::time::{Clock, SystemClock, Timestamp};
use handstamp_server::settings::Settings;
use serde_json::json;

use super::list::{point, words};
use crate::failure::{Exit, Failure};
use crate::output;
use crate::settings::{self, Source};

/// Which key.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// The key's id, as handstamp keys list shows it
    #[arg(value_parser = clap::value_parser!(u8).range(1..))]
    id: u8,

    /// It leaked: refuse at once what it made, and sign out whoever holds that
    #[arg(long)]
    compromised: bool,

    #[command(flatten)]
    source: Source,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let settings = super::load(&options.source)?;
    let ring = super::open_to_change(&settings.keys)?;
    if !options.compromised {
        let now = SystemClock::new().now();
        spare(&ring.infos(), options.id, longest(&settings), now)?;
    }
    retire(&ring, options.id)?;
    let active = ring.active_id();
    if options.json {
        return output::json(&json!({ "retired": options.id, "active": active }));
    }
    output::line(&format!("key {} is retired; key {active} makes new tokens", options.id))
}

fn retire(ring: &KeyRing, id: u8) -> Result<(), Failure> {
    if ring.find_for_audit(id).is_none() {
        let line = format!("there is no key {id}; handstamp keys list shows which there are");
        return Err(Failure::new(line).with(Exit::NotFound));
    }
    ring.retire(id).map_err(|error| settings::no_ring(&error))
}

/// The longest that any session lives.
fn longest(settings: &Settings) -> Duration {
    let (sessions, guests) = (&settings.sessions, &settings.guests);
    sessions.absolute.max(sessions.remember_absolute).max(guests.absolute)
}

/// Refuses to retire a key of which a session may still hold a token.
fn spare(infos: &[KeyInfo], id: u8, longest: Duration, now: Timestamp) -> Result<(), Failure> {
    let Some(index) = infos.iter().position(|info| info.id == id) else { return Ok(()) };
    let why = match infos[index].state {
        KeyState::Retired => return Ok(()),
        KeyState::Active => "it makes new tokens; rotate first".to_owned(),
        KeyState::Older => match infos.get(index + 1).and_then(|next| next.made_at) {
            None => "it is not noted until when it made tokens".into(),
            Some(until) if until.plus(longest) <= now => return Ok(()),
            Some(until) => {
                let (ago, end) = (words(now.since(until)), point(until.plus(longest)));
                let lives = words(longest);
                format!(
                    "it made tokens until {ago} ago, and a session lives up to {lives}: wait until {end}"
                )
            }
        },
    };
    let line = format!(
        "key {id} cannot be retired: {why}; or say --compromised, which signs its holders out"
    );
    Err(Failure::new(line).with(Exit::Refused))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn refused(id: u8, now: Timestamp) -> bool {
        let at = |days| Some(Timestamp::default().plus(DAY * days));
        let infos = [
            KeyInfo { id: 1, state: KeyState::Retired, made_at: at(0) },
            KeyInfo { id: 2, state: KeyState::Older, made_at: at(1) },
            KeyInfo { id: 3, state: KeyState::Older, made_at: None },
            KeyInfo { id: 4, state: KeyState::Older, made_at: at(10) },
            KeyInfo { id: 5, state: KeyState::Active, made_at: at(20) },
        ];
        spare(&infos, id, DAY * 30, now).is_err()
    }

    #[test]
    fn a_key_is_spared_while_a_session_may_hold_its_token() {
        let day = |days| Timestamp::default().plus(DAY * days);
        assert!(!refused(1, day(20)), "retired already");
        assert!(refused(2, day(1000)), "nobody knows until when it made tokens");
        assert!(refused(3, day(39)) && !refused(3, day(40)));
        assert!(refused(4, day(49)) && !refused(4, day(50)));
        assert!(refused(5, day(1000)), "active");
    }
}
