// The data, the selection that every part of the page follows, and small makers of elements.
// Text reaches the page through textContent only: nothing of a transcript is ever parsed as HTML.
const data = JSON.parse(document.getElementById('mmser-data').textContent);
const turns = data.turns;
const UNCERTAIN = data.labels.length;
const SCALE = 10000;
const DOUBTFUL = 0.6; // words recognised with less than this are shown as doubtful
const ROLE_NAMES = { agent: 'Agent', customer: 'Customer', system: 'System', unknown: 'Unknown role' };
const ARROWS = { '-1': '◆', 0: '▼', 1: '▲', 2: '◆' };

// Columns of a turn's row; html_data.py writes them in this order.
const ID = 0, START = 1, END = 2, ROLE = 3, SPEAKER = 4, TEXT = 5, EMOTION = 6, INTENSITY = 7, CHANGE = 8,
  AUDIO_ONLY = 9, TEXT_ONLY = 10, MODALITIES = 11, LOUDNESS = 12, SPEED = 13, FLAGS = 14, REASONS = 15, WINDOWS = 16, COURSE = 17, SURE = 18;

const $ = (id) => document.getElementById(id);

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined && text !== null) node.textContent = text;
  return node;
}

function draw(tag, attributes, parent) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const name in attributes) node.setAttribute(name, attributes[name]);
  if (parent) parent.appendChild(node);
  return node;
}

function button(className, label, text, onClick) {
  const node = make('button', className, text);
  node.type = 'button';
  if (label) node.setAttribute('aria-label', label);
  node.addEventListener('click', onClick);
  return node;
}

function clock(seconds, tenths) {
  const whole = Math.floor(seconds);
  const h = Math.floor(whole / 3600), m = Math.floor(whole / 60) % 60, s = whole % 60;
  const two = (n) => String(n).padStart(2, '0');
  const text = h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
  return tenths ? `${text}.${Math.floor((seconds % 1) * 10)}` : text;
}

const percent = (scaled) => `${Math.round(scaled / 100)}%`;
const isConflict = (turn) => turn[AUDIO_ONLY] !== null && turn[TEXT_ONLY] !== null && turn[AUDIO_ONLY][0] !== turn[TEXT_ONLY][0];
const isShift = (turn) => turn[CHANGE] !== null && turn[CHANGE][1] === 1;
const shownEmotion = (emotion) => (emotion === null ? -1 : emotion[1] ? UNCERTAIN : emotion[0]);
const confidence = (emotion) => emotion[2 + emotion[0]] / SCALE;
const startOf = (i) => (data.ordinal ? i : turns[i][START]);
const endOf = (i) => (data.ordinal ? i + 1 : turns[i][END]);
const speakerOf = (turn) => (turn[SPEAKER] < 0 ? ROLE_NAMES[turn[ROLE]] : data.speakers[turn[SPEAKER]]);
const reasonsOf = (turn) => data.reasons[turn[REASONS]];
const flagsOf = (turn) => data.flags[turn[FLAGS]];
const nameOf = (index) => (index === UNCERTAIN ? 'uncertain' : data.labels[index]);

function timeOf(i) {
  const turn = turns[i];
  if (turn[START] === null) return `#${i + 1}`;
  return (data.estimated || flagsOf(turn).includes('times_estimated') ? '≈ ' : '') + clock(turn[START]);
}

function chip(index) {
  const node = make('span', `chip e${index}`);
  const mark = make('b', 'mark', data.letters[index]);
  mark.setAttribute('aria-hidden', 'true');
  node.append(mark, nameOf(index));
  return node;
}

function isolated(tag, className, text) {
  const node = make(tag, className, text);
  node.dir = 'auto';
  return node;
}

// The turn that the whole page looks at. Listeners get (index, {seek, reveal}).
const selection = { index: -1, listeners: [] };
function select(index, how = {}) {
  if (index < 0 || index >= turns.length) return;
  const moved = selection.index !== index;
  selection.index = index;
  if (moved || how.seek || how.reveal) for (const listener of selection.listeners) listener(index, how);
}

// Turns with times, by start: the last that began by `time` and still lasts, else the last that began.
const timed = turns.map((_, i) => i).filter((i) => startOf(i) !== null && endOf(i) !== null);
timed.sort((a, b) => startOf(a) - startOf(b) || a - b);
function turnAt(time) {
  let low = 0, high = timed.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (startOf(timed[middle]) <= time + 0.001) low = middle + 1; else high = middle;
  }
  for (let k = low - 1; k >= Math.max(0, low - 64); k--) if (endOf(timed[k]) > time) return timed[k];
  return -1;
}
