//! What can be scheduled: drills and rotations, for which a request is opened, and reviews, which people write.

use crate::pb::request::v1::RequestType;

/// As manifests write them.
pub const WHATS: [&str; 7] =
    ["readiness-drill", "isolated-drill", "tabletop-drill", "live-drill", "rotation", "plan-review", "access-review"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A request of this type is opened.
    Run(RequestType),
    PlanReview,
    AccessReview,
}

impl What {
    pub fn is_review(self) -> bool {
        matches!(self, Self::PlanReview | Self::AccessReview)
    }

    /// It moves what it is about, so it goes to a site.
    pub fn moves(self) -> bool {
        matches!(self, Self::Run(RequestType::Rotation | RequestType::LiveDrill))
    }
}

pub fn what_of(text: &str) -> Option<What> {
    match text {
        "readiness-drill" => Some(What::Run(RequestType::ReadinessDrill)),
        "isolated-drill" => Some(What::Run(RequestType::IsolatedDrill)),
        "tabletop-drill" => Some(What::Run(RequestType::TabletopDrill)),
        "live-drill" => Some(What::Run(RequestType::LiveDrill)),
        "rotation" => Some(What::Run(RequestType::Rotation)),
        "plan-review" => Some(What::PlanReview),
        "access-review" => Some(What::AccessReview),
        _ => None,
    }
}
