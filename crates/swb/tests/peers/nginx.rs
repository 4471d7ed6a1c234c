//! nginx: `examples/fetch.rs` reads a page to the end of stream.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::harness::{Account, Process, Scratch, programs, run, skip};

#[test]
fn the_example_fetches_a_page_to_its_end() {
    let Some([nginx]) = programs(["nginx"]) else { return };
    // Examples lie beside the folder that test programs lie in.
    let here = std::env::current_exe().unwrap();
    let fetch = here.ancestors().nth(2).unwrap().join("examples/fetch");
    if !Path::new(&fetch).is_file() {
        skip("examples/fetch is not built; cargo build -p switchboard --examples makes it");
        return;
    }
    let scratch = Scratch::new("nginx");
    let account = Account::unprivileged();
    account.owns(scratch.path());
    let page: String = (0..50_000).map(|n| format!("line {n}\n")).collect();
    scratch.file("page.txt", &page);
    let (server, port) = Process::serve("start worker process ", |port| {
        let root = scratch.path().display();
        let configuration = scratch.file("nginx.conf", configuration(&root.to_string(), port));
        let mut command = Command::new(&nginx);
        command.args(["-e", "stderr", "-p"]).arg(scratch.path()).arg("-c").arg(configuration);
        account.runs(&mut command);
        command
    });
    let mut command = Command::new(&fetch);
    let fetched = run(command.args([format!("127.0.0.1:{port}"), "/page.txt".into()])).ok();
    assert!(fetched == page, "{} bytes of {}", fetched.len(), page.len());
    server.stop().ok();
    let log = fs::read_to_string(scratch.path().join("access.log")).unwrap();
    assert!(log.contains("GET /page.txt"), "nginx was not asked: {log}");
}

fn configuration(root: &str, port: u16) -> String {
    format!(
        "daemon off; worker_processes 1; pid {root}/nginx.pid; error_log stderr notice;
         events {{ worker_connections 64; }}
         http {{
             access_log {root}/access.log;
             client_body_temp_path {root}/t1; proxy_temp_path {root}/t2;
             fastcgi_temp_path {root}/t3; uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
             server {{ listen 127.0.0.1:{port}; root {root}; }}
         }}"
    )
}
