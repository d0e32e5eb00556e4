//! `muster apply`: reads manifests, checks what can be checked here, sends them as one, and shows the difference.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use clap::Args;
use muster_domain::TenantId;
use muster_domain::pb::inventory::v1::{AppliedDocument, ApplyAction, ApplyRequest, ApplyResponse};
use muster_planner::manifest::{self, MAX_BYTES, MAX_DOCUMENTS};

use super::{
    error::CliError,
    kinds::title,
    output::{Screen, style::Tone, table::clean},
    session::Session,
};

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// A manifest, a directory of manifests (*.yaml, *.yml), or - for standard input. Several are applied as one.
    #[arg(short, long = "file", value_name = "FILE|DIR|-", required = true)]
    files: Vec<PathBuf>,
    /// Say what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// A manifest and where it begins in what is sent.
pub(super) struct Source {
    name: String,
    pub(super) text: String,
}

pub(crate) async fn run(args: ApplyArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let sources = read_all(&args.files)?;
    check(&sources, &session.tenant())?;
    let request = ApplyRequest {
        tenant: session.tenant(),
        manifest: sources.iter().map(|source| source.text.as_str()).collect(),
        dry_run: args.dry_run,
        idempotency_key: session.idempotency_key(),
    };
    let answer = session.planner().apply(session.ask(request)).await;
    let answer = answer.map_err(|status| in_files(status.into(), &sources))?.into_inner();
    if screen.is_table() { show(&answer, args.dry_run, screen) } else { screen.value(&answer) }
}

fn read_all(files: &[PathBuf]) -> Result<Vec<Source>, CliError> {
    let mut sources = Vec::new();
    for file in files {
        if file.is_dir() {
            for file in manifests_in(file)? {
                sources.push(read_file(&file)?);
            }
        } else {
            sources.push(read_one(file)?);
        }
    }
    let bytes: usize = sources.iter().map(|source| source.text.len()).sum();
    if bytes > MAX_BYTES {
        return Err(too_large("together", bytes));
    }
    Ok(sources)
}

/// In the order of their names, so that the same directory is always the same manifest.
fn manifests_in(directory: &Path) -> Result<Vec<PathBuf>, CliError> {
    let unreadable = |error: std::io::Error| CliError::Usage(format!("{}: {error}", directory.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_manifest = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if is_manifest && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    match files.len() {
        0 => Err(CliError::Usage(format!("{} has no *.yaml or *.yml", directory.display()))),
        many if many > MAX_DOCUMENTS => Err(CliError::Usage(format!(
            "{} has {many} manifests; at most {MAX_DOCUMENTS} documents are applied at once",
            directory.display()
        ))),
        _ => Ok(files),
    }
}

/// A file, or `-` for standard input.
pub(super) fn read_one(file: &Path) -> Result<Source, CliError> {
    if file.as_os_str() == "-" {
        return Ok(source("standard input", read_bounded(std::io::stdin().lock(), "standard input")?));
    }
    read_file(file)
}

fn read_file(path: &Path) -> Result<Source, CliError> {
    let name = path.display().to_string();
    let file = std::fs::File::open(path).map_err(|error| CliError::Usage(format!("{name}: {error}")))?;
    let text = read_bounded(file, &name)?;
    Ok(source(&name, text))
}

/// Reads no more than could be applied.
fn read_bounded(from: impl Read, name: &str) -> Result<String, CliError> {
    let mut bytes = Vec::new();
    let limit = MAX_BYTES as u64 + 1;
    from.take(limit).read_to_end(&mut bytes).map_err(|error| CliError::Usage(format!("{name}: {error}")))?;
    if bytes.len() > MAX_BYTES {
        return Err(too_large(name, bytes.len()));
    }
    String::from_utf8(bytes).map_err(|_| CliError::Usage(format!("{name}: a manifest is UTF-8 text")))
}

/// Ends with its own separator, so that the next one begins a document of its own.
fn source(name: &str, text: String) -> Source {
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    Source { name: name.to_owned(), text: format!("{text}{newline}---\n") }
}

fn too_large(name: &str, bytes: usize) -> CliError {
    let at_least = if bytes > MAX_BYTES { "more than " } else { "" };
    CliError::Refused(Box::new(muster_domain::refusal::refusal(
        "MANIFEST_TOO_LARGE",
        "a manifest is bounded; nothing was sent",
        format!("{name}: {at_least}{} bytes", bytes.min(MAX_BYTES)),
        format!("at most {MAX_BYTES} bytes (1 MiB)"),
        "split it into several manifests",
    )))
}

/// What is wrong in itself is said here, with the file's own lines; the server has the last word.
fn check(sources: &[Source], tenant: &str) -> Result<(), CliError> {
    let Ok(tenant) = tenant.parse::<TenantId>() else { return Ok(()) };
    let mut faults = Vec::new();
    for source in sources {
        if let Err(found) = manifest::parse(&source.text, &tenant) {
            faults.extend(found.iter().map(|fault| format!("{}: {fault}", source.name)));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(CliError::Manifest(faults)) }
}

/// The server counts documents and lines through everything that was sent: say the lines of the files.
pub(super) fn in_files(error: CliError, sources: &[Source]) -> CliError {
    match error {
        CliError::Manifest(faults) => CliError::Manifest(faults.iter().map(|fault| in_file(fault, sources)).collect()),
        CliError::Refused(refusal) => CliError::Refused(refusal),
        other => other,
    }
}

fn in_file(fault: &str, sources: &[Source]) -> String {
    let Some((_, rest)) = fault.split_once("line ") else { return fault.to_owned() };
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let Ok(mut line) = digits.parse::<usize>() else { return fault.to_owned() };
    for source in sources {
        let lines = source.text.lines().count();
        if line <= lines {
            return format!("{}: line {line}{}", source.name, &rest[digits.len()..]);
        }
        line -= lines;
    }
    fault.to_owned()
}

fn show(answer: &ApplyResponse, dry_run: bool, screen: &Screen) -> Result<(), CliError> {
    let mut counts = [0_usize; 3];
    for applied in &answer.documents {
        let (sign, tone, word, count) = match applied.action() {
            ApplyAction::Created => ("+", Tone::Good, "created", 0),
            ApplyAction::Changed => ("~", Tone::Warning, "changed", 1),
            ApplyAction::Unchanged | ApplyAction::Unspecified => ("=", Tone::Dim, "unchanged", 2),
        };
        counts[count] += 1;
        show_document(applied, sign, tone, word, screen)?;
    }
    let nothing = if dry_run { " (dry run: nothing was written)" } else { "" };
    screen.line(&format!("created {}, changed {}, unchanged {}{nothing}", counts[0], counts[1], counts[2]))
}

fn show_document(
    applied: &AppliedDocument,
    sign: &str,
    tone: Tone,
    word: &str,
    screen: &Screen,
) -> Result<(), CliError> {
    let document = applied.document.clone().unwrap_or_default();
    let name = title(document.kind(), &document.name);
    screen.line(&screen.paint(tone, &format!("{sign} {name} {word} (version {})", document.version)))?;
    // Of a new document everything is new: its fields would only repeat the manifest.
    if applied.action() == ApplyAction::Changed {
        for change in &applied.changes {
            let (from, to) = (quoted(&change.from), quoted(&change.to));
            screen.line(&format!(
                "    {}: {} -> {}",
                clean(&change.field),
                screen.paint(Tone::Bad, &from),
                screen.paint(Tone::Good, &to)
            ))?;
        }
    }
    for warning in &applied.warnings {
        screen.line(&screen.paint(Tone::Warning, &format!("    warning: {}", clean(warning))))?;
    }
    Ok(())
}

fn quoted(value: &str) -> String {
    if value.is_empty() { "(none)".to_owned() } else { clean(value) }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn files_are_one_manifest_and_faults_name_their_file() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("b.yaml"), "kind: Site\nmetadata: {name: ams}\nspec: {}").unwrap();
        std::fs::write(directory.path().join("a.yml"), "kind: Site\nmetadata: {name: fra}\nspec: {}\n---\n").unwrap();
        std::fs::write(directory.path().join("notes.txt"), "no manifest").unwrap();
        let sources = read_all(&[directory.path().to_owned()]).unwrap();
        assert_eq!(sources.len(), 2);
        assert!(sources[0].name.ends_with("a.yml"));
        check(&sources, "acme").unwrap();
        let text: String = sources.iter().map(|source| source.text.as_str()).collect();
        assert_eq!(manifest::parse(&text, &"acme".parse().unwrap()).unwrap().len(), 2);
        // a.yml has five lines with its separator.
        let said = in_file("document 2, line 8, column 7: spec.drSite: sites are declared", &sources);
        assert!(said.ends_with("b.yaml: line 3, column 7: spec.drSite: sites are declared"), "{said}");
    }

    #[test]
    fn a_large_manifest_is_not_sent_nor_read_to_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("big.yaml");
        std::fs::write(&path, vec![b'#'; 10 * 1024 * 1024]).unwrap();
        let error = read_all(&[path]).err().unwrap();
        assert_eq!(error.exit().code(), 3);
        assert!(read_all(&[directory.path().join("missing.yaml")]).err().unwrap().exit().code() == 2);
    }
}
