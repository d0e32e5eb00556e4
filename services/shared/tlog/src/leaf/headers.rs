//! Canonical headers: what a message says about itself, without what the transport added on the way.

use super::LeafError;
use crate::hash::Hash;

/// The transport's own headers begin with this.
const TRANSPORT: &str = "Nats-";
/// The event's id, which its publisher set.
const MESSAGE_ID: &str = "Nats-Msg-Id";

/// The digest that stands in an event's leaf.
pub fn canonical_headers<N: AsRef<str>, V: AsRef<str>>(
    headers: impl IntoIterator<Item = (N, V)>,
) -> Result<Hash, LeafError> {
    Ok(Hash::of(canonical_headers_text(headers)?.as_bytes()))
}

/// `Name: value` lines, sorted by the bytes of their names; repeated names stay in stored order.
pub fn canonical_headers_text<N: AsRef<str>, V: AsRef<str>>(
    headers: impl IntoIterator<Item = (N, V)>,
) -> Result<String, LeafError> {
    let kept = |(name, _): &(N, V)| !name.as_ref().starts_with(TRANSPORT) || name.as_ref() == MESSAGE_ID;
    let mut headers: Vec<(N, V)> = headers.into_iter().filter(kept).collect();
    headers.sort_by(|(left, _), (right, _)| left.as_ref().as_bytes().cmp(right.as_ref().as_bytes()));
    let mut text = String::new();
    for (name, value) in &headers {
        let (name, value) = (name.as_ref(), value.as_ref());
        refuse("header name", name, &[':', '\r', '\n'])?;
        if name.is_empty() {
            return Err(LeafError::Empty { field: "header name" });
        }
        refuse("header value", value, &['\r', '\n'])?;
        text.extend([name, ": ", value, "\n"]);
    }
    Ok(text)
}

/// NATS allows none of these; with one of them two sets of headers could have one text.
fn refuse(field: &'static str, value: &str, banned: &[char]) -> Result<(), LeafError> {
    match value.chars().find(|character| banned.contains(character)) {
        Some(character) => Err(LeafError::Character { field, character, value: value.chars().take(120).collect() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn the_transports_headers_are_dropped_and_the_rest_is_sorted_by_bytes() {
        let headers = [("b", "2"), ("Nats-Sequence", "9"), ("a", "x"), ("Nats-Msg-Id", "id"), ("b", "1"), ("B", "0")];
        assert_eq!(canonical_headers_text(headers).unwrap(), "B: 0\nNats-Msg-Id: id\na: x\nb: 2\nb: 1\n");
        assert_eq!(canonical_headers::<&str, &str>([]).unwrap(), Hash::of(b""));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for (name, value) in [("a:b", "c"), ("a\n", "c"), ("a", "c\nb: d"), ("a", "c\r"), ("", "c")] {
            canonical_headers([(name, value)]).unwrap_err();
        }
        // A value may hold anything that stays on its line.
        canonical_headers([("a", "b: c  ")]).unwrap();
    }
}
