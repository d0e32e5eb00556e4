import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ReadinessViewSchema } from "../../gen/muster/readiness/v1/readiness_pb.ts";
import { FleetStore } from "./store.ts";

const view = (resource: string) => create(ReadinessViewSchema, { resource });

describe("the fleet as the stream tells it", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("shows the first answer at once, also an empty one", () => {
    const store = new FleetStore();
    expect(store.get().begun).toBe(false);
    store.take([], 0);
    expect(store.get()).toMatchObject({ begun: true, error: undefined });
  });

  it("draws bursts together", () => {
    const store = new FleetStore();
    store.take([view("a")], 0);
    let drawn = 0;
    store.subscribe(() => (drawn += 1));
    for (let index = 0; index < 50; index += 1) store.take([view(`r${index}`)], index);
    expect(drawn).toBe(0);
    vi.advanceTimersByTime(250);
    expect([drawn, store.get().seen.size]).toEqual([1, 51]);
  });

  it("drops what does not come any more while others do, and nothing while nothing comes", () => {
    const store = new FleetStore();
    store.take([view("kept"), view("retired")], 0);
    store.take([], 60_000);
    store.take([view("kept")], 61_000);
    vi.advanceTimersByTime(250);
    expect([...store.get().seen.keys()]).toEqual(["kept"]);
  });
});
