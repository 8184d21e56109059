import type { Load, SendersView } from '../../conversations/index.ts';

/** Beyond this number of senders an event has none of them, and the client reads them again. */
const SENDERS_OF_EVENT_MAX = 200;

/** The counts by sender, without names. */
export interface CountsOfEvent {
  readonly countedAt: string;
  readonly senders: readonly (Load & { readonly texterId: string; readonly active: boolean })[];
  readonly pool: Load;
  readonly many: readonly 'senders'[];
}

export function countsOfEvent({ countedAt, senders, pool }: SendersView): CountsOfEvent {
  const isMany = senders.length > SENDERS_OF_EVENT_MAX;
  const shown = isMany ? [] : senders.map(({ name, ...sender }) => sender);
  return { countedAt, senders: shown, pool, many: isMany ? ['senders'] : [] };
}
