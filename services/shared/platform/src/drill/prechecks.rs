//! What must hold before a copy is begun. Looks only.

use std::{ffi::OsString, path::Path};

use muster_domain::pb::execution::v1::Check;

use super::{
    CopySource, DrillError, DrillJob,
    place::Place,
    prepare::{self, Found},
    server,
};
use crate::{
    agent::command::{self, Invocation},
    backup, checks,
};

const PLACE: &str = "drill_place_is_apart";
const SOURCE: &str = "drill_source_is_there";
const ROOM: &str = "drill_has_room";
const VERSION: &str = "drill_programs_fit";

/// Never fails: what cannot be found out is a check with that outcome.
pub async fn prechecks(job: &DrillJob) -> Vec<Check> {
    let place = match Place::of(job) {
        Ok(place) => place,
        Err(error) => return vec![checks::failed(PLACE, "not apart", "apart", error.to_string())],
    };
    let limit = "outside every data directory";
    let shown = place.root().display().to_string();
    let mut found = vec![checks::passed(PLACE, shown, limit, "the copy gets a directory of its own")];
    found.extend(leftovers(&place));
    found.extend(account(job));
    let source = Box::pin(prepare::find(job)).await;
    if let CopySource::Backup { max_age, .. } = &job.source {
        let newest = match &source {
            Ok(Found::Backup(_, backup)) => Some(Ok(backup.clone())),
            Err(DrillError::Backup(error)) => Some(Err(error.clone())),
            _ => None,
        };
        found.extend(newest.map(|newest| backup::check_age(&newest, *max_age, (job.now)())));
    }
    match source {
        Ok(source) => {
            found.push(checks::passed(SOURCE, source.describe(), "a standby or a backup", "it can be copied"));
            found.push(room(job, &source));
            found.push(Box::pin(version(job, &place, &source)).await);
        }
        Err(error) => found.push(checks::failed(SOURCE, "none", "a standby or a backup", error.to_string())),
    }
    found
}

/// Another drill may be running there, or was given up: it takes the room of this one.
fn leftovers(place: &Place) -> Option<Check> {
    let others = place.others();
    let text = "copies of other drills are there: running ones go by themselves, the others are removed by hand";
    (!others.is_empty()).then(|| checks::warning("drill_place_is_free", others.join(", "), "none", text))
}

fn account(job: &DrillJob) -> Option<Check> {
    let missing = matches!(job.source, CopySource::Standby) && job.replication.is_none();
    let text = "the copy is made with the replication account: add `replication` to the resource's manifest";
    missing.then(|| checks::failed("drill_account_is_there", "none", "a replication account", text))
}

fn room(job: &DrillJob, source: &Found<'_>) -> Check {
    let directory = job.host.drill_directory.display();
    match (prepare::free(&job.host.drill_directory), prepare::needed(source)) {
        (Ok(free), Ok(needed)) => checks::must(
            ROOM,
            Some(free >= needed),
            format!("{} MiB free", free >> 20),
            &format!("at least {} MiB", needed >> 20),
            format!("{directory} has room for a copy"),
            format!("{directory} has no room for a copy: make room, or configure another drill_directory"),
        ),
        (Err(error), _) | (_, Err(error)) => checks::unknown(ROOM, "size and a fifth", error.to_string()),
    }
}

/// Another major version cannot read the files.
async fn version(job: &DrillJob, place: &Place, source: &Found<'_>) -> Check {
    let wanted = source.major().unwrap_or("not known").to_owned();
    let program = job.host.bin_directory.join("postgres");
    let said = command::run(Invocation {
        program: &program,
        arguments: vec![OsString::from("--version")],
        environment: Vec::new(),
        directory: Path::new("/"),
        owner: place.owner,
        limit: server::READ_LIMIT,
        secrets: Vec::new(),
    });
    match said.await {
        // "postgres (PostgreSQL) 15.18 (Debian …)"
        Ok(said) => {
            let have = said.split_whitespace().nth(2).and_then(|v| v.split('.').next()).unwrap_or_default().to_owned();
            let bad = format!("bin_directory {} holds another version", job.host.bin_directory.display());
            checks::must(VERSION, Some(have == wanted), have, &wanted, "the programs can read the copy", bad)
        }
        Err(error) => checks::unknown(VERSION, &wanted, error.to_string()),
    }
}
