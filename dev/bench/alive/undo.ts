import type { BenchSandbox } from '../bench-sandbox.ts';
import { measureOperation, noteRun, type Rate } from './operation.ts';
import { OutsideWriter } from './outside-writer.ts';

export interface UndoOptions {
  readonly conversations: number;
  /** The first half has all conversations, and the operation moves them to the second half. */
  readonly texters: number;
  readonly rounds: number;
  /** Writes a second of another program in the runs that are not quiet. */
  readonly writeRate: number;
  readonly limitMs: number;
}

export interface UndoRun {
  readonly round: number;
  readonly isAlive: boolean;
  readonly reassign: Rate;
  readonly undo: Rate;
}

/** Moves conversations between many texters, and undoes it, without other writers and beside writes. */
export async function benchUndo(bench: BenchSandbox, options: UndoOptions): Promise<UndoRun[]> {
  const runs: UndoRun[] = [];
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const isAlive of [false, true]) {
      runs.push(await run(bench, options, round, isAlive));
      noteRun(`reassign, ${isAlive ? 'alive' : 'quiet'}`, runs.at(-1)?.reassign);
      noteRun(`undo, ${isAlive ? 'alive' : 'quiet'}`, runs.at(-1)?.undo);
    }
  }
  return runs;
}

async function run(bench: BenchSandbox, options: UndoOptions, round: number, isAlive: boolean): Promise<UndoRun> {
  const { conversations, texters, limitMs, writeRate } = options;
  const { sandbox } = bench;
  const half = Math.floor(texters / 2);
  // Spreads the sources in another rhythm than the targets, so that every pair of texters is a group of its own.
  const assigneeIdOf = (index: number): string => `t${Math.floor(index / half + index) % half}`;
  const campaignId = await bench.seedCampaign(texters, conversations, { assigneeIdOf });
  const texterIds = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `t${from + index}`);
  const [operationId, undoId] = [sandbox.newId('op'), sandbox.newId('un')];
  const [from, to] = [{ texterIds: texterIds(0, half) }, { texterIds: texterIds(half, texters) }];
  const reassign = { operationId, campaignId, from, to, status: 'any' } as const;
  // Without this, the undo would skip what the other program writes.
  const undo = { operationId: undoId, campaignId, undoes: operationId, includeWorkedOn: true };
  const writer = isAlive
    ? OutsideWriter.start(sandbox.config.mongo.uri, await bench.conversationIds(campaignId), writeRate)
    : undefined;
  let stopping: Promise<unknown> | undefined;
  const stop = async () => (stopping ??= writer?.stop());
  const sent = { operationId, campaignId, send: () => sandbox.producer.reassign(reassign) };
  const undone = { operationId: undoId, campaignId, send: () => sandbox.producer.undo(undo) };
  const rates = {
    reassign: await measureOperation(sandbox, sent, limitMs, stop),
    undo: await measureOperation(sandbox, undone, limitMs, stop),
  };
  await stop();
  await bench.deleteConversations(campaignId);
  return { round, isAlive, ...rates };
}
