// Tasks, and the statements that only they can have; abort signals.
'use strict';

const { Moment } = require('./schedule.cjs');

const FAILING_KINDS = ['missing', 'readMissing'];
const IN_TASKS = {
  turn: 4, awaitNew: 4, attemptTurns: 3, plain: 3, sleep: 3, sleepAborted: 2, yieldNow: 2, awaitPool: 2, awaitTask: 1,
};

const withTasks = (Base) => class extends Base {
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
    const kind = this.poolKind();
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
};

module.exports = { withTasks };
