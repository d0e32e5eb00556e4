//! How an alert is told: the first rule of the tenant's policies that matches it, or what is built in.
//!
//! Invariant: no rule makes a tier 1 breach in production quieter than critical, and none holds it back.

use jiff::SignedDuration;

use crate::pb::common::v1::{Environment, Tier};
use crate::pb::inventory::v1::{AlertRule, PolicySpec};
use crate::time::{duration_from_pb, duration_to_pb};

use super::message::{Message, Severity, kind};

/// An alert that is held back longer than this is no alert.
pub const MAX_HOLD: SignedDuration = SignedDuration::from_mins(5);
/// A critical alert of tier 1 that nobody answers for is told again so often, unless a rule says otherwise.
pub const DEFAULT_RENOTIFY: SignedDuration = SignedDuration::from_mins(15);
/// Where a rule came from when no policy has one that matches.
pub const BUILT_IN: &str = "built-in";

/// The kinds of message that an alert opens with.
pub const ALERT_KINDS: &[&str] = &[
    kind::RPO_BREACHED,
    kind::VISIBILITY_LOST,
    kind::REPLICATION_BROKEN,
    kind::INTEGRITY_VIOLATED,
    kind::ALERT_OPENED,
];

/// The alert that a rule is looked up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    pub message_kind: &'a str,
    pub severity: Severity,
    pub tier: Tier,
    pub environment: Environment,
}

impl<'a> Subject<'a> {
    pub fn of(message: &'a Message) -> Self {
        Self {
            message_kind: &message.kind,
            severity: message.severity,
            tier: message.tier,
            environment: message.environment,
        }
    }

    /// More could be lost now than was agreed, of what matters most. Being blind is not a breach. A tier that is not
    /// known counts as the highest: what is not known is never taken for harmless.
    pub fn is_tier_one_breach(&self) -> bool {
        matches!(self.tier, Tier::Tier1 | Tier::Unspecified)
            && self.environment == Environment::Production
            && self.message_kind != kind::VISIBILITY_LOST
            && ALERT_KINDS.contains(&self.message_kind)
    }
}

/// A rule as it holds for one alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    pub rule: AlertRule,
    /// "policy night, alerts[2]", or [`BUILT_IN`].
    pub source: String,
}

impl Chosen {
    /// How long the alert has to last before it is told.
    pub fn hold(&self, subject: &Subject<'_>) -> SignedDuration {
        if subject.is_tier_one_breach() {
            return SignedDuration::ZERO;
        }
        duration_from_pb(self.rule.hold.as_ref()).unwrap_or_default().clamp(SignedDuration::ZERO, MAX_HOLD)
    }

    /// Somebody is told again, or somebody else, while nobody answers for it.
    pub fn asks_for_an_answer(&self) -> bool {
        self.rule.renotify_every.is_some() || !self.rule.escalate.is_empty()
    }

    /// What the rule says is in the message from here on.
    pub fn apply(&self, message: &mut Message) {
        message.runbook_url.clone_from(&self.rule.runbook_url);
        let Some(severity) = severity_named(&self.rule.severity) else { return };
        if !Subject::of(message).is_tier_one_breach() {
            message.relabel(severity);
        }
    }
}

/// The first rule that matches, policies by name. `policies` has the name and the spec of each.
pub fn choose<'p>(policies: impl IntoIterator<Item = (&'p str, &'p PolicySpec)>, subject: &Subject<'_>) -> Chosen {
    let mut policies: Vec<_> = policies.into_iter().collect();
    policies.sort_by_key(|(name, _)| *name);
    let rules = policies
        .into_iter()
        .flat_map(|(name, spec)| spec.alerts.iter().enumerate().map(move |(index, rule)| (name, index, rule)));
    let found = rules.into_iter().find(|(_, _, rule)| matches(rule, subject));
    match found {
        Some((name, index, rule)) => Chosen { rule: rule.clone(), source: format!("policy {name}, alerts[{index}]") },
        None => Chosen { rule: built_in(subject), source: BUILT_IN.to_owned() },
    }
}

fn built_in(subject: &Subject<'_>) -> AlertRule {
    let insists = subject.tier == Tier::Tier1 && subject.severity == Severity::Critical;
    AlertRule { renotify_every: insists.then(|| duration_to_pb(DEFAULT_RENOTIFY)), ..AlertRule::default() }
}

fn matches(rule: &AlertRule, subject: &Subject<'_>) -> bool {
    let kind = |pattern: &String| match pattern.strip_suffix('*') {
        Some(start) => subject.message_kind.starts_with(start),
        None => pattern == subject.message_kind,
    };
    (rule.tiers.is_empty() || rule.tiers().any(|tier| tier == subject.tier))
        && (rule.environments.is_empty() || rule.environments().any(|e| e == subject.environment))
        && (rule.kinds.is_empty() || rule.kinds.iter().any(kind))
}

/// "warning"
pub fn severity_named(name: &str) -> Option<Severity> {
    [Severity::Info, Severity::Warning, Severity::Critical].into_iter().find(|severity| severity.name() == name)
}

#[cfg(test)]
#[path = "alert_rule_tests.rs"]
mod tests;
