//! Whole messages over stream sockets.
