import { Schema } from 'mongoose';
import {
  listOf,
  nested,
  optional,
  required,
  strict,
  text,
  textOrNull,
  time,
  timeOrNull,
  Value,
} from './schema-parts.ts';

/** A public key. The fields besides the id and the kind are its numbers. */
export interface StoredTokenKey {
  readonly kid: string;
  readonly kty: 'OKP' | 'EC' | 'RSA';
  readonly [field: string]: string;
}

export const organisationSchema = Schema.create(
  {
    _id: text,
    name: text,
    createdAt: time,
    /** The public keys with which the organisation signs tokens of its texters. */
    tokenKeys: optional<readonly StoredTokenKey[]>({ type: [Value], default: undefined }),
  },
  { ...strict, collection: 'organisations' },
);

export const apiKeySchema = Schema.create(
  {
    /** The part of the key that is no secret. */
    _id: text,
    organisationId: text,
    /** The app that uses the key. */
    name: text,
    /** The SHA-256 of the secret, in base64url. A random secret of 256 bits needs no slow hash. */
    hash: text,
    scopes: required<string[]>({ type: [String] }),
    /** 1 or 2 while the key is live: an app can have two live keys, to replace one without a gap. */
    slot: { type: Number, min: 1, max: 2, allowNull: false },
    createdAt: time,
    createdBy: text,
    revokedAt: timeOrNull,
  },
  { ...strict, collection: 'api_keys' },
);

const signingKey = Schema.create(
  { kid: text, publicPart: text, privatePart: textOrNull, createdAt: time, retiredAt: timeOrNull },
  nested,
);

/** One document: the keys with which the HTTP servers sign tokens of texters, newest first. Only the newest has a private part. */
export const signingKeysSchema = Schema.create(
  { _id: text, keys: listOf(signingKey) },
  { ...strict, collection: 'signing_keys' },
);

/** Records who changed rules, texters and keys, and when. */
export const changeSchema = Schema.create(
  {
    _id: { type: Schema.Types.ObjectId, required: true },
    organisationId: text,
    campaignId: textOrNull,
    kind: text,
    /** The ids of the texters or keys that the change is about; of a change made `partly`, those that did change. */
    subjectIds: required<string[]>({ type: [String] }),
    /** The new values, without names. */
    values: required<Record<string, unknown>>({ type: Value }),
    actor: text,
    at: time,
    /** `done`, `partly`, or the code of the error; `null` while the change runs, or when its end was not recorded. */
    outcome: textOrNull,
  },
  { ...strict, collection: 'changes' },
);
