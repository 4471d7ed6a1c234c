//! A peer that is done sending still gets every reply.

use crate::answers::echo;
use crate::help::*;
use switchboard::server::{Limits, Reply, Service};
use switchboard::{Ending, Error, Message};

everywhere! {
    three_hundred_replies_come_after_a_half_close,
    replies_larger_than_the_kernels_buffers_come_after_a_half_close,
    a_service_may_go_on_sending_after_it,
    much_may_be_sent_after_it,
    closing_delivers_everything_and_then_lingers,
}

/// More in `.ci/run`, by `SWITCHBOARD_RUNS`.
fn runs() -> usize {
    let runs = std::env::var("SWITCHBOARD_RUNS").ok();
    runs.and_then(|runs| runs.parse().ok()).unwrap_or(20)
}

fn three_hundred_replies_come_after_a_half_close() {
    let requests_sent: Vec<_> = (0..300).map(|i| format!("request {i}").into_bytes()).collect();
    let bytes = requests("u32be", &requests_sent);
    for case in cases() {
        let served = case.start("u32be", &Limits::default(), echo);
        for run in 0..runs() {
            let stream = served.connect();
            write_all(&*stream, &bytes).unwrap();
            stream.finish().unwrap();
            let bite = [1, 7, 100, 4096][run % 4];
            let received = read_to_end(&*stream, bite).unwrap();
            assert_eq!(decoded("u32be", &received).len(), 300, "{case}, run {run}");
            assert!(received == bytes, "{case}, run {run}");
        }
        let stats = served.ended(Ending::Finished, runs() as u64);
        assert_eq!(stats.queued_bytes, 0, "{case}");
    }
}

fn replies_larger_than_the_kernels_buffers_come_after_a_half_close() {
    // 300 of 40 KiB: more than any socket holds, and each held back by what was before it.
    let reply = pattern(40 << 10);
    let bytes = requests("u32be", &[b"more"; 300]);
    for case in cases() {
        let served = case.start("u32be", &Limits::default(), {
            let reply = reply.clone();
            move || {
                let reply = reply.clone();
                move |_: &[u8], to: &mut Reply<'_>| to.send(&reply)
            }
        });
        let stream = served.connect();
        write_all(&*stream, &bytes).unwrap();
        stream.finish().unwrap();
        // Slowly: not before the server has as much queued as it may.
        served.wait_for("a queue", |stats| stats.queued_bytes >= 128 << 10);
        let received = read_to_end(&*stream, 3_000).unwrap();
        let messages = decoded("u32be", &received);
        assert_eq!(messages.len(), 300, "{case}");
        assert!(messages.iter().all(|message| *message == reply), "{case}");
        served.ended(Ending::Finished, 1);
    }
}

/// Goes on after the peer's half-close: a reply each tick, and then the end.
struct Afterwards(u32);

impl Service for Afterwards {
    fn message(&mut self, _: Message<'_>, _: &mut Reply<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn finished(&mut self, reply: &mut Reply<'_>) -> Result<(), Error> {
        self.0 = 3;
        reply.send(b"you are done, I am not")
    }

    fn tick(&mut self, reply: &mut Reply<'_>) -> Result<(), Error> {
        match self.0 {
            0 => return Ok(()),
            1 => {
                reply.send(b"now I am")?;
                reply.close();
            }
            _ => reply.send(b"more")?,
        }
        self.0 -= 1;
        Ok(())
    }
}

fn a_service_may_go_on_sending_after_it() {
    let limits = Limits { tick: Some(std::time::Duration::from_millis(5)), ..Limits::default() };
    for case in cases() {
        let served = case.start("lines", &limits, || Afterwards(0));
        let stream = served.connect();
        let received = exchange(&*stream, &[b"a\nb\n"]).unwrap();
        let expected = b"you are done, I am not\nmore\nmore\nnow I am\n";
        assert_eq!(received.escape_ascii().to_string(), expected.escape_ascii().to_string());
        served.ended(Ending::Finished, 1);
    }
}

fn much_may_be_sent_after_it() {
    struct Much;
    impl Service for Much {
        fn message(&mut self, _: Message<'_>, _: &mut Reply<'_>) -> Result<(), Error> {
            Ok(())
        }

        fn finished(&mut self, reply: &mut Reply<'_>) -> Result<(), Error> {
            for _ in 0..100 {
                reply.send(&pattern(50_000))?;
            }
            reply.close();
            let error = reply.send(b"too late").unwrap_err();
            assert!(error.is_caller(), "{error}");
            Ok(())
        }
    }
    for case in cases() {
        let served = case.start("u32be", &Limits::default(), || Much);
        let stream = served.connect();
        stream.finish().unwrap();
        let received = decoded("u32be", &read_to_end(&*stream, 5_000).unwrap());
        assert_eq!(received.len(), 100, "{case}");
        served.ended(Ending::Finished, 1);
    }
}

#[test]
fn a_service_may_finish_first_and_go_on_hearing() {
    for case in cases() {
        let heard = Noted::<Vec<Vec<u8>>>::new();
        let served = case.start("lines", &Limits::default(), {
            let heard = heard.clone();
            move || {
                let heard = heard.clone();
                move |message: &[u8], reply: &mut Reply<'_>| {
                    if message == b"last question" {
                        reply.send(b"last answer")?;
                        reply.finish();
                        assert!(reply.send(b"another").unwrap_err().is_caller());
                    }
                    heard.change(|heard| heard.push(message.to_vec()));
                    Ok(())
                }
            }
        });
        let stream = served.connect();
        write_all(&*stream, b"last question\n").unwrap();
        assert_eq!(read_to_end(&*stream, 100).unwrap(), b"last answer\n", "{case}");
        write_all(&*stream, b"still here\nand here\n").unwrap();
        heard.wait(|heard| heard.len() == 3);
        stream.finish().unwrap();
        served.ended(Ending::Finished, 1);
        assert_eq!(heard.lock()[1..], [b"still here".to_vec(), b"and here".to_vec()], "{case}");
    }
}

fn closing_delivers_everything_and_then_lingers() {
    let large = pattern(3 << 20);
    // A client may be slow on a busy machine.
    let limits = Limits { linger: PATIENCE, ..Limits::default() };
    for case in cases() {
        let served = case.start("u32be", &limits, {
            let large = large.clone();
            move || {
                let large = large.clone();
                move |_: &[u8], reply: &mut Reply<'_>| {
                    reply.send(&large)?;
                    reply.send(b"goodbye")?;
                    reply.close();
                    Ok(())
                }
            }
        });
        let stream = served.connect();
        // The second request is never looked at: unread, it would make the system send a reset.
        write_all(&*stream, &requests("u32be", &["one", "two"])).unwrap();
        served.wait_for("the end of the first", |stats| stats.messages_sent == 2);
        fill(&*stream, &[0; 10_000]);
        let received = decoded("u32be", &read_to_end(&*stream, 60_000).unwrap());
        assert_eq!(received.len(), 2, "{case}");
        assert!(received[0] == large && received[1] == b"goodbye", "{case}");
        drop(stream);
        let stats = served.ended(Ending::Stopped, 1);
        assert_eq!((stats.messages_received, stats.failed), (1, 0), "{case}");
    }
}
