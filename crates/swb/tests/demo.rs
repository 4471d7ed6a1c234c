//! The README's first command.

use std::process::Command;

#[test]
fn the_demo_is_right_to_the_byte() {
    let demo = Command::new(env!("CARGO_BIN_EXE_swb"))
        .args(["demo", "--time", "200ms", "--seed", "7"])
        .output()
        .expect("swb runs");
    let stdout = String::from_utf8_lossy(&demo.stdout);
    let stderr = String::from_utf8_lossy(&demo.stderr);
    assert_eq!(demo.status.code(), Some(0), "{stdout}{stderr}");
    let rows: Vec<&str> = stdout.lines().collect();
    assert_eq!(rows.len(), 18, "a heading, eight framings under two dispatchers, a sum: {stdout}");
    for (number, row) in rows[1..17].iter().enumerate() {
        let fields: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(fields[2], ["threads", "events"][number % 2], "{row}");
        let messages: u64 = fields[3].parse().expect("a number of messages");
        assert!(messages > 0, "{row}");
        let endings: Vec<u64> = fields[6].split('/').map(|n| n.parse().expect("a count")).collect();
        assert!(endings[0] > 0 && endings[1] > 0, "{row}");
        assert_eq!(fields[1] == "tcp", endings[2] > 0, "a Unix socket has no reset: {row}");
    }
    assert!(stderr.contains("try next:"), "{stderr}");
}
