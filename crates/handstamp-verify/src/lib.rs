//! Handstamp for services that only check: access tokens, their keys, and the revocation feed.
//!
//! A [`Verifier`] answers whether an access token is good, here and now: signed by a key of the
//! session service, for this audience, in its time, and of a session that has not ended. A token
//! that was checked before costs a lookup. Ends are heard of by the revocation feed; when it is
//! not heard for longer than the lease (5 s by default), every check is an error and never a yes.
//!
//! The session service signs and checks with the same code: [`signing`], [`jws`], [`claims`].
//!
//! # Features
//! - `http` (default): keys and the feed over HTTP: `Service`, `Follower`.

mod base64url;
mod cache;
mod json;
mod jwk;
#[cfg(feature = "http")]
mod sse;
#[cfg(test)]
mod testing;

pub mod claims;
pub mod clock;
pub mod error;
#[cfg(feature = "http")]
pub mod feed;
pub mod jws;
pub mod key;
pub mod keys;
pub mod layer;
pub mod revocations;
#[cfg(feature = "http")]
pub mod service;
pub mod signing;
pub mod verifier;

pub use claims::Expected;
pub use clock::{Clock, SystemClock};
pub use error::{Invalid, VerifyError};
#[cfg(feature = "http")]
pub use feed::Follower;
pub use key::{Algorithm, KeyError, KeySet, VerifyingKey};
pub use keys::Keys;
pub use layer::VerifyLayer;
pub use revocations::Revocations;
#[cfg(feature = "http")]
pub use service::Service;
pub use signing::SigningKey;
pub use verifier::{Liveness, Verifier};

/// The guide, whose programs are compiled.
#[cfg(all(doctest, feature = "http"))]
#[doc = include_str!("../../../docs/guides/verify.md")]
mod guide {}
