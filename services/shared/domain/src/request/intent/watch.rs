//! What a tenant allows inside messages, and when refused links are told to security.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use crate::pb::common::v1::Tier;
use crate::pb::inventory::v1::MessageApprovalRule;

/// The time in which refused links add up.
pub const ALARM_WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// Where no policy says more.
const REFUSALS_BEFORE_ALARM: u32 = 5;

/// The tenant's rules together: each can only narrow what the others allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageApprovals {
    channels: Vec<String>,
    tiers: Vec<i32>,
    pub refusals_before_alarm: u32,
}

impl MessageApprovals {
    pub fn of<'a>(rules: impl Iterator<Item = &'a MessageApprovalRule> + Clone) -> Self {
        let first = rules.clone().next().cloned().unwrap_or_default();
        let all = |holds: &dyn Fn(&MessageApprovalRule) -> bool| rules.clone().all(holds);
        let alarms = rules.clone().map(|rule| rule.refusals_before_alarm).filter(|count| *count > 0);
        Self {
            refusals_before_alarm: alarms.min().unwrap_or(REFUSALS_BEFORE_ALARM),
            channels: first.channels.into_iter().filter(|name| all(&|rule| rule.channels.contains(name))).collect(),
            tiers: first.tiers.into_iter().filter(|tier| all(&|rule| rule.tiers.contains(tier))).collect(),
        }
    }

    /// Whether the tenant has opted in to messages with buttons on this channel.
    pub fn has_channel(&self, channel: &str) -> bool {
        self.channels.iter().any(|name| name == channel)
    }

    /// Whether a button on this channel may decide. Never for tier 1 or an unknown tier, whatever a policy says.
    pub fn button_decides(&self, channel: &str, tier: Tier) -> bool {
        matches!(tier, Tier::Tier2 | Tier::Tier3) && self.has_channel(channel) && self.tiers.contains(&tier.into())
    }
}

/// Which of these refusals, in their order, is the one that security is told at. After an alarm the count begins anew.
pub fn alarms(refusals: impl IntoIterator<Item = Timestamp>, threshold: u32) -> Vec<usize> {
    let mut recent: VecDeque<Timestamp> = VecDeque::new();
    let mut told = Vec::new();
    for (index, at) in refusals.into_iter().enumerate() {
        recent.retain(|earlier| at.duration_since(*earlier) < ALARM_WINDOW);
        recent.push_back(at);
        if recent.len() >= threshold.max(1) as usize {
            told.push(index);
            recent.clear();
        }
    }
    told
}
