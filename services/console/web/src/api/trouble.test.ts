import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { BadRequestSchema, ErrorInfoSchema } from "../gen/google/rpc/error_details_pb.ts";
import { Role } from "../gen/muster/common/v1/common_pb.ts";
import { may } from "./person.ts";
import { troubleOf } from "./trouble.ts";

describe("what the API refuses", () => {
  it("is shown with rule, value, limit and what to do", () => {
    const metadata = { rule: "a requester never approves", value: "olga", limit: "another person", next_action: "ask an approver", field: "" };
    const refusal = { desc: ErrorInfoSchema, value: create(ErrorInfoSchema, { reason: "APPROVER_IS_REQUESTER", domain: "muster", metadata }) };
    const trouble = troubleOf(new ConnectError("no", Code.FailedPrecondition, undefined, [refusal]));
    expect(trouble).toMatchObject({ kind: "refused", code: "APPROVER_IS_REQUESTER", text: metadata.rule, value: "olga", limit: "another person", nextAction: "ask an approver" });
  });

  it.each([
    [Code.PermissionDenied, "not-allowed"],
    [Code.NotFound, "not-found"],
    [Code.Unauthenticated, "logged-out"],
    [Code.Unavailable, "unreachable"],
    [Code.DeadlineExceeded, "unreachable"],
    [Code.Unimplemented, "not-offered"],
    [Code.Internal, "broken"],
  ])("code %i is %s", (code, kind) => expect(troubleOf(new ConnectError("x", code)).kind).toBe(kind));

  it("names every fault of a text by its place", () => {
    const fieldViolations = [
      { field: "document 1, line 7, column 9: spec.rpo", description: "a length of time" },
      { field: "manifest", description: "and 3 more faults" },
    ];
    const details = { desc: BadRequestSchema, value: create(BadRequestSchema, { fieldViolations }) };
    const trouble = troubleOf(new ConnectError("no", Code.InvalidArgument, undefined, [details]));
    expect(trouble.faults).toEqual([
      { place: "document 1, line 7, column 9: spec.rpo", text: "a length of time" },
      { place: "manifest", text: "and 3 more faults" },
    ]);
    expect(troubleOf(new ConnectError("no", Code.FailedPrecondition)).faults).toEqual([]);
  });

  it("is not what the network did", () => {
    expect(troubleOf(new TypeError("Failed to fetch")).kind).toBe("unreachable");
    expect(troubleOf(new TypeError("Failed to fetch")).text).toMatch(/^No answer came/);
    expect(troubleOf(new ConnectError("the log is not there", Code.Unavailable)).text).toBe("the log is not there");
  });
});

describe("what a role may do", () => {
  it("is what the access table says", () => {
    expect(may([Role.VIEWER], "ApprovalService/ApproveRequest")).toBe(false);
    expect(may([Role.APPROVER_IT], "ApprovalService/ApproveRequest")).toBe(true);
    expect(may([Role.OPERATOR], "ApprovalService/StartRequest")).toBe(true);
    expect(may([], "ApprovalService/GetRequest")).toBe(false);
    expect(may([], "IdentityService/WhoAmI")).toBe(true);
  });
});
