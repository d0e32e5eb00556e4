//! Attacks on the record, performed: with access to the broker, to its files, to the log's store and to its key. Each case is
//! a row of docs/tamper-evidence.md, and asserts which command names the attack, and in which words.
//!
//! `cargo test -p muster-testing --test attacks`

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test panics to fail")]

mod anchored;
mod at_the_broker;
mod at_the_files;
mod at_the_log;
mod forged;
mod keys;
mod packaged;
mod stage;
mod time_stamps;
mod witnessed;

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use libtest_mimic::{Arguments, Failed, Trial};
use stage::Stage;
use tokio::{runtime::Runtime, sync::OnceCell};

/// They share a database server, and mostly wait, for checkpoints and for looks at the stream.
const AT_ONCE: usize = 2;

type Case = for<'a> fn(&'a Stage) -> std::pin::Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

macro_rules! cases {
    ($($name:literal => $module:ident::$case:ident),* $(,)?) => {
        [$(($name, (|stage| Box::pin($module::$case(stage))) as Case)),*]
    };
}

fn main() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let arguments = Arguments::from_args();
    let arguments = Arguments { test_threads: Some(arguments.test_threads.unwrap_or(AT_ONCE)), ..arguments };
    let runtime = Arc::new(Runtime::new().expect("a runtime"));
    let root = tempfile::Builder::new().prefix("atk-").tempdir().expect("a directory");
    let stage: Arc<OnceCell<Stage>> = Arc::default();
    let cases = cases![
        "payload, header, subject and time of stored events are edited, with checksums that fit" => at_the_files::edited,
        "one byte of a stored event is changed" => at_the_files::damaged,
        "an event is taken out of its file" => at_the_files::removed,
        "two events change places" => at_the_files::reordered,
        "the tail is cut off" => at_the_files::truncated,
        "an event is back-dated before it is logged" => at_the_files::back_dated,
        "the broker refuses to delete, and tells who changed a stream" => at_the_broker::changed,
        "a stream is made anew with the same name" => at_the_broker::recreated,
        "the whole store is rolled back, the log included" => at_the_log::rolled_back,
        "a checkpoint is forged" => at_the_log::forged,
        "the log's key is stolen" => at_the_log::stolen_key,
        "two readers are shown two logs" => at_the_log::split_view,
        "a rotated key is followed, and a revoked one never" => keys::rotated_and_revoked,
        "content is destroyed with its key, and a package still verifies" => keys::content_destroyed,
        "packages of odd runs and of a touched record are accepted" => packaged::odd_runs,
        "events are left out of an export" => at_the_log::left_out,
        "the witness is killed at any moment and forgets nothing" => witnessed::killed,
        "anchors outside hold what was rolled back" => anchored::rolled_back,
        "a time stamp verifies with openssl, and not for a forged checkpoint" => anchored::time_stamped,
    ];
    let trials = cases.into_iter().map(|(name, case)| {
        let (runtime, stage, root) = (runtime.clone(), stage.clone(), root.path().to_owned());
        Trial::test(name, move || {
            let start = || Stage::start(root.clone());
            let outcome = runtime.block_on(async { case(stage.get_or_try_init(start).await?).await });
            outcome.map_err(|error| Failed::from(format!("{error:#}")))
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    // The servers end before the runtime that their connections live on.
    runtime.block_on(async { drop(stage) });
    // What still ends writes nothing into a directory that is gone.
    if let Some(runtime) = Arc::into_inner(runtime) {
        runtime.shutdown_timeout(Duration::from_secs(30));
    }
    drop(root);
    conclusion.exit();
}
