import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { RequestType, RequestViewSchema } from "../../gen/muster/request/v1/request_pb.ts";
import { OccurrenceSchema, OccurrenceState, ScheduleViewSchema } from "../../gen/muster/schedule/v1/schedule_pb.ts";
import { byUrgency, isDrill, OCCURRENCE_TONES, owed, scopeOf } from "./data.ts";

const schedule = (name: string, next: number | undefined, overdue = false) =>
  create(ScheduleViewSchema, { name, overdue, ...(next === undefined ? {} : { nextDueAt: timestampFromMs(next) }) });

describe("schedules", () => {
  it("are shown overdue first, then by what is due next, and what is never due again last", () => {
    const all = [schedule("never", undefined), schedule("soon", 1_000_000), schedule("later", 9_000_000), schedule("late", 99_000_000, true), schedule("again", 1_000_000)];
    expect(all.sort(byUrgency).map(({ name }) => name)).toEqual(["late", "again", "soon", "later", "never"]);
  });

  it("ask for a review only where one is due and a person records it", () => {
    const open = create(OccurrenceSchema, { state: OccurrenceState.OPEN });
    const upcoming = create(OccurrenceSchema, { state: OccurrenceState.UPCOMING });
    expect(owed("plan-review", [upcoming, open])).toBe(open);
    expect(owed("plan-review", [upcoming])).toBeUndefined();
    expect(owed("isolated-drill", [open])).toBeUndefined();
  });

  it("name their scope, and a state without a tone does not exist", () => {
    expect([scopeOf({ resource: "orders-db" }), scopeOf({ group: "shop" }), scopeOf({ plan: "p" }), scopeOf({})]).toEqual(["orders-db", "group shop", "plan p", "the tenant"]);
    const states = Object.values(OccurrenceState).filter((value): value is OccurrenceState => typeof value === "number");
    expect(states.every((state) => OCCURRENCE_TONES[state] !== undefined)).toBe(true);
  });

  it("tell drills from real moves", () => {
    const of = (type: RequestType) => isDrill(create(RequestViewSchema, { opened: { type } }));
    expect([of(RequestType.ISOLATED_DRILL), of(RequestType.LIVE_DRILL), of(RequestType.SWITCHOVER), of(RequestType.FAILOVER)]).toEqual([true, true, false, false]);
  });
});
