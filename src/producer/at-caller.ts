const FRAME = /^\s+at /;

/** Makes the stack of each error of an asynchronous function begin at the line that called the function. */
export function atCaller<Args extends readonly unknown[], Result>(
  act: (...args: Args) => Promise<Result>,
): (...args: Args) => Promise<Result> {
  const called = async (...args: Args): Promise<Result> => {
    const caller: { stack?: string } = {};
    Error.captureStackTrace(caller, called);
    try {
      return await act(...args);
    } catch (error) {
      throw beginAt(caller, error);
    }
  };
  return called;
}

/** Does the same for all methods of an object, which must return promises. */
export function methodsAtCaller<Methods extends object>(methods: Methods): Methods {
  return new Proxy(methods, {
    get(target, name): unknown {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function') return method;
      return atCaller((...args: unknown[]) => Reflect.apply(method, target, args) as Promise<unknown>);
    },
  });
}

/** Runs `act`. If it throws, the stack of the error begins at the line that called `called`. */
export function callAtCaller<Result>(called: (...args: never[]) => unknown, act: () => Result): Result {
  try {
    return act();
  } catch (error) {
    const caller: { stack?: string } = {};
    Error.captureStackTrace(caller, called);
    throw beginAt(caller, error);
  }
}

/** The frames inside of the producer say nothing to a caller, and after a wait they do not lead to the caller. */
function beginAt({ stack = '' }: { stack?: string }, error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const frames = stack.split('\n').filter((line) => FRAME.test(line));
  if (frames.length > 0) error.stack = [`${error.name}: ${error.message}`, ...frames].join('\n');
  return error;
}
