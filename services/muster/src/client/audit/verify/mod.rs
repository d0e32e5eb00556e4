//! `muster audit verify`: that nothing in the record was changed since it was logged. With the server: the log and the
//! stream as they are now. Without: a package, a log folder or one proof.

mod archive;
mod epoch_before;
mod key_changes;
mod offline;
mod online;
mod say;
mod trust;

use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use muster_tlog::verify::{Asked, Progress, Stage, Tolerance, package::public_key};

use super::super::{GlobalArgs, error::CliError, exit::Exit, output::Screen};

pub(super) use trust::{Trusted, pin_name};

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// A package (directory or .tar), a log folder, or a .tlog-proof: verified here, without a server. Default: the server's
    /// log and stream as they are now.
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    #[command(flatten)]
    keys: KeyArgs,
    /// A checkpoint of the log that you kept: the log must have passed through it.
    #[arg(long = "checkpoint", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
    /// The public key (PEM) that signs exported documents, as it was handed to you; default: the package's own.
    #[arg(long, value_name = "FILE")]
    document_key: Option<PathBuf>,
    /// Every logged event must be in the package; default: a part of them may be, as with an export by date.
    #[arg(long)]
    all_events: bool,
    /// How many seconds time may run backwards between two events before it counts as back-dated.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    time_tolerance: u32,
    /// An older epoch of the server's log; default: the present one.
    #[arg(long, value_name = "NUMBER", conflicts_with = "path")]
    epoch: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// A verifier key, of the log or of a witness, as it was handed to you: `origin+id+base64`. Repeat it for several. Without
    /// one, the keys that this profile saw at its first use of the server stay trusted.
    #[arg(long = "key", value_name = "VKEY")]
    keys: Vec<String>,
    /// A policy (tlog-policy) that was handed to you: log keys, witnesses and how many of them.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

pub(crate) async fn run(args: VerifyArgs, global: &GlobalArgs, screen: &Screen) -> Result<Exit, CliError> {
    match &args.path {
        Some(path) => offline::run(path, &args, global, screen),
        None => online::run(&args, global, screen).await,
    }
}

impl VerifyArgs {
    fn asked(&self) -> Result<Asked, CliError> {
        let between_events_ns = u64::from(self.time_tolerance) * 1_000_000_000;
        let mut kept_checkpoints = Vec::new();
        for path in &self.checkpoints {
            kept_checkpoints.push((path.display().to_string(), read("--checkpoint", path)?));
        }
        let document_key = self.document_key.as_ref().map(|path| {
            let pem = read("--document-key", path)?;
            public_key(&String::from_utf8_lossy(&pem)).ok_or_else(|| {
                CliError::Usage(format!("--document-key {}: not an Ed25519 public key in PEM", path.display()))
            })
        });
        Ok(Asked {
            tolerance: Tolerance { between_events_ns, ..Tolerance::default() },
            kept_checkpoints,
            all_events: self.all_events,
            document_key: document_key.transpose()?,
            key_changes: Vec::new(),
        })
    }
}

pub(super) fn read(option: &str, path: &std::path::Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path).map_err(|error| CliError::Usage(format!("{option} {}: {error}", path.display())))
}

/// On a terminal only.
struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        let style = ProgressStyle::with_template("{msg:10} {wide_bar} {pos}/{len}, {per_sec}, {eta} left");
        Self(ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    fn show(&self, progress: Progress) {
        self.0.set_message(match progress.stage {
            Stage::Files => "files",
            Stage::Proofs => "proofs",
            Stage::Leaves => "leaves",
        });
        self.0.set_length(progress.total);
        self.0.set_position(progress.done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
