/** What would be left behind if this process died now. */
export type Undo = { readonly path: string } | { readonly command: readonly string[] };

/**
 * Tells dev/run.mjs, which outlives a crash or a `kill -9` of this process, what to undo in our place.
 * Where nobody listens (a test, a script, dev/run.mjs killed) the sweep of the next start removes what stayed.
 */
export function tellUndo(undo: Undo): void {
  tell({ undo }, () => undefined);
}

/** The word that everything was undone in good order, so that nobody has to do it for us. */
export function tellTidied(): Promise<void> {
  return new Promise((resolve) => {
    tell({ tidied: true }, resolve);
  });
}

/** A listener that went away between two messages is no error: the callback takes it, or Node would throw. */
function tell(message: object, onTold: () => void): void {
  if (process.send === undefined || !process.connected) onTold();
  else process.send(message, undefined, undefined, onTold);
}
