//! The receive buffer.
/// The receive buffer.
#[derive(Debug)]
pub struct ReceiveBuffer {}
