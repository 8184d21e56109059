import { Types, type mongo } from 'mongoose';
import { isStatus, STATUSES, type Assignee } from '../domain/conversation.ts';
import { SELF_ASSIGN_DEFAULT } from '../domain/self-assign.ts';
import type { Database } from '../mongo/database.ts';
import type { CampaignDoc, ConversationDoc } from '../mongo/documents.ts';
import { ASSIGNEE_INDEX } from '../mongo/indexes.ts';
import { MongoConversationStore } from './conversation-store.ts';
import { MOMENT_MAX, MOMENT_MIN } from './stored.ts';
import { UNSELECTABLE } from './untimed.ts';
import type { CompletenessStore, IncompleteCampaign, Repair, RepairChoices } from './ports.ts';

/** The newest campaigns. The others are repaired one by one, by their ids. */
const CAMPAIGNS_CHECKED_MAX = 100;

type Update = mongo.UpdateFilter<ConversationDoc> | mongo.Document[];
type Field = keyof ConversationDoc;

const isNot = (...types: readonly string[]): mongo.Document => ({ $not: { $type: types } });

/** The creation time of the document, or else the time of its id. Only dates are between two dates. */
const IS_CREATED = { $and: [{ $gte: ['$createdAt', MOMENT_MIN] }, { $lte: ['$createdAt', MOMENT_MAX] }] };
const CREATED_AT = { $cond: [IS_CREATED, '$createdAt', { $toDate: '$_id' }] };

/** The default of each field that has one, and the stored values that it replaces. */
const DEFAULTS: readonly (readonly [Field, mongo.Document, Update])[] = [
  ['createdAt', isNot('date'), [{ $set: { createdAt: CREATED_AT } }]],
  ['waitingSince', isNot('date'), [{ $set: { waitingSince: CREATED_AT } }]],
  ['waitingSince', { $gt: MOMENT_MAX }, [{ $set: { waitingSince: CREATED_AT } }]],
  ['waitingSince', { $lt: MOMENT_MIN }, [{ $set: { waitingSince: CREATED_AT } }]],
  ['history', isNot('array'), { $set: { history: [] } }],
  ['assignmentVersion', isNot('number'), { $set: { assignmentVersion: 0 } }],
  ...(['assigneeId', 'externalId', 'lastOperationId'] as const).map(
    (field): readonly [Field, mongo.Document, Update] => [field, isNot('string', 'null'), { $set: { [field]: null } }],
  ),
  ['assigneeId', { $eq: '' }, { $set: { assigneeId: null } }],
  ...(['assignedAt', 'lastInboundAt', 'lastOutboundAt'] as const).map(
    (field): readonly [Field, mongo.Document, Update] => [field, isNot('date', 'null'), { $set: { [field]: null } }],
  ),
];

/** Values in the place of an assignee that no texter can have as an id: one range of the index for each type. */
const MISASSIGNED = [
  '',
  { $gte: -Infinity },
  { $gte: {} },
  { $gte: new Types.ObjectId('0'.repeat(24)) },
  { $in: [false, true] },
  { $gte: new Date(-8.64e15) },
].map((assigneeId) => ({ assigneeId })) as unknown as readonly mongo.Filter<ConversationDoc>[];

function inStatuses(campaignId: string, assignees: readonly Assignee[]): mongo.Filter<ConversationDoc> {
  return { campaignId, assigneeId: { $in: [...assignees] }, status: { $in: [...STATUSES] } };
}

export class MongoCompletenessStore implements CompletenessStore {
  private readonly database: Database;
  private readonly conversations: MongoConversationStore;

  constructor(database: Database) {
    this.database = database;
    this.conversations = new MongoConversationStore(database);
  }

  async findIncomplete(): Promise<IncompleteCampaign[]> {
    const newest = this.database.campaigns.find({}, { projection: { _id: 1 }, sort: { createdAt: -1 } });
    const ids = (await newest.limit(CAMPAIGNS_CHECKED_MAX).toArray()).map(({ _id }) => _id);
    const found: IncompleteCampaign[] = [];
    for (const campaignId of ids) {
      const campaign = await this.check(campaignId);
      if (campaign.incomplete + campaign.texters + campaign.withoutTexter > 0) found.push(campaign);
    }
    return found;
  }

  async repair(campaignId: string, { status, optedOut }: RepairChoices): Promise<Repair> {
    const changed = [await this.repairCampaign(campaignId), await this.repairTexters(campaignId)];
    for (const [field, filter, update] of DEFAULTS) changed.push(await this.write(campaignId, field, filter, update));
    if (status) changed.push(await this.write(campaignId, 'status', { $nin: [...STATUSES] }, { $set: { status } }));
    if (optedOut !== undefined) {
      changed.push(await this.write(campaignId, 'optedOut', isNot('bool'), { $set: { optedOut } }));
    }
    return { changed: changed.reduce((sum, count) => sum + count, 0), ...(await this.check(campaignId)) };
  }

  /** Uses ranges of indexes only, and reads no more than it counts. */
  private async check(campaignId: string): Promise<IncompleteCampaign> {
    const texterIds = await this.database.texters.distinct('texterId', { campaignId });
    const assignees = await this.conversations.listAssignees(campaignId);
    const former = assignees.filter((id) => !texterIds.includes(id));
    const withoutOptOut = await this.conversations.countWithoutOptOut(campaignId);
    const known = withoutOptOut.filter(({ status }) => isStatus(status));
    const [unknown, misassigned, untimed, withoutTexter, texters] = await Promise.all([
      this.conversations.countUnknown(campaignId, [null, ...assignees]),
      this.count(MISASSIGNED.map((filter) => ({ campaignId, ...filter }))),
      this.count(UNSELECTABLE.map((filter) => ({ ...inStatuses(campaignId, [null, ...assignees]), ...filter }))),
      former.length > 0 ? this.conversations.count(campaignId, former, STATUSES) : 0,
      this.database.texters.countDocuments({ campaignId, active: isNot('bool') }),
    ]);
    const incomplete = unknown + misassigned + untimed + known.reduce((sum, { count }) => sum + count, 0);
    return { campaignId, incomplete, texters, withoutTexter };
  }

  private async count(filters: readonly mongo.Filter<ConversationDoc>[]): Promise<number> {
    const options = { hint: ASSIGNEE_INDEX };
    const counts = filters.map((filter) => this.database.conversations.countDocuments(filter, options));
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  }

  private async write(campaignId: string, field: Field, filter: mongo.Document, update: Update): Promise<number> {
    const { conversations } = this.database;
    const these = { campaignId, [field]: filter };
    return (await conversations.updateMany(these, update, { hint: ASSIGNEE_INDEX })).modifiedCount;
  }

  private async repairCampaign(campaignId: string): Promise<number> {
    const { enabled, batchMax, openMax } = SELF_ASSIGN_DEFAULT;
    const texterCount = await this.database.texters.countDocuments({ campaignId });
    // The rules come after the document that has them.
    const defaults: readonly (readonly [string, mongo.Document, unknown])[] = [
      ['closed', isNot('bool'), false],
      ['country', isNot('string', 'null'), null],
      ['selfAssign', isNot('object'), { ...SELF_ASSIGN_DEFAULT }],
      ['selfAssign.enabled', isNot('bool'), enabled],
      ['selfAssign.batchMax', isNot('number'), batchMax],
      ['selfAssign.openMax', isNot('number'), openMax],
      ['selfAssign.repliesMax', isNot('number', 'null'), null],
      ['operationCount', isNot('number'), 0],
      ['waitingCount', isNot('number'), 0],
      ['texterCount', isNot('number'), texterCount],
      ['createdAt', isNot('date'), this.database.now()],
    ];
    let changed = 0;
    for (const [field, filter, value] of defaults) {
      const these = { _id: campaignId, [field]: filter } as mongo.Filter<CampaignDoc>;
      const $set = { [field]: value } as mongo.MatchKeysAndValues<CampaignDoc>;
      changed += (await this.database.campaigns.updateOne(these, { $set })).modifiedCount;
    }
    return changed;
  }

  private async repairTexters(campaignId: string): Promise<number> {
    const filter = { campaignId, active: isNot('bool') } as mongo.Document;
    return (await this.database.texters.updateMany(filter, { $set: { active: false } })).modifiedCount;
  }
}
