import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { RequestViewSchema } from "../../gen/muster/request/v1/request_pb.ts";
import { doubtsOf, inboxOf } from "./waiting.ts";

const request = (requestId: string) => create(RequestViewSchema, { requestId });
const all = (count: number, more = false) => ({ data: { items: Array.from({ length: count }), more }, error: null });
const failed = { data: undefined, error: new Error("no answer") };
const notAsked = { data: undefined, error: null };

describe("the inbox", () => {
  it("has each request once, also one that is under way and a break-glass", () => {
    const found = inboxOf([request("a"), request("b"), request("a")], ({ requestId }) => (requestId === "a" ? "Approve or deny" : null));
    expect(found.map(({ request: { requestId } }) => requestId)).toEqual(["a"]);
  });

  it("is the whole truth when everything was read to its end, or need not be asked for", () => {
    expect(doubtsOf({ underWay: all(3), broken: all(0), delegations: all(1) })).toEqual([]);
    expect(doubtsOf({ underWay: all(3), broken: notAsked, delegations: notAsked })).toEqual([]);
  });

  it("says where it stopped before the end", () => {
    expect(doubtsOf({ underWay: all(5_000, true), broken: all(0), delegations: all(0) })).toEqual([expect.stringMatching(/newest 5,000 .* may wait for you/)]);
    expect(doubtsOf({ underWay: all(3), broken: all(5_000, true), delegations: all(5_000, true) })).toHaveLength(2);
  });

  it("says what it could not ask for", () => {
    expect(doubtsOf({ underWay: all(0), broken: failed, delegations: all(0) })).toEqual([expect.stringMatching(/review is owed is not known/)]);
    expect(doubtsOf({ underWay: all(0), broken: all(0), delegations: failed })).toEqual([expect.stringMatching(/somebody who is away is not known/)]);
  });
});
