//! Who has ended is cleared away, and leaves nothing open.

use crate::answers::echo;
use crate::help::*;
use crate::proc;
use switchboard::Ending;
use switchboard::server::Limits;

tests! {
    ten_thousand_conversations_leave_nothing,
}

const CONVERSATIONS: u64 = 10_000;
const CLIENTS: u64 = 4;

fn ten_thousand_conversations_leave_nothing() {
    for case in dispatchers(Over::Unix) {
        let served = case.start("lines", &Limits::default(), echo);
        let master = proc::master();
        served.client().request(b"hello").unwrap();
        served.ended(Ending::Finished, 1);
        let before = (proc::children(master).len(), proc::descriptors(master));
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    for _ in 0..CONVERSATIONS / CLIENTS {
                        let mut client = served.client();
                        assert_eq!(&*client.request(b"hello").unwrap(), b"hello", "{case}");
                        client.close().unwrap();
                    }
                });
            }
        });
        served.ended(Ending::Finished, CONVERSATIONS + 1);
        let children = proc::children(master);
        assert!(children.iter().all(|(_, is_zombie)| !is_zombie), "{case}: {children:?}");
        assert_eq!((children.len(), proc::descriptors(master)), before, "{case}");
        served.stop();
        assert_eq!(proc::children(std::process::id()), [], "{case}");
    }
}
