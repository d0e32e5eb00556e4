//! How a platform is moved by people with its own tools, when nothing of Muster runs: for the run-card.
//!
//! It is the order that Muster itself keeps: first nobody can write on the old side, then the new side has everything
//! (or what is missing is known), and only then it takes writes. Two sides that both take writes are worse than none.

use muster_domain::inventory::platform::{NodeRef, nodes};
use muster_domain::pb::inventory::v1::{PatroniTarget, ResourceSpec, resource_spec::Platform};
use serde::Serialize;

use super::step::quoted;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct HandStep {
    /// The machine it is done on.
    pub(crate) on: String,
    pub(crate) text: String,
    pub(crate) command: String,
}

/// Both ways of moving one resource.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ByHand {
    /// Both sides answer.
    pub(crate) planned: Vec<HandStep>,
    /// The side it ran on is lost.
    pub(crate) lost: Vec<HandStep>,
}

/// `None`: one of the two sites has no node.
pub(crate) fn by_hand(spec: &ResourceSpec, from_site: &str, to_site: &str) -> Option<ByHand> {
    let platform = spec.platform.as_ref()?;
    let all = nodes(platform);
    let from = *all.iter().find(|node| node.site == from_site)?;
    let to = *all.iter().find(|node| node.site == to_site)?;
    Some(match platform {
        Platform::Postgresql(target) => postgresql(from, to, &target.database),
        Platform::Mariadb(_) => mariadb(from, to),
        Platform::Redis(_) => redis(from, to),
        Platform::Patroni(target) => patroni(from, to, target),
    })
}

fn step(on: NodeRef<'_>, text: impl Into<String>, command: impl Into<String>) -> HandStep {
    HandStep { on: on.name.to_owned(), text: text.into(), command: command.into() }
}

fn fence(from: NodeRef<'_>) -> HandStep {
    step(
        from,
        format!(
            "Make sure that {} cannot take writes: power off, or cut its storage or network. Not answering is not enough. If nobody can make sure, stop here.",
            from.name
        ),
        "",
    )
}

fn postgresql(from: NodeRef<'_>, to: NodeRef<'_>, database: &str) -> ByHand {
    let psql = |node: NodeRef<'_>, sql: &str| {
        format!(
            "psql -h {} -p {} -U postgres -d {} -Atc {}",
            quoted(node.host),
            node.port,
            quoted(database),
            quoted(sql)
        )
    };
    let promote = [
        step(to, format!("Promote {}.", to.name), psql(to, "SELECT pg_promote(true, 60)")),
        step(
            to,
            "It must answer f. If it answers t, look again; do not start the other side.",
            psql(to, "SELECT pg_is_in_recovery()"),
        ),
    ];
    let slot = "muster_by_hand";
    let planned = vec![
        step(from, "Keep the stop short.", psql(from, "CHECKPOINT")),
        step(
            to,
            format!("Keep the log for the return of {}.", from.name),
            psql(to, &format!("SELECT pg_create_physical_replication_slot('{slot}', true)")),
        ),
        step(
            from,
            format!("Fence {} and stop it cleanly.", from.name),
            "touch \"$PGDATA/standby.signal\" && pg_ctl stop -D \"$PGDATA\" -m fast -w",
        ),
        step(
            from,
            "It must say 'shut down'. Write down the position of the checkpoint.",
            "pg_controldata \"$PGDATA\" | grep -E 'cluster state|Latest checkpoint location'",
        ),
        step(to, "Wait until the answer is later than that position.", psql(to, "SELECT pg_last_wal_replay_lsn()")),
    ];
    let rejoin = vec![
        step(
            from,
            format!("Point {} at {}, and start it as the standby.", from.name, to.name),
            format!(
                "cat >> \"$PGDATA/postgresql.auto.conf\" <<'END'\nprimary_conninfo = 'host={} port={} user=REPLICATION-ACCOUNT'\nprimary_slot_name = '{slot}'\nEND\npg_ctl start -D \"$PGDATA\" -w",
                host_alone(to.host),
                to.port
            ),
        ),
        step(
            to,
            "It must show one line with the state streaming.",
            psql(to, "SELECT application_name, state, replay_lsn FROM pg_stat_replication"),
        ),
    ];
    let drain = vec![
        fence(from),
        step(
            to,
            "Ask twice, some seconds apart, until both answers are the same: everything received is applied. Write the answers down.",
            psql(to, "SELECT pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn(), pg_last_xact_replay_timestamp()"),
        ),
    ];
    let kept = step(
        from,
        format!("Leave {} off. It comes back by pg_rewind or a new base backup, never by a plain start.", from.name),
        "",
    );
    ByHand {
        planned: planned.into_iter().chain(promote.clone()).chain(rejoin).collect(),
        lost: drain.into_iter().chain(promote).chain([kept]).collect(),
    }
}

/// A host inside a text that has quotes of its own.
fn host_alone(host: &str) -> String {
    host.chars().filter(|c| c.is_ascii_alphanumeric() || ".-:_".contains(*c)).collect()
}

fn mariadb(from: NodeRef<'_>, to: NodeRef<'_>) -> ByHand {
    let sql =
        |node: NodeRef<'_>, sql: &str| format!("mariadb -h {} -P {} -e {}", quoted(node.host), node.port, quoted(sql));
    let open = [
        step(
            to,
            format!("{} stops following, and takes writes. Take read_only out of its configuration, too.", to.name),
            sql(to, "STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = 0"),
        ),
        step(to, "It must answer 0, and show no slave status.", sql(to, "SELECT @@read_only; SHOW SLAVE STATUS")),
    ];
    let planned = vec![
        step(
            from,
            format!(
                "{} takes no more writes. Put read_only = 1 into its configuration, too, and stop whatever writes with SUPER or READ ONLY ADMIN: read_only does not hold those.",
                from.name
            ),
            sql(from, "SET GLOBAL read_only = 1"),
        ),
        step(
            from,
            "Ask twice, some seconds apart: both answers must be the same. This is the POSITION; write it down.",
            sql(from, "SELECT @@gtid_binlog_pos"),
        ),
        step(
            to,
            "With the POSITION put in, it must answer 0: everything is there.",
            sql(to, "SELECT MASTER_GTID_WAIT('POSITION', 60)"),
        ),
    ];
    let follow = vec![
        step(
            from,
            format!("{} follows {}, from the POSITION on.", from.name, to.name),
            sql(
                from,
                &format!(
                    "SET GLOBAL gtid_slave_pos = 'POSITION'; CHANGE MASTER TO MASTER_HOST='{}', MASTER_PORT={}, MASTER_USER='ACCOUNT', MASTER_PASSWORD='PASSWORD', MASTER_USE_GTID=slave_pos; START SLAVE",
                    host_alone(to.host),
                    to.port
                ),
            ),
        ),
        step(from, "Both threads must say Yes, and Seconds_Behind_Master 0.", sql(from, "SHOW SLAVE STATUS\\G")),
    ];
    let drain = vec![
        fence(from),
        step(
            to,
            "Ask until gtid_slave_pos is the same as Gtid_IO_Pos: everything received is applied. Write it down.",
            sql(to, "SELECT @@gtid_slave_pos; SHOW SLAVE STATUS\\G"),
        ),
    ];
    let kept = step(
        from,
        format!("Leave {} off until somebody has compared its GTIDs with those of {}.", from.name, to.name),
        "",
    );
    ByHand {
        planned: planned.into_iter().chain(open.clone()).chain(follow).collect(),
        lost: drain.into_iter().chain(open).chain([kept]).collect(),
    }
}

fn redis(from: NodeRef<'_>, to: NodeRef<'_>) -> ByHand {
    let cli = |node: NodeRef<'_>, words: &str| format!("redis-cli -h {} -p {} {words}", quoted(node.host), node.port);
    let open = [
        step(to, format!("{} becomes the master.", to.name), cli(to, "REPLICAOF NO ONE")),
        step(to, "It must say role:master.", cli(to, "INFO replication")),
    ];
    let planned = vec![
        step(
            from,
            format!(
                "{} holds writes for two minutes. When they are over before it follows, begin again here.",
                from.name
            ),
            cli(from, "CLIENT PAUSE 120000 WRITE"),
        ),
        step(from, "Write down master_repl_offset.", cli(from, "INFO replication")),
        step(to, "slave_repl_offset must have reached that number.", cli(to, "INFO replication")),
    ];
    let follow = vec![
        step(
            from,
            format!("{} follows {}.", from.name, to.name),
            cli(from, &format!("REPLICAOF {} {}", quoted(to.host), to.port)),
        ),
        step(from, "It must say master_link_status:up.", cli(from, "INFO replication")),
    ];
    let kept = step(
        from,
        format!("Leave {} off. When it comes back it must follow {}, or clients write to both.", from.name, to.name),
        "",
    );
    ByHand {
        planned: planned.into_iter().chain(open.clone()).chain(follow).collect(),
        lost: [fence(from)].into_iter().chain(open).chain([kept]).collect(),
    }
}

/// Patroni keeps the roles: nobody promotes or stops a server beside it.
fn patroni(from: NodeRef<'_>, to: NodeRef<'_>, target: &PatroniTarget) -> ByHand {
    let api = |name: &str| target.nodes.iter().find(|node| node.name == name).map_or("", |node| node.api_url.as_str());
    let post = |node: NodeRef<'_>, path: &str, body: String| {
        format!(
            "curl -sS -u USER:PASSWORD -X POST {} -d {}",
            quoted(&format!("{}/{path}", api(node.name))),
            quoted(&body)
        )
    };
    let look = |node: NodeRef<'_>| format!("curl -sS {}", quoted(&format!("{}/cluster", api(node.name))));
    let both = format!(r#"{{"leader": "{}", "candidate": "{}"}}"#, from.name, to.name);
    let one = format!(r#"{{"candidate": "{}"}}"#, to.name);
    ByHand {
        planned: vec![
            step(to, "All members run, and the lag is 0.", look(to)),
            step(from, "Patroni switches over.", post(from, "switchover", both)),
            step(to, format!("{} must be the leader, {} a replica that streams.", to.name, from.name), look(to)),
        ],
        lost: vec![
            fence(from),
            step(
                to,
                format!("When Patroni has not promoted {} by itself already:", to.name),
                post(to, "failover", one),
            ),
            step(to, format!("{} must be the leader.", to.name), look(to)),
        ],
    }
}
