import { Types } from 'mongoose';
import type { Holder, Status, TrailMove } from '../../src/domain/conversation.ts';
import type { ConversationDoc } from '../../src/mongo/documents.ts';
import type { Harness } from './harness.ts';
import { Model, type ModelConversation } from './model.ts';
import type { Random } from './random.ts';
import type { MoveRequest } from './send.ts';

const ALL_STATUSES: readonly Status[] = ['needs-reply', 'not-started', 'in-progress', 'awaiting-contact', 'closed'];
const TRAIL_LENGTHS = [0, 0, 0, 1, 17, 19, 20];
/** Mostly small, so that many campaigns fit into little time; sometimes as large as many batches. */
const SIZES_MAX = [3, 60, 60, 150, 150, 400];
const PAST = Date.UTC(2024, 0, 1);

/** A campaign that chance made, in the database and in a model of it. */
export async function seedRandomCampaign(
  harness: Harness,
  random: Random,
): Promise<{ campaignId: string; model: Model }> {
  const texterCount = random.between(1, 12);
  const campaignId = await harness.seedCampaign(texterCount);
  const texters = Array.from({ length: texterCount }, (_, index) => ({
    texterId: `t${index + 1}`,
    joinedOrder: index + 1,
    active: !random.chance(0.15),
  }));
  for (const { texterId, active } of texters) if (!active) await harness.pause(campaignId, texterId);
  const size = random.between(0, random.pick(SIZES_MAX));
  const moments = random.pick([3, 50, 1_000]);
  const holders = [null, null, null, ...texters.map(({ texterId }) => texterId)];
  const docs = Array.from({ length: size }, (_, index) =>
    conversation({
      campaignId,
      index,
      status: random.pick(ALL_STATUSES),
      holderId: random.pick(holders),
      // Few different moments, so that many wait equally long.
      waitingSince: PAST + random.between(0, moments) * 60_000,
      optedOut: random.chance(0.06),
      moves: random.pick(TRAIL_LENGTHS),
    }),
  );
  // Ids in another order than places in the selection, and than the order of writing.
  if (docs.length > 0) await harness.context.database.conversations.insertMany(random.some(docs, docs.length));
  return { campaignId, model: new Model(texters, docs.map(inModel)) };
}

interface Wanted extends Pick<ConversationDoc, 'campaignId' | 'status' | 'optedOut'> {
  readonly index: number;
  readonly holderId: Holder;
  readonly waitingSince: number;
  readonly moves: number;
}

function conversation(wanted: Wanted): ConversationDoc {
  const { campaignId, index, status, holderId, optedOut, moves } = wanted;
  return {
    _id: new Types.ObjectId(),
    campaignId,
    externalId: index % 2 === 0 ? `outside-${index}` : null,
    contact: { name: `Contact ${index}`, phone: `+1555${String(index).padStart(7, '0')}` },
    assigneeId: holderId,
    status,
    waitingSince: new Date(wanted.waitingSince),
    optedOut,
    assignmentVersion: moves,
    assignedAt: moves > 0 ? new Date(PAST) : null,
    lastInboundAt: index % 3 === 0 ? new Date(PAST + index) : null,
    lastOutboundAt: index % 5 === 0 ? new Date(PAST + index) : null,
    lastOperationId: moves > 0 ? `earlier-${moves}` : null,
    trail: Array.from({ length: moves }, (_, at) => earlierMove(at + 1)),
    createdAt: new Date(PAST),
  };
}

function earlierMove(number: number): TrailMove {
  return { operationId: `earlier-${number}`, from: null, to: 't1', at: new Date(PAST + number), by: null };
}

function inModel(doc: ConversationDoc): ModelConversation {
  return {
    id: doc._id.toHexString(),
    holderId: doc.assigneeId,
    status: doc.status,
    waitingSince: doc.waitingSince.getTime(),
    optedOut: doc.optedOut,
  };
}

/** What happens between two operations: contacts write or opt out, texters are paused and come back. */
export async function turnTheWorld(harness: Harness, campaignId: string, model: Model, random: Random): Promise<void> {
  for (const each of random.some([...model.conversations.values()], random.between(0, 6))) {
    each.status = random.pick(ALL_STATUSES);
    each.waitingSince = PAST + random.between(0, 100) * 60_000;
    each.optedOut = random.chance(0.2);
    const { status, optedOut } = each;
    await harness.context.database.conversations.updateOne(
      { _id: new Types.ObjectId(each.id) },
      { $set: { status, optedOut, waitingSince: new Date(each.waitingSince) } },
    );
  }
  if (!random.chance(0.3)) return;
  const texter = random.pick(model.texters);
  texter.active = !texter.active;
  await harness.pause(campaignId, texter.texterId, texter.active);
}

/** Any request, most of them sensible. */
export function randomRequest(harness: Harness, campaignId: string, model: Model, random: Random): MoveRequest {
  const asked = {
    operationId: harness.newId('op'),
    campaignId,
    ...(random.chance(0.5) && { actorId: `admin-${random.between(1, 3)}` }),
    ...(random.chance(0.3) && { reason: 'shift over' }),
  };
  const texterIds = model.texters.map(({ texterId }) => texterId);
  const active = model.texters.filter((texter) => texter.active).map(({ texterId }) => texterId);
  const named = (): { texterIds: string[] } => ({ texterIds: random.some(texterIds, random.between(1, 4)) });
  const status = random.chance(0.4) ? 'any' : random.pick(ALL_STATUSES);
  const count = random.chance(0.5) ? { count: random.between(1, 60) } : {};
  const kind = random.pick(['reassign', 'reassign', 'reassign', 'unassign', 'reassign-one', 'unassign-one'] as const);
  const conversationId = random.pick([...model.conversations.keys(), '0123456789abcdef01234567']);
  const holderId = model.conversations.get(conversationId)?.holderId ?? null;
  const expected = random.chance(0.6)
    ? {}
    : { expectedHolderId: random.chance(0.7) ? holderId : random.pick(texterIds) };
  switch (kind) {
    case 'reassign': {
      const from = random.pick(['pool', 'everyone', named(), named()] as const);
      const targets = random.chance(0.9) && active.length > 0 ? active : [...texterIds, 'stranger'];
      const to = random.chance(0.4)
        ? ('everyone' as const)
        : { texterIds: random.some(targets, random.chance(0.02) ? 0 : random.between(1, 5)) };
      return { kind, ...asked, from, to, status, ...count, spread: random.pick(['even', 'even', 'level'] as const) };
    }
    case 'unassign': {
      const from = random.pick(['everyone', named(), named()] as const);
      const held = model.select(from === 'everyone' ? texterIds : from.texterIds, status).length;
      const confirm = random.pick([held, held, held + 3, held - 1, undefined]);
      const confirmed = confirm === undefined || confirm < 0 ? {} : { confirm };
      return { kind, ...asked, from, status, ...count, ...('count' in count ? {} : confirmed) };
    }
    case 'reassign-one':
      return {
        kind,
        ...asked,
        conversationId,
        ...expected,
        to: { texterIds: [random.pick([...active, ...texterIds])] },
      };
    case 'unassign-one':
      return { kind, ...asked, conversationId, ...expected };
  }
}
