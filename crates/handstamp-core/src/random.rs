//! Where random bytes come from.

use std::sync::Arc;

/// Fills buffers with random bytes. Everything random in the engine passes through one of these.
pub trait Rng: Send + Sync + 'static {
    /// Fills `out`.
    ///
    /// # Errors
    /// [`RandomError`] when the source cannot be read; retrying seldom helps.
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError>;
}

impl<R: Rng + ?Sized> Rng for Arc<R> {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        (**self).fill(out)
    }
}

/// The operating system would not give random bytes.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the system's source of random numbers failed")]
pub struct RandomError;

/// `N` random bytes.
pub fn random<const N: usize>(rng: &dyn Rng) -> Result<[u8; N], RandomError> {
    let mut out = [0; N];
    rng.fill(&mut out)?;
    Ok(out)
}

/// The operating system's cryptographic source.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRng;

impl Rng for SystemRng {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        getrandom::fill(out).map_err(|_| RandomError)
    }
}

/// Repeatable bytes for tests: SHA-256 in counter mode over a seed.
#[cfg(feature = "testing")]
#[derive(Debug)]
pub struct SeededRng {
    seed: u64,
    counter: std::sync::atomic::AtomicU64,
}

#[cfg(feature = "testing")]
impl SeededRng {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, counter: 0.into() }
    }
}

#[cfg(feature = "testing")]
impl Rng for SeededRng {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        use sha2::{Digest, Sha256};
        for chunk in out.chunks_mut(32) {
            let turn = self.counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let block = Sha256::new()
                .chain_update(self.seed.to_be_bytes())
                .chain_update(turn.to_be_bytes());
            chunk.copy_from_slice(&block.finalize()[..chunk.len()]);
        }
        Ok(())
    }
}
