import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { Tier } from "../../gen/muster/common/v1/common_pb.ts";
import { ReadinessViewSchema, Status } from "../../gen/muster/readiness/v1/readiness_pb.ts";
import { ageOf, counts, type Filters, isFresh, lightNow, matches, rowsOf, type Seen, why } from "./rows.ts";

const SECOND = 1_000;

function seen(resource: string, status: Status, change: object = {}): Seen {
  const view = create(ReadinessViewSchema, {
    resource,
    tier: Tier.TIER_2,
    freshness: durationFromMs(2 * SECOND),
    thresholds: { staleAfter: durationFromMs(10 * SECOND) },
    assessment: { status, reasons: [{ code: "RPO_OK", text: "within the limit" }] },
    ...change,
  } as MessageInitShape<typeof ReadinessViewSchema>);
  return { view, at: 0 };
}

const rows = (...all: Seen[]) => rowsOf(new Map(all.map((one) => [one.view.resource, one])), 0);
const NONE: Filters = { q: "", status: "", tier: "", site: "", env: "" };

describe("the order of the fleet", () => {
  it("is worst first, then the most critical, then by name", () => {
    const found = rows(
      seen("z-green", Status.GREEN, { tier: Tier.TIER_1 }),
      seen("b-red", Status.RED),
      seen("a-red", Status.RED),
      seen("c-red", Status.RED, { tier: Tier.TIER_1 }),
      seen("yellow", Status.YELLOW),
      seen("unknown", Status.UNKNOWN),
    );
    expect(found.map(({ view }) => view.resource)).toEqual(["c-red", "a-red", "b-red", "unknown", "yellow", "z-green"]);
  });
});

describe("what nobody sees any more", () => {
  it("ages by itself and is no green", () => {
    const green = seen("orders-db", Status.GREEN);
    expect(ageOf(green, 5 * SECOND)).toBe(7 * SECOND);
    expect([isFresh(green, 8 * SECOND), isFresh(green, 8 * SECOND + 1)]).toEqual([true, false]);
    expect([lightNow(green, 8 * SECOND), lightNow(green, 9 * SECOND)]).toEqual(["green", "unknown"]);
  });

  it("stays red where it was red", () => {
    expect(lightNow(seen("orders-db", Status.RED), 60 * SECOND)).toBe("red");
  });

  it("was never seen, and that is unknown and not zero", () => {
    const never = { view: create(ReadinessViewSchema, { resource: "new" }), at: 0 };
    expect([ageOf(never, 0), lightNow(never, 0), isFresh(never, 0)]).toEqual([undefined, "unknown", false]);
    expect(why(never.view)).toBe("No observation yet.");
  });
});

describe("filters", () => {
  const fleet = rows(seen("orders-db", Status.RED, { activeSite: "fra", owner: "team-shop" }), seen("billing-db", Status.GREEN, { activeSite: "ams", tier: Tier.TIER_1 }));
  const named = (filters: Partial<Filters>) => fleet.filter((row) => matches(row, { ...NONE, ...filters })).map(({ view }) => view.resource);

  it("leave what fits all of them", () => {
    expect(named({})).toEqual(["orders-db", "billing-db"]);
    expect(named({ status: "red,unknown" })).toEqual(["orders-db"]);
    expect(named({ q: "TEAM orders" })).toEqual(["orders-db"]);
    expect(named({ site: "ams", tier: "1" })).toEqual(["billing-db"]);
    expect(named({ site: "ams", tier: "2" })).toEqual([]);
  });

  it("count each light as if no light were chosen", () => {
    expect(counts(fleet, { ...NONE, status: "red" })).toEqual({ red: 1, unknown: 0, yellow: 0, green: 1 });
    expect(counts(fleet, { ...NONE, site: "ams" })).toEqual({ red: 0, unknown: 0, yellow: 0, green: 1 });
  });
});
