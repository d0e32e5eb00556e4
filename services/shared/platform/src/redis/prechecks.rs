//! Whether a move may begin. What cannot be found out counts as no.

use muster_domain::{
    inventory::platform::NodeRef,
    pb::{execution::v1::Check, observation::v1::RedisFacts},
};

use super::{
    errors::CommandError,
    info::Look,
    work::{Work, is_primary, is_replica, is_settled},
};
use crate::{
    MoveKind,
    agent::ServerProcess,
    checks::{advisory_unknown, failed, must, passed, unknown, warning},
};

mod switchover;
mod way_home;

pub(super) use way_home::before_way_home;

/// FAILOVER and its states are there since 6.2; Valkey began behind that.
const OLDEST: (u32, u32) = (6, 2);

/// What was found out about the two sides, once.
struct Seen {
    from: Result<Look, CommandError>,
    target: Result<Look, CommandError>,
}

impl Seen {
    fn both(&self) -> Option<(&RedisFacts, &RedisFacts)> {
        Some((&self.from.as_ref().ok()?.facts, &self.target.as_ref().ok()?.facts))
    }

    fn target(&self) -> Option<&RedisFacts> {
        self.target.as_ref().ok().map(|look| &look.facts)
    }
}

pub(super) async fn run(work: &Work<'_>) -> Vec<Check> {
    let (from, target) = tokio::join!(work.look(&work.from), work.look(&work.target));
    let seen = Seen { from, target };
    let mut checks = vec![
        target_is_replica(work, &seen),
        target_is_usable(work, &seen),
        no_cluster(&seen),
        versions(&seen),
        can_be_fenced(work, &work.from, "old_primary_can_be_fenced").await,
        can_be_fenced(work, &work.target, "target_can_be_unfenced").await,
        distinct_servers(work, &seen),
        may_replicate_on(work, &work.target).await,
    ];
    match work.job.kind {
        MoveKind::Switchover => checks.extend(switchover::checks(work, &seen).await),
        MoveKind::Failover => checks.extend(failover(work, &seen).await),
    }
    checks
}

fn target_is_replica(work: &Work<'_>, seen: &Seen) -> Check {
    let (check, limit, name) = ("target_is_replica", "a replica", work.target.name);
    match &seen.target {
        Err(error) => unknown(check, limit, format!("{name} could not be asked: {error}. {}", bring_back(work))),
        Ok(look) => must(
            check,
            Some(is_replica(&look.facts) && look.facts.read_only != Some(false)),
            match (is_replica(&look.facts), look.facts.read_only) {
                (true, Some(false)) => "a replica that accepts writes",
                (true, _) => "a replica",
                (false, _) => "a primary",
            },
            limit,
            format!("{name} is a read-only replica"),
            format!("{name} is no read-only replica, so there is nothing to promote"),
        ),
    }
}

/// What brings a node that was left in a failover back into the pair.
fn bring_back(work: &Work<'_>) -> String {
    let (from, target) = (&work.from, work.target.name);
    format!(
        "To bring {target} back: start it, it is fenced and comes up as a replica; then REPLICAOF {} {} and CONFIG REWRITE on it",
        from.host, from.port
    )
}

/// A replica that is being filled holds nothing whole.
fn target_is_usable(work: &Work<'_>, seen: &Seen) -> Check {
    let (check, limit, name) = ("target_is_usable", "loaded, no sync under way", work.target.name);
    let Some(target) = seen.target() else { return unknown(check, limit, format!("{name} did not answer")) };
    let (loading, sync) = (target.loading, target.sync_in_progress);
    let value = format!("loading {}, sync {}", word(loading), word(sync));
    let holds = loading.zip(sync).map(|(loading, sync)| !loading && !sync);
    must(check, holds, value, limit, format!("{name} holds a whole copy"), format!("{name} is just being filled"))
}

fn no_cluster(seen: &Seen) -> Check {
    let (check, limit) = ("no_cluster_mode", "off");
    let modes = [seen.from.as_ref().ok(), seen.target.as_ref().ok()].map(|look| look?.facts.cluster_enabled);
    match modes {
        [Some(true), _] | [_, Some(true)] => {
            failed(check, "on", limit, "a cluster keeps its roles itself: use CLUSTER FAILOVER")
        }
        [_, None] => unknown(check, limit, "the target did not tell"),
        _ => passed(check, "off", limit, "no cluster mode"),
    }
}

fn versions(seen: &Seen) -> Check {
    let (check, limit) = ("versions_fit", "6.2 or newer, the target not older");
    let of = |facts: &RedisFacts| {
        let mut parts = facts.version.split('.').map(str::parse::<u32>);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    };
    let Some(target) = seen.target().and_then(of) else {
        return unknown(check, limit, "the target tells no version");
    };
    let from = seen.from.as_ref().ok().and_then(|look| of(&look.facts));
    let value = format!("{}.{} to {}.{}", from.unwrap_or_default().0, from.unwrap_or_default().1, target.0, target.1);
    let bad = "an older server cannot read what a newer one sends, and before 6.2 there is no hand-over";
    must(check, Some(target >= OLDEST && from.is_none_or(|from| from <= target)), value, limit, "versions fit", bad)
}

/// A fence that would not hold must show before it is needed.
async fn can_be_fenced(work: &Work<'_>, node: &NodeRef<'_>, check: &str) -> Check {
    match fence_would_hold(work, node, check).await {
        Ok(agent) => agent_is_the_node(work, node, agent, check, FENCE_LIMIT).await,
        Err(no) => no,
    }
}

const FENCE_LIMIT: &str = "a fence holds, and is not needed twice";

/// The node's own agent, or the check that says no.
async fn fence_would_hold<'a>(
    work: &'a Work<'_>,
    node: &NodeRef<'_>,
    check: &str,
) -> Result<&'a dyn crate::ServiceAgent, Check> {
    let agent = match work.agent(node) {
        Ok(agent) => agent,
        Err(error) => return Err(failed(check, "no agent", FENCE_LIMIT, error.text)),
    };
    let other = if node.name == work.from.name { &work.target } else { &work.from };
    if work.agent(other).is_ok_and(|other| other.identity() == agent.identity()) {
        return Err(failed(check, agent.describe(), FENCE_LIMIT, "both nodes name the same server's agent"));
    }
    match agent.check().await {
        Ok(()) => Ok(agent),
        Err(error) => Err(failed(check, "would not hold", FENCE_LIMIT, format!("{}: {error}", node.name))),
    }
}

/// The server the agent would stop is the server that answers under the node's address.
async fn agent_is_the_node(
    work: &Work<'_>,
    node: &NodeRef<'_>,
    agent: &dyn crate::ServiceAgent,
    check: &str,
    limit: &str,
) -> Check {
    let process = match agent.process().await {
        Ok(process) => process,
        Err(error) => return unknown(check, limit, format!("{}: {error}", node.name)),
    };
    let answered = work.look(node).await.ok().and_then(|look| look.process_id);
    match (process, answered) {
        (ServerProcess::Running(server), Some(pid)) if server.pids.contains(&pid) => {
            passed(check, agent.describe(), limit, format!("{}: process {pid}", node.name))
        }
        (_, Some(pid)) => failed(
            check,
            format!("process {pid} answers"),
            limit,
            format!("the agent of {} would act on another server than the one that answers at its address", node.name),
        ),
        // Lost, or hanging: its processes are still those of this directory.
        (_, None) if work.job.kind == MoveKind::Failover && node.name == work.from.name => {
            passed(check, agent.describe(), limit, format!("{} does not answer; its host does", node.name))
        }
        (_, None) => unknown(check, limit, format!("{} did not answer", node.name)),
    }
}

fn distinct_servers(work: &Work<'_>, seen: &Seen) -> Check {
    let (check, limit) = ("two_servers", "two run ids");
    let Some((from, target)) = seen.both() else {
        return match work.job.kind {
            MoveKind::Failover => advisory_unknown(check, limit, "one side did not answer"),
            MoveKind::Switchover => unknown(check, limit, "one side did not answer"),
        };
    };
    let differ = !from.run_id.is_empty() && from.run_id != target.run_id;
    must(check, Some(differ), if differ { "two" } else { "one" }, limit, "two servers", "one server behind two names")
}

/// Asked with words that cannot take effect: a refused account is refused before they are read.
async fn may_replicate_on(work: &Work<'_>, node: &NodeRef<'_>) -> Check {
    let (check, limit, account) = ("may_change_roles", "granted", &work.job.execute.user);
    let mut session = match work.session(node).await {
        Ok(session) => session,
        Err(error) => return unknown(check, limit, format!("{} could not be asked: {error}", node.name)),
    };
    use muster_domain::pb::observation::v1::ErrorClass;
    for words in [["REPLICAOF", "muster", "no-port"], ["FAILOVER", "TO", "nobody"]] {
        match session.ask::<String>(&words).await {
            Err(error) if error.class == ErrorClass::Permission => {
                let text = format!("ACL SETUSER {account} +replicaof +failover +config|rewrite on {}", node.name);
                return failed(check, "missing", limit, text);
            }
            Err(error) if error.class == ErrorClass::Protocol => {}
            Err(error) => return unknown(check, limit, format!("{} did not say: {error}", node.name)),
            Ok(answer) => return unknown(check, limit, format!("{} answered {answer}", node.name)),
        }
    }
    passed(check, "granted", limit, format!("{account} may change roles"))
}

async fn failover(work: &Work<'_>, seen: &Seen) -> Vec<Check> {
    let from = work.from.name;
    let lost = match &seen.from {
        Ok(look) if is_primary(&look.facts) && is_settled(&look.facts) => failed(
            "old_primary_is_lost",
            "answers as a primary",
            "no answer",
            format!("{from} is alive and accepts writes: request a switchover, which loses nothing"),
        ),
        Ok(look) => warning(
            "old_primary_is_lost",
            &look.facts.role,
            "no answer",
            format!("{from} answers and is no settled primary; it will be fenced"),
        ),
        Err(error) => passed("old_primary_is_lost", "no answer", "no answer", format!("{from}: {error}")),
    };
    vec![lost, holds_data(work, seen)]
}

/// A primary that restarted empty empties its replicas within the second.
fn holds_data(work: &Work<'_>, seen: &Seen) -> Check {
    let (check, limit) = ("target_holds_data", "at least one key");
    let Some(keys) = seen.target().and_then(|target| target.keys) else {
        return unknown(check, limit, format!("{} did not tell its keys", work.target.name));
    };
    if keys == 0 {
        let text =
            "an empty server may be right, or the copy of a primary that came back empty: look before you promote";
        return warning(check, "0 keys", limit, text);
    }
    passed(check, format!("{keys} keys"), limit, "the target holds data")
}

fn word(value: Option<bool>) -> &'static str {
    match value {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    }
}
