import { Random } from './random.ts';

/** A personal or secret value, and the parts of it that must not be found anywhere. */
export interface Planted {
  readonly value: string;
  readonly parts: readonly RegExp[];
}

const SYLLABLES = [
  'bra',
  'dor',
  'fen',
  'gul',
  'kip',
  'lom',
  'mus',
  'nad',
  'pir',
  'qua',
  'rov',
  'tez',
  'vil',
  'wob',
  'zuk',
];

/** Makes unique names, phone numbers and passwords, and finds them again. */
export class Plants {
  private readonly random: Random;
  private readonly planted: Planted[] = [];

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  next(): string {
    const planted = this.random.pick([() => this.person(), () => this.phone(), () => this.password()])();
    this.planted.push(planted);
    return planted.value;
  }

  /** Returns the planted values of which a part is in the text. */
  foundIn(text: string): string[] {
    return this.planted.filter(({ parts }) => parts.some((part) => part.test(text))).map(({ value }) => value);
  }

  get count(): number {
    return this.planted.length;
  }

  private person(): Planted {
    const [first, last] = [this.word(2), this.word(4)].map((word) => word.charAt(0).toUpperCase() + word.slice(1));
    const value = this.random.pick([
      `${first} ${last}`,
      `${last}, ${first}`,
      `"${first}" ${last}`,
      `${first} O'${last}`,
      last ?? '',
    ]);
    return { value, parts: [new RegExp(last ?? '', 'i')] };
  }

  private phone(): Planted {
    const [area, exchange, line] = [this.digits(3), this.digits(3), this.digits(4)];
    const value = this.random.pick([
      `+1${area}${exchange}${line}`,
      `1${area}${exchange}${line}`,
      `(${area}) ${exchange}-${line}`,
      `${area}-${exchange}-${line}`,
      `${area}${exchange}${line}`,
      `001 ${area} ${exchange} ${line}`,
    ]);
    return { value, parts: [new RegExp(`${area}[^0-9]{0,3}${exchange}[^0-9]{0,3}${line}`)] };
  }

  private password(): Planted {
    const core = this.word(4);
    const value = this.random.pick([
      `${core}!${this.digits(3)}`,
      `redis://user:${core}@host`,
      `x/${core}@${this.digits(2)}`,
    ]);
    return { value, parts: [new RegExp(core)] };
  }

  private word(syllables: number): string {
    return Array.from({ length: syllables }, () => this.random.pick(SYLLABLES)).join('');
  }

  private digits(count: number): string {
    return Array.from({ length: count }, () => this.random.between(2, 9)).join('');
  }
}

/** Returns copies of a request, each with another value in one of its fields, one of its list items, or a new field. */
export function* withPlants(request: unknown, plants: Plants, skipped: readonly string[]): Generator<unknown, void> {
  if (Array.isArray(request)) {
    const items: readonly unknown[] = request;
    for (const [index, item] of items.entries()) {
      for (const changed of withPlants(item, plants, skipped))
        yield [...items.slice(0, index), changed, ...items.slice(index + 1)];
    }
    return;
  }
  if (typeof request !== 'object' || request === null) {
    yield plants.next();
    return;
  }
  for (const [key, value] of Object.entries(request)) {
    if (skipped.includes(key)) continue;
    yield { ...request, [key]: plants.next() };
    for (const changed of withPlants(value, plants, skipped)) yield { ...request, [key]: changed };
  }
  yield { ...request, [plants.next()]: 1 };
}
