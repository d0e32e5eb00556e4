//! Before the old primary of a failover is brought back: the present primary serves, the old one is out, and it can follow,
//! or be built anew.

use muster_domain::pb::execution::v1::Check;

use super::{
    Seen, global_grants,
    identity::{agents_differ, host_is_ready},
    rights, settings,
    switchover::{same_version, way},
};
use crate::{
    checks::{self, failed, must, passed, unknown, warning},
    mariadb::work::{Work, is_primary, is_read_only},
    way_home::turned,
};

/// What a copy of everything is read with, as the account that the node replicates with.
const TO_COPY: [&str; 6] = ["SELECT", "SHOW VIEW", "TRIGGER", "EVENT", "RELOAD", "BINLOG MONITOR"];

pub(in crate::mariadb) async fn before_way_home(work: &Work<'_>) -> Vec<Check> {
    let turned = turned(work.job);
    let back = match Work::of(&turned) {
        Ok(back) => back,
        Err(error) => return vec![failed("job_is_complete", "", "", error.text)],
    };
    let (from, target, host) = tokio::join!(back.look(&back.from), back.look(&back.target), back.process(&back.from));
    let seen = Seen { from, target, host: host.map_err(|error| error.text) };
    let mut checks = vec![
        primary_serves(&back, &seen),
        original_is_out(&back, &seen),
        agents_differ(&back),
        host_is_ready(&back, &back.from, "original_can_be_fenced").await,
        settings::no_cluster(&seen),
        way(&back, &back.target, "way_back").await,
        can_be_rebuilt(&back).await,
    ];
    // A node that is down says nothing, and is asked again before the move.
    if seen.both().is_some() {
        checks.push(same_version(&seen));
    }
    checks.extend(rights(&back).await);
    checks
}

fn primary_serves(back: &Work<'_>, seen: &Seen) -> Check {
    let (name, check, limit) = (back.target.name, "present_primary_serves", "accepts writes, replicates from nobody");
    match &seen.target {
        Err(error) => unknown(check, limit, format!("{name} could not be asked: {error}")),
        Ok(facts) => must(
            check,
            facts.read_only.filter(|_| !facts.limited_view).map(|_| is_primary(facts)),
            format!(
                "replication: {}, read_only: {}",
                checks::said(Some(facts.replica.is_some())),
                checks::said(facts.read_only)
            ),
            limit,
            format!("{name} is the primary"),
            format!("{name} is not the primary: nothing is brought back behind it"),
        ),
    }
}

fn original_is_out(back: &Work<'_>, seen: &Seen) -> Check {
    let (name, check, limit) = (back.from.name, "original_accepts_no_writes", "stopped, or read-only");
    match (&seen.from, &seen.host) {
        (Ok(facts), _) if !is_read_only(facts) => {
            let text = format!(
                "{name} accepts writes: stop whoever writes to it, and look at what it has, before it is brought back"
            );
            failed(check, "accepts writes", limit, text)
        }
        (Ok(_), _) => passed(check, "read-only", limit, format!("{name} runs and refuses writes")),
        (Err(_), Ok(process)) if !process.is_running() => {
            passed(check, "stopped", limit, format!("{name} is stopped; it is fenced before it is started"))
        }
        // Running and silent: the step that starts it behind its fence asks again, and does nothing until it answers.
        (Err(error), Ok(_)) => unknown(check, limit, format!("{name} runs and could not be asked: {error}")),
        (Err(_), Err(why)) => unknown(check, limit, format!("the host of {name} cannot be acted on: {why}")),
    }
}

/// Needed only where the node has transactions of its own, which is found out by measuring.
async fn can_be_rebuilt(back: &Work<'_>) -> Check {
    let (check, limit, name) = ("original_can_be_rebuilt", "programs and rights are there", back.from.name);
    let no = |value: &str, why: String| {
        let text = format!("{name} comes back only if it has nothing of its own; otherwise rebuild it by hand: {why}");
        warning(check, value, limit, text)
    };
    let able = match back.agent(&back.from) {
        Ok(agent) => agent.can_rebuild().await.map_err(|error| error.to_string()),
        Err(error) => Err(error.text),
    };
    if let Err(why) = able {
        return no("not on its host", why);
    }
    let Some(login) = &back.job.replication else { return no("no account", "no replication account is named".into()) };
    let found = async { global_grants(&mut back.session_as(&back.target, login).await?).await };
    match found.await {
        Err(error) => no("not known", format!("the rights of {} could not be read: {error}", login.user)),
        Ok(grants) => {
            let has = |right: &str| grants.iter().any(|grant| grant == right || grant == "ALL PRIVILEGES");
            let missing: Vec<&str> = TO_COPY.into_iter().filter(|right| !has(right)).collect();
            if missing.is_empty() {
                return passed(check, "granted", limit, format!("{} may copy everything", login.user));
            }
            no("missing rights", format!("GRANT {} ON *.* TO {}", missing.join(", "), login.user))
        }
    }
}
