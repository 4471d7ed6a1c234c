//! Streams that were given to a server before it began, and that pass through a fork.

use crate::answers::echo;
use crate::help::*;
use crate::proc;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use switchboard::server::Limits;
#[cfg(feature = "tls")]
use switchboard::transport::Transport;
use switchboard::transport::{Faults, Faulty, Unix, pair};
use switchboard::{Ending, Endpoint};

tests! {
    a_stream_with_faults_gives_the_same_answers,
    a_stream_that_breaks_is_told,
    a_program_is_heard_to_its_end,
    a_stream_in_memory_is_refused,
    over_tls_no_process_speaks_for_another,
}

/// A client's end of a stream of which the server is to have the other, with these faults.
fn adopt(server: &switchboard::Server, faults: Faults) -> Stream {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let faulty = Faulty::new(Arc::new(Unix::from(theirs)), faults);
    server.handle().adopt(Arc::new(faulty)).unwrap();
    Arc::new(Unix::from(ours))
}

fn a_stream_with_faults_gives_the_same_answers() {
    let faults = [
        Faults::new(1).bytes_per_call(1),
        Faults::new(2).interrupts(1000),
        Faults::new(3).would_blocks(1000),
        Faults::new(4).bytes_per_call(1).interrupts(1000).would_blocks(1000),
        Faults::new(5).cuts().interrupts(300).would_blocks(300),
    ];
    let mut messages: Vec<_> = (0..300).map(|i| format!("message {i}").into_bytes()).collect();
    messages.extend([pattern(20_000), Vec::new()]);
    let bytes = requests("u32be", &messages);
    for case in dispatchers(Over::Tcp) {
        let server = case.server("u32be", &Limits::default());
        let streams: Vec<_> = faults.iter().map(|faults| adopt(&server, *faults)).collect();
        let running = server.start(echo).unwrap();
        for (stream, faults) in streams.iter().zip(faults) {
            assert!(exchange(&**stream, &[&bytes]).unwrap() == bytes, "{case}, {faults:?}");
        }
        drop(streams);
        let stats = running.stop().unwrap();
        assert_eq!((stats.endings.count(Ending::Finished), stats.accepted), (5, 5), "{case}");
    }
}

fn a_stream_that_breaks_is_told() {
    for case in dispatchers(Over::Tcp) {
        for (faults, ending) in [
            (Faults::new(1).end_after(10), Ending::Finished),
            (Faults::new(2).end_after(12), Ending::Truncated),
            (Faults::new(3).reset_after(12), Ending::Reset),
        ] {
            let server = case.server("u32be", &Limits::default());
            let server = server.with_conversations_in_all(1);
            let stream = adopt(&server, faults);
            write_all(&*stream, &requests("u32be", &["a", "b", "c"])).unwrap();
            let running = server.start(echo).unwrap();
            // What the server has not read makes its end a reset, behind what it has sent.
            let _ = read_to_end(&*stream, 4);
            drop(stream);
            let stats = running.join().unwrap();
            assert_eq!(stats.endings.count(ending), 1, "{case}: {}", stats.endings);
        }
    }
}

fn a_program_is_heard_to_its_end() {
    for case in dispatchers(Over::Tcp) {
        let name = format!("processes-heard-{}-{}", std::process::id(), unique());
        let heard = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        // It ends its output, and then waits for the end of its input.
        let words = format!("exec:sh -c 'echo one; echo two; exec cat >{}'", heard.display());
        let stream = words.parse::<Endpoint>().unwrap().connect(&Default::default()).unwrap();
        let program = stream.process().unwrap().id();
        let server = case.server("lines", &Limits::default()).with_conversations_in_all(1);
        server.handle().adopt(stream).unwrap();
        let stats = server.start(echo).unwrap().join().unwrap();
        assert_eq!(stats.endings.count(Ending::Finished), 1, "{case}: {}", stats.endings);
        wait_until("its end", || if proc::runs(program) { Err("it runs") } else { Ok(()) });
        assert_eq!(std::fs::read_to_string(&heard).unwrap(), "one\ntwo\n", "{case}");
        std::fs::remove_file(&heard).unwrap();
    }
}

fn a_stream_in_memory_is_refused() {
    let case = dispatchers(Over::Tcp).remove(0);
    let server = case.server("lines", &Limits::default());
    let (_ours, theirs) = pair().unwrap();
    let error = server.handle().adopt(Arc::new(theirs)).unwrap_err();
    assert!(error.is_caller() && error.to_string().contains("in memory"), "{error}");
}

/// Both ends have agreed already, so whoever has a copy of one could speak in its name.
#[cfg(feature = "tls")]
fn over_tls_no_process_speaks_for_another() {
    use switchboard::transport::Tls;
    let agreed = || {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (ours, theirs) = (Arc::new(Unix::from(ours)), Arc::new(Unix::from(theirs)));
        let ours = Tls::client(ours, &crate::tls::client(), "localhost").unwrap();
        let theirs = Tls::server(theirs, &crate::tls::server()).unwrap();
        while ours.opening().is_some() || theirs.opening().is_some() {
            for end in [&ours, &theirs] {
                match end.flush() {
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    done => drop(done.unwrap()),
                }
            }
        }
        (ours, theirs)
    };
    let bytes = requests("u32be", &["one", "two"]);
    for case in dispatchers(Over::Tcp) {
        let server = case.server("u32be", &Limits::default());
        let streams = [(); 4].map(|()| {
            let (ours, theirs) = agreed();
            server.handle().adopt(Arc::new(theirs)).unwrap();
            ours
        });
        let running = server.start(echo).unwrap();
        for stream in &streams {
            let got = exchange(stream, &[&bytes]);
            assert!(matches!(&got, Ok(got) if *got == bytes), "{case} {got:?}");
        }
        drop(streams);
        let stats = running.stop().unwrap();
        assert_eq!((stats.endings.count(Ending::Finished), stats.accepted), (4, 4), "{case}");
    }
}

#[cfg(not(feature = "tls"))]
fn over_tls_no_process_speaks_for_another() {
    println!("skipped: without the feature tls there is no TLS");
}
