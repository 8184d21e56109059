import { reconcile, type ReconcileDeps } from '../src/reconcile/index.ts';
import type { Attempt, Handler, Outcome } from './executor.ts';

/** Reconciles, and says what it did if it did anything. */
export class ReconcileHandler implements Handler {
  private readonly deps: ReconcileDeps;

  constructor(deps: ReconcileDeps) {
    this.deps = deps;
  }

  async handle({ log }: Attempt): Promise<Outcome> {
    const { errors, ...counts } = await reconcile(this.deps);
    if (Object.values(counts).some((count) => count > 0)) log.info(counts, 'report');
    if (errors.length > 0) log.warn({ err: errors[0], failed: errors.length }, 'could not reconcile everything');
    return { kind: 'completed', result: counts };
  }
}
