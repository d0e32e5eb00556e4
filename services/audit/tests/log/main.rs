//! The transparency log on real servers: written, killed, read, proven, taken over, damaged. One NATS and one PostgreSQL for
//! all cases; each has streams, a database, a store and keys of its own.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test panics to fail")]

mod begins;
mod child;
mod damaged;
#[expect(dead_code, reason = "logins with a second factor are asked for by other tests")]
#[path = "../../../approval/tests/it/issuer.rs"]
mod issuer;
mod keys;
mod killed;
mod proven;
mod rebuilt;
mod time;
mod world;

use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use tokio::{runtime::Runtime, sync::OnceCell};
use world::World;

/// The cases mostly wait, for checkpoints and leases: two at a time take little more than half the time of one by one.
const AT_ONCE: usize = 2;

type Case = for<'a> fn(&'a World) -> std::pin::Pin<Box<dyn Future<Output = ()> + 'a>>;

macro_rules! cases {
    ($($module:ident::$case:ident),* $(,)?) => {
        [$((concat!(stringify!($module), "::", stringify!($case)), (|world| Box::pin($module::$case(world))) as Case)),*]
    };
}

fn main() {
    let runtime = Arc::new(Runtime::new().expect("a runtime"));
    if let Some(installation) = child::wanted() {
        return runtime.block_on(child::run(installation));
    }
    let arguments = Arguments::from_args();
    let arguments = Arguments { test_threads: Some(arguments.test_threads.unwrap_or(AT_ONCE)), ..arguments };
    let world: Arc<OnceCell<World>> = Arc::default();
    let cases = cases![
        begins::a_new_tenants_log_begins_by_itself,
        begins::missing_sequences_are_gap_leaves,
        begins::two_processes_write_one_tree,
        proven::an_event_is_proven_by_id_and_by_sequence,
        proven::readers_get_the_files_of_the_log_and_nothing_else,
        killed::at_any_instant_and_goes_on_as_one_tree,
        keys::both_sign_for_a_month_after_a_rotation,
        keys::a_revoked_key_ends_its_epoch,
        time::an_idle_log_says_hourly_that_it_lives,
        time::witnesses_that_are_away_hold_up_nothing_and_people_are_told,
        rebuilt::a_lost_tail_is_declared_and_a_new_epoch_opens,
        rebuilt::an_edited_event_stops_the_signer,
        rebuilt::lost_files_are_derived_again,
        damaged::fsck_names_what_is_wrong,
        damaged::a_log_without_its_key_waits_for_it,
        damaged::another_tree_in_the_store_stops_the_signer,
    ];
    let trials = cases.into_iter().map(|(name, case)| {
        let (runtime, world) = (runtime.clone(), world.clone());
        Trial::test(name, move || {
            runtime.block_on(async { case(world.get_or_init(World::start).await).await });
            Ok(())
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    // The servers end before the runtime that their connections live on.
    runtime.block_on(async { drop(world) });
    conclusion.exit();
}
