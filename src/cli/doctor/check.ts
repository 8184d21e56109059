/** One line of `baton doctor`. `warn`: works, but not as promised. `fail`: does not work. */
export interface Check {
  readonly name: string;
  readonly outcome: 'ok' | 'warn' | 'fail';
  readonly found: string;
  /** How to repair it; `null` when there is nothing to repair. */
  readonly todo: string | null;
}

export const ok = (name: string, found: string): Check => ({ name, outcome: 'ok', found, todo: null });
export const warn = (name: string, found: string, todo: string): Check => ({ name, outcome: 'warn', found, todo });
export const fail = (name: string, found: string, todo: string): Check => ({ name, outcome: 'fail', found, todo });
