//! What approvers have in front of them: what is moved, by which plan, what was seen of it, and what is exceptional.

use jiff::Timestamp;
use muster_domain::gate::level_name;
use muster_domain::pb::execution::v1::Verdict;
use muster_domain::pb::request::v1::{RequestOpened, RequestView};
use muster_domain::request::{review_due, was_broken};

use crate::client::{
    error::CliError,
    output::{Screen, style::Tone, table::Cell, words},
};

/// Members of a group, the plan with its hash, the gate.
pub(super) fn scope(opened: &RequestOpened, screen: &Screen) -> Result<(), CliError> {
    if !opened.group.is_empty() {
        for member in &opened.members {
            let text = format!(
                "{} version {} (tier {}, {}) from {}",
                member.resource,
                member.resource_version,
                words::tier(member.tier()),
                words::environment(member.environment()),
                member.from_site
            );
            screen.field("member", text)?;
        }
    }
    if let Some(plan) = &opened.plan {
        let name = match plan.name.as_str() {
            "" => "built-in".to_owned(),
            name => format!("{name} version {}", plan.version),
        };
        screen.field("plan", format!("{name}, hash {}", plan.hash))?;
    }
    if !opened.rollback_of.is_empty() {
        screen.field("takes back", format!("request {}", opened.rollback_of))?;
    }
    if !opened.gate_source.is_empty() {
        screen.field("gate", format!("{} ({})", level_name(opened.gate()), opened.gate_source))?;
    }
    Ok(())
}

/// What was known when it was opened.
pub(super) fn evidence(opened: &RequestOpened, screen: &Screen) -> Result<(), CliError> {
    let Some(evidence) = &opened.evidence else { return Ok(()) };
    screen.line("")?;
    screen.heading("seen when it was opened")?;
    for member in &evidence.members {
        let tone = match member.status.as_str() {
            "green" => Tone::Good,
            "yellow" => Tone::Warning,
            "red" => Tone::Bad,
            _ => Tone::Dim,
        };
        let age = member
            .age
            .as_ref()
            .map_or_else(|| "never seen".to_owned(), |age| format!("judged {} before", words::duration(Some(age))));
        screen.field("status", Cell::toned(tone, format!("{}: {} ({age})", member.resource, member.status)))?;
        if member.loss.is_some() {
            for line in words::loss(member.loss.as_ref()) {
                screen.field("loss window", line)?;
            }
        }
    }
    for marker in &evidence.markers {
        screen.field("position", words::marker(marker))?;
    }
    if !evidence.preflight_id.is_empty() {
        let (tone, verdict) = match evidence.verdict() {
            Verdict::Go => (Tone::Good, "go"),
            Verdict::Caution => (Tone::Warning, "caution"),
            Verdict::NoGo => (Tone::Bad, "NO-GO"),
            Verdict::Unspecified => (Tone::Dim, words::UNKNOWN),
        };
        screen.field("preflight", Cell::toned(tone, format!("{verdict} ({})", evidence.preflight_id)))?;
    }
    for test in &evidence.past_tests {
        let outcome = if test.passed { "passed" } else { "failed" };
        screen.field("past test", format!("{} at {}: {outcome}", test.r#type, words::time(test.at.as_ref())))?;
    }
    Ok(())
}

/// Approvals skipped, asked for again, checks overridden.
pub(super) fn exceptions(
    view: &RequestView,
    opened: &RequestOpened,
    now: Timestamp,
    screen: &Screen,
) -> Result<(), CliError> {
    for escalated in &view.escalations {
        let when = words::time(escalated.escalated_at.as_ref());
        screen
            .field("asked again", format!("stage {} at {when}: {}", escalated.stage, escalated.missing.join(", ")))?;
    }
    for overridden in &view.overrides {
        let of = if overridden.resource.is_empty() { String::new() } else { format!(" of {}", overridden.resource) };
        let who = words::actor(overridden.actor.as_ref());
        let text = format!("{}{of} by {who}: {}", overridden.check, overridden.reason);
        screen.field("overridden", Cell::toned(Tone::Warning, text))?;
    }
    break_glass(view, opened, now, screen)
}

fn break_glass(view: &RequestView, opened: &RequestOpened, now: Timestamp, screen: &Screen) -> Result<(), CliError> {
    let Some(glass) = &opened.break_glass else { return Ok(()) };
    let text = format!("incident {} until {}: {}", glass.incident, words::time(glass.until.as_ref()), glass.reason);
    screen.field("break-glass", Cell::toned(Tone::Bad, text))?;
    screen.field("can skip", glass.skipped.join(", "))?;
    if view.break_glass_lapsed.is_some() {
        return screen.field("", "not used in its time: closed");
    }
    if !was_broken(view) {
        return Ok(());
    }
    let confirmed = view.confirmed.clone().unwrap_or_default();
    screen.field("GLASS BROKEN", Cell::toned(Tone::Bad, format!("without {}", confirmed.missing.join(", "))))?;
    if !confirmed.freeze.is_empty() {
        screen.field("in a freeze", Cell::toned(Tone::Bad, confirmed.freeze))?;
    }
    match (&view.review, review_due(view)) {
        (Some(review), _) => {
            let (tone, verdict) =
                if review.justified { (Tone::Good, "justified") } else { (Tone::Bad, "NOT justified") };
            let text = format!("{verdict}, by {}: {}", words::actor(review.actor.as_ref()), review.findings);
            screen.field("review", Cell::toned(tone, text))
        }
        (None, Some(due)) => {
            let late = if now >= due { "OVERDUE, was due" } else { "due" };
            screen.field("review", Cell::toned(Tone::Warning, format!("{late} {due:.0}")))
        }
        (None, None) => screen.field("review", Cell::toned(Tone::Warning, "due, and its time is not known")),
    }
}
