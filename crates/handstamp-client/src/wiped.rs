//! A buffer that leaves nothing behind.

use std::io::{self, Write};

use zeroize::Zeroizing;

/// Bytes that are overwritten when they go, and also where they were before they had to grow.
#[derive(Default)]
pub(crate) struct Wiped(Zeroizing<Vec<u8>>);

impl Wiped {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) {
        let length = self.0.len() + bytes.len();
        if length > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(length * 2));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }
}

impl Write for Wiped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_piece_by_piece_is_whole() {
        let mut wiped = Wiped::default();
        for piece in 0..100_u8 {
            wiped.write_all(&[piece; 7]).unwrap();
        }
        let whole: Vec<u8> = (0..100).flat_map(|piece| [piece; 7]).collect();
        assert_eq!(wiped.bytes(), whole);
    }
}
