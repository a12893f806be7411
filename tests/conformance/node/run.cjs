// The reference: runs each trace program of FILE.jsonl in a Node process of its own.
//
//   node run.cjs FILE.jsonl            prints {"name", "trace"} lines, in the order of the file
//   node run.cjs --check FILE.jsonl    compares with the "trace" of each line instead; exit code 1 if one differs
'use strict';

const { spawn } = require('node:child_process');
const { readFileSync } = require('node:fs');
const { availableParallelism } = require('node:os');
const path = require('node:path');
const { readLines, sameTrace } = require('./lines.cjs');

const CHILD = path.join(__dirname, 'child.cjs');
const DEADLINE_MS = 10_000;
// A collection makes V8 post a task, which ends with a drain: seen by what an error has left in the queues.
const WITHOUT_COLLECTIONS = ['--min-semi-space-size=64', '--max-semi-space-size=64'];

/**
 * The trace of `program`, or an error that says how its process ended. With `stalls`, a seed, it stalls now and then and
 * has one thread in its pool; with `core` it has only that one.
 */
function runProgram(program, { stalls, core, deadline = DEADLINE_MS } = {}) {
  const command = [process.execPath, '--no-warnings', ...WITHOUT_COLLECTIONS, CHILD];
  if (stalls !== undefined) command.push(String(stalls));
  if (core !== undefined) command.unshift('taskset', '--cpu-list', String(core));
  const env = stalls === undefined ? process.env : { ...process.env, UV_THREADPOOL_SIZE: '1' };
  return new Promise((resolve, reject) => {
    const child = spawn(command[0], command.slice(1), { timeout: deadline, env });
    let output = '';
    let errors = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (errors += chunk));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (output === '') reject(new Error(`Node ended without a trace (${signal ?? code}): ${errors.trim()}`));
      else resolve(JSON.parse(output));
    });
    child.stdin.end(JSON.stringify(program));
  });
}

/** Calls `done(line, trace or error)` for each line, in order; `jobs` processes run at a time, which mostly wait. */
async function runAll(lines, done, { jobs = 2 * availableParallelism(), ...conditions } = {}) {
  const results = lines.map(() => Promise.withResolvers?.() ?? withResolvers());
  let next = 0;
  const worker = async () => {
    while (next < lines.length) {
      const index = next++;
      const outcome = await runProgram(lines[index].program, conditions).catch((error) => error);
      results[index].resolve(outcome);
    }
  };
  const workers = Array.from({ length: jobs }, worker);
  for (const [index, result] of results.entries()) done(lines[index], await result.promise);
  await Promise.all(workers);
}

function withResolvers() {
  const parts = {};
  parts.promise = new Promise((resolve) => (parts.resolve = resolve));
  return parts;
}

async function main(args) {
  const check = args[0] === '--check';
  const lines = readLines(readFileSync(args.at(-1), 'utf8'));
  let failures = 0;
  await runAll(lines, (line, outcome) => {
    if (outcome instanceof Error) {
      failures += 1;
      console.error(`${line.name}: ${outcome.message}`);
    } else if (!check) {
      console.log(JSON.stringify({ name: line.name, trace: outcome }));
    } else if (!sameTrace(outcome, line.trace)) {
      failures += 1;
      console.log(`${line.name}\n  recorded ${line.trace.join(' ')}\n  now      ${outcome.join(' ')}`);
    }
  });
  if (check) console.log(`${lines.length - failures} of ${lines.length} agree`);
  process.exitCode = failures === 0 ? 0 : 1;
}

if (require.main === module) main(process.argv.slice(2));

module.exports = { runAll, runProgram };
