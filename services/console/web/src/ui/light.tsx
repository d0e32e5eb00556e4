// A judgement by shape, word and colour: no single one of them carries it alone.

import type { ReactNode } from "react";

export type Tone = "red" | "yellow" | "green" | "unknown" | "neutral" | "active";

const SHAPES: Record<Tone, ReactNode> = {
  red: <path d="M4.6.5h4.8l4.1 4.1v4.8l-4.1 4.1H4.6L.5 9.4V4.6zM4 6v2h6V6z" fillRule="evenodd" />,
  yellow: <path d="M7 .8 13.8 13H.2zM6.2 5v4h1.6V5zm0 5v1.6h1.6V10z" fillRule="evenodd" />,
  green: <path d="M7 .5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zM3.4 7.2 6 9.9l4.8-5-1.2-1.1L6 7.6 4.6 6.1z" fillRule="evenodd" />,
  unknown: <path d="M7 0l7 7-7 7-7-7zm0 2.6L2.6 7 7 11.4 11.4 7z" fillRule="evenodd" />,
  neutral: <path d="M7 1.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11zm0 1.6a3.9 3.9 0 1 0 0 7.8 3.9 3.9 0 0 0 0-7.8z" fillRule="evenodd" />,
  active: <path d="M7 1a6 6 0 1 1-6 6h1.7A4.3 4.3 0 1 0 7 2.7zM7 4l3 3-3 3z" fillRule="evenodd" />,
};

export function Light({ tone, children }: { tone: Tone; children: ReactNode }) {
  return (
    <span className={`light ${tone}`}>
      <svg viewBox="0 0 14 14" fill="currentColor" aria-hidden="true">
        {SHAPES[tone]}
      </svg>
      {children}
    </span>
  );
}
