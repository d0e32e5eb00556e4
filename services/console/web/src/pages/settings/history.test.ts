import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { ConfigurationChangeSchema } from "../../gen/muster/audit/v1/audit_service_pb.ts";
import { policySource } from "../../lib/words.ts";
import { aboutHref } from "../audit/page.tsx";
import { deedsOf } from "./history.tsx";

it("shows what one event changed together, in its order", () => {
  const change = (sequence: bigint, field: string) => create(ConfigurationChangeSchema, { sequence, field });
  const deeds = deedsOf([change(9n, "spec.rpo"), change(9n, "spec.rto"), change(4n, "spec.tier")]);
  expect(deeds.map((deed) => deed.map(({ field }) => field))).toEqual([["spec.rpo", "spec.rto"], ["spec.tier"]]);
  expect(deedsOf([])).toEqual([]);
});

it("leads from an event to what it is about", () => {
  expect(aboutHref("acme", "orders-db")).toBe("/t/acme/resources/orders-db");
  expect(aboutHref("acme", "group-shop")).toBe("/t/acme/resources/shop");
  expect(aboutHref("acme", "notification-route/demo-mail")).toBe("/t/acme/settings/notification-route/demo-mail");
});

it("names the rule that holds in words", () => {
  expect(policySource("built-in ADR-001, policy strict version 2")).toBe("built-in rule, policy strict version 2");
  expect(policySource(undefined)).toBe("built-in rule");
});
