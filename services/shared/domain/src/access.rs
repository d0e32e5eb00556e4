//! Who may call what: the table of roles and methods. A method without a row is refused, and a test
//! walks every method of the API so that none is forgotten.

use crate::Refusal;
use crate::pb::common::v1::{ActorKind, Role};
use crate::refusal::refusal;

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessRule {
    /// "muster.request.v1.ApprovalService/ApproveRequest"
    pub method: &'static str,
    /// Any of these roles in the tenant is enough. Empty: every authenticated caller.
    pub roles: &'static [Role],
    /// Machines hold roles too; what takes a person's judgement is closed to them.
    pub people_only: bool,
    /// Changes something: shown as such, and its denials are recorded.
    pub changes: bool,
}

use Role::{Admin, ApproverBusiness, ApproverIt, Operator, Viewer};

const EVERY_ROLE: &[Role] = &[Viewer, Operator, ApproverIt, ApproverBusiness, Admin];

const fn read(method: &'static str) -> AccessRule {
    AccessRule { method, roles: EVERY_ROLE, people_only: false, changes: false }
}

const fn change(method: &'static str, roles: &'static [Role]) -> AccessRule {
    AccessRule { method, roles, people_only: false, changes: true }
}

const fn judge(method: &'static str, roles: &'static [Role]) -> AccessRule {
    AccessRule { method, roles, people_only: true, changes: true }
}

/// The table. Its Markdown form is docs/access.md.
pub const TABLE: &[AccessRule] = &[
    AccessRule { method: "muster.identity.v1.IdentityService/WhoAmI", roles: &[], people_only: false, changes: false },
    change("muster.inventory.v1.PlannerService/Apply", &[Admin]),
    read("muster.inventory.v1.PlannerService/GetDocument"),
    read("muster.inventory.v1.PlannerService/ListDocuments"),
    change("muster.inventory.v1.PlannerService/RetireDocument", &[Admin]),
    read("muster.plan.v1.PlanService/GetPlan"),
    read("muster.plan.v1.PlanService/ListPlans"),
    read("muster.plan.v1.PlanService/LintPlan"),
    judge("muster.plan.v1.PlanService/SubmitPlan", &[Operator, Admin]),
    judge("muster.plan.v1.PlanService/ReturnPlan", &[ApproverIt, ApproverBusiness, Admin]),
    judge("muster.plan.v1.PlanService/PublishPlan", &[ApproverIt, Admin]),
    read("muster.plan.v1.PlanService/RenderPlan"),
    read("muster.readiness.v1.MonitorService/ListReadiness"),
    read("muster.readiness.v1.MonitorService/GetReadiness"),
    read("muster.readiness.v1.MonitorService/WatchReadiness"),
    read("muster.readiness.v1.MonitorService/GetTrend"),
    read("muster.readiness.v1.MonitorService/ListAlerts"),
    // Admins open and start by break-glass only; the rules of requests say so.
    change("muster.request.v1.ApprovalService/OpenRequest", &[Operator, Admin]),
    read("muster.request.v1.ApprovalService/GetRequest"),
    read("muster.request.v1.ApprovalService/ListRequests"),
    judge("muster.request.v1.ApprovalService/ApproveRequest", &[ApproverIt, ApproverBusiness]),
    judge("muster.request.v1.ApprovalService/DenyRequest", &[ApproverIt, ApproverBusiness]),
    judge("muster.request.v1.ApprovalService/WithdrawRequest", &[Operator, Admin]),
    judge("muster.request.v1.ApprovalService/StartRequest", &[Operator, Admin]),
    judge("muster.request.v1.ApprovalService/OverrideCheck", &[ApproverIt]),
    judge("muster.request.v1.ApprovalService/ReviewBreakGlass", &[ApproverIt, ApproverBusiness, Admin]),
    judge("muster.request.v1.ApprovalService/Delegate", &[ApproverIt, ApproverBusiness]),
    judge("muster.request.v1.ApprovalService/EndDelegation", &[ApproverIt, ApproverBusiness, Admin]),
    read("muster.request.v1.ApprovalService/ListDelegations"),
    read("muster.request.v1.ApprovalService/ListGates"),
    judge("muster.request.v1.ApprovalService/ProposeGateChange", &[Admin]),
    judge("muster.request.v1.ApprovalService/DecideGateChange", &[ApproverIt, ApproverBusiness]),
    read("muster.request.v1.ApprovalService/ExplainPolicy"),
    read("muster.request.v1.ApprovalService/GetIntent"),
    judge("muster.request.v1.ApprovalService/DecideByIntent", &[ApproverIt, ApproverBusiness]),
    read("muster.execution.v1.ExecutorService/GetExecution"),
    read("muster.execution.v1.ExecutorService/WatchExecution"),
    judge("muster.execution.v1.ExecutorService/StopExecution", &[Operator, ApproverIt, Admin]),
    judge("muster.execution.v1.ExecutorService/PauseExecution", &[Operator, ApproverIt, Admin]),
    judge("muster.execution.v1.ExecutorService/ResumeExecution", &[Operator]),
    judge("muster.execution.v1.ExecutorService/DecideManualStep", &[Operator, ApproverIt, ApproverBusiness, Admin]),
    judge("muster.execution.v1.ExecutorService/NoteExecution", &[Operator, ApproverIt, ApproverBusiness, Admin]),
    change("muster.execution.v1.ExecutorService/Preflight", &[Operator]),
    judge("muster.execution.v1.ExecutorService/AcknowledgeCoolDown", &[Operator, ApproverIt, Admin]),
    read("muster.notification.v1.NotifierService/ListDeliveries"),
    judge("muster.notification.v1.NotifierService/RetryDelivery", &[Operator, Admin]),
    judge("muster.notification.v1.NotifierService/TestRoute", &[Operator, Admin]),
    read("muster.notification.v1.NotifierService/PreviewMessage"),
    read("muster.notification.v1.NotifierService/ListEscalations"),
    judge("muster.notification.v1.NotifierService/AcknowledgeAlert", &[Operator, ApproverIt, Admin]),
    judge("muster.notification.v1.NotifierService/SilenceAlert", &[Operator, Admin]),
    judge("muster.notification.v1.NotifierService/EscalateAlert", &[Operator, ApproverIt, Admin]),
    judge("muster.notification.v1.NotifierService/BindChat", &[ApproverIt, ApproverBusiness]),
    judge("muster.notification.v1.NotifierService/ConfirmChat", &[ApproverIt, ApproverBusiness]),
    judge("muster.notification.v1.NotifierService/UnbindChat", &[ApproverIt, ApproverBusiness, Admin]),
    read("muster.notification.v1.NotifierService/ListChatBindings"),
    read("muster.schedule.v1.ScheduleService/ListSchedules"),
    read("muster.schedule.v1.ScheduleService/GetSchedule"),
    read("muster.schedule.v1.ScheduleService/PreviewSchedule"),
    read("muster.schedule.v1.ScheduleService/ListCalendar"),
    judge("muster.schedule.v1.ScheduleService/RecordReview", &[ApproverIt, ApproverBusiness, Admin]),
    read("muster.audit.v1.AuditService/ListEvents"),
    read("muster.audit.v1.AuditService/ExportEvents"),
    read("muster.audit.v1.AuditService/ExportPackage"),
    read("muster.audit.v1.AuditService/GetLog"),
    read("muster.audit.v1.AuditService/ReadLogFile"),
    read("muster.audit.v1.AuditService/ProveEvent"),
    read("muster.audit.v1.AuditService/StreamLeaves"),
    judge("muster.audit.v1.AuditService/RotateLogKey", &[Admin]),
    judge("muster.audit.v1.AuditService/RevokeLogKey", &[Admin]),
    judge("muster.audit.v1.AuditService/DestroyPayloadKey", &[Admin]),
    read("muster.audit.v1.AuditService/GetRunReport"),
    read("muster.audit.v1.AuditService/GetStory"),
    read("muster.audit.v1.AuditService/ListDeniedAttempts"),
    read("muster.audit.v1.AuditService/ListConfigurationChanges"),
    read("muster.audit.v1.AuditService/ListGaps"),
    judge("muster.audit.v1.AuditService/OpenGap", &[Operator, ApproverIt, ApproverBusiness, Admin]),
    judge("muster.audit.v1.AuditService/PlanGap", &[Operator, ApproverIt, ApproverBusiness, Admin]),
    judge("muster.audit.v1.AuditService/CloseGap", &[ApproverIt, ApproverBusiness, Admin]),
    judge("muster.audit.v1.AuditService/AcceptGap", &[ApproverBusiness]),
    judge("muster.audit.v1.AuditService/ReopenGap", &[Operator, ApproverIt, ApproverBusiness, Admin]),
    judge("muster.audit.v1.AuditService/ReviewDrill", &[ApproverIt, ApproverBusiness, Admin]),
    judge("muster.audit.v1.AuditService/ReviewAudit", &[ApproverIt, ApproverBusiness, Admin]),
];

/// The row of a method, if it has one.
pub fn rule(method: &str) -> Option<&'static AccessRule> {
    TABLE.iter().find(|rule| rule.method == method)
}

/// Whether these roles may call this method.
pub fn check(method: &str, roles: &[Role], kind: ActorKind) -> Result<(), Refusal> {
    let Some(rule) = rule(method) else {
        return Err(refusal(
            "METHOD_NOT_OPEN",
            format!("{method} is in no access rule, so nobody may call it"),
            method,
            "methods of docs/access.md",
            "call a documented method",
        ));
    };
    if !rule.roles.is_empty() && !rule.roles.iter().any(|allowed| roles.contains(allowed)) {
        return Err(refusal(
            "ROLE_MISSING",
            format!("{} needs one of certain roles in this tenant", short(method)),
            role_list(roles),
            role_list(rule.roles),
            "ask an admin of the tenant for the role, or ask someone who holds it",
        ));
    }
    if rule.people_only && kind != ActorKind::Person {
        return Err(refusal(
            "PERSON_REQUIRED",
            format!("{} takes a person's judgement", short(method)),
            "machine",
            "person",
            "log in as a person",
        ));
    }
    Ok(())
}

/// "Viewer, Operator", for people.
pub fn role_list(roles: &[Role]) -> String {
    if roles.is_empty() {
        return "none".into();
    }
    roles.iter().map(|role| role_name(*role)).collect::<Vec<_>>().join(", ")
}

/// The name people and identity providers use.
pub fn role_name(role: Role) -> &'static str {
    match role {
        Role::Unspecified => "none",
        Viewer => "Viewer",
        Operator => "Operator",
        ApproverIt => "Approver-IT",
        ApproverBusiness => "Approver-Business",
        Admin => "Admin",
    }
}

/// The role behind a name, in any case and with `-` or `_`.
pub fn role_by_name(name: &str) -> Option<Role> {
    let wanted = name.to_ascii_lowercase().replace('_', "-");
    EVERY_ROLE.iter().copied().find(|role| role_name(*role).to_ascii_lowercase() == wanted)
}

fn short(method: &str) -> &str {
    method.rsplit('/').next().unwrap_or(method)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test panics to fail")]
    use super::*;
    use prost::Message;

    fn api_methods() -> Vec<String> {
        let set = prost_types::FileDescriptorSet::decode(muster_proto::FILE_DESCRIPTOR_SET).expect("descriptors");
        let mut methods = Vec::new();
        for file in set.file {
            for service in &file.service {
                for method in &service.method {
                    methods.push(format!("{}.{}/{}", file.package(), service.name(), method.name()));
                }
            }
        }
        methods
    }

    #[test]
    fn every_method_of_the_api_has_exactly_one_row_and_no_row_is_left_over() {
        let mut methods = api_methods();
        let mut rows: Vec<String> = TABLE.iter().map(|rule| rule.method.to_owned()).collect();
        methods.sort();
        rows.sort();
        assert!(methods.len() > 20);
        assert_eq!(methods, rows);
    }

    #[test]
    fn the_whole_table_is_what_the_documentation_says() {
        let mut table = String::from("method | roles | people only\n");
        for rule in TABLE {
            table.push_str(&format!("{} | {} | {}\n", rule.method, role_list(rule.roles), rule.people_only));
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn each_role_alone_opens_just_what_its_column_says() {
        for rule in TABLE {
            for role in EVERY_ROLE {
                let allowed = check(rule.method, &[*role], ActorKind::Person).is_ok();
                assert_eq!(allowed, rule.roles.is_empty() || rule.roles.contains(role), "{} {role:?}", rule.method);
            }
            assert_eq!(check(rule.method, &[], ActorKind::Person).is_ok(), rule.roles.is_empty());
        }
    }

    #[test]
    fn machines_never_judge_whatever_roles_they_hold() {
        for rule in TABLE.iter().filter(|rule| rule.people_only) {
            let refused = check(rule.method, EVERY_ROLE, ActorKind::Machine).expect_err(rule.method);
            assert_eq!(refused.code, "PERSON_REQUIRED");
        }
    }

    #[test]
    fn a_viewer_changes_nothing() {
        for rule in TABLE.iter().filter(|rule| rule.changes) {
            assert!(check(rule.method, &[Viewer], ActorKind::Person).is_err(), "{}", rule.method);
        }
    }

    #[test]
    fn an_unknown_method_is_closed() {
        assert_eq!(
            check("muster.x.v1.Y/Z", EVERY_ROLE, ActorKind::Person).expect_err("closed").code,
            "METHOD_NOT_OPEN"
        );
    }
}
