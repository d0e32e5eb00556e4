// What people decide about a gap: they promise to mend it, say that it is mended, live with it until a date, or open it again.

import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type ReactNode, useState } from "react";
import { audit } from "../../api/clients.ts";
import { type Here, ROLE_NAMES } from "../../api/person.ts";
import { serverNow } from "../../api/session.ts";
import { troubleOf } from "../../api/trouble.ts";
import { type Gap, GapState } from "../../gen/muster/audit/v1/gap_pb.ts";
import { Role } from "../../gen/muster/common/v1/common_pb.ts";
import { requestType } from "../../lib/words.ts";
import { AskButton } from "../../ui/dialog.tsx";
import { TroubleNotice } from "../../ui/states.tsx";
import { local, instant } from "../../lib/time.ts";
import { useKnownPeople } from "../delegations/people.ts";
import { useEvidence, useGapsChanged } from "./data.ts";
import { cannotEnd, cannotPlan, cannotReopen, dateHold, LONGEST_ACCEPTANCE_DAYS, LONGEST_PLAN_DAYS, needsEvidence } from "./terms.ts";

interface Deed {
  here: Here;
  gap: Gap;
}

export function GapActions({ here, gap }: Deed) {
  const stands = gap.state !== GapState.CLOSED;
  return (
    <div className="actions">
      {stands && here.may("AuditService/PlanGap") && <Plan here={here} gap={gap} />}
      {stands && here.may("AuditService/CloseGap") && <Close here={here} gap={gap} />}
      {stands && here.may("AuditService/AcceptGap") && <Accept here={here} gap={gap} />}
      {gap.state !== GapState.OPEN && here.may("AuditService/ReopenGap") && <Reopen here={here} gap={gap} />}
    </div>
  );
}

const titleOf = (gap: Gap): string => gap.opened?.title ?? "";
const names = ({ here, gap }: Deed) => ({ tenant: here.tenant, gapId: gap.opened?.gapId });
const moment = (field: string) => timestampFromMs(new Date(field).getTime());

function Plan({ here, gap }: Deed) {
  const changed = useGapsChanged(here.tenant);
  const [owner, setOwner] = useState("");
  const [due, setDue] = useState("");
  return (
    <AskButton
      label="Plan"
      title={`Mend it: ${titleOf(gap)}`}
      confirm="Promise it"
      small
      primary
      impossible={cannotPlan(gap)}
      hold={owner.trim() ? dateHold(due, LONGEST_PLAN_DAYS, serverNow()) : "An owner is needed."}
      text={{ label: "What will be done", required: true, long: true }}
      act={(plan) => audit.planGap({ ...names({ here, gap }), plan, owner: owner.trim(), due: moment(due) }).then(changed)}
    >
      <Owner tenant={here.tenant} value={owner} change={setOwner} />
      <DateField label="Until (your time)" value={due} change={setDue} />
    </AskButton>
  );
}

function Owner({ tenant, value, change }: { tenant: string; value: string; change: (value: string) => void }) {
  const people = useKnownPeople(tenant);
  return (
    <label className="field">
      Owner
      <span className="hint">A person or a team: who sees to it.</span>
      <input list="owners" value={value} maxLength={200} autoComplete="off" onChange={(event) => change(event.target.value)} />
      <datalist id="owners">
        {(people.data ?? []).map(({ id, name }) => (
          <option key={id} value={name} />
        ))}
      </datalist>
    </label>
  );
}

function DateField({ label, value, change }: { label: string; value: string; change: (value: string) => void }) {
  return (
    <label className="field">
      {label}
      <input type="datetime-local" value={value} onChange={(event) => change(event.target.value)} />
    </label>
  );
}

function Close({ here, gap }: Deed) {
  const changed = useGapsChanged(here.tenant);
  const [evidence, setEvidence] = useState("");
  const needed = needsEvidence(gap);
  return (
    <AskButton
      label="Close"
      title={`It is mended: ${titleOf(gap)}`}
      confirm="Close the gap"
      small
      impossible={cannotEnd(gap, here.person.id)}
      hold={needed && !evidence ? "A run that shows it is needed." : null}
      text={{ label: "What was done about it", required: true, long: true }}
      act={(note) => audit.closeGap({ ...names({ here, gap }), note, evidenceRequestId: evidence }).then(changed)}
    >
      {needed && <Evidence here={here} gap={gap} value={evidence} change={setEvidence} />}
    </AskButton>
  );
}

/** Only a later run of the same kind shows that what a run found is gone. */
function Evidence({ here, gap, value, change }: Deed & { value: string; change: (value: string) => void }) {
  const runs = useEvidence(here.tenant, gap);
  if (runs.error) return <TroubleNotice trouble={troubleOf(runs.error)} retry={() => void runs.refetch()} />;
  if (runs.data?.length === 0) {
    return (
      <p className="notice yellow">
        A run showed it, and no later run of the same kind has succeeded yet. Repeat the run first; or an {ROLE_NAMES[Role.APPROVER_BUSINESS]} accepts the risk until a date.
      </p>
    );
  }
  return (
    <label className="field">
      The run that shows it
      <select value={value} onChange={(event) => change(event.target.value)}>
        <option value="">{runs.data ? "Choose a run" : "Loading"}</option>
        {runs.data?.map((request) => (
          <option key={request.requestId} value={request.requestId}>
            {requestType(request.opened?.type)}, {local(instant(request.execution?.started?.startedAt) ?? 0)}
          </option>
        ))}
      </select>
    </label>
  );
}

function Accept({ here, gap }: Deed) {
  const changed = useGapsChanged(here.tenant);
  const [until, setUntil] = useState("");
  return (
    <AskButton
      label="Accept the risk"
      title={`Live with it until a date: ${titleOf(gap)}`}
      confirm="Accept the risk"
      small
      danger
      impossible={cannotEnd(gap, here.person.id)}
      hold={dateHold(until, LONGEST_ACCEPTANCE_DAYS, serverNow())}
      text={{ label: "Why the risk is borne", required: true, long: true }}
      act={(reason) => audit.acceptGap({ ...names({ here, gap }), reason, until: moment(until) }).then(changed)}
    >
      <p>On that date it opens again by itself. Your name stands beside it, in the record and in every export.</p>
      <DateField label="Until (your time)" value={until} change={setUntil} />
    </AskButton>
  );
}

function Reopen({ here, gap }: Deed): ReactNode {
  const changed = useGapsChanged(here.tenant);
  return (
    <AskButton
      label="Open again"
      title={`It is there again: ${titleOf(gap)}`}
      confirm="Open it again"
      small
      impossible={cannotReopen(gap)}
      text={{ label: "What shows it", required: true, long: true }}
      act={(reason) => audit.reopenGap({ ...names({ here, gap }), reason }).then(changed)}
    >
      <p>What was planned, accepted or closed holds no more.</p>
    </AskButton>
  );
}
