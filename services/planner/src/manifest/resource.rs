//! `kind: Resource`: one protected system.

use muster_domain::pb::common::v1::{Environment, Tier};
use muster_domain::pb::inventory::v1::{ResourceSpec, ThresholdOverrides};

use super::{data, fields::Fields, platform};

pub(super) const TIERS: &[(&str, Tier)] = &[("1", Tier::Tier1), ("2", Tier::Tier2), ("3", Tier::Tier3)];
pub(super) const ENVIRONMENTS: &[(&str, Environment)] = &[
    ("production", Environment::Production),
    ("staging", Environment::Staging),
    ("test", Environment::Test),
    ("development", Environment::Development),
];

pub(super) fn read(mut fields: Fields<'_, '_>) -> ResourceSpec {
    let spec = ResourceSpec {
        display_name: fields.text("displayName"),
        description: fields.text("description"),
        tier: fields.choice("tier", TIERS).unwrap_or_default().into(),
        environment: fields.choice("environment", ENVIRONMENTS).unwrap_or_default().into(),
        owner: fields.text("owner"),
        primary_site: fields.text("primarySite"),
        dr_site: fields.text("drSite"),
        rpo: fields.duration("rpo"),
        rto: fields.duration("rto"),
        thresholds: fields.block("thresholds").map(thresholds),
        labels: fields.texts_by_key("labels").into_iter().collect(),
        integrity: fields.list("integrity", data::integrity),
        isolated_drill: fields.block("isolatedDrill").map(data::isolated_drill),
        platform: platform::read(&mut fields),
    };
    fields.finish();
    spec
}

pub(super) fn thresholds(mut fields: Fields<'_, '_>) -> ThresholdOverrides {
    let overrides = ThresholdOverrides {
        rpo_warning: fields.duration("rpoWarning"),
        rpo_breach: fields.duration("rpoBreach"),
        breach_for: fields.duration("breachFor"),
        recover_for: fields.duration("recoverFor"),
        stale_after: fields.duration("staleAfter"),
        lost_after: fields.duration("lostAfter"),
        unapplied_bytes_warning: fields.size("unappliedBytesWarning"),
    };
    fields.finish();
    overrides
}
