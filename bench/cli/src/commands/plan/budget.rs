//! `farlink plan budget`

use std::borrow::Cow;
use std::path::PathBuf;

use clap::Args;
use farlink_channel_models::radio::Role;
use farlink_run::{BudgetAt, link_budget};
use farlink_scenario::{Overrides, Scenario, load};
use farlink_units::Duration;

use super::input::Failure;
use crate::Ending;
use crate::commands::geometry::utc;
use crate::commands::table::{Cell, Column, Printer, TableFormat};

/// Show the link budget of a channel along its contacts, term by term.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    farlink plan budget fixtures/scenarios/leo-pass.yaml --from space-station --to ground --every 1min --format csv")]
pub struct BudgetArguments {
    /// The scenario file.
    scenario: PathBuf,
    /// The node that transmits.
    #[arg(long, value_name = "NODE")]
    from: String,
    /// The node that receives.
    #[arg(long, value_name = "NODE")]
    to: String,
    /// How far apart the instants are; by default a quarter of each contact.
    #[arg(long, value_name = "DURATION")]
    every: Option<Duration>,
    /// How to print it: a table stands below each instant, CSV and JSON have a line for each.
    #[arg(long, value_enum, default_value_t)]
    format: TableFormat,
}

pub fn budget(arguments: &BudgetArguments) -> Result<Ending, Failure> {
    let scenario = load(&arguments.scenario, &Overrides::default()).map_err(|error| {
        complain!("{:?}", miette::Report::new(error));
        Failure::Said
    })?;
    if arguments.every.is_some_and(|every| every <= Duration::ZERO) {
        return Err("`--every` is 0 s: write how far apart the instants are, as in `1min`".to_owned().into());
    }
    let node = |name: &String| {
        let names = || scenario.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(", ");
        scenario.node(name).ok_or_else(|| format!("there is no node `{name}`: there are {}", names()))
    };
    let (from, to) = (node(&arguments.from)?, node(&arguments.to)?);
    let budgets = link_budget(&scenario, from, to, arguments.every).map_err(|error| error.to_string())?;
    if budgets.is_empty() {
        complain!("note: the channel never carries, so there is no budget to show");
    }
    match arguments.format {
        TableFormat::Table => blocks(&scenario, &budgets),
        format => lines(&scenario, &budgets, format),
    }
    Ok(Ending::Met)
}

fn blocks(scenario: &Scenario, budgets: &[BudgetAt]) {
    for BudgetAt { at, rate, lines } in budgets {
        if let Cell::Text(utc) = utc(scenario.epoch, *at) {
            say!("{utc}  {rate}");
        }
        say!("{lines}");
    }
}

fn lines(scenario: &Scenario, budgets: &[BudgetAt], format: TableFormat) {
    let Some(first) = budgets.first() else { return Printer::start(format, &[]).finish() };
    // A quantity may stand in the budget both as it is and in decibels: the unit tells them apart.
    let named =
        first.lines.iter().map(|line| Column { name: Cow::Owned(format!("{} [{}]", line.name, line.unit)), width: 0 });
    let columns: Vec<Column> = [Column { name: Cow::Borrowed("utc"), width: 0 }].into_iter().chain(named).collect();
    let mut printer = Printer::start(format, &columns);
    for BudgetAt { at, lines, .. } in budgets {
        let values = lines.iter().map(|line| Cell::Number(line.value, if line.role == Role::Note { 3 } else { 4 }));
        printer.line(&[utc(scenario.epoch, *at)].into_iter().chain(values).collect::<Vec<_>>());
    }
    printer.finish();
}
