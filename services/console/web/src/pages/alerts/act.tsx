// What a person does about an alert: looks after it, calls for help, or keeps it quiet for a while and says why.

import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { notifier } from "../../api/clients.ts";
import type { Here } from "../../api/person.ts";
import type { EscalationView } from "../../gen/muster/notification/v1/notification_pb.ts";
import type { AlertView } from "../../gen/muster/readiness/v1/readiness_pb.ts";
import { alertKind } from "../../lib/words.ts";
import { AskButton } from "../../ui/dialog.tsx";
import { cannotAcknowledge, cannotEscalate, cannotSilence, SILENCES } from "./answer.ts";
import { escalationsKey } from "./data.ts";

interface Acting {
  here: Here;
  alert: AlertView;
  escalation: EscalationView | undefined;
}

export function AlertActions({ here, alert, escalation }: Acting) {
  const queries = useQueryClient();
  const [silence, setSilence] = useState<number>(SILENCES[1].ms);
  const { tenant } = here;
  const changed = () => queries.invalidateQueries({ queryKey: escalationsKey(tenant) });
  const calledSteps = escalation?.step ?? 0;
  const about = `${alert.resource}: ${alertKind(alert.kind)}`;
  return (
    <div className="actions">
      {here.may("NotifierService/AcknowledgeAlert") && (
        <AskButton
          label="Acknowledge"
          title={`You look after it: ${about}`}
          confirm="Acknowledge"
          small
          primary
          impossible={cannotAcknowledge(alert, escalation)}
          text={{ label: "Note (optional)", long: true }}
          act={(note, idempotencyKey) => notifier.acknowledgeAlert({ tenant, alertId: alert.alertId, note, idempotencyKey }).then(changed)}
        >
          <p>Nobody further is called and no reminders go out. The alert stays open until its cause is gone; this approves nothing.</p>
        </AskButton>
      )}
      {here.may("NotifierService/EscalateAlert") && (
        <AskButton
          label="Escalate"
          title={`Call for help: ${about}`}
          confirm="Escalate"
          small
          impossible={cannotEscalate(alert, escalation)}
          text={{ label: "What help you need", hint: "Those who are called read it.", required: true, long: true }}
          act={(reason, idempotencyKey) => notifier.escalateAlert({ tenant, alertId: alert.alertId, reason, step: calledSteps + 1, idempotencyKey }).then(changed)}
        >
          <p>
            Called now: <strong>{escalation?.callableRoutes.join(", ")}</strong>. It approves nothing, and whoever looks after the alert still does.
          </p>
        </AskButton>
      )}
      {here.may("NotifierService/SilenceAlert") && (
        <AskButton
          label="Silence"
          title={`Silence: ${about}`}
          confirm="Silence"
          small
          impossible={cannotSilence(alert)}
          text={{ label: "Reason", required: true, long: true }}
          act={(reason, idempotencyKey) => notifier.silenceAlert({ tenant, alertId: alert.alertId, reason, duration: durationFromMs(silence), idempotencyKey }).then(changed)}
        >
          <p>No reminders and no escalation meanwhile. It stays red here, and the silence ends by itself.</p>
          <label className="field">
            For
            <select value={silence} onChange={(event) => setSilence(Number(event.target.value))}>
              {SILENCES.map(({ word, ms }) => (
                <option key={ms} value={ms}>
                  {word}
                </option>
              ))}
            </select>
          </label>
        </AskButton>
      )}
    </div>
  );
}
