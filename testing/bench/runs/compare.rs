//! The three ways of a switchover beside each other.

use std::time::Duration;

use crate::report::{self, median, ratio};

/// The moves of one way, in the order in which they were done.
#[derive(Default)]
pub(super) struct Moves {
    whole: Vec<Duration>,
    outage: Vec<Duration>,
    /// How long the command itself took, when it ends before the pair is protected again.
    answer: Vec<Duration>,
}

impl Moves {
    pub(super) fn add(&mut self, whole: Duration, outage: Duration) {
        self.whole.push(whole);
        self.outage.push(outage);
    }

    pub(super) fn add_answer(&mut self, answer: Duration) {
        self.answer.push(answer);
    }
}

pub(super) fn print(muster: &Moves, script: &Moves, patronictl: &Moves, skipped: Option<&String>) {
    let rows = [
        ("until a standby streams again: Muster (until the end is stored)", &muster.whole, &muster.whole),
        ("until a standby streams again: script", &script.whole, &muster.whole),
        ("until a standby streams again: patronictl", &patronictl.whole, &muster.whole),
        ("until patronictl itself returns", &patronictl.answer, &muster.whole),
        ("no write acknowledged: Muster", &muster.outage, &muster.outage),
        ("no write acknowledged: script", &script.outage, &muster.outage),
        ("no write acknowledged: patronictl", &patronictl.outage, &muster.outage),
    ];
    let row = |(what, times, muster): (&str, &Vec<Duration>, &Vec<Duration>)| {
        // Each turn beside the one that was done right before it.
        let share = median(muster.iter().zip(times).map(|(ours, theirs)| ours.as_secs_f64() / theirs.as_secs_f64()));
        let middle = median(times.iter().map(Duration::as_secs_f64));
        let shown = vec![what.to_owned(), times.len().to_string(), seconds(middle), extremes(times), ratio(share)];
        (!times.is_empty()).then_some(shown)
    };
    let header = ["switchover", "times", "median", "fastest - slowest", "Muster / this"];
    report::table(&header, rows.into_iter().filter_map(row).collect());
    if let Some(why) = skipped {
        println!("\npatronictl: skipped: {why}");
    }
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.2} s")
}

fn extremes(times: &[Duration]) -> String {
    let [fastest, slowest] =
        [times.iter().min(), times.iter().max()].map(|time| time.map_or(0.0, Duration::as_secs_f64));
    format!("{fastest:.2} - {slowest:.2} s")
}
