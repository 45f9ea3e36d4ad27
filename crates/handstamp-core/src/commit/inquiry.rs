//! What became of a batch whose answer was lost: found out by what the store holds now.
//!
//! What is there was applied. What is not there yet may still come: from a server that has it and
//! stalls, or after a restart from a log that was written and not synced. A store that knows better
//! says so itself ([`StoreError::Unavailable`]), so here the answer is then that nobody can tell.

use std::time::Duration;

use super::Parts;
use crate::head::Head;
use crate::id::{ChangeId, SessionId, Subject};
use crate::store::{
    Applied, Found, Group, HeadChange, HeadTarget, LoadAnswer, Outcome, StoreError,
};
use crate::time::Timestamp;

/// How often the store is asked, and how long to wait between.
const INQUIRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(100);

/// What came of a group.
pub(super) enum Came {
    Of(Outcome),
    /// Nothing was changed, nor will be: the store says so.
    Failed(String),
    /// Nobody can tell.
    Lost(String),
}

/// Finds out which groups were applied; of the others nobody can tell. Where the store cannot be asked
/// either, nothing cached is trusted any more.
pub(super) async fn inquire(parts: &Parts, groups: &[Group], cause: &str) -> Vec<Came> {
    for _ in 0..INQUIRIES {
        if let Ok(now) = look(parts, groups).await {
            let came = groups.iter().enumerate().map(|(place, group)| now.applied(place, group));
            return came.map(|applied| came_of(applied, cause)).collect();
        }
        tokio::time::sleep(PAUSE).await;
    }
    parts.cache.forget_all();
    groups.iter().map(|_| came_of(None, cause)).collect()
}

fn came_of(applied: Option<Applied>, cause: &str) -> Came {
    applied.map_or_else(|| Came::Lost(cause.to_owned()), |it| Came::Of(Outcome::Applied(it)))
}

/// What the store holds under the records and heads of a batch, place by place.
struct Now {
    found: Vec<Option<Found>>,
    heads: Vec<Option<Head>>,
    deployment: u64,
}

async fn look(parts: &Parts, groups: &[Group]) -> Result<Now, StoreError> {
    let ids: Vec<Option<SessionId>> =
        groups.iter().map(|group| group.record.as_ref().map(|change| change.record().id)).collect();
    let subjects: Vec<Option<Subject>> =
        groups.iter().map(|group| subject(group).cloned()).collect();
    let flat: Vec<SessionId> = ids.iter().flatten().copied().collect();
    let LoadAnswer { found, deployment } = parts.store.load(&flat).await?;
    let flat: Vec<Subject> = subjects.iter().flatten().cloned().collect();
    let heads = parts.store.heads(&flat).await?;
    heads.iter().for_each(|head| parts.cache.put_head(head));
    parts.cache.put_deployment(deployment);
    let (mut found, mut heads) = (found.into_iter(), heads.into_iter());
    Ok(Now {
        found: ids.iter().map(|id| id.and_then(|_| found.next())).collect(),
        heads: subjects.iter().map(|s| s.as_ref().and_then(|_| heads.next())).collect(),
        deployment: deployment.epoch,
    })
}

fn subject(group: &Group) -> Option<&Subject> {
    match &group.head.as_ref()?.target {
        HeadTarget::Subject(subject) => Some(subject),
        HeadTarget::Deployment => None,
    }
}

impl Now {
    /// What the group at `place` has come to, where it shows that it was applied.
    fn applied(&self, place: usize, group: &Group) -> Option<Applied> {
        match (&group.record, &group.head) {
            (Some(_), _) => applied_record(group.change_id, self.found[place].as_ref()?),
            (None, Some(change)) => self.applied_head(change, self.heads[place].as_ref()?),
            (None, None) => None,
        }
    }

    fn applied_head(&self, change: &HeadChange, head: &Head) -> Option<Applied> {
        let is_shown =
            change.bump_epoch.as_ref().is_none_or(|why| head.moved.as_ref() == Some(why))
                && change.disabled.is_none_or(|flag| head.is_disabled == flag)
                && change.roles.as_ref().is_none_or(|roles| head.roles == *roles);
        is_shown.then(|| Applied {
            version: 0,
            epoch: head.epoch,
            deployment_epoch: self.deployment,
            last_seen: Timestamp::default(),
            head: Some(head.clone()),
        })
    }
}

/// A record tells by its change id whether it is what the group made of it.
fn applied_record(change: ChangeId, found: &Found) -> Option<Applied> {
    let Found::Record(found) = found else { return None };
    let record = &found.record;
    (record.change_id == change).then(|| Applied {
        version: record.version,
        epoch: record.epoch,
        deployment_epoch: record.deployment_epoch,
        last_seen: record.last_seen,
        head: found.head.clone(),
    })
}
