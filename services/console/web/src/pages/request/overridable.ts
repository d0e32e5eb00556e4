// Checks that one Approver-IT may take the responsibility for: the domain's own list. What it does not name is refused.

import { OVERRIDABLE } from "../../gen/overridable.ts";

/** What somebody takes the responsibility for; undefined: never. "integrity/orders-count" is one of the kind "integrity". */
export function weighs(check: string): string | undefined {
  const kind = check.split("/")[0] ?? "";
  return Object.hasOwn(OVERRIDABLE, kind) ? OVERRIDABLE[kind] : undefined;
}
