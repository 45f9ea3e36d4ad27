//! The seat of a process among the writers: its own chain and its own change log.
//!
//! A process holds a row of `writers` by a random name and says every few seconds that it lives.
//! Every commit compares the name, so that two never write one chain, whatever their clocks say: who
//! was thought dead and has lost its seat takes another. No session state of the server is needed,
//! so this holds through a pooler, too.

use handstamp_core::chain::Link as ChainLink;
use handstamp_core::random::{SystemRng, random};
use sqlx::postgres::PgRow;

use crate::fault::Fault;
use crate::link::{Link, With};
use crate::rows::Columns;

/// Seconds after which a process that says nothing is thought dead.
pub(crate) const LEASE: u64 = 60;

/// The lowest seat that nobody holds. Who is just being looked at by somebody else is passed over.
const FREE: &str = "SELECT writer FROM handstamp.writers
    WHERE holder IS NULL OR seen_at < clock_timestamp() - make_interval(secs => $1)
    ORDER BY writer LIMIT 1 FOR UPDATE SKIP LOCKED";

const TAKE: &str = "UPDATE handstamp.writers SET holder = $2, seen_at = clock_timestamp()
    WHERE writer = $1";

const ADD: &str = "INSERT INTO handstamp.writers (writer, holder, link, until_at)
    SELECT coalesce(max(writer), 0) + 1, $1, $2, $3 FROM handstamp.writers RETURNING writer";

const TIP: &str = "SELECT commits, batch, event, link, until_at, change FROM handstamp.writers
    WHERE writer = $1 AND holder = $2 FOR UPDATE";

/// A commit whose answer is lost either has counted, or does not count any more after this.
const FENCE: &str = "UPDATE handstamp.writers SET commits = commits + 2
    WHERE writer = $1 AND holder = $2 AND commits = $3";

/// The same whatever was under way: where nobody knows what was.
const SETTLE: &str = "UPDATE handstamp.writers SET commits = commits + 2
    WHERE writer = $1 AND holder = $2
    RETURNING commits, batch, event, link, until_at, change";

const LIVE: &str = "UPDATE handstamp.writers SET seen_at = clock_timestamp()
    WHERE writer = $1 AND holder = $2";

const LEAVE: &str = "UPDATE handstamp.writers SET holder = NULL
    WHERE writer = $1 AND holder = $2";

/// Whose chain a process writes, and the name by which it holds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seat {
    /// The writer.
    pub(crate) writer: u32,
    /// The name.
    pub(crate) holder: [u8; 16],
}

/// Where a writer stands after its last commit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tip {
    /// How often it committed.
    pub(crate) commits: i64,
    /// The last batch of its chain.
    pub(crate) batch: i64,
    /// The last event of its chain.
    pub(crate) event: i64,
    /// The link of that batch.
    pub(crate) link: ChainLink,
    /// When all events of the chain had happened.
    pub(crate) until: i64,
    /// The last line of its change log.
    pub(crate) change: i64,
}

impl Seat {
    /// Takes a seat that is free, or a new one.
    pub(crate) async fn take(link: &Link) -> Result<Self, Fault> {
        let holder = random(&SystemRng)
            .map_err(|error| Fault::Sql(sqlx::Error::Io(std::io::Error::other(error))))?;
        for _ in 0..MOST_TRIES {
            match Self::try_take(link, holder).await {
                // Another took the same number.
                Err(fault) if fault.is_race() => {}
                other => return other,
            }
        }
        Err(Fault::Raced)
    }

    async fn try_take(link: &Link, holder: [u8; 16]) -> Result<Self, Fault> {
        // Who leaves the store, or fills it, waits for this, or this for them.
        let mut transaction = link.begin(With::Served).await?;
        let free = sqlx::query(FREE).bind(f64::from(u32::try_from(LEASE).unwrap_or(u32::MAX)));
        let writer = match transaction.rows(free).await?.first() {
            Some(row) => {
                let writer = Columns::of(row).writer()?;
                let take = sqlx::query(TAKE).bind(i64::from(writer)).bind(holder);
                transaction.run(take).await?;
                writer
            }
            None => {
                let start = ChainLink::START.0;
                let add = sqlx::query(ADD).bind(holder).bind(start).bind(i64::MIN);
                let rows = transaction.rows(add).await?;
                Columns::of(rows.first().ok_or(Fault::Stored("writer"))?).writer()?
            }
        };
        transaction.commit().await?;
        Ok(Self { writer, holder })
    }

    /// Where the writer stands once whatever of its own is still under way has counted or does not
    /// count any more; `None` when the seat is another's by now.
    pub(crate) async fn settle(self, link: &Link) -> Result<Option<Tip>, Fault> {
        let mut transaction = link.begin(With::Anybody).await?;
        let settle = sqlx::query(SETTLE).bind(i64::from(self.writer)).bind(self.holder);
        let tip = transaction.rows(settle).await?.first().map(read_tip).transpose()?;
        transaction.commit().await?;
        Ok(tip)
    }

    /// How often its holder has committed, once no commit after `tip` can come about any more: one more
    /// than there if it has, two if it has not. `None` when the seat is another's by now.
    pub(crate) async fn fence(self, link: &Link, tip: Tip) -> Result<Option<i64>, Fault> {
        let mut transaction = link.begin(With::Anybody).await?;
        let fence = sqlx::query(FENCE).bind(i64::from(self.writer)).bind(self.holder);
        transaction.run(fence.bind(tip.commits)).await?;
        let tip = sqlx::query(TIP).bind(i64::from(self.writer)).bind(self.holder);
        let now = transaction.rows(tip).await?.first().map(read_tip).transpose()?;
        transaction.commit().await?;
        Ok(now.map(|now| now.commits))
    }

    /// Says that its holder lives.
    pub(crate) async fn live(self, link: &Link) -> Result<(), Fault> {
        let (writer, holder) = (i64::from(self.writer), self.holder);
        link.rows(|| sqlx::query(LIVE).bind(writer).bind(holder)).await?;
        Ok(())
    }

    /// Leaves it to the next.
    pub(crate) async fn leave(self, link: &Link) -> Result<(), Fault> {
        let (writer, holder) = (i64::from(self.writer), self.holder);
        link.rows(|| sqlx::query(LEAVE).bind(writer).bind(holder)).await?;
        Ok(())
    }
}

/// So often is tried again what others were faster at.
pub(crate) const MOST_TRIES: u32 = 16;

fn read_tip(row: &PgRow) -> Result<Tip, Fault> {
    let mut columns = Columns::of(row);
    Ok(Tip {
        commits: columns.next("commits")?,
        batch: columns.next("batch")?,
        event: columns.next("event")?,
        link: ChainLink(columns.bytes("link")?),
        until: columns.next("until_at")?,
        change: columns.next("change")?,
    })
}
