//! An executor that dies by SIGKILL around a step. It is a process of its own, as the product's is: a task that is dropped
//! ends the programs it has begun and says goodbye to its servers; a killed process does neither.

use std::{
    collections::BTreeMap,
    os::unix::process::ExitStatusExt,
    process::{ExitStatus, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use jiff::Timestamp;
use muster_domain::pb::inventory::v1::ResourceSpec;
use muster_platform::{Facts, Limits, Login, MoveJob, MoveKind, Timeouts, registry::platform_of};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use crate::{
    drive::{SETTLE_LIMIT, settle},
    fixture::{Fixture, Host},
};

/// What the other process does, as JSON. In its environment: nothing else of it is another test's.
const ORDER: &str = "MUSTER_TEST_DOOMED_STEP";

/// When the executor is killed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Death {
    /// It has looked, and would begin now.
    BeforeTheEffect,
    /// So long after the beginning. A step that has ended by then was killed right after its effect.
    Within(Duration),
    /// The step has ended, and nobody was told.
    AfterTheEffect,
}

/// Every step of every procedure goes through all of them, in this order: the last one leaves the effect.
pub(crate) const DEATHS: [Death; 4] = [
    Death::BeforeTheEffect,
    Death::Within(Duration::from_millis(30)),
    Death::Within(Duration::from_millis(500)),
    Death::AfterTheEffect,
];

#[derive(Serialize, Deserialize)]
struct Account {
    user: String,
    password: String,
}

/// All that a job is made of, and what to do with it.
#[derive(Serialize, Deserialize)]
struct Order {
    death: Death,
    step: String,
    facts: Facts,
    is_failover: bool,
    from: String,
    target: String,
    resource: ResourceSpec,
    execute: Account,
    replication: Option<Account>,
    hosts: BTreeMap<String, Host>,
}

impl From<&Login> for Account {
    fn from(login: &Login) -> Self {
        Self { user: login.user.clone(), password: login.password.expose_secret().to_owned() }
    }
}

impl From<Account> for Login {
    fn from(account: Account) -> Self {
        Self { user: account.user, password: account.password.into() }
    }
}

/// Runs the step in a process, and gives how that died. One that lives longer than a step may take is killed too.
pub(crate) async fn killed<F: Fixture>(fixture: &F, job: &MoveJob, step: &str, facts: &Facts, death: Death) {
    let order = Order {
        death,
        step: step.to_owned(),
        facts: facts.clone(),
        is_failover: job.kind == MoveKind::Failover,
        from: job.from_node.clone(),
        target: job.target_node.clone(),
        resource: fixture.resource(),
        execute: Account::from(&job.execute),
        replication: job.replication.as_ref().map(Account::from),
        hosts: fixture.hosts(),
    };
    let mut process = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::one_step_in_a_process", "--ignored", "--nocapture"])
        .env(ORDER, serde_json::to_string(&order).unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let ended = tokio::time::timeout(SETTLE_LIMIT, process.wait()).await;
    let status: ExitStatus = ended.unwrap_or_else(|_| panic!("{step}, {death:?}: it lives on")).unwrap();
    assert_eq!(status.signal(), Some(Signal::SIGKILL as i32), "{step}, {death:?}: {status}");
}

fn die() -> ! {
    kill(Pid::this(), Signal::SIGKILL).unwrap();
    panic!("survived its own SIGKILL");
}

/// Not a test by itself: an executor that is there to be killed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the others as a process of its own"]
async fn one_step_in_a_process() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let order: Order = serde_json::from_str(&order).unwrap();
    let spec = order.resource.platform.unwrap();
    let mover = (platform_of(&spec).unwrap().mover)();
    let job = MoveJob {
        tenant: "acme".into(),
        resource: "ledger".into(),
        kind: if order.is_failover { MoveKind::Failover } else { MoveKind::Switchover },
        from_node: order.from,
        target_node: order.target,
        spec,
        execute: order.execute.into(),
        replication: order.replication.map(Login::from),
        agents: Host::servers(&order.hosts),
        services: Host::services(&order.hosts),
        timeouts: Timeouts::default(),
        limits: Limits::default(),
        last_known_primary: None,
        now: Arc::new(Timestamp::now),
        sessions: Default::default(),
    };
    match order.death {
        Death::BeforeTheEffect => {
            let _ = mover.probe(&job, &order.step, &order.facts).await;
        }
        Death::Within(life) => {
            thread::spawn(move || {
                thread::sleep(life);
                die();
            });
            // Whether it comes to its end is not asked: it dies either way.
            let _ = mover.run(&job, &order.step, &order.facts).await;
        }
        Death::AfterTheEffect => {
            settle(&mover, &job, &order.step, &order.facts).await;
        }
    }
    die();
}
