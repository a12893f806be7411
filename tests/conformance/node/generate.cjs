// Makes random trace programs that are deterministic by construction.
//
//   node generate.cjs --seed 1 --count 100 [--family micro]     prints {"name", "family", "program"} lines
//
// What could race is kept apart in time. All that one macro event starts and that needs no waiting (ticks, microtasks,
// immediates) is a *moment*. Moments own ranges of the program's time, in slots of 10 ms, and no two ranges overlap;
// timers that are to be due together are made together and waited for by a `busy`. A moment has immediates or a call on
// the thread pool, never both. Names of promises and signals are used only where their definition has surely run.
'use strict';

const SLOT_MS = 10;
const HORIZON_MS = 400;
const LATENESS_MS = 4; // a timer that fires later than this could meet the next slot
const POOL_MS = 30; // the slowest call took 10
const GROUP_BUSY_MS = 20;
const GROUP_DELAYS = [-5, 0, 1, 1.9, 4, 4.5, 7, 10, 13, 2147483648]; // lists at least 3 ms apart
const POOL_KINDS = ['stat', 'read', 'access', 'openClose', 'missing', 'readMissing', 'random', 'pbkdf2', 'dns'];
const FAILING_KINDS = ['missing', 'readMissing'];
const MAX_DEPTH = 7;

// How often a statement is chosen, by family; what is not listed is not used.
const MICRO = { plainLog: 3, nextTick: 6, microtask: 6, promise: 5, attempt: 1, clear: 0.3 };
const FAMILIES = {
  micro: { ...MICRO, task: 1, signal: 0.5, lateSettle: 1 },
  timers: { ...MICRO, timeout: 7, group: 5, interval: 2, immediate: 2, refresh: 3, clear: 1.5, unref: 1 },
  immediates: { ...MICRO, immediate: 10, group: 3, timeout: 2, clear: 2, unref: 1 },
  iophase: { ...MICRO, pool: 6, immediate: 5, group: 5, timeout: 3, refresh: 0.5 },
  tasks: { ...MICRO, task: 9, signal: 2, immediate: 2, timeout: 2, pool: 0.5, interval: 0.3 },
  errors: { ...MICRO, immediate: 4, timeout: 4, group: 4, task: 2, signal: 1, pool: 1.5, interval: 1, lateHandler: 2 },
  lifecycle: { ...MICRO, timeout: 4, immediate: 4, interval: 2, far: 3, unref: 2, refresh: 1, task: 1, exit: 0.15 },
  fs: { ...MICRO, pool: 9, timeout: 3, immediate: 2, task: 2 },
};
const IN_TASKS = {
  turn: 4, awaitNew: 4, attemptTurns: 3, plain: 3, sleep: 3, sleepAborted: 2, yieldNow: 2, awaitPool: 2, awaitTask: 1,
};
const THROW_CHANCE = { errors: 0.22, lifecycle: 0.02 };

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

/** The program's time, from the start of main or of a beforeExit emission. */
class Schedule {
  #taken = new Set();

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

  /** Finds a free slot: [delay, the moment then], or null. */
  wait(random, times = 1) {
    if (!this.mayWait) return null;
    for (let attempt = 0; attempt < 6; attempt += 1) {
      const delay = SLOT_MS * random.between(1, attempt + 2);
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

class Generator {
  constructor(family, seed) {
    this.family = family;
    this.random = new Random(seed);
    this.weights = FAMILIES[family];
    this.throwChance = THROW_CHANCE[family] ?? 0;
    this.budget = this.random.between(15, 70);
    this.labels = 0;
    this.names = 0;
    this.handles = []; // { name, delay, leaf }: all that were made, for clear, refresh, ref and unref
  }

  program() {
    this.hasEmissions = this.family === 'lifecycle' || this.random.chance(0.1);
    const program = { main: this.body(this.root(), { most: 6 }) };
    if (this.family === 'errors') {
      for (const section of ['uncaught', 'unhandled']) {
        if (this.random.chance(0.4)) program[section] = this.safeBody();
      }
      if (this.random.chance(0.7)) program.rejectionHandled = this.random.chance(0.7) ? [this.log()] : this.safeBody();
    }
    if (this.hasEmissions) {
      program.beforeExit = Array.from({ length: this.random.between(1, 4) }, () => {
        this.budget = this.random.between(4, 20);
        return this.body(this.root());
      });
      if (this.random.chance(0.7)) program.exit = this.exitBody();
    }
    return program;
  }

  root() {
    const schedule = new Schedule();
    schedule.take(0, SLOT_MS - 1);
    return { moment: new Moment(schedule, 0, SLOT_MS - 1), depth: 0, promises: [], hasError: false, mayThrow: true };
  }

  /** A body that may run at any time, any number of times, and rejects and throws nothing. */
  safeBody() {
    const scope = { moment: Moment.micro(), depth: MAX_DEPTH - 3, promises: [], hasError: false, mayThrow: false };
    this.budget = this.random.between(2, 8);
    return this.body(scope);
  }

  exitBody() {
    const never = () => [this.log()];
    const body = [this.log(), ['nextTick', never()], ['microtask', never()], ['immediate', this.name('i'), never()]];
    if (this.random.chance(0.2)) body.push(['exit']);
    body.push(this.log());
    return body;
  }

  name(prefix) {
    this.names += 1;
    return `${prefix}${this.names}`;
  }

  label() {
    this.labels += 1;
    return `L${this.labels}`;
  }

  log() {
    return ['log', this.label()];
  }

  plainLog() {
    return [this.log()];
  }

  error(prefix) {
    this.labels += 1;
    return `${prefix}${this.labels}`;
  }

  /** The scope of a body in a body: what is defined in there is not seen outside. */
  inner(scope, changes = {}) {
    const own = { depth: scope.depth + 1, promises: [...scope.promises], inMacro: false };
    return { ...scope, ...own, ...changes };
  }

  body(scope, { most = 3 } = {}) {
    const statements = [this.log()];
    if (scope.hasError && this.random.chance(0.6)) statements.push(['logErr', this.label()]);
    const count = this.budget > 0 && scope.depth < MAX_DEPTH ? this.random.between(1, most) : 0;
    for (let n = 0; n < count; n += 1) statements.push(...this.statements(scope));
    if (this.random.chance(0.3)) statements.push(this.log());
    if (scope.mayThrow && scope.moment.mayThrow && this.random.chance(this.throwChance)) {
      scope.moment.hasThrown = true;
      statements.push(['throw', this.error('X')]);
    }
    return statements;
  }

  /** Some statements that belong together. */
  statements(scope) {
    this.budget -= 1;
    const kind = this.random.weighted(Object.entries(this.weights));
    return this[kind](scope) ?? this.nested(scope);
  }

  nested(scope) {
    return this.random.chance(0.5) ? this.nextTick(scope) : this.microtask(scope);
  }

  nextTick(scope) {
    return [['nextTick', this.body(this.inner(scope))]];
  }

  microtask(scope) {
    return [['microtask', this.body(this.inner(scope))]];
  }

  attempt(scope) {
    const body = this.body(this.inner(scope, { mayThrow: false }));
    const throws = this.random.chance(0.6);
    if (throws) body.push(['throw', this.error('X')]);
    const part = (changes) => this.body(this.inner(scope, changes));
    const onError = throws || this.random.chance(0.5) ? part({ hasError: true }) : null;
    const last = onError === null || this.random.chance(0.4) ? part({}) : null;
    return [['try', body, onError, last]];
  }

  macro(scope, moment, changes = {}) {
    return this.body(this.inner(scope, { moment, mayThrow: scope.mayThrow, inMacro: true, ...changes }));
  }

  // Timers and immediates

  timeout(scope) {
    const [delay, moment] = scope.moment.wait(this.random) ?? [];
    if (!moment) return null;
    const name = this.name('t');
    const leaf = this.random.chance(0.3);
    const body = leaf ? this.leafBody(scope) : this.macro(scope, moment);
    this.handles.push({ name, delay, leaf });
    return [['timeout', name, delay, body]];
  }

  /** The body of a timer that may fire twice, or when it was not expected. */
  leafBody(scope) {
    return this.body(this.inner(scope, { moment: Moment.micro(), depth: MAX_DEPTH - 1 }));
  }

  interval(scope) {
    const times = this.random.between(1, 3);
    const [delay] = scope.moment.wait(this.random, times) ?? [];
    if (!delay) return null;
    const name = this.name('v');
    const body = this.leafBody(scope);
    if (this.random.chance(0.2)) body.push([this.random.pick(['clear', 'refresh']), name]);
    this.handles.push({ name, delay });
    return [['interval', name, delay, times, body]];
  }

  immediate(scope) {
    const moment = scope.moment.afterImmediate();
    if (!moment) return null;
    const name = this.name('i');
    const body = this.macro(scope, moment);
    this.handles.push({ name });
    return [['immediate', name, body]];
  }

  /** Timers of several lists, all due when the loop looks at them, and perhaps immediates beside them. */
  group(scope) {
    const moment = scope.moment.afterGroup();
    if (!moment) return null;
    const members = Array.from({ length: this.random.between(2, 6) }, () => ({
      name: this.name('t'),
      delay: this.random.pick(GROUP_DELAYS),
      leaf: this.random.chance(0.4),
    }));
    const made = members.map(({ name, delay, leaf }) => {
      const body = leaf ? this.leafBody(scope) : this.macro(scope, moment);
      const other = this.random.pick(members);
      if (this.random.chance(0.2)) body.splice(1, 0, ['clear', other.name]);
      // One of 1 ms would race with the immediates of the next iteration.
      const mayRefresh = !leaf && other.leaf && other.delay >= 7 && other.delay < 100;
      if (mayRefresh && this.random.chance(0.4)) body.splice(1, 0, ['refresh', other.name]);
      return ['timeout', name, delay, body];
    });
    const others = this.random.chance(0.6) ? this.immediate(scope) ?? [] : [];
    return [...this.random.merge(made, others), ['busy', GROUP_BUSY_MS], this.log()];
  }

  clear() {
    return this.handles.length > 0 ? [['clear', this.random.pick(this.handles).name]] : null;
  }

  // Not in a tick: between two timers of a list it could meet the corner in which Node runs a refreshed timer at once.
  refresh(scope) {
    const leaves = this.handles.filter(({ leaf }) => leaf);
    if (!scope.inMacro || leaves.length === 0) return null;
    const { name, delay } = this.random.pick(leaves);
    return scope.moment.after(delay) ? [['refresh', name]] : null;
  }

  unref() {
    // A timer that is left over would meet those of a later emission of beforeExit.
    const handles = this.hasEmissions ? this.handles.filter(({ delay }) => !delay) : this.handles;
    if (handles.length === 0) return null;
    return [[this.random.pick(['ref', 'unref', 'unref']), this.random.pick(handles).name]];
  }

  /** A timer or interval that fires after the end of the program, if nothing else kept the loop alive. */
  far(scope) {
    if (!scope.moment.mayQueueImmediates) return null;
    const name = this.name('t');
    const made = this.random.chance(0.5)
      ? ['timeout', name, 9000, [this.log()]]
      : ['interval', name, 9000, 5, [this.log()]];
    return [made, ['unref', name]];
  }

  exit() {
    return [['exit'], this.log()];
  }

  pool(scope) {
    const moment = scope.moment.afterPool();
    if (!moment) return null;
    const kind = this.random.pick(POOL_KINDS);
    return [['pool', kind, this.label(), this.macro(scope, moment)]];
  }

  // Promises

  /** Statements that run `settle` at once or later, the moment at which they do, and whether that is at once. */
  settleSomehow(scope, settle) {
    const wrapped = () => [this.log(), ...settle, ...(this.random.chance(0.4) ? [this.log()] : [])];
    const ways = { now: 3, nextTick: 2, microtask: 3, immediate: 1, timeout: 1 };
    switch (this.random.weighted(Object.entries(ways))) {
      case 'nextTick':
        return [[['nextTick', wrapped()]], scope.moment];
      case 'microtask':
        return [[['microtask', wrapped()]], scope.moment];
      case 'immediate': {
        const moment = this.weights.immediate && scope.moment.afterImmediate();
        if (moment) return [[['immediate', this.name('i'), wrapped()]], moment];
        break;
      }
      case 'timeout': {
        const [delay, moment] = (this.weights.timeout && scope.moment.wait(this.random)) || [];
        if (moment) return [[['timeout', this.name('t'), delay, wrapped()]], moment];
        break;
      }
    }
    return [settle, scope.moment, true];
  }

  settlement(name, rejects) {
    return rejects ? [['reject', name, this.error('R')]] : [['resolve', name]];
  }

  /** One or two promises, what hangs on them, and what settles them. */
  promise(scope) {
    const first = this.name('p');
    const defined = [['deferred', first]];
    const rejects = this.random.chance(0.35);
    let [settle, moment, isSettledNow] = this.settleSomehow(scope, this.settlement(first, rejects));
    const tree = [{ name: first, rejects }];
    let joined = [];
    if (this.random.chance(0.5)) {
      const second = this.name('p');
      defined.push(['deferred', second]);
      if (this.random.chance(0.5)) {
        joined = [['adopt', second, first]];
        tree.push({ name: second, rejects });
      } else {
        const how = this.random.pick(['all', 'race', 'any', 'allSettled']);
        const combined = this.name('p');
        const [alsoSettle] = this.settleSomehow(scope, this.settlement(second, this.random.chance(0.35)));
        joined = [[how, combined, this.random.chance(0.5) ? [first, second] : [second, first]]];
        settle = this.random.merge(settle, alsoSettle);
        // It settles with one of them or the other.
        moment = Moment.micro();
        tree.push({ name: combined, rejects: true }, { name: second, rejects: true });
      }
    }
    const hung = this.reactions(this.inner(scope, { moment }), tree);
    if (isSettledNow) scope.promises.push(first);
    const late = this.random.chance(0.2) ? [['resolve', first]] : [];
    const rest = this.random.merge(settle, [...joined, ...hung]);
    return [...defined, ...rest, ...late];
  }

  /** Reactions on the promises of `tree`, to which it adds the derived ones; none is left that could be unhandled. */
  reactions(scope, tree) {
    const made = [];
    const count = this.random.between(1, 4);
    const react = (parent) => {
      const name = this.name('p');
      parent.handled = true;
      const handlerThrows = scope.mayThrow && this.random.chance(0.15);
      const end = handlerThrows ? [['throw', this.error('X')]] : [];
      const handler = (changes) => [...this.body(this.inner(scope, { mayThrow: false, ...changes })), ...end];
      if (this.random.chance(0.3)) {
        made.push(['finally', parent.name, handler({}), name]);
        tree.push({ name, rejects: parent.rejects || handlerThrows });
      } else {
        const ok = this.random.chance(0.7) ? handler({}) : null;
        const err = ok === null || this.random.chance(0.4) ? handler({ hasError: true }) : null;
        made.push(['then', parent.name, ok, err, name]);
        tree.push({ name, rejects: handlerThrows || (parent.rejects && err === null) });
      }
    };
    for (let n = 0; n < count; n += 1) react(this.random.pick(tree));
    const mayBeUnhandled = this.family === 'errors' && scope.mayThrow;
    for (const { name, rejects, handled } of tree) {
      if (!rejects || handled || (mayBeUnhandled && this.random.chance(0.4))) continue;
      made.push(['then', name, null, [['logErr', this.label()]], this.name('p')]);
    }
    return made;
  }

  /** Settles a promise that is settled already. */
  lateSettle(scope) {
    if (scope.promises.length === 0) return null;
    const name = this.random.pick(scope.promises);
    return [this.random.chance(0.5) ? ['resolve', name] : ['reject', name, 'late']];
  }

  /** A rejection that is handled some time later, perhaps after its report. */
  lateHandler(scope) {
    if (!scope.mayThrow) return null;
    const name = this.name('p');
    const handle = [this.log(), ['then', name, null, [['logErr', this.label()]], this.name('p')]];
    const rejected = [['deferred', name], ['reject', name, this.error('R')]];
    const later = this.random.chance(0.4) ? this.waitFor(scope, handle) : null;
    return [...rejected, later ?? [this.random.pick(['nextTick', 'microtask']), handle]];
  }

  waitFor(scope, body) {
    if (this.random.chance(0.5) && scope.moment.afterImmediate()) return ['immediate', this.name('i'), body];
    const [delay] = scope.moment.wait(this.random) ?? [];
    return delay ? ['timeout', this.name('t'), delay, body] : null;
  }

  // Tasks

  task(scope) {
    const name = this.name('T');
    const inside = this.inner(scope, { mayThrow: false });
    const body = [this.log()];
    const count = this.random.between(1, 5);
    for (let n = 0; n < count && this.budget > 0; n += 1) body.push(...this.taskStatements(inside));
    body.push(this.log());
    const throws = scope.mayThrow && this.random.chance(this.throwChance);
    if (throws) body.push(['throw', this.error('X')]);
    const made = [['task', name, this.random.pick(['sync', 'queued']), body]];
    // A task takes its time: what hangs on it starts nothing that needs a slot.
    const after = this.inner(scope, { moment: Moment.micro() });
    if (this.random.chance(0.4)) made.push(...this.reactions(after, [{ name, rejects: throws }]));
    scope.tasks = [...(scope.tasks ?? []), name];
    return made;
  }

  /** `scope.moment` moves on with the task. */
  taskStatements(scope) {
    this.budget -= 1;
    const kind = this.random.weighted(Object.entries(IN_TASKS));
    return this[kind](scope) ?? this.turn();
  }

  turn() {
    return [['turn'], this.log()];
  }

  plain(scope) {
    const made = this.statements({ ...this.inner(scope), depth: scope.depth });
    return [...made, this.log()];
  }

  awaitNew(scope) {
    const name = this.name('p');
    const rejects = this.random.chance(0.3);
    const [settle, moment] = this.settleSomehow(scope, this.settlement(name, rejects));
    scope.moment = moment;
    const wait = ['await', name];
    const waits = rejects ? ['try', [wait, this.log()], [['logErr', this.label()]], null] : wait;
    return [['deferred', name], ...settle, waits, this.log()];
  }

  attemptTurns(scope) {
    const part = () => {
      const turns = Array.from({ length: this.random.between(0, 2) }, () => [['turn'], this.log()]).flat();
      return [this.log(), ...turns];
    };
    const body = part();
    const throws = this.random.chance(0.5);
    if (throws) body.push(['throw', this.error('X')]);
    const onError = throws || this.random.chance(0.7) ? [...part()] : null;
    if (throws) onError.splice(1, 0, ['logErr', this.label()]);
    if (throws && this.random.chance(0.15)) {
      // The error of the innermost handler is the one that is caught outside.
      const inner = ['try', body, [...onError, ['throw', this.error('X')]], this.random.chance(0.5) ? part() : null];
      return [['try', [inner], [['logErr', this.label()], ['turn']], part()], this.log()];
    }
    const last = onError === null || this.random.chance(0.4) ? part() : null;
    return [['try', body, onError, last], this.log()];
  }

  sleep(scope) {
    if (!this.weights.timeout) return null;
    const [delay, moment] = scope.moment.wait(this.random) ?? [];
    if (!moment) return null;
    scope.moment = moment;
    return [['sleep', delay], this.log()];
  }

  sleepAborted(scope) {
    if (!this.weights.timeout) return null;
    const [delay] = scope.moment.wait(this.random) ?? [];
    if (!delay) return null;
    const signal = this.name('s');
    const abort = [['abort', signal]];
    const listeners = this.random.chance(0.4) ? [['onAbort', signal, [this.log()]]] : [];
    const way = this.random.weighted([['now', 1], ['nextTick', 2], ['microtask', 2]]);
    const aborts = way === 'now' ? abort : [[way, [this.log(), ...abort, this.log()]]];
    const sleeps = ['try', [['sleep', delay, signal], this.log()], [['logErr', this.label()]], null];
    return [['signal', signal], ...listeners, ...aborts, sleeps, this.log()];
  }

  yieldNow(scope) {
    if (!this.weights.immediate || !scope.moment.afterImmediate()) return null;
    return [['yield'], this.log()];
  }

  awaitPool(scope) {
    if (!this.weights.pool) return null;
    const moment = scope.moment.afterPool();
    if (!moment) return null;
    scope.moment = moment;
    const kind = this.random.pick(POOL_KINDS);
    const wait = ['awaitPool', kind, this.label()];
    const fails = FAILING_KINDS.includes(kind);
    return [fails ? ['try', [wait], [['logErr', this.label()]], null] : wait, this.log()];
  }

  awaitTask(scope) {
    if (!scope.tasks?.length) return null;
    scope.moment = Moment.micro();
    return [['try', [['await', this.random.pick(scope.tasks)]], [['logErr', this.label()]], null], this.log()];
  }

  signal(scope) {
    const signal = this.name('s');
    const listeners = Array.from({ length: this.random.between(1, 3) }, () => [
      'onAbort',
      signal,
      this.body(this.inner(scope)),
    ]);
    const [aborts] = this.settleSomehow(scope, [['abort', signal]]);
    return [['signal', signal], ...this.random.merge(listeners, aborts)];
  }
}

/** `count` lines from `seed` on; without a family, all of them in turn. */
function generate({ seed, count, family }) {
  const families = family ? [family] : Object.keys(FAMILIES);
  return Array.from({ length: count }, (_, n) => {
    const chosen = families[n % families.length];
    const name = `${chosen}-${seed + n}`;
    return { name, family: chosen, program: new Generator(chosen, hash(name)).program() };
  });
}

/** FNV-1a: seeds that are near give programs that are not. */
function hash(text) {
  return [...text].reduce((sum, char) => Math.imul(sum ^ char.charCodeAt(0), 0x01000193), 0x811c9dc5) >>> 0;
}

if (require.main === module) {
  const { values } = require('node:util').parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      count: { type: 'string', default: '10' },
      family: { type: 'string' },
    },
  });
  if (values.family && !Object.hasOwn(FAMILIES, values.family)) {
    console.error(`no such family; there are ${Object.keys(FAMILIES).join(', ')}`);
    process.exit(2);
  }
  const lines = generate({ seed: Number(values.seed), count: Number(values.count), family: values.family });
  for (const line of lines) console.log(JSON.stringify(line));
}

module.exports = { generate, families: Object.keys(FAMILIES) };
