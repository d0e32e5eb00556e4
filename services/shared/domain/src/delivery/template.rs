//! A tenant's own words for a message: a template that can say less or other, and never do anything.
//!
//! Tenants write templates and Muster runs them for everybody, so they are hostile input. Only `if` and loops over a
//! message's own lists are let in, with a handful of filters: nothing can include a file, define, repeat or multiply.
//! What is let in is bounded all the same, in steps and in bytes.

use std::io::{Error, Result as Written, Write};

use minijinja::{Environment, UndefinedBehavior, Value, context, filters, value::Serde};

use super::language::{environment_in, tier_in};
use super::message::Message;

/// A subject is a line.
pub const MAX_SUBJECT_SOURCE_BYTES: usize = 500;
/// A text is a screen.
pub const MAX_TEXT_SOURCE_BYTES: usize = 4_000;
/// The result of either; with the rest of the message it still fits into every channel.
pub const MAX_RESULT_BYTES: usize = 4_000;
/// A text with every list in it takes some hundred steps.
const MAX_STEPS: u64 = 20_000;

/// What a loop may go over.
const LISTS: [&str; 5] = ["reasons", "facts", "loss", "groups", "owners"];
const TAGS: [&str; 5] = ["if", "elif", "else", "endif", "endfor"];

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("it has {bytes} bytes, at most {limit} are allowed")]
    TooLong { bytes: usize, limit: usize },
    #[error("'{0}' is not allowed; there are if, elif, else, and loops such as: for reason in reasons")]
    Tag(String),
    #[error("'*' is not allowed inside of tags")]
    Multiplication,
    #[error("a tag is not closed")]
    NotClosed,
    #[error("{0}")]
    Broken(String),
    #[error("its result has more than {0} bytes")]
    TooMuch(usize),
}

/// The template filled with a message. Strict: a name that does not exist is an error, and not an empty text.
pub fn render(source: &str, message: &Message, link: &str) -> Result<String, TemplateError> {
    check_tags(source)?;
    let broken = |error: &minijinja::Error| TemplateError::Broken(explain(error));
    let environment = sandbox();
    let template = environment.template_from_str(source).map_err(|e| broken(&e))?;
    let mut out = Bounded::default();
    match template.render_captured_to(values(message, link), &mut out) {
        Ok(_) => Ok(String::from_utf8_lossy(&out.bytes).into_owned()),
        Err(_) if out.overflowed => Err(TemplateError::TooMuch(MAX_RESULT_BYTES)),
        Err(error) => Err(broken(&error)),
    }
}

/// Only what is listed here exists.
fn sandbox() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(MAX_STEPS));
    environment.add_filter("upper", filters::upper);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("title", filters::title);
    environment.add_filter("capitalize", filters::capitalize);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("length", filters::length);
    environment
}

/// Everything a template can use; docs/notifications.md lists it.
fn values(message: &Message, link: &str) -> Value {
    context! {
        tenant => message.tenant.as_str(),
        kind => message.kind.as_str(),
        severity => message.severity.name(),
        resource => message.resource.as_str(),
        tier => tier_in(&message.language, message.tier),
        environment => environment_in(&message.language, message.environment),
        subject => message.subject.as_str(),
        summary => message.summary.as_str(),
        reasons => message.reasons.clone(),
        facts => Value::from(Serde(message.facts.clone())),
        loss => message.loss.clone(),
        next_step => message.next_step.as_str(),
        link => link,
        runbook => message.runbook_url.as_str(),
        request_id => message.request_id.as_str(),
        alert_id => message.alert_id.as_str(),
        repetition => message.repetition,
        step => message.step,
        is_test => message.test,
        is_first => message.opens_thread,
        occurred_at => format!("{:.0}", message.occurred_at),
        groups => message.groups.clone(),
        owners => message.owners.clone(),
    }
}

/// Refuses before anything runs. Strings inside of tags are passed over as the engine does it.
fn check_tags(source: &str) -> Result<(), TemplateError> {
    let mut rest = source;
    while let Some(at) = rest.find('{') {
        let opened = &rest[at..];
        let (close, is_statement) = match opened.as_bytes().get(1) {
            Some(b'%') => ("%}", true),
            Some(b'{') => ("}}", false),
            Some(b'#') => {
                let end = opened.find("#}").ok_or(TemplateError::NotClosed)?;
                rest = &opened[end + 2..];
                continue;
            }
            _ => {
                rest = &opened[1..];
                continue;
            }
        };
        let end = end_of_tag(&opened[2..], close)?;
        if is_statement {
            statement(opened[2..2 + end].trim_matches(|c: char| c.is_whitespace() || matches!(c, '-' | '+')))?;
        }
        rest = &opened[2 + end + 2..];
    }
    Ok(())
}

/// Where the tag ends, seen from behind its opening. Nothing in it multiplies.
fn end_of_tag(inside: &str, close: &str) -> Result<usize, TemplateError> {
    let bytes = inside.as_bytes();
    let mut quote = None;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match quote {
            // What is escaped cannot end the string.
            Some(_) if *byte == b'\\' => at += 1,
            Some(mark) if *byte == mark => quote = None,
            Some(_) => {}
            None if bytes[at..].starts_with(close.as_bytes()) => return Ok(at),
            None if matches!(byte, b'"' | b'\'') => quote = Some(*byte),
            None if *byte == b'*' => return Err(TemplateError::Multiplication),
            None => {}
        }
        at += 1;
    }
    Err(TemplateError::NotClosed)
}

fn statement(text: &str) -> Result<(), TemplateError> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let allowed = match words.as_slice() {
        ["for", _, "in", list] => LISTS.contains(list),
        [first, ..] => TAGS.contains(first),
        [] => false,
    };
    if allowed { Ok(()) } else { Err(TemplateError::Tag(text.chars().take(60).collect())) }
}

/// "undefined value (line 2)"
fn explain(error: &minijinja::Error) -> String {
    let what = error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
    let what: String = what.chars().take(300).collect();
    error.line().map_or_else(|| what.clone(), |line| format!("{what} (line {line})"))
}

/// Takes so many bytes and no more.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    overflowed: bool,
}

impl Write for Bounded {
    fn write(&mut self, buffer: &[u8]) -> Written<usize> {
        if self.bytes.len() + buffer.len() > MAX_RESULT_BYTES {
            self.overflowed = true;
            return Err(Error::other("too much"));
        }
        self.bytes.extend_from_slice(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> Written<()> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
