// The workloads on Node, as its documentation would have them.
'use strict';

const assert = require('node:assert');
const dgram = require('node:dgram');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { parseArgs } = require('node:util');
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');

const UNSUPPORTED = 3;
const BACKLOG = 4096;
const BATCH = 1000;
const FILE_LEN = 1024;

const now = () => process.hrtime.bigint();
const nsSince = (start) => Number(now() - start);
const figure = (name, value, unit) => console.log(`${name} ${value.toFixed(3)} ${unit}`);
const each = (name, start, count, unit) => figure(name, nsSince(start) / count, `ns/${unit}`);
const rate = (name, start, count, unit) => figure(name, (count * 1e9) / nsSince(start), `${unit}/s`);

// For as long as the thread must not do anything.
const block = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

function percentiles(name, samplesNs) {
  samplesNs.sort((one, other) => one - other);
  for (const percent of [50, 99]) {
    figure(`${name}_p${percent}`, samplesNs[Math.floor((samplesNs.length * percent) / 100)] / 1e3, 'us');
  }
}

// The same delays for every contender: xorshift64, as in src/delays.rs. Drawn before the clock starts,
// since arithmetic of 64 bits is slow here.
function delays(count, firstMs, lastMs) {
  const drawn = new Float64Array(count);
  const state = new BigUint64Array([0x9e3779b97f4a7c15n]);
  for (let i = 0; i < count; i++) {
    state[0] ^= state[0] << 13n;
    state[0] ^= state[0] >> 7n;
    state[0] ^= state[0] << 17n;
    drawn[i] = firstMs + (Number(state[0] >> 32n) % (lastMs - firstMs + 1));
  }
  return drawn;
}

// Does `count` operations, `width` at a time; `operate` is given the number, and what to call when done.
function flight(count, width, operate) {
  return new Promise((resolve) => {
    let started = 0;
    let landed = 0;
    const startNext = () => {
      if (started < count) operate(started++, land);
    };
    const land = () => {
      landed++;
      if (landed === count) resolve();
      else startNext();
    };
    for (let i = 0; i < width; i++) startNext();
  });
}

const ready = () => process.stdout.write('ready\n');

function serve({ port }, options, onConnection) {
  const server = net.createServer({ noDelay: true, ...options }, (socket) => {
    socket.on('error', () => {}); // a reset, or the like: it ends this connection and nothing else
    onConnection(socket);
  });
  server.listen({ port, host: '127.0.0.1', backlog: BACKLOG }, ready);
}

function echo(args) {
  serve(args, {}, (socket) => socket.pipe(socket));
}

function sink(args) {
  serve(args, { allowHalfOpen: true }, (socket) => {
    let total = 0;
    socket.on('data', (bytes) => (total += bytes.length));
    socket.on('end', () => {
      const answer = Buffer.alloc(8);
      answer.writeBigUInt64LE(BigInt(total));
      socket.end(answer);
    });
  });
}

function accept(args) {
  serve(args, {}, (socket) => socket.destroy());
}

function udp({ port }) {
  const socket = dgram.createSocket('udp4');
  socket.on('message', (bytes, sender) => socket.send(bytes, sender.port, sender.address));
  socket.bind(port, '127.0.0.1', ready);
}

function timersFire({ n }) {
  const drawn = delays(n, 1, 1000);
  let fired = 0;
  let start = now();
  const fire = () => {
    if (++fired === n) each('timers_fire', start, n, 'timer');
  };
  for (let i = 0; i < n; i++) setTimeout(fire, drawn[i]);
  each('timers_insert', start, n, 'timer');
  block(1100);
  start = now();
}

function timersChurn({ n, live }) {
  const drawn = delays(n + live, 1000, 61000);
  const timers = Array.from({ length: live }, (_, i) => setTimeout(() => {}, drawn[i]));
  const start = now();
  for (let i = 0; i < n; i++) {
    clearTimeout(timers[i % live]);
    timers[i % live] = setTimeout(() => {}, drawn[live + i]);
  }
  each('timers_churn', start, n, 'insert+cancel');
  timers.forEach(clearTimeout);
}

function timersRearm({ n, live }) {
  const timers = Array.from({ length: live }, () => setTimeout(() => {}, 30000));
  const start = now();
  for (let i = 0; i < n; i++) timers[i % live].refresh();
  each('timers_rearm', start, n, 'rearm');
  timers.forEach(clearTimeout);
}

// Each queues the next.
function chain(count, queue) {
  return new Promise((resolve) => {
    let left = count;
    const next = () => {
      if (--left > 0) queue(next);
      else resolve();
    };
    queue(next);
  });
}

// A thousand in each iteration.
function batches(count, queue) {
  return new Promise((resolve) => {
    let done = 0;
    let queued = 0;
    const run = () => {
      if (++done === count) resolve();
    };
    const queueBatch = () => {
      const end = Math.min(count, queued + BATCH);
      for (; queued < end; queued++) queue(run);
      if (queued < count) setImmediate(queueBatch);
    };
    setImmediate(queueBatch);
  });
}

async function ticks({ n }) {
  const workloads = [
    ['nexttick_chain', chain, process.nextTick, 'tick'],
    ['nexttick_batch', batches, process.nextTick, 'tick'],
    ['microtask_chain', chain, queueMicrotask, 'tick'],
    ['immediate_chain', chain, setImmediate, 'iteration'],
    ['immediate_batch', batches, setImmediate, 'immediate'],
  ];
  for (const [name, run, queue, unit] of workloads) {
    const start = now();
    await run(n, queue);
    each(name, start, n, unit);
  }
}

// So many queued at a time; the last of each batch queues the next.
async function queue({ n, length }) {
  for (const [name, add, unit] of [['queue_tick', process.nextTick, 'tick'], ['queue_microtask', queueMicrotask, 'microtask']]) {
    const start = now();
    await new Promise((resolve) => {
      let done = 0;
      const run = () => {
        if (++done === n) resolve();
        else if (done % length === 0) addBatch();
      };
      const addBatch = () => {
        for (let i = Math.min(length, n - done); i > 0; i--) add(run);
      };
      addBatch();
    });
    each(name, start, n, unit);
  }
}

function wakeLatency(count) {
  return new Promise((resolve) => {
    const told = new Int32Array(new SharedArrayBuffer(4));
    const samples = [];
    const other = new Worker(__filename, { workerData: { wakes: count, told } });
    other.on('message', (sent) => {
      samples.push(nsSince(sent));
      Atomics.add(told, 0, 1);
      Atomics.notify(told, 0);
    });
    other.on('exit', () => {
      assert.strictEqual(samples.length, count);
      percentiles('wake_latency', samples);
      resolve();
    });
  });
}

// From the first message, since a worker takes longer to start than to send.
function wakeMessages(count) {
  return new Promise((resolve) => {
    let start;
    let inOrder = 0;
    const other = new Worker(__filename, { workerData: { messages: count } });
    other.on('message', (message) => {
      start ??= now();
      if (message === inOrder) inOrder++;
      if (inOrder === count) rate('wake_msgs', start, count, 'msgs');
    });
    other.on('exit', () => {
      assert.strictEqual(inOrder, count);
      resolve();
    });
  });
}

async function wake({ n, msgs }) {
  await wakeLatency(n);
  await wakeMessages(msgs);
}

function beOtherThread({ wakes, told, messages }) {
  for (let i = 0; i < wakes; i++) {
    block(0.1); // long enough for the loop to be asleep again
    parentPort.postMessage(now());
    Atomics.wait(told, 0, i);
  }
  for (let i = 0; i < messages; i++) parentPort.postMessage(i);
}

async function files({ n, dir }) {
  const paths = Array.from({ length: 1000 }, (_, i) => path.join(dir, `f${i}`));
  const read = (number, land) => {
    fs.readFile(paths[number % paths.length], (error, bytes) => {
      assert.strictEqual(bytes?.length, FILE_LEN, error);
      land();
    });
  };
  const stat = (number, land) => {
    fs.stat(paths[number % paths.length], (error, found) => {
      assert.strictEqual(found?.size, FILE_LEN, error);
      land();
    });
  };
  for (const [name, operate, unit] of [['fs_open_read_close', read, 'files'], ['fs_stat', stat, 'ops']]) {
    for (const width of [1, 64]) {
      const start = now();
      await flight(n, width, operate);
      rate(`${name}_c${width}`, start, n, unit);
    }
  }
}

async function processes({ n }) {
  const run = (_, land) => {
    spawn('/bin/true', { env: {}, stdio: 'inherit' }).on('exit', (code) => {
      assert.strictEqual(code, 0);
      land();
    });
  };
  for (const width of [1, 8]) {
    const start = now();
    await flight(n, width, run);
    rate(`proc_spawn_c${width}`, start, n, 'procs');
  }
}

const workloads = {
  echo,
  mem: echo,
  sink,
  accept,
  udp,
  'timers-fire': timersFire,
  'timers-churn': timersChurn,
  'timers-rearm': timersRearm,
  ticks,
  queue,
  wake,
  fs: files,
  proc: processes,
};

function main() {
  const names = ['port', 'n', 'live', 'msgs', 'dir', 'api', 'loops', 'tasks', 'inflight', 'lat', 'length', 'idle', 'sockets', 'turns', 'drain', 'timer', 'only'];
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' }]));
  const { values, positionals } = parseArgs({ options, allowPositionals: true, strict: false });
  const run = workloads[positionals[0]];
  // One that was asked for more loops than one would pass for a slow one.
  if (run === undefined || (values.loops ?? '1') !== '1') {
    console.error(`${positionals[0]}: not supported`);
    process.exitCode = UNSUPPORTED;
    return;
  }
  const numbers = Object.entries(values).filter(([name]) => !['dir', 'api', 'drain', 'timer', 'only'].includes(name));
  run({ ...values, ...Object.fromEntries(numbers.map(([name, value]) => [name, Number(value)])) });
}

if (isMainThread) main();
else beOtherThread(workerData);
