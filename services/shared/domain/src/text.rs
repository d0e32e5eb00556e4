//! Texts that one person writes and another decides by.

use crate::Refusal;
use crate::refusal::field_refusal;

/// Refuses what cannot be seen and changes what is read: control characters move a terminal's cursor, NUL ends texts in
/// other programs, and direction marks show a sentence in another order than it is written. Line ends and tabs are text.
pub(crate) fn must_be_plain(field: &str, text: &str) -> Result<(), Refusal> {
    let Some(hidden) = text.chars().find(|c| is_hidden(*c)) else { return Ok(()) };
    Err(field_refusal(
        field,
        "FIELD_INVALID",
        format!("{field} is read by people who decide, so it shows all that it holds"),
        format!("the invisible character U+{:04X}", u32::from(hidden)),
        "visible characters, spaces, tabs and line ends",
        "remove it; typing the text anew helps",
    ))
}

/// Cannot be seen, or changes the order of what can.
pub(crate) fn is_hidden(c: char) -> bool {
    let is_control = c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    // Unicode Standard Annex 9: explicit directional embeddings, overrides and isolates.
    is_control || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn people_read_what_was_written() {
        for good in ["patch night", "two\r\nlines\tand a tab", "für Ägypten: مرحبا", "😀"] {
            assert_eq!(must_be_plain("reason", good), Ok(()));
        }
        for bad in ["a\0b", "\u{1b}[2J", "bell\u{7}", "next\u{85}line", "\u{202e}tnirp", "\u{2067}x"] {
            assert_eq!(must_be_plain("reason", bad).unwrap_err().field, "reason", "{bad:?}");
        }
        assert_eq!(must_be_plain("note", "a\0").unwrap_err().value, "the invisible character U+0000");
    }
}
