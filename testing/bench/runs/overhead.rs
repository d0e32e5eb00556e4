//! From the confirmation to the first command on a platform, part by part, beside the target of 250 ms.

use std::time::Duration;

use super::record::{Record, elapsed};
use crate::report::{self, median, millis};

/// What Muster itself may add before the first command.
const TARGET: Duration = Duration::from_millis(250);

const CONFIRMED: &str = "request.confirmed";
const RESERVED: &str = "resource.reserved";
const STARTED: &str = "execution.started";
const CHECKED: &str = "execution.prechecks_recorded";
const MARKED: &str = "execution.markers_captured";
const CLAIMED: &str = "execution.step_claimed";

type Part = (&'static str, fn(&Record) -> Option<Duration>);

const PARTS: [Part; 11] = [
    ("confirmed -> reserved: the log's delivery, reading, reserving", |run| run.between(CONFIRMED, RESERVED)),
    ("reserved -> started: planning", |run| run.between(RESERVED, STARTED)),
    ("confirmed -> started", |run| run.between(CONFIRMED, STARTED)),
    ("started -> first connection: Muster's own checks", |run| elapsed(run.at(STARTED).ok()?, run.first_login?)),
    ("first connection -> prechecks stored: logins and statements of the platform", |run| {
        elapsed(run.first_login?, run.at(CHECKED).ok()?)
    }),
    ("started -> prechecks stored", |run| run.between(STARTED, CHECKED)),
    ("prechecks -> markers stored: integrity questions, markers", |run| run.between(CHECKED, MARKED)),
    ("markers -> first step claimed: the platform is asked whether it is done, the claim", |run| {
        run.between(MARKED, CLAIMED)
    }),
    ("**whole: confirmed -> first connection to a platform**", |run| {
        elapsed(run.at(CONFIRMED).ok()?, run.first_login?)
    }),
    ("**whole: confirmed -> first step claimed**", |run| run.between(CONFIRMED, CLAIMED)),
    ("**the same without the platform's checks and markers**", without_the_platform),
];

pub(super) fn print(drills: &[Record], switchovers: &[Record]) {
    for (name, runs) in [("readiness drills", drills), ("switchovers", switchovers)] {
        let Some(first) = runs.first() else { continue };
        let step = first.steps.first().map_or("none", |(step, ..)| step);
        println!("{} {name}; their first step is {step}.\n", runs.len());
        let rows =
            PARTS.iter().filter_map(|(part, measure)| row(part, &runs.iter().filter_map(measure).collect::<Vec<_>>()));
        let target = format!("p99 of {} ms", TARGET.as_millis());
        report::table(&["from -> to", "times", "p50", "p99", &target], rows.collect());
        println!();
    }
}

/// What the platform's servers have no part in, except the look before the claim.
fn without_the_platform(run: &Record) -> Option<Duration> {
    Some(elapsed(run.at(CONFIRMED).ok()?, run.first_login?)? + run.between(MARKED, CLAIMED)?)
}

/// Where the time of whole runs goes: medians.
pub(super) fn print_steps(runs: &[Record]) {
    let Some(first) = runs.first() else { return };
    let middle = |measure: &dyn Fn(&Record) -> Option<Duration>| {
        let median = median(runs.iter().filter_map(measure).map(|time| time.as_secs_f64()));
        millis(Duration::try_from_secs_f64(median).unwrap_or_default())
    };
    let row = |what: &str, measure: &dyn Fn(&Record) -> Option<Duration>| vec![what.to_owned(), middle(measure)];
    let mut rows = vec![row("confirmed -> first step claimed", &|run| run.between(CONFIRMED, CLAIMED))];
    for (step, ..) in &first.steps {
        let deed = |run: &Record| {
            let (_, begun, done) = run.steps.iter().find(|(name, ..)| name == step)?;
            elapsed(*begun, *done)
        };
        rows.push(row(&format!("step {step}"), &deed));
    }
    rows.push(row("between the steps: looks and claims", &|run| {
        run.steps.windows(2).map(|pair| elapsed(pair[0].2, pair[1].1)).sum()
    }));
    rows.push(row("last step -> end: integrity questions, markers, postchecks", &|run| {
        elapsed(run.steps.last()?.2, run.at("execution.succeeded").ok()?)
    }));
    report::table(&["a switchover by Muster", "median"], rows);
    println!();
}

/// `None`: such runs have no such part.
fn row(part: &str, times: &[Duration]) -> Option<Vec<String>> {
    let (p50, p99) = (report::percentile(times, 50.0), report::percentile(times, 99.0));
    let share = report::ratio(p99.as_secs_f64() / TARGET.as_secs_f64());
    let row = vec![part.to_owned(), times.len().to_string(), millis(p50), millis(p99), share];
    (!times.is_empty()).then_some(row)
}
