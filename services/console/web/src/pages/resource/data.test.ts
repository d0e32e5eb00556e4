import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { AuditRecordSchema } from "../../gen/muster/audit/v1/audit_pb.ts";
import { LossCertainty } from "../../gen/muster/common/v1/common_pb.ts";
import { DocumentSchema } from "../../gen/muster/inventory/v1/inventory_pb.ts";
import { GetTrendResponseSchema } from "../../gen/muster/readiness/v1/monitor_service_pb.ts";
import { AlertViewSchema, Status } from "../../gen/muster/readiness/v1/readiness_pb.ts";
import { RequestState, RequestType, RequestViewSchema } from "../../gen/muster/request/v1/request_pb.ts";
import { changesOf, openFirst, promised, provenLoss } from "./data.ts";
import { inWords, seriesOf } from "./trend.tsx";

function drill(type: RequestType, execution: object, state = RequestState.SUCCEEDED) {
  return create(RequestViewSchema, { state, opened: { type }, execution } as MessageInitShape<typeof RequestViewSchema>);
}

describe("the RPO that backups promise", () => {
  const resource = (source: object | undefined) =>
    create(DocumentSchema, { spec: { case: "resourceSpec", value: { isolatedDrill: source && { source } } } } as MessageInitShape<typeof DocumentSchema>);

  it("is how old the newest may be, none where none is declared, and not known before the declaration is", () => {
    expect(promised(resource({ case: "backup", value: { tool: "restic", maxAge: durationFromMs(86_400_000) } }))).toBe(86_400_000);
    expect(promised(resource({ case: "backup", value: { tool: "restic" } }))).toBeUndefined();
    expect([promised(resource({ case: "standby", value: {} })), promised(resource(undefined))]).toEqual([null, null]);
    expect(promised(undefined)).toBeUndefined();
  });
});

describe("the RPO that was proven", () => {
  it("is the loss window of the newest drill's copy", () => {
    const copy = { resource: "orders-db", lossWindow: durationFromMs(4_000) };
    const found = provenLoss([drill(RequestType.ISOLATED_DRILL, { succeeded: {}, copies: [copy] })], "orders-db");
    expect(found).toMatchObject({ window: 4_000, none: false });
  });

  it("is no loss where a live drill proved that", () => {
    const loss = { certainty: LossCertainty.PROVEN_NONE };
    expect(provenLoss([drill(RequestType.LIVE_DRILL, { succeeded: { loss } })], "orders-db")).toMatchObject({ none: true });
  });

  it("is nothing after a failed drill, a tabletop, or a switchover", () => {
    const copy = { resource: "orders-db", lossWindow: durationFromMs(4_000) };
    expect(provenLoss([drill(RequestType.ISOLATED_DRILL, { failed: {}, copies: [copy] }, RequestState.FAILED)], "orders-db")).toBeUndefined();
    expect(provenLoss([drill(RequestType.TABLETOP_DRILL, { succeeded: { loss: {} } }), drill(RequestType.SWITCHOVER, { succeeded: { loss: {} } })], "orders-db")).toBeUndefined();
  });
});

it("an open alert is shown however many came and went after it, and each alert once", () => {
  const alert = (alertId: string) => create(AlertViewSchema, { alertId });
  expect(openFirst([alert("old")], [alert("newest"), alert("old"), alert("over")]).map(({ alertId }) => alertId)).toEqual(["old", "newest", "over"]);
});

it("the history is what the record says", () => {
  const payloadJson = JSON.stringify({ statusChanged: { resource: "orders-db", assessment: { status: "STATUS_RED" }, later: "unknown to us" } });
  const other = JSON.stringify({ alertOpened: { alertId: "1" } });
  const records = [create(AuditRecordSchema, { sequence: 7n, payloadJson }), create(AuditRecordSchema, { sequence: 8n, payloadJson: other })];
  expect(changesOf(records).map(({ sequence, changed }) => [sequence, changed.assessment?.status])).toEqual([[7n, Status.RED]]);
});

describe("the trend", () => {
  const point = (second: number, rpo?: number) => ({ at: timestampFromMs(second * 1_000), rpoMax: rpo === undefined ? undefined : durationFromMs(rpo * 1_000) });

  it("keeps a gap as a gap and never as zero", () => {
    const series = seriesOf(create(GetTrendResponseSchema, { points: [point(0, 2), point(10), point(20, 12)] }));
    expect(series).toEqual({ at: [0, 10, 20], rpo: [2, null, 12], known: 2, unseen: 1 });
    expect(inWords(series, 10)).toBe("Worst RPO indicator 12 s; above the limit of 10 s in 1 of 3 intervals; not known in 1 of 3 intervals.");
  });

  it("says when nothing was known", () => {
    expect(inWords(seriesOf(create(GetTrendResponseSchema, { points: [point(0)] })), 10)).toBe("In this time the RPO was never known.");
  });
});
