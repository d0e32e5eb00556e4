#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

mod by_hand;
mod calendars;
mod clocks;
mod life;
mod properties;
mod reviews;
mod rules;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::ids::TenantId;
use crate::pb::common::v1::{Environment, Tier};
use crate::pb::inventory::v1::{TimeWindow, WeeklyWindow};
use crate::time::{duration_to_pb, to_pb};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn acme() -> TenantId {
    "acme".parse().unwrap()
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

fn rrule(rule: &str, zone: &str) -> ScheduleSpec {
    ScheduleSpec { rrule: rule.into(), time_zone: zone.into(), ..drill() }
}

fn cron(rule: &str, zone: &str) -> ScheduleSpec {
    ScheduleSpec { cron: rule.into(), time_zone: zone.into(), ..drill() }
}

fn drill() -> ScheduleSpec {
    ScheduleSpec { what: "isolated-drill".into(), resource: "orders-db".into(), ..ScheduleSpec::default() }
}

fn calendar(spec: &ScheduleSpec) -> Calendar {
    Calendar::of(spec, &acme(), "monthly").unwrap()
}

/// The next dates by the clock on the wall.
fn next(spec: &ScheduleSpec, after: &str, count: usize) -> Vec<String> {
    let calendar = calendar(spec);
    calendar.due_after(at(after)).take(count).map(|due| calendar.local(due)).collect()
}

fn from_until(name: &str, from: &str, until: &str) -> TimeWindow {
    TimeWindow {
        name: name.into(),
        reason: "books are closed".into(),
        from: Some(to_pb(at(from))),
        until: Some(to_pb(at(until))),
        weekly: None,
    }
}

fn weekly(days: &[u32], start: &str, end: &str) -> TimeWindow {
    let weekly =
        WeeklyWindow { days: days.to_vec(), start: start.into(), end: end.into(), time_zone: "Europe/Berlin".into() };
    TimeWindow { name: "weekly".into(), weekly: Some(weekly), ..TimeWindow::default() }
}

/// One declared schedule and what became of it, driven as the service drives it.
struct World {
    tenant: TenantId,
    spec: ScheduleSpec,
    calendar: Calendar,
    declared_at: Timestamp,
    schedule: Schedule,
    progress: BTreeMap<Timestamp, Progress>,
    events: Vec<ScheduleEvent>,
}

impl World {
    fn of(spec: ScheduleSpec, declared_at: &str) -> Self {
        Self {
            tenant: acme(),
            calendar: calendar(&spec),
            spec,
            declared_at: at(declared_at),
            schedule: Schedule::default(),
            progress: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    fn declaration(&self) -> Declaration<'_> {
        Declaration {
            tenant: &self.tenant,
            name: "monthly",
            version: 3,
            spec: &self.spec,
            calendar: Some(&self.calendar),
            declared_at: self.declared_at,
            tier: Tier::Tier1,
            environment: Environment::Production,
        }
    }

    /// Records everything there is to record at this moment, and says how it is called.
    fn look(&mut self, now: &str) -> Vec<&'static str> {
        let mut kinds = Vec::new();
        while let Some(event) = advance(&self.schedule, &self.declaration(), &self.progress, at(now)) {
            assert!(kinds.len() < 200, "endless: {event:?}");
            kinds.push(event.kind());
            self.schedule.evolve(&event);
            self.events.push(event);
        }
        kinds
    }

    fn wakes(&self, now: &str) -> Option<String> {
        wakes_at(&self.schedule, &self.declaration(), &self.progress, at(now)).map(|at| at.to_string())
    }

    fn fired(&self) -> &ScheduleFired {
        let fired = self.events.iter().rev().find_map(|event| match &event.event {
            Some(Event::Fired(fired)) => Some(fired),
            _ => None,
        });
        fired.unwrap()
    }
}
