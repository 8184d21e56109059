import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Refusal } from '../../src/domain/errors.ts';
import { parseRequest, type OperationRequest } from '../../src/operations/contract.ts';
import { newOperationJob, parseOperationJob, newPreviewJob } from '../../src/operations/jobs.ts';
import { requestHash } from '../../src/domain/requests.ts';

const GOOD = {
  kind: 'reassign',
  operationId: 'op-1',
  campaignId: 'c1',
  from: 'pool',
  to: { texterIds: ['t1'] },
  status: 'any',
} as const;
const ONE = {
  kind: 'reassign-one',
  operationId: 'op-1',
  campaignId: 'c1',
  conversationId: '0123456789abcdef01234567',
  to: { texterIds: ['t1'] },
} as const;

function refusalOf(act: () => unknown): Refusal {
  try {
    act();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('expected a refusal, got none');
}

const nested = (levels: number): unknown => {
  let value: unknown = 1;
  for (let level = 0; level < levels; level += 1) value = { a: value };
  return value;
};
const circular = (): object => {
  const value: Record<string, unknown> = {};
  value['self'] = value;
  return value;
};

const HOSTILE_IDS: [string, unknown][] = [
  ['a query operator', { $ne: null }],
  ['a query operator in a list', [{ $gt: '' }]],
  ['a query operator as text', '$where'],
  ['null', null],
  ['undefined', undefined],
  ['an empty string', ''],
  ['a number', 7],
  ['a big integer', 7n],
  ['a path', '../../etc'],
  ['an id with a space', 'a b'],
  ['an id with a line end', 'op\n'],
  ['an id with a zero byte', 'op\u0000'],
  ['65 characters', 'x'.repeat(65)],
  ['a million characters', 'x'.repeat(1_000_000)],
  ['similar letters of another alphabet', 'оp-1'],
  ['a list of one id', ['c1']],
  ['an object whose text is an id', { toString: () => 'c1' }],
];

describe('a request from outside', () => {
  it.each(HOSTILE_IDS)('is refused with %s in the place of an id', (_what, id) => {
    const inputs = [
      { ...GOOD, operationId: id },
      { ...GOOD, campaignId: id },
      { ...GOOD, from: { texterIds: [id] } },
      { ...GOOD, to: { texterIds: [id] } },
      { ...GOOD, ...(id !== undefined && { actorId: id }) },
      { ...ONE, conversationId: id },
      { ...ONE, to: { texterIds: [id] } },
      { ...ONE, ...(id !== undefined && id !== null && { expectedAssigneeId: id }) },
    ];
    const hostile = id === undefined ? inputs.filter((_, at) => at !== 4 && at !== 7) : inputs;
    for (const input of id === null ? hostile.slice(0, 7) : hostile) {
      expect(refusalOf(() => parseRequest(input)).code).toBe('bad-request');
    }
  });

  const NUMBERS = [
    0,
    -1,
    1.5,
    2 ** 53,
    2 ** 53 + 2,
    NaN,
    Infinity,
    -Infinity,
    '5',
    'all',
    5n,
    [5],
    { $gt: 0 },
    null,
    true,
  ];
  it.each(NUMBERS)('refuses a count of %s', (count) => {
    expect(refusalOf(() => parseRequest({ ...GOOD, count }))).toMatchObject({
      code: 'bad-request',
      expected: expect.stringContaining('count') as string,
    });
  });

  it.each([-1, 0.5, NaN, 2 ** 53, '3'])('refuses a confirmation of %s', (confirm) => {
    const input = { kind: 'unassign', operationId: 'op-1', campaignId: 'c1', from: 'everyone', status: 'any', confirm };
    expect(refusalOf(() => parseRequest(input)).code).toBe('bad-request');
  });

  const SHAPES: [string, unknown][] = [
    ['null', null],
    ['undefined', undefined],
    ['a string', 'reassign'],
    ['a number', 1],
    ['a list', [GOOD]],
    ['a function', () => GOOD],
    ['a date', new Date()],
    ['no kind', { ...GOOD, kind: undefined }],
    ['an unknown kind', { ...GOOD, kind: 'drop' }],
    ['the kind of an inherited property', { ...GOOD, kind: 'constructor' }],
    ['an unknown key', { ...GOOD, force: true }],
    ['a key of another kind', { ...GOOD, confirm: 5 }],
    ['an unknown key inside', { ...GOOD, to: { texterIds: ['t1'], all: true } }],
    ['an unknown word for the sources', { ...GOOD, from: 'all' }],
    ['the pool for a target', { ...GOOD, to: 'pool' }],
    ['a single texter not in a list', { ...GOOD, to: { texterIds: 't1' } }],
    ['2,001 texters', { ...GOOD, to: { texterIds: Array.from({ length: 2_001 }, (_, at) => `t${at}`) } }],
    ['200,000 texters', { ...GOOD, from: { texterIds: Array.from({ length: 200_000 }, (_, at) => `t${at}`) } }],
    ['a list with holes', { ...GOOD, to: { texterIds: Array.from({ length: 3 }) } }],
    ['a reason of 201 characters', { ...GOOD, reason: 'x'.repeat(201) }],
    ['upper-case hexadecimal digits', { ...ONE, conversationId: '0123456789ABCDEF01234567' }],
    ['20,000 levels', { ...GOOD, from: nested(20_000) }],
    ['20,000 levels in an unknown key', { ...GOOD, extra: nested(20_000) }],
    ['a circular value', { ...GOOD, status: circular() }],
    [
      'a value that cannot be written as JSON',
      {
        ...GOOD,
        status: {
          toJSON: () => {
            throw new Error('boo');
          },
        },
      },
    ],
  ];
  it.each(SHAPES)('is refused when it is or has %s, with the expected and the received value', (_what, input) => {
    const refusal = refusalOf(() => parseRequest(input));
    expect(refusal.code).toBe('bad-request');
    expect(refusal.expected).not.toBe('');
    expect(refusal.received).not.toBe('');
    expect(refusal.message.length).toBeLessThan(400);
  });

  const MESSAGES: [string, unknown][] = [
    ['the request must be an object', null],
    ['operationId is missing', { ...GOOD, operationId: undefined }],
    [
      'operationId must be 1 to 64 letters, digits, "-", "_", ".", ":" or "|", with a letter or digit',
      { ...GOOD, operationId: 'two words' },
    ],
    [
      'campaignId must be 1 to 64 letters, digits, "-", "_", ".", ":" or "|", with a letter or digit; send the number as a string',
      { ...GOOD, campaignId: 17 },
    ],
    [
      'actorId must be 1 to 64 letters, digits, "-", "_", ".", ":" or "|", with a letter or digit; ' +
        'an e-mail address is personal, so send the id that your system has for the person',
      { ...GOOD, actorId: 'kevin@example.org' },
    ],
    ['conversationId must be 24 hexadecimal digits in lower case', { ...ONE, conversationId: 'Chris' }],
    ['count must be a whole number from 1 to 1,000,000,000', { ...GOOD, count: 'six' }],
    [
      'kind must be "reassign", "unassign", "reassign-one", "unassign-one", "reassign-list", "unassign-list", or "undo"',
      { ...GOOD, kind: 'drop' },
    ],
    ['spread must be "even" or "level"', { ...GOOD, spread: 'fair' }],
    ['the request must not have the field "force"', { ...GOOD, force: true }],
    ['to.texterIds must be a list', { ...GOOD, to: { texterIds: 't1' } }],
    ['to.texterIds must have at most 1 item', { ...ONE, to: { texterIds: ['t1', 't2'] } }],
    ['reason must have at most 200 characters', { ...GOOD, reason: 'x'.repeat(201) }],
  ];
  it.each(MESSAGES)('is refused with the sentence: %s', (message, input) => {
    expect(refusalOf(() => parseRequest(input)).message).toBe(message);
  });

  it('is refused with a prototype as a key and changes no prototype', () => {
    const good = JSON.stringify(GOOD);
    const keys = [
      '"__proto__":{"polluted":1}',
      '"constructor":{"prototype":{"polluted":1}}',
      '"prototype":{}',
      '"toString":1',
    ];
    for (const key of keys) {
      const inputs = [good.replace('{', `{${key},`), good.replace('{"texterIds"', `{${key},"texterIds"`)];
      for (const input of inputs) expect(refusalOf(() => parseRequest(JSON.parse(input))).code).toBe('bad-request');
    }
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(Object.prototype).not.toHaveProperty('polluted');
  });

  it('is accepted, or refused with bad-request, for any value', () => {
    const anything = fc.oneof(
      fc.anything(),
      fc.record({ ...GOOD_ARBITRARY, extra: fc.anything() }, { requiredKeys: [] }),
    );
    fc.assert(
      fc.property(anything, (input) => {
        try {
          parseRequest(input);
        } catch (error) {
          expect(error).toBeInstanceOf(Refusal);
          expect((error as Refusal).code).toBe('bad-request');
        }
      }),
    );
  });

  const GOOD_ARBITRARY = {
    kind: fc.oneof(fc.constantFrom('reassign', 'unassign', 'reassign-one'), fc.anything()),
    operationId: fc.oneof(fc.constant('op-1'), fc.anything()),
    campaignId: fc.oneof(fc.constant('c1'), fc.anything()),
    from: fc.oneof(fc.constant('pool'), fc.anything()),
    to: fc.oneof(fc.constant('everyone'), fc.anything()),
    status: fc.oneof(fc.constant('any'), fc.anything()),
    count: fc.oneof(fc.nat(), fc.anything()),
  };
});

describe('the check of a job', () => {
  const job = (more: object = {}): object => ({
    version: 1,
    sendId: 'x',
    request: { ...GOOD, spread: 'even' },
    ...more,
  });

  it('is read from JSON as the producer wrote it', () => {
    const made = newOperationJob(parseRequest(GOOD), 'me');
    expect(parseOperationJob('op-1', JSON.parse(JSON.stringify(made)))).toEqual(made);
  });

  it.each([
    ['another version', job({ version: 2 })],
    ['a version in quotes', job({ version: '1' })],
    ['no version', job({ version: undefined })],
    ['an empty send id', job({ sendId: '' })],
    ['null as its request', job({ request: null })],
    ['one key too many', job({ priority: 1 })],
  ])('is refused with %s', (_what, data) => {
    expect(refusalOf(() => parseOperationJob('op-1', data)).code).toBe('bad-request');
  });

  it('is refused when its job id is not its operation id, with both ids', () => {
    const refusal = refusalOf(() => parseOperationJob('op-2', job()));
    expect(refusal).toMatchObject({ code: 'bad-request', expected: 'op-op-1' });
    expect(refusal.message).toContain('operation op-1');
    expect(refusal.received).toContain('op-2');
  });

  it('is refused as a preview of a request for one conversation', () => {
    expect(newPreviewJob(GOOD)).toMatchObject({ version: 1, request: { operationId: 'op-1', spread: 'even' } });
    expect(refusalOf(() => newPreviewJob(ONE)).code).toBe('bad-request');
  });
});

describe('the hash of a request', () => {
  const ids = fc.stringMatching(/^[a-z][a-z0-9]{0,6}$/);
  const requests = fc.record(
    {
      kind: fc.constant('reassign'),
      operationId: ids,
      campaignId: ids,
      actorId: ids,
      reason: fc.string({ maxLength: 20 }),
      from: fc.oneof(
        fc.constantFrom('pool', 'everyone'),
        fc.record({ texterIds: fc.array(ids, { minLength: 1, maxLength: 4 }) }),
      ),
      to: fc.record({ texterIds: fc.array(ids, { maxLength: 4 }) }),
      status: fc.constantFrom('any', 'closed'),
      count: fc.integer({ min: 1, max: 9 }),
      spread: fc.constantFrom('even', 'level'),
    },
    { requiredKeys: ['kind', 'operationId', 'campaignId', 'from', 'to', 'status'] },
  );
  const hashOf = (input: object): string => requestHash(parseRequest(input));
  const shuffled = <Value extends object>(value: Value): Value =>
    Object.fromEntries(
      Object.entries(value)
        .map(([key, inner]): [string, unknown] => [key, isPlain(inner) ? shuffled(inner) : inner])
        .reverse(),
    ) as Value;

  it('does not depend on the order of keys', () => {
    fc.assert(
      fc.property(requests, (input) => {
        expect(hashOf(shuffled(input))).toBe(hashOf(input));
      }),
    );
  });

  it('is the same after the request was written to JSON and read back', () => {
    fc.assert(
      fc.property(requests, (input) => {
        const request = parseRequest(input);
        expect(requestHash(JSON.parse(JSON.stringify(request)) as OperationRequest)).toBe(requestHash(request));
      }),
    );
  });

  it('differs for requests that differ in any field', () => {
    const plain = (input: object): string => JSON.stringify(parseRequest(shuffled(shuffled(input))), sortedKeys);
    fc.assert(
      fc.property(requests, requests, (one, other) => {
        const mixed = { ...one, ...other };
        expect(hashOf(mixed) === hashOf(one)).toBe(plain(mixed) === plain(one));
      }),
    );
  });

  it('is the same for a request that writes out the default', () => {
    expect(hashOf({ ...GOOD, spread: 'even' })).toBe(hashOf(GOOD));
    expect(hashOf({ ...GOOD, spread: 'level' })).not.toBe(hashOf(GOOD));
  });
});

function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function sortedKeys(_key: string, value: unknown): unknown {
  return isPlain(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value;
}
