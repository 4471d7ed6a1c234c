//! The results as JUnit writes its own, which is what shows them in a workflow reads.
//!
//! **Invariant:** the file is that of this run from its start on, and it is green only if the run
//! came to its end: what stood in the way of that is an error in it, as is that it is under way.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::probe::{Finding, Verdict};
use super::report::{Result, as_text};
use crate::exit::Failure;

pub(super) struct Junit {
    path: PathBuf,
    file: File,
}

impl Junit {
    /// Makes the file, so that one that cannot be written is told before anything is asked, and
    /// that nobody reads an older one.
    pub(super) fn create(path: &Path) -> std::result::Result<Junit, Failure> {
        let file = File::create(path).map_err(|error| cannot_write(path, &error))?;
        let junit = Junit { path: path.to_owned(), file };
        // What is no file, a pipe say, cannot be written twice.
        if junit.file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            junit.write(&[], Duration::ZERO, Some("the doctor was killed"))?;
        }
        Ok(junit)
    }

    /// Writes all of it, in place of what is there; `trouble` is why the run did not come to its
    /// end, if it did not.
    pub(super) fn write(
        &self,
        results: &[&Result],
        took: Duration,
        trouble: Option<&str>,
    ) -> std::result::Result<(), Failure> {
        let text = suite(results, took, trouble);
        let mut file = &self.file;
        // Neither can be done to a pipe, nor need it.
        let _ = file.rewind().and_then(|()| file.set_len(0));
        file.write_all(text.as_bytes()).map_err(|error| cannot_write(&self.path, &error))
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format_args!("--junit: cannot write {}: {error}", path.display()))
}

fn suite(results: &[&Result], took: Duration, trouble: Option<&str>) -> String {
    let count = |is: fn(Verdict) -> bool| results.iter().filter(|it| is(it.verdict())).count();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"swb doctor\" tests=\"{}\" \
         failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3}\">\n",
        results.len() + usize::from(trouble.is_some()),
        count(|verdict| verdict == Verdict::Failed),
        usize::from(trouble.is_some()),
        count(has_no_answer),
        took.as_secs_f64()
    );
    for result in results {
        let name = format!("{} {}", result.probe.id, result.probe.name);
        text += &case(&name, result.took, &what_of(result));
    }
    if let Some(trouble) = trouble {
        let error = format!("<error type=\"error\" message=\"{}\"/>", xml(trouble));
        text += &case("the run", took, &error);
    }
    text + "</testsuite>\n"
}

fn case(name: &str, took: Duration, what: &str) -> String {
    let (name, seconds) = (xml(name), took.as_secs_f64());
    format!(
        "  <testcase classname=\"doctor\" name=\"{name}\" time=\"{seconds:.3}\">{what}</testcase>\n"
    )
}

fn what_of(result: &Result) -> String {
    match &result.worst {
        None => String::new(),
        Some(Finding { verdict: Verdict::Failed, came, .. }) => {
            let (came, text) = (xml(came), xml(&as_text(result, None)));
            format!("<failure type=\"failed\" message=\"{came}\">{text}</failure>")
        }
        Some(Finding { verdict, came, .. }) if has_no_answer(*verdict) => {
            format!("<skipped message=\"{}: {}\"/>", verdict.word(), xml(came))
        }
        Some(_) => format!("<system-out>{}</system-out>", xml(&as_text(result, None))),
    }
}

/// It is neither good nor bad.
fn has_no_answer(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Skipped | Verdict::Inconclusive)
}

fn xml(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // XML has no way to write these.
            c if c.is_control() && c != '\n' => out.push('\u{fffd}'),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
