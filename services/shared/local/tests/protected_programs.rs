//! The programs that `scripts/setup` brings are found, and run.

#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use std::{path::Path, process::Command};

use muster_local::tools;

fn says(program: &Path, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output().unwrap();
    assert!(output.status.success(), "{} {argument}: {output:?}", program.display());
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn single_programs() {
    for (found, argument, expected) in [
        (tools::redis_server(), "--version", "Redis server"),
        (tools::etcd(), "--version", "etcd Version"),
        (tools::pgbackrest(), "version", "pgBackRest"),
        (tools::restic(), "version", "restic"),
        (tools::patroni(), "--version", "patroni 4."),
    ] {
        let Some(program) = tools::or_skip(found).unwrap() else { continue };
        let said = says(&program, argument);
        assert!(said.contains(expected), "{}: {said}", program.display());
    }
}

#[test]
fn mariadb_with_its_tools() {
    let Some(mariadb) = tools::or_skip(tools::mariadb()).unwrap() else { return };
    for program in [&mariadb.mariadbd, &mariadb.client, &mariadb.dump] {
        assert!(says(program, "--version").contains("MariaDB"));
    }
    assert!(mariadb.base_dir.join("share/mysql").is_dir(), "{}", mariadb.base_dir.display());
}

#[test]
fn bind_with_its_clients() {
    let Some(bind) = tools::or_skip(tools::bind()).unwrap() else { return };
    assert!(says(&bind.named, "-v").contains("BIND"));
    assert!(says(&bind.nsupdate, "-V").contains("nsupdate"));
    assert!(says(&bind.dig, "-v").contains("DiG"));
}
