// Who opened a request, in words. A schedule opens in the name of whoever declared it; that is an id, and no answer to "who".

import type { RequestOpened } from "../../gen/muster/request/v1/request_pb.ts";

export function opener(opened: RequestOpened | undefined): string {
  if (opened?.schedule) return `schedule ${opened.schedule}`;
  return opened?.requester?.name || subjectOf(opened?.requester?.id ?? "") || "nobody known";
}

/** "issuer|subject": the subject is what tells people apart at a glance. */
export const subjectOf = (id: string): string => id.slice(id.lastIndexOf("|") + 1);
