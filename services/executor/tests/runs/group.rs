//! Two pairs that move together: in order, side by side, stopped in between, killed in between, and back again.
//!
//! Each guard and writer logs in again and again, and a login is many milliseconds of arithmetic in a test build. With a
//! thread for each of them the executor beside them is not kept waiting past its limits.

use muster_domain::{
    AggregateId,
    pb::{
        common::v1::LossCertainty,
        execution::v1::{CheckOutcome, ExecutionState, ExecutionView, StepState, StepView},
        inventory::v1::{GroupMember, GroupSpec, Kind, document},
        request::v1::RequestType,
    },
    time::from_pb,
};

use crate::{
    killed::{dies, doomed_executor},
    movers::{Around, Pause, movers},
    pair::Pair,
    people::Asked,
    traffic::{Guard, Writer},
    world::{RESOURCE, World, agent_of, eventually, spec_of},
};

pub(crate) const GROUP: &str = "shop";
pub(crate) const ORDERS: &str = "orders";

/// The world with a second pair beside the first: nodes "c" in the west and "d" in the east.
pub(crate) struct Shop {
    pub world: World,
    pub orders: Pair,
}

impl Shop {
    pub(crate) async fn start(orders_depend_on_the_ledger: bool) -> Self {
        let (mut world, orders) = tokio::join!(World::start(), Pair::start());
        for (name, server) in [("agent-c", &orders.a), ("agent-d", &orders.b)] {
            world.config.executor.agents.insert(name.into(), agent_of(server));
        }
        world.declare_resource(ORDERS, spec_of(orders.target_as(["c", "d"]))).await;
        let depends_on = if orders_depend_on_the_ledger { vec![RESOURCE.to_owned()] } else { Vec::new() };
        let members = vec![
            GroupMember { resource: ORDERS.into(), depends_on },
            GroupMember { resource: RESOURCE.into(), depends_on: Vec::new() },
        ];
        let spec = GroupSpec { display_name: String::new(), members };
        world.declare_document(Kind::Group, GROUP, document::Spec::GroupSpec(spec)).await;
        Self { world, orders }
    }

    pub(crate) async fn confirmed(&self, kind: RequestType, site: &str) -> AggregateId {
        self.world.confirmed_for(&Asked { kind, group: GROUP, site, ..Asked::default() }).await
    }

    /// Which node of the ledger and which of the orders is the primary.
    async fn primaries(&self) -> [Option<&'static str>; 2] {
        let of = async |pair: &Pair| match (pair.is_primary("a").await, pair.is_primary("b").await) {
            (Some(true), other) if other != Some(true) => Some("west"),
            (other, Some(true)) if other != Some(true) => Some("east"),
            _ => None,
        };
        [of(&self.world.pair).await, of(&self.orders).await]
    }
}

pub(crate) fn steps_of<'a>(view: &'a ExecutionView, resource: &str) -> Vec<&'a StepView> {
    view.steps.iter().filter(|step| step.step.as_ref().unwrap().resource == resource).collect()
}

fn lost(acknowledged: &[(i64, jiff::Timestamp)], kept: &[i64]) -> usize {
    acknowledged.iter().filter(|(number, _)| kept.binary_search(number).is_err()).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_group_moves_in_order_and_fails_back_and_no_row_is_lost() {
    let shop = Shop::start(true).await;
    let (find, _) = movers(Around::Nothing);
    let _executor = shop.world.executor(find).await;
    let writers = [Writer::start(&shop.world.pair), Writer::start(&shop.orders)];
    eventually("the applications write", async || writers.iter().all(|writer| writer.count() > 50)).await;

    for (kind, from, target, site) in
        [(RequestType::Switchover, "a", "b", "east"), (RequestType::Failback, "b", "a", "west")]
    {
        let guards = [Guard::start(&shop.world.pair, from, target), Guard::start(&shop.orders, from, target)];
        let request = shop.confirmed(kind, site).await;
        let view = shop.world.ended(&request).await;
        for guard in guards {
            guard.stop().await;
        }
        assert_eq!(view.state(), ExecutionState::Succeeded, "{view:#?}");
        assert_eq!(shop.primaries().await, [Some(site), Some(site)]);

        let (ledger, orders) = (steps_of(&view, RESOURCE), steps_of(&view, ORDERS));
        assert!(ledger.len() > 5 && ledger.len() == orders.len());
        let last = ledger.iter().map(|step| from_pb(step.finished_at.as_ref()).unwrap()).max().unwrap();
        let first = orders.iter().map(|step| from_pb(step.started_at.as_ref()).unwrap()).min().unwrap();
        assert!(last <= first, "the orders began before the ledger was there");
        assert!(view.steps.iter().all(|step| step.step.as_ref().unwrap().id.contains('/')));

        let end = view.succeeded.unwrap();
        assert_eq!(end.loss.unwrap().certainty(), LossCertainty::ProvenNone);
        assert_eq!(end.members.len(), 2);
        for member in &end.members {
            assert!(member.moved && member.protected && member.site == site, "{member:?}");
            assert!(member.rto_measured.is_some() && member.write_outage.is_some(), "{member:?}");
        }
        if kind == RequestType::Failback {
            for name in ["original_site", "sync_status"] {
                assert_eq!(view.prechecks.iter().filter(|check| check.name == name).count(), 2, "{name}");
            }
            let back = view.postchecks.iter().filter(|check| check.name == "protection_is_back");
            assert!(back.clone().count() == 2 && back.clone().all(|check| check.outcome() == CheckOutcome::Passed));
        }
        for name in ["group-shop", RESOURCE, ORDERS] {
            assert_eq!(shop.world.reservation(name).await.held_by, None, "{name}");
        }
    }
    for (writer, pair) in writers.into_iter().zip([&shop.world.pair, &shop.orders]) {
        let acknowledged = writer.stop().await;
        assert!(acknowledged.len() > 50);
        assert_eq!(lost(&acknowledged, &pair.rows("a").await), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_stop_in_the_middle_is_told_as_it_is_and_a_failback_or_a_switchover_leaves_it() {
    let shop = Shop::start(true).await;
    for (way_out, site) in [(RequestType::Failback, "west"), (RequestType::Switchover, "east")] {
        let pause = Pause::new();
        let (find, _) = movers(Around::PauseAfter("drop-stale-slot", pause.clone()));
        let executor = shop.world.executor(find).await;
        let request = shop.confirmed(RequestType::Switchover, "east").await;
        // The last step of the ledger: the orders have not begun.
        pause.is_reached().await;
        let held = [shop.world.reservation("group-shop").await, shop.world.reservation(ORDERS).await];
        assert!(held.iter().all(|held| held.held_by.as_deref() == Some(request.as_str())), "{held:?}");
        shop.world.stop(&request, "enough").await;
        pause.go_on.add_permits(1);
        let view = shop.world.ended(&request).await;
        drop(executor);

        assert_eq!(view.state(), ExecutionState::Stopped, "{view:#?}");
        assert!(steps_of(&view, RESOURCE).iter().all(|step| step.state() == StepState::Succeeded));
        assert!(steps_of(&view, ORDERS).iter().all(|step| step.attempts == 0));
        let stopped = view.stopped.unwrap();
        for words in ["ledger: Moved to east.", "orders: Nothing was changed."] {
            assert!(stopped.known_state.contains(words), "{words}: {}", stopped.known_state);
        }
        for words in ["ledger at east, orders at west", "switchover of group shop to east"] {
            assert!(stopped.guidance.contains(words), "{words}: {}", stopped.guidance);
        }
        let moved: Vec<_> = stopped.members.iter().map(|m| (m.resource.as_str(), m.moved, m.site.as_str())).collect();
        assert_eq!(moved, [(RESOURCE, true, "east"), (ORDERS, false, "west")]);
        assert_eq!(shop.primaries().await, [Some("east"), Some("west")]);

        let (find, _) = movers(Around::Nothing);
        let _executor = shop.world.executor(find).await;
        let request = shop.confirmed(way_out, site).await;
        let view = shop.world.ended(&request).await;
        assert_eq!(view.state(), ExecutionState::Succeeded, "{view:#?}");
        let there = view.started.unwrap().members;
        let there: Vec<_> = there.iter().filter(|m| m.there_already).map(|m| m.resource.clone()).collect();
        assert_eq!(there, [if site == "west" { ORDERS } else { RESOURCE }]);
        assert_eq!(shop.primaries().await, [Some(site), Some(site)]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn an_executor_killed_in_parallel_branches_is_continued_in_both() {
    let shop = Shop::start(false).await;
    let writers = [Writer::start(&shop.world.pair), Writer::start(&shop.orders)];
    eventually("the applications write", async || writers.iter().all(|writer| writer.count() > 50)).await;
    let guards = [Guard::start(&shop.world.pair, "a", "b"), Guard::start(&shop.orders, "a", "b")];
    let child = doomed_executor(&shop.world, "promote-target", "after");
    let request = shop.confirmed(RequestType::Switchover, "east").await;
    dies(child).await;
    let left = shop.world.execution(&request).await;
    let begun = |resource: &str| steps_of(&left, resource).iter().any(|step| step.attempts > 0);
    assert!(begun(RESOURCE) && begun(ORDERS), "both branches were under way: {left:#?}");

    // Two of them at once: one goes on, and no step is run by both.
    let (find, counts) = movers(Around::Nothing);
    let _one = shop.world.executor(find.clone()).await;
    let _two = shop.world.executor(find).await;
    let view = shop.world.ended(&request).await;
    for guard in guards {
        guard.stop().await;
    }
    assert_eq!(view.state(), ExecutionState::Succeeded, "{view:#?}");
    assert_eq!(shop.primaries().await, [Some("east"), Some("east")]);
    let counts = counts.lock().unwrap().clone();
    assert!(counts.values().all(|count| *count <= 2), "each step once of each resource: {counts:?}");
    for (writer, pair) in writers.into_iter().zip([&shop.world.pair, &shop.orders]) {
        assert_eq!(lost(&writer.stop().await, &pair.rows("b").await), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_group_and_its_member_are_not_moved_at_the_same_time() {
    let shop = Shop::start(true).await;
    let pause = Pause::new();
    let (find, _) = movers(Around::PauseAfter("stop-primary", pause.clone()));
    let _executor = shop.world.executor(find).await;
    let asked = Asked { kind: RequestType::Switchover, resource: ORDERS, site: "east", ..Asked::default() };
    let single = shop.world.confirmed_for(&asked).await;
    pause.is_reached().await;
    // One of its members is held: the group gets none of them, and says whose it is.
    let group = shop.confirmed(RequestType::Switchover, "east").await;
    let view = shop.world.ended(&group).await;
    assert_eq!(view.state(), ExecutionState::Failed, "{view:#?}");
    let error = view.failed.unwrap().error;
    assert!(error.contains("resource_is_free") && error.contains(single.as_str()), "{error}");
    for name in [RESOURCE, "group-shop"] {
        assert_eq!(shop.world.reservation(name).await.held_by, None, "{name}");
    }
    pause.go_on.add_permits(10);
    assert_eq!(ended_alone(&shop, &single).await.state(), ExecutionState::Succeeded);
}

async fn ended_alone(shop: &Shop, request: &AggregateId) -> ExecutionView {
    eventually("the run of the member ends", async || {
        shop.world.execution(request).await.state() != ExecutionState::Running
    })
    .await;
    shop.world.execution(request).await
}
