//! Hours without events, witnesses that are away.

use jiff::{SignedDuration, Timestamp};
use muster_domain::pb::audit::v1::audit_log_event::Event;
use muster_runtime::{Clock, config::HumanDuration};

use crate::world::{World, absent_witness, checkpoint, eventually, serve_audit};

pub(crate) async fn an_idle_log_says_hourly_that_it_lives(world: &World) {
    let here = world.installation().await;
    here.append(3).await;
    let (clock, time) = Clock::manual(Timestamp::now());
    let running = serve_audit(&here.config, &here.log, &here.db, &clock).await;
    here.all_covered(1).await;
    let beats = async || {
        let events = here.own_events().await;
        events.iter().filter(|event| matches!(event, Event::Heartbeat(_))).count()
    };
    assert_eq!(beats().await, 0);
    for hours in 1..=3 {
        time.advance(SignedDuration::from_mins(61));
        eventually("a heartbeat", async || beats().await == hours).await;
    }
    let newest = here.all_covered(1).await;
    let Some(Event::Heartbeat(beat)) = here.own_events().await.pop() else { panic!("not the last event") };
    assert_eq!(beat.checkpoint.unwrap().size, newest.size - 1, "the checkpoint before it");
    running.stop().await;
}

pub(crate) async fn witnesses_that_are_away_hold_up_nothing_and_people_are_told(world: &World) {
    let mut here = world.installation().await;
    here.config.audit.witnesses = vec![absent_witness()];
    here.config.audit.quorum = 1;
    here.config.audit.witness_patience = HumanDuration::seconds(1);
    here.start().await;
    let events = here.append(30).await;
    let files = here.files(1);
    eventually("it is signed", async || {
        checkpoint(&files, "checkpoint.pending").await.is_some_and(|found| found.size > events[29].1)
    })
    .await;
    assert!(checkpoint(&files, "checkpoint").await.is_none(), "and not witnessed");
    let told = async || {
        let events = here.own_events().await;
        events.into_iter().find_map(|event| match event {
            Event::WitnessesBehind(behind) => Some(behind),
            _ => None,
        })
    };
    eventually("people are told", async || told().await.is_some()).await;
    assert_eq!(told().await.unwrap().missing, ["customer"]);
    let log = here.get_log().await;
    assert_eq!((log.checkpoint.as_str(), log.stopped.as_str(), log.witnesses.len()), ("", "", 1));
    assert!(!log.witnesses[0].problem.is_empty());
    here.stop().await;
}
