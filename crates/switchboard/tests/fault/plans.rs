//! What makes no plan, and why.

use crate::help::protocol;
use switchboard::deadline;
use switchboard::transport::fault::{Admission, Door, Fault, Plan};

fn refused(framing: &str, fault: &str) -> String {
    let fault = fault.parse::<Fault>().unwrap();
    Plan::new([fault], protocol(framing).as_ref()).unwrap_err().to_string()
}

#[test]
fn what_needs_messages_is_refused_without_a_framing() {
    for fault in [
        "drop",
        "dup",
        "reorder",
        "truncate",
        "length(max)",
        "delimiter-inject",
        "replace(\"x\")",
        "inject(\"x\")",
        "glue(1.5)",
        "split(field)",
        "coalesce(n=2)",
    ] {
        let told = refused("", fault);
        let name = fault.split('(').next().unwrap();
        let why = format!("{name} is about whole messages, and without a framing there are none");
        assert!(told.starts_with("fault 1, ") && told.contains(&why), "{told}");
    }
    for trigger in ["msg:7", "first:2", "every:10", "match:/x/"] {
        let told = refused("", &format!("reset {trigger}"));
        assert!(told.contains(&format!("{trigger} is about messages")), "{told}");
    }
    assert!(refused("", "flip").contains("needs a place: byte:1024, after:5s or p:0.01"));
}

#[test]
fn what_contradicts_itself_is_refused() {
    for (fault, why) in [
        ("refuse@c2s", "refuse is about a connection, which has no direction"),
        ("refuse msg:7", "refuse is about a connection: msg:7 does not go with it"),
        ("flap(1s, 1s) conn:1", "flap is about every connection: conn:1 does not go"),
        ("rst-for-fin msg:1", "the end of a direction, which comes once: msg:1"),
        ("limit-bytes(3) byte:1", "a conversation as a whole: byte:1 does not go"),
        ("heal(1s) msg:2", "a silence, whenever it began: msg:2 does not go"),
        ("reset msg:1 byte:1", "msg:1 and a byte are two places"),
        ("drop msg:3+2B", "the whole of a message, and msg:3+2B is a place in it"),
        ("inject(\"no/such/file\")", "cannot read no/such/file: "),
    ] {
        let told = refused("lines", fault);
        assert!(told.contains(why), "{fault}: {told}");
    }
}

#[test]
fn what_could_never_happen_is_refused_with_its_column() {
    for (framing, fault, column, why) in [
        ("raw", "reset msg:2", 7, "msg:2 is about messages, and without a framing"),
        ("raw", "drop@c2s match:/a/", 1, "drop is about whole messages"),
        ("", "split(every=1)@s2c byte:9 first:2", 27, "first:2 is about messages"),
        ("lines", "length(+1)", 1, "no message announces a length"),
        ("u32be", "delimiter-inject", 1, "no delimiter ends a message"),
        ("fixed:1", "split(field)", 1, "no field has two bytes"),
        ("lines", "drop@c2s msg:7 every:2", 16, "msg:7 happens once, so every:2 never does"),
        ("lines", "drop every:2 byte:7", 6, "byte:7 happens once, so every:2 never does"),
        ("lines", "refuse conn:3 every:2", 15, "conn:3 happens once, so every:2 never does"),
        ("lines", "heal(1s)@c2s", 1, "there is no silence in its direction"),
        ("lines", "refuse@c2s", 7, "a connection, which has no direction"),
        ("lines", "reset msg:1 byte:1", 7, "two places"),
        ("lines", "drop@s2c msg:3+2B", 10, "a place in it"),
        ("lines", "rst-for-fin@s2c after:1s msg:1", 26, "msg:1 does not go with it"),
    ] {
        let fault = fault.parse::<Fault>().unwrap();
        let told = Plan::new([fault.clone()], protocol(framing).as_ref()).unwrap_err();
        assert_eq!(told.column(), column, "{fault}: {told}");
        let told = told.to_string();
        let begin = format!("fault 1, {fault}: column {column}: ");
        assert!(told.starts_with(&begin) && told.contains(why), "{told}");
    }
}

#[test]
fn what_another_fault_leaves_nothing_to_is_refused() {
    let plan = |faults: [&str; 2]| {
        let faults = faults.map(|fault| fault.parse::<Fault>().unwrap());
        Plan::new(faults, protocol("lines").as_ref()).map(drop).map_err(|it| it.to_string())
    };
    for faults in [
        ["split(every=1)", "split(at=2)@c2s msg:7"],
        ["coalesce(n=2)@c2s", "glue(1.5)@c2s"],
        ["delay(1s)", "delay(2s) p:0.5"],
        ["drip(1)", "rate(64000)"],
        ["swallow-fin", "rst-for-fin@s2c"],
        ["flap(up=1s, down=1s)", "flap(up=2s, down=1s)"],
    ] {
        let told = plan(faults).unwrap_err();
        let begin = format!("fault 2, {}: column 1: {}, which is before it", faults[1], faults[0]);
        assert!(told.starts_with(&begin), "{told}");
        // The other way round both have something to do, if the first leaves that.
        if faults[1].contains(" p:") || faults[1].contains(" msg:") {
            plan([faults[1], faults[0]]).unwrap();
        }
    }
    plan(["split(every=1)@s2c", "split(at=2)@c2s"]).unwrap();
    plan(["heal(1s)@c2s", "deaf@s2c"]).unwrap_err();
    plan(["heal(1s)@c2s", "deaf"]).unwrap();
}

#[test]
fn what_does_not_go_together_is_refused() {
    let faults = ["blackhole", "heal(1s)"].map(|fault| fault.parse::<Fault>().unwrap());
    let told = Plan::new(faults.clone(), None).unwrap_err();
    assert_eq!(told.number(), 2);
    assert!(told.to_string().contains("with bytes missing"), "{told}");
    Plan::new(faults, protocol("lines").as_ref()).unwrap();
}

#[test]
fn a_file_has_to_be_a_message_of_the_framing() {
    let path = std::env::temp_dir().join(format!("switchboard-plan-{}", std::process::id()));
    std::fs::write(&path, "two\nlines").unwrap();
    let told = refused("lines", &format!("inject(\"{}\")", path.display()));
    std::fs::remove_file(&path).unwrap();
    assert!(told.contains("is no message of the client: "), "{told}");
}

#[test]
fn there_are_not_too_many() {
    let faults = || std::iter::repeat_n("reset".parse::<Fault>().unwrap(), 65);
    let told = Plan::new(faults(), None).unwrap_err().to_string();
    assert!(told.starts_with("fault 65, reset: column 1: there may be 64 faults"), "{told}");
    Plan::new(faults().take(64), None).unwrap();
}

#[test]
fn who_is_let_in() {
    let admissions = |faults: &[&str], millis: u64| {
        let faults = faults.iter().map(|fault| fault.parse::<Fault>().unwrap());
        let plan = Plan::new(faults, None).unwrap();
        let began = deadline::now();
        let mut door = Door::new(&plan, 7, began);
        let now = began + std::time::Duration::from_millis(millis);
        let mut records = Vec::new();
        let admit = |n| match door.admit(n, usize::try_from(n).unwrap() - 1, now, &mut records) {
            Admission::Enter { wait } if wait.is_zero() => "in".to_owned(),
            Admission::Enter { wait } => format!("in {wait:?}"),
            Admission::Refuse => "refused".to_owned(),
            Admission::Close { after } => format!("closed {after:?}"),
        };
        (1..=3).map(admit).collect::<Vec<_>>().join(", ")
    };
    for (faults, millis, expected) in [
        (&["refuse conn:2"][..], 0, "in, refused, in"),
        (&["refuse first:1"], 0, "refused, in, in"),
        (&["refuse every:2"], 0, "in, refused, in"),
        (&["refuse after:1s"], 999, "in, in, in"),
        (&["refuse after:1s"], 1000, "refused, refused, refused"),
        (&["accept-then-close(1s) conn:3"], 0, "in, in, closed 1s"),
        (&["slow-accept(2s) conn:1", "refuse conn:2"], 0, "in 2s, refused, in"),
        (&["limit-conns(2)"], 0, "in, in, refused"),
        (&["flap(up=5s, down=1s)"], 4_999, "in, in, in"),
        (&["flap(up=5s, down=1s)"], 5_500, "refused, refused, refused"),
        (&["flap(up=5s, down=1s)"], 6_000, "in, in, in"),
    ] {
        assert_eq!(admissions(faults, millis), expected, "{faults:?}");
    }
}
