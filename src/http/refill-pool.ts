import { errorText } from '../domain/safe-text.ts';
import type { HttpServices } from './services.ts';

/**
 * Starts another round for the campaign's waiting claims, after a rule has changed. The change is stored by then, and the
 * claims end at their deadlines at the latest, so an unreachable queue does not fail the request.
 */
export async function refillPool({ context, producer, logger }: HttpServices, campaignId: string): Promise<void> {
  try {
    if (await context.stores.claims.hasWaiting(campaignId)) await producer.poolRefilled(campaignId);
  } catch (error) {
    logger.warn({ campaignId, error: errorText(error) }, 'the waiting claims could not be notified');
  }
}
