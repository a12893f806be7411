// What a compiled trace program calls: the statements that are longer than one line of JavaScript.
'use strict';

const crypto = require('node:crypto');
const dns = require('node:dns');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const timersPromises = require('node:timers/promises');
const { Random } = require('./generator/random.cjs');

const FILE_BYTES = 1000;
const PBKDF2_ROUNDS = 1000; // about a millisecond
const STALL_CHANCE = 0.06;
const MOST_STALL_MS = 2;

function makeWorld({ stalls }) {
  const stall = makeStall(stalls);
  const trace = [];
  const handles = Object.create(null);
  const promises = Object.create(null);
  const signals = Object.create(null);
  const log = (label) => void trace.push(label);
  const logUnlessNull = (label, suffix = '') => {
    if (label != null) log(label + suffix);
  };

  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'trace-'));
  const file = path.join(directory, 'file');
  const missing = path.join(directory, 'missing');
  fs.writeFileSync(file, Buffer.alloc(FILE_BYTES));

  const poolCalls = {
    stat: (done) => fs.stat(file, done),
    read: (done) => fs.readFile(file, done),
    access: (done) => fs.access(file, done),
    openClose: (done) => fs.open(file, (failure, fd) => (failure ? done(failure) : fs.close(fd, done))),
    missing: (done) => fs.stat(missing, done),
    readMissing: (done) => fs.readFile(missing, done),
    random: (done) => crypto.randomBytes(64, done),
    pbkdf2: (done) => crypto.pbkdf2('password', 'salt', PBKDF2_ROUNDS, 32, 'sha256', done),
    dns: (done) => dns.lookup('localhost', done),
  };

  function pool(kind, label, body) {
    poolCalls[kind]((failure) => {
      logUnlessNull(label, `:${failure ? nameOf(failure) : 'ok'}`);
      body(failure ?? undefined);
    });
  }

  function awaitPool(kind, label) {
    return new Promise((resolve, reject) => {
      pool(kind, label, (failure) => (failure ? reject(failure) : resolve()));
    });
  }

  function listen(name, label, body, onConnection) {
    let connections = 0;
    const server = net.createServer((socket) => {
      connections += 1;
      handles[`${name}#${connections}`] = flowing(socket);
      onConnection();
    });
    handles[name] = server;
    server.on('error', () => {});
    server.listen(0, '127.0.0.1', () => {
      logUnlessNull(label);
      body();
    });
  }

  function connect(name, server, label, body) {
    const socket = flowing(net.connect(handles[server].address().port, '127.0.0.1'));
    handles[name] = socket;
    socket.on('connect', () => {
      logUnlessNull(label);
      body();
    });
  }

  function listenTo(method, name, event, label, body) {
    handles[name][method](event, (chunk) => {
      logUnlessNull(label, event === 'data' ? `:${chunk.length}` : '');
      body();
    });
  }

  function closeServer(name, label, body) {
    handles[name].close(() => {
      logUnlessNull(label);
      body();
    });
  }

  function install({ uncaught, unhandled, rejectionHandled, beforeExit, exit }) {
    process.on('uncaughtException', (failure) => {
      log(`uncaught:${nameOf(failure)}`);
      uncaught();
    });
    process.on('unhandledRejection', (failure) => {
      log(`unhandled:${nameOf(failure)}`);
      unhandled();
    });
    process.on('rejectionHandled', rejectionHandled);
    let emission = 0;
    process.on('beforeExit', () => {
      emission += 1;
      beforeExit[emission - 1]?.();
    });
    process.on('exit', () => {
      // An `exit` in the exit body ends the process where it stands.
      const { reallyExit } = process;
      process.reallyExit = (code) => {
        finish();
        reallyExit.call(process, code);
      };
      exit();
      process.reallyExit = reallyExit;
      finish();
    });
  }

  function finish() {
    fs.rmSync(directory, { recursive: true });
    fs.writeSync(1, JSON.stringify(trace));
  }

  return {
    handles, promises, signals, install, log, stall, nameOf, busy, interval, clear, deferred,
    sleep, yieldNow, awaitPool, pool, listen, connect, listenTo, closeServer,
  };
}

/** The name that labels show: an error's message, or what kind it is if it is the system's. */
function nameOf(failure) {
  if (failure?.name === 'AbortError' || failure?.name === 'AggregateError') return failure.name;
  return failure?.code ?? failure?.message;
}

// Not a loop: one that makes garbage for so long makes V8 post tasks of its own, and each of those ends with a drain.
const sleeping = new Int32Array(new SharedArrayBuffer(4));
const busy = (ms) => void Atomics.wait(sleeping, 0, 0, ms);

/** What every callback begins with. */
function makeStall(seed) {
  if (seed === undefined) return () => {};
  const random = new Random(seed);
  return () => {
    if (random.chance(STALL_CHANCE)) busy(random.between(1, MOST_STALL_MS));
  };
}

function interval(ms, times, body) {
  let count = 0;
  const timer = setInterval(() => {
    count += 1;
    if (count === times) clearInterval(timer);
    body();
  }, ms);
  return timer;
}

function clear(handle) {
  if (handle?.constructor.name === 'Immediate') clearImmediate(handle);
  else clearTimeout(handle);
}

function deferred() {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
}

// Node's own sleep with a signal is wrapped in a `finally` and takes some turns more.
function sleep(ms, signal) {
  if (!signal) return timersPromises.setTimeout(ms);
  if (signal.aborted) return Promise.reject(abortError());
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(abortError());
    });
  });
}

function abortError() {
  return Object.assign(new Error('The operation was aborted'), { name: 'AbortError' });
}

const yieldNow = () => timersPromises.setImmediate();

function flowing(socket) {
  socket.on('error', () => {});
  return socket.resume();
}

module.exports = { makeWorld };
