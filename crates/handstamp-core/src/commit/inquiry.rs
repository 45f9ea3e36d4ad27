//! What became of a batch whose answer was lost: found out by what the store holds now.

use std::time::Duration;

use super::Parts;
use crate::head::Head;
use crate::id::{SessionId, Subject};
use crate::store::{
    Applied, Found, Group, HeadChange, HeadTarget, LoadAnswer, Outcome, RecordChange, StoreError,
};
use crate::time::Timestamp;

/// How often the store is asked, and how long to wait between.
const INQUIRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(100);

/// What came of a group.
pub(super) enum Came {
    Of(Outcome),
    /// Nothing was changed.
    Failed(String),
    /// Nobody can tell.
    Lost(String),
}

/// Finds out which groups were applied. Where that fails, nothing cached is trusted any more.
pub(super) async fn inquire(parts: &Parts, groups: &[Group], cause: &str) -> Vec<Came> {
    for _ in 0..INQUIRIES {
        if let Ok(now) = look(parts, groups).await {
            return groups
                .iter()
                .enumerate()
                .map(|(n, group)| now.judge(n, group, cause))
                .collect();
        }
        tokio::time::sleep(PAUSE).await;
    }
    parts.cache.forget_all();
    groups.iter().map(|_| Came::Lost(cause.to_owned())).collect()
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
    fn judge(&self, place: usize, group: &Group, cause: &str) -> Came {
        match (&group.record, &group.head) {
            (Some(change), _) => judge_record(group, change, self.found[place].as_ref(), cause),
            (None, Some(change)) => self.judge_head(change, self.heads[place].as_ref(), cause),
            (None, None) => Came::Lost(cause.to_owned()),
        }
    }

    fn judge_head(&self, change: &HeadChange, head: Option<&Head>, cause: &str) -> Came {
        let Some(head) = head else { return Came::Lost(cause.to_owned()) };
        let is_shown =
            change.bump_epoch.as_ref().is_none_or(|why| head.moved.as_ref() == Some(why))
                && change.disabled.is_none_or(|flag| head.is_disabled == flag)
                && change.roles.as_ref().is_none_or(|roles| head.roles == *roles);
        if !is_shown {
            return Came::Failed(cause.to_owned());
        }
        Came::Of(Outcome::Applied(Applied {
            version: 0,
            epoch: head.epoch,
            deployment_epoch: self.deployment,
            last_seen: Timestamp::default(),
            head: Some(head.clone()),
        }))
    }
}

/// A record tells by its change id whether it is what the group made of it.
fn judge_record(group: &Group, change: &RecordChange, found: Option<&Found>, cause: &str) -> Came {
    let before = match change {
        RecordChange::Insert { .. } => 0,
        RecordChange::Replace { expected, .. } => *expected,
    };
    match found {
        Some(Found::Record(found)) if found.record.change_id == group.change_id => {
            Came::Of(Outcome::Applied(Applied {
                version: found.record.version,
                epoch: found.record.epoch,
                deployment_epoch: found.record.deployment_epoch,
                last_seen: found.record.last_seen,
                head: found.head.clone(),
            }))
        }
        Some(Found::Record(found)) if found.record.version == before => {
            Came::Failed(cause.to_owned())
        }
        Some(Found::Missing) if before == 0 => Came::Failed(cause.to_owned()),
        _ => Came::Lost(cause.to_owned()),
    }
}
