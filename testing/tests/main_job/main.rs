//! The main job, end to end, on the real product: real NATS, real PostgreSQL pairs, real processes, no fakes.
//!
//! The cases stand in two lines, each with a product and databases of its own. In a line they run one after the other, and
//! each leaves its product healthy; the lines run beside each other. A case carries the ids of testing/test-plan.md in its
//! name: `cargo test -p muster-testing --test main_job TC-030`. At the end it says how long each took.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test panics to fail")]
#![expect(clippy::large_futures, reason = "a test has room on its stack")]

mod access;
mod alerts;
mod audit;
mod bad_input;
mod by_hand;
mod crash;
mod evidence;
mod failover;
mod groups;
mod line;
mod readiness;
mod schedules;
mod story;
mod support;
mod switchover;
mod tamper;

use libtest_mimic::Arguments;
use line::{Case, cases};

fn main() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    line::run(Arguments::from_args(), [people(), disasters()]).exit();
}

/// What people see, decide and take away.
fn people() -> Vec<Case> {
    cases![
        "1 TC-010 TC-020 both pairs are green within 30 s, fresh below 10 s" => readiness::both_green,
        "TC-001 without a login the page redirects and the API refuses" => access::no_login,
        "TC-002 a viewer changes nothing and the denial is recorded" => access::viewer,
        "tenancy: the wrong tenant gets nothing from any method" => access::wrong_tenant,
        "TC-012 configured thresholds are stored and used" => readiness::thresholds,
        "TC-022 a trend of 24 h is there to see" => readiness::trend,
        "bad input gets clear errors and changes nothing" => bad_input::manifests,
        "a used key means the same request, and a NUL breaks nothing" => bad_input::keys_and_filters,
        "2 TC-030 a cut link alerts within 5 s, messages arrive, healing resolves" => alerts::cut,
        "3 TC-003 TC-004 TC-005 TC-032 TC-040 TC-041 TC-042 TC-043 a switchover with all its gates loses no row" => switchover::whole_way,
        "TC-044 a failure in the middle stops safely and says so" => switchover::failure_in_the_middle,
        "stop between steps leaves a true account" => switchover::stop_between_steps,
        "TC-006 break-glass is time-bound, told at once, reviewed and in the record" => groups::break_glass,
        "an isolated drill measures a copy and leaves nothing behind" => groups::isolated_drill,
        "TC-060 a schedule falls due: people are told and asked, the run is theirs, its success is known" => schedules::falls_due,
        "TC-061 a schedule that nobody answers never runs by itself: it lapses and is overdue" => schedules::never_by_itself,
        "TC-050 a request's every actor, time, payload and outcome are in its story and its report" => story::told_and_reported,
        "6 TC-050 TC-051 TC-052 everything is in the audit, exported as JSON and CSV" => audit::complete_and_exported,
        "TC-051 evidence packages: a good run, a failed one, a break-glass, an open gap; other people's tools accept them" => evidence::packages,
        "TC-052 the record and a package verify, with Muster and by hand; a changed package names the event" => by_hand::verified,
    ]
}

/// What is lost, killed, moved all at once and tampered with.
fn disasters() -> Vec<Case> {
    cases![
        "TC-021 TC-031 lost sight shows, degrades and alerts" => alerts::lost_sight,
        "4 TC-023 failover after the primary is killed: the window covers what was lost" => failover::kill_and_fail_over,
        "TC-045 a group of three platforms switches over and fails back, no row lost" => groups::over_and_back,
        "a group that is stopped in the middle says what is left, and a failback leaves that" => groups::stopped_in_the_middle,
        "5 kill -9 in the middle of a run, at three steps" => crash::three_kills,
        "muster up starts its own killed servers again" => crash::own_servers_come_back,
        "a clean stop and a second start find everything again" => crash::stop_and_start_again,
        "TC-052 one byte of a stored event is changed while the server is stopped: the exact event is named" => tamper::one_byte,
    ]
}
