import { describe, expect, it } from 'vitest';
import { Heap } from '../../src/domain/heap.ts';
import { Random } from '../support/random.ts';

describe('a heap', () => {
  it('has no first item when it is empty', () => {
    expect(new Heap(0, () => false).first).toBeUndefined();
  });

  it('always has the lowest item first, whatever items change', () => {
    const random = new Random(7);
    for (let round = 0; round < 50; round += 1) {
      const values = Array.from({ length: random.between(1, 40) }, () => random.between(0, 20));
      const isBefore = (a: number, b: number): boolean => keyOf(values, a) < keyOf(values, b);
      const heap = new Heap(values.length, isBefore);
      for (let change = 0; change < 200; change += 1) {
        const lowest = [...values.keys()].reduce((a, b) => (isBefore(b, a) ? b : a));
        expect(heap.first).toBe(lowest);
        const item = random.between(0, values.length - 1);
        values[item] = random.between(0, 20);
        heap.update(item);
      }
    }
  });

  it('compares few items for each change, however many it has', () => {
    const values = Array.from({ length: 4_096 }, (_, item) => item);
    let compared = 0;
    const heap = new Heap(values.length, (a, b) => {
      compared += 1;
      return keyOf(values, a) < keyOf(values, b);
    });
    for (const item of values.keys()) {
      compared = 0;
      values[item] = 10_000 - item;
      heap.update(item);
      // Two for each of the twelve levels below the first item, and a few to find that the item is in its place.
      expect(compared).toBeLessThan(2 * 12 + 4);
    }
  });
});

/** Different for each item, so that the order is strict. */
function keyOf(values: readonly number[], item: number): number {
  return (values[item] ?? 0) * 10_000 + item;
}
