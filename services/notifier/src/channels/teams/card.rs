//! The card: Adaptive Cards 1.4, the newest that phones show.

use muster_domain::delivery::Severity;
use muster_domain::delivery::message::{Fact, Message, clip, environment_name, one_line, tier_name};
use serde_json::{Value, json};

use crate::channels::Attempt;

/// Teams takes about 28 KB for a whole message.
const MAX_BYTES: usize = 27_000;
/// One text of a card that had to be cut.
const CUT_TEXT_BYTES: usize = 400;

/// The request's body: one card in the envelope that the workflow's trigger expects. Too large, it is cut: first the
/// lists, then the texts. The page has them all.
pub(super) fn envelope(attempt: &Attempt) -> Value {
    let message = &attempt.message;
    let whole = wrapped(card(attempt, message, ""));
    if whole.to_string().len() <= MAX_BYTES {
        return whole;
    }
    let mut short = message.clone();
    short.reasons.clear();
    short.loss.clear();
    short.facts.clear();
    let note = "Shortened: the page has the reasons, the facts and what can be said about missing data.";
    let without_lists = wrapped(card(attempt, &short, note));
    if without_lists.to_string().len() <= MAX_BYTES {
        return without_lists;
    }
    short.subject = clip(&short.subject, CUT_TEXT_BYTES);
    short.summary = clip(&short.summary, CUT_TEXT_BYTES);
    short.next_step = clip(&short.next_step, CUT_TEXT_BYTES);
    short.runbook_url.clear();
    wrapped(card(attempt, &short, note))
}

fn wrapped(card: Value) -> Value {
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    })
}

fn card(attempt: &Attempt, message: &Message, note: &str) -> Value {
    let style = match message.severity {
        Severity::Critical => "attention",
        Severity::Warning => "warning",
        Severity::Info => "default",
    };
    let repeat = if attempt.possibly_duplicate { "(repeat) " } else { "" };
    let title = json!({"type": "TextBlock", "text": escaped(&format!("{repeat}{}", message.subject)), "wrap": true, "weight": "Bolder", "size": "Medium"});
    let mut body =
        vec![json!({"type": "Container", "style": style, "bleed": true, "items": [title]}), text(&message.summary)];
    let facts = facts(attempt, message);
    body.push(json!({"type": "FactSet", "facts": facts}));
    for (heading, lines) in [("Reasons", &message.reasons), ("Missing data", &message.loss)] {
        if !lines.is_empty() {
            body.push(json!({"type": "TextBlock", "text": heading, "wrap": true, "weight": "Bolder"}));
            body.extend(lines.iter().map(|line| text(line)));
        }
    }
    if !message.next_step.is_empty() {
        body.push(text(&format!("Next: {}", message.next_step)));
    }
    if !note.is_empty() {
        body.push(text(note));
    }
    let mut actions = vec![json!({"type": "Action.OpenUrl", "title": "Open in Muster", "url": attempt.link})];
    if !message.runbook_url.is_empty() {
        actions.push(json!({"type": "Action.OpenUrl", "title": "Runbook", "url": message.runbook_url}));
    }
    json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": actions,
        "msteams": {"width": "Full"},
    })
}

/// The request's or alert's id first: people search for it, since no card is ever changed.
fn facts(attempt: &Attempt, message: &Message) -> Vec<Value> {
    let own = [
        ("Request", message.request_id.clone()),
        ("Alert", message.alert_id.clone()),
        ("Tenant", attempt.tenant.to_string()),
        ("System", message.resource.clone()),
        ("Tier", format!("{}, {}", tier_name(message.tier), environment_name(message.environment))),
        ("At", format!("{:.0}", message.occurred_at)),
    ];
    let fact = |name: &str, value: &str| json!({"title": escaped(name), "value": escaped(value)});
    let own = own.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| fact(name, value));
    own.chain(message.facts.iter().map(|Fact { name, value }| fact(name, value))).collect()
}

fn text(text: &str) -> Value {
    json!({"type": "TextBlock", "text": escaped(text), "wrap": true})
}

/// Data is no markdown, and no date or mention of a card.
fn escaped(text: &str) -> String {
    let mut done = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        if matches!(c, '\\' | '*' | '_' | '[' | ']' | '(' | ')' | '`' | '~' | '<' | '>' | '#' | '{' | '}') {
            done.push('\\');
        }
        done.push(c);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_no_markdown() {
        let link = escaped("[click](https://evil.example) <at>all</at> {{DATE(2026-01-01T00:00:00Z)}}\n# x");
        assert!(link.starts_with("\\[click\\]\\(https://evil.example\\) \\<at\\>all"), "{link}");
        assert!(!link.contains("{{") && !link.contains('\n'), "{link}");
    }
}
