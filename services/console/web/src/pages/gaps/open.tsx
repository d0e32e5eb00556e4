// A person says that something is not as it should be.

import { useState } from "react";
import { audit } from "../../api/clients.ts";
import type { Here } from "../../api/person.ts";
import { Severity } from "../../gen/muster/audit/v1/gap_pb.ts";
import { AskButton } from "../../ui/dialog.tsx";
import { ScopeOptions } from "../requests/scope-options.tsx";
import { type Scope, scopeOf, scopeValue, useScopes } from "../requests/scopes.ts";
import { useGapsChanged } from "./data.ts";

const SEVERITIES = [
  { severity: Severity.LOW, says: "Low: it costs time, and nothing is lost" },
  { severity: Severity.MODERATE, says: "Moderate: a recovery would be late or incomplete" },
  { severity: Severity.HIGH, says: "High: a recovery would fail" },
];

interface About {
  here: Here;
  /** Where it is said already what it is about. */
  scope?: Scope;
  requestId?: string;
  small?: boolean;
}

export function OpenGap({ here, scope, requestId, small }: About) {
  const changed = useGapsChanged(here.tenant);
  const [severity, setSeverity] = useState<Severity>(Severity.MODERATE);
  const [about, setAbout] = useState(scope ? scopeValue(scope) : "");
  const [description, setDescription] = useState("");
  return (
    <AskButton
      label="Open a gap"
      title="Something is not as it should be"
      confirm="Open the gap"
      small={small}
      primary={!small}
      text={{ label: "What is missing or wrong, in one line", required: true, most: 200 }}
      act={(title, idempotencyKey) => {
        const named = about ? scopeOf(about) : undefined;
        return audit.openGap({ tenant: here.tenant, idempotencyKey, title, description, severity, requestId, ...(named && { [named.case]: named.name }) }).then(changed);
      }}
    >
      <p className="quiet">It stays in the list, and in every export, until somebody has mended it or the business accepts it until a date.</p>
      <label className="field">
        How bad it is
        <select value={severity} onChange={(event) => setSeverity(Number(event.target.value))}>
          {SEVERITIES.map((choice) => (
            <option key={choice.severity} value={choice.severity}>
              {choice.says}
            </option>
          ))}
        </select>
      </label>
      {!scope && <ScopeField tenant={here.tenant} value={about} change={setAbout} />}
      <label className="field">
        More about it (optional)
        <textarea value={description} maxLength={2000} onChange={(event) => setDescription(event.target.value)} />
      </label>
    </AskButton>
  );
}

function ScopeField({ tenant, value, change }: { tenant: string; value: string; change: (value: string) => void }) {
  const choices = useScopes(tenant);
  return (
    <label className="field">
      What it is about
      <select value={value} onChange={(event) => change(event.target.value)}>
        <option value="">The tenant as a whole</option>
        <ScopeOptions scopes={choices.data?.scopes} />
      </select>
    </label>
  );
}
