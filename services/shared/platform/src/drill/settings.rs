//! The copy's own configuration. Nothing of production's is read: not its addresses, not its archive command, not its
//! libraries.

use super::place::PORT;

/// What has to be at least as on the source, or the log cannot be replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Minimums {
    pub prepared_transactions: u32,
    pub locks_per_transaction: u32,
}

/// Who may log in at the socket: it is in a directory for one user alone.
pub(super) const HBA: &str = "local all all trust\n";

/// The server's files are below `root`; `restore_command` is where more log comes from.
pub(super) fn configuration(root: &str, minimums: Minimums, restore_command: &str) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
    let settings: [(&str, String); 30] = [
        ("listen_addresses", quoted("")),
        ("unix_socket_directories", quoted(root)),
        ("unix_socket_permissions", "0700".into()),
        ("port", PORT.to_string()),
        ("hba_file", quoted(&format!("{root}/pg_hba.conf"))),
        ("ident_file", quoted(&format!("{root}/pg_ident.conf"))),
        ("cluster_name", quoted("muster_drill")),
        // Never into the live archive.
        ("archive_mode", "off".into()),
        ("archive_command", quoted("")),
        ("restore_command", quoted(restore_command)),
        ("recovery_target_timeline", quoted("latest")),
        ("primary_conninfo", quoted("")),
        ("primary_slot_name", quoted("")),
        // Nobody can stream from it, and it subscribes to nobody.
        ("max_wal_senders", "0".into()),
        // There are none; positions of subscriptions are read at the start, and need room.
        ("max_replication_slots", "64".into()),
        ("max_logical_replication_workers", "0".into()),
        // A scheduler or an agent of production would begin its work.
        ("shared_preload_libraries", quoted("")),
        ("session_preload_libraries", quoted("")),
        ("autovacuum", "off".into()),
        ("hot_standby", "off".into()),
        ("wal_level", "replica".into()),
        ("max_connections", "20".into()),
        ("max_prepared_transactions", minimums.prepared_transactions.to_string()),
        ("max_locks_per_transaction", minimums.locks_per_transaction.max(64).to_string()),
        // Beside other servers on the same machine.
        ("shared_buffers", quoted("64MB")),
        // Its shared memory is a file of the copy, and gone with it.
        ("dynamic_shared_memory_type", "mmap".into()),
        ("logging_collector", "off".into()),
        ("log_timezone", quoted("UTC")),
        ("lc_messages", quoted("C")),
        ("ssl", "off".into()),
    ];
    settings.iter().map(|(name, value)| format!("{name} = {value}\n")).collect()
}

/// From `pg_controldata`.
pub(super) fn minimums(control_data: &str) -> Minimums {
    let field = |name: &str| {
        let value = control_data.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim));
        value.and_then(|value| value.parse().ok()).unwrap_or(0)
    };
    Minimums {
        prepared_transactions: field("max_prepared_xacts setting"),
        locks_per_transaction: field("max_locks_per_xact setting"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_back_to_production() {
        let minimums = minimums("max_prepared_xacts setting:           7\nmax_locks_per_xact setting:           128\n");
        let text = configuration("/srv/d/drill-1", minimums, "false");
        for line in [
            "listen_addresses = ''",
            "archive_mode = off",
            "primary_conninfo = ''",
            "max_logical_replication_workers = 0",
            "shared_preload_libraries = ''",
            "max_prepared_transactions = 7",
            "max_locks_per_transaction = 128",
            "unix_socket_directories = '/srv/d/drill-1'",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
