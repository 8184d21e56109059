/** What would be left behind if this process died now. */
export type Undo = { readonly path: string } | { readonly command: readonly string[] };

/**
 * Tells dev/run.mjs, which outlives a crash or a `kill -9` of this process, what to undo in our place.
 * Where nobody listens (a test, a script) nothing is told: the sweep of the next start removes what stayed.
 */
export function tellUndo(undo: Undo): void {
  process.send?.({ undo });
}

/** The word that everything was undone in good order, so that nobody has to do it for us. */
export function tellTidied(): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) {
      resolve();
      return;
    }
    process.send({ tidied: true }, () => {
      resolve();
    });
  });
}
