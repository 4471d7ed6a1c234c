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

    #[pymodule_export]
    use crate::arguments::as_message;
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
        crate::server::be_host();
        Ok(())
    }
}
