//! A package, a log folder or one proof, without a server and without a login.

use std::path::Path;

use muster_tlog::{
    Note, TlogProof, VerifierKey,
    verify::{Finding, Report, Trust, package},
};

use super::{Bar, Trusted, VerifyArgs, archive, key_changes, read, say, trust};
use crate::client::{
    GlobalArgs,
    error::CliError,
    exit::Exit,
    output::Screen,
    profile::{ProfileFile, TrustedLog},
};

pub(super) fn run(path: &Path, args: &VerifyArgs, global: &GlobalArgs, screen: &Screen) -> Result<Exit, CliError> {
    if !path.exists() {
        return Err(CliError::Usage(format!("{}: there is no such package", path.display())));
    }
    let given = trust::given(&args.keys)?;
    let mut asked = args.asked()?;
    if path.extension().is_some_and(|extension| extension == "tlog-proof") {
        return proof(path, given, args, global, screen);
    }
    let unreadable = |error: std::io::Error| CliError::Usage(format!("{}: {error}", path.display()));
    let files = archive::open(path).map_err(unreadable)?;
    asked.key_changes = key_changes::read(&*files).map_err(unreadable)?;
    let note = files.read("checkpoint").map_err(unreadable)?.and_then(|bytes| Note::parse(&bytes).ok());
    let (trust, trusted) = match or_pinned(given, note.as_ref(), args, global)? {
        Some(found) => found,
        None => return Err(no_key(&files.read("policy").map_err(unreadable)?.unwrap_or_default())),
    };
    let bar = Bar::new();
    let report = package::verify(&*files, &trust, &asked, &mut |progress| bar.show(progress)).map_err(unreadable)?;
    drop(bar);
    say::report(&report, trusted, screen)
}

/// Without keys on the command line: those that this profile pinned for the log that the checkpoint names.
fn or_pinned(
    given: Trust,
    checkpoint: Option<&Note>,
    args: &VerifyArgs,
    global: &GlobalArgs,
) -> Result<Option<(Trust, &'static str)>, CliError> {
    if !given.is_empty() {
        return Ok(Some((given, say::OFFLINE)));
    }
    let Some(origin) = checkpoint.and_then(|note| note.text().lines().next()) else { return Ok(None) };
    let known: Vec<TrustedLog> = ProfileFile::of(&global.profile)?.load()?.logs.into_values().collect();
    let of_origin = |known: &&TrustedLog| known.keys.iter().any(|key| key.starts_with(&format!("{origin}+")));
    let Some(known) = known.iter().find(of_origin) else { return Ok(None) };
    let trusted = Trusted::decide(&args.keys, Some(known), origin, &[])?;
    Ok(Some((trusted.trust, trusted.source.words())))
}

/// A package cannot vouch for its own key: the one that it names is for comparing only.
fn no_key(policy: &[u8]) -> CliError {
    let policy = String::from_utf8_lossy(policy).parse::<muster_tlog::Policy>().ok();
    let named: Vec<VerifierKey> = policy.into_iter().flat_map(|policy| policy.logs).map(|log| log.key).collect();
    let named = match named.first() {
        Some(key) => {
            format!(" The package itself names {key}: give that one only if it reached you on another way, too.")
        }
        None => String::new(),
    };
    CliError::Usage(format!("--key is needed: the verifier key of the log as it was handed to you.{named}"))
}

fn proof(path: &Path, given: Trust, args: &VerifyArgs, global: &GlobalArgs, screen: &Screen) -> Result<Exit, CliError> {
    let name = path.display().to_string();
    let proof = TlogProof::parse(&read("PATH", path)?).map_err(|error| CliError::Usage(format!("{name}: {error}")))?;
    let found = or_pinned(given, Some(&proof.checkpoint), args, global)?;
    let (trust, trusted) = found.ok_or_else(|| no_key(b""))?;
    let mut report = Report::default();
    let (policy, findings) = trust.policy(None);
    report.findings.append(findings);
    let verified = proof.verify().map_err(|error| error.to_string());
    match verified.and_then(|(leaf, _)| Ok((leaf, policy.judge(&proof.checkpoint).map_err(|error| error.to_string())?)))
    {
        Ok((leaf, judgement)) => {
            report.proofs = 1;
            if !judgement.quorum {
                let (size, missing) = (judgement.checkpoint.size, judgement.missing.clone());
                report.findings.push(Finding::NotWitnessed { size, missing });
            }
            report.judgement = Some(judgement);
            if screen.is_table() {
                screen.lines(&leaf.to_text().unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>())?;
                screen.line("")?;
            }
        }
        Err(problem) => report.findings.push(Finding::Proof { path: name, problem }),
    }
    say::report(&report, trusted, screen)
}
