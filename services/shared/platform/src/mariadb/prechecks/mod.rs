//! What must hold before anything is changed. What cannot be found out is unknown, and unknown is a no.

mod failover;
mod identity;
mod settings;
mod switchover;
mod way_home;

pub(super) use way_home::before_way_home;

use muster_domain::pb::{execution::v1::Check, observation::v1::MariadbFacts};

use super::{
    errors::SqlError,
    session::Session,
    work::{Work, is_read_only},
};
use crate::{
    MoveKind,
    agent::ServerProcess,
    checks::{self, failed, must, unknown, warning},
};

/// What was found out about the two sides, once.
struct Seen {
    from: Result<MariadbFacts, SqlError>,
    target: Result<MariadbFacts, SqlError>,
    /// The process of the old primary, as its host's agent sees it.
    host: Result<ServerProcess, String>,
}

impl Seen {
    fn both(&self) -> Option<(&MariadbFacts, &MariadbFacts)> {
        Some((self.from.as_ref().ok()?, self.target.as_ref().ok()?))
    }
}

pub(super) async fn run(work: &Work<'_>) -> Vec<Check> {
    let (from, target, host) = tokio::join!(work.look(&work.from), work.look(&work.target), work.process(&work.from));
    let seen = Seen { from, target, host: host.map_err(|error| error.text) };
    let mut checks = vec![
        target_is_standby(work, &seen),
        identity::host_is_ready(work, &work.from, "old_primary_can_be_fenced").await,
        identity::host_is_ready(work, &work.target, "target_host_is_ready").await,
        identity::agents_differ(work),
        settings::no_cluster(&seen),
    ];
    checks.extend(match work.job.kind {
        MoveKind::Switchover => switchover::checks(work, &seen).await,
        MoveKind::Failover => failover::checks(work, &seen).await,
    });
    checks.extend(rights(work).await);
    checks.extend(settings::of_target(work, &seen).await);
    checks
}

fn target_is_standby(work: &Work<'_>, seen: &Seen) -> Check {
    let (check, limit, name) = ("target_is_standby", "a read-only replica", work.target.name);
    match &seen.target {
        Err(error) => unknown(check, limit, format!("{name} could not be asked: {error}")),
        Ok(facts) if facts.limited_view => failed(
            check,
            "not visible",
            limit,
            format!(
                "{} lacks SLAVE MONITOR on {name}: GRANT SLAVE MONITOR, BINLOG MONITOR ON *.* TO it",
                work.job.execute.user
            ),
        ),
        Ok(facts) => must(
            check,
            facts.read_only.map(|_| facts.replica.is_some() && is_read_only(facts)),
            format!(
                "replication: {}, read_only: {}",
                checks::said(Some(facts.replica.is_some())),
                checks::said(facts.read_only)
            ),
            limit,
            format!("{name} is a read-only replica"),
            format!("{name} is no read-only replica, so there is nothing to promote"),
        ),
    }
}

/// What the moves need. PROCESS is beside them: without it sessions that are left cannot be seen.
const NEEDED: [&str; 6] =
    ["REPLICATION SLAVE ADMIN", "READ_ONLY ADMIN", "CONNECTION ADMIN", "BINLOG MONITOR", "SLAVE MONITOR", "RELOAD"];

/// What the execution account may do, asked on the target: grants are replicated.
async fn rights(work: &Work<'_>) -> Vec<Check> {
    let account = &work.job.execute.user;
    let found = async { global_grants(&mut work.session(&work.target).await?).await };
    let grants = match found.await {
        Ok(grants) => grants,
        Err(error) => {
            let text = format!("the rights of {account} could not be read: {error}");
            return vec![unknown("may_move", "granted", text)];
        }
    };
    let has = |right: &str| grants.iter().any(|grant| grant == right || grant == "ALL PRIVILEGES");
    let missing: Vec<&str> = NEEDED.into_iter().filter(|right| !has(right)).collect();
    let mut checks = vec![must(
        "may_move",
        Some(missing.is_empty()),
        if missing.is_empty() { "granted".to_owned() } else { format!("missing: {}", missing.join(", ")) },
        "granted",
        format!("{account} may move the roles"),
        format!("GRANT {} ON *.* TO {account}", missing.join(", ")),
    )];
    if !has("PROCESS") {
        checks.push(warning(
            "may_see_sessions",
            "missing",
            "granted",
            format!("sessions that are left on the old primary are not seen and not ended; GRANT PROCESS ON *.* TO {account}"),
        ));
    }
    checks
}

/// The account's own rights that hold everywhere, and those of its role. The statement also tells a password's hash, which
/// goes no further than here.
pub(super) async fn global_grants(session: &mut Session) -> Result<Vec<String>, SqlError> {
    let rows = session.rows("SHOW GRANTS").await?;
    let lines = rows.iter().filter_map(|row| row.first()?.strip_prefix("GRANT ")?.split_once(" ON *.* TO "));
    Ok(lines.flat_map(|(rights, _)| rights.split(", ").map(str::to_owned).collect::<Vec<_>>()).collect())
}
