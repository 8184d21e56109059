import type { mongo } from 'mongoose';
import { fenceActive, isClosed, replaceCredits, type StoredCampaign } from '../campaigns/index.ts';
import type { Credit } from '../domain/credits.ts';
import { statesBefore } from '../domain/operation.ts';
import type { MoveCount, SkipCount } from '../domain/receipt.ts';
import type { Database } from '../mongo/database.ts';
import { batchIdsOf, type BatchDoc, type CreditDoc, type OperationDoc } from '../mongo/documents.ts';
import { isDuplicateKey } from '../mongo/server-errors.ts';
import { NotAsPlanned } from './apply-batch.ts';
import { receiversOf, type Batch, type StoredBatch } from './batch.ts';
import { NOT_STOPPED, ofRun, toBatch, toBatchDoc, toOperation } from './mapping.ts';
import { countMoves } from './moves.ts';
import { MoveWriter } from './move-writer.ts';
import type { Operation, Run } from './operation.ts';
import type { Ending, EndReads, WholeOperation } from './ports.ts';

const SKIP_COUNTS = { 'skips.reason': 1, 'skips.count': 1 } as const;
const KEYS_OF_COUNT = { from: '$counts.from', to: '$counts.to', status: '$counts.status', reason: '$counts.reason' };

interface SummedCount {
  /** What is counted: moves, or skips. */
  readonly _id: Partial<MoveCount & SkipCount>;
  readonly count: mongo.Document | number;
}

/** Reads in the transaction that ends an operation, one query after the other, as transactions require. */
export class MongoEndReads implements EndReads {
  private readonly database: Database;
  private readonly run: Run & { readonly campaignId: string };
  private readonly session: mongo.ClientSession;

  constructor(database: Database, run: Run & { readonly campaignId: string }, session: mongo.ClientSession) {
    this.database = database;
    this.run = run;
    this.session = session;
  }

  /** Adds up the counts in the applied batches. The first stages leave out the ids, which are most of a batch. */
  async totals(): Promise<{ moves: MoveCount[]; skipped: SkipCount[] }> {
    const pipeline = [
      { $match: { _id: batchIdsOf(this.run.operationId), state: 'applied' } },
      { $project: { _id: 0, 'moves.from': 1, 'moves.to': 1, 'moves.status': 1, 'moves.count': 1, ...SKIP_COUNTS } },
      { $project: { counts: { $concatArrays: ['$moves', '$skips'] } } },
      { $unwind: '$counts' },
      { $group: { _id: KEYS_OF_COUNT, count: { $sum: '$counts.count' } } },
    ];
    const { session } = this;
    const summed = await this.database.batches.aggregate<SummedCount>(pipeline, { session }).toArray();
    const moves: MoveCount[] = [];
    const skipped: SkipCount[] = [];
    for (const { _id, count } of summed) {
      const { from = null, to = null, status, reason } = _id;
      if (reason) skipped.push({ reason, count: Number(count) });
      else if (status) moves.push({ from, to, status, count: Number(count) });
    }
    return { moves, skipped };
  }

  async recent(limit: number): Promise<StoredBatch[]> {
    const filter = { _id: batchIdsOf(this.run.operationId) };
    const newest = this.database.models.batches.find(filter, null, { session: this.session, batchSize: limit + 1 });
    return (await newest.sort({ _id: -1 }).limit(limit).lean<BatchDoc[]>()).reverse().map(toBatch);
  }

  async credits(): Promise<Credit[]> {
    const found = this.database.models.credits.findById(this.run.campaignId, null, { session: this.session });
    return (await found.lean<CreditDoc>())?.credits ?? [];
  }
}

/** Writes the credits together with the operation, so that a delayed worker of an earlier run changes neither. */
export async function storeEnding(
  database: Database,
  run: Run,
  ending: Ending,
  session: mongo.ClientSession,
): Promise<OperationDoc | null> {
  const { state, at, receipt, error, credits } = ending;
  const unended = { ...ofRun(run), state: { $in: [...statesBefore(state)] } };
  const before = { ...unended, ...(state === 'done' && NOT_STOPPED) } as mongo.Filter<OperationDoc>;
  const $set = { state, receipt, endedAt: at, error: error ?? null } as Partial<OperationDoc>;
  const update = { $set, $unset: { campaignLock: '' } } as const;
  const options = { session, returnDocument: 'after' } as const;
  const ended = await database.operations.findOneAndUpdate(before, update, options);
  if (ended && credits) await replaceCredits(database, ended.campaignId, credits, session);
  return ended;
}

/** See {@link OperationStore.endAtOnce}. */
export async function endAtOnce(
  database: Database,
  { operation, batch, endMarker, guard }: WholeOperation,
  decide: (reads: Pick<EndReads, 'credits'>) => Promise<Ending>,
): Promise<Operation | undefined> {
  const write = async (session: mongo.ClientSession): Promise<Operation> => {
    const writer = new MoveWriter(database, operation.request, guard);
    const written = await writer.write(batch.moves, database.now(), session);
    if (written !== countMoves(batch.moves)) throw new NotAsPlanned();
    const targets = receiversOf([batch]);
    const isOpen = isStillOpen(database, operation.campaignId, targets);
    const ending = await decide(new MongoEndReads(database, operation, session));
    const ended = await storeEnding(database, operation, ending, session);
    if (!ended) throw new NotAsPlanned();
    await insertApplied(database, [{ batch, endMarker, at: ending.at }], session);
    await keepTargets(database, operation.campaignId, { targets, isOpen }, session);
    return toOperation(ended);
  };
  try {
    return await database.transaction(write, { repeatForMs: 0 });
  } catch (error) {
    if (error instanceof NotAsPlanned || isDuplicateKey(error)) return undefined;
    throw error;
  }
}

/** Inserts the only batch and the end marker of each operation. */
export async function insertApplied(
  { batches }: Database,
  operations: readonly { readonly batch: Batch; readonly endMarker: Batch; readonly at: Date }[],
  session: mongo.ClientSession,
): Promise<void> {
  const docs = operations.flatMap(({ batch, endMarker, at }) => [
    { ...toBatchDoc(batch, 'applied', at), appliedAt: at },
    toBatchDoc(endMarker, 'end-marker', at),
  ]);
  await batches.insertMany(docs, { session });
}

/**
 * Reads beside the transaction whether conversations may still go to these targets. Call it after the first statement of the
 * transaction: a close that this read misses raises the fences of the texters later, and so it waits for the transaction or
 * conflicts with it. The read must see every write of the primary, also one that no majority has yet.
 */
export function isStillOpen({ campaigns }: Database, campaignId: string, targets: readonly string[]): Promise<boolean> {
  if (targets.length === 0) return Promise.resolve(true);
  const options = { projection: { closed: 1 }, readConcern: { level: 'local' } } as const;
  const isOpen = campaigns
    .findOne<StoredCampaign>({ _id: campaignId }, options)
    .then((campaign) => campaign !== null && !isClosed(campaign));
  // The transaction may fail before anybody needs the answer.
  isOpen.catch(() => undefined);
  return isOpen;
}

interface Targets {
  readonly targets: readonly string[];
  readonly isOpen: Promise<boolean>;
}

/**
 * Keeps the targets active and the campaign open until the transaction ends. Throws {@link NotAsPlanned} if they are not. Call
 * it last, because claims of the same texters write the same documents.
 */
export async function keepTargets(
  database: Database,
  campaignId: string,
  { targets, isOpen }: Targets,
  session: mongo.ClientSession,
): Promise<void> {
  if (targets.length === 0) return;
  if (!(await isOpen)) throw new NotAsPlanned();
  if (!(await fenceActive(database, campaignId, targets, session))) throw new NotAsPlanned();
}
