//! When a schedule is due: its rule, in its time zone, shifted by its own jitter, outside its blackouts.
//!
//! Clock changes: what the clock skips is due when the clock has moved on; what it shows twice is due once, the first time.

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, DateTime},
    tz::{AmbiguousOffset, TimeZone},
};
use sha2::{Digest, Sha256};

use super::{
    parse::Unreadable,
    recurrence::{HORIZON_YEARS, Recurrence},
    words,
};
use crate::ids::TenantId;
use crate::pb::inventory::v1::{ScheduleSpec, TimeWindow};
use crate::refusal::{Refusal, field_refusal};
use crate::time::{duration_from_pb, from_pb, humane, zone};
use crate::window::time_window_at;

/// One-off dates of a schedule. Who needs more has a rule.
pub const MAX_DATES: usize = 100;
/// Blackouts that follow each other are stepped over so far.
const MAX_CHAIN: usize = 14;
/// A due time that would be moved further is left out: it would meet the next one.
pub const MAX_MOVE: SignedDuration = SignedDuration::from_hours(31 * 24);
/// Intervals without `starts` are not counted; this is only where a rule that counts nothing begins.
const EPOCH: Date = Date::constant(1970, 1, 1);

/// One due time and what the blackouts make of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Left out: when it would have been.
    pub at: Timestamp,
    pub fate: Fate,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    Kept,
    Moved { from: Timestamp, because: String },
    LeftOut { because: String },
}

impl Due {
    pub fn is_left_out(&self) -> bool {
        matches!(self.fate, Fate::LeftOut { .. })
    }
}

#[derive(Debug, Clone)]
pub(super) enum Rule {
    Cron(Box<Cron>),
    Recurrence(Box<Recurrence>),
    Dates(Vec<Timestamp>),
}

/// A schedule's calendar, read and ready.
#[derive(Debug, Clone)]
pub struct Calendar {
    pub(super) rule: Rule,
    zone: TimeZone,
    pub(super) zone_name: String,
    starts: Option<Timestamp>,
    ends: Option<Timestamp>,
    blackouts: Vec<TimeWindow>,
    moves: bool,
    shift: SignedDuration,
}

impl Calendar {
    /// The calendar of a declared schedule, or why it cannot be read.
    pub fn of(spec: &ScheduleSpec, tenant: &TenantId, name: &str) -> Result<Self, Refusal> {
        let zone_name = if spec.time_zone.is_empty() { "UTC" } else { &spec.time_zone };
        let zone = zone(zone_name).ok_or_else(|| {
            let (limit, next) = ("an IANA name like Europe/Berlin", "correct the time zone");
            let shown: String = zone_name.chars().take(80).collect();
            field_refusal("spec.timeZone", "FIELD_INVALID", "a schedule has a time zone", shown, limit, next)
        })?;
        let rule = rule(spec)?;
        let until = match &rule {
            Rule::Recurrence(recurrence) => recurrence.until.and_then(|until| until.instant(&zone)),
            Rule::Cron(_) | Rule::Dates(_) => None,
        };
        let ends = from_pb(spec.ends.as_ref());
        Ok(Self {
            rule,
            zone_name: zone_name.to_owned(),
            zone,
            starts: from_pb(spec.starts.as_ref()),
            ends: until.into_iter().chain(ends).min(),
            blackouts: spec.blackouts.clone(),
            moves: spec.move_out_of_blackout,
            shift: shift(spec, tenant, name),
        })
    }

    /// Due times after this moment, in order: those that count strictly, those that are left out in between.
    pub fn after(&self, after: Timestamp) -> impl Iterator<Item = Due> + '_ {
        let looks_back =
            self.shift + if self.moves && !self.blackouts.is_empty() { MAX_MOVE } else { SignedDuration::ZERO };
        let from = after.checked_sub(looks_back).unwrap_or(Timestamp::MIN);
        let mut last = after;
        self.instants(from).filter_map(move |raw| {
            let due = self.settle(raw);
            if due.is_left_out() {
                return (due.at > after).then_some(due);
            }
            if due.at > last {
                last = due.at;
                return Some(due);
            }
            match due.fate {
                Fate::Moved { from, because } if from > after => {
                    let because = format!("{because}; an earlier one was moved to its end already");
                    Some(Due { at: from, fate: Fate::LeftOut { because } })
                }
                _ => None,
            }
        })
    }

    /// Due times that count.
    pub fn due_after(&self, after: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        self.after(after).filter(|due| !due.is_left_out()).map(|due| due.at)
    }

    /// "2026-11-21T02:00:00+01:00[Europe/Berlin]"
    pub fn local(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).to_string()
    }

    pub fn in_words(&self) -> String {
        words::calendar(self)
    }

    /// Shifted instants from about `from` on, strictly later each, within `starts` and `ends`.
    fn instants(&self, from: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        // A day earlier: a gap of the clock moves what is due across midnight.
        let from = self.starts.map_or(from, |starts| from.max(starts));
        let day = self.zone.to_datetime(from).date();
        let day = day.checked_sub(1.day()).unwrap_or(day);
        let mut last = Timestamp::MIN;
        let strictly_later = move |at: &Timestamp| {
            let is_later = *at > last;
            last = last.max(*at);
            is_later
        };
        let within = |at: &Timestamp| self.starts.is_none_or(|starts| *at >= starts);
        let raw: Box<dyn Iterator<Item = Timestamp> + '_> = match &self.rule {
            Rule::Dates(dates) => Box::new(dates.iter().copied().filter(within)),
            Rule::Cron(cron) => Box::new(
                cron_dates(cron, day).filter_map(|at| instant(&self.zone, at)).filter(strictly_later).filter(within),
            ),
            Rule::Recurrence(rule) => {
                let anchor = self.starts.map_or(EPOCH, |starts| self.zone.to_datetime(starts).date());
                let first = if rule.count.is_some() { anchor } else { day };
                let dates = rule.dates(anchor, first).filter_map(|at| instant(&self.zone, at));
                let limit = rule.count.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
                Box::new(dates.filter(strictly_later).filter(within).take(limit))
            }
        };
        let ends = self.ends;
        raw.take_while(move |at| ends.is_none_or(|ends| *at <= ends)).filter_map(|at| at.checked_add(self.shift).ok())
    }

    fn settle(&self, raw: Timestamp) -> Due {
        let Some((window, mut end)) = self.blackout(raw) else { return Due { at: raw, fate: Fate::Kept } };
        let because = because(window);
        if !self.moves {
            return Due { at: raw, fate: Fate::LeftOut { because } };
        }
        let beyond = |at: Timestamp| at.duration_since(raw) > MAX_MOVE || self.ends.is_some_and(|ends| at > ends);
        for _ in 0..MAX_CHAIN {
            let Some(at) = end.filter(|at| !beyond(*at)) else { break };
            match self.blackout(at) {
                None => return Due { at, fate: Fate::Moved { from: raw, because } },
                Some((_, next)) => end = next,
            }
        }
        let because = format!("{because}; it is not over within {} or before the schedule ends", humane(MAX_MOVE));
        Due { at: raw, fate: Fate::LeftOut { because } }
    }

    /// The blackout that holds at this moment, of several the one that lasts longest.
    fn blackout(&self, at: Timestamp) -> Option<(&TimeWindow, Option<Timestamp>)> {
        let held = self.blackouts.iter().filter_map(|window| Some((window, time_window_at(window, at)?)));
        held.max_by_key(|(_, end)| end.unwrap_or(Timestamp::MAX))
    }
}

fn because(window: &TimeWindow) -> String {
    let name = if window.name.is_empty() { "blackout".to_owned() } else { format!("blackout {}", window.name) };
    if window.reason.is_empty() { name } else { format!("{name}: {}", window.reason) }
}

/// The moment at which a clock on the wall shows this, or right after where it never does.
fn instant(zone: &TimeZone, at: DateTime) -> Option<Timestamp> {
    let found = zone.to_ambiguous_timestamp(at);
    match found.offset() {
        AmbiguousOffset::Unambiguous { .. } => found.unambiguous().ok(),
        AmbiguousOffset::Fold { .. } => found.earlier().ok(),
        AmbiguousOffset::Gap { before, .. } => {
            // By the clock as it was before, `at` lies after the change: the change is the one before that moment.
            let after_change = before.to_timestamp(at).ok()?;
            let next = after_change.checked_add(SignedDuration::from_secs(1)).ok()?;
            zone.preceding(next).next().map(|change| change.timestamp())
        }
    }
}

/// By the calendar alone, so that clock changes are settled in one place.
fn cron_dates(cron: &Cron, from: Date) -> impl Iterator<Item = DateTime> + '_ {
    let mut at = from.at(0, 0, 0, 0);
    let last = at.checked_add(i64::from(HORIZON_YEARS).years()).unwrap_or(DateTime::MAX);
    let mut inclusive = true;
    std::iter::from_fn(move || {
        let found = cron.find_next_occurrence(&at, inclusive).ok().filter(|found| *found <= last)?;
        inclusive = false;
        at = found;
        Some(found)
    })
}

/// The same for a schedule at all times and on every machine, and another for the next one.
fn shift(spec: &ScheduleSpec, tenant: &TenantId, name: &str) -> SignedDuration {
    let jitter = duration_from_pb(spec.jitter.as_ref()).map_or(0, |jitter| jitter.as_secs());
    let Some(seconds) = u64::try_from(jitter).ok().filter(|seconds| *seconds > 0) else { return SignedDuration::ZERO };
    let digest = Sha256::digest(format!("jitter\n{tenant}\n{name}"));
    let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    SignedDuration::from_secs(i64::try_from(number % seconds).unwrap_or_default())
}

fn rule(spec: &ScheduleSpec) -> Result<Rule, Refusal> {
    let next = "look at docs/schedules.md for rules that work, and at `muster schedule preview` for its dates";
    let unreadable = |field: &str, rule: &str, why: Unreadable| {
        let value = format!("{} is {}", why.part, why.value);
        field_refusal(field, "FIELD_INVALID", rule, value, format!("{}: {}", why.part, why.limit), next)
    };
    match (spec.cron.as_str(), spec.rrule.as_str(), spec.dates.as_slice()) {
        (cron, "", []) if !cron.is_empty() => {
            let read = parse_cron(cron).map_err(|why| unreadable("spec.cron", "five fields of cron", why))?;
            Ok(Rule::Cron(Box::new(read)))
        }
        ("", rrule, []) if !rrule.is_empty() => {
            let told = "a rule of RFC 5545 without its start";
            let read = Recurrence::parse(rrule).map_err(|why| unreadable("spec.rrule", told, why))?;
            if read.needs_start() && from_pb(spec.starts.as_ref()).is_none() {
                let why =
                    Unreadable::new("INTERVAL or COUNT", "without `starts`", "with `starts`, from which is counted");
                return Err(unreadable("spec.rrule", told, why));
            }
            Ok(Rule::Recurrence(Box::new(read)))
        }
        ("", "", dates) if !dates.is_empty() && dates.len() <= MAX_DATES => {
            let mut read: Vec<Timestamp> = dates.iter().filter_map(|at| from_pb(Some(at))).collect();
            read.sort_unstable();
            read.dedup();
            Ok(Rule::Dates(read))
        }
        (cron, rrule, dates) => {
            let given = [("cron", !cron.is_empty()), ("rrule", !rrule.is_empty()), ("dates", !dates.is_empty())];
            let given: Vec<&str> = given.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect();
            let value = match given.as_slice() {
                [] => "none of them".to_owned(),
                ["dates"] => format!("{} dates", dates.len()),
                given => given.join(" and "),
            };
            let limit = format!("one of cron, rrule or 1 to {MAX_DATES} dates");
            Err(field_refusal("spec", "FIELD_INVALID", "a schedule says when it is due", value, limit, next))
        }
    }
}

fn parse_cron(text: &str) -> Result<Cron, Unreadable> {
    let fields = text.split_whitespace().count();
    if fields != 5 || text.len() > 200 {
        let limit = "5: minute, hour, day of the month, month, day of the week";
        return Err(Unreadable::new("the number of fields", &fields.to_string(), limit));
    }
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser.parse(text).map_err(|error| Unreadable::new("the expression", text, &error.to_string()))
}
