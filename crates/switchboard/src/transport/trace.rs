//! Watching the calls on a transport: [`Trace`].

use super::{Interest, Transport, Wait, Woken};
use crate::transport::passed_on::passed_on;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::sync::Arc;
use std::time::Duration;

/// What happened on a transport.
#[derive(Debug)]
#[non_exhaustive]
pub enum TraceEvent<'a> {
    /// These bytes were read.
    Read(&'a [u8]),
    /// A read found the end of the stream.
    End,
    /// These bytes were written; of a larger write, what went.
    Written(&'a [u8]),
    /// This side finished.
    Finished,
    /// This side broke the stream.
    Reset,
    /// A call failed; `WouldBlock` and `Interrupted` are not told.
    Failed(&'a io::Error),
}

/// Passes every call on and reports what it did.
///
/// ```
/// use std::sync::Arc;
/// use switchboard::transport::{Trace, Transport, TraceEvent, pair};
///
/// let (a, _b) = pair()?;
/// let a = Trace::new(Arc::new(a), |event| {
///     if let TraceEvent::Written(bytes) = event {
///         assert_eq!(bytes, b"hello");
///     }
/// });
/// a.write(b"hello")?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Trace<F> {
    inner: Arc<dyn Transport>,
    report: F,
}

impl<F> fmt::Debug for Trace<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trace").field(&self.inner).finish()
    }
}

impl<F: Fn(TraceEvent<'_>) + Send + Sync> Trace<F> {
    /// Reports to `report`, in the thread that makes the call and before it returns.
    pub fn new(inner: Arc<dyn Transport>, report: F) -> Trace<F> {
        Trace { inner, report }
    }

    fn report_read(&self, read: io::Result<usize>, buffer: &[u8]) -> io::Result<usize> {
        let count = self.failed(read)?;
        match count {
            0 if buffer.is_empty() => {}
            0 => (self.report)(TraceEvent::End),
            _ => (self.report)(TraceEvent::Read(&buffer[..count])),
        }
        Ok(count)
    }

    fn failed<T>(&self, result: io::Result<T>) -> io::Result<T> {
        use io::ErrorKind::{Interrupted, Unsupported, WouldBlock};
        if let Err(error) = &result {
            let again = [WouldBlock, Interrupted, Unsupported];
            if !again.contains(&error.kind()) {
                (self.report)(TraceEvent::Failed(error));
            }
        }
        result
    }
}

impl<F: Fn(TraceEvent<'_>) + Send + Sync> Transport for Trace<F> {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.report_read(self.inner.read(buffer), buffer)
    }

    fn read_within(&self, buffer: &mut [u8], time: Option<Duration>) -> io::Result<usize> {
        self.report_read(self.inner.read_within(buffer, time), buffer)
    }

    fn read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let count = self.failed(self.inner.read_vectored(buffers))?;
        if count == 0 && buffers.iter().any(|buffer| !buffer.is_empty()) {
            (self.report)(TraceEvent::End);
        }
        let mut left = count;
        for buffer in buffers.iter().filter(|buffer| !buffer.is_empty()) {
            let here = left.min(buffer.len());
            left -= here;
            if here > 0 {
                (self.report)(TraceEvent::Read(&buffer[..here]));
            }
        }
        Ok(count)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.failed(self.inner.write(bytes))?;
        (self.report)(TraceEvent::Written(&bytes[..count]));
        Ok(count)
    }

    fn write_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let count = self.failed(self.inner.write_vectored(buffers))?;
        let mut left = count;
        for buffer in buffers {
            let here = left.min(buffer.len());
            left -= here;
            if here > 0 {
                (self.report)(TraceEvent::Written(&buffer[..here]));
            }
        }
        Ok(count)
    }

    fn finish(&self) -> io::Result<()> {
        self.failed(self.inner.finish())?;
        (self.report)(TraceEvent::Finished);
        Ok(())
    }

    fn reset(&self) -> io::Result<()> {
        self.failed(self.inner.reset())?;
        (self.report)(TraceEvent::Reset);
        Ok(())
    }

    fn wait(&self, interest: Interest, until: &Wait<'_>) -> io::Result<Woken> {
        self.inner.wait(interest, until)
    }

    fn interest(&self, wanted: Interest) -> Interest {
        self.inner.interest(wanted)
    }

    fn flush(&self) -> io::Result<bool> {
        self.failed(self.inner.flush())
    }

    passed_on! {
        disown undelivered opening holds_input read_descriptor write_descriptor local remote client
        name set_liveness silence process tls facts
    }
}
