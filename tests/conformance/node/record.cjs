// Records the corpus: random programs of every family, and the classics, with Node's traces.
//
//   node record.cjs [--seed 1] [--count 220] [--jobs 4] > ../recorded.jsonl        `count` programs a family
//
// Only stable programs are kept, those that Node ran alike every time: three times as they are, three times with stalls
// before callbacks and a pool of one thread, once on a core that a busy process has too, and once more.
'use strict';

const { spawn } = require('node:child_process');
const { availableParallelism } = require('node:os');
const { parseArgs } = require('node:util');
const { classics } = require('./classics.cjs');
const { families, generate } = require('./generate.cjs');
const { sameTrace } = require('./lines.cjs');
const { runAll } = require('./run.cjs');

const CORE = 0;
const ROUNDS = [{}, { stalls: 1 }, { core: CORE }, { stalls: 2 }, {}, { stalls: 3 }, {}, {}];

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '220' },
    jobs: { type: 'string', default: String(2 * availableParallelism()) },
  },
});

/** A process that keeps `core` busy until it is killed, or for an hour. */
function occupy(core) {
  const code = 'const end = Date.now() + 3600_000; while (Date.now() < end);';
  return spawn('taskset', ['--cpu-list', String(core), process.execPath, '-e', code], { stdio: 'inherit' });
}

// What uses a name that was never defined fails differently everywhere.
const isUsable = (trace) => Array.isArray(trace) && !trace.some((label) => label.includes('Cannot read'));

/** The lines of `lines` that Node runs under `conditions` as it did before. */
async function stable(lines, conditions) {
  const hog = conditions.core === undefined ? null : occupy(conditions.core);
  const kept = [];
  const keep = (line, trace) => {
    if (isUsable(trace) && sameTrace(trace, line.trace ?? trace)) kept.push({ ...line, trace });
  };
  await runAll(lines, keep, { jobs: Number(options.jobs), ...conditions });
  hog?.kill();
  return kept;
}

async function main() {
  const [seed, count] = [Number(options.seed), Number(options.count)];
  const random = families.flatMap((family) => generate({ seed, count, family }));
  let lines = [...classics(), ...random];
  const all = lines.length;
  for (const [round, conditions] of ROUNDS.entries()) {
    lines = await stable(lines, conditions);
    console.error(`round ${round + 1} of ${ROUNDS.length}: ${lines.length} of ${all} are stable`);
  }
  for (const { name, family, program, trace } of lines) console.log(JSON.stringify({ name, family, program, trace }));
}

main();
