//! The probes, one a file, in the order in which they are asked.

mod c1_half_close;
mod f1_split_prefix;
mod f2_split_body;
mod f4_two_in_one;
mod f5_one_and_a_half;
mod f6_pipeline;

use super::probe::Probe;

pub(super) static ALL: [&Probe; 6] = [
    &f1_split_prefix::PROBE,
    &f2_split_body::PROBE,
    &f4_two_in_one::PROBE,
    &f5_one_and_a_half::PROBE,
    &f6_pipeline::PROBE,
    &c1_half_close::PROBE,
];
