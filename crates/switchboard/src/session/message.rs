//! A message as it is given: its bytes, and where they stood.

use std::fmt;
use std::ops::Deref;
use switchboard_frame::{Decoder, Field};

/// A whole message, borrowed from where it was received. Dereferences to its bytes.
///
/// ```
/// # use std::sync::Arc;
/// # use switchboard::{Conversation, transport};
/// # let (a, b) = transport::pair()?;
/// # let mut client = Conversation::over(Arc::new(a), &"u32be".parse()?);
/// # let mut server = Conversation::over(Arc::new(b), &"u32be".parse()?);
/// client.send(b"hello")?;
/// let message = server.recv()?.expect("a message, not the end");
/// assert_eq!(&*message, b"hello");
/// assert_eq!((message.number(), message.offset(), message.frame_bytes()), (1, 0, 9));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Message<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) number: u64,
    pub(super) offset: u64,
    pub(super) frame_bytes: u64,
    /// The (last) frame.
    pub(super) frame: &'a [u8],
    pub(super) decoder: &'a Decoder,
}

impl<'a> Message<'a> {
    /// The message's bytes; like `&*message`, but they live as long as the borrow does.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Its number in this direction of the conversation, from 1.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The offset in the stream, in bytes, at which its first frame begins.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes on the wire: headers, trailers and fragments included.
    #[must_use]
    pub fn frame_bytes(&self) -> u64 {
        self.frame_bytes
    }

    /// The value of a field of its (last) frame's header or trailer.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Field<'a>> {
        self.decoder.field(name, self.frame)
    }

    /// The names of the fields there are, in wire order.
    #[must_use]
    pub fn field_names(&self) -> Vec<&'a str> {
        self.decoder.field_names()
    }
}

impl Deref for Message<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("number", &self.number)
            .field("offset", &self.offset)
            .field("bytes", &format_args!("{}", self.bytes.escape_ascii()))
            .finish()
    }
}
