//! The YAML layer with its limits. A manifest comes from outside: what it can make us do is bounded here.

use muster_domain::refusal::refusal;
use serde_saphyr::{DeserializeError, DuplicateKeyPolicy, MergeKeyPolicy, Options, budget::BudgetBreach};

use super::{
    MAX_BYTES, MAX_DOCUMENTS,
    fault::{Fault, Place},
    node::{Node, Value},
};

/// The deepest manifest nests 6 levels.
const MAX_DEPTH: usize = 16;
/// 500 documents of 100 values each.
const MAX_NODES: usize = 50_000;
/// Repeating a block of credentials in a few hundred resources, not more.
const MAX_ALIASES: usize = 1_000;
/// What all aliases together may expand to ("billion laughs").
const MAX_REPLAYED: usize = 20_000;
const MAX_ANCHORS: usize = 200;
/// Documents with the empty ones, which a `---` too many leaves: files that are put together have some.
const MAX_PARTS: usize = 2 * MAX_DOCUMENTS + 2;

/// The documents that are not empty.
pub(super) fn read(text: &str) -> Result<Vec<Node>, Fault> {
    if text.len() > MAX_BYTES {
        return Err(whole(
            "a manifest is bounded",
            &format!("{} bytes", text.len()),
            &format!("at most {MAX_BYTES} bytes (1 MiB)"),
            "split it into several manifests",
        ));
    }
    let documents: Vec<Node> =
        serde_saphyr::from_multiple_with_options(text, options()).map_err(|error| explain(&error))?;
    let documents: Vec<Node> = documents.into_iter().filter(|node| !matches!(node.value, Value::Null)).collect();
    if documents.is_empty() {
        return Err(whole(
            "a manifest declares something",
            "no documents",
            "1 document or more",
            "write at least one document with kind, metadata and spec",
        ));
    }
    if documents.len() > MAX_DOCUMENTS {
        return Err(whole(
            "a manifest is bounded",
            &format!("{} documents", documents.len()),
            &format!("{MAX_DOCUMENTS} documents"),
            "split the manifest",
        ));
    }
    Ok(documents)
}

fn options() -> Options {
    let budget = serde_saphyr::budget! {
        max_depth: MAX_DEPTH,
        max_nodes: MAX_NODES,
        max_aliases: MAX_ALIASES,
        max_anchors: MAX_ANCHORS,
        max_documents: MAX_PARTS,
    };
    serde_saphyr::options! {
        budget: budget,
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPLAYED, max_replay_stack_depth: MAX_DEPTH },
        // Repeated keys reach our reader, which names each of them.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        // `no` is Norway, `0755` and `1_000` are texts: what looks odd is asked about, not guessed.
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

fn whole(rule: &str, value: &str, allowed: &str, next: &str) -> Fault {
    Fault { document: None, place: None, refusal: refusal("MANIFEST_INVALID", rule, value, allowed, next) }
}

fn explain(error: &DeserializeError) -> Fault {
    let error = error.without_snippet();
    let place = error.location().map(|at| Place { line: at.line(), column: at.column() });
    let limit = "a manifest is bounded, aliases expanded";
    let split = "split the manifest, or write out what the aliases repeat";
    let fault = match error {
        DeserializeError::Budget { breach, .. } => {
            let (value, allowed) = breached(breach);
            whole(limit, &value, &allowed, split)
        }
        error if expands_too_far(error) => {
            whole(limit, "aliases that expand to more", &format!("{MAX_REPLAYED} values"), split)
        }
        DeserializeError::MergeKeyNotAllowed { .. } => {
            whole("merge keys are not part of a manifest", "<<", "keys written out", "write the keys out")
        }
        other => whole(
            "a manifest is YAML",
            &message(other),
            "YAML 1.2 documents separated by ---",
            "correct the text at this place",
        ),
    };
    Fault { place, ..fault }
}

/// The limit may be met inside the expansion of an alias, which wraps the error.
fn expands_too_far(error: &DeserializeError) -> bool {
    match error {
        DeserializeError::AliasReplayLimitExceeded { .. } | DeserializeError::AliasReplayStackDepthExceeded { .. } => {
            true
        }
        DeserializeError::AliasError { error, .. } => expands_too_far(error.without_snippet()),
        _ => false,
    }
}

fn breached(breach: &BudgetBreach) -> (String, String) {
    match breach {
        BudgetBreach::Depth { depth } => (format!("{depth} levels"), format!("{MAX_DEPTH} levels")),
        BudgetBreach::Documents { documents } => {
            (format!("{documents} documents or more"), format!("{MAX_PARTS} documents, empty ones counted"))
        }
        BudgetBreach::Nodes { nodes } => (format!("{nodes} values or more"), format!("{MAX_NODES} values")),
        BudgetBreach::Aliases { aliases } => (format!("{aliases} aliases or more"), format!("{MAX_ALIASES} aliases")),
        BudgetBreach::Anchors { anchors } => (format!("{anchors} anchors or more"), format!("{MAX_ANCHORS} anchors")),
        _ => ("more than a manifest needs".to_owned(), "a manifest of ordinary size".to_owned()),
    }
}

/// The library's message without its position, which we name ourselves.
fn message(error: &DeserializeError) -> String {
    let text = error.to_string();
    let text = match text.rfind(" at line ") {
        Some(end) => &text[..end],
        None => &text,
    };
    super::fields::show(text)
}
