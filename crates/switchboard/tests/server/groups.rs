//! One message for many conversations.

use crate::help::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use switchboard::server::{Group, Limits, Reply, Sender, SlowPeer};
use switchboard::transport::{Trace, TraceEvent, pair};
use switchboard::{Conversation, Ending, Error, limits};

const SUBSCRIBERS: usize = 20;

/// A service whose conversations join at `join` and leave at `leave`, which is answered; whatever
/// else one says, the group hears.
fn service(
    group: &Group,
    policy: SlowPeer,
) -> impl Fn(&[u8], &mut Reply<'_>) -> Result<(), Error> + Clone + use<> {
    let group = group.clone();
    move |message: &[u8], reply: &mut Reply<'_>| {
        match message {
            b"join" => group.join(reply.sender(policy)?)?,
            b"leave" => group.leave(&reply.sender(policy)?),
            message => {
                group.send(message);
                return Ok(());
            }
        }
        reply.send(message)
    }
}

fn serve(case: &Case, framing: &str, policy: SlowPeer) -> (Served, Group) {
    let group = Group::new();
    let serve = service(&group, policy);
    (case.start(framing, &Limits::default(), move || serve.clone()), group)
}

fn joined(served: &Served) -> Conversation {
    let mut client = served.client();
    assert_eq!(&*client.request(b"join").unwrap(), b"join");
    client
}

fn hear(client: &mut Conversation) -> Vec<u8> {
    client.recv_owned().unwrap().unwrap()
}

#[test]
fn what_one_says_all_members_hear() {
    for case in cases() {
        let (served, group) = serve(&case, "u32be", SlowPeer::Disconnect);
        let mut members: Vec<_> = (0..SUBSCRIBERS).map(|_| joined(&served)).collect();
        let mut stranger = served.client();
        // Many together, more than are gathered in one batch, none of them lost or moved.
        let mut said: Vec<_> = (0..300).map(|i| format!("message {i}").into_bytes()).collect();
        said.push(pattern(100_000));
        said.push(Vec::new());
        said.extend((0..3).map(|_| pattern(40_000)));
        stranger.send_many(&said).unwrap();
        for member in &mut members {
            for message in &said {
                assert!(hear(member) == *message, "{case}");
            }
        }
        // And from a thread that serves nobody: at once.
        group.send("from elsewhere");
        for member in &mut members {
            assert_eq!(hear(member), b"from elsewhere", "{case}");
        }
        assert_eq!(group.len(), SUBSCRIBERS, "{case}");
        let heard = (SUBSCRIBERS * (said.len() + 2)) as u64;
        // A member may hear of a message before it is counted.
        served.wait_for("all are counted", |stats| stats.messages_sent == heard);
    }
}

#[test]
fn who_joins_hears_what_is_said_then_and_who_leaves_what_was_said_before() {
    for case in cases() {
        let (served, _) = serve(&case, "u32be", SlowPeer::Disconnect);
        let mut first = joined(&served);
        let mut second = served.client();
        // In one turn, perhaps: what is gathered is no reason to hear too much, or too little.
        second.send_many(["before", "join", "with both", "leave", "after"]).unwrap();
        for expected in ["before", "with both", "after"] {
            assert_eq!(hear(&mut first), expected.as_bytes(), "{case}");
        }
        second.finish().unwrap();
        let mut heard: Vec<_> = std::iter::from_fn(|| second.recv_owned().unwrap()).collect();
        heard.sort();
        assert_eq!(heard, [&b"join"[..], b"leave", b"with both"], "{case}");
    }
}

/// A member whose server has been told to stop, or that is over, has left.
#[test]
fn who_is_over_has_left() {
    for case in cases() {
        let (served, group) = serve(&case, "u32be", SlowPeer::Disconnect);
        assert!(group.is_empty());
        let members: Vec<_> = (0..3).map(|_| joined(&served)).collect();
        assert_eq!(group.len(), 3, "{case}");
        members.into_iter().for_each(|member| member.close().unwrap());
        served.ended(Ending::Finished, 3);
        assert_eq!(format!("{group:?}"), "Group { members: 3 }");
        group.send("to nobody");
        assert_eq!(format!("{group:?}"), "Group { members: 0 }");
        // Nor are they held where many come and go and nobody says anything.
        for _ in 0..100 {
            joined(&served).close().unwrap();
        }
        served.ended(Ending::Finished, 103);
        drop(joined(&served));
        let told = format!("{group:?}");
        let held = told.trim_matches(|c: char| !c.is_ascii_digit()).parse::<usize>().unwrap();
        assert!(held < 100, "{case}: {held} are held who have left");
    }
}

/// What one service says to one conversation arrives as it was said, by whatever way.
#[test]
fn a_group_and_a_sender_keep_the_order() {
    for case in cases() {
        let group = Group::new();
        let member = Noted::<Option<Sender>>::new();
        let (theirs, seen) = (group.clone(), member.clone());
        let served = case.start("u32be", &Limits::default(), move || {
            let (group, member) = (theirs.clone(), seen.clone());
            move |message: &[u8], reply: &mut Reply<'_>| {
                if message == b"join" {
                    let sender = reply.sender(SlowPeer::Disconnect)?;
                    group.join(sender.clone())?;
                    member.change(|member| *member = Some(sender));
                    return reply.send(message);
                }
                let sender = member.lock().clone().unwrap();
                for round in 0..100_u32 {
                    group.send(format!("group {round}"));
                    if round % 3 == 0 {
                        sender.send(format!("sender {round}"))?;
                    }
                }
                Ok(())
            }
        });
        let mut member = joined(&served);
        let mut other = served.client();
        other.send(b"go").unwrap();
        for round in 0..100 {
            assert_eq!(hear(&mut member), format!("group {round}").as_bytes(), "{case}");
            if round % 3 == 0 {
                assert_eq!(hear(&mut member), format!("sender {round}").as_bytes(), "{case}");
            }
        }
    }
}

#[test]
fn a_group_waits_for_nobody() {
    let (served, group) = serve(&one_loop(Over::Pair), "u32be", SlowPeer::Wait);
    let mut client = served.client();
    client.send(b"join").unwrap();
    assert!(client.recv().unwrap_err().is_reset());
    drop(client);
    assert_eq!(served.ended(Ending::Stopped, 1).failed, 1);
    assert!(group.is_empty());
    let mailbox = Noted::<Option<Sender>>::new();
    let theirs = mailbox.clone();
    let served = one_loop(Over::Pair).start("u32be", &Limits::default(), move || {
        let mailbox = theirs.clone();
        move |_: &[u8], reply: &mut Reply<'_>| {
            let sender = reply.sender(SlowPeer::Wait).unwrap();
            mailbox.change(|mailbox| *mailbox = Some(sender));
        }
    });
    served.client().send(b"give").unwrap();
    mailbox.wait(Option::is_some);
    let error = group.join(mailbox.lock().clone().unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a group does not wait for its slowest member: make the sender with another policy"
    );
}

/// A member that takes nothing costs the others nothing, and what is held for it is bounded.
#[test]
fn a_slow_member_fares_as_its_policy_says() {
    const MESSAGES: u8 = 200;
    let message = |n: u8| [&[n][..], &[7; 64 << 10]].concat();
    let held_max = limits::SENDER_BYTES_MAX + limits::QUEUE_HIGH_BYTES + (1 << 20);
    for case in cases() {
        for policy in [SlowPeer::DropNewest, SlowPeer::DropOldest, SlowPeer::Disconnect] {
            let (group, senders) = (Group::new(), Noted::<Vec<Sender>>::new());
            let (theirs, noted) = (group.clone(), senders.clone());
            let served = case.start("u32be", &Limits::default(), move || {
                let (group, senders) = (theirs.clone(), noted.clone());
                move |message: &[u8], reply: &mut Reply<'_>| {
                    let sender = reply.sender(policy)?;
                    group.join(sender.clone())?;
                    senders.change(|senders| senders.push(sender));
                    reply.send(message)
                }
            });
            let (mut slow, mut quick) = (joined(&served), joined(&served));
            for n in 0..MESSAGES {
                group.send(message(n));
                assert!(hear(&mut quick) == message(n), "{case}, {policy:?}: {n}");
                assert!(served.stats().queued_bytes < held_max as u64, "{case}, {policy:?}");
            }
            if policy == SlowPeer::Disconnect {
                served.wait_for("one cut off", |stats| stats.endings.count(Ending::Stopped) == 1);
                assert_eq!(group.len(), 1, "{case}");
                continue;
            }
            let dropped = senders.lock()[0].dropped();
            assert!(dropped > 0 && senders.lock()[1].dropped() == 0, "{case}, {policy:?}");
            let rest = u64::from(MESSAGES) - dropped;
            let heard: Vec<u8> = (0..rest).map(|_| hear(&mut slow)[0]).collect();
            assert!(heard.is_sorted(), "{case}, {policy:?}: {heard:?}");
            // The newest are missing, or the oldest: how many had gone before, the system decides.
            let (kept, found) = match policy {
                SlowPeer::DropNewest => (0, heard.first()),
                _ => (MESSAGES - 1, heard.last()),
            };
            assert_eq!(found, Some(&kept), "{case}, {policy:?}: {heard:?}");
            group.send("and on");
            assert_eq!(hear(&mut slow), b"and on", "{case}, {policy:?}");
        }
    }
}

/// Each hears it as its own conversation is framed.
#[test]
fn members_may_frame_differently() {
    for case in cases() {
        let group = Group::new();
        let serve = service(&group, SlowPeer::Disconnect);
        let switching = move |message: &[u8], reply: &mut Reply<'_>| {
            if message == b"lines" {
                reply.set_framing(&"lines".parse().unwrap());
                return Ok(());
            }
            serve(message, reply)
        };
        let one = {
            let switching = switching.clone();
            case.start("u32be", &Limits::default(), move || switching.clone())
        };
        let another = case.start("netstring", &Limits::default(), move || switching.clone());
        let mut switched = one.client();
        switched.send(b"lines").unwrap();
        switched.set_framing(&"lines".parse().unwrap());
        assert_eq!(&*switched.request(b"join").unwrap(), b"join");
        let mut members = [joined(&one), joined(&another), switched, joined(&one)];
        for message in ["one", "two", "three"] {
            group.send(message);
        }
        one.client().send_many(["four", "five"]).unwrap();
        for member in &mut members {
            for message in ["one", "two", "three", "four", "five"] {
                assert_eq!(hear(member), message.as_bytes(), "{case}");
            }
        }
        // Not a line: that ends this conversation, and no other.
        group.send("two\nlines");
        group.send("and on");
        for (number, member) in members.iter_mut().enumerate() {
            if number == 2 {
                // What lay behind it in the same queue may still come, and then the reset.
                assert_eq!(messages_out(member).1, case.has_resets(), "{case}");
            } else {
                assert_eq!(hear(member), b"two\nlines", "{case}");
                assert_eq!(hear(member), b"and on", "{case}");
            }
        }
        assert_eq!((one.stats().failed, another.stats().failed), (1, 0), "{case}");
    }
}

/// Framings in which what is written next depends on what was written so far.
#[test]
fn members_may_be_at_different_places_of_their_stream() {
    for case in cases() {
        let group = Group::new();
        let serve = service(&group, SlowPeer::Disconnect);
        let quiet = move |message: &[u8], reply: &mut Reply<'_>| {
            if matches!(message, b"begin" | b"hello") {
                group.join(reply.sender(SlowPeer::Disconnect)?)?;
            }
            if message == b"begin" { reply.send(b"first") } else { serve(message, reply) }
        };
        let served = case.start("fixed:5 ; u16be", &Limits::default(), move || quiet.clone());
        let mut begun = served.client();
        assert_eq!(&*begun.request(b"begin").unwrap(), b"first");
        let mut other = served.client();
        // The first that it hears is its first: no other length will do.
        other.send_many(["hello", "world", "of all lengths"]).unwrap();
        for member in [&mut begun, &mut other] {
            for expected in ["hello", "world", "of all lengths"] {
                assert_eq!(hear(member), expected.as_bytes(), "{case}");
            }
        }
    }
}

#[test]
fn what_was_said_before_a_panic_is_heard() {
    for case in cases() {
        let group = Group::new();
        let serve = service(&group, SlowPeer::Disconnect);
        let served = case.start("u32be", &Limits::default(), move || {
            let serve = serve.clone();
            move |message: &[u8], reply: &mut Reply<'_>| {
                serve(message, reply)?;
                assert!(message != b"last words", "as the test wants it");
                Ok::<(), Error>(())
            }
        });
        let mut member = joined(&served);
        let mut other = served.client();
        other.send_many(["first words", "last words"]).unwrap();
        assert_eq!(hear(&mut member), b"first words", "{case}");
        assert_eq!(hear(&mut member), b"last words", "{case}");
    }
}

/// What comes in one read goes out in one write to each.
#[test]
fn a_batch_is_one_write_to_each_member() {
    const MESSAGES: usize = 64;
    for case in dispatchers(Over::Pair) {
        let (served, _) = serve(&case, "u32be", SlowPeer::Disconnect);
        let writes = Arc::new(AtomicUsize::new(0));
        let mut members: Vec<_> = (0..SUBSCRIBERS)
            .map(|_| {
                let (ours, theirs) = pair().unwrap();
                let writes = Arc::clone(&writes);
                let counted = Trace::new(Arc::new(theirs), move |event| {
                    let is_write = matches!(event, TraceEvent::Written(_));
                    writes.fetch_add(usize::from(is_write), Ordering::Relaxed);
                });
                served.running.handle().adopt(Arc::new(counted)).unwrap();
                let mut client = Conversation::over(Arc::new(ours), &"u32be".parse().unwrap());
                assert_eq!(&*client.request(b"join").unwrap(), b"join", "{case}");
                client
            })
            .collect();
        let publisher = served.connect();
        for _ in 0..10 {
            write_all(&*publisher, &requests("u32be", &vec![pattern(64); MESSAGES])).unwrap();
            for member in &mut members {
                for _ in 0..MESSAGES {
                    assert!(hear(member) == pattern(64), "{case}");
                }
            }
        }
        drop((members, publisher));
        served.stop();
        // And one before, to each that joined.
        assert_eq!(writes.load(Ordering::Relaxed), 11 * SUBSCRIBERS, "{case}");
    }
}
