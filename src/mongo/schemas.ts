import { Schema, type Connection } from 'mongoose';
import { OPERATION_STATES } from '../domain/operation.ts';
import { SKIP_REASONS } from '../domain/receipt.ts';
import { STATUSES } from '../domain/conversation.ts';

/** What every model here is: indexes are built by an explicit step, unknown fields are errors. */
const strict = {
  strict: 'throw',
  strictQuery: 'throw',
  autoIndex: false,
  autoCreate: false,
  versionKey: false,
} as const;
const own = { ...strict, _id: false } as const;
const assignee = { type: String, default: null } as const;
const count = { type: Number, required: true, min: 0 } as const;
const text = { type: String, required: true } as const;
const moment = { type: Date, default: null } as const;

/** Named, because a query that must be one unbroken range says which index it means. */
export const ASSIGNEE_INDEX = 'assignee_in_order';
export const POOL_INDEX = 'pool_in_order';
export const CLAIMABLE_INDEX = 'claimable_in_order';
export const STATE_INDEX = 'state_in_order';

const campaign = new Schema(
  {
    _id: text,
    name: text,
    closed: { type: Boolean, default: false },
    selfAssign: new Schema(
      {
        enabled: { type: Boolean, default: false },
        batchMax: { type: Number, default: 300, min: 1, max: 5_000 },
        openMax: { type: Number, default: 300, min: 1 },
        repliesMax: { type: Number, default: null, min: 0 },
      },
      own,
    ),
    operationCount: { ...count, default: 0 },
    waitingCount: { ...count, default: 0 },
    texterCount: { ...count, default: 0 },
    rotation: new Schema({ sequence: count, nextJoinedOrder: count }, own),
    createdAt: { type: Date, required: true },
  },
  { ...strict, collection: 'campaigns' },
);

const texter = new Schema(
  {
    campaignId: text,
    texterId: text,
    name: text,
    active: { type: Boolean, default: true },
    joinedOrder: count,
    claimRounds: { ...count, default: 0 },
    createdAt: { type: Date, required: true },
  },
  { ...strict, collection: 'texters' },
);
texter.index({ campaignId: 1, texterId: 1 }, { unique: true });

const historyMove = new Schema({ operationId: text, from: assignee, to: assignee, at: Date, by: assignee }, own);
const conversation = new Schema(
  {
    campaignId: text,
    externalId: assignee,
    contact: new Schema({ name: text, phone: text }, own),
    assigneeId: assignee,
    status: { type: String, enum: STATUSES, required: true },
    waitingSince: { type: Date, required: true },
    optedOut: { type: Boolean, default: false },
    assignmentVersion: { ...count, default: 0 },
    assignedAt: moment,
    lastInboundAt: moment,
    lastOutboundAt: moment,
    lastOperationId: assignee,
    history: [historyMove],
    createdAt: { type: Date, required: true },
  },
  { ...strict, collection: 'conversations' },
);
// One range per assignee and status, in the order of selection: plans, counts and the view all read it.
conversation.index({ campaignId: 1, assigneeId: 1, status: 1, waitingSince: 1, _id: 1 }, { name: ASSIGNEE_INDEX });
// The pool has an index of its own: `null` as an equality also means "missing", which is not one range everywhere.
conversation.index(
  { campaignId: 1, status: 1, waitingSince: 1, _id: 1 },
  { name: POOL_INDEX, partialFilterExpression: { assigneeId: null } },
);
// What claims take, and nothing else: an opted-out contact at the head of the pool costs them nothing.
conversation.index(
  { campaignId: 1, waitingSince: 1, _id: 1 },
  {
    name: CLAIMABLE_INDEX,
    partialFilterExpression: { assigneeId: null, status: 'not-started', optedOut: false },
  },
);
// A contact has one thread in a campaign, however often it is imported.
conversation.index({ campaignId: 1, 'contact.phone': 1 }, { unique: true });

const operation = new Schema(
  {
    _id: text,
    campaignId: text,
    request: { type: Schema.Types.Mixed, required: true },
    requestHash: text,
    createdBySendId: text,
    state: { type: String, enum: OPERATION_STATES, required: true },
    sequence: count,
    plan: { type: Schema.Types.Mixed, default: null },
    receipt: { type: Schema.Types.Mixed, default: null },
    error: { type: Schema.Types.Mixed, default: null },
    cancellation: { type: Schema.Types.Mixed, default: null },
    failures: { type: Schema.Types.Mixed },
    reopened: { type: Number },
    stops: { type: Number },
    expiring: { type: Boolean },
    campaignLock: { type: String },
    granted: { type: [Schema.Types.ObjectId], default: undefined },
    waiting: { type: Schema.Types.Mixed },
    acceptedAt: { type: Date, required: true },
    startedAt: moment,
    endedAt: moment,
  },
  { ...strict, collection: 'operations' },
);
operation.index({ campaignId: 1, state: 1, sequence: 1 });
operation.index({ campaignId: 1, acceptedAt: -1 });
// The reconcile's: what is unfinished, and what is old enough to go; also the list of what was given up.
operation.index({ state: 1, acceptedAt: 1, _id: 1 }, { name: STATE_INDEX });
// One bulk operation of a campaign runs at a time: taking the campaign lock of another is a duplicate key.
operation.index({ campaignLock: 1 }, { unique: true, partialFilterExpression: { campaignLock: { $exists: true } } });

operation.index(
  { campaignId: 1, 'waiting.sequence': 1 },
  { partialFilterExpression: { 'waiting.sequence': { $exists: true } } },
);

const group = { count, conversationIds: [Schema.Types.ObjectId] };
const batch = new Schema(
  {
    _id: text,
    campaignId: text,
    operationId: text,
    number: count,
    state: { type: String, enum: ['planned', 'applied', 'dropped', 'end-marker'], required: true },
    moves: [new Schema({ from: assignee, to: assignee, status: { type: String, enum: STATUSES }, ...group }, own)],
    skips: [new Schema({ reason: { type: String, enum: SKIP_REASONS }, ...group }, own)],
    after: { type: Schema.Types.Mixed, required: true },
    shortfalls: { type: Schema.Types.Mixed },
    plannedAt: { type: Date, required: true },
    appliedAt: moment,
  },
  { ...strict, collection: 'batches' },
);
// Where moves shortfallCount away is asked for at each slice; only the few batches it happened to are in this index.
batch.index({ operationId: 1 }, { partialFilterExpression: { shortfalls: { $exists: true } } });

/** The project's models on a connection. Opens nothing. */
export function createModels(connection: Connection) {
  return {
    campaigns: connection.model('Campaign', campaign),
    texters: connection.model('Texter', texter),
    conversations: connection.model('Conversation', conversation),
    operations: connection.model('Operation', operation),
    batches: connection.model('Batch', batch),
  };
}

export type Models = ReturnType<typeof createModels>;

/** Creates collections and indexes that are missing. Safe to repeat, and for several workers at once. */
export async function ensureIndexes(models: Models): Promise<void> {
  for (const model of Object.values(models)) {
    await model.createCollection();
    await model.createIndexes();
  }
}
