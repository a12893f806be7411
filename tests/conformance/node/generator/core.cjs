// The skeleton of a program: bodies in bodies, with ticks, microtasks and `try`.
'use strict';

const { Random } = require('./random.cjs');
const { Moment, SLOT_MS, Schedule } = require('./schedule.cjs');

const MAX_DEPTH = 9;
const CONVERSATION_MS = 200; // most take less than 20

class Core {
  /** `weights`: how often each kind of statement is chosen. */
  constructor(family, { weights, throwChance = 0, conversations = 0 }, seed) {
    Object.assign(this, { family, weights, throwChance, conversations });
    this.random = new Random(seed);
    this.budget = this.random.between(5, 24);
    this.labels = 0;
    this.names = 0;
    this.handles = []; // { name, delay, leaf }: all that were made, for clear, refresh, ref and unref
  }

  program() {
    this.hasEmissions = this.family === 'lifecycle' || this.random.chance(0.1);
    const program = { main: this.main() };
    if (this.family === 'errors') {
      for (const section of ['uncaught', 'unhandled']) {
        if (this.random.chance(0.4)) program[section] = this.safeBody();
      }
      if (this.random.chance(0.7)) program.rejectionHandled = this.random.chance(0.7) ? [this.log()] : this.safeBody();
    }
    if (this.hasEmissions) {
      program.beforeExit = Array.from({ length: this.random.between(1, 4) }, () => {
        this.budget = this.random.between(2, 9);
        return this.body(this.root());
      });
      if (this.random.chance(0.7)) program.exit = this.exitBody();
    }
    return program;
  }

  main() {
    if (!this.random.chance(this.conversations)) return this.body(this.root(), { most: 6 });
    const root = this.root(CONVERSATION_MS);
    Object.assign(root.moment, { mayCallPool: false, mayGroup: false });
    const conversation = this.conversation(root);
    return this.random.merge(this.body(root), conversation);
  }

  root(opensAt = 0) {
    const schedule = new Schedule(opensAt);
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
    const mayThrow = scope.mayThrow || scope.mayThrowInside;
    const own = { depth: scope.depth + 1, promises: [...scope.promises], inMacro: false, mayThrow };
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
    const { mayThrow } = scope;
    const part = (changes) => this.body(this.inner(scope, { mayThrow, ...changes }));
    const onError = throws || this.random.chance(0.5) ? part({ hasError: true }) : null;
    const last = onError === null || this.random.chance(0.4) ? part({}) : null;
    return [['try', body, onError, last]];
  }

  macro(scope, moment, changes = {}) {
    return this.body(this.inner(scope, { moment, inMacro: true, ...changes }));
  }
}

module.exports = { Core, MAX_DEPTH };
