/** Everything the set-up tells goes to stderr: stdout belongs to the inner command (`--json` must stay clean). */
export function say(line: string): void {
  process.stderr.write(`baton: ${line}\n`);
}

/** Something the person at the keyboard has to change. Shown as it is, without a stack trace. */
export class SetupError extends Error {
  override readonly name = 'SetupError';
}
