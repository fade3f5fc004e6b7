// The table of turns: filtered, and only the rows in view exist, so that 200,000 turns scroll as well as twenty.
const OVERSCAN = 6, FREE_ROWS = 40, MAX_PRINTED = 2000;

let shown = turns.map((_, i) => i);
let haystacks = null;
const rows = new Map(); // index → row element; opened rows stay, so that a half-filled form survives scrolling
const opened = new Map(); // index → extra height in pixels
const filters = { text: '', role: '', emotions: new Set(), changes: false, conflicts: false };
let frame, body, printing = false;

const shownTurns = () => shown;
const rowHeight = () => parseFloat(getComputedStyle(frame).getPropertyValue('--row')) || 56;

function buildTable() {
  const table = $('table');
  table.setAttribute('role', 'table');
  table.setAttribute('aria-labelledby', 'turns-title');
  const head = make('div', 'row head');
  head.setAttribute('role', 'row');
  for (const title of ['Time', 'Speaker', 'Emotion', 'Intensity', data.hasText ? 'Words' : '', 'Open']) {
    const cell = make('span', title === 'Open' ? 'vh' : '', title);
    cell.setAttribute('role', 'columnheader');
    head.append(cell);
  }
  frame = make('div', 'frame');
  frame.setAttribute('role', 'rowgroup');
  frame.tabIndex = -1;
  body = make('div', 'rows');
  frame.append(body);
  table.append(head, frame);
  frame.addEventListener('scroll', () => requestAnimationFrame(paint), { passive: true });
  window.addEventListener('resize', () => requestAnimationFrame(paint));
  selection.listeners.push((index, how) => { showReadout(index); markCurrent(); if (how.reveal || audioPlays()) scrollToTurn(index); });
  bindFilters();
  applyFilters();
}

const audioPlays = () => audio && !audio.paused;

function bindFilters() {
  $('filters').addEventListener('submit', (event) => event.preventDefault());
  $('search').addEventListener('input', () => { filters.text = $('search').value; applyFilters(); });
  $('role').addEventListener('change', () => { filters.role = $('role').value; applyFilters(); });
  $('only-changes').addEventListener('change', () => { filters.changes = $('only-changes').checked; applyFilters(); });
  $('only-conflicts').addEventListener('change', () => { filters.conflicts = $('only-conflicts').checked; applyFilters(); });
  for (const toggle of document.querySelectorAll('.toggle')) {
    toggle.addEventListener('click', () => {
      const emotion = Number(toggle.dataset.emotion), on = !filters.emotions.has(emotion);
      if (on) filters.emotions.add(emotion); else filters.emotions.delete(emotion);
      toggle.setAttribute('aria-pressed', String(on));
      applyFilters();
    });
  }
  $('clear').addEventListener('click', clearFilters);
}

function clearFilters() {
  $('filters').reset();
  Object.assign(filters, { text: '', role: '', changes: false, conflicts: false });
  filters.emotions.clear();
  for (const toggle of document.querySelectorAll('.toggle')) toggle.setAttribute('aria-pressed', 'false');
  applyFilters();
}

const folded = (text) => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();

function applyFilters() {
  const needle = folded(filters.text.trim());
  if (needle && !haystacks) haystacks = turns.map((turn) => folded(`${turn[ID]}\n${speakerOf(turn)}\n${turn[TEXT] || ''}`));
  shown = [];
  for (let i = 0; i < turns.length; i++) {
    const turn = turns[i];
    if (filters.role && turn[ROLE] !== filters.role) continue;
    if (filters.emotions.size && !filters.emotions.has(shownEmotion(turn[EMOTION]))) continue;
    if (filters.changes && !isShift(turn)) continue;
    if (filters.conflicts && !isConflict(turn)) continue;
    if (needle && !haystacks[i].includes(needle)) continue;
    shown.push(i);
  }
  const total = turns.length.toLocaleString('en') + (turns.length === 1 ? ' turn' : ' turns');
  $('count').textContent = shown.length === turns.length ? total : `${shown.length.toLocaleString('en')} of ${total}`;
  $('table').setAttribute('aria-rowcount', String(shown.length + 1));
  frame.scrollTop = 0;
  paint();
}

// Height above row `position`: fixed rows, plus what opened rows add.
function topOf(position) {
  let extra = 0;
  for (const [index, more] of opened) {
    const at = positionOf(index);
    if (at >= 0 && at < position) extra += more;
  }
  return position * rowHeight() + extra;
}

function positionOf(index) {
  let low = 0, high = shown.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (shown[middle] < index) low = middle + 1; else high = middle;
  }
  return shown[low] === index ? low : -1;
}

function firstInView(offset) {
  let low = 0, high = shown.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (topOf(middle + 1) <= offset) low = middle + 1; else high = middle;
  }
  return low;
}

function paint() {
  if (printing) return;
  frame.classList.toggle('free', shown.length <= FREE_ROWS);
  let from = 0, to = shown.length;
  if (shown.length > FREE_ROWS) {
    from = Math.max(0, firstInView(frame.scrollTop) - OVERSCAN);
    to = Math.min(shown.length, from + Math.ceil(frame.clientHeight / rowHeight()) + 2 * OVERSCAN);
  }
  fill(from, to);
  body.style.paddingTop = `${topOf(from)}px`;
  body.style.paddingBottom = `${topOf(shown.length) - topOf(to)}px`;
  for (const [index] of opened) measure(index);
}

function fill(from, to) {
  const wanted = shown.slice(from, to), keep = new Set(wanted);
  for (const [index, row] of rows) {
    if (keep.has(index)) continue;
    if (row.isConnected) row.remove();
    if (!opened.has(index)) rows.delete(index);
  }
  if (!wanted.length) { body.replaceChildren(make('p', 'empty', 'No turn matches these filters.')); return; }
  const empty = body.querySelector('.empty');
  if (empty) empty.remove();
  let before = body.firstChild;
  wanted.forEach((index, k) => {
    const row = rows.get(index) || buildRow(index);
    rows.set(index, row);
    row.setAttribute('aria-rowindex', String(from + k + 2));
    if (row === before) before = before.nextSibling; else body.insertBefore(row, before);
  });
}

function cell(className, ...children) {
  const node = make('span', `cell ${className}`);
  node.setAttribute('role', 'cell');
  node.append(...children);
  return node;
}

function buildRow(index) {
  const turn = turns[index], row = make('div', 'row');
  row.setAttribute('role', 'row');
  row.dataset.turn = turn[ID];
  const jump = button('jump num', `${timeOf(index)}, go to turn ${turn[ID]}`, timeOf(index), (event) => { event.stopPropagation(); select(index, { seek: true }); });
  const open = button('open', 'Details', '', (event) => { event.stopPropagation(); toggle(index); });
  open.setAttribute('aria-expanded', 'false');
  const line = make('div', 'line');
  const said = isolated('span', isDoubtful(turn) ? 'clamp doubtful' : 'clamp', turn[TEXT] === null ? '' : turn[TEXT]);
  if (turn[TEXT] === null && data.hasText) { said.classList.add('quiet'); said.textContent = `— ${reasonsOf(turn).text || 'none known'}`; }
  if (isDoubtful(turn)) said.title = `recognised with ${percent(turn[SURE])} confidence`;
  const words = cell('text', said);
  const who = cell('who', isolated('span', '', speakerOf(turn)));
  if (speakerOf(turn).toLowerCase() !== turn[ROLE]) who.append(make('small', '', turn[ROLE]));
  line.append(cell('time', jump), who, cell('emotion', emotionCell(turn)), cell('intensity', intensityBar(turn)), words, cell('more', open));
  line.setAttribute('role', 'presentation');
  line.addEventListener('click', () => select(index, { seek: true }));
  row.append(line);
  setMarks(row, index);
  return row;
}

function setMarks(row, index) {
  row.classList.toggle('current', index === selection.index);
  row.classList.toggle('corrected', corrections.has(index));
  if (index === selection.index) row.setAttribute('aria-current', 'true'); else row.removeAttribute('aria-current');
}

function markCurrent() {
  for (const [index, row] of rows) setMarks(row, index);
}

function toggle(index) {
  const row = rows.get(index);
  if (!row) return;
  const open = !opened.has(index);
  row.querySelector('.open').setAttribute('aria-expanded', String(open));
  row.classList.toggle('opened', open);
  if (open) {
    const detail = buildDetail(index, () => setMarks(row, index), true);
    detail.setAttribute('role', 'cell');
    row.append(detail);
    opened.set(index, 0);
    measure(index);
  } else {
    row.querySelector('.detail').remove();
    opened.delete(index);
  }
  paint();
}

function measure(index) {
  const row = rows.get(index);
  if (row && row.isConnected) opened.set(index, Math.max(0, row.offsetHeight - rowHeight()));
}

function scrollToTurn(index) {
  const position = positionOf(index);
  if (position < 0 || shown.length <= FREE_ROWS) return;
  const top = topOf(position);
  if (top >= frame.scrollTop && top + rowHeight() <= frame.scrollTop + frame.clientHeight) return;
  frame.scrollTop = Math.max(0, top - frame.clientHeight / 3);
  paint();
}

// On paper every filtered turn is open; a very long call prints its first rows and says so.
function preparePrint() {
  printing = true;
  const list = shown.slice(0, MAX_PRINTED);
  const paper = list.map((index) => {
    const row = buildRow(index);
    row.append(buildDetail(index, () => {}, false));
    return row;
  });
  if (shown.length > list.length) paper.push(make('p', 'fine', `${(shown.length - list.length).toLocaleString('en')} more turns are not printed; filter the table, or use the JSON report.`));
  body.style.padding = '0';
  body.replaceChildren(...paper);
}

function endPrint() {
  printing = false;
  body.replaceChildren();
  paint();
}
