//! Block Kit. Everything is cut to Slack's limits, counted in characters, and says so where it was cut.

use muster_domain::delivery::Severity;
use muster_domain::delivery::message::{environment_name, one_line, tier_name};
use serde_json::{Value, json};

use crate::channels::{Attempt, Look};

const MAX_HEADER: usize = 150;
const MAX_SECTION: usize = 3_000;
/// Slack cuts a text at 40 000 itself; a notification shows one line.
pub(super) const MAX_TEXT: usize = 3_000;
const MAX_BUTTON_TEXT: usize = 75;
const MAX_ACTION_ID: usize = 255;
const MAX_VALUE: usize = 2_000;
const MAX_URL: usize = 3_000;
/// Elements that one row of actions takes.
const MAX_BUTTONS: usize = 25;

/// The notification's line, and what programs without blocks show.
pub(super) fn fallback(attempt: &Attempt) -> String {
    let message = &attempt.message;
    escaped(&format!("{}{} {}", repeat(attempt), message.subject, message.summary), MAX_TEXT)
}

/// The message itself.
pub(super) fn blocks(attempt: &Attempt) -> Vec<Value> {
    let message = &attempt.message;
    let mark = match message.severity {
        Severity::Critical => "🔴 ",
        Severity::Warning => "🟠 ",
        Severity::Info => "",
    };
    let subject = format!("{}{mark}{}", repeat(attempt), message.subject);
    let mut blocks = vec![
        json!({"type": "header", "text": {"type": "plain_text", "text": cut(&one_line(&subject), MAX_HEADER), "emoji": true}}),
        section(&escaped(&message.summary, MAX_SECTION)),
    ];
    let facts: Vec<String> = message.facts.iter().map(|fact| format!("{}: {}", fact.name, fact.value)).collect();
    for (title, lines) in [("", &facts), ("Reasons", &message.reasons), ("Missing data", &message.loss)] {
        if let Some(text) = list(title, lines) {
            blocks.push(section(&text));
        }
    }
    if !message.next_step.is_empty() {
        blocks.push(section(&format!("*Next:* {}", escaped(&message.next_step, MAX_SECTION - 10))));
    }
    blocks.push(actions(attempt));
    let place = format!(
        "Muster · {} · {} · {} · {} · {:.0}",
        message.tenant,
        message.kind,
        tier_name(message.tier),
        environment_name(message.environment),
        message.occurred_at
    );
    blocks.push(json!({"type": "context", "elements": [{"type": "plain_text", "text": cut(&place, MAX_SECTION), "emoji": false}]}));
    blocks
}

fn repeat(attempt: &Attempt) -> &'static str {
    if attempt.possibly_duplicate { "(possibly a repeat) " } else { "" }
}

fn section(mrkdwn: &str) -> Value {
    // `verbatim`: Slack adds no links, names or mentions of its own.
    json!({"type": "section", "text": {"type": "mrkdwn", "text": mrkdwn, "verbatim": true}})
}

fn list(title: &str, lines: &[String]) -> Option<String> {
    if lines.is_empty() {
        return None;
    }
    let title = if title.is_empty() { String::new() } else { format!("*{title}*\n") };
    let text = lines.iter().map(|line| format!("• {}", one_line(line))).collect::<Vec<_>>().join("\n");
    Some(format!("{title}{}", escaped(&text, MAX_SECTION - title.len())))
}

fn actions(attempt: &Attempt) -> Value {
    let link = |action: &str, text: &str, url: &str| json!({"type": "button", "action_id": action, "text": label(text), "url": url});
    let mut elements: Vec<Value> = attempt.buttons.iter().take(MAX_BUTTONS - 2).map(button).collect();
    let leads_there = attempt.buttons.iter().any(|button| button.url == attempt.link);
    if !leads_there && attempt.link.len() <= MAX_URL && !attempt.link.is_empty() {
        elements.push(link("open", "Open in Muster", &attempt.link));
    }
    let runbook = &attempt.message.runbook_url;
    if !runbook.is_empty() && runbook.len() <= MAX_URL {
        elements.push(link("runbook", "Runbook", runbook));
    }
    let id =
        if attempt.message.request_id.is_empty() { &attempt.message.alert_id } else { &attempt.message.request_id };
    json!({"type": "actions", "block_id": cut(&format!("muster:{id}"), MAX_ACTION_ID), "elements": elements})
}

fn button(button: &crate::channels::Button) -> Value {
    let mut made = json!({
        "type": "button",
        "action_id": cut(&button.action, MAX_ACTION_ID),
        "text": label(&button.text),
        "value": cut(&button.value, MAX_VALUE),
    });
    if let (false, Some(made)) = (button.url.is_empty() || button.url.len() > MAX_URL, made.as_object_mut()) {
        made.insert("url".into(), json!(button.url));
    }
    let style = match button.look {
        Look::Plain => None,
        Look::Primary => Some("primary"),
        Look::Danger => Some("danger"),
    };
    if let (Some(style), Some(made)) = (style, made.as_object_mut()) {
        made.insert("style".into(), json!(style));
    }
    made
}

fn label(text: &str) -> Value {
    json!({"type": "plain_text", "text": cut(&one_line(text), MAX_BUTTON_TEXT), "emoji": false})
}

/// Cut to so many characters, with a sign that something is missing.
fn cut(text: &str, max_chars: usize) -> String {
    if text.chars().count() <= max_chars {
        return text.to_owned();
    }
    text.chars().take(max_chars.saturating_sub(1)).chain(['…']).collect()
}

/// For mrkdwn: data makes no mention, link or date. The limit is for the escaped text, and no escape is cut in two.
pub(super) fn escaped(text: &str, max_chars: usize) -> String {
    let mut done = String::new();
    let mut used = 0;
    for c in text.chars() {
        let one = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            _ => "",
        };
        let width = if one.is_empty() { 1 } else { one.len() };
        if used + width >= max_chars {
            done.push('…');
            return done;
        }
        used += width;
        if one.is_empty() { done.push(c) } else { done.push_str(one) }
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_no_mention_and_no_link() {
        assert_eq!(escaped("<!channel> & <https://x|y>", 100), "&lt;!channel&gt; &amp; &lt;https://x|y&gt;");
    }

    #[test]
    fn no_escape_is_cut_in_two() {
        for max in 1..30 {
            let text = escaped("a<b>c&d<e>f", max);
            assert!(text.chars().count() <= max, "{max}: {text}");
            let rest = text.replace("&lt;", "").replace("&gt;", "").replace("&amp;", "");
            assert!(!rest.contains('&'), "{max}: {text}");
        }
    }
}
