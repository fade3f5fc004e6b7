// One lane per role: intensity as height over the waveform, the emotion as a lettered ribbon below.
// Only what lies in view is drawn, and beyond MAX_BLOCKS turns it is drawn in bins: ten hours cost what ten minutes do.
const MAX_BLOCKS = 700, BIN = 3, PLOT = 74, RIBBON = 18, TOP = 16, LANE = TOP + PLOT + RIBBON, MAX_PIXELS = 8e6;
const CLICK_REACH = 6;

const view = { zoom: 1, from: data.span[0], to: data.span[1], width: 900 };
const length = Math.max(data.span[1] - data.span[0], 1e-6);
const lanes = data.roles.map((role) => ({ role, turns: timed.filter((i) => turns[i][ROLE] === role), bins: binsFor(role) }));
let scroller, spacer, stage, playhead, axis;

function binsFor(role) {
  const own = data.envelope.filter((channel) => channel.role === role);
  const channels = own.length ? own : data.envelope.filter((channel) => channel.role === null);
  return channels.map((channel) => Uint8Array.from(atob(channel.bins), (c) => c.charCodeAt(0)));
}

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
  const mute = lane.turns.find((i) => turns[i][EMOTION] === null);
  if (lane.turns.every((i) => turns[i][EMOTION] === null) && mute !== undefined) {
    head.append(make('span', 'quiet', reasonsOf(turns[mute]).emotion || 'no emotion'));
  }
  lane.svg = draw('svg', { class: 'lane-plot', height: LANE, role: 'img', 'aria-label': describeLane(lane) });
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
  svg.setAttribute('viewBox', `0 0 ${view.width} ${LANE}`);
  svg.textContent = '';
  drawWave(lane, svg);
  draw('line', { class: 'base', x1: 0, x2: view.width, y1: TOP + PLOT, y2: TOP + PLOT }, svg);
  const seen = lane.turns.filter((i) => endOf(i) >= view.from && startOf(i) <= view.to);
  if (seen.length > MAX_BLOCKS) drawBins(seen, svg); else for (const i of seen) drawTurn(i, svg);
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
    const half = (peak / 255) * (PLOT / 2 - 2), middle = TOP + PLOT / 2;
    up.push(`${k * 2} ${(middle - half).toFixed(1)}`);
    down.unshift(`${k * 2} ${(middle + half).toFixed(1)}`);
  }
  draw('path', { class: 'wave', d: `M${up.join('L')}L${down.join('L')}Z` }, svg);
}

function drawTurn(i, svg) {
  const turn = turns[i], emotion = turn[EMOTION];
  const x = Math.max(-2, toX(startOf(i)));
  const width = Math.max(1.5, Math.min(view.width + 2, toX(endOf(i))) - x - 0.8);
  const group = draw('g', { class: 'turn' + (i === selection.index ? ' current' : '') }, svg);
  if (emotion === null) {
    draw('rect', { class: 'withheld', x, width, y: TOP + PLOT - 8, height: RIBBON + 8 }, group);
    draw('title', {}, group).textContent = `${timeOf(i)} ${speakerOf(turn)}: ${reasonsOf(turn).emotion || 'no emotion'}`;
  } else {
    const windows = turn[WINDOWS].filter((w) => w[0] !== null && w[1] !== null);
    if (windows.length > 1) for (const w of windows) drawBlock(group, w[0], w[1], w[2], w[3]);
    else drawBlock(group, startOf(i), endOf(i), emotion, turn[INTENSITY] ? turn[INTENSITY][0] : 0);
    draw('title', {}, group).textContent = `${timeOf(i)} ${speakerOf(turn)}: ${nameOf(shownEmotion(emotion))}`;
  }
  if (i === selection.index) draw('rect', { class: 'selected', x, width, y: TOP - 1, height: PLOT + RIBBON + 1 }, svg);
}

function drawBlock(group, start, end, emotion, intensity) {
  const shown = shownEmotion(emotion);
  const x = Math.max(-2, toX(start));
  const width = Math.max(1.5, Math.min(view.width + 2, toX(end)) - x - 0.8);
  const height = Math.max(3, (intensity / SCALE) * (PLOT - 2));
  const bar = { class: `bar f${shown}`, x, width, y: TOP + PLOT - height, height };
  if (shown !== UNCERTAIN) bar['fill-opacity'] = (0.2 + 0.8 * confidence(emotion)).toFixed(2);
  draw('rect', bar, group);
  if (shown === UNCERTAIN) draw('rect', { class: 'outline', x, width, y: TOP + PLOT - height, height }, group);
  draw('rect', { class: `ribbon f${shown}`, x, width, y: TOP + PLOT + 2, height: RIBBON - 4 }, group);
  if (width >= 15) drawLetter(group, shown, x + width / 2);
}

function drawLetter(group, shown, x) {
  const holder = draw('g', { class: `e${shown}` }, group);
  draw('rect', { class: 'plate', x: x - 6.5, width: 13, y: TOP + PLOT + 2, height: RIBBON - 4 }, holder);
  draw('text', { class: 'letter', x, y: TOP + PLOT + RIBBON - 5 }, holder).textContent = data.letters[shown];
}

// Per bin: the emotion that fills most of it, and its mean intensity and confidence.
function drawBins(seen, svg) {
  const count = Math.ceil(view.width / BIN), kinds = UNCERTAIN + 2;
  const time = new Float64Array(count * kinds), strength = new Float64Array(count), sure = new Float64Array(count);
  for (const i of seen) {
    const emotion = turns[i][EMOTION], kind = emotion === null ? UNCERTAIN + 1 : shownEmotion(emotion);
    const a = Math.max(0, toX(startOf(i))), b = Math.min(view.width, Math.max(toX(endOf(i)), a + 0.05));
    for (let k = Math.floor(a / BIN); k < count && k * BIN < b; k++) {
      const share = Math.max(0.01, Math.min(b, (k + 1) * BIN) - Math.max(a, k * BIN));
      time[k * kinds + kind] += share;
      if (emotion === null) continue;
      strength[k] += share * (turns[i][INTENSITY] ? turns[i][INTENSITY][0] / SCALE : 0);
      sure[k] += share * confidence(emotion);
    }
  }
  for (let k = 0; k < count; k++) {
    let kind = -1, most = 0, scored = 0;
    for (let c = 0; c < kinds; c++) {
      const value = time[k * kinds + c];
      if (c <= UNCERTAIN) scored += value;
      if (value > most) { most = value; kind = c; }
    }
    if (kind < 0) continue;
    if (kind > UNCERTAIN) { draw('rect', { class: 'withheld', x: k * BIN, width: BIN, y: TOP + PLOT - 8, height: RIBBON + 8 }, svg); continue; }
    const height = Math.max(3, (strength[k] / scored) * (PLOT - 2));
    draw('rect', { class: `bar f${kind}`, x: k * BIN, width: BIN, y: TOP + PLOT - height, height, 'fill-opacity': (0.2 + (0.8 * sure[k]) / scored).toFixed(2) }, svg);
    draw('rect', { class: `ribbon f${kind}`, x: k * BIN, width: BIN, y: TOP + PLOT + 2, height: RIBBON - 4 }, svg);
  }
}

function drawShifts(lane, svg) {
  const taken = new Set();
  for (const [index, time, direction, before, after] of data.changes) {
    if (turns[index][ROLE] !== lane.role) continue;
    const at = time === null ? startOf(index) : time;
    if (at === null || at < view.from || at > view.to) continue;
    const x = toX(at), slot = `${direction}:${Math.round(x / 7)}`;
    if (taken.has(slot)) continue;
    taken.add(slot);
    const group = draw('g', { class: 'shift' }, svg);
    draw('line', { x1: x, x2: x, y1: TOP - 3, y2: TOP + PLOT }, group);
    draw('text', { x: Math.min(Math.max(x, 6), view.width - 6), y: TOP - 5 }, group).textContent = ARROWS[direction];
    const way = direction < 0 ? 'no direction' : data.directions[direction];
    draw('title', {}, group).textContent = `${nameOf(before)} → ${nameOf(after)} (${way})`;
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
