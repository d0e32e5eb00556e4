//! Many at once become one: how many messages of a kind a route gets one by one, and when the rest is told together; and
//! when an alert that comes and goes is told as flapping.
//!
//! The counts are kept in memory by whoever hands messages out. After a restart they begin anew: then a few more are told
//! one by one, never fewer. What was decided is in the log.
//!
//! Invariant: a group holds messages of one route, recipient, kind, environment, tier and severity only, so no group can
//! carry a test system to the production on-call, or a tier 1 alert behind others.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::derived_id;
use crate::pb::inventory::v1::Grouping;
use crate::time::duration_from_pb;

use super::message::{Message, environment_name, kind, tier_name};
use super::routing::Decision;
use super::silence::{Because, Hold, opens_alert, passes_silence};

/// Without a `grouping` block.
pub const DEFAULT_MORE_THAN: u32 = 10;
pub const DEFAULT_WINDOW: SignedDuration = SignedDuration::from_secs(30);
pub const DEFAULT_FLAPS: u32 = 4;
/// Longer, and the message that says "many" would itself come too late.
pub const MAX_WINDOW: SignedDuration = SignedDuration::from_mins(10);
pub const MAX_MORE_THAN: u32 = 10_000;
pub const MAX_FLAPS: u32 = 50;
/// How far back opened alerts of one system count.
pub const FLAPPING_WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// An alert of a flapping system that is still open after this is told.
pub const FLAPPING_HOLD: SignedDuration = SignedDuration::from_mins(5);
/// The same for a breach of tier 1.
pub const FLAPPING_HOLD_TIER_1: SignedDuration = SignedDuration::from_mins(1);
/// Kinds and systems that are counted at a time, of one tenant. Beyond it everything is told one by one.
pub const MAX_COUNTED: usize = 20_000;

/// A route's limits, with the defaults where it says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub more_than: u32,
    pub window: SignedDuration,
    pub flaps: u32,
}

impl Limits {
    pub fn of(grouping: Option<&Grouping>) -> Self {
        let or = |value: Option<u32>, default| value.filter(|value| *value > 0).unwrap_or(default);
        let window = grouping.and_then(|g| duration_from_pb(g.window.as_ref())).filter(|w| *w > SignedDuration::ZERO);
        Self {
            more_than: or(grouping.map(|g| g.more_than), DEFAULT_MORE_THAN),
            window: window.unwrap_or(DEFAULT_WINDOW).min(MAX_WINDOW),
            flaps: or(grouping.map(|g| g.flaps), DEFAULT_FLAPS),
        }
    }
}

/// What is told together, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The delivery that tells it.
    pub delivery_id: Uuid,
    /// What stands for the event that the delivery tells about.
    pub event_id: Uuid,
    pub route: String,
    pub recipient: String,
    /// What its members have in common: see [`label`].
    pub label: String,
    /// Quiet hours held them; otherwise they were too many.
    pub quiet: bool,
    pub since: Timestamp,
    pub until: Timestamp,
}

impl Group {
    /// Too many at once. The same parts always give the same group: any instance finds it again.
    pub fn of_many(tenant: &str, to: (&str, &str), message: &Message, since: Timestamp, until: Timestamp) -> Self {
        Self::new(tenant, to, label(message), false, since, until)
    }

    /// What quiet hours held until `ended`, told `after` that, so that all of it is there.
    pub fn of_quiet(
        tenant: &str,
        to: (&str, &str),
        message: &Message,
        ended: Timestamp,
        after: SignedDuration,
    ) -> Self {
        let until = ended.checked_add(after).unwrap_or(ended);
        Self::new(tenant, to, format!("quiet hours {}", environment_name(message.environment)), true, ended, until)
    }

    fn new(
        tenant: &str,
        (route, recipient): (&str, &str),
        label: String,
        quiet: bool,
        since: Timestamp,
        until: Timestamp,
    ) -> Self {
        let times = format!("{} {}", since.as_millisecond(), until.as_millisecond());
        let event_id = derived_id(&["delivery.group", tenant, route, recipient, &label, &times]);
        Self {
            delivery_id: super::delivery_id(tenant, event_id, route, recipient),
            event_id,
            route: route.to_owned(),
            recipient: recipient.to_owned(),
            label,
            quiet,
            since,
            until,
        }
    }

    /// The next one, for what came when this one was already on its way.
    #[must_use]
    pub fn next(&self, tenant: &str, length: SignedDuration) -> Self {
        let until = self.until.checked_add(length).unwrap_or(self.until);
        Self::new(tenant, (&self.route, &self.recipient), self.label.clone(), self.quiet, self.until, until)
    }
}

/// What the members of a group have in common, in words: part of the group's identity.
fn label(message: &Message) -> String {
    format!(
        "{} {} {} {}",
        message.kind,
        environment_name(message.environment),
        tier_name(message.tier),
        message.severity.name()
    )
}

/// Whether such a message may be told as one of many. Requests are each waited for by people, and so is a test.
pub fn may_be_grouped(message: &Message) -> bool {
    const ONE_BY_ONE: [&str; 4] = ["request.", "approval.", "security.", "audit."];
    !message.test
        && message.kind != kind::PLAN_NOTICE
        && !ONE_BY_ONE.iter().any(|start| message.kind.starts_with(start))
}

#[derive(Debug, Clone, Copy)]
struct Window {
    since: Timestamp,
    until: Timestamp,
    count: u32,
}

/// How much there was lately, of one tenant.
#[derive(Debug, Default)]
pub struct Counts {
    windows: BTreeMap<(String, String, String), Window>,
    opened: BTreeMap<(String, String, String), VecDeque<Timestamp>>,
}

/// An alert of a system that opens and ends again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flapping {
    No,
    /// This one says so.
    Begins {
        times: u32,
    },
    /// It was said; told only if it stays.
    GoesOn(Hold),
}

impl Counts {
    /// Counts one message. `Some`: there were enough one by one, it belongs into this group.
    pub fn group(
        &mut self,
        tenant: &str,
        message: &Message,
        decision: &Decision,
        limits: Limits,
        now: Timestamp,
    ) -> Option<Group> {
        if !may_be_grouped(message) {
            return None;
        }
        make_room(&mut self.windows, |window| window.until > now);
        let key = (decision.route.clone(), decision.recipient.shown.clone(), label(message));
        let full = self.windows.len() >= MAX_COUNTED && !self.windows.contains_key(&key);
        let until = now.checked_add(limits.window).ok().filter(|_| !full)?;
        let fresh = Window { since: now, until, count: 0 };
        let window = self.windows.entry(key).or_insert(fresh);
        // A clock that was set back must not keep a window open.
        if now >= window.until || now < window.since {
            *window = fresh;
        }
        window.count = window.count.saturating_add(1);
        let (since, until) = (window.since, window.until);
        let to = (decision.route.as_str(), decision.recipient.shown.as_str());
        (window.count > limits.more_than).then(|| Group::of_many(tenant, to, message, since, until))
    }

    /// Counts an alert that opens. Two primaries are never taken for flapping.
    pub fn flapping(&mut self, message: &Message, route: &str, limits: Limits, now: Timestamp) -> Flapping {
        if !opens_alert(message) || !message.opens_thread || message.kind == kind::INTEGRITY_VIOLATED {
            return Flapping::No;
        }
        let recent = |at: &Timestamp| *at <= now && now.duration_since(*at) < FLAPPING_WITHIN;
        make_room(&mut self.opened, |opened| opened.back().is_some_and(recent));
        let key = (route.to_owned(), message.resource.clone(), message.kind.clone());
        if self.opened.len() >= MAX_COUNTED && !self.opened.contains_key(&key) {
            return Flapping::No;
        }
        let opened = self.opened.entry(key).or_default();
        opened.retain(recent);
        opened.push_back(now);
        // One more than the limit and the one that said so: further back nothing is asked.
        while opened.len() > limits.flaps as usize + 2 {
            opened.pop_front();
        }
        let times = u32::try_from(opened.len()).unwrap_or(u32::MAX);
        match times.checked_sub(limits.flaps.saturating_add(1)) {
            None => Flapping::No,
            Some(0) => Flapping::Begins { times },
            Some(_) => {
                let hold = if passes_silence(message) { FLAPPING_HOLD_TIER_1 } else { FLAPPING_HOLD };
                Flapping::GoesOn(Hold::new(Because::Flapping, "", now.checked_add(hold).ok()))
            }
        }
    }

    /// What is counted at the moment: never more than twice [`MAX_COUNTED`].
    pub fn len(&self) -> usize {
        self.windows.len() + self.opened.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Only when it is full: then everything that is over goes.
fn make_room<V>(counted: &mut BTreeMap<(String, String, String), V>, counts: impl Fn(&V) -> bool) {
    if counted.len() >= MAX_COUNTED {
        counted.retain(|_, value| counts(value));
    }
}

/// Says that the alert comes and goes, and what is told from now on.
pub fn say_flapping(message: &mut Message, times: u32) {
    let subject = format!("FLAPPING: {}", message.subject);
    message.set_subject(&subject);
    message.reasons.insert(
        0,
        format!(
            "Opened {times} times within an hour. Until that ends, an alert like this one is told only when it stays open."
        ),
    );
    message.reasons.truncate(super::message::MAX_LIST);
}

#[cfg(test)]
#[path = "grouping_tests.rs"]
mod tests;
