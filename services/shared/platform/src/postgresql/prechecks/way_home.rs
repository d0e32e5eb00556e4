//! Before the old primary of a failover is brought back: the present primary is healthy, the old one is out, and it can
//! be rewound and follow.

use muster_domain::pb::execution::v1::Check;
use sqlx::Row;

use super::{Host, Seen, free_disk, host, rights, same_system, switchover::way_back};
use crate::{
    agent::ClusterState,
    postgresql::{
        checks::{failed, must, passed, unknown, warning},
        errors::SqlError,
        way_home::fork_of,
        work::{Work, is_primary},
    },
    way_home::turned,
};

/// What `pg_rewind` reads the source with, as the account that the node streams with.
const REWIND_RIGHTS: &str = "
SELECT bool_and(has_function_privilege($1, f, 'EXECUTE')) AS may
  FROM unnest(ARRAY['pg_ls_dir(text,boolean,boolean)', 'pg_stat_file(text,boolean)', 'pg_read_binary_file(text)',
                    'pg_read_binary_file(text,bigint,bigint,boolean)']) AS f";

pub(in crate::postgresql) async fn before_way_home(work: &Work<'_>) -> Vec<Check> {
    let turned = turned(work.job);
    let back = match Work::of(&turned) {
        Ok(back) => back,
        Err(error) => return vec![failed("job_is_complete", "", "", error.text)],
    };
    let (from, target, host) = tokio::join!(back.look(back.from), back.look(back.target), host(&back));
    let seen = Seen { from, target, host };
    let mut checks = vec![
        primary_serves(&back, &seen),
        original_is_out(&back, &seen),
        other_server(&back),
        not_half_rewound(&back).await,
        same_system(&back, &seen),
        original_can_be_rewound(&seen),
        log_is_kept(&back, &seen).await,
        may_rewind(&back).await,
        way_back(&back, &seen).await,
        free_disk(work).await,
    ];
    checks.extend(rights(&back).await);
    checks
}

fn primary_serves(back: &Work<'_>, seen: &Seen) -> Check {
    let (name, check, limit) = (&back.target.name, "present_primary_serves", "primary");
    match &seen.target {
        Err(error) => unknown(check, limit, format!("{name} could not be asked: {error}")),
        Ok(facts) => must(
            check,
            facts.in_recovery.map(|_| is_primary(facts) && !facts.limited_view),
            if is_primary(facts) { "primary" } else { "in recovery" },
            limit,
            format!("{name} is the primary"),
            format!("{name} is not the primary, or its account lacks pg_monitor: nothing is brought back behind it"),
        ),
    }
}

fn original_is_out(back: &Work<'_>, seen: &Seen) -> Check {
    let (name, check, limit) = (&back.from.name, "original_accepts_no_writes", "stopped, or a standby");
    let Host { control, process } = match &seen.host {
        Ok(host) => host,
        Err(why) => return unknown(check, limit, format!("the host of {name} cannot be acted on: {why}")),
    };
    if seen.from.as_ref().is_ok_and(is_primary) || (process.is_running() && control.state == ClusterState::InProduction)
    {
        let text = format!(
            "{name} runs as a primary: stop whoever writes to it, and look at what it has, before it is brought back"
        );
        return failed(check, "primary", limit, text);
    }
    let runs = if process.is_running() { "running as a standby" } else { "stopped" };
    passed(check, runs, limit, format!("{name} is {runs}; what starts on it will be fenced first"))
}

fn other_server(back: &Work<'_>) -> Check {
    let (check, limit) = ("agents_are_two_servers", "one agent for each node");
    match (back.agent(back.from), back.agent(back.target)) {
        (Ok(from), Ok(target)) => must(
            check,
            Some(from.identity() != target.identity()),
            from.describe(),
            limit,
            "two servers",
            "both nodes name the same server's agent",
        ),
        (Err(error), _) | (_, Err(error)) => unknown(check, limit, error.text),
    }
}

async fn not_half_rewound(back: &Work<'_>) -> Check {
    let (check, limit) = ("no_rewind_was_broken_off", "none");
    let Ok(agent) = back.agent(back.from) else { return unknown(check, limit, "no agent") };
    match agent.half_rewound().await {
        Ok(()) => passed(check, "none", limit, "no rewind was begun and not finished"),
        Err(error) => failed(check, "broken off", limit, error.to_string()),
    }
}

fn original_can_be_rewound(seen: &Seen) -> Check {
    let (check, limit) = ("original_can_be_rewound", "wal_log_hints or checksums");
    match &seen.host {
        Err(why) => unknown(check, limit, why.clone()),
        Ok(host) if host.control.wal_log_hints || host.control.data_checksums => {
            passed(check, "on", limit, "its changed pages can be told")
        }
        Ok(_) => warning(check, "off", limit, "it comes back only if it has nothing of its own; otherwise rebuild it"),
    }
}

/// The oldest log file that is left, whatever its timeline, and the size of each.
const OLDEST_LOG: &str = "
SELECT min(right(name, 16)) AS oldest, (SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size') AS size
  FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'";

/// Whether the present primary still has the log from where the histories left each other: a rewound node starts there,
/// and one that needs no rewind at most before.
async fn log_is_kept(back: &Work<'_>, seen: &Seen) -> Check {
    let (check, limit, name) = ("log_around_the_fork", "kept", &back.target.name);
    let fork = match (&seen.host, &seen.target) {
        (Err(why), _) => return unknown(check, limit, why.clone()),
        (_, Err(error)) => return unknown(check, limit, format!("{name} could not be asked: {error}")),
        (Ok(host), Ok(primary)) => match primary.timeline {
            Some(now) => fork_of(back, now, host.control.timeline).await,
            None => return unknown(check, limit, format!("{name} does not tell its timeline")),
        },
    };
    let fork = match fork {
        Ok(Some(fork)) => fork,
        Ok(None) => {
            let text = "where the histories left each other is not known: the rewind will find out, or refuse";
            return warning(check, "not known", limit, text);
        }
        Err(error) => return unknown(check, limit, error.text),
    };
    let found = async {
        let mut session = back.looking(back.target).await?;
        let row = session.one(sqlx::query(OLDEST_LOG)).await?;
        back.keep(back.target, session);
        Ok::<(Option<String>, Option<i64>), SqlError>((row.try_get("oldest")?, row.try_get("size")?))
    };
    match found.await {
        Err(error) => unknown(check, limit, format!("the log files of {name} could not be listed: {error}")),
        Ok((oldest, size)) => {
            let needed = size.and_then(|size| fork.segment(u64::try_from(size).ok()?));
            // Names of one length: their order is that of the log.
            let kept = oldest.as_ref().zip(needed).map(|(oldest, needed)| *oldest <= needed);
            must(
                check,
                kept,
                oldest.map_or_else(|| "no file".to_owned(), |oldest| format!("from {oldest} on")),
                limit,
                format!("{name} still has the log from {fork} on"),
                format!(
                    "{name} has removed the log from {fork} on, where the histories left each other: rebuild {} with a \
                     base backup of {name}",
                    back.from.name
                ),
            )
        }
    }
}

async fn may_rewind(back: &Work<'_>) -> Check {
    let (check, limit) = ("may_rewind", "granted");
    let Some(account) = back.job.replication.as_ref().map(|login| login.user.clone()) else {
        return failed(check, "no account", limit, "the resource names no replication account");
    };
    let found = async {
        let mut session = back.looking(back.target).await?;
        let row = session.one(sqlx::query(REWIND_RIGHTS).bind(account.clone())).await?;
        back.keep(back.target, session);
        Ok::<bool, SqlError>(row.try_get("may")?)
    };
    match found.await {
        Err(error) => unknown(check, limit, format!("the rights of {account} could not be read: {error}")),
        Ok(may) => must(
            check,
            Some(may),
            if may { "granted" } else { "missing" },
            limit,
            "may read the files that a rewind copies",
            format!(
                "GRANT EXECUTE ON FUNCTION pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean), \
                 pg_read_binary_file(text), pg_read_binary_file(text, bigint, bigint, boolean) TO {account}"
            ),
        ),
    }
}
