//! Colours, when there is a terminal and nobody asked for none (https://no-color.org).

use std::io::IsTerminal;

/// What a colour means here; the word beside it always says it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Warning,
    Bad,
    /// Not known, or of less interest.
    Dim,
    Strong,
}

pub(crate) struct Style {
    coloured: bool,
}

impl Style {
    pub(crate) fn of(stream: &impl IsTerminal) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the convention of no-color.org, the same for all programs")]
        let (no_color, term) = (std::env::var_os("NO_COLOR"), std::env::var_os("TERM"));
        let wanted = no_color.is_none_or(|value| value.is_empty()) && term.is_none_or(|term| term != "dumb");
        Self { coloured: wanted && stream.is_terminal() }
    }

    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self { coloured: false }
    }

    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        if !self.coloured {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Warning => "33",
            Tone::Bad => "31",
            Tone::Dim => "2",
            Tone::Strong => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}
