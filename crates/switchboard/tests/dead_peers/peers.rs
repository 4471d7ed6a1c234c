//! The other side of the cable: peers that fall silent, each at another point, and who pulls it.
//!
//! They do as they are told, a line at a time on stdin, and answer each line when it is done.

use crate::link::ip;
use crate::mode::MUCH;
use std::io::{BufRead, Read, Write};
use std::net::{TcpListener, TcpStream};

pub(crate) fn run() {
    println!("here");
    // Kept until the end: nobody says goodbye.
    let mut streams = Vec::new();
    let mut listeners = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["plug"] => {
                // Behind a switch of its own: the other side is not told that the cable is pulled.
                ip("link add switchboard type bridge").unwrap();
                ip("link set switchboard1 master switchboard").unwrap();
                ip("addr add 10.77.0.2/24 dev switchboard").unwrap();
                ip("link set switchboard1 up").unwrap();
                ip("link set switchboard up").unwrap();
            }
            ["meet", server, ref names @ ..] => {
                streams.extend(names.iter().map(|name| meet(server, name)));
            }
            ["listen"] => {
                let listener = TcpListener::bind("10.77.0.2:0").unwrap();
                println!("{}", listener.local_addr().unwrap());
                listeners.push(listener);
                continue;
            }
            // From those who listen, in their order.
            ["accept", clients] => {
                let listener = listeners.remove(0);
                let clients = 0..clients.parse().unwrap();
                streams.extend(clients.map(|_: u32| accept(&listener)));
            }
            ["pull"] => ip("link set switchboard down").unwrap(),
            _ => panic!("what is {line}?"),
        }
        println!("done");
    }
}

/// Says hello, is answered, and then stops.
fn meet(server: &str, name: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.write_all(&frame(name.as_bytes())).unwrap();
    let mut answer = vec![0; 4 + name.len()];
    stream.read_exact(&mut answer).unwrap();
    stop(&mut stream, name, true);
    stream
}

/// Is said hello to, answers, and then stops.
fn accept(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().unwrap();
    let mut name = [0; 8];
    stream.read_exact(&mut name).unwrap();
    stream.write_all(&name).unwrap();
    stop(&mut stream, std::str::from_utf8(&name[4..]).unwrap(), false);
    stream
}

/// Falls silent: at once, amid a message, or once much is under way that it does not take.
fn stop(stream: &mut TcpStream, name: &str, asks: bool) {
    match name {
        "idle" => {}
        "rest" => stream.write_all(&frame(b"half of a message")[..12]).unwrap(),
        "much" => {
            if asks {
                stream.write_all(&frame(MUCH)).unwrap();
            }
            stream.peek(&mut [0]).unwrap();
        }
        _ => panic!("no such peer: {name}"),
    }
}

fn frame(message: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(message.len()).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(message);
    frame
}
