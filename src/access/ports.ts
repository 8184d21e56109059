import type { TokenKey } from './token-key.ts';
import type { ApiKey, Change, Organisation, RecordedChange, StoredKey } from './organisation.ts';

export interface OrganisationStore {
  /** Throws an `organisation-exists` refusal when the id is taken. */
  insert(organisation: Organisation): Promise<void>;
  find(organisationId: string): Promise<Organisation | undefined>;
  list(): Promise<Organisation[]>;
  /** Returns no keys also when the organisation does not exist. */
  tokenKeys(organisationId: string): Promise<readonly TokenKey[]>;
  setTokenKeys(organisationId: string, keys: readonly TokenKey[]): Promise<void>;
}

export interface KeyStore {
  /** Throws a `too-many-keys` refusal when the app has as many live keys as it can have. */
  insert(key: StoredKey): Promise<void>;
  find(keyId: string): Promise<StoredKey | undefined>;
  /** Lists the keys of an organisation, oldest first. */
  list(organisationId: string): Promise<ApiKey[]>;
  /** Returns the key as it is stored afterwards, or `undefined` when it does not exist. Safe to repeat. */
  revoke(keyId: string, at: Date): Promise<ApiKey | undefined>;
}

/** How a change ended. */
export interface ChangeEnd {
  readonly outcome: string;
  /** The ids that did change, of a change that was made for some of them only. */
  readonly subjectIds?: readonly string[];
}

export interface ChangeStore {
  /** Records a change before it is made, so that a process that dies leaves a trace. Returns the id of the record. */
  begin(change: Change, at: Date): Promise<string>;
  end(id: string, end: ChangeEnd): Promise<void>;
  /** Lists the changes of an organisation, newest first. */
  list(organisationId: string, limit: number): Promise<RecordedChange[]>;
}
