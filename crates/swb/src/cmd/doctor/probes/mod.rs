//! The probes, one a file, in the order in which they are asked.

mod b1_slow_reader;
mod b2_head_of_line;
mod b3_write_write;
mod c1_half_close;
mod c2_cut_prefix;
mod c3_cut_body;
mod c4_idle_fin;
mod c5_reset_idle;
mod c6_reset_mid_request;
mod c7_reset_mid_reply;
mod c8_early_error;
mod c9_churn;
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
mod k1_one_at_a_time;
mod l1_huge_length;
mod l2_sign_bit;
mod l3_self_short;
mod l4_drip;
mod r1_descriptors;
mod r2_leak;
mod r3_drain;
mod r4_rebind;
mod s1_no_close_notify;
mod s2_wrong_layer;
mod t1_mute;
mod t2_idle;
mod t3_dead_peer;

use super::probe::Probe;

/// First whether one client blocks all others, which others are judged by.
pub(super) static ALL: &[&Probe] = &[
    &k1_one_at_a_time::PROBE,
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
    &l4_drip::PROBE,
    &c1_half_close::PROBE,
    &c2_cut_prefix::PROBE,
    &c3_cut_body::PROBE,
    &c4_idle_fin::PROBE,
    &c5_reset_idle::PROBE,
    &c6_reset_mid_request::PROBE,
    &c7_reset_mid_reply::PROBE,
    &c8_early_error::PROBE,
    &c9_churn::PROBE,
    &b1_slow_reader::PROBE,
    &b2_head_of_line::PROBE,
    &b3_write_write::PROBE,
    &t1_mute::PROBE,
    &t2_idle::PROBE,
    &t3_dead_peer::PROBE,
    &r1_descriptors::PROBE,
    &r2_leak::PROBE,
    &r3_drain::PROBE,
    &r4_rebind::PROBE,
    &s1_no_close_notify::PROBE,
    &s2_wrong_layer::PROBE,
];
