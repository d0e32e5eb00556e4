import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { Environment, Tier } from "../../gen/muster/common/v1/common_pb.ts";
import { EscalationViewSchema } from "../../gen/muster/notification/v1/notification_pb.ts";
import { AlertKind, AlertViewSchema } from "../../gen/muster/readiness/v1/readiness_pb.ts";
import { answered, cannotAcknowledge, cannotEscalate, cannotSilence } from "./answer.ts";

const NOW = 1_790_000_000_000;
const at = (ms: number) => timestampFromMs(NOW + ms);
const breach = { kind: AlertKind.RPO_BREACH, tier: Tier.TIER_1, environment: Environment.PRODUCTION };

describe("an open alert", () => {
  it("is answered for by nobody until somebody acknowledges it, and again when a silence is over", () => {
    expect(answered(undefined, NOW)).toBe("nobody");
    expect(answered(create(EscalationViewSchema, {}), NOW)).toBe("nobody");
    expect(answered(create(EscalationViewSchema, { silenced: { until: at(1000) } }), NOW)).toBe("silenced");
    expect(answered(create(EscalationViewSchema, { silenced: { until: at(-1000) } }), NOW)).toBe("nobody");
    expect(answered(create(EscalationViewSchema, { acknowledged: {}, silenced: { until: at(1000) } }), NOW)).toBe("acknowledged");
    expect(answered(create(EscalationViewSchema, { acknowledged: {}, endedAt: at(0) }), NOW)).toBe("ended");
  });

  it("is not silenced when it is a tier 1 breach in production, and only then", () => {
    expect(cannotSilence(create(AlertViewSchema, breach))).toMatch(/Acknowledge it/);
    expect(cannotSilence(create(AlertViewSchema, { ...breach, tier: Tier.TIER_2 }))).toBeNull();
    expect(cannotSilence(create(AlertViewSchema, { ...breach, environment: Environment.TEST }))).toBeNull();
    expect(cannotSilence(create(AlertViewSchema, { ...breach, kind: AlertKind.LOST_SIGHT }))).toBeNull();
    expect(cannotSilence(create(AlertViewSchema, { ...breach, tier: Tier.TIER_2, resolvedAt: at(0) }))).toBe("It is over.");
  });

  it("is escalated while somebody of its chain is left, also when somebody looks after it", () => {
    const open = create(AlertViewSchema, breach);
    const escalation = (more: object) => create(EscalationViewSchema, more);
    expect(cannotEscalate(open, escalation({ callableRoutes: ["boss"] }))).toBeNull();
    expect(cannotEscalate(open, escalation({ callableRoutes: ["boss"], acknowledged: {} }))).toBeNull();
    expect(cannotEscalate(open, escalation({ step: 2 }))).toMatch(/was called/);
    expect(cannotEscalate(open, escalation({}))).toMatch(/No policy/);
    expect(cannotEscalate(open, undefined)).toMatch(/No policy/);
    expect(cannotEscalate(create(AlertViewSchema, { ...breach, resolvedAt: at(0) }), escalation({ callableRoutes: ["boss"] }))).toBe("It is over.");
  });

  it("is acknowledged once", () => {
    const open = create(AlertViewSchema, breach);
    expect(cannotAcknowledge(open, undefined)).toBeNull();
    expect(cannotAcknowledge(open, create(EscalationViewSchema, { acknowledged: { by: { name: "Olga" } } }))).toMatch(/^Olga/);
    expect(cannotAcknowledge(create(AlertViewSchema, { ...breach, resolvedAt: at(0) }), undefined)).toBe("It is over.");
  });
});
