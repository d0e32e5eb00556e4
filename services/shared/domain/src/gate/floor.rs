//! The lowest gate that an action's blast radius leaves.

use crate::pb::common::v1::{Environment, Tier};
use crate::pb::request::v1::{GateLevel, RequestType};

/// What may go wrong decides: nothing is touched (L0), a copy is made beside production (L1), production moves (L2).
pub fn floor(kind: RequestType, tier: Tier, environment: Environment) -> GateLevel {
    use RequestType::{
        Failback, Failover, IsolatedDrill, LiveDrill, ReadinessDrill, Rollback, Rotation, Switchover, TabletopDrill,
        Unspecified,
    };
    // What is not known is treated as the worst.
    let production = matches!(environment, Environment::Production | Environment::Unspecified);
    let critical = matches!(tier, Tier::Tier1 | Tier::Unspecified);
    match kind {
        ReadinessDrill | TabletopDrill => GateLevel::L0,
        IsolatedDrill if production => GateLevel::L1,
        IsolatedDrill => GateLevel::L0,
        // Data may be lost: always a person's decision.
        Failover | Unspecified => GateLevel::L2,
        Switchover | Failback | Rotation | LiveDrill | Rollback if production || critical => GateLevel::L2,
        Switchover | Failback | Rotation | LiveDrill | Rollback => GateLevel::L1,
    }
}

/// The lowest floor of a kind of action, whatever it acts on.
pub fn lowest_floor(kind: RequestType) -> GateLevel {
    floor(kind, Tier::Tier3, Environment::Development)
}
