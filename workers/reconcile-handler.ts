import { checkAge, reconcile, type AgeDeps, type ReconcileDeps } from '../src/reconcile/index.ts';
import type { Attempt, Handler, Outcome } from './executor.ts';

/** Runs a reconcile pass. Does not record failures: the next pass does the work of a failed one. */
export class ReconcileHandler implements Handler {
  private readonly deps: ReconcileDeps & AgeDeps;

  constructor(deps: ReconcileDeps & AgeDeps) {
    this.deps = deps;
  }

  async handle({ log }: Attempt): Promise<Outcome> {
    const { errors, ...counts } = await reconcile(this.deps);
    if (Object.values(counts).some((count) => count > 0)) log.info(counts, 'reconcile pass made changes');
    if (errors.length > 0) log.warn({ err: errors[0], errors: errors.length }, 'some steps of a reconcile pass failed');
    await this.checkAge(log).catch((err: unknown) => log.warn({ err }, 'the age of the database could not be checked'));
    return { kind: 'completed', result: counts };
  }

  private async checkAge(log: Attempt['log']): Promise<void> {
    const { wentBack, answersForgotten } = await checkAge(this.deps);
    if (wentBack) {
      log.error(
        wentBack,
        'MongoDB is older than Redis has seen it: it was restored from a backup, or two copies of one database use this ' +
          'Redis. Operations that it does not know run when they are sent again',
      );
    }
    if (answersForgotten > 0)
      log.info({ answersForgotten }, 'Redis forgot answers about operations that MongoDB does not know');
  }
}
