// One lane per role: intensity as height over the waveform, the emotion as a lettered ribbon below.
// Only what lies in view is drawn, and beyond MAX_BLOCKS turns it is drawn in bins: ten hours cost what ten minutes do.
const MAX_BLOCKS = 700, BIN = 6, SHIFT_SPACE = 16, PLOT = 92, LOW_PLOT = 40, RIBBON = 18, BAND = 5, TOP = 16, MAX_PIXELS = 8e6;
const CLICK_REACH = 6, UNKNOWN_HEIGHT = 0.5; // of a turn judged from words alone, which has no intensity

const view = { zoom: 1, from: data.span[0], to: data.span[1], width: 900 };
const length = Math.max(data.span[1] - data.span[0], 1e-6);
const lanes = data.roles.map((role) => {
  const own = timed.filter((i) => turns[i][ROLE] === role);
  const silent = own.every((i) => turns[i][EMOTION] === null);
  // A lane without any emotion needs no height for intensity.
  return { role, turns: own, silent, plot: silent ? LOW_PLOT : PLOT, bins: binsFor(role) };
});
let scroller, spacer, stage, playhead, axis;

function binsFor(role) {
  const own = data.envelope.filter((channel) => channel.role === role);
  const channels = own.length ? own : data.envelope.filter((channel) => channel.role === null);
  return channels.map((channel) => Uint8Array.from(atob(channel.bins), (c) => c.charCodeAt(0)));
}

const heightOf = (lane) => TOP + lane.plot + RIBBON + (lane.turns.some((i) => turns[i][COURSE] !== null) ? BAND + 1 : 0);
const toX = (time) => ((time - view.from) / (view.to - view.from)) * view.width;
const toTime = (x) => view.from + (x / view.width) * (view.to - view.from);

function buildTimeline() {
  scroller = make('div', 'scroller');
  scroller.tabIndex = 0;
  scroller.setAttribute('role', 'group');
  scroller.setAttribute('aria-label', 'Timeline of emotion; every turn is in the table below');
  spacer = make('div', 'spacer');
  stage = make('div', 'stage');
  for (const lane of lanes) stage.append(buildLane(lane));
  axis = draw('svg', { class: 'axis', height: 22, 'aria-hidden': 'true' });
  playhead = make('div', 'playhead');
  playhead.hidden = true;
  stage.append(axis, playhead);
  spacer.append(stage);
  scroller.append(spacer);
  $('timeline').append(scroller);
  scroller.addEventListener('scroll', () => requestAnimationFrame(onScroll), { passive: true });
  scroller.addEventListener('wheel', onWheel, { passive: false });
  new ResizeObserver(() => layout()).observe(scroller);
  $('zoom-in').addEventListener('click', () => zoomBy(2));
  $('zoom-out').addEventListener('click', () => zoomBy(0.5));
  $('zoom-fit').addEventListener('click', () => zoomTo(1));
  selection.listeners.push((index) => { reveal(startOf(index)); drawLanes(); });
}

function buildLane(lane) {
  const box = make('div', 'lane');
  const head = make('div', 'lane-head');
  head.append(make('b', '', ROLE_NAMES[lane.role]));
  if (lane.silent && lane.turns.length) head.append(make('span', 'quiet', reasonsOf(turns[lane.turns[0]]).emotion || 'no emotion'));
  lane.svg = draw('svg', { class: 'lane-plot', height: heightOf(lane), role: 'img', 'aria-label': describeLane(lane) });
  lane.svg.addEventListener('click', (event) => onClick(lane, event));
  box.append(head, lane.svg);
  return box;
}

function describeLane(lane) {
  const counts = new Map();
  for (const i of lane.turns) {
    const index = shownEmotion(turns[i][EMOTION]);
    const name = index < 0 ? 'without an emotion' : nameOf(index);
    counts.set(name, (counts.get(name) || 0) + 1);
  }
  const parts = [...counts].sort((a, b) => b[1] - a[1]).map(([name, count]) => `${count} ${name}`);
  return `${ROLE_NAMES[lane.role]}, ${lane.turns.length} turns: ${parts.join(', ')}`;
}

function layout(width) {
  view.width = width || Math.max(240, scroller.clientWidth);
  const most = Math.max(1, Math.min(MAX_PIXELS / view.width, (length * 120) / view.width, 4000));
  view.zoom = Math.min(view.zoom, most);
  spacer.style.width = view.zoom > 1 ? `${Math.round(view.zoom * view.width)}px` : '';
  stage.style.width = view.zoom > 1 ? `${view.width}px` : '';
  onScroll();
}

function onScroll() {
  const share = view.zoom > 1 ? scroller.scrollLeft / (view.zoom * view.width) : 0;
  view.from = data.span[0] + share * length;
  view.to = view.from + length / view.zoom;
  drawLanes();
  drawAxis();
  placePlayhead();
}

function zoomTo(zoom, around = centre()) {
  view.zoom = Math.max(1, zoom);
  layout();
  const left = ((around - data.span[0]) / length) * view.zoom * view.width - view.width / 2;
  scroller.scrollLeft = Math.max(0, left);
  onScroll();
}

function centre() {
  const at = selection.index >= 0 ? startOf(selection.index) : null;
  return at !== null && at >= view.from && at <= view.to ? at : (view.from + view.to) / 2;
}

const zoomBy = (factor) => zoomTo(view.zoom * factor);

function onWheel(event) {
  if (!event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  zoomTo(view.zoom * (event.deltaY < 0 ? 1.25 : 0.8), toTime(event.clientX - stage.getBoundingClientRect().left));
}

function reveal(time) {
  if (time === null || (time >= view.from && time < view.to) || view.zoom <= 1) return;
  scroller.scrollLeft = Math.max(0, ((time - data.span[0]) / length) * view.zoom * view.width - view.width * 0.15);
}

function onClick(lane, event) {
  const rect = lane.svg.getBoundingClientRect();
  const time = toTime(((event.clientX - rect.left) / rect.width) * view.width);
  const slack = (CLICK_REACH / view.width) * (view.to - view.from);
  let best = -1, distance = slack;
  for (const i of lane.turns) {
    const away = Math.max(startOf(i) - time, time - endOf(i), 0);
    if (away < distance || (away === 0 && distance === 0)) { best = i; distance = away; }
  }
  if (best >= 0) select(best, { seek: true, reveal: true });
  else seekTo(time);
}

function drawLanes() {
  for (const lane of lanes) drawLane(lane);
}

function drawLane(lane) {
  const svg = lane.svg;
  svg.setAttribute('viewBox', `0 0 ${view.width} ${heightOf(lane)}`);
  svg.textContent = '';
  drawWave(lane, svg);
  draw('line', { class: 'base', x1: 0, x2: view.width, y1: TOP + lane.plot, y2: TOP + lane.plot }, svg);
  const seen = lane.turns.filter((i) => endOf(i) >= view.from && startOf(i) <= view.to);
  if (seen.length > MAX_BLOCKS) drawBins(lane, seen, svg); else for (const i of seen) drawTurn(lane, i, svg);
  drawShifts(lane, svg);
}

function drawWave(lane, svg) {
  if (!lane.bins.length) return;
  const count = Math.ceil(view.width / 2), up = [], down = [];
  for (let k = 0; k < count; k++) {
    let peak = 0;
    for (const bins of lane.bins) {
      const a = ((toTime(k * 2) - data.span[0]) / length) * bins.length;
      const b = ((toTime(k * 2 + 2) - data.span[0]) / length) * bins.length;
      for (let j = Math.max(0, Math.floor(a)); j < Math.max(a + 0.001, b) && j < bins.length; j++) peak = Math.max(peak, bins[j]);
    }
    const half = (peak / 255) * (lane.plot / 2 - 2), middle = TOP + lane.plot / 2;
    up.push(`${k * 2} ${(middle - half).toFixed(1)}`);
    down.unshift(`${k * 2} ${(middle + half).toFixed(1)}`);
  }
  draw('path', { class: 'wave', d: `M${up.join('L')}L${down.join('L')}Z` }, svg);
}

function drawTurn(lane, i, svg) {
  const turn = turns[i], emotion = turn[EMOTION];
  const x = Math.max(-2, toX(startOf(i)));
  const width = Math.max(1.5, Math.min(view.width + 2, toX(endOf(i))) - x - 0.8);
  const group = draw('g', { class: 'turn' + (i === selection.index ? ' current' : '') }, svg);
  if (emotion === null) {
    draw('rect', { class: 'withheld', x, width, y: TOP + lane.plot - 8, height: RIBBON + 8 }, group);
    draw('title', {}, group).textContent = `${timeOf(i)} ${speakerOf(turn)}: ${reasonsOf(turn).emotion || 'no emotion'}`;
  } else {
    const windows = turn[WINDOWS].filter((w) => w[0] !== null && w[1] !== null);
    if (windows.length > 1) for (const w of windows) drawBlock(lane, group, w[0], w[1], w[2], w[3]);
    else drawBlock(lane, group, startOf(i), endOf(i), emotion, turn[INTENSITY] ? turn[INTENSITY][0] : null);
    if (turn[COURSE] !== null) drawCourse(lane, turn, group);
    draw('title', {}, group).textContent = `${timeOf(i)} ${speakerOf(turn)}: ${nameOf(shownEmotion(emotion))}`;
  }
  if (i === selection.index) draw('rect', { class: 'selected', x, width, y: TOP - 1, height: lane.plot + RIBBON + 1 }, svg);
}

function drawBlock(lane, group, start, end, emotion, intensity) {
  const shown = shownEmotion(emotion);
  const x = Math.max(-2, toX(start));
  const width = Math.max(1.5, Math.min(view.width + 2, toX(end)) - x - 0.8);
  const height = Math.max(3, (intensity === null ? UNKNOWN_HEIGHT : intensity / SCALE) * (lane.plot - 2));
  const bar = { class: `bar f${shown}`, x, width, y: TOP + lane.plot - height, height };
  if (shown !== UNCERTAIN) bar['fill-opacity'] = (0.2 + 0.8 * confidence(emotion)).toFixed(2);
  draw('rect', bar, group);
  if (shown === UNCERTAIN) draw('rect', { class: 'outline', x, width, y: TOP + lane.plot - height, height }, group);
  draw('rect', { class: `ribbon f${shown}`, x, width, y: TOP + lane.plot + 2, height: RIBBON - 4 }, group);
  if (width >= 15) drawLetter(lane, group, shown, x + width / 2);
}

// A thin band on the ribbon's foot: what each moment of a long turn sounds most like.
function drawCourse(lane, turn, group) {
  const rows = turn[COURSE][2];
  courseEdges(turn).forEach(([from, to], k) => {
    const x = Math.max(-2, toX(from)), width = Math.min(view.width + 2, toX(to)) - x;
    if (width > 0) draw('rect', { class: `course-step f${rows[k].indexOf(Math.max(...rows[k]))}`, x, width, y: TOP + lane.plot + RIBBON, height: BAND }, group);
  });
}

function drawLetter(lane, group, shown, x) {
  const holder = draw('g', { class: `e${shown}` }, group);
  draw('rect', { class: 'plate', x: x - 6.5, width: 13, y: TOP + lane.plot + 2, height: RIBBON - 4 }, holder);
  draw('text', { class: 'letter', x, y: TOP + lane.plot + RIBBON - 5 }, holder).textContent = data.letters[shown];
}

// Per bin: what share of its time each emotion fills, stacked to the mean intensity; the ribbon is the largest.
function drawBins(lane, seen, svg) {
  const bins = countBins(seen);
  const floor = TOP + lane.plot;
  bins.forEach((bin, k) => {
    const x = k * BIN, scored = bin.time.reduce((sum, value) => sum + value, 0);
    if (bin.held > scored) draw('rect', { class: 'withheld', x, width: BIN, y: floor - 8, height: RIBBON + 8 }, svg);
    if (!scored || bin.held > scored) return;
    const height = Math.max(3, (bin.strength / scored) * (lane.plot - 2));
    let y = floor;
    bin.time.forEach((value, kind) => {
      const part = (value / scored) * height;
      y -= part;
      if (part > 0.3) draw('rect', { class: `bar f${kind}`, x, width: BIN - 0.5, y, height: part }, svg);
    });
    const kind = bin.time.indexOf(Math.max(...bin.time));
    draw('rect', { class: `ribbon f${kind}`, x, width: BIN, y: floor + 2, height: RIBBON - 4 }, svg);
  });
}

function countBins(seen) {
  const bins = Array.from({ length: Math.ceil(view.width / BIN) }, () => ({ time: new Array(UNCERTAIN + 1).fill(0), held: 0, strength: 0 }));
  for (const i of seen) {
    const turn = turns[i], kind = shownEmotion(turn[EMOTION]);
    const a = Math.max(0, toX(startOf(i))), b = Math.min(view.width, Math.max(toX(endOf(i)), a + 0.05));
    for (let k = Math.floor(a / BIN); k < bins.length && k * BIN < b; k++) {
      const share = Math.min(b, (k + 1) * BIN) - Math.max(a, k * BIN);
      if (kind < 0) { bins[k].held += share; continue; }
      bins[k].time[kind] += share;
      bins[k].strength += share * (turn[INTENSITY] ? turn[INTENSITY][0] / SCALE : UNKNOWN_HEIGHT);
    }
  }
  return bins;
}

function drawShifts(lane, svg) {
  const seen = [];
  for (const change of data.changes) {
    if (turns[change[0]][ROLE] !== lane.role) continue;
    const at = change[1] === null ? startOf(change[0]) : change[1];
    if (at !== null && at >= view.from && at <= view.to) seen.push([toX(at), change]);
  }
  if (seen.length > view.width / SHIFT_SPACE) drawShiftCounts(seen, svg); else for (const [x, change] of seen) drawShift(lane, x, change, svg);
}

function drawShift(lane, x, [, , direction, before, after], svg) {
  const group = draw('g', { class: 'shift' }, svg);
  draw('line', { x1: x, x2: x, y1: TOP - 3, y2: TOP + lane.plot }, group);
  draw('text', { x: Math.min(Math.max(x, 6), view.width - 6), y: TOP - 5 }, group).textContent = ARROWS[direction];
  const way = direction < 0 ? 'no direction' : data.directions[direction];
  draw('title', {}, group).textContent = `${nameOf(before)} → ${nameOf(after)} (${way})`;
}

// Too many to tell apart: one mark per stretch, pointing where most of its shifts went.
function drawShiftCounts(seen, svg) {
  const stretches = new Map();
  for (const [x, change] of seen) {
    const slot = Math.floor(x / SHIFT_SPACE), counts = stretches.get(slot) || [0, 0, 0];
    counts[change[2] < 0 ? 2 : change[2]] += 1;
    stretches.set(slot, counts);
  }
  for (const [slot, [worse, better, other]] of stretches) {
    const group = draw('g', { class: 'shift' }, svg);
    const arrow = worse > better ? ARROWS[0] : better > worse ? ARROWS[1] : ARROWS[2];
    draw('text', { x: (slot + 0.5) * SHIFT_SPACE, y: TOP - 5 }, group).textContent = arrow;
    draw('title', {}, group).textContent = `${worse} for the worse, ${better} for the better, ${other} other`;
  }
}

function drawAxis() {
  axis.textContent = '';
  axis.setAttribute('viewBox', `0 0 ${view.width} 22`);
  const steps = data.ordinal ? [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 20000, 50000] : [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
  const wanted = ((view.to - view.from) * 78) / view.width;
  const step = steps.find((s) => s >= wanted) || steps[steps.length - 1];
  for (let t = Math.ceil(view.from / step) * step; t <= view.to; t += step) {
    const x = toX(t);
    draw('line', { x1: x, x2: x, y1: 0, y2: 5 }, axis);
    if (x > view.width - 14 && x < view.width + 1 && t !== view.from) continue;
    const label = draw('text', { x: Math.max(x, 1), y: 18, 'text-anchor': x < 16 ? 'start' : 'middle' }, axis);
    label.textContent = data.ordinal ? `${t + 1}` : clock(t);
  }
}

let headTime = null;
function placePlayhead(time = headTime) {
  headTime = time;
  const x = time === null ? -1 : toX(time);
  playhead.hidden = x < 0 || x > view.width;
  playhead.style.transform = `translateX(${x.toFixed(1)}px)`;
}
