import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { DeliveryState, DeliveryViewSchema } from "../../gen/muster/notification/v1/notification_pb.ts";
import { because, DELIVERY_TONES, marks, outcome } from "./told.ts";

const delivery = (fields: Parameters<typeof create<typeof DeliveryViewSchema>>[1]) => create(DeliveryViewSchema, fields);

describe("what became of a message", () => {
  it("is never said to have been read, and a dead letter is red with its error", () => {
    expect(outcome(DeliveryState.ACCEPTED)).toBe("delivered");
    expect(because(delivery({ state: DeliveryState.GAVE_UP, attempts: 8, lastError: "554 no such user" }))).toBe("554 no such user after 8 attempts");
    expect(because(delivery({ state: DeliveryState.GAVE_UP, attempts: 1 }))).toBe("no error was told");
    expect(DELIVERY_TONES[DeliveryState.GAVE_UP]).toBe("red");
  });

  it("names the rule that kept it back, not an error of an earlier try", () => {
    expect(because(delivery({ state: DeliveryState.HELD, rule: "quiet hours until 07:00", lastError: "timeout" }))).toBe("quiet hours until 07:00");
    expect(because(delivery({ state: DeliveryState.ACCEPTED, attempts: 1, lastError: "timeout" }))).toBe("");
    expect(because(delivery({ state: DeliveryState.ACCEPTED, attempts: 3 }))).toBe("at attempt 3");
  });

  it("says what is a test and what is a reminder", () => {
    expect(marks(delivery({ test: true, repetition: 2 }))).toBe("test, reminder 2");
    expect(marks(delivery({}))).toBe("");
  });

  it("has a tone for every state that the API knows", () => {
    const states = Object.values(DeliveryState).filter((value): value is DeliveryState => typeof value === "number");
    expect(states.filter((state) => DELIVERY_TONES[state] === undefined)).toEqual([]);
  });
});
