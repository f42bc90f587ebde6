/** What one look at the host has found. */
export interface Finding {
  /** What was looked at: "kvm", "kernel". */
  readonly check: string;
  readonly verdict: "ok" | "warning" | "failure";
  readonly detail: string;
  /** What to do about it. */
  readonly advice?: string;
}

export const ok = (check: string, detail: string): Finding => ({ check, verdict: "ok", detail });

/** Containers run, but not as one would expect. */
export const warning = (check: string, detail: string, advice: string): Finding => ({
  check,
  verdict: "warning",
  detail,
  advice,
});

/** No container runs as long as it is so. */
export const failure = (check: string, detail: string, advice: string): Finding => ({
  check,
  verdict: "failure",
  detail,
  advice,
});
