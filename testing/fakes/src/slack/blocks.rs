//! The part of Block Kit that is used, with its limits.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::check::{Checked, http_url, object, one_of, only, optional_text, text};

const MAX_BLOCKS: usize = 50;
const MAX_ELEMENTS: usize = 25;
const MAX_CONTEXT: usize = 10;

pub(super) fn check(blocks: &Value) -> Checked<()> {
    let blocks = blocks.as_array().ok_or("blocks is no list")?;
    if blocks.is_empty() || blocks.len() > MAX_BLOCKS {
        return Err(format!("{} blocks, of 1 to {MAX_BLOCKS}", blocks.len()));
    }
    let mut ids = BTreeSet::new();
    for block in blocks {
        let fields = object(block, "a block")?;
        if let Some(id) = optional_text(fields, "block_id", 255)?
            && !ids.insert(id)
        {
            return Err(format!("block_id {id} twice"));
        }
        match text(fields, "type", 20)? {
            "header" => check_text(&block["text"], &["plain_text"], 150)?,
            "section" => check_text(&block["text"], &["plain_text", "mrkdwn"], 3_000)?,
            "context" => {
                let elements = block["elements"].as_array().ok_or("a context without elements")?;
                if elements.is_empty() || elements.len() > MAX_CONTEXT {
                    return Err("a context has 1 to 10 elements".into());
                }
                elements.iter().try_for_each(|element| check_text(element, &["plain_text", "mrkdwn"], 3_000))?;
            }
            "actions" => {
                let elements = block["elements"].as_array().ok_or("actions without elements")?;
                if elements.is_empty() || elements.len() > MAX_ELEMENTS {
                    return Err("actions have 1 to 25 elements".into());
                }
                let mut actions = BTreeSet::new();
                for element in elements {
                    if !actions.insert(check_button(element)?) {
                        return Err("an action_id twice in one block".into());
                    }
                }
            }
            other => return Err(format!("a block '{other}' is not used here")),
        }
    }
    Ok(())
}

fn check_text(value: &Value, kinds: &[&str], max: usize) -> Checked<()> {
    let fields = object(value, "a text")?;
    only(fields, &["type", "text", "emoji", "verbatim"], "a text")?;
    let kind = text(fields, "type", 20)?;
    one_of(kind, kinds, "a text's type")?;
    // Each of them belongs to one kind of text alone.
    let foreign = if kind == "mrkdwn" { "emoji" } else { "verbatim" };
    if fields.contains_key(foreign) {
        return Err(format!("{foreign} in {kind}"));
    }
    text(fields, "text", max).map(|_| ())
}

fn check_button(button: &Value) -> Checked<&str> {
    let fields = object(button, "a button")?;
    only(fields, &["type", "action_id", "text", "value", "url", "style", "confirm"], "a button")?;
    one_of(text(fields, "type", 20)?, &["button"], "an element's type")?;
    check_text(&button["text"], &["plain_text"], 75)?;
    optional_text(fields, "value", 2_000)?;
    if let Some(url) = optional_text(fields, "url", 3_000)? {
        http_url(url, "a button's url")?;
    }
    if let Some(style) = optional_text(fields, "style", 20)? {
        one_of(style, &["primary", "danger"], "style")?;
    }
    text(fields, "action_id", 255)
}
