//! Reading and checking the lines of a leaf.

use super::LeafError;
use crate::hash::Hash;

/// What follows `name ` on the next line.
pub(super) fn take<'a>(rest: &mut &'a str, name: &'static str) -> Result<&'a str, LeafError> {
    let (line, after) = rest.split_once('\n').ok_or_else(|| wrong(name, rest))?;
    let value = line.strip_prefix(name).and_then(|value| value.strip_prefix(' ')).ok_or_else(|| wrong(name, line))?;
    *rest = after;
    Ok(value)
}

pub(super) fn end(rest: &str) -> Result<(), LeafError> {
    if rest.is_empty() { Ok(()) } else { Err(LeafError::Trailing) }
}

pub(super) fn number(name: &'static str, value: &str) -> Result<u64, LeafError> {
    value.parse().map_err(|_| wrong(name, value))
}

pub(super) fn digest(name: &'static str, value: &str) -> Result<Hash, LeafError> {
    value.strip_prefix("sha256:").and_then(Hash::from_hex).ok_or_else(|| wrong(name, value))
}

pub(super) fn wrong(field: &'static str, line: &str) -> LeafError {
    LeafError::Line { field, line: line.chars().take(120).collect() }
}

/// A word: what NATS allows in subjects and stream names, and what a signed note allows in names.
pub(super) fn word<'a>(field: &'static str, value: &'a str) -> Result<&'a str, LeafError> {
    check(field, value, |character| character.is_whitespace() || character.is_control())
}

/// One line of text.
pub(super) fn line<'a>(field: &'static str, value: &'a str) -> Result<&'a str, LeafError> {
    check(field, value, char::is_control)
}

fn check<'a>(field: &'static str, value: &'a str, banned: impl Fn(char) -> bool) -> Result<&'a str, LeafError> {
    if value.is_empty() {
        return Err(LeafError::Empty { field });
    }
    match value.chars().find(|character| banned(*character)) {
        Some(character) => Err(LeafError::Character { field, character, value: value.chars().take(120).collect() }),
        None => Ok(value),
    }
}
