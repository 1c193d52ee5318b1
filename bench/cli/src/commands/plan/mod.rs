//! `farlink plan`

mod budget;
mod convert;
mod input;
mod timers;
mod trajectory;

use std::io::{IsTerminal, stdout};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use farlink_contact_plan::formats::{self, WriteOptions};
use farlink_contact_plan::{ContactPlan, render};

use self::input::Failure;
use super::Format;
use crate::Ending;

/// How wide a plan is printed where the output is no terminal.
const WIDTH: usize = 140;

/// Compute the contact plan of a scenario, convert plans between formats, derive timers and link budgets.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Examples:\n  \
    farlink plan fixtures/scenarios/mars-relay.yaml\n  \
    farlink plan convert fixtures/scenarios/mars-relay.yaml --to ion\n  \
    farlink plan timers fixtures/scenarios/mars-relay.yaml --local ipn:20.0 --peer ipn:30.0 --stack hdtn")]
pub struct PlanArguments {
    #[command(subcommand)]
    command: Option<PlanCommand>,
    /// A scenario, or a contact plan in any format that `convert` reads.
    #[arg(required = true, value_name = "SCENARIO")]
    source: Option<PathBuf>,
    #[command(flatten)]
    reading: input::Reading,
    /// How to print the plan; JSON is Farlink's own format of contact plans.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum PlanCommand {
    Convert(Box<convert::ConvertArguments>),
    Timers(Box<timers::TimersArguments>),
    Budget(budget::BudgetArguments),
}

pub fn plan(arguments: &PlanArguments) -> Ending {
    let done = match (&arguments.command, &arguments.source) {
        (Some(PlanCommand::Convert(arguments)), _) => convert::convert(arguments),
        (Some(PlanCommand::Timers(arguments)), _) => timers::timers(arguments),
        (Some(PlanCommand::Budget(arguments)), _) => budget::budget(arguments),
        (None, Some(source)) => show(source, &arguments.reading, arguments.format),
        (None, None) => unreachable!("a scenario is required where there is no subcommand"),
    };
    done.unwrap_or_else(Failure::ending)
}

fn show(source: &std::path::Path, reading: &input::Reading, format: Format) -> Result<Ending, Failure> {
    let plan = input::read(source, reading)?;
    let sound = input::complain_of(&plan);
    match format {
        Format::Text => print(&plan),
        Format::Json if !sound => {}
        Format::Json => {
            let export = formats::write(formats::Format::Native, &plan, &WriteOptions::default());
            say!("{}", export.map_err(|error| error.to_string())?.text.trim_end());
        }
    }
    Ok(if sound { Ending::Met } else { Ending::NotMet })
}

fn print(plan: &ContactPlan) {
    let asked = stdout().is_terminal().then(farlink_dashboards::terminal_width).flatten();
    let width = asked.unwrap_or(WIDTH);
    if plan.contacts.is_empty() {
        say!("no contact between any of {} nodes", plan.nodes.len());
        return;
    }
    say!("{}", render::table(plan, width).trim_end());
    say!();
    say!("{}", render::timeline(plan, width).trim_end());
}
