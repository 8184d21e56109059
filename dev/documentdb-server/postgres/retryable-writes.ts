import { RETRYABLE_WRITE_MINUTES } from '../limits.js';
import type { Pool } from './pool.js';
import type { Statement } from './protocol.js';

/**
 * PostgreSQL stores the reply to the last retryable write of each session, in the transaction of the write. A driver that
 * lost the reply sends the same command again, with the same session and number. DocumentDB has records of its own, but
 * they recognise a command only once, and they confuse the statements of a batch with each other.
 */
const STATEMENTS: readonly string[] = [
  'begin',
  // Two servers may start at the same time.
  `select pg_advisory_xact_lock(hashtext('baton_server'))`,
  'create schema if not exists baton_server',
  `create table if not exists baton_server.retryable_writes (
    session text primary key,
    number bigint not null,
    reply documentdb_core.bson,
    success boolean,
    written_at timestamptz not null default now()
  ) with (fillfactor = 50)`,
  `delete from baton_server.retryable_writes where written_at < now() - interval '${RETRYABLE_WRITE_MINUTES} minutes'`,
  // A repeated write waits in the first statement until the earlier attempt has ended.
  `create or replace function baton_server.write_once(
    command text, db text, body documentdb_core.bson, documents documentdb_core.bsonsequence,
    session_id text, write_number bigint, out p_result documentdb_core.bson, out p_success boolean
  ) language plpgsql as $$
  begin
    insert into baton_server.retryable_writes as last (session, number) values (session_id, write_number)
      on conflict (session) do update set number = excluded.number, reply = null, written_at = now()
      where last.number < excluded.number;
    if not found then
      select last.reply, last.success into p_result, p_success
        from baton_server.retryable_writes last where last.session = session_id and last.number = write_number;
      return;
    end if;
    if command = 'insert' then
      select w.p_result, w.p_success into p_result, p_success from documentdb_api.insert(db, body, documents, null) w;
    elsif command = 'update' then
      select w.p_result, w.p_success into p_result, p_success from documentdb_api.update(db, body, documents, null) w;
    elsif command = 'delete' then
      select w.p_result, w.p_success into p_result, p_success from documentdb_api.delete(db, body, documents, null) w;
    else
      select w.p_result, w.p_success into p_result, p_success from documentdb_api.find_and_modify(db, body, null) w;
    end if;
    update baton_server.retryable_writes set reply = p_result, success = p_success where session = session_id;
  end $$`,
  'commit',
];

const WRITE_ONCE: Statement = {
  name: 'write_once',
  text: 'select p_result, p_success from baton_server.write_once($1, $2, $3, $4, $5, $6::text::bigint)',
};
const FORGET: Statement = { name: 'forget', text: 'delete from baton_server.retryable_writes where session = $1' };

export class RetryableWrites {
  readonly #pool: Pool;
  #created: Promise<void> | undefined;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** Returns the statement that writes once and returns the reply. Creates its function before the first use. */
  async writeOnce(): Promise<Statement> {
    this.#created ??= this.#create();
    await this.#created.catch((error: unknown) => {
      this.#created = undefined;
      throw error;
    });
    return WRITE_ONCE;
  }

  /** Deletes the stored replies of ended sessions. */
  async forget(sessions: readonly string[]): Promise<void> {
    if (this.#created === undefined || sessions.length === 0) return;
    const connection = await this.#pool.acquire();
    await connection
      .run(sessions.map((session) => ({ statement: FORGET, values: [session] })))
      .finally(() => this.#pool.release(connection));
  }

  async #create(): Promise<void> {
    const connection = await this.#pool.acquire();
    const steps = STATEMENTS.map((text, index) => ({ statement: { name: `create_writes_${index}`, text } }));
    await connection.run(steps).finally(() => this.#pool.release(connection));
  }
}
