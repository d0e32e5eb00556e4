//! Which way a request goes: the site it leaves and the site it shall run on, of every resource that it is about.

use super::type_name;
use crate::pb::common::v1::{Environment, Tier};
use crate::pb::inventory::v1::ResourceSpec;
use crate::pb::request::v1::{RequestMember, RequestType};
use crate::plan::Scope;
use crate::refusal::{Refusal, field_refusal};

/// From one site to the other, the same for every member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sites {
    pub from: String,
    pub target: String,
}

/// The sites of a request. An empty target is the one that the type implies, where it implies one.
pub fn sites(kind: RequestType, scope: &Scope<'_>, asked: &str) -> Result<Sites, Refusal> {
    let Some(first) = scope.members.first() else { return Err(unknown(asked, "a resource of the scope")) };
    let target = match (asked, implied(kind, first.spec)) {
        ("", Some(implied)) => implied,
        (asked, _) => asked,
    };
    let from = other_site(first.spec, target)?;
    for member in &scope.members {
        if other_site(member.spec, target)? != from {
            return Err(field_refusal(
                "target_site",
                "SITES_DIFFER",
                "everything that moves together leaves the same site",
                format!(
                    "{} would leave {}, {} {from}",
                    member.document.name,
                    other_site(member.spec, target)?,
                    first.document.name
                ),
                "members with the same two sites",
                "ask for each of them alone, or declare the same sites",
            ));
        }
        if kind == RequestType::Failback && member.spec.primary_site != target {
            return Err(field_refusal(
                "target_site",
                "FAILBACK_TARGET",
                "a failback goes back to the site where the system normally runs",
                format!("{target}; {} normally runs on {}", member.document.name, member.spec.primary_site),
                member.spec.primary_site.clone(),
                "name the primary site, or ask for a switchover",
            ));
        }
    }
    Ok(Sites { from: from.to_owned(), target: target.to_owned() })
}

/// The DR side is what drills rehearse, and home is where a failback goes.
fn implied(kind: RequestType, spec: &ResourceSpec) -> Option<&str> {
    match kind {
        RequestType::ReadinessDrill
        | RequestType::IsolatedDrill
        | RequestType::TabletopDrill
        | RequestType::LiveDrill => Some(&spec.dr_site),
        RequestType::Failback => Some(&spec.primary_site),
        RequestType::Switchover
        | RequestType::Failover
        | RequestType::Rotation
        | RequestType::Rollback
        | RequestType::Unspecified => None,
    }
}

/// The site it leaves: the one of its two sites that is not the target.
fn other_site<'a>(spec: &'a ResourceSpec, target: &str) -> Result<&'a str, Refusal> {
    if target == spec.dr_site && target != spec.primary_site {
        return Ok(&spec.primary_site);
    }
    if target == spec.primary_site && target != spec.dr_site {
        return Ok(&spec.dr_site);
    }
    Err(unknown(target, &format!("{} or {}", spec.primary_site, spec.dr_site)))
}

fn unknown(target: &str, limit: &str) -> Refusal {
    field_refusal(
        "target_site",
        "SITE_UNKNOWN",
        "the target is one of the resource's two sites",
        target.chars().take(80).collect::<String>(),
        limit,
        "name the site it shall run on afterwards",
    )
}

/// Every resource as it is now.
pub fn members(scope: &Scope<'_>, sites: &Sites) -> Vec<RequestMember> {
    let member = |member: &crate::plan::Member<'_>| RequestMember {
        resource: member.document.name.clone(),
        resource_version: member.document.version,
        tier: member.spec.tier,
        environment: member.spec.environment,
        from_site: sites.from.clone(),
    };
    scope.members.iter().map(member).collect()
}

/// What a group counts as: its most critical member, and production if any of them is. What is not known is the worst.
pub fn worst(scope: &Scope<'_>) -> (Tier, Environment) {
    let tiers = scope.members.iter().map(|member| member.spec.tier());
    let environments = scope.members.iter().map(|member| member.spec.environment());
    // Both enums count upwards from unspecified, then the most critical.
    (tiers.min().unwrap_or_default(), environments.min().unwrap_or_default())
}

/// The phrase names type, scope and direction, so that nobody types it for the wrong system.
pub fn confirmation_phrase(kind: RequestType, scope: &str, sites: &Sites) -> String {
    let (name, Sites { from, target }) = (type_name(kind), sites);
    match kind {
        RequestType::ReadinessDrill | RequestType::IsolatedDrill | RequestType::TabletopDrill => {
            format!("{name} {scope}")
        }
        RequestType::LiveDrill => format!("{name} {scope} from {from} to {target} and back"),
        _ => format!("{name} {scope} from {from} to {target}"),
    }
}
