//! What the system drops of what comes, so that nothing is acknowledged: as if a machine were gone.

use socket2::SockFilter;

/// What of a TCP connection is dropped when it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unheard {
    Everything,
    /// Segments with bytes in them; what acknowledges ours is heard.
    Data,
}

impl Unheard {
    /// As classic BPF, over a segment that begins with the header of TCP.
    pub(super) fn filter(self) -> &'static [SockFilter] {
        const fn op(code: u16, jump: u8, operand: u32) -> SockFilter {
            SockFilter::new(code, jump, 0, operand)
        }
        const DROP: SockFilter = op(0x06, 0, 0);
        const PASS: SockFilter = op(0x06, 0, u32::MAX);
        match self {
            Unheard::Everything => &const { [DROP] },
            // The length of the header in words of 32 bits is in the upper half of its byte 12:
            // what is no longer than that has no bytes in it.
            Unheard::Data => {
                &const {
                    [
                        op(0x30, 0, 12),
                        op(0x74, 0, 4),
                        op(0x64, 0, 2),
                        op(0x07, 0, 0),
                        op(0x80, 0, 0),
                        op(0x1d, 1, 0),
                        DROP,
                        PASS,
                    ]
                }
            }
        }
    }
}
