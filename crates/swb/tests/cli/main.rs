//! The command from outside: exit code, stdout and stderr of every verb.

mod decode;
mod decode_vectors;
mod encode;
mod frames;
mod manners;
mod send;
mod serve;
mod support;
mod tap;
