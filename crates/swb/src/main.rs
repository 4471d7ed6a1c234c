//! swb
fn main() {}
