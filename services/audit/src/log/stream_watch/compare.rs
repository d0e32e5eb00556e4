//! What was done to a stream between two looks at it.

use std::collections::BTreeMap;

use muster_eventlog::{StreamAdvisory, StreamState};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// As the server says it when somebody only changes the configuration.
const MODIFIED: &str = "modify";
const MAX_DIFFERENCES_CHARS: usize = 2_000;
/// First sequence, and entries that are missing, of a stream that nobody deletes from.
const UNTOUCHED: (u64, u64) = (1, 0);

/// What is remembered of a look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// Canonical JSON.
    config: String,
    created: String,
    first_sequence: u64,
    deleted: u64,
}

impl From<&StreamState> for Seen {
    fn from(state: &StreamState) -> Self {
        Self {
            config: state.config.clone(),
            created: state.created.clone(),
            // An empty stream says that it begins after its last entry.
            first_sequence: state.first_sequence.max(1),
            deleted: state.deleted,
        }
    }
}

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) what: &'static str,
    pub(super) by: String,
    pub(super) differences: String,
    /// SHA-256 in hex.
    pub(super) config_before: String,
    pub(super) config_after: String,
}

/// `wrong` are the settings that differ from what they must be, when there is nothing earlier to compare with.
pub(super) fn changes(
    before: Option<&Seen>,
    now: &Seen,
    wrong: &[String],
    told: Option<&StreamAdvisory>,
) -> Vec<Change> {
    let by = told.map(|told| told.by.clone()).unwrap_or_default();
    let config_after = digest(&now.config);
    let change = |what, differences: String| Change {
        what,
        by: by.clone(),
        differences: shortened(differences),
        config_before: before.map(|before| digest(&before.config)).unwrap_or_default(),
        config_after: config_after.clone(),
    };
    let Some(before) = before else {
        let mut found = Vec::new();
        if !wrong.is_empty() {
            found.push(change("configuration differs", wrong.join("; ")));
        }
        found.extend(lost(UNTOUCHED, now).map(|(what, text)| change(what, text)));
        return found;
    };
    if before.created != now.created {
        let text = format!("made {} -> {}; first sequence {}", before.created, now.created, now.first_sequence);
        let settings = differences(&before.config, &now.config);
        let text = if settings.is_empty() { text } else { format!("{text}; {settings}") };
        return vec![change("recreated", text)];
    }
    let mut found = Vec::new();
    let is_told = told.is_some_and(|told| told.action == MODIFIED);
    if before.config != now.config {
        let what = if is_told { "updated" } else { "configuration differs" };
        found.push(change(what, differences(&before.config, &now.config)));
    } else if is_told {
        found.push(change("updated", "changed, and changed back".to_owned()));
    }
    found.extend(lost((before.first_sequence, before.deleted), now).map(|(what, text)| change(what, text)));
    found
}

/// What is not there any more, since it was (first sequence, missing between).
fn lost(before: (u64, u64), now: &Seen) -> impl Iterator<Item = (&'static str, String)> {
    let (first, deleted) = before;
    let purged =
        (now.first_sequence > first).then(|| ("purged", format!("first sequence {first} -> {}", now.first_sequence)));
    let removed =
        (now.deleted > deleted).then(|| ("message deleted", format!("{} entries are not there", now.deleted)));
    purged.into_iter().chain(removed)
}

/// "max_msgs: -1 -> 1000"
fn differences(before: &str, after: &str) -> String {
    let fields = |text: &str| serde_json::from_str::<BTreeMap<String, Value>>(text).unwrap_or_default();
    let (before, after) = (fields(before), fields(after));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let shown = |value: Option<&Value>| value.map_or_else(|| "absent".to_owned(), Value::to_string);
    let differing = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    let lines = differing.map(|name| format!("{name}: {} -> {}", shown(before.get(name)), shown(after.get(name))));
    lines.collect::<Vec<_>>().join("; ")
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn shortened(text: String) -> String {
    if text.chars().count() <= MAX_DIFFERENCES_CHARS {
        text
    } else {
        text.chars().take(MAX_DIFFERENCES_CHARS).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> Seen {
        Seen { config: r#"{"max_msgs":-1,"name":"R"}"#.into(), created: "t1".into(), first_sequence: 1, deleted: 0 }
    }

    fn told(action: &str) -> StreamAdvisory {
        StreamAdvisory { stream: "R".into(), action: action.into(), by: "root from 10.0.0.9".into() }
    }

    #[test]
    fn what_was_done_is_named_with_what_differs() {
        let limited = Seen { config: r#"{"max_msgs":9,"name":"R"}"#.into(), ..seen() };
        let cases = [
            (seen(), None, vec![]),
            (limited.clone(), None, vec![("configuration differs", "max_msgs: -1 -> 9")]),
            (limited.clone(), Some("modify"), vec![("updated", "max_msgs: -1 -> 9")]),
            (seen(), Some("modify"), vec![("updated", "changed, and changed back")]),
            (Seen { first_sequence: 5, ..seen() }, None, vec![("purged", "first sequence 1 -> 5")]),
            (Seen { deleted: 2, ..seen() }, None, vec![("message deleted", "2 entries are not there")]),
            (Seen { created: "t2".into(), ..seen() }, None, vec![("recreated", "made t1 -> t2; first sequence 1")]),
            (
                Seen { created: "t2".into(), ..limited },
                Some("create"),
                vec![("recreated", "made t1 -> t2; first sequence 1; max_msgs: -1 -> 9")],
            ),
        ];
        for (now, action, expected) in cases {
            let told = action.map(told);
            let found = changes(Some(&seen()), &now, &[], told.as_ref());
            let words: Vec<_> = found.iter().map(|change| (change.what, change.differences.as_str())).collect();
            assert_eq!(words, expected, "{now:?}");
            let by = told.map(|told| told.by).unwrap_or_default();
            assert!(found.iter().all(|change| change.by == by));
        }
    }

    #[test]
    fn the_first_look_compares_with_what_must_be() {
        assert_eq!(changes(None, &seen(), &[], None), []);
        let found = changes(None, &seen(), &["max_age: null -> 60".to_owned()], None);
        let words: Vec<_> = found.iter().map(|change| (change.what, change.differences.as_str())).collect();
        assert_eq!(words, [("configuration differs", "max_age: null -> 60")]);
        let emptied = Seen { first_sequence: 4, deleted: 2, ..seen() };
        let found = changes(None, &emptied, &[], None);
        let words: Vec<_> = found.iter().map(|change| (change.what, change.differences.as_str())).collect();
        assert_eq!(words, [("purged", "first sequence 1 -> 4"), ("message deleted", "2 entries are not there")]);
    }
}
