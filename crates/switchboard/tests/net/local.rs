//! One conversation, unchanged, over each way to talk on one machine.

use crate::help::*;
use switchboard::server::Server;
use switchboard::{Conversation, Error};

fn echo(conversation: &mut Conversation) -> Result<(), Error> {
    while let Some(message) = conversation.recv_owned()? {
        conversation.queue(&message)?;
    }
    Ok(())
}

/// What a client saw: every reply, and how it ended.
fn talk(endpoint: &str, framing: &str) -> Vec<Option<Vec<u8>>> {
    let mut conversation = Conversation::connect(endpoint, framing).unwrap();
    let mut seen = vec![Some(conversation.request(b"first").unwrap().to_vec())];
    conversation.send_many([&b"second"[..], &[b'x'; 100_000], b"last"]).unwrap();
    conversation.finish().unwrap();
    loop {
        let message = conversation.recv_owned().unwrap();
        seen.push(message.clone());
        if message.is_none() {
            return seen;
        }
    }
}

#[test]
fn the_same_conversation_goes_over_tcp_unix_sockets_and_pipes() {
    let directory = Directory::new();
    let path = format!("unix:{}", directory.join("s").display());
    for framing in ["u32be", "lines", "netstring"] {
        let over_pipes = talk("exec:cat", framing);
        assert_eq!(over_pipes.len(), 5);
        assert_eq!(over_pipes[2].as_ref().map(Vec::len), Some(100_000));
        for endpoint in ["127.0.0.1:0", "[::1]:0", &path, &format!("unix:@{}", unique())] {
            let server = Server::new(framing).unwrap().listen(endpoint).unwrap();
            let server = server.with_conversations_in_all(1);
            let endpoint = server.endpoints()[0].to_string();
            let server = std::thread::spawn(|| server.serve_conversations(echo).unwrap());
            let seen = talk(&endpoint, framing);
            assert_eq!(seen, over_pipes, "{framing} over {endpoint}");
            assert_eq!(server.join().unwrap().failed, 0);
        }
    }
}
