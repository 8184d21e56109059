import type { FastifyReply, FastifyRequest } from 'fastify';

import { isPermanent, JobFailed, WaitTimeout } from '../domain/errors.ts';

/** A proxy in front usually cuts a request off after 60 seconds. */
const WAIT_S_MAX = 30;
const WAIT = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,6})"?/i;
const MS_PER_S = 1_000;

/** Reads how long the caller wants to wait (RFC 7240), and says in the answer that this was understood. */
export function readWaitMs(request: FastifyRequest, reply: FastifyReply): number {
  const waitMs = preferredWaitMs(request);
  if (waitMs !== undefined) void reply.header('preference-applied', `wait=${waitMs / MS_PER_S}`);
  return waitMs ?? 0;
}

/** Returns how long the caller wants to wait, or `undefined` when the request does not say it. */
export function preferredWaitMs({ headers }: FastifyRequest): number | undefined {
  const [, text] = WAIT.exec([headers['prefer']].flat().join(',')) ?? [];
  return text === undefined ? undefined : Math.min(Number(text), WAIT_S_MAX) * MS_PER_S;
}

/**
 * Waits for the end of an operation, for at most `waitMs`, and no longer than the server runs. How the operation ended is in
 * the database: refusals and failures are ends too. Returns false when the operation continues. Throws when its id belongs
 * to another request.
 */
export async function waitForEnd(
  waitMs: number,
  stopping: AbortSignal,
  result: (wait: { readonly waitMs: number }) => Promise<unknown>,
): Promise<boolean> {
  if (waitMs === 0 || stopping.aborted) return false;
  const ended = result({ waitMs }).then(
    () => true,
    (error: unknown) => {
      if (error instanceof WaitTimeout) return false;
      if ((error instanceof JobFailed || isPermanent(error)) && error.code !== 'operation-conflict') return true;
      throw error;
    },
  );
  return unlessStopping(stopping, ended, false);
}

/** Waits for `work`, or returns `otherwise` as soon as the server stops. */
async function unlessStopping<Result>(
  stopping: AbortSignal,
  work: Promise<Result>,
  otherwise: Result,
): Promise<Result> {
  let stop = (): void => undefined;
  const stopped = new Promise<Result>((resolve) => {
    stop = () => resolve(otherwise);
    stopping.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    stopping.removeEventListener('abort', stop);
  }
}

/** A worker answers a request to cancel within seconds. */
const CANCEL_MS_MIN = 2_000;

/**
 * Waits for the answer to a request to cancel, and no longer than the server runs. Unlike the end of an operation, a refusal
 * is the answer to the caller. The request is sent in every case: a repeated one has the same effect.
 */
export async function waitForCancellation(
  waitMs: number,
  stopping: AbortSignal,
  cancel: (wait: { readonly waitMs: number }) => Promise<unknown>,
): Promise<void> {
  const cancelWithin = async (limitMs: number): Promise<boolean> => {
    await cancel({ waitMs: limitMs }).catch((error: unknown) => {
      if (!(error instanceof WaitTimeout)) throw error;
    });
    return true;
  };
  const isAnswered =
    !stopping.aborted && (await unlessStopping(stopping, cancelWithin(Math.max(waitMs, CANCEL_MS_MIN)), false));
  if (!isAnswered) await cancelWithin(0);
}
