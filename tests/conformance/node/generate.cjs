// Makes random trace programs that are deterministic by construction.
//
//   node generate.cjs --seed 1 --count 100 [--family micro]     prints {"name", "family", "program"} lines
//
// What could race is kept apart in time: `generator/schedule.cjs` says how. Names of promises and signals are used only
// where their definition has surely run. The family of the classics is not random: `classics.cjs` has them.
'use strict';

const { Core } = require('./generator/core.cjs');
const { withMacros } = require('./generator/macros.cjs');
const { withPromises } = require('./generator/promises.cjs');
const { hash } = require('./generator/random.cjs');
const { withSockets } = require('./generator/sockets.cjs');
const { withTasks } = require('./generator/tasks.cjs');

const Generator = withSockets(withTasks(withPromises(withMacros(Core))));

// How often a statement is chosen, by family; what is not listed is not used.
const MICRO = { plainLog: 3, nextTick: 6, microtask: 6, promise: 5, attempt: 1, clear: 0.3 };
const MACRO = { ...MICRO, timeout: 4, immediate: 4, interval: 1, group: 3, refresh: 1, pool: 2, task: 3, signal: 1 };
const FAMILIES = {
  micro: { weights: { ...MICRO, task: 1, signal: 0.5, lateSettle: 1 } },
  timers: {
    weights: { ...MICRO, timeout: 7, group: 5, interval: 2, immediate: 2, refresh: 3, clear: 1.5, unref: 1 },
  },
  immediates: { weights: { ...MICRO, immediate: 10, group: 3, timeout: 2, clear: 2, unref: 1 } },
  iophase: { weights: { ...MICRO, pool: 6, immediate: 5, group: 5, timeout: 3, refresh: 0.5 } },
  tasks: { weights: { ...MICRO, task: 9, signal: 2, immediate: 2, timeout: 2, pool: 0.5, interval: 0.3 } },
  errors: {
    weights: {
      ...MICRO, immediate: 4, timeout: 4, group: 4, task: 2, signal: 1, pool: 1.5, interval: 1, lateHandler: 2,
    },
    throwChance: 0.22,
    conversations: 0.15,
  },
  lifecycle: {
    weights: { ...MICRO, timeout: 4, immediate: 4, interval: 2, far: 3, unref: 2, refresh: 1, task: 1, exit: 0.15 },
    throwChance: 0.02,
  },
  fs: { weights: { ...MICRO, pool: 9, timeout: 3, immediate: 2, task: 2 } },
  tcp: { weights: { ...MICRO, immediate: 4, timeout: 1, task: 1, signal: 0.3 }, conversations: 1 },
  mixed: { weights: { ...MACRO, unref: 0.5, lateSettle: 0.5 }, conversations: 0.15 },
};

/** `count` lines from `seed` on; without a family, all of them in turn. */
function generate({ seed, count, family }) {
  const families = family ? [family] : Object.keys(FAMILIES);
  return Array.from({ length: count }, (_, n) => {
    const chosen = families[n % families.length];
    const name = `${chosen}-${seed + n}`;
    return { name, family: chosen, program: new Generator(chosen, FAMILIES[chosen], hash(name)).program() };
  });
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
