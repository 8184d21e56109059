import type { Stores } from '../../src/operations/ports.ts';

/** Thrown by {@link cutAfter} in place of a process that has died. */
export class PowerCut extends Error {
  override readonly name = 'PowerCut';
}

type Call = () => Promise<unknown>;

/** Returns stores that pass every call to `around`, which can act before it, after it, or instead of it. */
export function watched(
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

/** Simulates a process that dies after call number `cut` took effect: that call and all later ones throw. */
export function cutAfter(stores: Stores, cut: number): Stores {
  let dead = false;
  return watched(stores, async (number, name, call) => {
    if (dead) throw new PowerCut(name);
    const answer = await call();
    if (number !== cut) return answer;
    dead = true;
    throw new PowerCut(name);
  });
}

/** Runs `meanwhile`, the action of another process, just before call number `at`. */
export function meanwhileAt(stores: Stores, at: number, meanwhile: () => Promise<void>): Stores {
  return watched(stores, async (number, _name, call) => {
    if (number === at) await meanwhile();
    return call();
  });
}

/** Returns the names of the calls that `work` makes, in order. */
export async function callsOf(stores: Stores, work: (stores: Stores) => Promise<unknown>): Promise<string[]> {
  const names: string[] = [];
  const recording = watched(stores, (_number, name, call) => {
    names.push(name);
    return call();
  });
  await work(recording);
  return names;
}
