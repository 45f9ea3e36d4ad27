//! Judging a sign-in before its session begins, so that what is found is committed with it.

use handstamp_core::event::{self, Event};
use handstamp_core::id::Subject;
use handstamp_core::record::{Client, Kind, Record};
use handstamp_core::sign_in::SignIn;
use handstamp_core::time::Timestamp;
use handstamp_core::{SessionError, SessionManager};

use super::history::Past;
use super::stop::Stop;
use super::tell::{During, Scene};
use super::{Attempt, BeginSignal, Device, Risk, Verdict, rules, source_of};

/// What the rules say of a sign-in whose session has not begun. The default is that of somebody
/// whom nobody judges.
#[derive(Clone, PartialEq, Debug, Default)]
#[must_use = "nothing is told or done of it until the session begins"]
pub struct Foreseen {
    verdict: Verdict,
    events: Vec<Event>,
    stop: Option<Stop>,
}

impl Foreseen {
    /// The same sign-in, whose session tells what was found when it begins, and begins set aside
    /// where a rule stops it: there is no moment in between for anybody to cut off.
    pub fn told_by(&self, sign_in: SignIn) -> SignIn {
        let sign_in = sign_in.telling(self.events.clone());
        self.stop.iter().fold(sign_in, |sign_in, stop| stop.before(sign_in))
    }
}

impl Risk {
    /// Judges somebody who is to sign in. Guests are not judged: nobody claims to be anybody.
    ///
    /// Begin the session with what it answers [told](Foreseen::told_by), then call
    /// [`begun`](Self::begun). Of two sign-ins at once neither is known to the other: both are told
    /// as new where one of them would be.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] when the store is out of reach. **Begin no session then**: it is
    /// not known whether a rule would have stopped it.
    pub async fn foresee(
        &self,
        sessions: &SessionManager,
        sign_in: &SignIn,
    ) -> Result<Foreseen, SessionError> {
        let nowhere = Client::default();
        let (subject, client) = match sign_in.parts() {
            (subject, Kind::User, client) => (subject, client.unwrap_or(&nowhere)),
            _ => return Ok(Foreseen::default()),
        };
        let at = sessions.now();
        let place = client.ip.and_then(|ip| self.geo.place(ip));
        let signal = BeginSignal {
            at,
            device: Device::of(client),
            source: client.ip.map(source_of),
            place: place.as_ref(),
            tally: self.recent.began(&attempt(subject, client, at)),
        };
        let past = Past { sessions, geo: &self.geo, since: at.minus(self.config.remember) };
        let history = past.of(subject, &signal).await?;
        let findings = rules::on_begin(&signal, &history, &self.config);
        let scene = Scene {
            sessions,
            during: During::SignIn,
            subject: Some(subject),
            // It has none yet: the engine puts it in.
            session: None,
            client,
        };
        let is_new = signal.device.is_known() && !history.knows_device(signal.device);
        let device = is_new.then(|| scene.event(event::Action::DeviceNew)).transpose()?;
        let events = device.into_iter().chain(self.events(&scene, &findings)?).collect();
        let verdict = self.verdict(findings);
        let stop = self.stop(&verdict);
        Ok(Foreseen { verdict, events, stop })
    }

    /// Notes a session that has begun, before any token of it is handed out. One that a rule stops
    /// is set aside already; this ends it where that is what the rule says.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`] or [`SessionError::Unknown`] when the store is out of reach.
    /// **Hand out no token then.**
    pub async fn begun(
        &self,
        sessions: &SessionManager,
        foreseen: Foreseen,
        record: &Record,
    ) -> Result<Verdict, SessionError> {
        let Foreseen { verdict, stop, .. } = foreseen;
        if let Some(stop) = stop {
            stop.end(sessions, record.id).await?;
        }
        let is_trusted = record.kind == Kind::User && !verdict.action.stops();
        if let Some(subject) = record.subject.as_ref().filter(|_| is_trusted) {
            self.recent.trust(&attempt(subject, &record.client, record.created_at));
        }
        Ok(verdict)
    }
}

fn attempt<'a>(subject: &'a Subject, client: &Client, at: Timestamp) -> Attempt<'a> {
    Attempt { subject: Some(subject), name: None, address: client.ip, at }
}
