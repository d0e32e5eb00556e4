// The API, as everybody's: gRPC-Web from the contracts in proto/. Calls go to the page's own origin, where the console
// attaches the session's token.

import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { AuditService } from "../gen/muster/audit/v1/audit_service_pb.ts";
import { ExecutorService } from "../gen/muster/execution/v1/executor_service_pb.ts";
import { IdentityService } from "../gen/muster/identity/v1/identity_pb.ts";
import { PlannerService } from "../gen/muster/inventory/v1/planner_service_pb.ts";
import { NotifierService } from "../gen/muster/notification/v1/notifier_service_pb.ts";
import { PlanService } from "../gen/muster/plan/v1/plan_service_pb.ts";
import { MonitorService } from "../gen/muster/readiness/v1/monitor_service_pb.ts";
import { ApprovalService } from "../gen/muster/request/v1/approval_service_pb.ts";
import { ScheduleService } from "../gen/muster/schedule/v1/schedule_service_pb.ts";
import { connection } from "./connection.ts";
import { inBackground, sessionKey } from "./session.ts";

/** The server gives up a little later; a page that waits longer than this looks dead. */
const CALL_LIMIT_MS = 20_000;

/** Says to the page whether Muster answers, and proves to the console that the call is the page's own. */
const accounted: Interceptor = (next) => async (request) => {
  request.header.set("x-muster-session-key", sessionKey());
  if (inBackground()) request.header.set("x-muster-background", "1");
  try {
    const answer = await next(request);
    connection.answered();
    return answer;
  } catch (error) {
    notice(error, request.signal);
    throw error;
  }
};

export function notice(error: unknown, signal?: AbortSignal) {
  if (signal?.aborted) return;
  const status = ConnectError.from(error);
  if (status.code === Code.Unauthenticated) connection.over();
  // Unknown without a status of the API: the network, or something between it and us.
  else if (status.code === Code.Unavailable || status.code === Code.DeadlineExceeded || isNetwork(status)) connection.lost();
  else connection.answered();
}

function isNetwork(status: ConnectError): boolean {
  return status.code === Code.Unknown && status.cause instanceof TypeError;
}

const unary = createGrpcWebTransport({ baseUrl: "/rpc", interceptors: [accounted], defaultTimeoutMs: CALL_LIMIT_MS });
/** Streams have no end of their own. */
const streaming = createGrpcWebTransport({ baseUrl: "/rpc", interceptors: [accounted] });

export const identity = createClient(IdentityService, unary);
export const monitor = createClient(MonitorService, unary);
export const approval = createClient(ApprovalService, unary);
export const executor = createClient(ExecutorService, unary);
export const planner = createClient(PlannerService, unary);
export const plans = createClient(PlanService, unary);
export const notifier = createClient(NotifierService, unary);
export const schedules = createClient(ScheduleService, unary);
export const audit = createClient(AuditService, unary);

export const live = {
  monitor: createClient(MonitorService, streaming),
  executor: createClient(ExecutorService, streaming),
  audit: createClient(AuditService, streaming),
};

/** The same key from the same person answers with the same deed: a double click is one. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
