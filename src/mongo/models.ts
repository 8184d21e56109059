import { Schema, type Connection, type Model } from 'mongoose';
import { OPERATION_KINDS } from '../domain/operation.ts';
import { apiKeySchema, changeSchema, organisationSchema, signingKeysSchema } from './access-schemas.ts';
import { campaignSchema, conversationSchema, creditSchema, texterSchema } from './campaign-schemas.ts';
import type { ClaimDoc, OperationDoc } from './documents.ts';
import { batchSchema, claimSchema, operationSchema } from './operation-schemas.ts';
import { strict } from './schema-parts.ts';

/** Creates the models on a connection. Sends nothing to the server. */
export function createModels(connection: Connection) {
  const operations = connection.model('Operation', operationSchema);
  const claims = operations.discriminator('Claim', claimSchema, 'self-assign');
  // mongoose refuses documents whose discriminator has no model.
  for (const kind of OPERATION_KINDS) {
    if (kind !== 'self-assign') operations.discriminator(`Operation ${kind}`, new Schema({}, strict), kind);
  }
  return {
    campaigns: connection.model('Campaign', campaignSchema),
    credits: connection.model('Credits', creditSchema),
    texters: connection.model('Texter', texterSchema),
    conversations: connection.model('Conversation', conversationSchema),
    /** Finds operations of every kind, claims included. */
    operations: operations as unknown as Model<OperationDoc>,
    /** Finds claims only. */
    claims: claims as unknown as Model<ClaimDoc>,
    batches: connection.model('Batch', batchSchema),
    organisations: connection.model('Organisation', organisationSchema),
    apiKeys: connection.model('ApiKey', apiKeySchema),
    signingKeys: connection.model('SigningKeys', signingKeysSchema),
    changes: connection.model('Change', changeSchema),
  };
}

export type Models = ReturnType<typeof createModels>;
