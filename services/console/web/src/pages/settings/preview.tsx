// What a template makes of a message. Sends nothing.

import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { notifier } from "../../api/clients.ts";
import { troubleOf } from "../../api/trouble.ts";
import type { MessageTemplateSpec } from "../../gen/muster/inventory/v1/inventory_pb.ts";
import { TroubleNotice } from "../../ui/states.tsx";

/** A trailing * stands for many kinds: an example of them is enough to see the words. */
const example = (kind: string): string => (kind.endsWith("*") ? "rpo.breached" : kind);

export function TemplatePreview({ tenant, template }: { tenant: string; template: MessageTemplateSpec }) {
  const kinds = [...new Set(template.kinds.map(example))];
  const [kind, setKind] = useState(kinds[0] ?? "rpo.breached");
  const [channel, setChannel] = useState(template.channels[0] ?? "email");
  const preview = useMutation({ mutationFn: () => notifier.previewMessage({ tenant, messageKind: kind, channel, language: template.language, template }) });
  return (
    <section className="panel">
      <header>
        <h2>As a message</h2>
        <span className="quiet small">as it is declared, with made-up facts</span>
      </header>
      <div className="body">
        <div className="fields">
          <label className="field">
            Message
            <select value={kind} onChange={(event) => setKind(event.target.value)}>
              {kinds.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
          <label className="field">
            Channel
            <select value={channel} onChange={(event) => setChannel(event.target.value)}>
              {(template.channels.length > 0 ? template.channels : ["email", "slack", "teams", "webhook"]).map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
          <button type="button" className="button" disabled={preview.isPending} onClick={() => preview.mutate()}>
            {preview.isPending ? "Writing" : "Preview"}
          </button>
        </div>
        {preview.error && <TroubleNotice trouble={troubleOf(preview.error)} />}
        {preview.data && (
          <div className="stack" role="status">
            <p>
              <strong>{preview.data.subject}</strong> <span className="quiet small">by {preview.data.template}</span>
            </p>
            <pre tabIndex={0}>{preview.data.text || preview.data.payload}</pre>
          </div>
        )}
      </div>
    </section>
  );
}
