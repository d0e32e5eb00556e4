//! The text of a message that tells many: how many, of what, and which systems.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::grouping::Group;
use super::message::{MAX_LIST, MAX_TEXT_BYTES, Message, Severity, clip, environment_name, tier_name};

/// One member, as the record of its delivery has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Member {
    pub kind: String,
    pub subject: String,
    pub resource: String,
    pub severity: Option<Severity>,
}

/// What stands for the group until it is told: everything but its members. `first` is any of them.
pub fn envelope(group: &Group, first: &Message) -> Message {
    let mut message = first.clone();
    message.event_id = group.event_id;
    message.group_id = group.delivery_id.to_string();
    message.resource = String::new();
    message.groups.clear();
    message.owners.clear();
    message.request_id = String::new();
    message.alert_id = String::new();
    message.opens_thread = false;
    message.reasons.clear();
    message.facts.clear();
    message.loss.clear();
    message.runbook_url = String::new();
    message.repetition = 0;
    // It was decided for this route; its lists speak about single systems.
    message.only_routes = vec![group.route.clone()];
    message.set_subject(&format!("Several messages: {}", first.kind));
    message.set_summary("Several messages at once are told together.");
    message.next_step = "Open the page: it shows every system.".into();
    message
}

/// Fills in how many and which. `total` counts all members; `members` are as many as fit, worst first.
pub fn fill(message: &mut Message, group: &Group, total: usize, members: &[Member]) {
    let quiet = group.quiet;
    let worst = members.iter().filter_map(|member| member.severity).max_by_key(|severity| *severity as u8);
    message.severity = worst.unwrap_or(message.severity);
    let kinds = counted(members.iter().map(|member| member.kind.as_str()));
    let place = place(message, quiet);
    let what = match kinds.as_slice() {
        [(kind, _)] => format!("'{kind}' ({place})"),
        _ => format!("of {} kinds ({place})", kinds.len()),
    };
    let messages = if total == 1 { "message" } else { "messages" };
    let more = if quiet { "" } else { " more" };
    message.set_subject(&format!("{}: {total}{more} {messages} {what}", message.severity.name().to_uppercase()));
    message.set_summary(&summary(group, quiet, total, messages, &what));
    message.reasons = lines(members, quiet, total);
    message.facts.clear();
    message.fact("Messages", total.to_string());
    message.fact("From", format!("{:.0}", group.since));
    message.fact("Until", format!("{:.0}", group.until));
}

fn place(message: &Message, quiet: bool) -> String {
    let environment = environment_name(message.environment);
    if quiet { environment.to_owned() } else { format!("{}, {environment}", tier_name(message.tier)) }
}

fn summary(group: &Group, quiet: bool, total: usize, messages: &str, what: &str) -> String {
    let span = |from: Timestamp, to: Timestamp| format!("between {from:.0} and {to:.0}");
    if quiet {
        return format!(
            "{total} {messages} {what} waited for the end of this route's quiet hours at {:.0}.",
            group.until
        );
    }
    format!(
        "Besides those that were sent one by one, {total} {messages} {what} came {} and are told together.",
        span(group.since, group.until)
    )
}

/// Names of systems, as many as fit; of quiet hours the subjects, which say more.
fn lines(members: &[Member], quiet: bool, total: usize) -> Vec<String> {
    let mut names: Vec<&str> = members
        .iter()
        .map(
            |member| {
                if quiet || member.resource.is_empty() { member.subject.as_str() } else { member.resource.as_str() }
            },
        )
        .collect();
    names.dedup();
    let separator = if quiet { "; " } else { ", " };
    let (mut lines, mut named) = (vec![String::new()], 0);
    for name in &names {
        let Some(line) = lines.last_mut() else { break };
        if !line.is_empty() && line.len() + name.len() + separator.len() > MAX_TEXT_BYTES {
            if lines.len() == MAX_LIST - 1 {
                break;
            }
            lines.push(clip(name, MAX_TEXT_BYTES));
        } else {
            let with = if line.is_empty() { (*name).to_owned() } else { format!("{line}{separator}{name}") };
            *line = clip(&with, MAX_TEXT_BYTES);
        }
        named += 1;
    }
    if named < names.len() || members.len() < total {
        lines.push(format!("and more: {} of {total} are named here, the page has all", named));
    }
    lines.retain(|line| !line.is_empty());
    lines
}

fn counted<'a>(kinds: impl Iterator<Item = &'a str>) -> Vec<(&'a str, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for kind in kinds {
        *counts.entry(kind).or_default() += 1;
    }
    counts.into_iter().collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use jiff::SignedDuration;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::delivery::message::{MAX_SUBJECT_BYTES, Source, kind};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn group(quiet: bool) -> Group {
        let length = SignedDuration::from_secs(30);
        match quiet {
            true => Group::of_quiet("acme", ("team", "a@example.com"), &first(), at(0), length),
            false => Group::of_many("acme", ("team", "a@example.com"), &first(), at(0), at(0) + length),
        }
    }

    fn first() -> Message {
        let source = Source { tenant: "acme".into(), event_id: Uuid::nil(), sequence: 1, occurred_at: at(0) };
        let mut message = Message::about(&source, kind::RPO_BREACHED, "orders-db", 1, 1);
        message.severity = Severity::Critical;
        message.alert_id = "a1".into();
        message
    }

    fn member(resource: &str) -> Member {
        Member {
            kind: kind::RPO_BREACHED.into(),
            subject: format!("CRITICAL: {resource}: RPO breached"),
            resource: resource.into(),
            severity: Some(Severity::Critical),
        }
    }

    #[test]
    fn it_counts_them_and_names_them() {
        let mut message = envelope(&group(false), &first());
        fill(&mut message, &group(false), 3, &[member("a"), member("b"), member("c")]);
        assert_eq!(message.subject, "CRITICAL: 3 more messages 'rpo.breached' (tier 1, production)");
        assert_eq!(message.reasons, ["a, b, c"]);
        assert!(message.alert_id.is_empty() && message.resource.is_empty(), "it stands for no single alert");
        assert_eq!(message.only_routes, ["team"]);
    }

    #[test]
    fn what_quiet_hours_held_is_told_with_its_subjects_and_as_severe_as_the_worst() {
        let mut message = envelope(&group(true), &first());
        message.severity = Severity::Info;
        let over = Member { kind: kind::ALERT_RESOLVED.into(), severity: Some(Severity::Info), ..member("b") };
        fill(&mut message, &group(true), 2, &[member("a"), over]);
        assert_eq!(message.subject, "CRITICAL: 2 messages of 2 kinds (production)");
        assert_eq!(message.reasons, ["CRITICAL: a: RPO breached; CRITICAL: b: RPO breached"]);
    }

    proptest! {
        /// Whatever there is to name, it fits into a timer, and nobody is left out without a word.
        #[test]
        fn it_never_grows_without_bound(count in 0usize..600, length in 1usize..200, beyond in 0usize..10_000, quiet: bool) {
            let members: Vec<Member> = (0..count).map(|n| member(&format!("{n}-{}", "x".repeat(length)))).collect();
            let mut message = envelope(&group(quiet), &first());
            fill(&mut message, &group(quiet), count + beyond, &members);
            prop_assert!(message.subject.len() <= MAX_SUBJECT_BYTES);
            prop_assert!(message.reasons.len() <= MAX_LIST);
            prop_assert!(message.reasons.iter().all(|line| line.len() <= MAX_TEXT_BYTES));
            prop_assert!(serde_json::to_vec(&message).unwrap().len() < 32 * 1024);
            let all_named = members.iter().all(|m| message.reasons.iter().any(|line| line.contains(&m.resource)));
            prop_assert!(all_named && beyond == 0 || count + beyond == 0 || message.reasons.last().unwrap().starts_with("and more"));
        }
    }
}
