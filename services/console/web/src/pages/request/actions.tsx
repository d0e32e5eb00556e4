// What the person who looks can do now. What their role may not do is not here; what is not possible now says why.

import { approval } from "../../api/clients.ts";
import { type Here, ROLE_NAMES } from "../../api/person.ts";
import { serverNow, stepUpAddress } from "../../api/session.ts";
import { Role } from "../../gen/muster/common/v1/common_pb.ts";
import { RequestState, type RequestView } from "../../gen/muster/request/v1/request_pb.ts";
import { instant } from "../../lib/time.ts";
import { AskButton } from "../../ui/dialog.tsx";
import { useDelegations } from "../delegations/data.ts";
import { cannotDecide, delegationFor } from "../requests/inbox.ts";
import { direction, subject } from "../requests/page.tsx";
import { isDecidable } from "./data.ts";
import { WhatIsAtStake } from "./evidence.tsx";

export function Actions({ here, request, changed }: { here: Here; request: RequestView; changed: () => Promise<unknown> }) {
  const decides = here.may("ApprovalService/ApproveRequest");
  const starts = here.may("ApprovalService/StartRequest");
  const reviews = here.may("ApprovalService/ReviewBreakGlass") && request.confirmed?.breakGlass === true && !request.review;
  if (isDecidable(request) && (decides || starts)) {
    return (
      <section className="decide" aria-label="Decide">
        <p className="statement">{standing(request)}</p>
        <div className="actions">
          {decides && <Decide here={here} request={request} changed={changed} />}
          {starts && <Start here={here} request={request} changed={changed} />}
          {here.may("ApprovalService/WithdrawRequest") && <Withdraw here={here} request={request} changed={changed} />}
        </div>
      </section>
    );
  }
  if (isDecidable(request)) return <p className="statement">{standing(request)}</p>;
  return reviews ? <Review here={here} request={request} changed={changed} /> : null;
}

interface Deed {
  here: Here;
  request: RequestView;
  changed: () => Promise<unknown>;
}

function standing(request: RequestView): string {
  if (request.missing.length > 0) return `Still missing: ${request.missing.join(", ")}.`;
  return request.state === RequestState.APPROVED ? "Everything required is there. An operator can start it." : "It waits for approval.";
}

function Decide({ here, request, changed }: Deed) {
  const delegations = useDelegations(here.tenant).data?.items ?? [];
  const own = cannotDecide(request, here.person.id, here.roles);
  const delegation = own === null ? undefined : delegationFor(request, here.person.id, delegations, serverNow());
  const no = delegation ? null : own;
  const names = { tenant: here.tenant, requestId: request.requestId };
  const hash = request.opened?.plan?.hash ?? "";
  return (
    <>
      <AskButton
        label="Approve"
        title={`Approve: ${subject(request)}, ${direction(request)}`}
        confirm="Approve"
        primary
        impossible={no}
        text={{ label: "Note (optional)", long: true }}
        act={(note, idempotencyKey) => approval.approveRequest({ ...names, note, idempotencyKey, planHash: hash, onBehalfOf: delegation?.from?.id ?? "" }).then(changed)}
      >
        <WhatIsAtStake request={request} tenant={here.tenant} />
        {request.opened?.policy?.stepUp && (
          <p className="notice">
            The policy takes a login made for this approval, with a second factor. <a href={stepUpAddress(location.pathname)}>Log in again</a>, then approve within 5 minutes.
          </p>
        )}
        {delegation && (
          <p className="notice">
            You decide for {delegation.from?.name || delegation.from?.id}, who is away, as {ROLE_NAMES[delegation.role]}.
          </p>
        )}
        <p className="quiet">
          You approve this text and no other: plan <code>{hash.slice(0, 16)}</code>. If the plan or a resource changes, the approval no longer holds.
        </p>
      </AskButton>
      <AskButton
        label="Deny"
        title={`Deny: ${subject(request)}`}
        confirm="Deny"
        danger
        impossible={no?.startsWith("It does not") ? no : request.opened?.requester?.id === here.person.id ? "You asked for it yourself: withdraw it instead." : null}
        text={{ label: "Reason", required: true, long: true }}
        act={(reason, idempotencyKey) => approval.denyRequest({ ...names, reason, idempotencyKey }).then(changed)}
      />
    </>
  );
}

/** Why it cannot be started now; null when it can. The API checks it all again. */
export function cannotStart(request: RequestView, roles: readonly Role[], now: number): string | null {
  const glass = request.opened?.breakGlass;
  const until = instant(glass?.until);
  const glassHolds = glass !== undefined && !request.breakGlassLapsed && until !== undefined && until > now;
  const lapse = instant(request.opened?.expiresAt);
  if (lapse !== undefined && lapse <= now) return "It has lapsed. Open a new request.";
  if (glassHolds) return null;
  if (!roles.includes(Role.OPERATOR)) return "An Operator starts it. Admins start by break-glass only.";
  return request.missing.length > 0 ? `Not possible yet. Missing: ${request.missing.join(", ")}.` : null;
}

function Start({ here, request, changed }: Deed) {
  const phrase = request.opened?.confirmationPhrase ?? "";
  return (
    <AskButton
      label="Start"
      title={`Start: ${subject(request)}, ${direction(request)}`}
      confirm="Start now"
      danger
      impossible={cannotStart(request, here.roles, serverNow())}
      text={{ label: "Type the phrase to start", exactly: phrase }}
      act={(confirmation, idempotencyKey) => approval.startRequest({ tenant: here.tenant, requestId: request.requestId, confirmation, idempotencyKey }).then(changed)}
    >
      <WhatIsAtStake request={request} tenant={here.tenant} />
      <p>It begins at once. The clock against the RTO runs from here. The checks come first; nothing is changed before they pass.</p>
      <p>
        <code className="phrase">{phrase}</code>
      </p>
    </AskButton>
  );
}

function Withdraw({ here, request, changed }: Deed) {
  return (
    <AskButton
      label="Withdraw"
      title={`Withdraw: ${subject(request)}`}
      confirm="Withdraw"
      text={{ label: "Reason", required: true, long: true }}
      act={(reason, idempotencyKey) => approval.withdrawRequest({ tenant: here.tenant, requestId: request.requestId, reason, idempotencyKey }).then(changed)}
    />
  );
}

function Review({ here, request, changed }: Deed) {
  const own = request.confirmed?.actor?.id === here.person.id || request.opened?.requester?.id === here.person.id;
  const impossible = own ? "Somebody else reviews what you did." : null;
  const review = (justified: boolean) => (findings: string, idempotencyKey: string) =>
    approval.reviewBreakGlass({ tenant: here.tenant, requestId: request.requestId, justified, findings, idempotencyKey }).then(changed);
  const text = { label: "Findings", required: true, long: true };
  return (
    <section className="decide" aria-label="Review">
      <p className="statement">The glass was broken. A review is owed: was it justified?</p>
      <div className="actions">
        <AskButton label="Justified" title="It was justified" confirm="Record the review" primary impossible={impossible} text={text} act={review(true)} />
        <AskButton label="Not justified" title="It was not justified" confirm="Record the review" danger impossible={impossible} text={text} act={review(false)} />
      </div>
    </section>
  );
}
