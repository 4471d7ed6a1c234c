//! A server of the demo: echoes every message and notes how every conversation ended.

use super::framings::DemoFraming;
use super::over::{Identity, Over};
use super::round::Tally;
use crate::exit::{Exit, Failure};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use switchboard::server::{Dispatch, Endings, Reply, Running, Server, Service};
use switchboard::{Ending, Endpoint, Error, Message};

pub(super) struct EchoServer {
    pub(super) framing: &'static DemoFraming,
    pub(super) endpoint: Endpoint,
    pub(super) dispatch: Dispatch,
    pub(super) over: Over,
    /// A file, since the services of one server may be in many processes.
    notes: PathBuf,
    running: Running,
}

impl EchoServer {
    pub(super) fn start(
        framing: &'static DemoFraming,
        dispatch: Dispatch,
        over: Over,
        (identity, directory): (&Identity, &Path),
    ) -> Result<EchoServer, Failure> {
        let cannot_listen = |error: Error| Failure::new(Exit::Unreachable, error);
        let path = directory.join(format!("{}-{dispatch}", framing.spec));
        let endpoint = over.endpoint(&path).parse().map_err(Failure::usage)?;
        let protocol = framing.protocol().map_err(Failure::usage)?;
        let server = Server::of(&protocol).with_dispatch(dispatch.clone());
        let server = server.listen_on(&endpoint, &identity.listen_options(over));
        let server = server.map_err(cannot_listen)?;
        let notes = path.with_extension("notes");
        let file = File::options().create_new(true).append(true).open(&notes);
        let file = Arc::new(file.map_err(|error| {
            Failure::usage(format_args!("cannot write to {}: {error}", notes.display()))
        })?);
        let running = server.start(move || Echo(Arc::clone(&file))).map_err(cannot_listen)?;
        let endpoint = running.endpoints().first().cloned();
        let endpoint = endpoint.ok_or_else(|| Failure::usage("a server listens nowhere"))?;
        Ok(EchoServer { framing, endpoint, dispatch, over, notes, running })
    }

    /// `lines over tcp under events`.
    pub(super) fn name(&self) -> String {
        format!("{} over {} under {}", self.framing.spec, self.over, self.dispatch)
    }

    /// How the conversations so far have ended.
    pub(super) fn endings(&self) -> Endings {
        self.running.handle().stats().endings
    }

    /// Ends it: how its conversations ended, and whatever of that is not as the clients made it.
    pub(super) fn stop(self, tally: &Tally) -> (Endings, Vec<String>) {
        let spec = self.name();
        let endings = match self.running.stop() {
            Ok(stats) if stats.open == 0 && stats.panicked == 0 && stats.crashed == 0 => {
                stats.endings
            }
            Ok(stats) => return (stats.endings, vec![format!("{spec}: it ended as {stats:?}")]),
            Err(error) => return (Endings::default(), vec![format!("{spec}: {error}")]),
        };
        let mut wrong = Vec::new();
        let made = [
            (Ending::Finished, tally.finished()),
            (Ending::Truncated, tally.partials().len() as u64),
            (Ending::Reset, tally.resets()),
        ];
        for (ending, made) in made {
            let told = endings.count(ending);
            if told != made {
                wrong.push(format!("{spec}: {made} conversations {ending}, the server saw {told}"));
            }
        }
        wrong.extend(
            compare_notes(&self.notes, tally).into_iter().map(|why| format!("{spec}: {why}")),
        );
        (endings, wrong)
    }
}

/// Whether the services were told what had arrived of every message that stayed incomplete.
fn compare_notes(notes: &Path, tally: &Tally) -> Vec<String> {
    let notes = match fs::read_to_string(notes) {
        Ok(notes) => notes,
        Err(error) => return vec![format!("its notes cannot be read: {error}")],
    };
    let (mut told, other): (Vec<&str>, Vec<&str>) =
        notes.lines().partition(|note| note.starts_with(TRUNCATED));
    let mut wrong: Vec<String> =
        other.iter().map(|note| format!("the server was told: {note}")).collect();
    let made = tally.partials();
    let mut made: Vec<String> = made.iter().map(|partial| truncated(partial)).collect();
    told.sort_unstable();
    made.sort_unstable();
    if told != made {
        let (made, told) = (made.len(), told.len());
        wrong.push(format!(
            "{made} messages were broken off, it saw {told}, or other bytes of them"
        ));
    }
    wrong
}

const TRUNCATED: &str = "truncated ";

fn truncated(partial: &[u8]) -> String {
    let hex: String = partial.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{TRUNCATED}{hex}")
}

/// Sends every message back, and notes how it ended.
struct Echo(Arc<File>);

impl Service for Echo {
    fn message(&mut self, message: Message<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
        reply.send(&message)
    }

    fn closed(&mut self, ending: Ending, error: Option<&Error>) {
        let note = match (ending, error) {
            (Ending::Finished, None) | (Ending::Reset, Some(_)) => return,
            (Ending::Truncated, Some(error)) => truncated(error.partial()),
            (_, Some(error)) => error.to_string(),
            (ending, None) => format!("an ending: {ending}"),
        };
        // One that cannot be written is missed when they are compared.
        let _ = (&*self.0).write_all(format!("{note}\n").as_bytes());
    }
}
