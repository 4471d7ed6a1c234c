//! Streams that misbehave give the same answers.

use crate::answers::echo;
use crate::help::*;
use std::sync::Arc;
use switchboard::Ending;
use switchboard::frame::{Protocol, Role};
use switchboard::server::Limits;
use switchboard::transport::fault::{Fault, Injected, Plan};
use switchboard::transport::{Faults, Faulty, pair};

/// A client's end of a stream whose server's end has these faults.
fn adopted(served: &Served, faults: Faults) -> Stream {
    let (ours, theirs) = pair().unwrap();
    let faulty = Faulty::new(Arc::new(theirs), faults);
    served.running.handle().adopt(Arc::new(faulty)).unwrap();
    Arc::new(ours)
}

#[test]
fn a_stream_with_faults_gives_the_same_answers() {
    let faults = [
        Faults::new(1).bytes_per_call(1),
        Faults::new(2).interrupts(1000),
        Faults::new(3).would_blocks(1000),
        Faults::new(4).bytes_per_call(1).interrupts(1000).would_blocks(1000),
        Faults::new(5).cuts().interrupts(300).would_blocks(300),
    ];
    let mut messages: Vec<_> = (0..300).map(|i| format!("message {i}").into_bytes()).collect();
    messages.push(pattern(20_000));
    messages.push(Vec::new());
    let bytes = requests("u32be", &messages);
    for case in dispatchers(Over::Pair) {
        let served = case.start("u32be", &Limits::default(), echo);
        for (number, faults) in (1..).zip(faults) {
            let stream = adopted(&served, faults);
            assert!(exchange(&*stream, &[&bytes]).unwrap() == bytes, "{case}, {faults:?}");
            drop(stream);
            served.ended(Ending::Finished, number);
        }
    }
}

#[test]
fn a_peer_that_cuts_and_glues_gets_the_same_answers() {
    let protocol: Protocol = "u32be".parse().unwrap();
    let plans = [
        &["split(every=1, gap=0ms)"][..],
        &["split(field, gap=0ms)", "dup@c2s msg:301"],
        &["split(at=3, gap=0ms)@c2s every:3", "split(every=5, gap=0ms)@s2c p:0.5"],
    ];
    let mut messages: Vec<_> = (0..300).map(|i| format!("message {i}").into_bytes()).collect();
    messages.push(Vec::new());
    let bytes = requests("u32be", &messages);
    for case in dispatchers(Over::Pair) {
        let served = case.start("u32be", &Limits::default(), echo);
        for (number, faults) in (1..).zip(plans) {
            let plan = faults.iter().map(|fault| fault.parse::<Fault>().unwrap());
            let plan = Plan::new(plan, Some(&protocol)).unwrap();
            let (ours, theirs) = pair().unwrap();
            let theirs = Arc::new(theirs);
            let there = Injected::new(theirs, Role::Server, &plan, Some(&protocol), 7, 1, drop);
            served.running.handle().adopt(Arc::new(there)).unwrap();
            // An empty message twice is an empty answer more.
            let mut expected = bytes.clone();
            expected.extend(if number == 2 { &[0; 4][..] } else { &[] });
            let ours: Stream = Arc::new(ours);
            assert!(exchange(&*ours, &[&bytes]).unwrap() == expected, "{case}, {faults:?}");
            drop(ours);
            served.ended(Ending::Finished, number);
        }
    }
}

#[test]
fn a_stream_that_breaks_is_told() {
    for case in dispatchers(Over::Pair) {
        for (faults, ending) in [
            (Faults::new(1).end_after(10), Ending::Finished),
            (Faults::new(2).end_after(12), Ending::Truncated),
            (Faults::new(3).reset_after(12), Ending::Reset),
            (Faults::new(4).bytes_per_call(1).end_after(12), Ending::Truncated),
        ] {
            let served = case.start("u32be", &Limits::default(), echo);
            let stream = adopted(&served, faults);
            write_all(&*stream, &requests("u32be", &["a", "b", "c"])).unwrap();
            if ending != Ending::Reset {
                assert_eq!(read_to_end(&*stream, 4).unwrap(), requests("u32be", &["a", "b"]));
            }
            drop(stream);
            served.ended(ending, 1);
        }
    }
}
