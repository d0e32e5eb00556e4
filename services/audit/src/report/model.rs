//! A run report as data. Times are RFC 3339, durations seconds; what is not known is null and never zero.

use serde::Serialize;

/// The name of this form; a change that breaks readers gets another number.
pub(super) const FORMAT: &str = "muster-run-report/v1";

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Report {
    pub(super) format: &'static str,
    pub(super) tenant: String,
    pub(super) request_id: String,
    /// "switchover of orders-db from west to east"
    pub(super) title: String,
    /// "succeeded", "failed", "pending approval"
    pub(super) state: String,
    pub(super) drill: bool,
    pub(super) made_at: String,
    pub(super) request: Request,
    pub(super) evidence: Option<Evidence>,
    pub(super) decisions: Vec<Decision>,
    pub(super) run: Option<Run>,
    pub(super) objectives: Vec<Objective>,
    pub(super) losses: Vec<Loss>,
    pub(super) markers: Vec<Marker>,
    pub(super) markers_unavailable: Vec<String>,
    pub(super) checks: Vec<Check>,
    pub(super) steps: Vec<Step>,
    pub(super) integrity: Vec<Integrity>,
    pub(super) copies: Vec<Copy>,
    pub(super) notes: Vec<Note>,
    pub(super) deviations: Vec<String>,
    pub(super) gaps: Vec<Gap>,
    pub(super) reviews: Vec<Review>,
    pub(super) timeline: Vec<Moment>,
    pub(super) proof: Proof,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Request {
    pub(super) kind: String,
    pub(super) scope: String,
    pub(super) from_site: String,
    pub(super) target_site: String,
    pub(super) reason: String,
    pub(super) ticket: String,
    pub(super) requester: String,
    pub(super) opened_at: Option<String>,
    pub(super) tier: String,
    pub(super) environment: String,
    pub(super) gate: String,
    pub(super) gate_source: String,
    /// The rule that approvals had to satisfy, and where it came from.
    pub(super) policy: String,
    pub(super) policy_source: String,
    /// Empty: the built-in plan.
    pub(super) plan: String,
    pub(super) plan_version: u64,
    pub(super) plan_hash: String,
    pub(super) rollback_of: String,
    pub(super) break_glass: Option<BreakGlass>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct BreakGlass {
    pub(super) incident: String,
    pub(super) reason: String,
    pub(super) until: Option<String>,
    pub(super) skipped: Vec<String>,
    pub(super) used: bool,
    pub(super) review_due: Option<String>,
    /// "not used", "owed", "overdue", "justified", "not justified"
    pub(super) review: String,
    pub(super) reviewer: String,
    pub(super) findings: String,
}

/// What the approvers had in front of them.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Evidence {
    pub(super) taken_at: Option<String>,
    pub(super) verdict: String,
    pub(super) preflight_id: String,
    pub(super) systems: Vec<SystemSeen>,
    pub(super) markers: Vec<Marker>,
    pub(super) past_tests: Vec<String>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct SystemSeen {
    pub(super) resource: String,
    pub(super) status: String,
    pub(super) seen_seconds_before: Option<f64>,
    pub(super) loss: String,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Decision {
    pub(super) at: Option<String>,
    pub(super) who: String,
    pub(super) who_id: String,
    pub(super) role: String,
    /// "approved", "rejected", "started"
    pub(super) what: String,
    pub(super) text: String,
    pub(super) on_behalf_of: String,
    /// The hash of the plan that was decided on.
    pub(super) plan_hash: String,
    pub(super) sequence: u64,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Run {
    pub(super) executor: String,
    pub(super) confirmed_at: Option<String>,
    pub(super) started_at: Option<String>,
    pub(super) finished_at: Option<String>,
    /// From the operator's confirmation to the end.
    pub(super) duration_seconds: Option<f64>,
    pub(super) write_outage_seconds: Option<f64>,
    pub(super) error: String,
    pub(super) known_state: String,
    pub(super) guidance: String,
    pub(super) systems: Vec<SystemMoved>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct SystemMoved {
    pub(super) resource: String,
    pub(super) platform: String,
    pub(super) from_node: String,
    pub(super) target_node: String,
    /// Where it runs now; empty when nobody knows.
    pub(super) site_now: String,
    pub(super) moved: Option<bool>,
    pub(super) protected: Option<bool>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Objective {
    /// "RTO", "RPO"
    pub(super) objective: &'static str,
    pub(super) of: String,
    pub(super) target_seconds: Option<f64>,
    pub(super) measured_seconds: Option<f64>,
    /// "met", "missed", "not measured", "no target"
    pub(super) verdict: &'static str,
    pub(super) how: String,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Loss {
    pub(super) of: String,
    /// "proven none", "bounded", "unknown"
    pub(super) certainty: &'static str,
    pub(super) text: String,
    pub(super) window_seconds: Option<f64>,
    pub(super) missing_bytes: Option<u64>,
    pub(super) limits: Vec<String>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Marker {
    /// "approval", "before", "after"
    pub(super) taken: &'static str,
    pub(super) node: String,
    pub(super) site: String,
    pub(super) role: String,
    pub(super) position: String,
    pub(super) timeline: u32,
    pub(super) system_identifier: String,
    pub(super) read_at: Option<String>,
    pub(super) clock: String,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Check {
    /// "before", "after", or "teardown" of a drill's copy
    pub(super) phase: &'static str,
    pub(super) resource: String,
    pub(super) name: String,
    pub(super) outcome: &'static str,
    pub(super) value: String,
    pub(super) limit: String,
    pub(super) text: String,
    pub(super) advisory: bool,
    pub(super) overridden: String,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Step {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) resource: String,
    pub(super) node: String,
    pub(super) phase: String,
    pub(super) state: &'static str,
    /// It takes back what another step did.
    pub(super) undo: bool,
    pub(super) duration_seconds: Option<f64>,
    pub(super) attempts: Vec<Attempt>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Attempt {
    pub(super) number: u32,
    pub(super) executor: String,
    pub(super) claimed_at: Option<String>,
    pub(super) ended_at: Option<String>,
    pub(super) duration_seconds: Option<f64>,
    /// "succeeded", "found done", "failed", "waited for a person", "outcome not known"
    pub(super) outcome: &'static str,
    pub(super) text: String,
    pub(super) sequence: u64,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Integrity {
    pub(super) phase: &'static str,
    pub(super) resource: String,
    pub(super) question: String,
    /// Null: it could not be asked; `error` says why.
    pub(super) answer: Option<String>,
    pub(super) error: String,
    pub(super) node: String,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Copy {
    pub(super) resource: String,
    pub(super) source: String,
    pub(super) newest_data_at: Option<String>,
    pub(super) loss_window_seconds: Option<f64>,
    pub(super) restore_seconds: Option<f64>,
    pub(super) bytes: Option<u64>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Note {
    pub(super) at: Option<String>,
    pub(super) who: String,
    pub(super) step: String,
    pub(super) text: String,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Gap {
    pub(super) gap_id: String,
    pub(super) title: String,
    pub(super) severity: &'static str,
    pub(super) state: &'static str,
    pub(super) overdue: bool,
    pub(super) owner: String,
    pub(super) due: Option<String>,
    pub(super) accepted_until: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Review {
    pub(super) at: Option<String>,
    pub(super) who: String,
    pub(super) accepted: bool,
    pub(super) note: String,
    pub(super) gaps: Vec<String>,
    pub(super) sequence: u64,
}

/// One event of the story, in the order of the log.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Moment {
    pub(super) at: Option<String>,
    /// Since the event before it.
    pub(super) after_seconds: Option<f64>,
    pub(super) chapter: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) who: String,
    pub(super) outcome: String,
    pub(super) text: String,
    pub(super) sequence: u64,
    pub(super) event_id: String,
    pub(super) payload_sha256: String,
    /// Null: the transparency log does not have it yet, or none is kept.
    pub(super) leaf_hash: Option<String>,
}

/// How the report can be checked.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Proof {
    /// Empty: there is none; `text` says why.
    pub(super) origin: String,
    pub(super) checkpoint_size: Option<u64>,
    pub(super) checkpoint_root: String,
    /// How many events of this report the checkpoint covers, and how many there are.
    pub(super) covered: usize,
    pub(super) events: usize,
    pub(super) text: String,
}
