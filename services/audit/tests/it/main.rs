//! The service behind its gRPC API, with a real log, a real database and real tokens. One installation for all cases,
//! each in a tenant of its own; they run one after the other, as some restart the service.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test panics to fail")]

mod changed;
mod denied;
mod destroyed;
mod found;
mod gaps;
mod given;
#[expect(dead_code, reason = "logins with a second factor are asked for by other tests")]
#[path = "../../../approval/tests/it/issuer.rs"]
mod issuer;
mod reported;
mod reviewed;
mod told;
mod world;

use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Trial};
use tokio::runtime::Runtime;
use world::World;

type Case = for<'a> fn(&'a mut World) -> std::pin::Pin<Box<dyn Future<Output = ()> + 'a>>;

macro_rules! cases {
    ($($module:ident::$case:ident),* $(,)?) => {
        [$((concat!(stringify!($module), "::", stringify!($case)), (|world| Box::pin($module::$case(world))) as Case)),*]
    };
}

fn main() {
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    let runtime = Arc::new(Runtime::new().expect("a runtime"));
    let world: Arc<Mutex<Option<World>>> = Arc::default();
    let cases = cases![
        gaps::opened_planned_accepted_closed,
        gaps::bad_enough_takes_two_people,
        gaps::listed_the_worst_first_page_by_page,
        gaps::an_acceptance_ends_by_itself,
        found::each_source_opens_one_gap_also_after_restarts,
        found::what_a_run_showed_is_closed_by_a_later_run,
        reviewed::by_somebody_else_once_a_person,
        told::in_causal_order_with_what_led_to_it,
        denied::alike_attempts_are_one_line_with_a_count,
        changed::each_field_from_what_to_what,
        reported::one_page_says_all_of_it,
        destroyed::content_goes_and_the_trail_stays,
    ];
    let trials = cases.into_iter().map(|(name, case)| {
        let (runtime, world) = (runtime.clone(), world.clone());
        Trial::test(name, move || {
            let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
            runtime.block_on(async {
                let world = match &mut *world {
                    Some(world) => world,
                    None => world.insert(World::start().await),
                };
                case(world).await;
            });
            Ok(())
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    // The servers end before the runtime that their connections live on.
    runtime.block_on(async { drop(world.lock().unwrap_or_else(PoisonError::into_inner).take()) });
    conclusion.exit();
}
