//! `cargo xtask NAME`: everything CI runs, by name, so that a person and CI run the same command.
//!
//! It is not a build system: cargo and npm build; this decides what is asked of them, in which order, counts what
//! their runners say, and closes with one line, `N passed, N failed`.

mod bench_smoke;
mod cargo;
mod child;
mod compat;
mod deny;
mod faults;
mod house;
mod instructions;
mod licence;
mod micro;
mod packages;
mod report;
mod request;
mod sim;
mod steps;
mod tally;
mod workspace;

use std::process::ExitCode;

use request::Request;
use workspace::Workspace;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let request = match Request::parse(&arguments) {
        Ok(request) => request,
        Err(complaint) => {
            eprintln!("{complaint}\n\n{}", request::usage());
            return ExitCode::from(2);
        }
    };
    match request {
        Request::Help => {
            println!("{}", request::usage());
            ExitCode::SUCCESS
        }
        Request::Run { steps, seeds, record, faults } => {
            run(&steps, Workspace::discover(seeds, record, faults))
        }
    }
}

/// Runs the steps in order, reports each, and closes with the table and the count.
fn run(steps: &[&'static steps::Step], workspace: anyhow::Result<Workspace>) -> ExitCode {
    let workspace = match workspace {
        Ok(workspace) => workspace,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let rows = steps::run_all(steps, &workspace);
    let total = report::total(&rows);
    println!("{}\n{}", report::table(&rows), total.closing_line());
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
