//! A package, a log folder or one proof, without a server and without a login.

use std::path::Path;

use muster_tlog::{
    TlogProof, VerifierKey,
    verify::{Finding, Report, package},
};

use super::{Bar, VerifyArgs, archive, read, say, trust};
use crate::client::{error::CliError, exit::Exit, output::Screen};

pub(super) fn run(path: &Path, args: &VerifyArgs, screen: &Screen) -> Result<Exit, CliError> {
    if !path.exists() {
        return Err(CliError::Usage(format!("{}: there is no such package", path.display())));
    }
    let trust = trust::given(&args.keys)?;
    let asked = args.asked()?;
    if path.extension().is_some_and(|extension| extension == "tlog-proof") {
        return proof(path, &trust, screen);
    }
    let unreadable = |error: std::io::Error| CliError::Usage(format!("{}: {error}", path.display()));
    let files = archive::open(path).map_err(unreadable)?;
    if trust.is_empty() {
        return Err(no_key(&files.read("policy").map_err(unreadable)?.unwrap_or_default()));
    }
    let bar = Bar::new();
    let report = package::verify(&*files, &trust, &asked, &mut |progress| bar.show(progress)).map_err(unreadable)?;
    drop(bar);
    say::report(&report, say::OFFLINE, screen)
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

fn proof(path: &Path, trust: &muster_tlog::verify::Trust, screen: &Screen) -> Result<Exit, CliError> {
    let name = path.display().to_string();
    let proof = TlogProof::parse(&read("PATH", path)?).map_err(|error| CliError::Usage(format!("{name}: {error}")))?;
    if trust.is_empty() {
        return Err(no_key(b""));
    }
    let mut report = Report::default();
    let (policy, findings) = trust.policy(None);
    report.findings.append(findings);
    let verified = proof.verify().map_err(|error| error.to_string());
    match verified.and_then(|(leaf, _)| Ok((leaf, policy.judge(&proof.checkpoint).map_err(|error| error.to_string())?)))
    {
        Ok((leaf, judgement)) => {
            report.proofs = 1;
            report.judgement = Some(judgement);
            if screen.is_table() {
                screen.lines(&leaf.to_text().unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>())?;
                screen.line("")?;
            }
        }
        Err(problem) => report.findings.push(Finding::Proof { path: name, problem }),
    }
    say::report(&report, say::OFFLINE, screen)
}
