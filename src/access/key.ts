import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';

const KEY_ID_BYTES = 8;
/** 256 bits, which nobody can guess. */
const SECRET_BYTES = 32;
/** The checksum lets scanners of source code recognise a key, and refuses a mistyped one without a look into the database. */
const KEY = /^baton_([0-9a-f]{16})_([A-Za-z0-9_-]{43})_([0-9a-f]{8})$/;

/** An API key as its owner has it. */
export interface Key {
  /** Identifies the key in lists and logs. It is no secret. */
  readonly keyId: string;
  readonly secret: string;
}

export function newKey(): Key {
  return {
    keyId: randomBytes(KEY_ID_BYTES).toString('hex'),
    secret: randomBytes(SECRET_BYTES).toString('base64url'),
  };
}

export function keyText({ keyId, secret }: Key): string {
  const body = `baton_${keyId}_${secret}`;
  return `${body}_${checksumOf(body)}`;
}

/** Returns `undefined` for a text that is no key. */
export function parseKey(text: string): Key | undefined {
  const [, keyId, secret, checksum] = KEY.exec(text) ?? [];
  if (keyId === undefined || secret === undefined) return undefined;
  return checksum === checksumOf(`baton_${keyId}_${secret}`) ? { keyId, secret } : undefined;
}

export function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

/** Compares in constant time. */
export function matchesHash(secret: string, hash: string): boolean {
  const [given, kept] = [Buffer.from(hashOf(secret)), Buffer.from(hash)];
  return given.length === kept.length && timingSafeEqual(given, kept);
}

function checksumOf(body: string): string {
  return crc32(body).toString(16).padStart(8, '0');
}
