//! A resource: targets that can be met, two different sides, references instead of secrets.

use jiff::SignedDuration;

use super::TenantInventory;
use super::validate::{Finding, duration, shorten, text};
use super::validate_data::validate_data;
use super::validate_platform::validate_platform;
use crate::pb::common::v1::{Environment, Tier};
use crate::pb::inventory::v1::{Kind, ResourceSpec, ThresholdOverrides};
use crate::time::{PbDuration, duration_from_pb, humane};

/// Longer targets are not disaster recovery any more.
const MAX_TARGET: SignedDuration = SignedDuration::from_hours(24 * 30);
const MAX_LABELS: usize = 50;

pub(super) fn validate_resource(found: &mut Finding, name: &str, spec: &ResourceSpec, others: &TenantInventory) {
    text(found, "spec.displayName", &spec.display_name);
    text(found, "spec.description", &spec.description);
    text(found, "spec.owner", &spec.owner);
    if spec.owner.trim().is_empty() {
        found.fault(
            "spec.owner",
            "somebody owns every protected system",
            "empty",
            "a team or person",
            "name the owner",
        );
    }
    if spec.tier() == Tier::Unspecified {
        found.fault("spec.tier", "the tier decides limits and approvals", "absent", "1, 2 or 3", "name the tier");
    }
    if spec.environment() == Environment::Unspecified {
        found.fault(
            "spec.environment",
            "the environment decides who may be woken",
            "absent",
            "production, staging, test or development",
            "name the environment",
        );
    }
    sites(found, spec, others);
    required_target(found, "spec.rpo", spec.rpo.as_ref());
    required_target(found, "spec.rto", spec.rto.as_ref());
    thresholds(found, "spec.thresholds", spec.thresholds.as_ref(), spec.rpo.as_ref());
    if spec.labels.len() > MAX_LABELS {
        found.fault(
            "spec.labels",
            "labels are few",
            spec.labels.len().to_string(),
            format!("at most {MAX_LABELS}"),
            "remove some",
        );
    }
    for (key, value) in &spec.labels {
        text(found, &format!("spec.labels.{}", shorten(key)), key);
        text(found, &format!("spec.labels.{}", shorten(key)), value);
    }
    validate_data(found, spec);
    match &spec.platform {
        Some(platform) => validate_platform(found, name, spec, platform, others),
        None => found.fault(
            "spec",
            "a resource has a platform",
            "absent",
            "postgresql, mariadb, redis or patroni",
            "add the platform's block",
        ),
    }
}

fn sites(found: &mut Finding, spec: &ResourceSpec, others: &TenantInventory) {
    for (field, site) in [("spec.primarySite", &spec.primary_site), ("spec.drSite", &spec.dr_site)] {
        if others.get(Kind::Site, site).is_none() {
            found.fault(
                field,
                "sites are declared",
                site,
                "a site of this tenant",
                "declare the site first, or in the same manifest",
            );
        }
    }
    if spec.primary_site == spec.dr_site {
        found.fault(
            "spec.drSite",
            "the two sites differ",
            &spec.dr_site,
            "another site than primarySite",
            "name the site it can be moved to",
        );
    }
}

fn required_target(found: &mut Finding, field: &str, value: Option<&PbDuration>) {
    if value.is_none() {
        found.fault(
            field,
            "without a target nothing can be judged",
            "absent",
            format!("above 0 s, at most {}", humane(MAX_TARGET)),
            "write it like 30s, 5m or 4h",
        );
    }
    duration(found, field, value, MAX_TARGET);
}

/// Overrides must be in order among themselves and within the target.
pub(super) fn thresholds(
    found: &mut Finding,
    field: &str,
    overrides: Option<&ThresholdOverrides>,
    rpo: Option<&PbDuration>,
) {
    let Some(o) = overrides else { return };
    let at = |name: &str| format!("{field}.{name}");
    let warning = duration(found, &at("rpoWarning"), o.rpo_warning.as_ref(), MAX_TARGET);
    let breach = duration(found, &at("rpoBreach"), o.rpo_breach.as_ref(), MAX_TARGET);
    duration(found, &at("breachFor"), o.breach_for.as_ref(), SignedDuration::from_hours(1));
    duration(found, &at("recoverFor"), o.recover_for.as_ref(), SignedDuration::from_hours(1));
    let stale = duration(found, &at("staleAfter"), o.stale_after.as_ref(), SignedDuration::from_hours(1));
    let lost = duration(found, &at("lostAfter"), o.lost_after.as_ref(), SignedDuration::from_hours(24));
    let limit = breach.or(duration_from_pb(rpo));
    if let (Some(warning), Some(limit)) = (warning, limit)
        && warning > limit
    {
        found.fault(
            at("rpoWarning"),
            "a warning comes before the breach",
            humane(warning),
            format!("at most {}", humane(limit)),
            "lower the warning",
        );
    }
    if let (Some(breach), Some(rpo)) = (breach, duration_from_pb(rpo))
        && breach > rpo
    {
        found.fault(
            at("rpoBreach"),
            "a breach is not later than the target",
            humane(breach),
            format!("at most {}", humane(rpo)),
            "lower the breach threshold or raise the RPO",
        );
    }
    if let (Some(stale), Some(lost)) = (stale, lost)
        && stale >= lost
    {
        found.fault(
            at("staleAfter"),
            "stale comes before lost",
            humane(stale),
            format!("below {}", humane(lost)),
            "lower staleAfter",
        );
    }
}

/// A reference to a secret, never the secret.
pub(super) fn secret_ref(found: &mut Finding, field: &str, reference: &str) {
    let ok = match reference.split_once(':') {
        Some(("file", name)) => {
            !name.is_empty()
                && name.len() <= 100
                && !name.starts_with('.')
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        }
        Some(("env", name)) => {
            !name.is_empty()
                && name.len() <= 100
                && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        }
        _ => false,
    };
    if !ok {
        // It may be the secret itself, typed in the wrong place: it is not repeated.
        found.fault(
            field,
            "a reference to a secret, never the secret itself",
            "not a reference (not shown)",
            "file:NAME or env:NAME",
            "put the secret into the secrets directory and name it here",
        );
    }
}
