//! The command from outside: exit code, stdout and stderr of every verb.

#![expect(clippy::unwrap_used, reason = "the helpers of these tests stop a test as it does itself")]

mod bench;
mod bench_ends;
mod bench_open;
mod bench_reconnect;
mod chaos;
mod chaos_content;
mod chaos_ends;
mod chaos_plan;
mod chaos_silence;
mod conformance;
mod decode;
mod decode_vectors;
mod encode;
mod frames;
mod manners;
mod pages;
mod replay;
mod send;
mod serve;
mod serve_activated;
mod serve_conduct;
mod serve_dispatch;
mod serve_drain;
mod serve_manners;
mod serve_takeover;
mod support;
mod tap;
mod tls;
