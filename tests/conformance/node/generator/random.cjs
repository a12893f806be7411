// Random numbers that a seed decides.
'use strict';

class Random {
  #state;

  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /** Mulberry32: a number in [0, 1). */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  chance(probability) {
    return this.next() < probability;
  }

  /** A whole number from `low` to `high`, both included. */
  between(low, high) {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  pick(list) {
    return list[Math.floor(this.next() * list.length)];
  }

  weighted(entries) {
    let left = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    return entries.find(([, weight]) => (left -= weight) < 0)?.[0] ?? entries.at(-1)[0];
  }

  /** `one` and `other` mixed, each in its own order. */
  merge(one, other) {
    const [left, right, merged] = [[...one], [...other], []];
    while (left.length + right.length > 0) {
      merged.push((this.next() * (left.length + right.length) < left.length ? left : right).shift());
    }
    return merged;
  }
}

/** FNV-1a: seeds that are near give programs that are not. */
function hash(text) {
  return [...text].reduce((sum, char) => Math.imul(sum ^ char.charCodeAt(0), 0x01000193), 0x811c9dc5) >>> 0;
}

module.exports = { Random, hash };
