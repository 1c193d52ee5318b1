//! Delivery to a program: one process for each unit.

use std::ffi::OsString;
use std::io::{self, Seek, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use farlink_wire::bpv7::Eid;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use super::worker::{Ended, NotTaken, Queue, Sink};
use super::{OpenError, unit_name};
use crate::builtin::Delivery;

/// A program that takes units.
#[derive(Debug)]
pub(super) struct Program {
    program: OsString,
    arguments: Vec<OsString>,
    time: Duration,
}

impl Program {
    pub fn new(endpoint: &Eid, argv: Vec<OsString>, time: Duration) -> Result<Self, OpenError> {
        let mut argv = argv.into_iter();
        match argv.next() {
            Some(program) if !program.is_empty() => Ok(Program { program, arguments: argv.collect(), time }),
            _ => Err(OpenError::NoProgram { endpoint: endpoint.clone() }),
        }
    }

    fn command(&self, delivery: &Delivery, name: &str, length: usize) -> Command {
        let id = &delivery.id;
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env("FARLINK_SOURCE", id.source.to_string())
            .env("FARLINK_DESTINATION", delivery.destination.to_string())
            .env("FARLINK_CREATION", format!("{}-{}", id.creation.time_ms, id.creation.sequence))
            .env("FARLINK_BYTES", length.to_string())
            .env("FARLINK_BUNDLE", name)
            // What the node itself says on standard output is for whoever started it.
            .stdout(io::stderr())
            // A group of its own, so that all of it can be ended.
            .process_group(0);
        command
    }

    fn not_started(&self, error: &io::Error) -> NotTaken {
        let program = Path::new(&self.program).display();
        NotTaken::Because(match error.kind() {
            io::ErrorKind::NotFound => {
                format!("cannot start {program}: there is no such program: give its full path, or install it")
            }
            io::ErrorKind::PermissionDenied => {
                format!("cannot start {program}: this user may not run it: make it executable (`chmod +x {program}`)")
            }
            _ => format!(
                "cannot start {program}: {error}: it has to be a program for this machine, or a script that begins with `#!`"
            ),
        })
    }
}

impl Sink for Program {
    fn take(&mut self, delivery: &Delivery, queue: &Queue) -> Result<String, NotTaken> {
        let name = unit_name(&delivery.id);
        let length: usize = delivery.payload.iter().map(Bytes::len).sum();
        let program = Path::new(&self.program).display();
        let input = input(&delivery.payload).map_err(|error| {
            let folder = std::env::temp_dir();
            NotTaken::Because(format!(
                "cannot write the input of {program} into {}: {error}: free some room there, or set TMPDIR",
                folder.display()
            ))
        })?;
        queue.program_starts();
        let mut command = self.command(delivery, &name, length);
        let mut child = command.stdin(Stdio::from(input)).spawn().map_err(|error| self.not_started(&error))?;
        let ended = watch(&child, queue, self.time);
        let unwatched = |error| NotTaken::Because(format!("cannot wait for the end of {program}: {error}"));
        let status = child.wait().map_err(unwatched)?;
        match ended.map_err(unwatched)? {
            Ended::Exited if status.success() => {
                Ok(format!("gave {length} bytes from {} to {program} as {name}", delivery.id.source))
            }
            Ended::Exited => Err(NotTaken::Because(format!(
                "{program} {} on {name}: exit status 0 says that it has the data",
                how(status)
            ))),
            Ended::OutOfTime => Err(NotTaken::Because(format!(
                "{program} was killed, since it had not ended on {name} after {} s: let it be faster, or leave the work to a \
                 process that it starts in a session of its own",
                self.time.as_secs_f64()
            ))),
            Ended::Stopping => Err(NotTaken::Stopping),
        }
    }
}

/// The data as an unnamed file: other than a pipe it waits for nobody, and a program that does not read it is free to.
fn input(pieces: &[Bytes]) -> io::Result<std::fs::File> {
    let mut file = tempfile::tempfile()?;
    for piece in pieces {
        file.write_all(piece)?;
    }
    file.rewind()?;
    Ok(file)
}

/// Waits until the program ends, its time is over or the node ends, and kills what is left of its group. The program itself
/// is not reaped before that, so that its number still names its group and no other.
fn watch(child: &Child, queue: &Queue, time: Duration) -> io::Result<Ended> {
    let pid = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    thread::scope(|scope| {
        let waiter = || {
            let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
            while waitid(Id::Pid(pid), flags) == Err(nix::errno::Errno::EINTR) {}
            queue.program_exited();
        };
        let started = thread::Builder::new().spawn_scoped(scope, waiter);
        let ended = started.map(|_| queue.wait_for_program(time));
        // It fails if nobody is left, which is what is wanted.
        let _ = killpg(pid, Signal::SIGKILL);
        ended
    })
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => status.to_string(),
    }
}
