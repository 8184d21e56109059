/**
 * Access: organisations, their API keys, and the record of who changed what.
 *
 * key                    how an API key is made and compared
 * manage                 create organisations; create, replace and revoke keys
 * texter-token           signs tokens of texters and reads them
 * signing-keys           the keys of the servers, which sign tokens
 * token-key              the public keys of an organisation that signs tokens itself
 * recorded               records a change before and after it is made
 * ports                  the database as the use cases see it; *-store implement it
 */
export { MongoChangeStore } from './change-store.ts';
export { type Key, matchesHash, parseKey } from './key.ts';
export { MongoKeyStore } from './key-store.ts';
export {
  type CreatedKey,
  createKey,
  createOrganisation,
  findOrganisation,
  keyVersionKey,
  renewKeyVersion,
  replaceKey,
  revokeKey,
  setTokenKeys,
} from './manage.ts';
export {
  type ApiKey,
  type ChangeKind,
  type RecordedChange,
  type Scope,
  type StoredKey,
  SCOPES,
} from './organisation.ts';
export { MongoOrganisationStore } from './organisation-store.ts';
export type { ChangeEnd, ChangeStore, KeyStore, OrganisationStore } from './ports.ts';
export { recorded, type RecordDeps } from './recorded.ts';
export { MongoSigningKeyStore } from './signing-key-store.ts';
export { rotateSigningKey, SigningKeys, type SigningKeyStore } from './signing-keys.ts';
export { tokenKeySet, verifyingKey } from './token-key.ts';
export { readToken, signToken, TOKEN_S_MAX, type VerifyingKeys } from './texter-token.ts';
