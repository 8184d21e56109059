import { reconcile, type ReconcileDeps } from '../src/reconcile/index.ts';
import type { Attempt, Handler, Outcome } from './executor.ts';

/** Runs a reconcile pass. Does not record failures: the next pass does the work of a failed one. */
export class ReconcileHandler implements Handler {
  private readonly deps: ReconcileDeps;

  constructor(deps: ReconcileDeps) {
    this.deps = deps;
  }

  async handle({ log }: Attempt): Promise<Outcome> {
    const { errors, ...counts } = await reconcile(this.deps);
    if (Object.values(counts).some((count) => count > 0)) log.info(counts, 'reconcile pass made changes');
    if (errors.length > 0) log.warn({ err: errors[0], errors: errors.length }, 'some steps of a reconcile pass failed');
    return { kind: 'completed', result: counts };
  }
}
