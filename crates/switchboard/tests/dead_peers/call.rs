//! Blocking clients, whose server is cut off.

use crate::mode::{MUCH_BYTES, Mode};
use crate::serve::{left, nothing_is_left, told};
use std::sync::Arc;
use std::thread;
use switchboard::{ConnectOptions, Conversation, Endpoint, Error};

pub(crate) fn run(mode: Mode) {
    let before = left();
    println!("ready");
    // Where the peers listen.
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let endpoint: Endpoint = line.trim().parse().unwrap();
    let clients = ["idle", "rest", "much"].map(|name| {
        let endpoint = endpoint.clone();
        thread::spawn(move || {
            let error = talk(&endpoint, name, mode).unwrap_err();
            told(name, error.ending().map_or("none", |ending| ending.name()), Some(&error));
        })
    });
    for client in clients {
        client.join().unwrap();
    }
    println!("over 0 -");
    nothing_is_left(before);
}

fn talk(endpoint: &Endpoint, name: &str, mode: Mode) -> Result<(), Error> {
    let options = ConnectOptions::default().with_liveness(mode.liveness());
    let transport: Arc<dyn switchboard::Transport> = endpoint.connect(&options)?;
    let conversation = Conversation::over(transport, &"u32be".parse().unwrap());
    let mut conversation = conversation.with_timeouts(mode.timeouts());
    conversation.request(name.as_bytes())?;
    if name == "much" {
        conversation.send(&vec![7; MUCH_BYTES])?;
    }
    conversation.recv()?;
    Ok(())
}
