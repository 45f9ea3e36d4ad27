//! Everything that a database holds, to be taken to another store or from one.

mod basis;
mod log;
mod rows;
pub(crate) mod standing;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use handstamp_core::store::StoreError;
use handstamp_core::transfer::{
    Basis, Chain, Portable, Range, Row, Standing, Stretch, Table, TransferError, Transferred,
};

use crate::error::PostgresError;
use crate::fault::Fault;
use crate::link::{Link, Transaction, With};
use crate::{Builder, schema};

/// A page is read and written in one statement, and nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// One reads while another writes.
const CONNECTIONS: u32 = 2;

/// What a database holds, as another store can take it. It serves nobody, and takes no place among
/// the writers.
#[derive(Clone, Debug)]
pub struct PostgresContent {
    link: Link,
    /// By which writing of the mark this run may fill the store.
    run: Arc<AtomicI64>,
}

impl PostgresContent {
    /// Looks at the database at `url`, from which others may be serving.
    ///
    /// # Errors
    /// [`PostgresError`], whose variants say what to do.
    pub async fn look(url: &str) -> Result<Self, PostgresError> {
        let link = Self::link(url).await?;
        match schema::found(&link).await? {
            schema::NEWEST => Ok(Self { link, run: Arc::default() }),
            found => Err(PostgresError::OlderSchema { found, known: schema::NEWEST }),
        }
    }

    /// The database at `url`, to be filled; makes its schema where that is missing.
    ///
    /// # Errors
    /// [`PostgresError`], whose variants say what to do.
    pub async fn fill(url: &str) -> Result<Self, PostgresError> {
        let link = Self::link(url).await?;
        schema::migrate(&link).await?;
        if let Err(fault) = schema::make_partitions(&link).await {
            tracing::warn!(%fault, "the months ahead have no partitions; their events lie elsewhere");
        }
        Ok(Self { link, run: Arc::default() })
    }

    async fn link(url: &str) -> Result<Link, PostgresError> {
        let builder = Builder::of_url(url).patience(PATIENCE).connections(CONNECTIONS);
        Ok(builder.link().await?.0)
    }

    /// Begins to write, while the store stands as `as_it_must`.
    async fn begin_as(
        &self,
        with: With,
        as_it_must: fn(Standing) -> Result<(), TransferError>,
    ) -> Result<Transaction, TransferError> {
        let mut change = self.link.begin(with).await.map_err(unavailable)?;
        as_it_must(standing::hold(&mut change).await.map_err(unavailable)?.0)?;
        Ok(change)
    }

    /// Begins to write to the copy, unless another run has taken it over.
    async fn begin_filling(&self) -> Result<Transaction, TransferError> {
        let mut change = self.link.begin(With::Anybody).await.map_err(unavailable)?;
        let (standing, run) = standing::hold(&mut change).await.map_err(unavailable)?;
        let is_ours = run == self.run.load(Ordering::SeqCst);
        if matches!(standing, Standing::Filling(_)) && is_ours {
            Ok(change)
        } else {
            Err(TransferError::NotFilling)
        }
    }

    /// Marks the store as the copy of this number, which only this run fills from here on.
    async fn mark_filling(&self, mut change: Transaction, copy: u128) -> Result<(), TransferError> {
        let run =
            standing::mark(&mut change, Standing::Filling(copy)).await.map_err(unavailable)?;
        commit(change).await?;
        self.run.store(run, Ordering::SeqCst);
        Ok(())
    }
}

fn unavailable(fault: Fault) -> TransferError {
    match fault.not_permitted() {
        Some(said) => TransferError::NotPermitted(said),
        None => StoreError::from(fault).into(),
    }
}

async fn commit(change: Transaction) -> Result<(), TransferError> {
    change.commit().await.map_err(|fault| StoreError::unknown(fault).into())
}

impl Portable for PostgresContent {
    fn standing(&self) -> Transferred<'_, Standing> {
        Box::pin(async { standing::read(&self.link).await.map_err(unavailable) })
    }

    fn basis(&self) -> Transferred<'_, Basis> {
        Box::pin(async { basis::read(&self.link).await.map_err(unavailable) })
    }

    fn chains(&self) -> Transferred<'_, Vec<Chain>> {
        Box::pin(async { basis::chains(&self.link).await.map_err(unavailable) })
    }

    fn rows<'a>(&'a self, table: &'static Table, range: &'a Range) -> Transferred<'a, Vec<Row>> {
        Box::pin(async move { rows::list(&self.link, table, range).await.map_err(unavailable) })
    }

    fn log(&self, writer: u32, after: u64, limit: usize) -> Transferred<'_, Vec<Stretch>> {
        Box::pin(
            async move { log::list(&self.link, writer, after, limit).await.map_err(unavailable) },
        )
    }

    fn begin<'a>(&'a self, basis: &'a Basis, copy: u128) -> Transferred<'a, ()> {
        let is_empty = |standing| match standing {
            Standing::Empty => Ok(()),
            _ => Err(TransferError::NotEmpty),
        };
        Box::pin(async move {
            let mut change = self.begin_as(With::Nobody, is_empty).await?;
            basis::found(&mut change, basis).await.map_err(unavailable)?;
            self.mark_filling(change, copy).await
        })
    }

    fn take_over(&self, copy: u128) -> Transferred<'_, ()> {
        Box::pin(async move {
            let mut change = self.link.begin(With::Anybody).await.map_err(unavailable)?;
            if standing::hold(&mut change).await.map_err(unavailable)?.0 != Standing::Filling(copy)
            {
                return Err(TransferError::NotFilling);
            }
            // Waits for a page that another run is writing.
            self.mark_filling(change, copy).await
        })
    }

    fn put<'a>(
        &'a self,
        table: &'static Table,
        rows: &'a [Row],
        gone: &'a [Row],
    ) -> Transferred<'a, ()> {
        Box::pin(async move {
            rows::check(table, rows)?;
            let mut change = self.begin_filling().await?;
            rows::put(&mut change, table, rows).await.map_err(unavailable)?;
            rows::remove(&mut change, table, gone).await.map_err(unavailable)?;
            commit(change).await
        })
    }

    fn append<'a>(&'a self, log: &'a [Stretch]) -> Transferred<'a, ()> {
        Box::pin(async move {
            log::check(log)?;
            let mut change = self.begin_filling().await?;
            log::append(&mut change, log).await.map_err(unavailable)?;
            commit(change).await
        })
    }

    fn mend<'a>(&'a self, _: i64, stretch: &'a Stretch) -> Transferred<'a, ()> {
        Box::pin(async move {
            log::check(std::slice::from_ref(stretch))?;
            let mut change = self.begin_filling().await?;
            log::mend(&mut change, stretch).await.map_err(unavailable)?;
            commit(change).await
        })
    }

    fn cut(&self, writer: u32, through: u64) -> Transferred<'_, ()> {
        Box::pin(async move {
            let mut change = self.begin_filling().await?;
            log::cut(&mut change, writer, through).await.map_err(unavailable)?;
            commit(change).await
        })
    }

    fn open<'a>(&'a self, basis: &'a Basis, chains: &'a [Chain]) -> Transferred<'a, ()> {
        Box::pin(async move {
            let mut change = self.begin_filling().await?;
            basis::go_on(&mut change, basis, chains).await.map_err(unavailable)?;
            standing::mark(&mut change, Standing::Open).await.map_err(unavailable)?;
            commit(change).await?;
            // Plans are made for what is there, and not for the empty tables of before.
            if let Err(fault) = basis::count(&self.link).await {
                tracing::warn!(%fault, "the tables were not analyzed; autovacuum does it soon");
            }
            Ok(())
        })
    }

    fn leave(&self, copy: u128) -> Transferred<'_, ()> {
        let is_ours = |standing| match standing {
            Standing::Filling(_) => Err(TransferError::Unfinished),
            _ => Ok(()),
        };
        Box::pin(async move {
            let mut change = self.begin_as(With::Nobody, is_ours).await?;
            let others = basis::vacate(&mut change).await.map_err(unavailable)?;
            if others > 0 {
                let serve = if others == 1 { "process serves" } else { "processes serve" };
                return Err(TransferError::InUse(format!("{others} {serve}")));
            }
            if !basis::is_rolled_up(&mut change).await.map_err(unavailable)? {
                return Err(TransferError::NotRolledUp);
            }
            standing::mark(&mut change, Standing::Left(copy)).await.map_err(unavailable)?;
            commit(change).await
        })
    }

    fn stay(&self) -> Transferred<'_, ()> {
        let is_left = |standing| match standing {
            Standing::Left(_) => Ok(()),
            _ => Err(TransferError::Unfinished),
        };
        Box::pin(async move {
            let mut change = self.begin_as(With::Nobody, is_left).await?;
            standing::mark(&mut change, Standing::Open).await.map_err(unavailable)?;
            commit(change).await
        })
    }
}
