//! The limits a resource is judged by: built-in per tier, overridden by policy, then by the resource.

use jiff::SignedDuration;

use crate::Refusal;
use crate::pb::common::v1::{Thresholds, Tier};
use crate::pb::inventory::v1::{ReadinessRule, ThresholdOverrides};
use crate::refusal::field_refusal;
use crate::time::{PbDuration, duration_from_pb, duration_to_pb, humane};

/// Whatever is configured, an observation older than this is stale: a longer limit would let a
/// green stand on something nobody has looked at for too long.
pub const MAX_STALE_AFTER: SignedDuration = SignedDuration::from_mins(15);
/// Whatever is configured, no look for this long is lost sight.
pub const MAX_LOST_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// An alert that waits longer is of no use to anybody.
pub const MAX_BREACH_FOR: SignedDuration = SignedDuration::from_hours(1);
/// A recovery held back longer would hide that things are well.
pub const MAX_RECOVER_FOR: SignedDuration = SignedDuration::from_hours(1);
/// No RPO is longer than this.
pub const MAX_RPO: SignedDuration = SignedDuration::from_hours(24 * 31);

const MIB: u64 = 1024 * 1024;

/// [`Thresholds`] with every field present and in order: warning <= breach, stale <= lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub rpo_warning: SignedDuration,
    pub rpo_breach: SignedDuration,
    pub breach_for: SignedDuration,
    pub recover_for: SignedDuration,
    pub stale_after: SignedDuration,
    pub lost_after: SignedDuration,
    pub unapplied_bytes_warning: u64,
}

impl Limits {
    /// What holds where nothing is declared. The table is in docs/readiness-rules.md.
    pub fn built_in(tier: Tier) -> Self {
        let secs = SignedDuration::from_secs;
        let (rpo, breach_for, recover_for, stale_after, lost_after, mib) = match tier {
            Tier::Tier1 => (secs(60), secs(2), secs(10), secs(10), secs(30), 64),
            Tier::Tier2 => (secs(900), secs(30), secs(30), secs(20), secs(60), 256),
            Tier::Tier3 | Tier::Unspecified => (secs(4 * 3600), secs(300), secs(60), secs(60), secs(300), 1024),
        };
        Self {
            rpo_warning: rpo / 2,
            rpo_breach: rpo,
            breach_for,
            recover_for,
            stale_after,
            lost_after,
            unapplied_bytes_warning: mib * MIB,
        }
    }

    /// The limits of one resource: built-in, then its RPO target, then the policy's rules for its
    /// tier, then its own overrides.
    pub fn effective<'a>(
        tier: Tier,
        rpo: Option<&PbDuration>,
        policy: impl IntoIterator<Item = &'a ReadinessRule>,
        own: Option<&ThresholdOverrides>,
    ) -> Self {
        let mut limits = Self::built_in(tier);
        if let Some(rpo) = positive(rpo) {
            limits.rpo_breach = rpo;
            limits.rpo_warning = rpo / 2;
        }
        for rule in policy {
            if rule.tier() == tier
                && let Some(overrides) = &rule.thresholds
            {
                limits.apply(overrides);
            }
        }
        if let Some(overrides) = own {
            limits.apply(overrides);
        }
        limits.in_order()
    }

    fn apply(&mut self, o: &ThresholdOverrides) {
        if let Some(breach) = positive(o.rpo_breach.as_ref()) {
            self.rpo_breach = breach;
            self.rpo_warning = self.rpo_warning.min(breach / 2);
        }
        let fields = [
            (&mut self.rpo_warning, &o.rpo_warning),
            (&mut self.stale_after, &o.stale_after),
            (&mut self.lost_after, &o.lost_after),
        ];
        for (field, value) in fields {
            *field = positive(value.as_ref()).unwrap_or(*field);
        }
        // Zero is a sensible wait: alert, or recover, at once.
        for (field, value) in [(&mut self.breach_for, &o.breach_for), (&mut self.recover_for, &o.recover_for)] {
            *field = duration_from_pb(value.as_ref()).filter(|d| !d.is_negative()).unwrap_or(*field);
        }
        self.unapplied_bytes_warning = o.unapplied_bytes_warning.unwrap_or(self.unapplied_bytes_warning);
    }

    /// Puts limits that contradict each other into the stricter order.
    fn in_order(mut self) -> Self {
        self.rpo_breach = self.rpo_breach.min(MAX_RPO);
        self.rpo_warning = self.rpo_warning.min(self.rpo_breach);
        self.lost_after = self.lost_after.min(MAX_LOST_AFTER);
        self.stale_after = self.stale_after.min(MAX_STALE_AFTER).min(self.lost_after);
        self.breach_for = self.breach_for.min(MAX_BREACH_FOR);
        self.recover_for = self.recover_for.min(MAX_RECOVER_FOR);
        self
    }

    pub fn to_pb(&self) -> Thresholds {
        Thresholds {
            rpo_warning: Some(duration_to_pb(self.rpo_warning)),
            rpo_breach: Some(duration_to_pb(self.rpo_breach)),
            breach_for: Some(duration_to_pb(self.breach_for)),
            recover_for: Some(duration_to_pb(self.recover_for)),
            stale_after: Some(duration_to_pb(self.stale_after)),
            lost_after: Some(duration_to_pb(self.lost_after)),
            unapplied_bytes_warning: self.unapplied_bytes_warning,
        }
    }
}

/// Refuses overrides that could not be honoured as written. `field` is where they stand: "spec.thresholds".
pub fn check(field: &str, o: &ThresholdOverrides) -> Result<(), Refusal> {
    let second = SignedDuration::from_secs(1);
    let limits = [
        ("rpo_warning", &o.rpo_warning, second, MAX_RPO),
        ("rpo_breach", &o.rpo_breach, second, MAX_RPO),
        ("breach_for", &o.breach_for, SignedDuration::ZERO, MAX_BREACH_FOR),
        ("recover_for", &o.recover_for, SignedDuration::ZERO, MAX_RECOVER_FOR),
        ("stale_after", &o.stale_after, second * 2, MAX_STALE_AFTER),
        ("lost_after", &o.lost_after, second * 2, MAX_LOST_AFTER),
    ];
    for (name, value, least, most) in limits {
        let Some(given) = value.as_ref() else { continue };
        let allowed = format!("{} to {}", humane(least), humane(most));
        match duration_from_pb(Some(given)) {
            Some(d) if (least..=most).contains(&d) => {}
            d => {
                return Err(field_refusal(
                    format!("{field}.{name}"),
                    "THRESHOLD_OUT_OF_RANGE",
                    "a threshold must lie in its range",
                    d.map_or_else(|| format!("{} s", given.seconds), humane),
                    allowed,
                    "choose a value in the range, or leave the field out to keep the tier's value",
                ));
            }
        }
    }
    in_pair(field, ("rpo_warning", &o.rpo_warning), ("rpo_breach", &o.rpo_breach))?;
    in_pair(field, ("stale_after", &o.stale_after), ("lost_after", &o.lost_after))
}

type Named<'a> = (&'a str, &'a Option<PbDuration>);

fn in_pair(field: &str, lower: Named<'_>, upper: Named<'_>) -> Result<(), Refusal> {
    let (Some(low), Some(high)) = (duration_from_pb(lower.1.as_ref()), duration_from_pb(upper.1.as_ref())) else {
        return Ok(());
    };
    if low <= high {
        return Ok(());
    }
    Err(field_refusal(
        format!("{field}.{}", lower.0),
        "THRESHOLDS_CONTRADICT",
        format!("{} must not be above {}", lower.0, upper.0),
        humane(low),
        format!("at most {}", humane(high)),
        format!("lower {} or raise {}", lower.0, upper.0),
    ))
}

fn positive(d: Option<&PbDuration>) -> Option<SignedDuration> {
    duration_from_pb(d).filter(SignedDuration::is_positive)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test panics to fail")]

    use super::*;

    fn pb(seconds: i64) -> Option<PbDuration> {
        Some(PbDuration { seconds, nanos: 0 })
    }

    #[test]
    fn the_resource_wins_over_the_policy_and_the_policy_over_the_tier() {
        let rule = |tier: Tier, stale, recover| ReadinessRule {
            tier: tier.into(),
            thresholds: Some(ThresholdOverrides {
                stale_after: pb(stale),
                recover_for: pb(recover),
                ..Default::default()
            }),
        };
        let policy = [rule(Tier::Tier1, 8, 3), rule(Tier::Tier2, 1, 1)];
        let own = ThresholdOverrides { stale_after: pb(6), ..Default::default() };
        let limits = Limits::effective(Tier::Tier1, pb(10).as_ref(), &policy, Some(&own));
        assert_eq!(limits.rpo_breach, SignedDuration::from_secs(10));
        assert_eq!(limits.rpo_warning, SignedDuration::from_secs(5));
        assert_eq!(limits.stale_after, SignedDuration::from_secs(6));
        assert_eq!(limits.recover_for, SignedDuration::from_secs(3));
        assert_eq!(limits.lost_after, SignedDuration::from_secs(30));
    }

    #[test]
    fn contradictions_and_nonsense_fall_to_the_strict_side() {
        let own = ThresholdOverrides {
            rpo_warning: pb(100),
            rpo_breach: pb(50),
            stale_after: pb(i64::MAX),
            lost_after: pb(i64::MAX),
            breach_for: pb(-5),
            ..Default::default()
        };
        let limits = Limits::effective(Tier::Tier1, pb(-3).as_ref(), [], Some(&own));
        assert_eq!(limits.rpo_warning, SignedDuration::from_secs(50));
        assert_eq!(limits.stale_after, MAX_STALE_AFTER);
        assert_eq!(limits.lost_after, MAX_LOST_AFTER);
        assert_eq!(limits.breach_for, SignedDuration::from_secs(2));
    }

    #[test]
    fn a_refusal_names_field_value_and_limit() {
        let own = ThresholdOverrides { stale_after: pb(3600), ..Default::default() };
        let refusal = check("spec.thresholds", &own).expect_err("too long");
        assert_eq!(
            (refusal.field.as_str(), refusal.value.as_str(), refusal.limit.as_str()),
            ("spec.thresholds.stale_after", "1 h", "2 s to 15 min")
        );
        let own = ThresholdOverrides { rpo_warning: pb(9), rpo_breach: pb(5), ..Default::default() };
        assert_eq!(check("t", &own).expect_err("crossed").code, "THRESHOLDS_CONTRADICT");
        assert!(check("t", &ThresholdOverrides::default()).is_ok());
    }
}
