import { Types, type InferRawDocTypeFromSchema, type mongo } from 'mongoose';
import type { DatabaseAge } from '../domain/database-age.ts';
import type { apiKeySchema, changeSchema, organisationSchema, signingKeysSchema } from './access-schemas.ts';
import type { campaignSchema, conversationSchema, creditSchema, texterSchema } from './campaign-schemas.ts';
import type { batchSchema, claimSchema, operationSchema } from './operation-schemas.ts';

/** The types of the stored documents. The schemas are their only source. */
export type CampaignDoc = InferRawDocTypeFromSchema<typeof campaignSchema>;
export type CreditDoc = InferRawDocTypeFromSchema<typeof creditSchema>;
export type TexterDoc = InferRawDocTypeFromSchema<typeof texterSchema>;
export type ConversationDoc = InferRawDocTypeFromSchema<typeof conversationSchema>;
export type OrganisationDoc = InferRawDocTypeFromSchema<typeof organisationSchema>;
export type ApiKeyDoc = InferRawDocTypeFromSchema<typeof apiKeySchema>;
export type SigningKeysDoc = InferRawDocTypeFromSchema<typeof signingKeysSchema>;
export type ChangeDoc = InferRawDocTypeFromSchema<typeof changeSchema>;
export type BatchDoc = InferRawDocTypeFromSchema<typeof batchSchema>;

type AnyKind = InferRawDocTypeFromSchema<typeof operationSchema>;

/** An operation of any kind but `self-assign`. */
export type OperationDoc = Omit<AnyKind, 'kind'> & { kind: Exclude<AnyKind['kind'], 'self-assign'> };

/** An operation of the kind `self-assign`. */
export type ClaimDoc = Omit<AnyKind, 'kind' | 'request' | 'plan' | 'stops' | 'campaignLock'> & {
  kind: 'self-assign';
} & Omit<InferRawDocTypeFromSchema<typeof claimSchema>, '_id'>;

/** The one document of the collection `schema`. It has no model, because it has no store. */
export interface SchemaDoc {
  _id: 'schema';
  /** Identifies the database, whatever its address: see `database-id.ts`. */
  databaseId?: string;
  /** Counts reconcile passes: see `domain/database-age.ts`. */
  age?: DatabaseAge;
  /** The version of the last migration that was completed. */
  version: number;
  /** Code whose newest migration is older than this version must not work with the database. */
  oldestCodeVersion: number;
  applied: { version: number; name: string; at: Date }[];
  /** Present while a process migrates, and after such a process died. */
  lock?: { owner: string; until: Date };
}

/** A process that runs transactions. It has no model, because it has no store. */
export interface ProcessDoc {
  _id: string;
  /** The ids of the sessions in which the process runs transactions. */
  sessions: mongo.BSON.Binary[];
  /** Grows while the process lives. */
  beat: number;
}

/** The conversations of a campaign that a claim can receive. */
export const CLAIMABLE = { assigneeId: null, status: 'not-started', optedOut: false } as const;

/** The bulk operations that wait for others of their campaign. */
export const QUEUED = { state: 'accepted', sequence: { $gt: 0 } } as const;

/** The claims that wait for more conversations. */
export const IS_WAITING = { 'waiting.until': { $exists: true } } as const;

/** The claims that have stopped waiting, and whose job may not know it. */
export const TO_WAKE = { toWake: true } as const;

/** Enough for more batches than the largest campaign has conversations. */
const BATCH_NUMBER_DIGITS = 8;

export function batchId(operationId: string, number: number): string {
  return `${encodeURIComponent(operationId)}:${String(number).padStart(BATCH_NUMBER_DIGITS, '0')}`;
}

/** The range of the ids that {@link batchId} makes for an operation. `;` follows `:`, and encoded ids contain neither. */
export function batchIdsOf(operationId: string): { $gt: string; $lt: string } {
  const encoded = encodeURIComponent(operationId);
  return { $gt: `${encoded}:`, $lt: `${encoded};` };
}

/** The ids of a batch are written twice: in the batch and in the filter of its moves. This converts them once. */
const converted = new WeakMap<readonly string[], Types.ObjectId[]>();

export function objectIds(ids: readonly string[]): Types.ObjectId[] {
  const known = converted.get(ids);
  if (known) return known;
  const made = ids.map((id) => new Types.ObjectId(id));
  converted.set(ids, made);
  return made;
}
