//! Change freezes and quiet windows: times in which requests can be opened and decided, and not started.

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, Time},
    tz::{AmbiguousZoned, TimeZone},
};

use super::policy::policy_specs;
use super::type_name;
use crate::pb::common::v1::{Environment, Tier};
use crate::pb::inventory::v1::{ChangeFreeze, Document, WeeklyWindow};
use crate::pb::request::v1::{RequestOpened, RequestType};
use crate::refusal::{Refusal, refusal};
use crate::time::{from_pb, time_of_day, zone};

/// Windows that follow each other are told as one, so far.
const MAX_CHAIN: usize = 14;

/// A freeze that holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    pub name: String,
    pub reason: String,
    pub policy: String,
    /// When the last of the freezes that follow each other without a gap is over. `None`: when somebody ends it.
    pub until: Option<Timestamp>,
}

impl Frozen {
    /// "year-end until 2027-01-04T06:00:00Z (policy changes): books are closed"
    pub fn words(&self) -> String {
        let until = self.until.map_or_else(|| "without an end".to_owned(), |until| format!("until {until:.0}"));
        let reason = if self.reason.is_empty() { String::new() } else { format!(": {}", self.reason) };
        format!("{} {until} (policy {}){reason}", self.name, self.policy)
    }

    pub(super) fn refuse(&self) -> Refusal {
        refusal(
            "FREEZE",
            "nothing is started in a change freeze; opening and approving go on",
            self.words(),
            self.until.map_or_else(|| "after the freeze was ended".to_owned(), |until| format!("from {until:.0} on")),
            "start it after the freeze; in an emergency open a request with break-glass",
        )
    }
}

/// The freeze that holds a start of this request up now, if any.
pub fn freeze_for(policies: &[&Document], opened: &RequestOpened, now: Timestamp) -> Option<Frozen> {
    freeze_at(policies, opened.tier(), opened.environment(), opened.r#type(), now)
}

/// The freeze that holds for such requests at this moment; of several, the one that lasts longest.
pub fn freeze_at(
    policies: &[&Document],
    tier: Tier,
    environment: Environment,
    kind: RequestType,
    now: Timestamp,
) -> Option<Frozen> {
    let mut frozen = longest(policies, tier, environment, kind, now)?;
    for _ in 0..MAX_CHAIN {
        let Some(until) = frozen.until else { break };
        match longest(policies, tier, environment, kind, until) {
            Some(next) => frozen.until = next.until,
            None => break,
        }
    }
    Some(frozen)
}

fn longest(
    policies: &[&Document],
    tier: Tier,
    environment: Environment,
    kind: RequestType,
    at: Timestamp,
) -> Option<Frozen> {
    let matching = policy_specs(policies).flat_map(|(document, spec)| {
        spec.freezes.iter().filter(|freeze| concerns(freeze, tier, environment, kind)).filter_map(move |freeze| {
            let until = holds_at(freeze, at)?;
            Some(Frozen {
                name: freeze.name.clone(),
                reason: freeze.reason.clone(),
                policy: document.name.clone(),
                until,
            })
        })
    });
    // Without an end is later than any end.
    matching.max_by_key(|frozen| frozen.until.unwrap_or(Timestamp::MAX))
}

fn concerns(freeze: &ChangeFreeze, tier: Tier, environment: Environment, kind: RequestType) -> bool {
    let types = match freeze.request_types.as_slice() {
        // Who has lost the primary cannot wait for Monday.
        [] => kind != RequestType::Failover,
        named => named.iter().any(|name| name == type_name(kind)),
    };
    // What is not known is treated as what the freeze is for.
    let tiers = freeze.tiers.is_empty() || tier == Tier::Unspecified || freeze.tiers().any(|t| t == tier);
    let environments = freeze.environments.is_empty()
        || environment == Environment::Unspecified
        || freeze.environments().any(|e| e == environment);
    types && tiers && environments
}

/// `Some(end)` when the freeze holds at this moment.
fn holds_at(freeze: &ChangeFreeze, at: Timestamp) -> Option<Option<Timestamp>> {
    let (from, until) = (from_pb(freeze.from.as_ref()), from_pb(freeze.until.as_ref()));
    if from.is_some_and(|from| at < from) || until.is_some_and(|until| at >= until) {
        return None;
    }
    match &freeze.weekly {
        None => Some(until),
        Some(weekly) => {
            let end = weekly_end(weekly, at)?;
            Some(Some(until.map_or(end, |until| until.min(end))))
        }
    }
}

/// The end of the weekly window that holds at this moment.
///
/// Clock changes only make a window longer: a beginning that happens twice counts from the first, an end that happens
/// twice counts until the second. A window that cannot be read holds: a freeze that silently does nothing is worse.
fn weekly_end(weekly: &WeeklyWindow, at: Timestamp) -> Option<Timestamp> {
    let (Some(start), Some(end), Some(zone)) =
        (time_of_day(&weekly.start), time_of_day(&weekly.end), zone(&weekly.time_zone))
    else {
        return Some(Timestamp::MAX);
    };
    let today = zone.to_datetime(at).date();
    let days = [today.checked_sub(1.day()).ok(), Some(today)].into_iter().flatten();
    let windows = days.filter(|day| is_on(weekly, *day)).filter_map(|day| {
        let last = if end <= start { day.checked_add(1.day()).ok()? } else { day };
        let from = instant(&zone, day, start, AmbiguousZoned::earlier)?;
        let until = instant(&zone, last, end, AmbiguousZoned::later)?;
        (from <= at && at < until).then_some(until)
    });
    windows.max()
}

fn is_on(weekly: &WeeklyWindow, day: Date) -> bool {
    let number = u32::from(day.weekday().to_monday_one_offset().unsigned_abs());
    weekly.days.is_empty() || weekly.days.contains(&number)
}

fn instant(
    zone: &TimeZone,
    day: Date,
    time: Time,
    settle: impl Fn(AmbiguousZoned) -> Result<jiff::Zoned, jiff::Error>,
) -> Option<Timestamp> {
    settle(zone.to_ambiguous_zoned(day.to_datetime(time))).ok().map(|zoned| zoned.timestamp())
}
