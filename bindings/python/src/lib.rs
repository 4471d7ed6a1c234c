//! Owns the module `switchboard._native`: what the package `switchboard` has of Rust.
//!
//! Each file here is a thin face over one part of the library and does nothing by itself: what a
//! message is, how long is waited and how a conversation ends is decided there. This crate owns the
//! border: arguments, exceptions, the interpreter's lock, signals.
//!
//! **Invariants:** no call that may wait holds the interpreter's lock, and none waits for the
//! interpreter's lock while it holds a conversation's. Wherever a call waits, Ctrl-C ends it.

use pyo3::prelude::*;

mod arguments;
mod calling;
mod calls;
mod certificates;
mod connect;
mod conversation;
mod decoder;
mod errors;
mod interrupt;
mod listener;
mod mover;
mod running;
mod select;
mod server;
mod session;
mod tls;
mod view;
mod wrap;

/// The native half of the package `switchboard`.
#[pymodule]
mod _native {
    use pyo3::prelude::*;
    use switchboard::limits;

    #[pymodule_export]
    use crate::arguments::{as_message, checked_seconds};
    #[pymodule_export]
    use crate::calls::stuck_threads;
    #[pymodule_export]
    use crate::connect::connect;
    #[pymodule_export]
    use crate::conversation::Conversation;
    #[pymodule_export]
    use crate::decoder::{Decoder, Discarded, Encoder};
    #[pymodule_export]
    use crate::listener::{Listener, listen};
    #[pymodule_export]
    use crate::running::Running;
    #[pymodule_export]
    use crate::select::select_indices;
    #[pymodule_export]
    use crate::server::start_server;
    #[pymodule_export]
    use crate::session::{Session, connect_failed, parse_endpoint};
    #[pymodule_export]
    use crate::wrap::{watch_peer, wrap};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        // Bounds of the library, where a loop of asyncio keeps to them by itself; in seconds.
        for (name, time) in [
            ("CONNECT_TIMEOUT", limits::CONNECT_TIMEOUT),
            ("CONNECT_STAGGER", limits::CONNECT_STAGGER),
            ("LINGER_TIMEOUT", limits::LINGER_TIMEOUT),
            ("DELIVERY_LOOK_FIRST", limits::DELIVERY_LOOK_FIRST),
            ("DELIVERY_LOOK_MAX", limits::DELIVERY_LOOK_MAX),
        ] {
            module.add(name, time.as_secs_f64())?;
        }
        module.add("LISTEN_BACKLOG", limits::LISTEN_BACKLOG)?;
        module.add("MESSAGES_PER_TURN", limits::MESSAGES_PER_TURN)?;
        crate::server::be_host();
        Ok(())
    }
}
