//! What cannot be done with processes is refused, in words.

use crate::answers::echo;
use crate::help::*;
use std::sync::Arc;
use std::sync::mpsc::channel;
use switchboard::server::{Limits, Reply, SlowPeer};
use switchboard::transport::pair;
use switchboard::{Dispatch, Listener, Server};

tests! {
    a_process_with_other_threads_is_not_forked,
    a_sender_is_refused,
    what_another_process_serves_takes_no_stream,
    what_serving_said_reaches_the_front,
}

fn a_process_with_other_threads_is_not_forked() {
    for case in dispatchers(Over::Tcp) {
        let (go, waits) = channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || waits.recv());
            let started = case.server("lines", &Limits::default()).start(echo).map(drop);
            let served = case.server("lines", &Limits::default()).serve(echo).map(drop);
            drop(go);
            for outcome in [started, served] {
                let error = outcome.unwrap_err();
                let text = error.to_string();
                assert!(error.is_caller() && text.contains("has 2 threads"), "{case}: {text}");
                assert!(text.contains("before other threads are started"), "{case}: {text}");
            }
        });
        // And once they are gone nothing is in the way.
        let served = case.start("lines", &Limits::default(), echo);
        assert_eq!(&*served.client().request(b"hello").unwrap(), b"hello", "{case}");
        served.stop();
    }
}

fn a_sender_is_refused() {
    for case in dispatchers(Over::Tcp) {
        let served = case.start("lines", &Limits::default(), || {
            |_: &[u8], reply: &mut Reply<'_>| {
                let error = reply.sender(SlowPeer::Wait).unwrap_err();
                assert!(error.is_caller());
                reply.send(error.to_string().as_bytes())
            }
        });
        let text = served.client().request(b"a sender, please").unwrap().to_vec();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("other processes do not reach this conversation"), "{text}");
        assert!(text.contains("use threads or events"), "{text}");
    }
}

fn what_another_process_serves_takes_no_stream() {
    let case = dispatchers(Over::Tcp).remove(0);
    let served = case.start("lines", &Limits::default(), echo);
    let (_ours, theirs) = pair().unwrap();
    let error = served.running.handle().adopt(Arc::new(theirs)).unwrap_err();
    assert!(error.is_caller() && error.to_string().contains("adopt it before start"), "{error}");
}

fn what_serving_said_reaches_the_front() {
    for dispatch in [Dispatch::processes(), Dispatch::processes().with_pool(2)] {
        let listener = Listener::listen("127.0.0.1:0").unwrap();
        for descriptor in listener.descriptors() {
            rustix::net::shutdown(descriptor, rustix::net::Shutdown::Both).unwrap();
        }
        let server = Server::new("lines").unwrap().with_listener(listener);
        let running = server.with_dispatch(dispatch).start(echo).unwrap();
        let error = running.join().unwrap_err();
        assert!(error.to_string().starts_with("cannot accept on tcp://127.0.0.1:"), "{error}");
    }
}
