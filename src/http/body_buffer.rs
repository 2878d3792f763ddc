//! Growable buffer for a request body, memory-mapped once it is large.

use std::io::{Error, ErrorKind, Result, Write};

use bytes::{Bytes, BytesMut};
use memmap2::MmapMut;

/// Size in bytes above which the buffer is a memory mapping.
const SMALL: usize = 256 * 1024;

/// Growable buffer with a maximum length. A large one is an anonymous memory mapping, which takes
/// memory only where it is written to, grows without a copy, and is returned to the system at once,
/// while an allocator may keep freed memory: `benches/bodies` shows what is left of both.
#[derive(Debug)]
pub struct BodyBuffer {
    most: usize,
    small: BytesMut,
    large: Option<Large>,
}

#[derive(Debug)]
struct Large {
    map: MmapMut,
    len: usize,
}

impl AsRef<[u8]> for Large {
    fn as_ref(&self) -> &[u8] {
        &self.map[..self.len]
    }
}

impl BodyBuffer {
    /// An empty buffer for at most `most` bytes.
    #[must_use]
    pub fn up_to(most: usize) -> Self {
        Self {
            most,
            small: BytesMut::new(),
            large: None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.large
            .as_ref()
            .map_or(self.small.len(), |large| large.len)
    }

    /// All bytes.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.large
            .map_or_else(|| self.small.freeze(), Bytes::from_owner)
    }
}

impl Write for BodyBuffer {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let len = self.len() + bytes.len();
        if len > self.most {
            return Err(Error::from(ErrorKind::FileTooLarge));
        }
        if self.large.is_none() && len <= SMALL {
            self.small.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        if self.large.is_none() {
            let mut map = MmapMut::map_anon(self.most)?;
            map[..self.small.len()].copy_from_slice(&self.small);
            self.large = Some(Large {
                map,
                len: std::mem::take(&mut self.small).len(),
            });
        }
        if let Some(large) = &mut self.large {
            large.map[large.len..len].copy_from_slice(bytes);
            large.len = len;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn buffer_returns_all_bytes_below_and_above_the_mapping_size() {
        for len in [0, 1, SMALL - 1, SMALL, SMALL + 1, 3 * SMALL] {
            let bytes: Vec<u8> = (0..len)
                .map(|index| u8::try_from(index % 251).unwrap())
                .collect();
            let mut growing = BodyBuffer::up_to(len);
            bytes
                .chunks(1000)
                .for_each(|piece| growing.write_all(piece).unwrap());
            assert_eq!((growing.len(), growing.large.is_some()), (len, len > SMALL));
            assert!(growing.write_all(b"x").is_err(), "more than the most");
            assert!(growing.into_bytes() == bytes);
        }
    }
}
