//! Protobuf's wire format (`protobuf.dev/programming-guides/encoding`), as far as skipping fields
//! needs it.

/// A syntax error of the wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WireFault {
    /// Byte offset.
    pub(crate) at: usize,
    /// The expected content.
    pub(crate) expected: &'static str,
}

/// One field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WireField<'a> {
    /// Its number in the schema.
    pub(crate) number: u64,
    /// The bytes of a string or embedded message; `None` for other wire types.
    pub(crate) bytes: Option<&'a [u8]>,
    /// Offset of `bytes`, or of the field.
    pub(crate) at: usize,
}

/// The fields of a message in order. Iteration ends at the first malformed one.
#[derive(Debug, Clone)]
pub(crate) struct WireFields<'a> {
    message: &'a [u8],
    /// Offset of the next field in `message`.
    at: usize,
    /// Offset of `message` in the request, for errors.
    before: usize,
}

impl<'a> WireFields<'a> {
    /// The fields of a message at offset `before`.
    pub(crate) fn of(message: &'a [u8], before: usize) -> Self {
        Self {
            message,
            at: 0,
            before,
        }
    }

    #[inline]
    fn field(&mut self) -> Result<WireField<'a>, WireFault> {
        let begin = self.at;
        let key = self.varint("the key of a field")?;
        let number = key >> 3;
        // Field numbers begin at 1; zeroed memory looks like 0.
        if number == 0 || key > u64::from(u32::MAX) {
            return Err(self.broken(begin, "a field with a number from 1 to 536870911"));
        }
        if key & 7 == 2 {
            let length = self.varint("the length of a field")?;
            let bytes = self.take(length, "as many bytes as the field's length says")?;
            return Ok(WireField {
                number,
                bytes: Some(bytes),
                at: self.before + self.at - bytes.len(),
            });
        }
        self.pass_over(key, begin)?;
        Ok(WireField {
            number,
            bytes: None,
            at: self.before + begin,
        })
    }

    /// Skips the value of a field without bytes.
    fn pass_over(&mut self, key: u64, begin: usize) -> Result<(), WireFault> {
        // Groups nest: only the depth is kept, so that nesting cannot exhaust the stack.
        let mut depth = 0_usize;
        let mut key = key;
        loop {
            match key & 7 {
                0 => drop(self.varint("a number")?),
                1 => drop(self.take(8, "8 bytes of a number")?),
                2 => {
                    let length = self.varint("the length of a field")?;
                    self.take(length, "as many bytes as the field's length says")?;
                }
                3 => depth += 1,
                4 if depth > 0 => depth -= 1,
                5 => drop(self.take(4, "4 bytes of a number")?),
                _ => return Err(self.broken(begin, "a field of wire type 0, 1, 2, 3 or 5")),
            }
            if depth == 0 {
                return Ok(());
            }
            key = self.varint("the end of a group")?;
        }
    }

    #[inline]
    fn varint(&mut self, expected: &'static str) -> Result<u64, WireFault> {
        // Nearly all keys and lengths fit into one byte.
        if let Some(&byte) = self.message.get(self.at)
            && byte < 0x80
        {
            self.at += 1;
            return Ok(u64::from(byte));
        }
        self.long_varint(expected)
    }

    fn long_varint(&mut self, expected: &'static str) -> Result<u64, WireFault> {
        let mut value = 0;
        for (step, &byte) in self.message[self.at..].iter().take(10).enumerate() {
            // The tenth byte holds only the sixty-fourth bit.
            if step == 9 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * step);
            if byte < 0x80 {
                self.at += step + 1;
                return Ok(value);
            }
        }
        Err(self.broken(self.at, expected))
    }

    #[inline]
    fn take(&mut self, length: u64, expected: &'static str) -> Result<&'a [u8], WireFault> {
        let end = usize::try_from(length)
            .ok()
            .and_then(|length| self.at.checked_add(length));
        let Some(taken) = end.and_then(|end| self.message.get(self.at..end)) else {
            return Err(self.broken(self.at, expected));
        };
        self.at += taken.len();
        Ok(taken)
    }

    fn broken(&self, at: usize, expected: &'static str) -> WireFault {
        WireFault {
            at: self.before + at,
            expected,
        }
    }
}

impl<'a> Iterator for WireFields<'a> {
    type Item = Result<WireField<'a>, WireFault>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at == self.message.len() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.at = self.message.len();
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::{WireFault, WireField, WireFields};

    fn check(message: &[u8], wanted: &[Result<WireField<'_>, WireFault>]) {
        assert_eq!(
            WireFields::of(message, 100).collect::<Vec<_>>(),
            wanted,
            "{message:x?}"
        );
    }

    fn broken(at: usize, expected: &'static str) -> Result<WireField<'static>, WireFault> {
        Err(WireFault { at, expected })
    }

    fn other(number: u64, at: usize) -> Result<WireField<'static>, WireFault> {
        Ok(WireField {
            number,
            bytes: None,
            at,
        })
    }

    #[test]
    fn all_wire_types_are_recognized() {
        check(b"", &[]);
        check(
            b"\x0a\x02ab",
            &[Ok(WireField {
                number: 1,
                bytes: Some(b"ab"),
                at: 102,
            })],
        );
        check(
            b"\x0a\x82\x00ab",
            &[Ok(WireField {
                number: 1,
                bytes: Some(b"ab"),
                at: 103,
            })],
        );
        check(
            b"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x1a\x00",
            &[
                other(2, 100),
                Ok(WireField {
                    number: 3,
                    bytes: Some(b""),
                    at: 113,
                }),
            ],
        );
        check(b"\x0912345678\x151234", &[other(1, 100), other(2, 109)]);
    }

    #[test]
    fn groups_are_skipped_as_a_whole() {
        check(
            b"\x0b\x10\x07\x13\x0a\x01x\x14\x0c\x10\x07",
            &[other(1, 100), other(2, 109)],
        );
        check(
            &[b"\x0b".repeat(1_000_000), b"\x0c".repeat(1_000_000)].concat(),
            &[other(1, 100)],
        );
        check(b"\x0b\x10\x07", &[broken(103, "the end of a group")]);
    }

    #[test]
    fn malformed_bytes_are_reported_with_their_offset() {
        check(
            b"\x0a\x02a",
            &[broken(102, "as many bytes as the field's length says")],
        );
        check(
            b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01a",
            &[broken(111, "as many bytes as the field's length says")],
        );
        check(
            b"\x10\x01\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
            &[other(2, 100), broken(103, "a number")],
        );
        check(b"\x0a", &[broken(101, "the length of a field")]);
        check(b"\x80", &[broken(100, "the key of a field")]);
        check(
            b"\x00\x00",
            &[broken(100, "a field with a number from 1 to 536870911")],
        );
        check(
            b"\x0c",
            &[broken(100, "a field of wire type 0, 1, 2, 3 or 5")],
        );
        check(
            b"\x0f",
            &[broken(100, "a field of wire type 0, 1, 2, 3 or 5")],
        );
        check(b"\x091234567", &[broken(101, "8 bytes of a number")]);
        check(b"\x0d123", &[broken(101, "4 bytes of a number")]);
    }
}
