//! How large the benches are. The defaults fit two cores and five minutes.

use std::{str::FromStr, time::Duration};

use anyhow::{Context as _, Result};

pub(crate) struct Settings {
    /// How long one kind works before it is the next one's turn. Short: what disturbs the machine then disturbs all.
    pub(crate) turn: Duration,
    /// Turns of each kind.
    pub(crate) turns: usize,
    /// Events in the log that one aggregate is loaded from.
    pub(crate) load_events: usize,
    /// Events in the log that tables are rebuilt from.
    pub(crate) rebuild_events: usize,
    pub(crate) rebuild_turns: usize,
    /// Leaves of the log whose root is rebuilt.
    pub(crate) tlog_leaves: usize,
    /// Timers that are pending at once, and over how long they come due.
    pub(crate) timers: usize,
    pub(crate) timers_spread: Duration,
    /// Events in the log while alerts are told, and for how long.
    pub(crate) alert_events_per_second: usize,
    pub(crate) notify: Duration,
    /// Alerts of the storm, in a minute.
    pub(crate) storm_alerts: usize,
    /// How long the log is measured under load.
    pub(crate) checkpoints: Duration,
    /// Events in the record that a late log catches up with.
    pub(crate) checkpoint_events: usize,
    /// Events that are exported as packages.
    pub(crate) export_events: usize,
    /// Systems that are watched, observed one after the other.
    pub(crate) resources: usize,
    pub(crate) observations_per_second: usize,
    /// How often the collector sends what it has.
    pub(crate) message_every: Duration,
    /// How long the monitor is measured; the raw peer before it, a quarter of that.
    pub(crate) readiness: Duration,
    /// Runs that change nothing, for the time until their first step.
    pub(crate) drills: usize,
    /// Switchovers by each of the ways that are compared.
    pub(crate) moves: usize,
}

impl Settings {
    pub(crate) fn from_environment() -> Result<Self> {
        Ok(Self {
            turn: Duration::from_millis(number("MUSTER_BENCH_TURN_MS", 300)?),
            turns: number("MUSTER_BENCH_TURNS", 8)?,
            load_events: number("MUSTER_BENCH_LOAD_EVENTS", 100_000)?,
            rebuild_events: number("MUSTER_BENCH_REBUILD_EVENTS", 200_000)?,
            rebuild_turns: number("MUSTER_BENCH_REBUILD_TURNS", 2)?,
            tlog_leaves: number("MUSTER_BENCH_TLOG_LEAVES", 250_000)?,
            timers: number("MUSTER_BENCH_TIMERS", 100_000)?,
            timers_spread: Duration::from_secs(number("MUSTER_BENCH_TIMERS_SPREAD_SECONDS", 200)?),
            alert_events_per_second: number("MUSTER_BENCH_ALERT_EVENTS_PER_SECOND", 1_000)?,
            notify: Duration::from_secs(number("MUSTER_BENCH_NOTIFY_SECONDS", 10)?),
            storm_alerts: number("MUSTER_BENCH_STORM_ALERTS", 10_000)?,
            checkpoints: Duration::from_secs(number("MUSTER_BENCH_CHECKPOINTS_SECONDS", 15)?),
            checkpoint_events: number("MUSTER_BENCH_CHECKPOINT_EVENTS", 100_000)?,
            export_events: number("MUSTER_BENCH_EXPORT_EVENTS", 50_000)?,
            resources: number("MUSTER_BENCH_RESOURCES", 500)?,
            observations_per_second: number("MUSTER_BENCH_OBSERVATIONS_PER_SECOND", 1_000)?,
            message_every: Duration::from_millis(number("MUSTER_BENCH_MESSAGE_MS", 20)?),
            readiness: Duration::from_secs(number("MUSTER_BENCH_READINESS_SECONDS", 20)?),
            drills: number("MUSTER_BENCH_DRILLS", 30)?,
            moves: number("MUSTER_BENCH_MOVES", 5)?,
        })
    }
}

fn number<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(name: &str, default: T) -> Result<T> {
    let Ok(value) = std::env::var(name) else { return Ok(default) };
    value.parse().with_context(|| format!("{name} is '{value}': give a whole number, or leave it out"))
}
