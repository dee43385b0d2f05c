//! The `rolecall` binary: reads the command line, hands over to the server or a client command, and turns what came of
//! it into an exit code.

use std::{env, process::ExitCode};

use rolecall::{
    cli::{self, Exit, Failure, Invocation, Output},
    config::ServeSettings,
};
use rustix::{fs::Mode, process::umask};

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
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Internal, format!("cannot start: {error}")))?;
    runtime.block_on(run(settings))?;
    Ok(Exit::Ok)
}

// STAND-IN for `rolecall::server::run`: delete it, and call that in `serve` with its error mapped to an exit code.
#[rustfmt::skip]
async fn run(_: ServeSettings) -> Result<(), Failure> { Err(Failure::new(Exit::Internal, "serve is not built yet")) }

fn fail(failure: &Failure, output: &mut Output) -> Exit {
    output.fail(failure);
    failure.exit
}
