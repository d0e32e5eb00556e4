//! One look at one node. What the server did not tell stays absent: unknown is never zero.

use jiff::Timestamp;
use muster_domain::{
    pb::observation::v1::{ErrorClass, MariadbFacts, MariadbReplica},
    time::{self, PbTimestamp},
};

use super::{
    errors::{MISSING_PRIVILEGE, SqlError},
    session::{Row, Session},
};

/// More than a sensible estate has; a broken one must not make observations grow without end.
const MAX_FILTERS: usize = 32;
const MAX_TEXT: usize = 300;

// The clock is read before the positions: whatever was committed by then lies before them.
const CLOCK: &str = "SELECT UNIX_TIMESTAMP(NOW(6)) AS now, VERSION() AS version";

// A variable that this server does not have is no row, and no error.
const VARIABLES: &str = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_id', 'read_only', 'gtid_binlog_pos', \
    'gtid_current_pos', 'gtid_slave_pos', 'gtid_binlog_state', 'gtid_strict_mode', 'log_bin', 'log_slave_updates', 'wsrep_on')";

const UPTIME: &str = "SHOW GLOBAL STATUS LIKE 'Uptime'";

// Every connection, also a named one: the plain statement shows the unnamed one alone.
const REPLICAS: &str = "SHOW ALL SLAVES STATUS";

pub(super) async fn collect(session: &mut Session) -> Result<MariadbFacts, SqlError> {
    let clock = session.row(CLOCK).await?;
    let version = clock.text("version").unwrap_or_default().to_owned();
    if !version.contains("MariaDB") {
        let text = format!("it answers as version {version:?}, which is not MariaDB: its transaction ids are others");
        return Err(SqlError::new(ErrorClass::Configuration, text));
    }
    let server_time = clock.text("now").and_then(at);
    let variables = session.rows(VARIABLES).await?;
    let variable = |name: &str| {
        let row = variables.iter().find(|row| row.first().is_some_and(|found| found.eq_ignore_ascii_case(name)))?;
        row.text("Value").map(str::to_owned)
    };
    let switch = |name: &str| variable(name).and_then(|value| is_on(&value));
    let uptime = session.rows(UPTIME).await?.first().and_then(|row| row.number("Value"));
    let mut facts = MariadbFacts {
        version,
        server_time,
        server_id: variable("server_id").and_then(|id| id.parse().ok()),
        read_only: switch("read_only"),
        gtid_binlog_pos: variable("gtid_binlog_pos"),
        gtid_current_pos: variable("gtid_current_pos"),
        gtid_slave_pos: variable("gtid_slave_pos"),
        gtid_binlog_state: variable("gtid_binlog_state"),
        gtid_strict_mode: switch("gtid_strict_mode"),
        log_bin: switch("log_bin"),
        log_slave_updates: switch("log_slave_updates"),
        wsrep_on: switch("wsrep_on"),
        uptime_seconds: uptime,
        ..Default::default()
    };
    match session.rows(REPLICAS).await {
        Ok(rows) => match rows.as_slice() {
            [] => {}
            [row] => {
                facts.replication_filters = filters(row);
                facts.replica = Some(replica(row));
            }
            several => {
                let text = format!("it has {} replication connections, and a pair has one", several.len());
                return Err(SqlError::new(ErrorClass::Configuration, text));
            }
        },
        // Without the right it cannot be told what this node is.
        Err(error) if error.number == Some(MISSING_PRIVILEGE) => facts.limited_view = true,
        Err(error) => return Err(error),
    }
    Ok(facts)
}

fn replica(row: &Row) -> MariadbReplica {
    let text = |column: &str| row.text(column).unwrap_or_default().chars().take(MAX_TEXT).collect::<String>();
    // The error of a lost connection names the account and the address, and nothing secret.
    let error = |column: &str| crate::redact::redact(&text(column), &[]);
    MariadbReplica {
        io_running: text("Slave_IO_Running"),
        sql_running: text("Slave_SQL_Running"),
        seconds_behind: row.number("Seconds_Behind_Master"),
        source_host: text("Master_Host"),
        source_port: row.number("Master_Port").unwrap_or_default(),
        gtid_io_pos: row.text("Gtid_IO_Pos").map(str::to_owned),
        using_gtid: text("Using_Gtid"),
        sql_delay: row.number("SQL_Delay"),
        last_io_errno: row.number("Last_IO_Errno").unwrap_or_default(),
        last_io_error: error("Last_IO_Error"),
        last_sql_errno: row.number("Last_SQL_Errno").unwrap_or_default(),
        last_sql_error: error("Last_SQL_Error"),
        source_server_id: row.number("Master_Server_Id"),
    }
}

/// Everything that makes the replica leave something out.
fn filters(row: &Row) -> Vec<String> {
    const COLUMNS: [&str; 10] = [
        "Replicate_Do_DB",
        "Replicate_Ignore_DB",
        "Replicate_Do_Table",
        "Replicate_Ignore_Table",
        "Replicate_Wild_Do_Table",
        "Replicate_Wild_Ignore_Table",
        "Replicate_Ignore_Server_Ids",
        "Replicate_Do_Domain_Ids",
        "Replicate_Ignore_Domain_Ids",
        "Replicate_Rewrite_DB",
    ];
    let set = COLUMNS.iter().filter_map(|column| {
        let value = row.text(column).filter(|value| !value.is_empty())?;
        Some(format!("{column}={}", value.chars().take(MAX_TEXT).collect::<String>()))
    });
    set.take(MAX_FILTERS).collect()
}

pub(super) fn is_on(value: &str) -> Option<bool> {
    match value.to_ascii_uppercase().as_str() {
        "ON" | "1" | "YES" | "TRUE" => Some(true),
        "OFF" | "0" | "NO" | "FALSE" => Some(false),
        _ => None,
    }
}

/// "1795303271.388698"
fn at(seconds: &str) -> Option<PbTimestamp> {
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let micros = format!("{fraction:0<6}").get(..6)?.parse::<i64>().ok()?;
    let at = Timestamp::from_microsecond(whole.parse::<i64>().ok()?.checked_mul(1_000_000)?.checked_add(micros)?);
    at.ok().map(time::to_pb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_clock_is_read_to_the_microsecond() {
        let read = |text: &str| at(text).map(|at| (at.seconds, at.nanos));
        assert_eq!(read("1795303271.388698"), Some((1_795_303_271, 388_698_000)));
        assert_eq!(read("1795303271.5"), Some((1_795_303_271, 500_000_000)));
        assert_eq!(read("1795303271"), Some((1_795_303_271, 0)));
        assert_eq!(read("soon"), None);
    }
}
