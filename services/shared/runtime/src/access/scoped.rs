//! Which message is sent to which method, and where its tenant stands. One list; a test compares it with the API.

/// A request message that names its tenant. Each message belongs to exactly one method, so a handler that has the
/// message knows the method: nothing a caller sends can change which rule is checked.
pub trait TenantScoped {
    /// "muster.request.v1.ApprovalService/ApproveRequest"
    const METHOD: &'static str;

    fn tenant(&self) -> &str;

    /// The request that the call is about, as the caller wrote it; empty where the message names none.
    fn request_id(&self) -> &str;
}

fn first<'m>(named: &[&'m str]) -> &'m str {
    named.first().copied().unwrap_or_default()
}

macro_rules! tenant_scoped {
    ($( $package:ident . $service:ident { $( $method:ident($message:ident $(, $request:ident)?) )* } )*) => {
        $($(
            impl TenantScoped for muster_proto::$package::v1::$message {
                const METHOD: &'static str =
                    concat!("muster.", stringify!($package), ".v1.", stringify!($service), "/", stringify!($method));

                fn tenant(&self) -> &str {
                    &self.tenant
                }

                fn request_id(&self) -> &str {
                    first(&[$(&self.$request)?])
                }
            }
        )*)*

        /// (method, message, its field with the request's id) as the descriptors name them.
        #[cfg(test)]
        const LISTED: &[(&str, &str, &str)] = &[$($( (
            concat!("muster.", stringify!($package), ".v1.", stringify!($service), "/", stringify!($method)),
            concat!(".muster.", stringify!($package), ".v1.", stringify!($message)),
            concat!($(stringify!($request))?),
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
        GetRequest(GetRequestRequest, request_id)
        ListRequests(ListRequestsRequest)
        ApproveRequest(ApproveRequestRequest, request_id)
        DenyRequest(DenyRequestRequest, request_id)
        WithdrawRequest(WithdrawRequestRequest, request_id)
        StartRequest(StartRequestRequest, request_id)
        OverrideCheck(OverrideCheckRequest, request_id)
        ReviewBreakGlass(ReviewBreakGlassRequest, request_id)
        Delegate(DelegateRequest)
        EndDelegation(EndDelegationRequest)
        ListDelegations(ListDelegationsRequest)
        ListGates(ListGatesRequest)
        ProposeGateChange(ProposeGateChangeRequest)
        DecideGateChange(DecideGateChangeRequest)
        ExplainPolicy(ExplainPolicyRequest)
        GetIntent(GetIntentRequest)
        DecideByIntent(DecideByIntentRequest)
    }
    execution.ExecutorService {
        GetExecution(GetExecutionRequest, request_id)
        WatchExecution(WatchExecutionRequest, request_id)
        StopExecution(StopExecutionRequest, request_id)
        PauseExecution(PauseExecutionRequest, request_id)
        ResumeExecution(ResumeExecutionRequest, request_id)
        DecideManualStep(DecideManualStepRequest, request_id)
        NoteExecution(NoteExecutionRequest, request_id)
        Preflight(PreflightRequest)
        AcknowledgeCoolDown(AcknowledgeCoolDownRequest)
    }
    notification.NotifierService {
        ListDeliveries(ListDeliveriesRequest, request_id)
        RetryDelivery(RetryDeliveryRequest)
        TestRoute(TestRouteRequest)
        PreviewMessage(PreviewMessageRequest)
        ListEscalations(ListEscalationsRequest)
        AcknowledgeAlert(AcknowledgeAlertRequest)
        SilenceAlert(SilenceAlertRequest)
        EscalateAlert(EscalateAlertRequest)
        BindChat(BindChatRequest)
        ConfirmChat(ConfirmChatRequest)
        UnbindChat(UnbindChatRequest)
        ListChatBindings(ListChatBindingsRequest)
    }
    schedule.ScheduleService {
        ListSchedules(ListSchedulesRequest)
        GetSchedule(GetScheduleRequest)
        PreviewSchedule(PreviewScheduleRequest)
        ListCalendar(ListCalendarRequest)
        RecordReview(RecordReviewRequest)
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
        GetRunReport(GetRunReportRequest, request_id)
        GetStory(GetStoryRequest, request_id)
        ListDeniedAttempts(ListDeniedAttemptsRequest)
        ListConfigurationChanges(ListConfigurationChangesRequest)
        ListGaps(ListGapsRequest, request_id)
        OpenGap(OpenGapRequest, request_id)
        PlanGap(PlanGapRequest)
        CloseGap(CloseGapRequest)
        AcceptGap(AcceptGapRequest)
        ReopenGap(ReopenGapRequest)
        ReviewDrill(ReviewDrillRequest, request_id)
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
            LISTED.iter().map(|(m, i, _)| ((*m).to_owned(), (*i).to_owned())).collect();
        api.sort();
        listed.sort();
        assert_eq!(api, listed);
    }

    #[test]
    fn a_message_that_names_a_request_is_listed_with_it() {
        let set = prost_types::FileDescriptorSet::decode(muster_proto::FILE_DESCRIPTOR_SET).unwrap();
        let mut named: Vec<String> = Vec::new();
        for file in set.file.iter() {
            let messages = file.message_type.iter().filter(|m| m.field.iter().any(|f| f.name() == "request_id"));
            named.extend(messages.map(|message| format!(".{}.{}", file.package(), message.name())));
        }
        for (_, message, field) in LISTED {
            assert_eq!(*field == "request_id", named.iter().any(|found| found == message), "{message}");
        }
    }

    #[test]
    fn a_message_belongs_to_one_method() {
        let mut messages: Vec<&str> = LISTED.iter().map(|(_, message, _)| *message).collect();
        messages.sort_unstable();
        messages.dedup();
        assert_eq!(messages.len(), LISTED.len());
    }
}
