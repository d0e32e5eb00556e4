//! `Schedule`: what is due when.

use jiff::{SignedDuration, Timestamp};

use super::TenantInventory;
use super::validate::{Finding, duration, text};
use super::validate_policy::weekly;
use crate::ids::TenantId;
use crate::pb::inventory::v1::{Document, Kind, ScheduleSpec, TimeWindow};
use crate::request::{MAX_TEXT, MAX_TICKET};
use crate::schedule::{Calendar, MAX_MOVE, WHATS, What, what_of};
use crate::time::{PbDuration, from_pb, humane};

const MAX_BLACKOUTS: usize = 50;
const MAX_BLACKOUT: SignedDuration = SignedDuration::from_hours(366 * 24);
const MAX_NOTICES: usize = 10;
const MAX_NOTICE: SignedDuration = SignedDuration::from_hours(92 * 24);
const MAX_JITTER: SignedDuration = SignedDuration::from_hours(24);
const MAX_OVERDUE: SignedDuration = SignedDuration::from_hours(366 * 24);
/// People approve each run; and a schedule's whole history is read for each decision. A day with a clock change has 23 h.
const SHORTEST_INTERVAL: SignedDuration = SignedDuration::from_hours(20);
/// Due times that are looked at for it.
const LOOKED_AT: usize = 60;
/// From when they are looked at, so that the answer does not depend on the day: 2024-01-01T00:00:00Z.
const LOOK_FROM_S: i64 = 1_704_067_200;

pub(super) fn validate_schedule(
    found: &mut Finding,
    document: &Document,
    spec: &ScheduleSpec,
    others: &TenantInventory,
) {
    text(found, "spec.description", &spec.description);
    scope(found, spec, others);
    long_text(found, "spec.reason", &spec.reason, MAX_TEXT);
    long_text(found, "spec.ticket", &spec.ticket, MAX_TICKET);
    duration(found, "spec.jitter", spec.jitter.as_ref(), MAX_JITTER);
    duration(found, "spec.window", spec.window.as_ref(), MAX_MOVE);
    duration(found, "spec.overdueAfter", spec.overdue_after.as_ref(), MAX_OVERDUE);
    notices(found, &spec.notices);
    blackouts(found, &spec.blackouts);
    if let (Some(starts), Some(ends)) = (from_pb(spec.starts.as_ref()), from_pb(spec.ends.as_ref()))
        && ends <= starts
    {
        let limit = format!("after {starts}");
        found.fault("spec.ends", "a schedule ends after it begins", ends.to_string(), limit, "correct the times");
    }
    // The tenant only decides about the jitter.
    let tenant = document.tenant.parse().unwrap_or_else(|_| TenantId::operating());
    // What a blackout moves may come close to the next one; the rule itself does not.
    let plain = ScheduleSpec { blackouts: Vec::new(), ..spec.clone() };
    match Calendar::of(&plain, &tenant, &document.name) {
        Ok(calendar) => spacing(found, spec, &calendar),
        Err(refusal) => found.faults.push(refusal),
    }
}

fn scope(found: &mut Finding, spec: &ScheduleSpec, others: &TenantInventory) {
    let Some(what) = what_of(&spec.what) else {
        let (rule, next) = ("a schedule says what is due", "choose one of them");
        return found.fault("spec.what", rule, super::validate::shorten(&spec.what), WHATS.join(", "), next);
    };
    let named = [
        (Kind::Resource, "spec.resource", &spec.resource),
        (Kind::Group, "spec.group", &spec.group),
        (Kind::Plan, "spec.plan", &spec.plan),
    ];
    let given: Vec<_> = named.into_iter().filter(|(_, _, name)| !name.is_empty()).collect();
    let (fits, limit) = match what {
        What::AccessReview => (given.is_empty(), "nothing: it is about the whole tenant"),
        What::PlanReview => (given.len() == 1 && !spec.plan.is_empty(), "a plan"),
        What::Run(_) => (given.len() == 1, "one of resource, group or plan"),
    };
    if !fits {
        let value = match given.as_slice() {
            [] => "nothing".to_owned(),
            given => given.iter().map(|(_, _, name)| name.as_str()).collect::<Vec<_>>().join(", "),
        };
        let rule = format!("a {} says what it is about", spec.what);
        found.fault("spec", &rule, value, limit, "name one of them");
    }
    for (kind, field, name) in given {
        if others.get(kind, name).is_none() {
            let next = "declare it first, or in the same manifest";
            found.fault(field, "it is declared", super::validate::shorten(name), "a document of this tenant", next);
        }
    }
    if !spec.target_site.is_empty() {
        if !what.moves() {
            let (rule, limit) = ("only what moves goes to a site", "rotation or live-drill");
            found.fault("spec.targetSite", rule, &spec.what, limit, "leave it out");
        } else if others.get(Kind::Site, &spec.target_site).is_none() {
            let (rule, limit) = ("a target is a declared site", "a site of this tenant");
            let shown = super::validate::shorten(&spec.target_site);
            found.fault("spec.targetSite", rule, shown, limit, "declare the site first, or in the same manifest");
        }
    }
}

fn long_text(found: &mut Finding, field: &str, value: &str, limit: usize) {
    let length = value.chars().count();
    if length > limit || crate::text::must_be_plain(field, value).is_err() {
        let limit = format!("at most {limit} visible characters");
        found.fault(field, "approvers read it", format!("{length} characters"), limit, "shorten it");
    }
}

fn notices(found: &mut Finding, notices: &[PbDuration]) {
    if notices.len() > MAX_NOTICES {
        let (value, limit) = (notices.len().to_string(), format!("at most {MAX_NOTICES}"));
        found.fault("spec.notices", "people are told some times before", value, limit, "leave some out");
    }
    for (index, notice) in notices.iter().enumerate() {
        duration(found, &format!("spec.notices[{index}]"), Some(notice), MAX_NOTICE);
    }
}

fn blackouts(found: &mut Finding, blackouts: &[TimeWindow]) {
    if blackouts.len() > MAX_BLACKOUTS {
        let (value, limit) = (blackouts.len().to_string(), format!("at most {MAX_BLACKOUTS}"));
        found.fault("spec.blackouts", "blackouts are few", value, limit, "use weekly ones, or remove old ones");
    }
    for (index, window) in blackouts.iter().enumerate() {
        let at = |rest: &str| format!("spec.blackouts[{index}].{rest}");
        text(found, &at("name"), &window.name);
        text(found, &at("reason"), &window.reason);
        match (from_pb(window.from.as_ref()), from_pb(window.until.as_ref()), &window.weekly) {
            (_, _, Some(week)) => weekly(found, &at("weekly"), week),
            (Some(from), Some(until), None) if from < until && until.duration_since(from) <= MAX_BLACKOUT => {}
            (from, until, None) => {
                let shown = |at: Option<Timestamp>| at.map_or_else(|| "open".to_owned(), |at| at.to_string());
                let value = format!("from {} until {}", shown(from), shown(until));
                let limit = format!("`from` and a later `until`, at most {} apart; or `weekly`", humane(MAX_BLACKOUT));
                found.fault(at("until"), "a blackout begins and ends", value, limit, "correct the times");
            }
        }
    }
}

/// A rule has dates, and they are not too close.
fn spacing(found: &mut Finding, spec: &ScheduleSpec, calendar: &Calendar) {
    let Ok(from) = Timestamp::from_second(LOOK_FROM_S) else { return };
    let from = from_pb(spec.starts.as_ref())
        .and_then(|starts| starts.checked_sub(SignedDuration::from_secs(1)).ok())
        .unwrap_or(from);
    let field = match (spec.cron.is_empty(), spec.rrule.is_empty()) {
        (false, _) => "spec.cron",
        (true, false) => "spec.rrule",
        // One-off dates are as close as somebody wrote them.
        (true, true) => return,
    };
    let dates: Vec<Timestamp> = calendar.after(from).take(LOOKED_AT).map(|due| due.at).collect();
    if dates.is_empty() {
        let limit = "a date within 12 years, between `starts` and `ends`";
        found.fault(field, "a rule has dates", "none", limit, "look at it with `muster schedule preview`");
    }
    let close = dates.windows(2).find_map(|pair| match pair {
        [one, next] => Some(next.duration_since(*one)).filter(|apart| *apart < SHORTEST_INTERVAL),
        _ => None,
    });
    if let Some(apart) = close {
        let limit = format!("at least {} apart", humane(SHORTEST_INTERVAL));
        found.fault(
            field,
            "people approve each run, so they are not too close",
            humane(apart),
            limit,
            "use fewer dates",
        );
    }
}
