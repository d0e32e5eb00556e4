// What a page says when the API says no: what happened, why, what to do.

import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema } from "../gen/google/rpc/error_details_pb.ts";

export interface Trouble {
  kind: "refused" | "not-allowed" | "not-found" | "unreachable" | "logged-out" | "not-offered" | "broken";
  title: string;
  text: string;
  /** Of a refusal. */
  code?: string;
  field?: string;
  value?: string;
  limit?: string;
  nextAction?: string;
  /** Of a text with several faults: each with its place, "document 1, line 7, column 9: spec.rpo". */
  faults: { place: string; text: string }[];
}

export function troubleOf(error: unknown): Trouble {
  const status = ConnectError.from(error);
  const kind = kindOf(status);
  const info = status.findDetails(ErrorInfoSchema)[0];
  const trouble: Trouble = { kind, title: TITLES[kind], text: wordsFor(kind, status), faults: faultsOf(status) };
  if (info) {
    trouble.code = info.reason;
    trouble.text = info.metadata.rule || trouble.text;
    trouble.field = info.metadata.field;
    trouble.value = info.metadata.value;
    trouble.limit = info.metadata.limit;
    trouble.nextAction = info.metadata.next_action;
  }
  return trouble;
}

/** What Muster says; but not what a browser says about its network. */
function wordsFor(kind: Trouble["kind"], status: ConnectError): string {
  if (kind === "not-offered") return "Its service is older than this page, or that part of it is switched off";
  if (status.cause instanceof TypeError) return "No answer came. Trying again is safe: nothing is done twice";
  return status.rawMessage || TITLES[kind];
}

function faultsOf(status: ConnectError): Trouble["faults"] {
  return status.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations.map(({ field, description }) => ({ place: field, text: description })));
}

const TITLES: Record<Trouble["kind"], string> = {
  refused: "This was not done",
  "not-allowed": "You may not see or do this",
  "not-found": "This does not exist",
  unreachable: "Muster does not answer",
  "logged-out": "You are logged out",
  "not-offered": "This Muster does not offer that",
  broken: "Something went wrong",
};

function kindOf(status: ConnectError): Trouble["kind"] {
  switch (status.code) {
    case Code.Unauthenticated:
      return "logged-out";
    case Code.PermissionDenied:
      return "not-allowed";
    case Code.Unimplemented:
      return "not-offered";
    case Code.NotFound:
      return "not-found";
    case Code.InvalidArgument:
    case Code.FailedPrecondition:
    case Code.Aborted:
    case Code.AlreadyExists:
    case Code.OutOfRange:
    case Code.ResourceExhausted:
      return "refused";
    case Code.Unavailable:
    case Code.DeadlineExceeded:
    case Code.Canceled:
      return "unreachable";
    default:
      return status.cause instanceof TypeError ? "unreachable" : "broken";
  }
}
