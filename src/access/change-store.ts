import { Types } from 'mongoose';
import type { Database } from '../mongo/database.ts';
import type { ChangeDoc } from '../mongo/documents.ts';
import { CHANGES_INDEX } from '../mongo/indexes.ts';
import { CHANGE_KINDS, type Change, type RecordedChange } from './organisation.ts';
import type { ChangeEnd, ChangeStore } from './ports.ts';

export class MongoChangeStore implements ChangeStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async begin({ subjectIds, values, ...change }: Change, at: Date): Promise<string> {
    const _id = new Types.ObjectId();
    const doc = { _id, ...change, subjectIds: [...subjectIds], values: { ...values }, at, outcome: null };
    await this.database.models.changes.create(doc);
    return _id.toHexString();
  }

  async end(id: string, { outcome, subjectIds }: ChangeEnd): Promise<void> {
    const fields = { outcome, ...(subjectIds && { subjectIds: [...subjectIds] }) };
    await this.database.models.changes.updateOne({ _id: new Types.ObjectId(id), outcome: null }, { $set: fields });
  }

  async list(organisationId: string, limit: number): Promise<RecordedChange[]> {
    const found = this.database.models.changes.find({ organisationId }).sort({ at: -1, _id: -1 });
    return (await found.hint(CHANGES_INDEX).limit(limit).lean<ChangeDoc[]>()).flatMap(toChange);
  }
}

/** Leaves out changes of a kind that only a newer version knows. */
function toChange({ kind, ...doc }: ChangeDoc): RecordedChange[] {
  const known = CHANGE_KINDS.find((each) => each === kind);
  if (known === undefined) return [];
  const { organisationId, campaignId, subjectIds, values, actor, at, outcome } = doc;
  return [{ organisationId, campaignId, kind: known, subjectIds, values, actor, at, outcome }];
}
