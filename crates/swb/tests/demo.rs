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
    assert_eq!(rows.len(), 26, "a heading, eight framings, three dispatchers, a sum: {stdout}");
    for (number, row) in rows[1..25].iter().enumerate() {
        let fields: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(fields[2], ["processes", "threads", "events"][number % 3], "{row}");
        let messages: u64 = fields[3].parse().expect("a number of messages");
        assert!(messages > 0, "{row}");
        let endings: Vec<u64> = fields[6].split('/').map(|n| n.parse().expect("a count")).collect();
        assert!(endings[0] > 0 && endings[1] > 0, "{row}");
        assert_eq!(fields[1] != "unix", endings[2] > 0, "a Unix socket has no reset: {row}");
    }
    for over in ["tcp", "tls", "unix"] {
        let rows = rows.iter().filter(|row| row.split_whitespace().nth(1) == Some(over));
        assert_eq!(rows.count(), 8, "each dispatcher over each of the three: {stdout}");
    }
    assert!(stderr.contains("try next:"), "{stderr}");
}
