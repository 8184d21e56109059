/**
 * Keeps the first of `size` items, which are named by their indexes. Building takes time in proportion to `size`; each later
 * change takes its logarithm.
 */
export class Heap {
  private readonly isBefore: (a: number, b: number) => boolean;
  private readonly items: number[];
  /** Where each item is in `items`. */
  private readonly places: number[];

  /** `isBefore` must be a strict order. Call {@link update} when an item's place in this order changes. */
  constructor(size: number, isBefore: (a: number, b: number) => boolean) {
    this.isBefore = isBefore;
    this.items = Array.from({ length: size }, (_, item) => item);
    this.places = [...this.items];
    for (let place = Math.floor(size / 2) - 1; place >= 0; place -= 1) this.sink(place);
  }

  /** The item before all others; `undefined` when there are no items. */
  get first(): number | undefined {
    return this.items[0];
  }

  update(item: number): void {
    this.sink(this.rise(this.places[item] ?? 0));
  }

  /** Returns the new place of the item. */
  private rise(from: number): number {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!this.isSooner(place, parent)) break;
      this.swap(place, parent);
      place = parent;
    }
    return place;
  }

  private sink(from: number): void {
    let place = from;
    for (;;) {
      const left = 2 * place + 1;
      const child = this.isSooner(left + 1, left) ? left + 1 : left;
      if (!this.isSooner(child, place)) return;
      this.swap(place, child);
      place = child;
    }
  }

  /** Returns false when there is no item at place `a`. */
  private isSooner(a: number, b: number): boolean {
    const [itemA, itemB] = [this.items[a], this.items[b]];
    return itemA !== undefined && itemB !== undefined && this.isBefore(itemA, itemB);
  }

  private swap(a: number, b: number): void {
    const [itemA = 0, itemB = 0] = [this.items[a], this.items[b]];
    this.items[a] = itemB;
    this.items[b] = itemA;
    this.places[itemB] = a;
    this.places[itemA] = b;
  }
}
