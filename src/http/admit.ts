import type { FastifyReply, FastifyRequest } from 'fastify';
import { beginEarlier, loadChain, type Access } from './access.ts';
import { authenticateTexter } from './authenticate-texter.ts';
import { authenticateKey, requireScope } from './authenticate.ts';
import { isOwnRequest } from './own-operation.ts';
import { HttpProblem, notFound } from './problem.ts';
import { countRefused } from './rate-limit.ts';
import type { HttpServices } from './services.ts';

type Guarded = Exclude<Access, { readonly for: 'anyone' }>;

/** The codes of requests that count against the limit of their address. */
const REFUSED_CODES: readonly string[] = ['key-refused', 'token-refused', 'token-expired'];

/** Checks who sends a request and may use the route, and loads the resources that the route declares. */
export async function admit(
  services: HttpServices,
  access: Guarded,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  try {
    await (access.for === 'texter'
      ? admitTexter(services, access, request, reply)
      : admitKey(services, access, request, reply));
  } catch (error) {
    const isRefused = error instanceof HttpProblem && REFUSED_CODES.includes(error.code);
    if (isRefused) await countRefused({ ...services, config: services.config.http }, request, reply);
    throw error;
  }
}

async function admitKey(
  services: HttpServices,
  { scope, chain, sends }: Extract<Guarded, { readonly for: 'key' }>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const caller = await authenticateKey({ ...services, config: services.config.http }, request, reply);
  request.caller = caller;
  requireScope(caller, scope);
  if (sends) request.earlier = beginEarlier(services, caller.organisationId, request.headers['idempotency-key']);
  request.resources = await loadChain(services, caller.organisationId, chain, paramsOf(request));
}

async function admitTexter(
  services: HttpServices,
  { chain = [] }: Extract<Guarded, { readonly for: 'texter' }>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const deps = { ...services, config: services.config.http };
  const { caller, resources } = await authenticateTexter(deps, request, reply);
  request.texter = caller;
  request.resources = await loadChain(services, caller.organisationId, chain, paramsOf(request), resources);
  const { operation } = request.resources;
  if (operation && !isOwnRequest(operation.request, caller.texterId)) throw notFound('operation');
}

function paramsOf({ params }: FastifyRequest): Readonly<Record<string, string | undefined>> {
  return params as Readonly<Record<string, string | undefined>>;
}
