// Statements that make macro events: timers, immediates, calls on the thread pool, and the end of the program.
'use strict';

const { MAX_DEPTH } = require('./core.cjs');
const { GROUP_BUSY_MS, Moment } = require('./schedule.cjs');

const GROUP_DELAYS = [-5, 0, 1, 1.9, 4, 4.5, 7, 10, 13, 2147483648]; // lists at least 3 ms apart
const POOL_KINDS = ['stat', 'read', 'access', 'openClose', 'missing', 'readMissing', 'random', 'pbkdf2', 'dns'];

const withMacros = (Base) => class extends Base {
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

  poolKind() {
    return this.random.pick(POOL_KINDS);
  }

  pool(scope) {
    const moment = scope.moment.afterPool();
    if (!moment) return null;
    const kind = this.poolKind();
    return [['pool', kind, this.label(), this.macro(scope, moment)]];
  }
};

module.exports = { withMacros };
