//! What INFO says, as facts. A line that is missing, or that makes no sense, is an absent fact and never a zero.
//! Valkey keeps Redis's words, "master" and "slave" among them.

use std::{collections::HashMap, str::FromStr};

use jiff::Timestamp;
use muster_domain::{
    pb::observation::v1::{ErrorClass, RedisFacts, RedisReplica},
    time,
};

use super::{errors::CommandError, session::Session};

/// Replicas of one primary that are listed; more are not looked at one by one.
const MAX_REPLICAS: usize = 64;

/// One node's whole answer: one command, so everything in it is of one moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Look {
    pub facts: RedisFacts,
    /// To recognise the server among the processes of a host.
    pub process_id: Option<i32>,
    /// Room for what a replica misses while it is away.
    pub backlog_bytes: Option<u64>,
}

pub(super) async fn look(session: &mut Session) -> Result<Look, CommandError> {
    let text: String = session.ask(&["INFO"]).await?;
    let look = parse(&text);
    if look.facts.role.is_empty() {
        return Err(CommandError::new(ErrorClass::Protocol, "INFO tells no role"));
    }
    Ok(look)
}

/// Keys in all databases, from the text of INFO.
pub(crate) fn keys(info: &str) -> Option<u64> {
    parse(info).facts.keys
}

fn parse(text: &str) -> Look {
    let lines = Lines(text.lines().filter_map(|line| line.trim_end().split_once(':')).collect());
    let replica = lines.get("role") == Some("slave");
    let flag = |name: &str| lines.number::<u8>(name).map(|value| value != 0);
    let server_time = lines.number::<i64>("server_time_usec").and_then(|us| Timestamp::from_microsecond(us).ok());
    let facts = RedisFacts {
        version: lines.get("valkey_version").or(lines.get("redis_version")).unwrap_or_default().to_owned(),
        role: lines.get("role").unwrap_or_default().to_owned(),
        run_id: lines.get("run_id").unwrap_or_default().to_owned(),
        replid: lines.get("master_replid").unwrap_or_default().to_owned(),
        replid2: lines.get("master_replid2").filter(|id| id.contains(|c| c != '0')).unwrap_or_default().to_owned(),
        offset: lines.number(if replica { "slave_repl_offset" } else { "master_repl_offset" }),
        second_offset: lines.number("second_repl_offset"),
        link_up: lines.get("master_link_status").map(|status| status == "up"),
        last_io_seconds_ago: lines.number("master_last_io_seconds_ago"),
        sync_in_progress: flag("master_sync_in_progress"),
        loading: flag("loading"),
        source_host: lines.get("master_host").unwrap_or_default().to_owned(),
        source_port: lines.number("master_port").unwrap_or_default(),
        replicas: (0..MAX_REPLICAS).map_while(|i| lines.get(&format!("slave{i}"))).filter_map(replica_line).collect(),
        failover_state: lines.get("master_failover_state").unwrap_or_default().to_owned(),
        read_only: flag("slave_read_only"),
        keys: lines.keys(),
        maxmemory: lines.number("maxmemory"),
        aof_enabled: flag("aof_enabled"),
        priority: lines.number("slave_priority"),
        server_time: server_time.map(time::to_pb),
        cluster_enabled: flag("cluster_enabled"),
        uptime_seconds: lines.number("uptime_in_seconds"),
        link_down_seconds: lines.number("master_link_down_since_seconds"),
    };
    Look { facts, process_id: lines.number("process_id"), backlog_bytes: lines.number("repl_backlog_size") }
}

struct Lines<'a>(HashMap<&'a str, &'a str>);

impl<'a> Lines<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).copied()
    }

    fn number<T: FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.parse().ok()
    }

    /// Keys in all databases. An empty server lists no database; one that loads lists what it has so far.
    fn keys(&self) -> Option<u64> {
        // Nothing said at all is unknown, and not empty.
        self.get("role")?;
        let databases = self.0.iter().filter(|(name, _)| {
            name.strip_prefix("db").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        });
        databases.map(|(_, value)| field(value, "keys")?.parse::<u64>().ok()).sum()
    }
}

/// "ip=127.0.0.1,port=6380,state=online,offset=14,lag=0"
fn replica_line(line: &str) -> Option<RedisReplica> {
    Some(RedisReplica {
        host: field(line, "ip")?.to_owned(),
        port: field(line, "port")?.parse().ok()?,
        state: field(line, "state").unwrap_or_default().to_owned(),
        offset: field(line, "offset").and_then(|value| value.parse().ok()),
        lag_seconds: field(line, "lag").and_then(|value| value.parse().ok()),
    })
}

fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIMARY: &str = "# Server\r\nredis_version:7.0.15\r\nprocess_id:42\r\nrun_id:ab\r\nserver_time_usec:1790000000000000\r\n\
        # Persistence\r\nloading:0\r\naof_enabled:0\r\n# Replication\r\nrole:master\r\nconnected_slaves:1\r\n\
        slave0:ip=127.0.0.1,port=6380,state=online,offset=270,lag=0\r\nmaster_failover_state:no-failover\r\n\
        master_replid:8371445ee47ffcc8f1c5f4a8b5b0e5f0c3dd2d3c\r\nmaster_replid2:0000000000000000000000000000000000000000\r\n\
        master_repl_offset:284\r\nsecond_repl_offset:-1\r\n# Keyspace\r\ndb0:keys=3,expires=0,avg_ttl=0\r\ndb11:keys=4,expires=0\r\n";

    #[test]
    fn reads_a_primary() {
        let look = parse(PRIMARY);
        assert_eq!((look.facts.role.as_str(), look.facts.offset, look.facts.keys), ("master", Some(284), Some(7)));
        assert_eq!((look.facts.replid2.as_str(), look.facts.second_offset), ("", Some(-1)));
        assert_eq!((look.process_id, look.facts.link_up), (Some(42), None));
        let replica = RedisReplica {
            host: "127.0.0.1".into(),
            port: 6380,
            state: "online".into(),
            offset: Some(270),
            lag_seconds: Some(0),
        };
        assert_eq!(look.facts.replicas, vec![replica]);
    }

    #[test]
    fn what_is_not_said_is_not_zero() {
        let look = parse("role:slave\r\nmaster_link_status:down\r\nslave_repl_offset:?\r\n");
        assert_eq!((look.facts.link_up, look.facts.offset, look.facts.loading), (Some(false), None, None));
        assert_eq!(look.facts.keys, Some(0), "an empty server lists no database");
        let broken = parse("role:master\r\ndb0:keys=many\r\n");
        assert_eq!(broken.facts.keys, None);
        assert_eq!(parse("").facts.keys, None);
    }
}
