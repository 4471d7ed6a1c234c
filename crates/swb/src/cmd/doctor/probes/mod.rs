//! The probes, one a file, in the order in which they are asked.

mod c1_half_close;
mod f10_split_delimiter;
mod f11_no_delimiter;
mod f12_non_canonical;
mod f1_split_prefix;
mod f2_split_body;
mod f3_octets;
mod f4_two_in_one;
mod f5_one_and_a_half;
mod f6_pipeline;
mod f7_empty;
mod f8_max;
mod f9_over_max;
mod l1_huge_length;
mod l2_sign_bit;
mod l3_self_short;

use super::probe::Probe;

pub(super) static ALL: [&Probe; 16] = [
    &f1_split_prefix::PROBE,
    &f2_split_body::PROBE,
    &f3_octets::PROBE,
    &f4_two_in_one::PROBE,
    &f5_one_and_a_half::PROBE,
    &f6_pipeline::PROBE,
    &f7_empty::PROBE,
    &f8_max::PROBE,
    &f9_over_max::PROBE,
    &f10_split_delimiter::PROBE,
    &f11_no_delimiter::PROBE,
    &f12_non_canonical::PROBE,
    &l1_huge_length::PROBE,
    &l2_sign_bit::PROBE,
    &l3_self_short::PROBE,
    &c1_half_close::PROBE,
];
