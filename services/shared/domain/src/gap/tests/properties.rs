//! Whatever people and time do to a gap, in any order.

use proptest::prelude::*;

use super::*;
use crate::pb::audit::v1::GapState;

#[derive(Debug, Clone, Copy)]
enum Act {
    Plan { due: i64 },
    Close,
    Accept { until: i64 },
    Reopen,
    Lapse,
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (-5i64..900).prop_map(|due| Act::Plan { due }),
        Just(Act::Close),
        (-5i64..500).prop_map(|until| Act::Accept { until }),
        Just(Act::Reopen),
        Just(Act::Lapse),
    ]
}

fn decided(gap: &Gap, act: Act, who: &Actor, at: Timestamp) -> Result<Option<GapEvent>, Refusal> {
    let days = |days: i64| Some(at + SignedDuration::from_hours(24 * days));
    match act {
        Act::Plan { due } => plan(gap, &PlanGap { plan: "p", owner: "o", due: days(due) }, who, at),
        Act::Close => close(gap, "done", &Evidence::default(), who, at),
        Act::Accept { until } => accept(gap, &Acceptance { reason: "r", until: days(until) }, who, at),
        Act::Reopen => reopen(gap, "again", who, at),
        Act::Lapse => Ok(lapse(gap, &muster(), at)),
    }
}

proptest! {
    #[test]
    fn the_rules_hold_in_any_order(
        high in any::<bool>(),
        acts in prop::collection::vec((any_act(), 0usize..3, 0i64..200), 1..20),
    ) {
        let people = [ada(), ingo(), bea()];
        let mut gap = opened(if high { Severity::High } else { Severity::Low });
        let mut at = now();
        for (act, who, days) in acts {
            at += SignedDuration::from_hours(24 * days);
            let who = &people[who];
            let before = gap.clone();
            let Ok(Some(event)) = decided(&gap, act, who, at) else { continue };
            gap.evolve(&event);
            prop_assert_eq!(&gap.opened, &before.opened, "what it is stays");
            match gap.state {
                GapState::Planned => {
                    prop_assert!(before.state != GapState::Closed);
                    prop_assert!(!gap.is_overdue(at), "a promise is in the future");
                }
                GapState::Closed => prop_assert!(before.state != GapState::Closed && !(high && who.id == "ada")),
                GapState::Accepted => {
                    prop_assert_eq!(who.id.as_str(), "bea");
                    let until = accepted_until(&gap).unwrap();
                    prop_assert!(until > at && until <= at + MAX_ACCEPTANCE);
                    prop_assert_eq!(lapse(&gap, &muster(), at), None);
                    prop_assert!(lapse(&gap, &muster(), until).is_some(), "every acceptance ends");
                }
                GapState::Open => prop_assert!(gap.planned.is_none() && gap.accepted.is_none() && gap.closed.is_none()),
                GapState::Unspecified => prop_assert!(false, "nothing leads there"),
            }
            prop_assert_eq!(Gap::of_view(gap.view(at)), gap.clone(), "the view loses nothing");
        }
    }
}
