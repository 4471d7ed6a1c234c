//! What is wrong with a server, where what was seen says more of it than the probe can say before.
//!
//! Those that several probes may come upon are here; a cause that belongs to one alone is with it.

use super::link::Heard;

/// What is wrong, and how it is cured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cause {
    pub(super) bug: &'static str,
    pub(super) cure: &'static str,
}

/// What one read gives is taken for what was sent.
pub(super) const ONE_READ: Cause = Cause {
    bug: "what one call of recv gives is taken for one message, or for a whole header",
    cure: "keep what has come in a buffer, and take messages from it once they are whole",
};

/// The end of input inside a message goes unnoticed.
pub(super) const END_UNSEEN: Cause = Cause {
    bug: "the end of input is not looked at inside a message: the loop that reads the rest of it \
          goes on, or the connection is left open",
    cure: "recv's 0 ends the conversation wherever it comes up: stop reading, close",
};

/// It closes with a reset where an end is meant.
pub(super) const RESET_FOR_END: Cause = Cause {
    bug: "the socket is closed with bytes unread, or with SO_LINGER 0: that sends a reset, which \
          may take replies under way with it",
    cure: "read to the end of input before you close, and leave SO_LINGER alone",
};

/// The end of input comes, and nothing follows from it.
pub(super) const LEFT_OPEN: Cause = Cause {
    bug: "recv's 0 is not looked at: after the last reply the connection is left open",
    cure: "recv's 0 is the end of input: answer what is whole, flush, then close",
};

/// No limit on what is announced, and nothing allocated for it either.
pub(super) const NO_LIMIT: Cause = Cause {
    bug: "there is no limit on lengths: it waits for whatever is announced, for as long as that \
          takes",
    cure: "a limit, compared as soon as the length is there; refuse what is larger",
};

/// Not one conversation ends, but all of them.
pub(super) const ALL_DIE: Cause = Cause {
    bug: "an error of one connection, which nobody catches, ends the process that serves all",
    cure: "catch errors where a connection is served: they close that connection alone",
};

/// It writes to who is gone.
pub(super) const BROKEN_PIPE: Cause = Cause {
    bug: "a write to a connection that is gone raises SIGPIPE, which ends the process",
    cure: "ignore SIGPIPE (or send with MSG_NOSIGNAL), and take EPIPE as that connection's end",
};

/// What is wrong with replies that are read late, by what came in the place of one.
pub(super) fn of_queued_replies(came: &Heard) -> Cause {
    match came {
        Heard::End(..) => Cause {
            bug: "the conversation is ended while replies are queued, and they are dropped",
            cure: "write what is queued before you close, within a deadline",
        },
        Heard::Silence(_, 0) => Cause {
            bug: "once a write has been refused (EAGAIN) the rest of the queue is never written, \
                  or reading never begins again",
            cure: "wait until the socket is writable, write on; when the queue is short, read on: \
                   first what is in the buffer already",
        },
        // In the middle of a reply it stops, or goes on with another one.
        Heard::Silence(..) | Heard::Message(_) | Heard::Unframed(..) => Cause {
            bug: "send takes only a part when the socket's buffer is full: the rest is lost, or \
                  comes too late",
            cure: "keep what send has not taken, and send it first; in a blocking server sendall",
        },
    }
}
