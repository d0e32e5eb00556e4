//! What must hold for every sequence of looks and every lack of them.

use proptest::prelude::*;

use super::given::{Pair, Story, at, healthy, secs};
use crate::pb::observation::v1::ErrorClass;
use crate::pb::readiness::v1::{Status, readiness_event::Event};
use crate::readiness::state::{Inputs, Readiness, decide};
use crate::readiness::watch::Subject;
use crate::readiness::{rules, severity};
use crate::time::from_pb;
use crate::{Aggregate, EventKind};

/// One thing that is wrong with a look.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    Severed,
    Lagging(u8),
    Silent,
    Paused,
    NoHeartbeat,
    LimitedA,
    LimitedB,
    LostA,
    LostB,
    BothLost,
    TwoPrimaries,
    NoPrimary,
    OtherSystem,
    OtherTimeline,
    SlotLost,
    RoleHidden,
}

impl Fault {
    fn put(self, p: &mut Pair) {
        match self {
            Self::None => {}
            Self::Severed => p.severed_at(p.time - 3.0),
            Self::Lagging(seconds) => p.received_until(p.time - f64::from(seconds)),
            Self::Silent => p.receiver().last_message_receipt_at = None,
            Self::Paused => p.b().replay_pause_state = "paused".into(),
            Self::NoHeartbeat => p.a().heartbeat_lsn = None,
            Self::LimitedA => p.a().limited_view = true,
            Self::LimitedB => p.b().limited_view = true,
            Self::LostA => p.a = Err(ErrorClass::Unreachable),
            Self::LostB => p.b = Err(ErrorClass::Credential),
            Self::BothLost => (p.a, p.b) = (Err(ErrorClass::Unreachable), Err(ErrorClass::NotReady)),
            Self::TwoPrimaries => p.b().in_recovery = Some(false),
            Self::NoPrimary => p.a().in_recovery = Some(true),
            Self::OtherSystem => p.b().system_identifier = "other".into(),
            Self::OtherTimeline => p.receiver().received_timeline = 9,
            Self::SlotLost => p.a().slots[0].wal_status = "lost".into(),
            Self::RoleHidden => p.b().in_recovery = None,
        }
    }

    /// Whether a look with this fault can be called ready.
    fn harmless(self) -> bool {
        matches!(self, Self::None) || matches!(self, Self::Lagging(seconds) if seconds <= 5)
    }
}

fn fault() -> impl Strategy<Value = Fault> {
    use Fault::*;
    prop_oneof![
        8 => Just(None),
        2 => Just(Severed),
        2 => (0..60_u8).prop_map(Lagging),
        1 => prop::sample::select(vec![
            Silent, Paused, NoHeartbeat, LimitedA, LimitedB, LostA, LostB, BothLost, TwoPrimaries, NoPrimary, OtherSystem,
            OtherTimeline, SlotLost, RoleHidden,
        ]),
    ]
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Look(Fault),
    Wait(u16),
    /// The clock of the whole host goes back.
    Back(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => fault().prop_map(Step::Look),
        3 => (1..100_u16).prop_map(Step::Wait),
        1 => (1..5000_u16).prop_map(Step::Back),
    ]
}

/// Real time, and what the clocks show.
struct Walk {
    story: Story,
    real: f64,
    shown: f64,
    last_look: Option<(f64, Fault)>,
}

impl Walk {
    fn new() -> Self {
        Self { story: Story::new(), real: 0.0, shown: 0.0, last_look: None }
    }

    fn go(&mut self, step: Step) {
        match step {
            Step::Look(fault) => {
                self.pass(2.0);
                let mut pair = healthy(self.real).with(|p| fault.put(p));
                pair.time = self.shown;
                self.last_look = Some((self.real, fault));
                self.story.see(&pair);
            }
            Step::Wait(seconds) => {
                self.pass(f64::from(seconds));
                self.story.tick(self.shown);
            }
            Step::Back(seconds) => {
                self.shown -= f64::from(seconds);
                self.story.tick(self.shown);
            }
        }
    }

    fn pass(&mut self, seconds: f64) {
        self.real += seconds;
        self.shown += seconds;
    }

    fn inputs(&mut self) -> Option<Inputs> {
        let Story { spec, limits, watch, .. } = &mut self.story;
        let subject = Subject { tenant: "acme", resource: "orders-db", version: 1, spec, limits };
        watch.look(&subject, at(self.shown))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn never_green_without_a_fresh_and_faultless_look_at_both_sides(steps in prop::collection::vec(step(), 1..60)) {
        let mut walk = Walk::new();
        for step in steps {
            walk.go(step);
            let shown = walk.story.watch.assessment(&walk.story.limits, at(walk.shown));
            let recorded = walk.story.state.status;
            if shown.status() == Status::Green || recorded == Some(Status::Green) {
                let (seen, fault) = walk.last_look.expect("green without any look");
                // Waits are single ticks here, so what is recorded is never older than they.
                prop_assert!(secs(walk.real - seen) <= walk.story.limits.stale_after, "green on a stale look");
                prop_assert!(fault.harmless(), "green on {fault:?}");
                prop_assert!(shown.rpo_now.is_some());
            }
        }
    }

    #[test]
    fn alerts_open_and_resolve_in_turn_and_a_replay_gives_the_same_state(steps in prop::collection::vec(step(), 1..80)) {
        let mut walk = Walk::new();
        for step in steps {
            walk.go(step);
        }
        let mut open: Vec<(i32, String)> = Vec::new();
        let mut ids = std::collections::BTreeSet::new();
        let mut replayed = Readiness::default();
        for (_, event) in &walk.story.events {
            replayed.evolve(event);
            match event.event.as_ref().expect("content") {
                Event::AlertOpened(e) => {
                    prop_assert!(!open.iter().any(|(kind, _)| *kind == e.kind), "opened twice");
                    prop_assert!(ids.insert(e.alert_id.clone()), "the id was used before");
                    prop_assert!(e.condition_since.is_some() && e.due_at.is_some());
                    prop_assert!(from_pb(e.condition_since.as_ref()) <= from_pb(e.due_at.as_ref()));
                    open.push((e.kind, e.alert_id.clone()));
                }
                Event::AlertUpdated(e) => prop_assert!(open.contains(&(e.kind, e.alert_id.clone()))),
                Event::AlertResolved(e) => {
                    prop_assert!(open.contains(&(e.kind, e.alert_id.clone())), "resolved what was not open");
                    prop_assert!(from_pb(e.opened_at.as_ref()) <= from_pb(e.resolved_at.as_ref()));
                    open.retain(|(_, id)| *id != e.alert_id);
                }
                Event::StatusChanged(e) => prop_assert_ne!(e.from, e.assessment.as_ref().expect("assessment").status),
            }
        }
        prop_assert_eq!(&replayed, &walk.story.state);
        prop_assert_eq!(open.len(), replayed.alerts.len());
    }

    /// Only a look at both sides makes anything better.
    #[test]
    fn waiting_and_blind_looks_never_improve_and_never_resolve(
        steps in prop::collection::vec(step(), 1..40),
        blind in prop::collection::vec(prop_oneof![
            (1..100_u16).prop_map(Step::Wait),
            prop::sample::select(vec![Fault::LostA, Fault::LostB, Fault::BothLost, Fault::LimitedB]).prop_map(Step::Look),
        ], 1..40),
    ) {
        let mut walk = Walk::new();
        for step in steps {
            walk.go(step);
        }
        // What is running out may settle while the newest look is still fresh.
        walk.go(Step::Wait(60));
        for step in blind {
            let before = (walk.story.state.status, walk.story.events.len());
            walk.go(step);
            for (_, event) in &walk.story.events[before.1..] {
                prop_assert_ne!(event.kind(), "alert.resolved");
            }
            if let (Some(was), Some(is)) = (before.0, walk.story.state.status) {
                prop_assert!(severity(is) >= severity(was), "{was:?} became {is:?} by not looking");
            }
        }
    }

    /// The same look with one thing more wrong, or older, is judged no better.
    #[test]
    fn a_worse_look_is_never_judged_better(first in fault(), second in fault(), age in 0..200_i64, more in 0..200_i64) {
        let judge = |faults: &[Fault], age: i64| {
            let mut story = Story::new();
            for step in 0..20 {
                story.see(&healthy(f64::from(step) * 2.0));
            }
            story.see(&healthy(40.0).with(|p| for f in faults {
                // A fault that needs an answer which another fault took away changes nothing.
                if (p.a.is_ok() && p.b.is_ok() && p.b().wal_receiver.is_some()) || *f == Fault::BothLost {
                    f.put(p);
                }
            }));
            story.assessment(40.0 + age as f64)
        };
        let one = judge(&[first], age);
        let both = judge(&[first, second], age);
        let older = judge(&[first], age + more);
        prop_assert!(severity(older.status()) >= severity(one.status()), "older: {:?} then {:?}", one.status(), older.status());
        // Losing sight of what was broken is judged as unknown here; the recorded status keeps the worse one.
        let blinded = matches!(second, Fault::LostA | Fault::LostB | Fault::BothLost | Fault::RoleHidden | Fault::LimitedA | Fault::LimitedB);
        // One fault may replace another of the same look; each is at least a warning.
        let replaced = matches!(second, Fault::Lagging(_) | Fault::Severed | Fault::NoPrimary | Fault::TwoPrimaries | Fault::OtherSystem | Fault::OtherTimeline);
        if blinded || replaced {
            // Of two lags the second one is the lag.
            let told_anew = matches!((&first, &second), (Fault::Lagging(_), Fault::Lagging(_)));
            prop_assert!(both.status() != Status::Green || (told_anew || first.harmless()) && second.harmless(), "{:?}", rules::codes(&both).collect::<Vec<_>>());
        } else {
            prop_assert!(severity(both.status()) >= severity(one.status()), "{:?} then {:?}", one, both);
        }
    }

    #[test]
    fn decide_comes_to_an_end_from_every_state(steps in prop::collection::vec(step(), 1..30), other in prop::collection::vec(step(), 1..30)) {
        let mut walk = Walk::new();
        for step in steps {
            walk.go(step);
        }
        // A state that came about some other way, as after a race of two monitors.
        let mut elsewhere = Walk::new();
        for step in other {
            elsewhere.go(step);
        }
        let mut state = elsewhere.story.state.clone();
        if let Some(inputs) = walk.inputs() {
            let mut events = 0;
            while let Some(event) = decide(&state, &inputs, at(walk.shown)) {
                state.evolve(&event);
                events += 1;
                prop_assert!(events <= 9, "no end");
            }
        }
    }

    #[test]
    fn answers_given_later_are_never_better_than_what_was_judged(f in fault(), age in 0..500_i64) {
        let mut story = Story::new();
        story.healthy_until(0.0, 20.0);
        story.see(&healthy(22.0).with(|p| f.put(p)));
        let made = story.assessment(22.0);
        let later = rules::degrade(made.clone(), &story.limits, at(22.0 + age as f64));
        prop_assert!(severity(later.status()) >= severity(made.status()));
        prop_assert!(later.status() != Status::Green || age <= 10);
        // And the same as the loop would have judged, as far as age alone goes.
        let live = story.assessment(22.0 + age as f64);
        if later.status() == Status::Green {
            prop_assert_eq!(live.status(), Status::Green);
        }
    }
}
