//! Change freezes and quiet windows: times in which requests can be opened and decided, and not started.

use jiff::Timestamp;

use super::policy::policy_specs;
use super::type_name;
use crate::pb::common::v1::{Environment, Tier};
use crate::pb::inventory::v1::{ChangeFreeze, Document};
use crate::pb::request::v1::{RequestOpened, RequestType};
use crate::refusal::{Refusal, refusal};
use crate::window;

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
    window::holds_at(freeze.from.as_ref(), freeze.until.as_ref(), freeze.weekly.as_ref(), at)
}
