//! Streams that end without the end that their transport has.

use crate::help::*;
use switchboard::server::Server;
use switchboard::transport::pair_with_capacity;
use switchboard::{Dispatch, Ending, Reply, Transport};

/// What came before the cut, and how the conversation ends after so many messages.
const CUTS: [(&str, &[u8], usize, Ending); 18] = [
    ("u32be", b"", 0, Ending::Finished),
    ("u32be", b"\0\0\0\x01a", 1, Ending::Finished),
    ("u32be", b"\0\0\0\x01a\0", 1, Ending::Truncated),
    ("u32be", b"\0\0\0\x02a", 0, Ending::Truncated),
    ("u16le", b"\x01\0a", 1, Ending::Finished),
    ("lines", b"one\n", 1, Ending::Finished),
    ("lines", b"one\ntwo", 1, Ending::Truncated),
    ("lines eof=deliver", b"one\ntwo", 1, Ending::Truncated),
    ("crlf", b"one\r\n", 1, Ending::Finished),
    ("fixed:2", b"aabb", 2, Ending::Finished),
    ("fixed:2", b"aab", 1, Ending::Truncated),
    ("netstring", b"1:a,", 1, Ending::Finished),
    ("eof", b"", 0, Ending::Truncated),
    ("eof", b"all of it?", 0, Ending::Truncated),
    ("raw", b"some", 1, Ending::Truncated),
    ("fixed:2 ; eof", b"aa", 1, Ending::Truncated),
    ("fixed:2 ; u8", b"aa", 1, Ending::Finished),
    ("header:content-length", b"content-length: 2\r\n\r\nab", 1, Ending::Finished),
];

#[test]
fn a_cut_is_told_where_something_may_be_missing() {
    for (framing, bytes, messages, ending) in CUTS {
        let case = format!("{framing} {}", bytes.escape_ascii());
        let cut = || {
            let (ours, theirs) = pair_with_capacity(1000).unwrap();
            ours.write(&[PREFACE, bytes].concat()).unwrap();
            ours.finish().unwrap();
            (ours, over(theirs))
        };
        let (_ours, theirs) = cut();
        let mut conversation = converse(theirs, framing);
        // A bite of what it holds is a message of `raw`.
        let given = conversation.messages().filter(Result::is_ok).count();
        assert_eq!(given, messages, "{case}");
        for _ in 0..2 {
            let told = match conversation.recv() {
                Ok(None) => Ending::Finished,
                Ok(Some(message)) => panic!("{case}: {message:?}"),
                Err(error) => {
                    assert!(error.to_string().contains("cut off"), "{case}: {error}");
                    error.ending().unwrap()
                }
            };
            assert_eq!(told, ending, "{case}");
        }
        for dispatch in [Dispatch::threads(), Dispatch::events().with_loops(1)] {
            let server = Server::new(framing).unwrap().with_dispatch(dispatch);
            let running = server.start(|| |_: &[u8], _: &mut Reply<'_>| {}).unwrap();
            let (ours, theirs) = cut();
            running.handle().adopt(theirs).unwrap();
            ended(&running, ending);
            assert_eq!(running.handle().stats().messages_received, messages as u64, "{case}");
            drop(ours);
        }
    }
}
