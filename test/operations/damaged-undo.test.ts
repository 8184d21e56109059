import { Types, type mongo } from 'mongoose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseRequest } from '../../src/operations/contract.ts';
import { preview } from '../../src/operations/preview.ts';
import type { ConversationDoc } from '../../src/mongo/documents.ts';
import { Harness } from '../support/harness.ts';
import { runToEnd } from '../support/run-operation.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.open();
});
afterAll(() => harness.close());

const ONE = Types.Decimal128.fromString('1');

/** What another program may have written since the move, and how many of the eight conversations an undo may move then. */
const CHANGES: readonly (readonly [string, (operationId: string) => object, number])[] = [
  ['no opt-out', () => ({ $unset: { optedOut: '' } }), 6],
  ['an opt-out in a text', () => ({ $set: { optedOut: 'no' } }), 6],
  ['an opt-out in a list', () => ({ $set: { optedOut: [false] } }), 6],
  ['an assignee in a list', () => ({ $set: { assigneeId: ['t2'] } }), 6],
  ['the operation in a list', (id) => ({ $set: { lastOperationId: [id] } }), 6],
  ['an unknown status', () => ({ $set: { status: 'archived', 'atLastMove.status': 'archived' } }), 6],
  ['no status', () => ({ $unset: { status: '' }, $set: { 'atLastMove.status': null } }), 6],
  ['nothing to compare', () => ({ $unset: { status: '', atLastMove: '', assignmentVersion: '' } }), 6],
  ['a text to compare', () => ({ $set: { atLastMove: 'x' } }), 6],
  ['a decimal version', () => ({ $set: { assignmentVersion: ONE, 'atLastMove.version': ONE } }), 8],
  ['a version of -0', () => ({ $set: { assignmentVersion: -0, 'atLastMove.version': 0 } }), 8],
  [
    'a message time in an object',
    () => ({ $set: { lastInboundAt: { a: 1 }, 'atLastMove.lastInboundAt': { a: 1 } } }),
    8,
  ],
  ['no recorded message time', () => ({ $unset: { lastInboundAt: '', 'atLastMove.lastInboundAt': '' } }), 8],
];

/** An undo writes as planned, so the filter of its write has to find what the evaluation of its preview finds. */
describe.each(CHANGES)('an undo of conversations with %s', (_name, update, movable) => {
  it.each([
    ['at once', 1_000],
    ['in parts', 3],
  ])('moves as many %s as its preview shows', async (_how, batchConversationsMax) => {
    const campaignId = await harness.seedCampaign(2);
    const seeded = Array.from({ length: 8 }, (_, at) => ({ assigneeId: at < 4 ? 't1' : null }));
    const ids = await harness.seedConversations(campaignId, seeded);
    const asked = () => ({ operationId: harness.newId('op'), campaignId });
    const undone = asked();
    const all = { from: 'everyone', to: { texterIds: ['t2'] }, status: 'any' } as const;
    await runToEnd(harness.context.stores, { kind: 'reassign', ...undone, ...all }, { short: false });
    const changed = { _id: { $in: [0, 4].map((place) => new Types.ObjectId(ids[place])) } };
    const changes = update(undone.operationId) as mongo.UpdateFilter<ConversationDoc>;
    await harness.context.database.conversations.updateMany(changed, changes);

    const undo = { kind: 'undo', ...asked(), undoes: undone.operationId } as const;
    const shown = await preview(harness.context.stores, parseRequest(undo));
    const settings = { short: false, batchConversationsMax, batchesInFlightMax: 1 };
    const ended = await runToEnd(harness.context.stores, undo, settings);
    expect([shown.moved, ended?.receipt?.moved]).toEqual([movable, movable]);
  });
});
