//! Which way a request goes: the site it leaves and the site it shall run on, of every resource that it is about.

use std::collections::BTreeMap;

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
    pub chosen: Chosen,
}

/// Why the target is the one it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// By who asks.
    Named,
    /// A failback goes home, a rollback to where the run came from.
    ByType,
    /// It runs on that site, so this is about the other one.
    OppositeOf(String),
    /// Nobody has seen where it runs: the DR site as it is declared.
    Unseen,
}

impl Chosen {
    /// "it runs at ams, so this is about the other site"
    pub fn words(&self) -> String {
        match self {
            Self::Named => "named by who asks".to_owned(),
            Self::ByType => "follows from the type".to_owned(),
            Self::OppositeOf(at) => format!("it runs at {at}, so this is about the other site"),
            Self::Unseen => "nobody has seen where it runs, so this is about the DR site as declared".to_owned(),
        }
    }
}

/// The sites of a request. An empty target is the one that the type implies, where it implies one.
///
/// `last_seen`: where the primary of each resource was seen last. Nothing about those that nobody ever saw.
pub fn sites(
    kind: RequestType,
    scope: &Scope<'_>,
    asked: &str,
    last_seen: &BTreeMap<String, String>,
) -> Result<Sites, Refusal> {
    let Some(first) = scope.members.first() else { return Err(unknown(asked, "a resource of the scope")) };
    let (target, chosen) = match asked {
        "" => implied(kind, scope, first.spec, last_seen)?,
        asked => (asked, Chosen::Named),
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
    Ok(Sites { from: from.to_owned(), target: target.to_owned(), chosen })
}

/// Whether where the system runs decides where a request of that type without a target goes: a rehearsal of the move
/// that would come next, and a rotation, have no fixed direction. People talk a plan through as it is written.
pub fn goes_to_the_other_side(kind: RequestType) -> bool {
    matches!(
        kind,
        RequestType::ReadinessDrill | RequestType::IsolatedDrill | RequestType::LiveDrill | RequestType::Rotation
    )
}

/// The target of a request that names none. Empty: its type implies none.
fn implied<'a>(
    kind: RequestType,
    scope: &Scope<'_>,
    spec: &'a ResourceSpec,
    last_seen: &BTreeMap<String, String>,
) -> Result<(&'a str, Chosen), Refusal> {
    if goes_to_the_other_side(kind)
        && let Some(at) = runs_at(scope, spec, last_seen)?
    {
        return Ok((other_site(spec, at)?, Chosen::OppositeOf(at.to_owned())));
    }
    Ok(match kind {
        RequestType::ReadinessDrill
        | RequestType::IsolatedDrill
        | RequestType::TabletopDrill
        | RequestType::LiveDrill => {
            let chosen = if kind == RequestType::TabletopDrill { Chosen::ByType } else { Chosen::Unseen };
            (spec.dr_site.as_str(), chosen)
        }
        RequestType::Failback => (spec.primary_site.as_str(), Chosen::ByType),
        RequestType::Switchover
        | RequestType::Failover
        | RequestType::Rotation
        | RequestType::Rollback
        | RequestType::Unspecified => ("", Chosen::ByType),
    })
}

/// The one site on which every member that was seen runs. A group that is in two places has no other side.
fn runs_at<'a>(
    scope: &Scope<'_>,
    spec: &'a ResourceSpec,
    last_seen: &BTreeMap<String, String>,
) -> Result<Option<&'a str>, Refusal> {
    let mut found: Option<(&str, &'a str)> = None;
    for member in &scope.members {
        let name = member.document.name.as_str();
        let site = last_seen.get(name).map(String::as_str).unwrap_or_default();
        // Seen elsewhere, it was declared otherwise since: that says nothing about these two sites.
        let Some(here) = [spec.primary_site.as_str(), spec.dr_site.as_str()].into_iter().find(|own| *own == site)
        else {
            continue;
        };
        match found {
            Some((other, there)) if there != here => {
                return Err(field_refusal(
                    "target_site",
                    "SITES_DIFFER",
                    "what runs on two sites has no other side",
                    format!("{other} runs at {there}, {name} at {here}"),
                    format!("{} or {}, named", spec.primary_site, spec.dr_site),
                    "name the site that is meant, or bring everything to one site first",
                ));
            }
            Some(_) => {}
            None => found = Some((name, here)),
        }
    }
    Ok(found.map(|(_, here)| here))
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
    let (name, Sites { from, target, .. }) = (type_name(kind), sites);
    match kind {
        RequestType::ReadinessDrill | RequestType::IsolatedDrill | RequestType::TabletopDrill => {
            format!("{name} {scope}")
        }
        RequestType::LiveDrill => format!("{name} {scope} from {from} to {target} and back"),
        _ => format!("{name} {scope} from {from} to {target}"),
    }
}
