//! The audit log is read forward, to be copied elsewhere.

use std::collections::BTreeMap;

use super::SessionManager;
use crate::error::SessionError;
use crate::event::Event;

/// How many batches are read at a time.
const STEP: usize = 100;

/// A piece of the audit log.
#[derive(Clone, PartialEq, Debug)]
pub struct Exported {
    /// The events, those of one chain after those of another, each chain in its order.
    pub events: Vec<Event>,
    /// Where the next piece begins: also for who comes back later, for what was added meanwhile.
    pub next: String,
    /// Whether there is more already.
    pub has_more: bool,
}

impl SessionManager {
    /// The events of all chains after `cursor`, the `next` of the piece before and empty for the
    /// first, oldest first. About `limit` events, whole batches of them: what was committed
    /// together is told together. What was cut off is passed over.
    ///
    /// # Errors
    /// [`SessionError::Refused`] for a cursor that is none; [`SessionError::Unavailable`] when the
    /// store is out of reach.
    pub async fn export(&self, cursor: &str, limit: usize) -> Result<Exported, SessionError> {
        let refused = || SessionError::Refused("not a cursor of an export".into());
        let mut places = read(cursor).ok_or_else(refused)?;
        let mut events = Vec::new();
        for writer in self.engine.store.writers().await? {
            let place = places.entry(writer).or_default();
            loop {
                let batches = self.engine.store.sealed(writer, *place, STEP).await?;
                let is_last = batches.len() < STEP;
                for batch in batches {
                    if events.len() >= limit.max(1) {
                        return Ok(Exported { events, next: write(&places), has_more: true });
                    }
                    *place = batch.number;
                    events.extend(batch.events);
                }
                if is_last {
                    break;
                }
            }
        }
        Ok(Exported { events, next: write(&places), has_more: false })
    }
}

/// Where the reading of each chain is: after which batch.
type Places = BTreeMap<u32, u64>;

/// As `writer.batch`, one after another.
fn write(places: &Places) -> String {
    let places: Vec<_> = places.iter().map(|(writer, batch)| format!("{writer}.{batch}")).collect();
    places.join("-")
}

fn read(cursor: &str) -> Option<Places> {
    if cursor.is_empty() {
        return Some(Places::new());
    }
    let place = |text: &str| {
        let (writer, batch) = text.split_once('.')?;
        Some((writer.parse().ok()?, batch.parse().ok()?))
    };
    cursor.split('-').map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_other_text_is_none() {
        let places = Places::from([(1, 5), (12, u64::MAX)]);
        assert_eq!(read(&write(&places)), Some(places));
        assert_eq!(read(""), Some(Places::new()));
        for bad in ["1", "1.", "1.2-", "a.b", "1.2.3", "-1.2"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
