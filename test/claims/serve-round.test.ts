import { describe, expect, it, vi } from 'vitest';
import type { SelfAssignSettings } from '../../src/campaigns/campaign.ts';
import { newClaim, type Claim, type Decision, type Pool } from '../../src/claims/claim.ts';
import type { ClaimCommand } from '../../src/claims/contract.ts';
import type { RoundStart, RoundStore, WaitingChange } from '../../src/claims/ports.ts';
import type { CampaignRules, TexterLoad } from '../../src/claims/rules.ts';
import { serveRound } from '../../src/claims/serve-round.ts';

const NOW = new Date('2026-01-01T12:00:00Z');
const RULES: SelfAssignSettings = { enabled: true, batchMax: 10, openMax: 20, repliesMax: null };

/** The state of one campaign in memory. Every texter is active and has no conversations. */
class MemoryRound implements RoundStore {
  readonly now = NOW;
  readonly isBesideOperation = false;
  readonly writes: string[] = [];
  waiting: Claim[] = [];
  pool: string[];
  shortage: Pool['shortage'] = 'none-left';
  private readonly campaign: CampaignRules;

  constructor(poolSize: number, settings: Partial<SelfAssignSettings> = {}) {
    this.pool = Array.from({ length: poolSize }, (_, at) => `conversation ${at + 1}`);
    this.campaign = { closed: false, selfAssign: { ...RULES, ...settings }, waitingCount: 1 };
  }

  async start(texterIds: readonly string[]): Promise<RoundStart> {
    return { campaign: this.campaign, texters: await this.readTexters(texterIds) };
  }

  readWaiting(afterSequence: number, limit: number): Promise<Claim[]> {
    const after = this.waiting.filter(({ waiting }) => (waiting?.sequence ?? 0) > afterSequence);
    return Promise.resolve(after.slice(0, limit));
  }

  readTexters(texterIds: readonly string[]): Promise<ReadonlyMap<string, TexterLoad>> {
    return Promise.resolve(new Map(texterIds.map((id) => [id, { active: true, notStarted: 0, needsReply: 0 }])));
  }

  lockTexters(): Promise<void> {
    return Promise.resolve();
  }

  readPool(limit: number): Promise<Pool> {
    return Promise.resolve({ ids: this.pool.slice(0, limit), shortage: this.shortage });
  }

  reserveSequences(): Promise<number> {
    return Promise.resolve(this.waiting.length);
  }

  insert(claims: readonly Claim[]): Promise<void> {
    this.writes.push(`insert ${claims.map(({ operationId }) => operationId).join(' ')}`);
    return Promise.resolve();
  }

  assign(decisions: readonly Decision[]): Promise<void> {
    const granted = new Set(decisions.flatMap((decision) => decision.granted));
    this.pool = this.pool.filter((id) => !granted.has(id));
    this.writes.push(`assign ${granted.size}`);
    return Promise.resolve();
  }

  updateWaiting(changes: readonly WaitingChange[]): Promise<void> {
    for (const { claim, granted } of changes) {
      const blocked = claim.waiting?.isBlocked ? ' blocked' : '';
      this.writes.push(`update ${claim.operationId} ${granted.length}${blocked}`);
    }
    return Promise.resolve();
  }

  endReplaced(texterIds: readonly string[], by: readonly string[]): Promise<readonly string[]> {
    const isReplaced = ({ operationId, request }: Claim): boolean =>
      texterIds.includes(request.texterId) && !by.includes(operationId);
    const replaced = this.waiting.filter(isReplaced).map(({ operationId }) => operationId);
    if (replaced.length > 0) this.writes.push(`replace ${replaced.join(' ')}`);
    return Promise.resolve(replaced);
  }
}

function command(operationId: string, count: number, waitMs?: number): ClaimCommand {
  const request = { kind: 'self-assign', operationId, campaignId: 'c1', texterId: operationId, count, waitMs } as const;
  return { request, requestHash: 'hash', sendId: 'sender' };
}

function waitingClaim(operationId: string, count: number, sequence: number, granted: readonly string[] = []): Claim {
  const until = new Date(NOW.getTime() + 60_000);
  return {
    ...newClaim(command(operationId, count, 60_000), NOW),
    granted,
    waiting: { sequence, until, isBlocked: false },
  };
}

const sizesOf = (claims: readonly Claim[]): unknown[] =>
  claims.map(({ operationId, granted }) => [operationId, granted.length]);

describe('a round', () => {
  it('serves waiting claims before new claims', async () => {
    const store = new MemoryRound(8);
    store.waiting = [waitingClaim('w1', 3, 1), waitingClaim('w2', 2, 2)];
    const round = await serveRound(store, [command('n1', 5)], 1_000);
    expect(sizesOf(round.completed)).toEqual([
      ['w1', 3],
      ['w2', 2],
    ]);
    expect(sizesOf(round.answered)).toEqual([['n1', 3]]);
    expect(round.answered[0]?.granted).toEqual(['conversation 6', 'conversation 7', 'conversation 8']);
    expect(round.servedAllWaiting).toBe(true);
  });

  it('inserts new claims before it assigns conversations, so that a known operation id aborts it early', async () => {
    const store = new MemoryRound(10);
    store.waiting = [waitingClaim('w1', 2, 1)];
    await serveRound(store, [command('n1', 3), command('n2', 1)], 1_000);
    expect(store.writes).toEqual(['insert n1 n2', 'assign 6', 'update w1 2']);
  });

  it('reads waiting claims in pages, and serves new claims after the last page', async () => {
    const store = new MemoryRound(300);
    store.waiting = Array.from({ length: 250 }, (_, at) => waitingClaim(`w${at + 1}`, 1, at + 1));
    const round = await serveRound(store, [command('n1', 10)], 1_000);
    expect(round.completed).toHaveLength(250);
    expect(sizesOf(round.answered)).toEqual([['n1', 10]]);
  });

  it('ends at its limit, and serves a first claim that is larger than the limit', async () => {
    const store = new MemoryRound(100);
    const commands = [command('n1', 8), command('n2', 1)];
    const round = await serveRound(store, commands, 5);
    expect(sizesOf(round.answered)).toEqual([['n1', 8]]);
    expect(round.servedAllWaiting).toBe(true);
  });

  it('says that it has not served all waiting claims when its limit ends it before the last one', async () => {
    const store = new MemoryRound(100);
    store.waiting = [waitingClaim('w1', 4, 1), waitingClaim('w2', 4, 2)];
    const round = await serveRound(store, [command('n1', 1)], 5);
    expect(sizesOf(round.completed)).toEqual([['w1', 4]]);
    expect(round.answered).toEqual([]);
    expect(round.servedAllWaiting).toBe(false);
  });

  it('answers every new claim when the pool is empty: done, or waiting if the request allows it', async () => {
    const store = new MemoryRound(2);
    const round = await serveRound(store, [command('n1', 5), command('n2', 5, 60_000), command('n3', 5, 60_000)], 5);
    const expected = { receipt: { shortBecause: 'none-left' }, error: null };
    expect(round.answered).toMatchObject([
      { ...expected, state: 'done', waiting: null, endedAt: NOW },
      { ...expected, state: 'accepted', waiting: { sequence: 1, until: new Date(NOW.getTime() + 60_000) } },
      { ...expected, state: 'accepted', waiting: { sequence: 2 }, endedAt: null },
    ]);
    expect(sizesOf(round.answered)).toEqual([
      ['n1', 2],
      ['n2', 0],
      ['n3', 0],
    ]);
  });

  it('gives the present reason to a waiting claim that is still short', async () => {
    const store = new MemoryRound(0);
    const [first] = (await serveRound(store, [command('w1', 5, 60_000)], 1_000)).answered;
    if (!first) throw new Error('the round did not serve the claim');
    expect(first.receipt?.shortBecause).toBe('none-left');
    store.waiting = [first];
    store.shortage = 'being-reassigned';
    store.writes.length = 0;
    await serveRound(store, [], 1_000);
    expect(store.writes).toEqual(['update w1 0']);
    store.shortage = 'none-left';
    await serveRound(store, [], 1_000);
    expect(store.writes).toEqual(['update w1 0']);
  });

  it('blocks a refused waiting claim, and completes one that has all it may have', async () => {
    const store = new MemoryRound(0, { batchMax: 2 });
    store.waiting = [waitingClaim('w1', 5, 1), waitingClaim('w2', 5, 2, ['earlier 1', 'earlier 2'])];
    const round = await serveRound(store, [], 1_000);
    expect(round.completed).toMatchObject([{ operationId: 'w2', state: 'done', receipt: { moved: 2, asked: 5 } }]);
    expect(store.writes).toEqual(['update w2 0']);
    const refused = new MemoryRound(10, { openMax: 0 });
    refused.waiting = [waitingClaim('w1', 5, 1)];
    const served = {
      answered: [],
      completed: [],
      replaced: [],
      granted: [],
      hasBlocked: true,
      servedAllWaiting: true,
      isBesideOperation: false,
    };
    expect(await serveRound(refused, [], 1_000)).toEqual(served);
    expect(refused.writes).toEqual(['update w1 0 blocked']);
  });

  it('does not read the waiting claims for new claims that find the pool empty', async () => {
    const store = new MemoryRound(0);
    store.waiting = [waitingClaim('w1', 3, 1)];
    const read = vi.spyOn(store, 'readWaiting');
    await serveRound(store, [command('n1', 5), command('n2', 5, 60_000)], 1_000);
    expect(read).not.toHaveBeenCalled();
    expect(store.writes).toEqual(['insert n1 n2']);
    await serveRound(store, [], 1_000);
    expect(read).toHaveBeenCalledTimes(1);
  });

  it('reads at most as many waiting claims as there are conversations', async () => {
    const store = new MemoryRound(2);
    store.waiting = Array.from({ length: 250 }, (_, at) => waitingClaim(`w${at + 1}`, 5, at + 1));
    const read = vi.spyOn(store, 'readWaiting');
    await serveRound(store, [command('n1', 5)], 1_000);
    expect(read.mock.calls).toEqual([[0, 2]]);
    expect(store.writes).toEqual(['assign 2', 'update w1 2', 'insert n1']);
  });

  it('replaces the waiting claims of a texter who starts to wait again, in earlier rounds and in this one', async () => {
    const store = new MemoryRound(3);
    const commandOf = (operationId: string, texterId: string): ClaimCommand => {
      const { request, ...rest } = command(operationId, 5, 60_000);
      return { ...rest, request: { ...request, texterId } };
    };
    store.waiting = [waitingClaim('t1', 5, 1), waitingClaim('t2', 5, 2)];
    const round = await serveRound(store, [commandOf('n1', 't1'), commandOf('n2', 't1'), commandOf('n3', 't3')], 1_000);
    expect(round.replaced).toEqual(['t1']);
    expect(store.writes).toEqual(['insert n1 n2 n3', 'assign 3', 'update t1 3', 'replace t1']);
    expect(round.answered).toMatchObject([
      { operationId: 'n1', state: 'done', waiting: null, receipt: { shortBecause: 'replaced' } },
      { operationId: 'n2', state: 'accepted', waiting: { sequence: 3 } },
      { operationId: 'n3', state: 'accepted', waiting: { sequence: 4 } },
    ]);
  });

  it('ends a waiting claim that no rule can let through any more, with the reason', async () => {
    const { answered } = await serveRound(new MemoryRound(1), [command('w1', 5, 60_000)], 1_000);
    const store = new MemoryRound(10, { enabled: false });
    store.waiting = [...answered];
    const { completed } = await serveRound(store, [], 1_000);
    const receipt = { moved: 1, shortBecause: 'self-assign-off' };
    expect(completed).toMatchObject([{ operationId: 'w1', state: 'done', receipt }]);
    expect(store.writes).toEqual(['update w1 0']);
  });
});
