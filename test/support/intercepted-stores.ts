import type { Stores } from '../../src/operations/ports.ts';

/** Thrown by the stores of a process that a test treats as dead. */
export class ProcessDied extends Error {
  override readonly name = 'ProcessDied';
}

type Call = () => Promise<unknown>;

/** Returns stores that pass every call to `around`, which can act before it, after it, or instead of it. */
export function intercepted(
  stores: Stores,
  around: (number: number, name: string, call: Call) => Promise<unknown>,
): Stores {
  let calls = 0;
  const wrap = <Store extends object>(store: Store, of: string): Store =>
    new Proxy(store, {
      get(target, key): unknown {
        const member: unknown = Reflect.get(target, key);
        if (typeof member !== 'function') return member;
        return (...args: unknown[]): Promise<unknown> => {
          calls += 1;
          return around(calls, `${of}.${String(key)}`, () => Reflect.apply(member, target, args) as Promise<unknown>);
        };
      },
    });
  const { campaigns, texters, conversations, operations, batches } = stores;
  return {
    ...stores,
    campaigns: wrap(campaigns, 'campaigns'),
    texters: wrap(texters, 'texters'),
    conversations: wrap(conversations, 'conversations'),
    operations: wrap(operations, 'operations'),
    batches: wrap(batches, 'batches'),
  };
}

/** Returns stores with which no operation is moved and ended at once, so that its batches are stored and applied in parts. */
export function inParts(stores: Stores): Stores {
  return intercepted(stores, (_number, name, call) =>
    name === 'operations.endAtOnce' ? Promise.resolve(undefined) : call(),
  );
}

/** Simulates a process that dies after call number `last` took effect: that call and all later ones throw. */
export function dieAfter(stores: Stores, last: number): Stores {
  let dead = false;
  return intercepted(stores, async (number, name, call) => {
    if (dead) throw new ProcessDied(name);
    const result = await call();
    if (number !== last) return result;
    dead = true;
    throw new ProcessDied(name);
  });
}

/** Runs `action`, as another process could, just before call number `at`. */
export function runBeforeCall(stores: Stores, at: number, action: () => Promise<void>): Stores {
  return intercepted(stores, async (number, _name, call) => {
    if (number === at) await action();
    return call();
  });
}

/** Returns the names of the calls that `work` makes, in order. */
export async function callsOf(stores: Stores, work: (stores: Stores) => Promise<unknown>): Promise<string[]> {
  const names: string[] = [];
  const recording = intercepted(stores, (_number, name, call) => {
    names.push(name);
    return call();
  });
  await work(recording);
  return names;
}
