// Time, so that what could race is kept apart in it.
//
// All that one macro event starts and that needs no waiting (ticks, microtasks, immediates) is a *moment*. Moments own
// ranges of the program's time, in slots of 10 ms, and no two ranges overlap; timers that are to be due together are
// made together and waited for by a `busy`. A moment has immediates or a call on the thread pool, never both.
'use strict';

const SLOT_MS = 10;
const HORIZON_MS = 400;
const LATENESS_MS = 4; // a timer that fires later than this could meet the next slot
const POOL_MS = 30; // the slowest call took 10
const GROUP_BUSY_MS = 20;

/** The program's time, from the start of main or of a beforeExit emission. */
class Schedule {
  #taken = new Set();
  #opensAt;

  /** Before `opensAt` there is something else that timers could meet. */
  constructor(opensAt = 0) {
    this.#opensAt = opensAt;
  }

  /** How long after `time` the schedule opens. */
  opensIn(time) {
    return Math.max(0, this.#opensAt - time);
  }

  take(from, to) {
    const slots = [];
    for (let slot = Math.floor(from / SLOT_MS); slot <= Math.floor(to / SLOT_MS); slot += 1) slots.push(slot);
    if (to > HORIZON_MS || slots.some((slot) => this.#taken.has(slot))) return false;
    slots.forEach((slot) => this.#taken.add(slot));
    return true;
  }
}

/** What runs from one macro event without waiting; it begins between `from` and `to`. */
class Moment {
  constructor(schedule, from, to, { immediates = true } = {}) {
    Object.assign(this, { schedule, from, to });
    this.mayQueueImmediates = immediates;
    this.mayCallPool = immediates;
    this.mayWait = true; // timers of the grid
    this.mayGroup = true; // timers with a `busy`
    this.mayThrow = true; // an uncaught error queues an immediate
  }

  /** A moment that can start nothing but ticks and microtasks: for bodies of which the time is not known. */
  static micro() {
    const moment = new Moment(new Schedule(), 0, 0);
    moment.mayQueueImmediates = moment.mayCallPool = moment.mayWait = moment.mayGroup = false;
    return moment;
  }

  /** A moment of which the time is not known, that may queue immediates. */
  static ofEvent() {
    return Object.assign(Moment.micro(), { mayQueueImmediates: true });
  }

  /** Finds a free slot: [delay, the moment then], or null. */
  wait(random, times = 1) {
    if (!this.mayWait) return null;
    for (let attempt = 0; attempt < 6; attempt += 1) {
      const delay = this.schedule.opensIn(this.from) + SLOT_MS * random.between(1, attempt + 2);
      const moment = this.after(delay, times);
      if (moment) return [delay, moment];
    }
    return null;
  }

  after(delay, times = 1) {
    if (!this.mayWait) return null;
    const from = this.from + delay;
    const to = this.to + delay * times + LATENESS_MS;
    if (!this.schedule.take(from, to)) return null;
    this.mayGroup = false;
    return new Moment(this.schedule, from, to);
  }

  afterImmediate() {
    if (!this.mayQueueImmediates) return null;
    this.mayCallPool = false;
    return this;
  }

  afterPool() {
    if (!this.mayCallPool || this.hasThrown) return null;
    // The slot of `to` is this moment's own.
    const next = (Math.floor(this.to / SLOT_MS) + 1) * SLOT_MS;
    if (!this.schedule.take(next, this.to + POOL_MS)) return null;
    this.mayCallPool = this.mayQueueImmediates = this.mayGroup = this.mayThrow = false;
    return new Moment(this.schedule, this.from, this.to + POOL_MS);
  }

  afterGroup() {
    if (!this.mayGroup || !this.mayWait) return null;
    const from = this.from + GROUP_BUSY_MS;
    // Its timers may be refreshed when they fire; the longest of them takes 13 ms.
    const to = this.to + GROUP_BUSY_MS + 13 + LATENESS_MS;
    const next = (Math.floor(this.to / SLOT_MS) + 1) * SLOT_MS;
    if (!this.schedule.take(next, to)) return null;
    this.mayGroup = this.mayWait = this.mayCallPool = false;
    const moment = new Moment(this.schedule, from, to);
    moment.mayCallPool = false;
    return moment;
  }
}

module.exports = { GROUP_BUSY_MS, Moment, SLOT_MS, Schedule };
