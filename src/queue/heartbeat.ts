import type { RedisTimes } from './connection-options.ts';
import type { RedisConnection } from './connection.ts';

/**
 * Sends a command at intervals over a connection that only listens. Without it, nothing would show that the other end has
 * vanished. The next command is sent when the last has an answer. Returns a function that stops it.
 */
export function keepAlive(
  redis: RedisConnection,
  { silenceMs, keepAliveMs }: RedisTimes,
  beat: () => Promise<unknown>,
): () => void {
  let isWaiting = false;
  let silence: NodeJS.Timeout | undefined;
  const send = async (): Promise<void> => {
    if (isWaiting) return;
    isWaiting = true;
    silence = setInterval(() => replace(redis), silenceMs);
    await beat().catch(() => undefined);
    clearInterval(silence);
    isWaiting = false;
  };
  const timer = setInterval(() => void send(), keepAliveMs);
  return () => {
    clearInterval(timer);
    clearInterval(silence);
  };
}

/** The client replaces a silent connection by itself, but not the one of a cluster that listens to messages. */
function replace(redis: RedisConnection): void {
  if (redis.isCluster && redis.status === 'ready') redis.disconnect(true);
}
