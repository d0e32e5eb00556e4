// One question with one deed: the dialog of every action that changes something.

import * as Ariakit from "@ariakit/react";
import { useMutation } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { newKey } from "../api/clients.ts";
import { troubleOf } from "../api/trouble.ts";
import { TroubleNotice } from "./states.tsx";

/** The API's own limit of a text. */
const MAX_TEXT = 2000;

interface Ask {
  /** On the button that opens it. */
  label: string;
  title: string;
  /** On the button that does it. */
  confirm: string;
  danger?: boolean;
  primary?: boolean;
  small?: boolean;
  /** Why it is not possible now. The button stays in its place and says so. */
  impossible?: string | null;
  children?: ReactNode;
  /** What is still missing in `children`; the deed waits for it. */
  hold?: string | null;
  /** What to type: a note, a reason, a phrase. */
  text?: { label: string; hint?: string; required?: boolean; exactly?: string; long?: boolean; most?: number };
  /** The key is the same for every try of one opened dialog: a repeated call is one deed. */
  act: (text: string, key: string) => Promise<unknown>;
}

export function AskButton(ask: Ask) {
  const [open, setOpen] = useState(false);
  const style = `button ${ask.danger ? "danger" : ask.primary ? "primary" : ""} ${ask.small ? "small-button" : ""}`;
  if (ask.impossible) {
    return (
      <Ariakit.TooltipProvider>
        <Ariakit.TooltipAnchor render={<button type="button" className={style} aria-disabled="true" />}>
          {ask.label}
          <span className="visually-hidden">: not possible now. {ask.impossible}</span>
        </Ariakit.TooltipAnchor>
        <Ariakit.Tooltip className="menu" gutter={6}>
          {ask.impossible}
        </Ariakit.Tooltip>
      </Ariakit.TooltipProvider>
    );
  }
  return (
    <>
      <button type="button" className={style} onClick={() => setOpen(true)}>
        {ask.label}
      </button>
      {open && <AskDialog {...ask} close={() => setOpen(false)} />}
    </>
  );
}

function AskDialog({ title, confirm, danger, children, hold: without, text, act, close }: Ask & { close: () => void }) {
  const [typed, setTyped] = useState("");
  const [key] = useState(newKey);
  const deed = useMutation({ mutationFn: () => act(typed.trim(), key), onSuccess: close });
  const wrong = text?.exactly !== undefined && typed.trim() !== text.exactly;
  const missing = text?.required === true && typed.trim() === "";
  const hold = wrong ? "The phrase is not typed yet as it is shown." : missing ? `${text.label} is needed.` : (without ?? null);
  return (
    <Ariakit.Dialog open onClose={close} className="dialog" backdrop={<div className="backdrop" />} preventBodyScroll>
      <Ariakit.DialogHeading render={<h2 />}>{title}</Ariakit.DialogHeading>
      {children}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!hold && !deed.isPending) deed.mutate();
        }}
      >
        {text && (
          <label className="field">
            {text.label}
            {text.hint && <span className="hint">{text.hint}</span>}
            {text.long ? (
              <textarea value={typed} maxLength={text.most ?? MAX_TEXT} onChange={(event) => setTyped(event.target.value)} autoFocus />
            ) : (
              <input value={typed} maxLength={text.most ?? MAX_TEXT} autoComplete="off" autoCapitalize="off" spellCheck={false} onChange={(event) => setTyped(event.target.value)} autoFocus />
            )}
          </label>
        )}
        {deed.error && <TroubleNotice trouble={troubleOf(deed.error)} />}
        <div className="actions">
          <button type="submit" className={`button ${danger ? "danger" : "primary"}`} disabled={deed.isPending || hold !== null}>
            {deed.isPending ? "Working" : confirm}
          </button>
          <button type="button" className="button bare" onClick={close}>
            Cancel
          </button>
          <span className="quiet small" aria-live="polite">
            {hold}
          </span>
        </div>
      </form>
    </Ariakit.Dialog>
  );
}
