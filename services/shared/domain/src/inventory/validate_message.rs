//! `MessageTemplate`: in which words things are told.

use jiff::Timestamp;

use crate::delivery::language::LANGUAGES;
use crate::delivery::message::kind;
use crate::delivery::routing::CHANNELS;
use crate::delivery::sample::sample;
use crate::delivery::template::{MAX_SUBJECT_SOURCE_BYTES, MAX_TEXT_SOURCE_BYTES, TemplateError, render};
use crate::pb::inventory::v1::MessageTemplateSpec;

use super::validate::{Finding, shorten};

/// More than there are kinds is a mistake.
const MAX_KINDS: usize = 60;

pub(super) fn validate_template(found: &mut Finding, spec: &MessageTemplateSpec) {
    kinds(found, &spec.kinds);
    if !spec.language.is_empty() && !LANGUAGES.contains(&spec.language.as_str()) {
        let (value, limit) = (shorten(&spec.language), LANGUAGES.join(", "));
        found.fault("spec.language", "a language that messages are written in", value, limit, "use one of these");
    }
    for channel in spec.channels.iter().filter(|channel| !CHANNELS.contains(&channel.as_str())) {
        let (value, limit) = (shorten(channel), CHANNELS.join(", "));
        found.fault("spec.channels", "channels", value, limit, "use these, or leave the list empty for all");
    }
    if spec.subject.is_empty() && spec.text.is_empty() {
        found.fault("spec", "a template has words", "empty", "subject, text or both", "write one of them");
    }
    words(found, "spec.subject", &spec.subject, MAX_SUBJECT_SOURCE_BYTES, spec);
    words(found, "spec.text", &spec.text, MAX_TEXT_SOURCE_BYTES, spec);
}

fn kinds(found: &mut Finding, kinds: &[String]) {
    if kinds.is_empty() || kinds.len() > MAX_KINDS {
        let limit = format!("1 to {MAX_KINDS}");
        found.fault(
            "spec.kinds",
            "a template is for some messages",
            kinds.len().to_string(),
            limit,
            "name their kinds",
        );
    }
    for pattern in kinds.iter().filter(|pattern| matching(pattern).next().is_none()) {
        found.fault(
            "spec.kinds",
            "message kinds",
            shorten(pattern),
            "like rpo.breached or request.*",
            "see docs/notifications.md for the kinds",
        );
    }
}

fn matching(pattern: &str) -> impl Iterator<Item = &'static str> {
    kind::ALL.iter().copied().filter(move |kind| match pattern.strip_suffix('*') {
        Some(start) => kind.starts_with(start),
        None => *kind == pattern,
    })
}

/// Tried with an example of every kind that it is for: what fails here would fail at three in the morning.
fn words(found: &mut Finding, field: &str, source: &str, limit: usize, spec: &MessageTemplateSpec) {
    if source.len() > limit {
        let allowed = format!("at most {limit}");
        found.fault(field, "templates are short", format!("{} bytes", source.len()), allowed, "shorten it");
        return;
    }
    for kind in spec.kinds.iter().take(MAX_KINDS).flat_map(|pattern| matching(pattern)) {
        let example = sample("example", kind, Timestamp::UNIX_EPOCH);
        if let Err(error) = render(source, &example, "https://muster.example/") {
            found.fault(field, "a template works for the kinds it is for", told(&error, kind), ALLOWED, NEXT);
            return;
        }
    }
}

const ALLOWED: &str = "the names, tags and filters in docs/notifications.md";
const NEXT: &str = "correct it; `muster notify preview KIND --template FILE` shows what it makes";

fn told(error: &TemplateError, kind: &str) -> String {
    shorten_to(&format!("{error} (with {kind})"))
}

fn shorten_to(text: &str) -> String {
    text.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(change: impl FnOnce(&mut MessageTemplateSpec)) -> Vec<String> {
        let mut spec = MessageTemplateSpec {
            kinds: vec!["rpo.*".into()],
            language: "de".into(),
            channels: vec!["email".into()],
            subject: "{{ resource }}: RPO".into(),
            text: "{{ summary }}".into(),
        };
        change(&mut spec);
        let mut found = Finding::default();
        validate_template(&mut found, &spec);
        found.faults.into_iter().map(|fault| fault.field).collect()
    }

    #[test]
    fn a_template_is_tried_before_it_is_kept() {
        assert!(faults(|_| {}).is_empty());
        assert_eq!(faults(|t| t.text = "{{ nothing_like_that }}".into()), ["spec.text"]);
        assert_eq!(faults(|t| t.subject = "{% include 'x' %}".into()), ["spec.subject"]);
        assert_eq!(faults(|t| t.text = "x".repeat(4_001)), ["spec.text"]);
    }

    #[test]
    fn it_says_what_it_is_for() {
        assert_eq!(faults(|t| t.kinds = vec![]), ["spec.kinds"]);
        assert_eq!(faults(|t| t.kinds = vec!["rpo.broken".into()]), ["spec.kinds"]);
        assert_eq!(faults(|t| t.language = "fr".into()), ["spec.language"]);
        assert_eq!(faults(|t| t.channels = vec!["fax".into()]), ["spec.channels"]);
        assert_eq!(faults(|t| (t.subject, t.text) = (String::new(), String::new())), ["spec"]);
        assert!(faults(|t| t.language = String::new()).is_empty());
    }
}
