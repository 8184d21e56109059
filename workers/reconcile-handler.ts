import { sweep, type SweepDeps } from '../src/reconcile/reconcile.ts';
import type { Attempt, Handler } from './executor.ts';
import type { Outcome } from './outcome.ts';

/** Sweeps, and says what it did if it did anything. */
export class SweepHandler implements Handler {
  private readonly deps: SweepDeps;

  constructor(deps: SweepDeps) {
    this.deps = deps;
  }

  async handle({ log }: Attempt): Promise<Outcome> {
    const { errors, ...counts } = await sweep(this.deps);
    if (Object.values(counts).some((count) => count > 0)) log.info(counts, 'swept');
    if (errors.length > 0) log.warn({ err: errors[0], failed: errors.length }, 'could not sweep everything');
    return { kind: 'answered', answer: counts };
  }

  async giveUp(): Promise<void> {
    // The next one comes soon.
  }

  async noteFailure(): Promise<void> {
    // Nobody asked for it.
  }
}
