import type { Session } from './session.ts';

/**
 * What kept a campaign's claims waiting may be gone: they are looked at again. What the command was to do is done,
 * whether they hear of it or not.
 */
export async function tellWaitingClaims(session: Session, campaignId: string): Promise<void> {
  const { stores } = await session.context();
  if (!(await stores.claims.firstWaiting(campaignId))) return;
  try {
    await session.producer().poolRefilled(campaignId);
  } catch (error) {
    session.tell(`done, but claims that wait have not heard of it: ${(error as Error).message}`);
  }
}
