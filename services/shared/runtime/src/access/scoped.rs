//! Which message is sent to which method, and where its tenant stands. One list; a test compares it with the API.

/// A request message that names its tenant. Each message belongs to exactly one method, so a handler that has the
/// message knows the method: nothing a caller sends can change which rule is checked.
pub trait TenantScoped {
    /// "muster.request.v1.ApprovalService/ApproveRequest"
    const METHOD: &'static str;

    fn tenant(&self) -> &str;
}

macro_rules! tenant_scoped {
    ($( $package:ident . $service:ident { $( $method:ident($message:ident) )* } )*) => {
        $($(
            impl TenantScoped for muster_proto::$package::v1::$message {
                const METHOD: &'static str =
                    concat!("muster.", stringify!($package), ".v1.", stringify!($service), "/", stringify!($method));

                fn tenant(&self) -> &str {
                    &self.tenant
                }
            }
        )*)*

        /// (method, message) as the descriptors name them.
        #[cfg(test)]
        const LISTED: &[(&str, &str)] = &[$($( (
            concat!("muster.", stringify!($package), ".v1.", stringify!($service), "/", stringify!($method)),
            concat!(".muster.", stringify!($package), ".v1.", stringify!($message)),
        ), )*)*];
    };
}

tenant_scoped! {
    inventory.PlannerService {
        Apply(ApplyRequest)
        GetDocument(GetDocumentRequest)
        ListDocuments(ListDocumentsRequest)
        RetireDocument(RetireDocumentRequest)
    }
    plan.PlanService {
        GetPlan(GetPlanRequest)
        ListPlans(ListPlansRequest)
        LintPlan(LintPlanRequest)
        SubmitPlan(SubmitPlanRequest)
        ReturnPlan(ReturnPlanRequest)
        PublishPlan(PublishPlanRequest)
        RenderPlan(RenderPlanRequest)
    }
    readiness.MonitorService {
        ListReadiness(ListReadinessRequest)
        GetReadiness(GetReadinessRequest)
        WatchReadiness(WatchReadinessRequest)
        GetTrend(GetTrendRequest)
        ListAlerts(ListAlertsRequest)
    }
    request.ApprovalService {
        OpenRequest(OpenRequestRequest)
        GetRequest(GetRequestRequest)
        ListRequests(ListRequestsRequest)
        ApproveRequest(ApproveRequestRequest)
        DenyRequest(DenyRequestRequest)
        WithdrawRequest(WithdrawRequestRequest)
        StartRequest(StartRequestRequest)
        OverrideCheck(OverrideCheckRequest)
        ReviewBreakGlass(ReviewBreakGlassRequest)
        Delegate(DelegateRequest)
        EndDelegation(EndDelegationRequest)
        ListDelegations(ListDelegationsRequest)
        ListGates(ListGatesRequest)
        ProposeGateChange(ProposeGateChangeRequest)
        DecideGateChange(DecideGateChangeRequest)
        ExplainPolicy(ExplainPolicyRequest)
    }
    execution.ExecutorService {
        GetExecution(GetExecutionRequest)
        WatchExecution(WatchExecutionRequest)
        StopExecution(StopExecutionRequest)
        PauseExecution(PauseExecutionRequest)
        ResumeExecution(ResumeExecutionRequest)
        DecideManualStep(DecideManualStepRequest)
        NoteExecution(NoteExecutionRequest)
        Preflight(PreflightRequest)
        AcknowledgeCoolDown(AcknowledgeCoolDownRequest)
    }
    notification.NotifierService {
        ListDeliveries(ListDeliveriesRequest)
    }
    audit.AuditService {
        ListEvents(ListEventsRequest)
        ExportEvents(ExportEventsRequest)
        ExportPackage(ExportPackageRequest)
        GetLog(GetLogRequest)
        ReadLogFile(ReadLogFileRequest)
        ProveEvent(ProveEventRequest)
        StreamLeaves(StreamLeavesRequest)
        RotateLogKey(RotateLogKeyRequest)
        RevokeLogKey(RevokeLogKeyRequest)
        DestroyPayloadKey(DestroyPayloadKeyRequest)
        GetRunReport(GetRunReportRequest)
        GetStory(GetStoryRequest)
        ListDeniedAttempts(ListDeniedAttemptsRequest)
        ListConfigurationChanges(ListConfigurationChangesRequest)
        ListGaps(ListGapsRequest)
        OpenGap(OpenGapRequest)
        PlanGap(PlanGapRequest)
        CloseGap(CloseGapRequest)
        AcceptGap(AcceptGapRequest)
        ReopenGap(ReopenGapRequest)
        ReviewDrill(ReviewDrillRequest)
        ReviewAudit(ReviewAuditRequest)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use prost::Message;

    use super::LISTED;

    /// Methods of the API whose request has a tenant, from the descriptors.
    fn of_the_api() -> Vec<(String, String)> {
        let set = prost_types::FileDescriptorSet::decode(muster_proto::FILE_DESCRIPTOR_SET).unwrap();
        let mut methods = Vec::new();
        for file in set.file.iter() {
            for service in &file.service {
                for method in &service.method {
                    let name = format!("{}.{}/{}", file.package(), service.name(), method.name());
                    methods.push((name, method.input_type().to_owned()));
                }
            }
        }
        // The only request without a tenant: it asks which tenants there are.
        methods.retain(|(name, _)| name != "muster.identity.v1.IdentityService/WhoAmI");
        methods
    }

    #[test]
    fn the_list_is_the_api() {
        let mut api = of_the_api();
        let mut listed: Vec<(String, String)> =
            LISTED.iter().map(|(m, i)| ((*m).to_owned(), (*i).to_owned())).collect();
        api.sort();
        listed.sort();
        assert_eq!(api, listed);
    }

    #[test]
    fn a_message_belongs_to_one_method() {
        let mut messages: Vec<&str> = LISTED.iter().map(|(_, message)| *message).collect();
        messages.sort_unstable();
        messages.dedup();
        assert_eq!(messages.len(), LISTED.len());
    }
}
