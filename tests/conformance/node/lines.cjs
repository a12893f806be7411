// Small things that the scripts share.
'use strict';

function readLines(text) {
  return text.split('\n').filter((line) => line.trim() !== '').map((line) => JSON.parse(line));
}

function sameTrace(one, other) {
  return one.length === other.length && one.every((label, index) => label === other[index]);
}

module.exports = { readLines, sameTrace };
