import { describe, expect, it } from "vitest";
import { GateLevel } from "../../gen/muster/request/v1/request_pb.ts";
import { otherwiseNow } from "./answers.ts";

const told = (change: object = {}) => ({ text: "one Approver-IT, not the requester", requireTicket: false, freeze: "", gate: GateLevel.L0, ...change });

describe("a draft of a policy", () => {
  it("changes nothing where every answer stays the same", () => {
    expect(otherwiseNow(told(), told())).toEqual([]);
  });

  it("says what holds now wherever it would be otherwise", () => {
    expect(otherwiseNow(told(), told({ text: "two Approver-IT" }))).toEqual(["Now: one Approver-IT, not the requester."]);
    expect(otherwiseNow(told({ requireTicket: true }), told())).toEqual(["Now a ticket is needed."]);
    expect(otherwiseNow(told(), told({ requireTicket: true }))).toEqual(["Now a ticket is optional."]);
    expect(otherwiseNow(told({ freeze: "year end" }), told())).toEqual(["Now held up by a change freeze: year end."]);
    expect(otherwiseNow(told(), told({ freeze: "year end", gate: GateLevel.L1, text: "nobody" }))).toHaveLength(3);
  });
});
