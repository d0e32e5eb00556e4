//! Numbers for people: percentiles, rates, tables that can be pasted into docs/benchmarks.md.

use std::{fs, time::Duration};

use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};

/// How long each of many operations took, and how long each turn.
#[derive(Default)]
pub(crate) struct Measured {
    latencies: Vec<Duration>,
    /// Operations, and the time they took together.
    turns: Vec<(usize, Duration)>,
}

impl Measured {
    pub(crate) fn add_turn(&mut self, latencies: Vec<Duration>, took: Duration) {
        self.turns.push((latencies.len(), took));
        self.latencies.extend(latencies);
    }

    pub(crate) fn per_second(&self) -> f64 {
        rate(self.latencies.len(), self.turns.iter().map(|(_, took)| *took).sum())
    }

    /// The rate as a share of the peer's: the median over the turns, each compared with the peer's turn beside it.
    pub(crate) fn share_of(&self, peer: &Self) -> f64 {
        let pairs = self.turns.iter().zip(&peer.turns);
        median(
            pairs.map(|((ours, our_time), (theirs, their_time))| rate(*ours, *our_time) / rate(*theirs, *their_time)),
        )
    }

    /// `percent` of the operations took at most this long.
    pub(crate) fn percentile(&self, percent: f64) -> Duration {
        percentile(&self.latencies, percent)
    }
}

pub(crate) fn rate(operations: usize, took: Duration) -> f64 {
    operations as f64 / took.as_secs_f64()
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    match (sorted.get(sorted.len().saturating_sub(1) / 2), sorted.get(sorted.len() / 2)) {
        (Some(lower), Some(upper)) => (lower + upper) / 2.0,
        _ => f64::NAN,
    }
}

/// The smallest value that `percent` of all are not above (nearest rank); zero of nothing.
pub(crate) fn percentile(values: &[Duration], percent: f64) -> Duration {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

pub(crate) fn title(text: &str) {
    println!("\n## {text}\n");
}

/// Prints a Markdown table: the first column is text, the others are numbers.
pub(crate) fn table(header: &[&str], rows: Vec<Vec<String>>) {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(header.to_vec()).add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
}

pub(crate) fn millis(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1e3)
}

/// "12,345"
pub(crate) fn count(number: f64) -> String {
    let digits = format!("{number:.0}");
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| str::from_utf8(group).ok()).collect();
    groups.join(",")
}

pub(crate) fn ratio(ratio: f64) -> String {
    // Two digits that say something.
    if ratio < 0.1 { format!("{ratio:.3}") } else { format!("{ratio:.2}") }
}

/// What it ran on.
pub(crate) fn machine() -> String {
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    format!("{cpus} cores, {}. {}", model.trim_start_matches(['\t', ' ', ':']), load())
}

/// A machine that does other things meanwhile gives other numbers: the reader can see it.
pub(crate) fn load() -> String {
    let averages = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let minute = averages.split(' ').next().unwrap_or("unknown");
    format!("Load average of the last minute: {minute}.")
}
