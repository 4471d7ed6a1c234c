//! More descriptors than `select(2)` of old can hold.

use crate::help::*;
use std::os::fd::AsRawFd;
use switchboard::Transport;
use switchboard::select::{Source, select};

#[test]
fn there_is_no_limit_of_1024() {
    const PAIRS: usize = 1500;
    let Some(_turn) = have_descriptors(2 * PAIRS as u64) else { return };
    let pairs: Vec<_> = (0..PAIRS).map(|_| unix_pair()).collect();
    let highest = pairs.iter().filter_map(|(a, _)| Some(a.read_descriptor()?.as_raw_fd())).max();
    assert!(highest.unwrap() > 1024);
    let sources: Vec<&dyn Source> = pairs.iter().map(|(a, _)| a as _).collect();
    assert!(select(&sources, &[], &sources, NOW).unwrap().is_empty());

    let spoken = [0, 7, 1023, 1024, 1025, PAIRS - 1];
    for index in spoken {
        pairs[index].1.write(b"x").unwrap();
    }
    assert_eq!(readers(&sources), spoken);
    let ready = select(&sources, &sources, &sources, SOON).unwrap();
    assert_eq!(ready.readers.len(), spoken.len());
    assert_eq!(ready.writers.len(), PAIRS);
    assert!(ready.errors.is_empty());
}
