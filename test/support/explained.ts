import mongoose, { type mongo } from 'mongoose';
import { vi } from 'vitest';

/** The fields of an `explain` that tests use. */
interface Explained {
  readonly queryPlanner: { readonly winningPlan: unknown };
  readonly executionStats: {
    readonly nReturned: number;
    readonly totalDocsExamined: number;
    readonly totalKeysExamined: number;
  };
}

/** Explains every `find` that `work` executes, after `work` has ended. */
export async function explainedFinds(work: () => Promise<unknown>): Promise<Explained[]> {
  const cursors: mongo.FindCursor[] = [];
  const prototype = mongoose.mongo.Collection.prototype;
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the collection it is called on
  const find = prototype.find;
  const spy = vi.spyOn(prototype, 'find').mockImplementation(function (
    this: mongo.Collection,
    ...args: Parameters<typeof find>
  ) {
    const cursor = find.apply(this, args);
    // A timer reads all of these few documents, at any time.
    if (this.collectionName !== 'processes') cursors.push(cursor.clone());
    return cursor;
  });
  await work().finally(() => spy.mockRestore());
  return Promise.all(
    cursors.map((cursor) => cursor.explain('executionStats') as Promise<unknown> as Promise<Explained>),
  );
}

/** Explains every pipeline that `work` executes, after `work` has ended and outside of its transaction. */
export async function explainedPipelines(work: () => Promise<unknown>): Promise<mongo.Document[]> {
  const spy = vi.spyOn(mongoose.mongo.Collection.prototype, 'aggregate');
  await work();
  const ran = spy.mock.calls.map(([pipeline, options], at) => {
    const hint = options?.hint === undefined ? {} : { hint: options.hint };
    return { on: spy.mock.contexts[at] as mongo.Collection, pipeline, hint };
  });
  spy.mockRestore();
  return Promise.all(ran.map(({ on, pipeline, hint }) => on.aggregate(pipeline, hint).explain('executionStats')));
}

/** Adds up the values of a key wherever it stands: servers nest the stages of a pipeline in different ways. */
export function sumOf(explained: unknown, key: string): number {
  if (typeof explained !== 'object' || explained === null) return 0;
  const own = Number((explained as Record<string, unknown>)[key] ?? 0);
  return Object.values(explained).reduce<number>((sum, each) => sum + sumOf(each, key), own);
}
