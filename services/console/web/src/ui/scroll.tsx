import type { ReactNode } from "react";

/** A table that may be wider than a phone: it scrolls by itself, also by keyboard. */
export function Scroll({ label, className = "", children }: { label: string; className?: string; children: ReactNode }) {
  return (
    <div className={`scroll ${className}`} role="group" aria-label={label} tabIndex={0}>
      {children}
    </div>
  );
}
