// Statements about promises: what settles them, and what hangs on them.
'use strict';

const { Moment } = require('./schedule.cjs');

const withPromises = (Base) => class extends Base {
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
    // Only then: else this would be what settles it, and the reactions would run in another moment.
    const late = isSettledNow && this.random.chance(0.4) ? [['resolve', first]] : [];
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
};

module.exports = { withPromises };
