//! The failover documentation: made from a plan and the live inventory, readable where nothing of Muster runs.
//!
//! | file | is |
//! |---|---|
//! | `book` | everything that a document says, as data |
//! | `step` | one step in words, with the commands that do the same by hand |
//! | `by_hand` | how a platform is moved by people, with its own tools |
//! | `graph` | phases and steps as a drawing |
//! | `sign` | the installation's key, and signed notes |
//! | `templates/` | Markdown, a printable page, and the run-card |

mod book;
mod by_hand;
mod graph;
mod sign;
mod step;
#[cfg(test)]
mod tests;

use minijinja::{AutoEscape, Environment, Value, context, syntax::SyntaxConfig, value::Serde};
use muster_domain::pb::plan::v1::{PlanRef, RenderFormat, RenderPlanResponse};
use sha2::{Digest, Sha256};

pub(crate) use book::Book;
pub(crate) use sign::SigningKey;
pub use sign::new_signing_key;

/// The line before which the signed part of a run-card ends.
const NOTE_BEGINS: &str = "<!-- muster signed note";

#[derive(Debug, thiserror::Error)]
#[error("the document cannot be made: {0}")]
pub(crate) struct RenderError(#[from] minijinja::Error);

/// Markdown and pages need no key; a run-card is signed, or not made.
pub(crate) fn render(
    book: &Book,
    format: RenderFormat,
    key: Option<&SigningKey>,
) -> Result<RenderPlanResponse, RenderError> {
    let plan = Some(PlanRef { name: book.name.clone(), version: book.version, hash: book.hash.clone() });
    let (template, media_type) = match format {
        RenderFormat::Markdown | RenderFormat::Unspecified => ("plan.md", "text/markdown; charset=utf-8"),
        RenderFormat::Html => ("plan.html", "text/html; charset=utf-8"),
        RenderFormat::RunCard => ("run-card.html", "text/html; charset=utf-8"),
    };
    let graph = if format == RenderFormat::Html { graph::drawing(book) } else { String::new() };
    let content = environment()?
        .get_template(template)?
        .render(context! { book => Value::from(Serde(book)), graph => Value::from_safe_string(graph) })?;
    let (content, signature) = match key {
        Some(key) if format == RenderFormat::RunCard => signed(content, book, key),
        _ => (content, String::new()),
    };
    Ok(RenderPlanResponse { content, media_type: media_type.to_owned(), plan, signature })
}

/// The page, and below it the note over its SHA-256, in a comment.
fn signed(mut content: String, book: &Book, key: &SigningKey) -> (String, String) {
    if !content.ends_with('\n') {
        content.push('\n');
    }
    let text = format!(
        "muster run-card\nplan {}/{} version {}\nhash {}\nmade {}\nsha256 {}\n",
        book.tenant,
        book.name,
        book.version,
        book.hash,
        book.made_at,
        hexadecimal(&Sha256::digest(content.as_bytes())),
    );
    let note = key.note(&text);
    (format!("{content}{NOTE_BEGINS}\n{note}-->\n"), note)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    // What people declared is text, never markup: HTML is escaped by the engine, Markdown by a filter of ours.
    environment.set_auto_escape_callback(
        |name| {
            if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None }
        },
    );
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    // A line with nothing but a tag leaves no line.
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.add_filter("md", markdown);
    environment.add_filter("code", code_span);
    for (name, source) in [
        ("plan.md", include_str!("templates/plan.md")),
        ("plan.html", include_str!("templates/plan.html")),
        ("run-card.html", include_str!("templates/run-card.html")),
        ("style.html", include_str!("templates/style.html")),
        ("step.html", include_str!("templates/step.html")),
    ] {
        environment.add_template(name, source)?;
    }
    Ok(environment)
}

/// Text in a line of Markdown: nothing in it is markup, a table's cell or a new line.
fn markdown(text: String) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => escaped.push(' '),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// A command as an indented block: nothing in it ends the block.
fn code_span(text: String) -> String {
    text.lines().map(|line| format!("        {line}\n")).collect()
}
