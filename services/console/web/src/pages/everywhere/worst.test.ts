import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { Tier } from "../../gen/muster/common/v1/common_pb.ts";
import { ReadinessViewSchema, Status } from "../../gen/muster/readiness/v1/readiness_pb.ts";
import { worst } from "./worst.ts";

const view = (resource: string, status: Status, tier = Tier.TIER_2) =>
  create(ReadinessViewSchema, { resource, tier, assessment: { status }, freshness: durationFromMs(1_000), thresholds: { staleAfter: durationFromMs(10_000) } });
const place = (tenant: string, ...resources: ReturnType<typeof view>[]) => ({ tenant, answer: { resources, at: 0 }, failed: false });
const names = (places: Parameters<typeof worst>[0], now = 0) => worst(places, now).map(({ tenant, view: { resource } }) => `${tenant}/${resource}`);

describe("all tenants", () => {
  it("are one list, worst first, then the most critical, whatever tenant it is in", () => {
    const places = [place("acme", view("a", Status.GREEN), view("b", Status.RED)), place("globex", view("c", Status.RED, Tier.TIER_1), view("d", Status.YELLOW))];
    expect(names(places)).toEqual(["globex/c", "acme/b", "globex/d", "acme/a"]);
  });

  it("show systems of one name side by side in an order that does not jump", () => {
    const places = [place("globex", view("db", Status.RED)), place("acme", view("db", Status.RED))];
    expect(names(places)).toEqual(["acme/db", "globex/db"]);
  });

  it("never show an outlived green as green, nor lose a tenant that did not answer", () => {
    const places = [place("acme", view("a", Status.GREEN)), { tenant: "globex", answer: undefined, failed: true }];
    expect(worst(places, 60_000)[0]?.light).toBe("unknown");
    expect(names(places)).toEqual(["acme/a"]);
  });
});
