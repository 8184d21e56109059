/** What an API key may do. A closed set and part of the public contract. */
export const SCOPES = [
  'read',
  'operations:write',
  'campaigns:write',
  'texters:write',
  'conversations:write',
  'texters:token',
  'organisation:write',
] as const;

export type Scope = (typeof SCOPES)[number];

/** How many live keys an app can have: the old one and the new one while it is replaced. */
export const LIVE_KEYS_MAX = 2;

export interface Organisation {
  readonly organisationId: string;
  readonly name: string;
  readonly createdAt: Date;
}

/** An API key without its secret. */
export interface ApiKey {
  readonly keyId: string;
  readonly organisationId: string;
  /** The app that uses the key. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly createdAt: Date;
  readonly createdBy: string;
  readonly revokedAt: Date | null;
}

/** An API key with what a request is compared with. */
export interface StoredKey extends ApiKey {
  readonly hash: string;
}

/** Every kind of recorded change. */
export const CHANGE_KINDS = [
  'campaign-created',
  'campaign-opened',
  'campaign-closed',
  'campaign-renamed',
  'campaign-removed',
  'campaign-restored',
  'country-changed',
  'rules-changed',
  'texters-added',
  'texters-paused',
  'texters-resumed',
  'texters-renamed',
  'texters-removed',
  'texters-restored',
  'key-created',
  'key-revoked',
  'organisation-created',
  'token-keys-changed',
  'tokens-revoked',
  'signing-key-rotated',
] as const;

export type ChangeKind = (typeof CHANGE_KINDS)[number];

/** A change of rules, texters or keys. */
export interface Change {
  readonly organisationId: string;
  readonly campaignId: string | null;
  readonly kind: ChangeKind;
  /** The ids of the texters or keys that the change is about; of a change made `partly`, those that did change. */
  readonly subjectIds: readonly string[];
  /** The new values, without names. */
  readonly values: Readonly<Record<string, unknown>>;
  /** `key:ID`, with `/PERSON` behind it if the request named one; or `command-line`. */
  readonly actor: string;
}

export interface RecordedChange extends Change {
  readonly at: Date;
  /** `done`, `partly`, or the code of the error; `null` while the change runs, or when its end was not recorded. */
  readonly outcome: string | null;
}

/** The actor of changes that are made on the command line. */
export const COMMAND_LINE = 'command-line';
