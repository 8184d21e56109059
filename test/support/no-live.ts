import type { LivePublisher } from '../../src/events/index.ts';

/** For handlers whose changes nobody watches. */
export const NO_LIVE: LivePublisher = { publish: () => undefined };
