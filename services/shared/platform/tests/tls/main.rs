//! TLS to real servers, whose certificates are made here: the right one is used, and an expired one, a stranger's, one for
//! another name and a server without TLS are refused, each with words that name the field and say what to do. Whole moves go
//! over it too, between servers that let the accounts of the contract in by TLS alone.
//!
//! A process reads once whom it trusts. So each platform's case runs in a process of its own, which trusts the test's
//! authority alone, as an installation does that names it in `SSL_CERT_FILE`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

mod authority;
#[expect(dead_code, reason = "shared with the tests of moves")]
#[path = "../patroni/cluster.rs"]
mod cluster;
mod drill_copy;
#[expect(dead_code, reason = "the tests of drills use the rest of it")]
#[path = "../drill/stage.rs"]
mod drill_stage;
#[expect(dead_code, reason = "the suite of all platforms uses the rest of it")]
#[path = "../compliance/drive.rs"]
mod drive;
#[expect(dead_code, reason = "the suite of all platforms uses the rest of it")]
#[path = "../compliance/fixture.rs"]
mod fixture;
mod mariadb;
mod mariadb_move;
#[expect(dead_code, reason = "the platform's own tests use the rest of it")]
#[path = "../mariadb/pair.rs"]
mod mariadb_pair;
#[expect(dead_code, reason = "the platform's own tests use the rest of it")]
#[path = "../postgresql/pair.rs"]
mod pair;
mod patroni;
mod patroni_move;
mod postgresql_move;
mod redis;
mod redis_move;
#[expect(dead_code, reason = "it starts another pair by itself")]
#[path = "../compliance/redis.rs"]
mod redis_pair;

use std::process::Command;

use authority::{Authority, DIRECTORY};
use muster_domain::pb::observation::v1::{ErrorClass, NodeObservation, node_observation::Result as NodeResult};

fn alone(case: &str) {
    let authority = Authority::new();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", case, "--ignored", "--nocapture"])
        .env("SSL_CERT_FILE", authority.file("authority.pem"))
        .env_remove("SSL_CERT_DIR")
        .env(DIRECTORY, authority.directory())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    print!("{said}");
    assert!(output.status.success() && said.contains("1 passed"), "{case}");
}

#[test]
fn mariadb_is_reached_by_its_certificate_alone() {
    alone("mariadb::over_tls");
}

#[test]
fn redis_is_reached_by_its_certificate_alone() {
    alone("redis::over_tls");
}

#[test]
fn patroni_and_its_database_are_reached_by_their_certificates_alone() {
    alone("patroni::over_tls");
}

#[test]
fn postgresql_is_moved_over_tls() {
    alone("postgresql_move::over_tls");
}

#[test]
fn a_drill_copies_over_tls() {
    alone("drill_copy::over_tls");
}

#[test]
fn mariadb_is_moved_over_tls() {
    alone("mariadb_move::over_tls");
}

#[test]
fn redis_is_moved_over_tls() {
    alone("redis_move::over_tls");
}

#[test]
fn patroni_is_moved_over_tls() {
    alone("patroni_move::over_tls");
}

/// What a certificate of an unknown authority is refused with, at the end of everything that is said about the pair.
pub(crate) const STRANGER: &str = "no authority that this machine trusts";

/// Which certificate is shown, and what its refusal must say.
pub(crate) const REFUSED: [(&str, &str); 3] =
    [("expired", "expired"), ("stranger", STRANGER), ("other-name", "another name")];

/// Something answers, so it is not gone: whoever takes that for silence fails a living primary over.
pub(crate) fn is_refused(seen: &NodeObservation, words: &str) {
    let Some(NodeResult::Error(error)) = &seen.result else { panic!("{words}: {seen:?}") };
    assert_eq!(error.class(), ErrorClass::Protocol, "{error:?}");
    assert!(error.message.contains("`tls`") && error.message.contains(words), "{words}: {error:?}");
    assert!(!error.message.contains("password"), "{error:?}");
}
