//! The `rolecall` binary: reads the command line, hands over to the server or a client command, and turns what came of
//! it into an exit code.

use std::{env, process::ExitCode};

use rolecall::{
    cli::{self, Exit, Failure, Invocation, Output},
    config::ServeSettings,
    server::{self, Running, ServeError},
    store::StoreError,
};
use rustix::{fs::Mode, process::umask, thread::disable_transparent_huge_pages};

/// A server's calls are many small allocations on many threads: this one serves them at half the system's cost.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Journals, state and exports hold who may do what: for the owner's eyes alone.
    umask(Mode::RWXG | Mode::RWXO);
    let mut output = Output::standard();
    let exit = match cli::parse(env::args_os()) {
        Ok(Invocation::Serve(settings)) => serve(settings).unwrap_or_else(|failure| fail(&failure, &mut output)),
        Ok(Invocation::Client(command)) => command.run(&mut output),
        Ok(Invocation::Show(text)) => cli::show(&text),
        Err(failure) => fail(&failure, &mut output),
    };
    exit.into()
}

fn serve(settings: ServeSettings) -> Result<Exit, Failure> {
    // A small server would be resident in whole huge pages of which it touches a corner. Without the right to say so it
    // is larger, and no less right.
    let _ = disable_transparent_huge_pages(true);
    // It accepts connections and looks after the data; calls are served on threads of their own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Internal, format!("cannot start: {error}")))?;
    let program = env::args().next().unwrap_or_else(|| "rolecall".to_owned());
    let ready = |running: &Running| {
        let Some(commands) = running.to_try(&program) else { return };
        let mut output = Output::standard();
        // A closed standard output is no reason not to serve.
        let _ = output.line("The demo is ready. In another terminal, try:");
        for command in commands {
            let _ = output.line(&format!("\n  {command}"));
        }
        let _ = output.line("\nCtrl-C stops it, and its data goes with it.").and_then(|()| output.flush());
    };
    let outcome = runtime.block_on(server::run(settings, ready));
    // What still blocks after a stop would keep the process for ever, and nothing waits for it.
    runtime.shutdown_background();
    outcome.map_err(|error| Failure::new(exit_of(&error), error.to_string()))?;
    Ok(Exit::Ok)
}

/// The exit code of a server that failed.
fn exit_of(error: &ServeError) -> Exit {
    match error {
        ServeError::Store(StoreError::Locked { .. }) | ServeError::Listen { .. } => Exit::Unavailable,
        ServeError::Store(StoreError::DamagedJournal { .. } | StoreError::UnknownFormat { .. }) => Exit::Data,
        ServeError::Store(StoreError::Io { .. }) | ServeError::Write { .. } => Exit::Output,
        _ => Exit::Internal,
    }
}

fn fail(failure: &Failure, output: &mut Output) -> Exit {
    output.fail(failure);
    failure.exit
}
