//! Everything a command says: tables and words for people, JSON for programs. Colours only add to words, and only on
//! a terminal.

pub(crate) mod style;
pub(crate) mod table;
pub(crate) mod words;

use std::io::{IsTerminal, Write};

use muster_domain::Refusal;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Format, error::CliError};
use style::{Style, Tone};
use table::Cell;

pub(crate) struct Screen {
    format: Format,
    style: Style,
    /// Where a test reads what was said.
    #[cfg(test)]
    said: Option<std::sync::Mutex<Vec<u8>>>,
}

impl Screen {
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            style: Style::of(&std::io::stdout()),
            #[cfg(test)]
            said: None,
        }
    }

    /// For people, not for programs.
    pub(crate) fn is_table(&self) -> bool {
        self.format == Format::Table
    }

    pub(crate) fn is_yaml(&self) -> bool {
        self.format == Format::Yaml
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.is_table() && std::io::stdout().is_terminal()
    }

    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        self.style.paint(tone, text)
    }

    pub(crate) fn line(&self, text: &str) -> Result<(), CliError> {
        self.raw(format!("{text}\n").as_bytes())
    }

    /// A name and its value, indented. What the value came with of its own (line breaks, escapes) is made harmless.
    pub(crate) fn field(&self, name: &str, value: impl Into<Cell>) -> Result<(), CliError> {
        let cell: Cell = value.into();
        self.line(&format!("  {name:<13} {}", cell.painted(self)))
    }

    /// A heading above fields.
    pub(crate) fn heading(&self, text: &str) -> Result<(), CliError> {
        self.line(&self.paint(Tone::Strong, &table::clean(text)))
    }

    pub(crate) fn lines(&self, text: &[String]) -> Result<(), CliError> {
        text.iter().try_for_each(|line| self.line(line))
    }

    pub(crate) fn raw(&self, bytes: &[u8]) -> Result<(), CliError> {
        #[cfg(test)]
        if let Some(said) = &self.said {
            said.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend_from_slice(bytes);
            return Ok(());
        }
        let mut out = std::io::stdout();
        out.write_all(bytes)?;
        Ok(out.flush()?)
    }

    /// A sentence about what happened; programs get it as `{"message": …}`.
    pub(crate) fn say(&self, text: &str) -> Result<(), CliError> {
        if self.is_table() { self.line(text) } else { self.value(&json!({ "message": text })) }
    }

    /// A remark beside the answer: on standard error, so that the answer stays what it is.
    pub(crate) fn note(&self, text: &str) -> Result<(), CliError> {
        Ok(writeln!(std::io::stderr(), "{text}")?)
    }

    /// A message of the API as JSON or YAML.
    pub(crate) fn value(&self, value: &impl Serialize) -> Result<(), CliError> {
        let value = serde_json::to_value(value).map_err(|error| CliError::Failed(error.to_string()))?;
        let text = match self.format {
            Format::Yaml => serde_saphyr::to_string(&value).map_err(|error| CliError::Failed(error.to_string()))?,
            Format::Json | Format::Table => {
                serde_json::to_string_pretty(&value).map_err(|error| CliError::Failed(error.to_string()))?
            }
        };
        self.line(text.trim_end())
    }

    /// One line a value, for streams.
    pub(crate) fn json_line(&self, value: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string(value).map_err(|error| CliError::Failed(error.to_string()))?;
        self.line(&text)
    }

    /// Standard error: what was refused, rule, value, allowed, next action.
    pub(crate) fn error(&self, error: &CliError) {
        let text =
            if self.is_table() { for_people(error, &Style::of(&std::io::stderr())) } else { for_programs(error) };
        // Nothing is left to do when even this cannot be written.
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

#[cfg(test)]
impl Screen {
    pub(crate) fn remembering(format: Format) -> Self {
        Self { format, style: Style::plain(), said: Some(std::sync::Mutex::new(Vec::new())) }
    }

    pub(crate) fn said(&self) -> String {
        let said =
            self.said.as_ref().map(|said| said.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone());
        String::from_utf8_lossy(&said.unwrap_or_default()).into_owned()
    }
}

fn for_people(error: &CliError, style: &Style) -> String {
    match error {
        CliError::Refused(refusal) => refusal_lines(&style.paint(Tone::Bad, "refused"), refusal),
        CliError::Denied(refusal) => refusal_lines(&style.paint(Tone::Bad, "denied"), refusal),
        CliError::Unavailable(refusal) => refusal_lines(&style.paint(Tone::Bad, "unavailable"), refusal),
        CliError::Manifest(faults) => {
            let mut text = style.paint(Tone::Bad, "refused: the manifest was not applied, nothing was changed");
            for fault in faults {
                text.push_str("\n  ");
                text.push_str(fault);
            }
            text
        }
        other => format!("{}: {other}", style.paint(Tone::Bad, "error")),
    }
}

fn refusal_lines(what: &str, refusal: &Refusal) -> String {
    let mut text = format!("{what}: {}", refusal.code);
    let parts = [
        ("field", &refusal.field),
        ("rule", &refusal.rule),
        ("value", &refusal.value),
        ("allowed", &refusal.limit),
        ("next", &refusal.next_action),
    ];
    for (name, value) in parts.into_iter().filter(|(_, value)| !value.is_empty()) {
        text.push_str(&format!("\n  {:<9}{value}", format!("{name}:")));
    }
    text
}

fn for_programs(error: &CliError) -> String {
    let detail: Value = match error {
        CliError::Refused(refusal) | CliError::Denied(refusal) | CliError::Unavailable(refusal) => {
            json!({ "refusal": refusal })
        }
        CliError::Manifest(faults) => json!({ "faults": faults }),
        other => json!({ "message": other.to_string() }),
    };
    json!({ "error": detail, "exitCode": error.exit().code() }).to_string()
}

#[cfg(test)]
mod tests {
    use muster_domain::refusal::refusal;

    use super::*;

    #[test]
    fn a_refusal_says_rule_value_allowed_and_next() {
        let error = CliError::Refused(Box::new(refusal(
            "APPROVER_IS_REQUESTER",
            "the requester never approves the own request",
            "Olga",
            "any other eligible person",
            "ask another approver",
        )));
        assert_eq!(
            for_people(&error, &Style::plain()),
            "refused: APPROVER_IS_REQUESTER\n  rule:    the requester never approves the own request\n  value:   Olga\n  allowed: any other eligible person\n  next:    ask another approver"
        );
        let json: Value = serde_json::from_str(&for_programs(&error)).unwrap_or_default();
        assert_eq!(json["error"]["refusal"]["code"], "APPROVER_IS_REQUESTER");
        assert_eq!(json["exitCode"], 3);
    }
}
