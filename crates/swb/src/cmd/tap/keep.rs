//! The files in which `tap` keeps what passes, those that were asked for.

use switchboard::{Ending, Transport};
use switchboard_frame::Role;

use crate::args::TapArgs;
use crate::capture::Capture;
use crate::exit::Failure;
use crate::recording::Recorder;

pub(crate) struct Keep {
    recorder: Option<Recorder>,
    capture: Option<Capture>,
}

impl Keep {
    /// # Errors
    /// A file is there already, or cannot be written; and so for what follows.
    pub(crate) fn new(args: &TapArgs) -> Result<Keep, Failure> {
        let recorder = match &args.record {
            Some(path) => Some(Recorder::create(path, &args.framing.frame)?),
            None => None,
        };
        let capture = args.pcap.as_deref().map(Capture::create).transpose()?;
        Ok(Keep { recorder, capture })
    }

    /// Keeps nothing.
    pub(crate) fn nothing() -> Keep {
        Keep { recorder: None, capture: None }
    }

    /// Conversation `n` has a client and a server.
    pub(crate) fn begin(&self, n: u64, client: &dyn Transport) -> Result<(), Failure> {
        self.capture.as_ref().map_or(Ok(()), |capture| capture.begin(n, client))
    }

    /// What `writer` wrote, as it was read at once.
    pub(crate) fn read(&self, n: u64, writer: Role, bytes: &[u8]) -> Result<(), Failure> {
        if let Some(recorder) = &self.recorder {
            recorder.read(n, writer, bytes)?;
        }
        self.capture.as_ref().map_or(Ok(()), |capture| capture.read(n, writer, bytes))
    }

    /// How a direction ended.
    pub(crate) fn ended(&self, n: u64, writer: Role, ending: Ending) -> Result<(), Failure> {
        if let Some(recorder) = &self.recorder {
            recorder.ended(n, writer, ending)?;
        }
        self.capture.as_ref().map_or(Ok(()), |capture| capture.ended(n, writer, ending))
    }

    /// A direction that the other side ended.
    pub(crate) fn over(&self, n: u64, writer: Role) -> Result<(), Failure> {
        if let Some(recorder) = &self.recorder {
            recorder.over(n, writer)?;
        }
        self.capture.as_ref().map_or(Ok(()), |capture| capture.over(n, writer))
    }

    /// Writes what was not written yet.
    pub(crate) fn flush(&self) -> Result<(), Failure> {
        if let Some(recorder) = &self.recorder {
            recorder.flush()?;
        }
        self.capture.as_ref().map_or(Ok(()), Capture::flush)
    }
}
