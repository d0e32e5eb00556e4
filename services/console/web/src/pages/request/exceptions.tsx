// Before a request is started: what its checks say now, and who takes the responsibility for one that says no.

import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { approval, executor, newKey } from "../../api/clients.ts";
import type { Here } from "../../api/person.ts";
import { troubleOf } from "../../api/trouble.ts";
import { OVERRIDABLE } from "../../gen/overridable.ts";
import type { RequestView } from "../../gen/muster/request/v1/request_pb.ts";
import { typeName } from "../../lib/words.ts";
import { AskButton } from "../../ui/dialog.tsx";
import { TroubleNotice } from "../../ui/states.tsx";
import { PreflightResult } from "../requests/open.tsx";
import { weighs } from "./overridable.ts";

/** A preflight looks at every node itself. */
const PREFLIGHT_LIMIT_MS = 60_000;

export function Exceptions({ here, request, changed }: { here: Here; request: RequestView; changed: () => Promise<unknown> }) {
  const checks = here.may("ExecutorService/Preflight");
  const overrides = here.may("ApprovalService/OverrideCheck");
  if (!checks && !overrides) return null;
  return (
    <details className="panel">
      <summary>
        <h2>Checks before the start</h2>
      </summary>
      <div className="body">
        <p className="small quiet">Every check is made again before the first step, and a run stops at one that says no. What a run cannot do without is never overridden.</p>
        {checks && <CheckNow here={here} request={request} />}
        {overrides && <Override here={here} request={request} changed={changed} />}
      </div>
    </details>
  );
}

function CheckNow({ here, request }: { here: Here; request: RequestView }) {
  const opened = request.opened;
  const check = useMutation({
    mutationFn: async () =>
      (
        await executor.preflight(
          {
            tenant: here.tenant,
            type: typeName(opened?.type ?? 0),
            resource: opened?.group ? "" : opened?.resource,
            group: opened?.group,
            targetSite: opened?.targetSite,
            plan: opened?.plan?.name,
            idempotencyKey: newKey(),
          },
          { timeoutMs: PREFLIGHT_LIMIT_MS },
        )
      ).report,
  });
  return (
    <div className="stack">
      <button type="button" className="button small-button" disabled={check.isPending} onClick={() => check.mutate()}>
        {check.isPending ? "Checking" : "Check now"}
      </button>
      {check.error && <TroubleNotice trouble={troubleOf(check.error)} />}
      {check.data && <PreflightResult report={check.data} />}
    </div>
  );
}

function Override({ here, request, changed }: { here: Here; request: RequestView; changed: () => Promise<unknown> }) {
  const members = request.opened?.members.map(({ resource }) => resource) ?? [];
  const own = request.opened?.requester?.id === here.person.id;
  const [check, setCheck] = useState("");
  const [resource, setResource] = useState(members.length === 1 ? (members[0] ?? "") : "");
  const name = check.trim();
  const weight = weighs(name);
  return (
    <AskButton
      label="Override a check"
      title="Take the responsibility for a check that says no"
      confirm="I take the responsibility"
      small
      danger
      impossible={own ? "You asked for it yourself: another Approver-IT takes the responsibility." : null}
      hold={!name ? "Name the check." : weight === undefined ? "That check is never overridden, or its name is mistyped." : null}
      text={{ label: "What the responsibility rests on", required: true, long: true }}
      act={(reason, idempotencyKey) => approval.overrideCheck({ tenant: here.tenant, requestId: request.requestId, check: name, resource, reason, idempotencyKey }).then(changed)}
    >
      <p>Your name stands beside it, in the request, in the run and in its report.</p>
      <label className="field">
        Check
        <span className="hint">As the preflight names it, “integrity/orders-count”.</span>
        <input list="overridable" value={check} autoComplete="off" spellCheck={false} onChange={(event) => setCheck(event.target.value)} />
        <datalist id="overridable">
          {Object.entries(OVERRIDABLE).map(([kind, says]) => (
            <option key={kind} value={kind}>
              {says}
            </option>
          ))}
        </datalist>
      </label>
      {weight && <p className="notice yellow">You take the responsibility for it: {weight}.</p>}
      <label className="field">
        System
        <select value={resource} onChange={(event) => setResource(event.target.value)}>
          <option value="">The run as a whole</option>
          {members.map((member) => (
            <option key={member}>{member}</option>
          ))}
        </select>
      </label>
    </AskButton>
  );
}
