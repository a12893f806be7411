// Runs the one trace program on stdin as this process's main script; writes its trace to stdout when the process exits.
// The argument, if there is one, is the seed of the stalls before callbacks.
'use strict';

const { readFileSync } = require('node:fs');
const { compile } = require('./compile.cjs');
const { makeWorld } = require('./world.cjs');

const main = new Function('world', compile(JSON.parse(readFileSync(0, 'utf8'))));
main(makeWorld({ stalls: process.argv[2] && Number(process.argv[2]) }));
