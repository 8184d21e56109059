import { actorId } from '../domain/ids.ts';
import { shown } from '../domain/visible-text.ts';
import { misused } from './errors.ts';
import type { ActorOptions } from './options.ts';
import type { Session } from './session.ts';

/** The person who asks, for requests from a terminal where nobody is named. */
const DEFAULT_ACTOR = 'cli';

/** Returns the id of the person who asks: of `--actor`, of the variable BATON_ACTOR, or a word that says where from. */
export function actorOf({ terminal }: Session, { actor }: ActorOptions): string {
  const given = actor ?? (terminal.env['BATON_ACTOR'] || DEFAULT_ACTOR);
  if (actorId.safeParse(given).success) return given;
  const expected = 'an opaque id of letters, digits, "-", "_", ".", ":" and "|"';
  throw misused(`BATON_ACTOR must be ${expected}`, { expected, received: shown(given) });
}
