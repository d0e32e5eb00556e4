//! That nothing of a drill is left, each with how it was looked for. Looks only.

use muster_domain::pb::execution::v1::Check;
use sqlx::Row;

use super::{CopySource, DrillJob, base_backup, place::Place, processes};
use crate::{checks, postgresql::errors::SqlError};

const PROCESSES: &str = "no_process_left";
const FILES: &str = "no_file_left";
const SESSIONS: &str = "no_session_left";

/// Never fails: what cannot be looked for is unknown, and unknown is not gone.
pub async fn verify_removed(job: &DrillJob) -> Vec<Check> {
    let place = match Place::of(job) {
        Ok(place) => place,
        Err(error) => {
            return [PROCESSES, FILES, SESSIONS].map(|name| checks::unknown(name, "none", error.to_string())).to_vec();
        }
    };
    let mut found = vec![no_process(&place), no_file(&place)];
    if matches!(job.source, CopySource::Standby) {
        found.push(Box::pin(sessions(job, &place)).await.check());
    }
    found
}

fn no_process(place: &Place) -> Check {
    let how = format!("every process was asked for its directory and its arguments, for {}", place.root().display());
    match processes::find(place.root()) {
        Ok(left) => {
            let value: Vec<String> = left.iter().map(|found| format!("{} ({})", found.pid, found.program)).collect();
            let value = if value.is_empty() { "none".to_owned() } else { value.join(", ") };
            let bad = format!("{how}: end them, they work in a directory that is to be gone");
            checks::must(PROCESSES, Some(left.is_empty()), value, "none", how.as_str(), bad)
        }
        Err(error) => checks::unknown(PROCESSES, "none", error.to_string()),
    }
}

fn no_file(place: &Place) -> Check {
    let path = place.root().display().to_string();
    let value = if place.exists() { path.as_str() } else { "none" };
    let good = format!("{path} does not exist");
    checks::must(FILES, Some(!place.exists()), value, "none", good, format!("{path} still exists"))
}

/// What the servers say about sessions with the drill's name.
pub(super) struct Sessions {
    /// Of each node that answered, with its counts.
    asked: Vec<(String, Counts)>,
    silent: Vec<String>,
}

struct Counts {
    sessions: i64,
    slots: i64,
    is_standby: bool,
}

impl Sessions {
    /// "pg-b: 1 session, 0 slots"
    pub(super) fn left(&self) -> Option<String> {
        let left = self.asked.iter().filter(|(_, counts)| counts.sessions + counts.slots > 0);
        let left: Vec<String> = left
            .map(|(node, counts)| format!("{node}: {} sessions, {} temporary slots", counts.sessions, counts.slots))
            .collect();
        (!left.is_empty()).then(|| left.join("; "))
    }

    fn check(&self) -> Check {
        let how = "pg_stat_activity, pg_stat_replication and pg_replication_slots were asked on";
        if let Some(left) = self.left() {
            return checks::failed(SESSIONS, left, "none", "end them with pg_terminate_backend");
        }
        // The one that was copied is a standby; without its word nothing is known.
        if !self.asked.iter().any(|(_, counts)| counts.is_standby) {
            return checks::unknown(SESSIONS, "none", format!("no standby answers: {}", self.silent.join("; ")));
        }
        let nodes: Vec<&str> = self.asked.iter().map(|(node, _)| node.as_str()).collect();
        checks::passed(SESSIONS, "none", "none", format!("{how} {}", nodes.join(", ")))
    }
}

pub(super) async fn sessions(job: &DrillJob, place: &Place) -> Sessions {
    let mut found = Sessions { asked: Vec::new(), silent: Vec::new() };
    if !matches!(job.source, CopySource::Standby) {
        return found;
    }
    for node in &job.spec.nodes {
        match count(job, node, &place.mark).await {
            Ok(counts) => found.asked.push((node.name.clone(), counts)),
            Err(error) => found.silent.push(format!("{}: {error}", node.name)),
        }
    }
    found
}

async fn count(
    job: &DrillJob,
    node: &muster_domain::pb::inventory::v1::PostgresqlNode,
    mark: &str,
) -> Result<Counts, SqlError> {
    let mut session = base_backup::session(job, node).await?;
    // A temporary slot belongs to a session; one whose session is gone would be a leak of the server's.
    let query = sqlx::query(
        "SELECT (SELECT count(*) FROM pg_stat_activity WHERE application_name = $1) + \
                (SELECT count(*) FROM pg_stat_replication WHERE application_name = $1), \
                (SELECT count(*) FROM pg_replication_slots s LEFT JOIN pg_stat_activity a ON a.pid = s.active_pid \
                 WHERE s.temporary AND (a.application_name = $1 OR a.pid IS NULL)), pg_is_in_recovery()",
    );
    let row = session.one(query.bind(mark)).await?;
    Ok(Counts { sessions: row.try_get(0)?, slots: row.try_get(1)?, is_standby: row.try_get(2)? })
}
