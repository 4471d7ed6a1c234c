//! Looks for a byte. Where it is near, as in a short line, that takes less than the call of a
//! search that is made for far ones; from there on it is memchr's.

use memchr::memchr;

/// So far the search is by blocks, in bytes.
const NEAR: usize = 256;

/// Bytes that are compared together: a few instructions, whatever vectors the machine has.
const BLOCK: usize = 64;

/// The place of the first such byte.
#[inline(always)]
pub(crate) fn find(byte: u8, bytes: &[u8]) -> Option<usize> {
    let (blocks, _) = bytes[..bytes.len().min(NEAR)].as_chunks::<BLOCK>();
    let mut at = 0;
    for block in blocks {
        if is_in(byte, block) {
            return place(byte, block).map(|place| at + place);
        }
        at += BLOCK;
    }
    memchr(byte, &bytes[at..]).map(|place| at + place)
}

/// Whether there is such a byte.
#[inline(always)]
pub(crate) fn holds(byte: u8, bytes: &[u8]) -> bool {
    if bytes.len() > NEAR {
        return memchr(byte, bytes).is_some();
    }
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    for block in blocks {
        if is_in(byte, block) {
            return true;
        }
    }
    !rest.is_empty() && memchr(byte, rest).is_some()
}

/// Without a branch for each byte, so that the compiler compares many at a time.
#[inline(always)]
fn is_in(byte: u8, block: &[u8; BLOCK]) -> bool {
    block.iter().fold(false, |found, other| found | (*other == byte))
}

/// Eight bytes at a time: of a word from which each byte of it has been taken away, the lowest zero
/// byte is the first to borrow.
#[inline(always)]
fn place(byte: u8, block: &[u8; BLOCK]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const TOPS: u64 = u64::from_le_bytes([0x80; 8]);
    let same = u64::from_le_bytes([byte; 8]);
    block.as_chunks::<8>().0.iter().enumerate().find_map(|(index, word)| {
        let differs = u64::from_le_bytes(*word) ^ same;
        let zeros = differs.wrapping_sub(ONES) & !differs & TOPS;
        (zeros != 0).then(|| index * 8 + zeros.trailing_zeros() as usize / 8)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// Beside bytes that differ in one bit, below and above: those that borrow and carry.
    #[test]
    fn the_first_is_found_wherever_it_is() {
        for len in 0..400 {
            for fill in [b'x', b'\n' ^ 1, b'\n' ^ 0x80, 0, 0xff] {
                let mut bytes = vec![fill; len];
                assert_eq!(find(b'\n', &bytes), None, "{len}");
                assert!(!holds(b'\n', &bytes), "{len}");
                for at in (0..len).rev() {
                    bytes[at] = b'\n';
                    assert_eq!(find(b'\n', &bytes), Some(at), "{len}");
                    assert!(holds(b'\n', &bytes[at..]) && !holds(b'\n', &bytes[..at]), "{len}");
                    bytes[at] = if at % 2 == 0 { fill } else { b'\n' };
                }
            }
        }
    }
}
