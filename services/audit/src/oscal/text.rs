//! People's words inside OSCAL: descriptions are Markdown, titles and property values are one line, names are tokens.

/// Longest line that is taken over; the whole text is in the event.
const MAX_LINE: usize = 300;

/// For a description: what Markdown would read as markup stands as it was written.
pub(crate) fn prose(text: &str) -> String {
    let text = escape(text.trim());
    if text.is_empty() { "(nothing was written)".to_owned() } else { text }
}

/// For a title.
pub(crate) fn title(text: &str) -> String {
    prose(&one_line(text))
}

/// For the value of a property; `None` when nothing is left to say.
pub(crate) fn value(text: &str) -> Option<String> {
    Some(one_line(text)).filter(|line| !line.is_empty())
}

/// A word of ours or an id in code style. Words with a back-quote of their own are escaped instead.
pub(crate) fn code(word: &str) -> String {
    if word.is_empty() || word.contains(['`', '\n']) { title(word) } else { format!("`{word}`") }
}

fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_LINE) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line,
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '*' | '_' | '[' | ']' | '|' | '`' | '{' | '}' | '<' | '>' => escaped.extend(['\\', c]),
            '\n' => escaped.push('\n'),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_of_people_stays_text() {
        assert_eq!(prose("*a* [x](y) `z` {{ insert }}"), r"\*a\* \[x\](y) \`z\` \{\{ insert \}\}");
        assert_eq!(prose(" \n "), "(nothing was written)");
    }

    #[test]
    fn titles_and_values_are_one_line_without_outer_blanks() {
        assert_eq!(title(" a\r\n\tb_c "), r"a b\_c");
        assert_eq!(value("a\nb\u{0}"), Some("a b".into()));
        assert_eq!(value(" \n"), None);
        assert!(value(&"ä".repeat(1000)).is_some_and(|line| line.chars().count() == MAX_LINE + 1));
    }

    #[test]
    fn code_cannot_be_left() {
        assert_eq!(code("request.created"), "`request.created`");
        assert_eq!(code("a`b"), r"a\`b");
    }
}
