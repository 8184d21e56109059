/**
 * Passes on at most one report every `everyMs`, the newest; what is in between is dropped. A report that can't be
 * delivered is no reason to stop the work it speaks of.
 */
export function throttled<Report>(
  send: (report: Report) => Promise<unknown>,
  everyMs: number,
): (report: Report) => void {
  let quietUntil = 0;
  return (report) => {
    const now = performance.now();
    if (now < quietUntil) return;
    quietUntil = now + everyMs;
    send(report).catch(() => undefined);
  };
}
