//! When a message is not told on a route, or not yet: blackouts and quiet hours of the route, maintenance of the system,
//! a run of Muster's own.
//!
//! Invariant: what is tier 1 and critical, and every breach of tier 1, passes blackouts and quiet hours. A window that
//! cannot be read holds nothing back: silence is the dangerous side here.

use jiff::{SignedDuration, Timestamp};

use crate::pb::common::v1::{Environment, Tier};
use crate::pb::execution::v1::{ExecutionState, ExecutionView};
use crate::pb::inventory::v1::{MaintenanceWindow, NotificationRouteSpec, PolicySpec, TimeWindow};
use crate::time::{from_pb, time_of_day, zone};
use crate::window::time_window_at;

use super::alert_rule::{Subject, choose};
use super::message::{Message, Severity, clip, kind};
use super::routing::rule;

/// A replica that was re-pointed needs a moment until it is seen healthy again: the limits' `recoverFor` of tier 1.
pub const AFTER_OWN_RUN: SignedDuration = SignedDuration::from_mins(2);
/// However long a run hangs: then its systems' alerts are told all the same.
pub const MAX_OWN_RUN: SignedDuration = SignedDuration::from_hours(1);
/// The rule as it is recorded; a name in a policy or a route can be long.
const MAX_RULE_BYTES: usize = 200;

/// Why a message waits. Its words lead the recorded rule, so that the log alone tells what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// Told when they end, together with the others, ended alerts too.
    QuietHours,
    /// Planned work: an alert that ends meanwhile is never told.
    Maintenance,
    /// Muster itself moves the system: the same.
    OwnRun,
    /// It comes and goes: the same.
    Flapping,
    /// The alert's rule gives it time to end by itself: the same.
    AlertRule,
}

impl Because {
    pub const ALL: [Because; 5] = [Self::QuietHours, Self::Maintenance, Self::OwnRun, Self::Flapping, Self::AlertRule];

    pub fn words(self) -> &'static str {
        match self {
            Self::QuietHours => "quiet hours",
            Self::Maintenance => "maintenance",
            Self::OwnRun => "a run of Muster's own",
            Self::Flapping => "flapping",
            Self::AlertRule => "time to end by itself",
        }
    }

    /// The reason of a recorded rule.
    pub fn of(rule: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|because| rule.starts_with(because.words()))
    }

    /// Whether an alert that ends while it waits is never told.
    pub fn ends_with_alert(self) -> bool {
        self != Self::QuietHours
    }
}

/// Told later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub because: Because,
    /// For people: "maintenance: network (policy changes)".
    pub rule: String,
    /// Absent: until the run is over.
    pub until: Option<Timestamp>,
}

impl Hold {
    pub fn new(because: Because, what: &str, until: Option<Timestamp>) -> Self {
        let rule = if what.is_empty() { because.words().to_owned() } else { format!("{}: {what}", because.words()) };
        Self { because, rule: clip(&rule, MAX_RULE_BYTES), until }
    }
}

/// What becomes of a message on one route now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    Send,
    Hold(Hold),
    Suppress(String),
}

/// What a message's fate depends on beside itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Circumstances<'a> {
    /// The tenant's policies with their names.
    pub policies: &'a [(&'a str, &'a PolicySpec)],
    /// The run that holds the system, or did so last.
    pub run: Option<&'a ExecutionView>,
}

/// Breaches of tier 1, and what else of tier 1 is critical. A tier that is not known counts as the first.
pub fn passes_silence(message: &Message) -> bool {
    const BREACHES: [&str; 4] =
        [kind::RPO_BREACHED, kind::REPLICATION_BROKEN, kind::INTEGRITY_VIOLATED, kind::ALERT_OPENED];
    let first_tier = matches!(message.tier, Tier::Tier1 | Tier::Unspecified);
    let breach = BREACHES.contains(&message.kind.as_str());
    first_tier && (breach || message.severity == Severity::Critical)
}

/// What the times say. Somebody who tries a route wants to see it work now.
pub fn fate(message: &Message, route: &NotificationRouteSpec, around: Circumstances<'_>, now: Timestamp) -> Fate {
    if message.test {
        return Fate::Send;
    }
    let passes = passes_silence(message);
    if !passes && let Some((window, _)) = first_open(&route.blackouts, now) {
        return Fate::Suppress(clip(&format!("{}: {}", rule::BLACKOUT, window.name), MAX_RULE_BYTES));
    }
    let planned = own_run(message, around.run, now).or_else(|| maintenance(message, around.policies, now));
    if let Some(hold) = planned.or_else(|| alert_rule(message, around.policies, now)) {
        return Fate::Hold(hold);
    }
    match first_open(&route.quiet_hours, now) {
        Some((window, Some(until))) if !passes => Fate::Hold(Hold::new(Because::QuietHours, &window.name, Some(until))),
        _ => Fate::Send,
    }
}

/// The window that is open now, and of several the one that ends last.
fn first_open(windows: &[TimeWindow], now: Timestamp) -> Option<(&TimeWindow, Option<Timestamp>)> {
    let open = windows.iter().filter_map(|window| Some((window, open_until(window, now)?)));
    open.max_by_key(|(_, until)| until.unwrap_or(Timestamp::MAX))
}

/// `Some(end)` while the window is open. One without times, or with times that cannot be read, never is.
fn open_until(window: &TimeWindow, now: Timestamp) -> Option<Option<Timestamp>> {
    let readable = match &window.weekly {
        Some(weekly) => {
            time_of_day(&weekly.start).is_some()
                && time_of_day(&weekly.end).is_some()
                && zone(&weekly.time_zone).is_some()
        }
        None => from_pb(window.from.as_ref()).is_some() && from_pb(window.until.as_ref()).is_some(),
    };
    if !readable {
        return None;
    }
    time_window_at(window, now)
}

/// Alerts of a system under planned work wait for its end. Two primaries are told at once, whatever was planned.
fn maintenance(message: &Message, policies: &[(&str, &PolicySpec)], now: Timestamp) -> Option<Hold> {
    if !opens_alert(message) || message.kind == kind::INTEGRITY_VIOLATED {
        return None;
    }
    let open = policies.iter().flat_map(|(name, policy)| {
        policy.maintenance.iter().filter(|rule| concerns(rule, message)).filter_map(move |rule| {
            let window = rule.window.as_ref()?;
            // A window without an end is no plan.
            let until = open_until(window, now)??;
            Some(Hold::new(Because::Maintenance, &format!("{} (policy {name})", window.name), Some(until)))
        })
    });
    open.max_by_key(|hold| hold.until)
}

/// Empty lists match everything, but not all of them at once. What is not known matches no list.
fn concerns(rule: &MaintenanceWindow, message: &Message) -> bool {
    let named = !rule.tiers.is_empty()
        || !rule.environments.is_empty()
        || !rule.resources.is_empty()
        || !rule.groups.is_empty();
    let tier = rule.tiers.is_empty() || rule.tiers().any(|t| t != Tier::Unspecified && t == message.tier);
    let environment = rule.environments.is_empty()
        || rule.environments().any(|e| e != Environment::Unspecified && e == message.environment);
    let resource = rule.resources.is_empty() || rule.resources.contains(&message.resource);
    let group = rule.groups.is_empty() || rule.groups.iter().any(|group| message.groups.contains(group));
    named && tier && environment && resource && group
}

/// While Muster moves a system its replication is cut on purpose. Two primaries are never on purpose.
fn own_run(message: &Message, run: Option<&ExecutionView>, now: Timestamp) -> Option<Hold> {
    const CAUSED: [&str; 3] = [kind::REPLICATION_BROKEN, kind::RPO_BREACHED, kind::VISIBILITY_LOST];
    if !opens_alert(message) || !CAUSED.contains(&message.kind.as_str()) {
        return None;
    }
    let run = run?;
    let started = run.started.as_ref()?;
    let moves = !started.drill
        && (started.resource == message.resource || started.members.iter().any(|m| m.resource == message.resource));
    // An alert from before the run is not its doing.
    let began = from_pb(started.started_at.as_ref())?;
    if !moves || message.occurred_at < began {
        return None;
    }
    let hold = |until| Hold::new(Because::OwnRun, &format!("request {}", run.request_id), until);
    match run.state() {
        ExecutionState::Running if now.duration_since(message.occurred_at) < MAX_OWN_RUN => Some(hold(None)),
        ExecutionState::Succeeded => {
            let ended = from_pb(run.succeeded.as_ref()?.finished_at.as_ref())?;
            let until = ended.checked_add(AFTER_OWN_RUN).ok()?;
            (now < until).then(|| hold(Some(until)))
        }
        // It failed or was stopped: what is open now is not on purpose any more.
        _ => None,
    }
}

/// A rule gives an alert some time to end by itself. Told again, it had that.
fn alert_rule(message: &Message, policies: &[(&str, &PolicySpec)], now: Timestamp) -> Option<Hold> {
    if !opens_alert(message) || message.repetition > 0 || message.step > 0 {
        return None;
    }
    let subject = Subject::of(message);
    let chosen = choose(policies.iter().copied(), &subject);
    // Without a hold nothing waits, not even for a clock that is ahead of ours.
    let hold = Some(chosen.hold(&subject)).filter(|hold| hold.is_positive())?;
    let until = message.occurred_at.checked_add(hold).ok()?;
    (now < until).then(|| Hold::new(Because::AlertRule, &chosen.source, Some(until)))
}

/// A message that says an alert is there, and not that it is over or looked after.
pub fn opens_alert(message: &Message) -> bool {
    !message.alert_id.is_empty() && message.alert_kind == message.kind
}

#[cfg(test)]
#[path = "silence_tests.rs"]
mod tests;
