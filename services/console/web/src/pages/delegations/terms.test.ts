import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { Role } from "../../gen/muster/common/v1/common_pb.ts";
import { DelegatedSchema } from "../../gen/muster/request/v1/request_pb.ts";
import { holds, holdUp, mayEnd } from "./terms.ts";

const NOW = Date.parse("2026-11-22T08:00:00Z");
const delegation = create(DelegatedSchema, { from: { id: "ingo" }, to: "otto", starts: timestampFromMs(NOW), ends: timestampFromMs(NOW + 1000) });

describe("a delegation", () => {
  it("holds from its first moment up to, and not at, its end", () => {
    expect([NOW - 1, NOW, NOW + 999, NOW + 1000].map((now) => holds(delegation, now))).toEqual(["later", "now", "now", "over"]);
  });

  it("is ended by one of its two people or an admin", () => {
    expect(mayEnd(delegation, "ingo", [Role.APPROVER_IT])).toBe(true);
    expect(mayEnd(delegation, "otto", [Role.APPROVER_IT])).toBe(true);
    expect(mayEnd(delegation, "bea", [Role.APPROVER_BUSINESS])).toBe(false);
    expect(mayEnd(delegation, "ada", [Role.ADMIN])).toBe(true);
  });

  it("needs somebody else and an end that is still to come", () => {
    const draft = { to: "otto", starts: "", ends: "2026-11-23T09:00" };
    expect(holdUp(draft, "ingo", NOW)).toBeNull();
    expect(holdUp({ ...draft, to: " " }, "ingo", NOW)).toMatch(/who acts/);
    expect(holdUp({ ...draft, to: "ingo" }, "ingo", NOW)).toBe("That is you.");
    expect(holdUp({ ...draft, ends: "" }, "ingo", NOW)).toBe("Say when it ends.");
    expect(holdUp({ ...draft, ends: "2026-11-22T08:00" }, "ingo", NOW)).toBe("It ends before it begins.");
    expect(holdUp({ ...draft, starts: "2026-11-24T09:00" }, "ingo", NOW)).toBe("It ends before it begins.");
  });
});
