//! The first bytes of a MessagePack value: what it is, and how large. It is not what lies inside an array or a map.

use super::Error;

/// One value, or the beginning of one that has others inside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Head<'a> {
    Nil,
    Bool(bool),
    /// An integer that is not negative.
    Unsigned(u64),
    /// A negative integer, or one that came in a signed form.
    Signed(i64),
    Float(f64),
    Str(&'a [u8]),
    Bin(&'a [u8]),
    /// So many elements follow.
    Array(u32),
    /// So many keys with their values follow.
    Map(u32),
    /// An extension's type and bytes.
    Ext {
        kind: i8,
        data: &'a [u8],
        /// Whether its length stood before it; the official decoder tells some types apart by that.
        is_fixed: bool,
    },
}

impl Head<'_> {
    /// The official decoder's `undefined`.
    pub(super) const fn is_undefined(&self) -> bool {
        matches!(self, Self::Ext { kind: 0, data: [_], is_fixed: true })
    }

    /// The integer that a client's number is, however it was written.
    pub(super) fn integer(&self) -> Option<i128> {
        match *self {
            Self::Unsigned(number) => Some(number.into()),
            Self::Signed(number) => Some(number.into()),
            Self::Float(number) if number.fract() == 0.0 => Some(number as i128), // saturates: out of any range
            _ => None,
        }
    }
}

/// Takes values from bytes, front to back.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Offset of the next byte.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// Takes the head of the next value.
    pub(super) fn head(&mut self) -> Result<Head<'a>, Error> {
        let first = self.number(1)? as u8;
        Ok(match first {
            0x00..=0x7f => Head::Unsigned(first.into()),
            0x80..=0x8f => self.map(u64::from(first & 0x0f))?,
            0x90..=0x9f => self.array(u64::from(first & 0x0f))?,
            0xa0..=0xbf => Head::Str(self.take(u64::from(first & 0x1f))?),
            0xc0 => Head::Nil,
            0xc1 => return Err(Error::Prefix),
            0xc2 | 0xc3 => Head::Bool(first == 0xc3),
            0xc4..=0xc6 => Head::Bin(self.sized(1 << (first - 0xc4))?),
            0xc7..=0xc9 => self.sized_ext(1 << (first - 0xc7))?,
            0xca => Head::Float(f32::from_bits(self.number(4)? as u32).into()),
            0xcb => Head::Float(f64::from_bits(self.number(8)?)),
            0xcc..=0xcf => Head::Unsigned(self.number(1 << (first - 0xcc))?),
            0xd0 => Head::Signed((self.number(1)? as i8).into()),
            0xd1 => Head::Signed((self.number(2)? as i16).into()),
            0xd2 => Head::Signed((self.number(4)? as i32).into()),
            0xd3 => Head::Signed(self.number(8)? as i64),
            0xd4..=0xd8 => {
                let kind = self.number(1)? as i8;
                Head::Ext { kind, data: self.take(1 << (first - 0xd4))?, is_fixed: true }
            }
            0xd9..=0xdb => Head::Str(self.sized(1 << (first - 0xd9))?),
            0xdc | 0xdd => {
                let count = self.number(2 << (first - 0xdc))?;
                self.array(count)?
            }
            0xde | 0xdf => {
                let count = self.number(2 << (first - 0xde))?;
                self.map(count)?
            }
            0xe0..=0xff => Head::Signed((first as i8).into()),
        })
    }

    /// Passes over the next value, whatever is inside. Neither recursion nor a stack: only how many are left matters.
    pub(super) fn skip(&mut self) -> Result<(), Error> {
        let mut left = 1_u64;
        while left > 0 {
            left -= 1;
            match self.head()? {
                Head::Array(count) => left = left.saturating_add(count.into()),
                Head::Map(count) => left = left.saturating_add(2 * u64::from(count)),
                _ => {}
            }
        }
        Ok(())
    }

    /// What lies between an offset and the next byte.
    pub(super) fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    /// An array, refused at once if the rest cannot hold so many elements.
    fn array(&self, count: u64) -> Result<Head<'a>, Error> {
        self.within(count).map(Head::Array)
    }

    fn map(&self, count: u64) -> Result<Head<'a>, Error> {
        self.within(count * 2)?;
        self.within(count).map(Head::Map)
    }

    /// A number of values that the rest has bytes for.
    fn within(&self, count: u64) -> Result<u32, Error> {
        let left = self.bytes.len().saturating_sub(self.at) as u64;
        u32::try_from(count).ok().filter(|&count| u64::from(count) <= left).ok_or(Error::End)
    }

    /// Bytes whose number stands before them, in so many bytes.
    fn sized(&mut self, width: usize) -> Result<&'a [u8], Error> {
        let len = self.number(width)?;
        self.take(len)
    }

    fn sized_ext(&mut self, width: usize) -> Result<Head<'a>, Error> {
        let len = self.number(width)?;
        let kind = self.number(1)? as i8;
        Ok(Head::Ext { kind, data: self.take(len)?, is_fixed: false })
    }

    /// A big-endian number of so many bytes, at most eight.
    fn number(&mut self, width: usize) -> Result<u64, Error> {
        let bytes = self.take(width as u64)?;
        Ok(bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], Error> {
        let end = usize::try_from(len).ok().and_then(|len| self.at.checked_add(len)).ok_or(Error::End)?;
        let bytes = self.bytes.get(self.at..end).ok_or(Error::End)?;
        self.at = end;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MessagePack specification, "Formats".
    #[test]
    fn every_format_has_a_head() {
        let heads: [(&[u8], Head<'_>); 30] = [
            (&[0x7f], Head::Unsigned(127)),
            (&[0x80], Head::Map(0)),
            (&[0x90], Head::Array(0)),
            (&[0xa1, b'a'], Head::Str(b"a")),
            (&[0xc0], Head::Nil),
            (&[0xc2], Head::Bool(false)),
            (&[0xc3], Head::Bool(true)),
            (&[0xc4, 1, 9], Head::Bin(&[9])),
            (&[0xc5, 0, 1, 9], Head::Bin(&[9])),
            (&[0xc6, 0, 0, 0, 1, 9], Head::Bin(&[9])),
            (&[0xc7, 1, 0xff, 9], Head::Ext { kind: -1, data: &[9], is_fixed: false }),
            (&[0xc8, 0, 1, 5, 9], Head::Ext { kind: 5, data: &[9], is_fixed: false }),
            (&[0xc9, 0, 0, 0, 1, 5, 9], Head::Ext { kind: 5, data: &[9], is_fixed: false }),
            (&[0xca, 0x3f, 0xc0, 0, 0], Head::Float(1.5)),
            (&[0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0], Head::Float(1.5)),
            (&[0xcc, 0xff], Head::Unsigned(255)),
            (&[0xcd, 1, 0], Head::Unsigned(256)),
            (&[0xce, 1, 0, 0, 0], Head::Unsigned(1 << 24)),
            (&[0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Head::Unsigned(u64::MAX)),
            (&[0xd0, 0x80], Head::Signed(-128)),
            (&[0xd1, 0x80, 0], Head::Signed(-32768)),
            (&[0xd2, 0xff, 0xff, 0xff, 0xff], Head::Signed(-1)),
            (&[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0], Head::Signed(i64::MIN)),
            (&[0xd4, 0, 7], Head::Ext { kind: 0, data: &[7], is_fixed: true }),
            (&[0xd5, 1, 7, 8], Head::Ext { kind: 1, data: &[7, 8], is_fixed: true }),
            (&[0xd9, 1, b'a'], Head::Str(b"a")),
            (&[0xda, 0, 1, b'a'], Head::Str(b"a")),
            (&[0xdb, 0, 0, 0, 1, b'a'], Head::Str(b"a")),
            (&[0xdd, 0, 0, 0, 0], Head::Array(0)),
            (&[0xe0], Head::Signed(-32)),
        ];
        for (bytes, head) in heads {
            let mut reader = Reader::new(bytes);
            assert_eq!(reader.head(), Ok(head), "{bytes:x?}");
            assert_eq!(reader.at(), bytes.len(), "{bytes:x?}");
            for end in 0..bytes.len() {
                assert_eq!(Reader::new(&bytes[..end]).head(), Err(Error::End), "{:x?}", &bytes[..end]);
            }
        }
    }

    /// RUSTSEC-2017-0006: a size is worth only the bytes that came.
    #[test]
    fn claimed_sizes_are_held_against_what_came() {
        let claims: [&[u8]; 6] = [
            &[0xdd, 0xff, 0xff, 0xff, 0xff, 0],
            &[0xdf, 0xff, 0xff, 0xff, 0xff, 0],
            &[0xc6, 0xff, 0xff, 0xff, 0xff, 0],
            &[0xdb, 0xff, 0xff, 0xff, 0xff, 0],
            &[0xc9, 0xff, 0xff, 0xff, 0xff, 0, 0],
            &[0x81, 0xa1, b'a'],
        ];
        for bytes in claims {
            assert_eq!(Reader::new(bytes).skip(), Err(Error::End), "{bytes:x?}");
        }
    }

    #[test]
    fn what_is_inside_is_passed_over_at_any_depth() {
        let mut deep = vec![0x91; 100_000];
        deep.push(0xc0);
        let mut reader = Reader::new(&deep);
        assert_eq!((reader.skip(), reader.at()), (Ok(()), deep.len()));
        let mut reader = Reader::new(&[0x82, 0xa1, b'a', 0x92, 1, 2, 0xa1, b'b', 0x80, 5]);
        assert_eq!((reader.skip(), reader.at()), (Ok(()), 9));
    }
}
