//! What follows from the calls of a ledger, for every ledger.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Ledger, Put, Written};
use crate::data::DataError;
use crate::store::{BoxFuture, StoreError};

/// Why an entry could not be read or changed as a type.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The ledger is out of reach; what that means for a change, and whether to try again, the
    /// source tells.
    #[error("the ledger did not do it")]
    Store(#[from] StoreError),
    /// What is stored is of another type, or the value cannot be stored; retrying never helps.
    #[error("an entry of the ledger does not fit")]
    Data(#[from] DataError),
    /// The entry cannot be kept: its names or its body are too long. Retrying never helps.
    #[error("an entry of the ledger cannot be kept: {0}")]
    Invalid(&'static str),
}

/// Conveniences that every [`Ledger`] has.
pub trait LedgerExt: Ledger {
    /// The value under `key`, as a `T`, with its version.
    ///
    /// # Errors
    /// [`LedgerError::Store`], and [`LedgerError::Data`] when it is no `T`.
    fn find<'a, T: DeserializeOwned + Send>(
        &'a self,
        shelf: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<(T, u64)>, LedgerError>> {
        Box::pin(async move {
            let Some(entry) = self.get(shelf, key).await? else { return Ok(None) };
            Ok(Some((entry.read()?, entry.version)))
        })
    }

    /// Changes the value under `key`, however many do so at once: `change` is applied to the
    /// latest value, and again whenever another was faster. What it leaves is stored, nothing if
    /// it leaves `None`; the due time goes. Answers what `change` answered when it was applied.
    ///
    /// # Errors
    /// [`LedgerError::Store`], and [`LedgerError::Data`] when what is there is no `T`.
    fn update<'a, T, A>(
        &'a self,
        shelf: &'a str,
        key: &'a str,
        mut change: impl FnMut(&mut Option<T>) -> A + Send + 'a,
    ) -> BoxFuture<'a, Result<A, LedgerError>>
    where
        T: Serialize + DeserializeOwned + Send,
        A: Send,
    {
        Box::pin(async move {
            loop {
                let found = self.find::<T>(shelf, key).await?;
                let (mut value, version) =
                    found.map_or((None, None), |(is, at)| (Some(is), Some(at)));
                let answer = change(&mut value);
                let put = match value {
                    Some(value) => Put::new(shelf, key, &value)?,
                    None => Put::removal(shelf, key),
                };
                let put = version.map_or(put.clone().if_absent(), |at| put.if_version(at));
                match self.write(vec![put]).await? {
                    Written::Applied(_) => return Ok(answer),
                    Written::Conflict { .. } => {}
                    Written::Invalid { why, .. } => return Err(LedgerError::Invalid(why)),
                }
            }
        })
    }
}

impl<L: Ledger + ?Sized> LedgerExt for L {}
