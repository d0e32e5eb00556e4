//! A person says that something is not as it should be.

use jiff::Timestamp;

use super::Gap;
use super::decide::{Decision, event};
use crate::pb::audit::v1::{GapOpened, Severity, gap_event::Event};
use crate::pb::common::v1::Actor;
use crate::refusal::{Refusal, field_refusal};
use crate::request::{MAX_TEXT, must_be_a_person, optional_text, required_text};
use crate::time::to_pb;

/// A title is one line of a list.
const MAX_TITLE: usize = 200;
/// More objectives than this are not one gap.
const MAX_OBJECTIVES: usize = 20;
const MAX_OBJECTIVE: usize = 60;

/// What a person says when they open one.
#[derive(Debug, Clone, Default)]
pub struct OpenGap<'a> {
    pub gap_id: &'a str,
    pub title: &'a str,
    pub description: &'a str,
    pub severity: Severity,
    pub resource: &'a str,
    pub group: &'a str,
    pub request_id: &'a str,
    pub objectives: &'a [String],
}

/// Opens one. That what it names exists is for the caller to know.
pub fn open(gap: &Gap, ask: &OpenGap<'_>, actor: &Actor, now: Timestamp) -> Decision {
    must_be_a_person(actor, "opening a gap")?;
    required_text("title", ask.title, MAX_TITLE, "what a list shows of it, so it is needed")?;
    optional_text("description", ask.description, MAX_TEXT)?;
    if ask.title.contains(['\n', '\r', '\t']) {
        return Err(field_refusal(
            "title",
            "FIELD_INVALID",
            "a title is one line",
            "several",
            "one line",
            "shorten it",
        ));
    }
    if ask.severity == Severity::Unspecified {
        return Err(field_refusal(
            "severity",
            "FIELD_INVALID",
            "a gap says how bad it is",
            "unspecified",
            "low, moderate, high",
            "name the severity",
        ));
    }
    if !ask.resource.is_empty() && !ask.group.is_empty() {
        return Err(field_refusal(
            "group",
            "FIELD_INVALID",
            "a gap is of one resource, of one group, or of the tenant",
            ask.group,
            "one of both",
            "leave the resource or the group out",
        ));
    }
    objectives(ask.objectives)?;
    let opened = GapOpened {
        gap_id: ask.gap_id.to_owned(),
        title: ask.title.trim().to_owned(),
        description: ask.description.trim().to_owned(),
        severity: ask.severity.into(),
        resource: ask.resource.to_owned(),
        group: ask.group.to_owned(),
        request_id: ask.request_id.to_owned(),
        source: "person".to_owned(),
        source_event_id: String::new(),
        objectives: ask.objectives.to_vec(),
        opened_by: Some(actor.clone()),
        opened_at: Some(to_pb(now)),
    };
    if let Some(before) = &gap.opened {
        // The same key, and another gap: what was asked for first stands.
        let same = GapOpened { opened_by: before.opened_by.clone(), opened_at: before.opened_at, ..opened } == *before;
        return if same { Ok(None) } else { Err(key_reused(ask.gap_id)) };
    }
    Ok(event(Event::Opened(opened)))
}

fn key_reused(gap_id: &str) -> Refusal {
    field_refusal(
        "idempotency_key",
        "IDEMPOTENCY_KEY_REUSED",
        "one key is for one gap",
        gap_id,
        "the same gap, or a new key",
        "look at the gap that is there, then ask with a new key",
    )
}

fn objectives(named: &[String]) -> Result<(), Refusal> {
    let is_token = |text: &String| {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_');
        text.len() <= MAX_OBJECTIVE && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.bytes().all(allowed)
    };
    let wrong = |value: String, limit: String| {
        let rule = "objectives are those of NIST SP 800-53A";
        Err(field_refusal("objectives", "FIELD_INVALID", rule, value, limit, "write them as cp-4_obj.c"))
    };
    if named.len() > MAX_OBJECTIVES {
        return wrong(named.len().to_string(), format!("at most {MAX_OBJECTIVES}"));
    }
    match named.iter().find(|text| !is_token(text)) {
        Some(text) => wrong(text.chars().take(80).collect(), "a-z, 0-9, '.', '-', '_'".to_owned()),
        None => Ok(()),
    }
}
