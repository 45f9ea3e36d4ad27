//! The operating system's random numbers.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// The operating system gives no random numbers. Retrying may help early at boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the operating system gives no random numbers")]
pub struct NoRandom;

/// So many random bytes.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(bytes)
}

/// 192 random bits as 32 characters of base64url.
pub(crate) fn text() -> Result<String, NoRandom> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes::<24>()?))
}
