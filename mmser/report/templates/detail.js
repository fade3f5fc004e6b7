// What a turn shows when it is opened, and the line under the timeline that reads out the current turn.
function intensityBar(turn) {
  const box = make('span', 'meter');
  if (turn[INTENSITY] === null) { box.textContent = '—'; box.title = reasonsOf(turn).intensity || ''; return box; }
  const [value, level] = turn[INTENSITY];
  const svg = draw('svg', { viewBox: '0 0 60 8', 'aria-hidden': 'true' });
  const shown = shownEmotion(turn[EMOTION]);
  draw('rect', { class: 'track', width: 60, height: 8, rx: 1 }, svg);
  draw('rect', { class: `fill e${shown < 0 ? UNCERTAIN : shown}`, width: (60 * value) / SCALE, height: 8, rx: 1 }, svg);
  box.append(svg, make('span', 'quiet', data.levels[level]));
  return box;
}

function shiftMark(turn) {
  if (!isShift(turn)) return null;
  const direction = turn[CHANGE][2];
  const way = direction < 0 ? 'shift' : data.directions[direction];
  const node = make('span', 'shiftmark');
  const arrow = make('b', '', ARROWS[direction]);
  arrow.setAttribute('aria-hidden', 'true');
  node.append(arrow, way);
  return node;
}

function emotionCell(turn) {
  const cell = make('span', 'verdict');
  const shown = shownEmotion(turn[EMOTION]);
  if (shown < 0) {
    const reason = reasonsOf(turn).emotion || 'no emotion';
    const none = make('span', 'none', '— ');
    none.title = reason;
    none.append(make('span', 'quiet', reason.startsWith('withheld') ? 'withheld' : 'none'));
    cell.append(none);
  } else cell.append(chip(shown));
  const shift = shiftMark(turn);
  if (shift) cell.append(shift);
  if (isConflict(turn)) {
    const mark = make('span', 'conflict', '≠');
    mark.title = 'Sound and words disagree';
    mark.append(make('span', 'vh', ' sound and words disagree'));
    cell.append(mark);
  }
  return cell;
}

function probabilityTable(turn) {
  const columns = [['Fused', turn[EMOTION]], ['Sound alone', turn[AUDIO_ONLY]], ['Words alone', turn[TEXT_ONLY]]];
  const reasons = reasonsOf(turn), keys = ['emotion', 'audio_only', 'text_only'];
  const table = make('table', 'probabilities');
  const head = make('tr');
  head.append(make('th', '', ''));
  for (const [title] of columns) { const th = make('th', '', title); th.scope = 'col'; head.append(th); }
  const body = make('tbody');
  data.labels.forEach((label, k) => {
    const row = make('tr'), name = make('th');
    name.scope = 'row';
    name.append(chip(k));
    row.append(name);
    columns.forEach(([, emotion]) => {
      const cell = make('td', emotion && emotion[0] === k ? 'top' : '');
      if (emotion) cell.append(miniBar(k, emotion[2 + k]), make('span', 'num', percent(emotion[2 + k])));
      else cell.textContent = '—';
      row.append(cell);
    });
    body.append(row);
  });
  const thead = make('thead');
  thead.append(head);
  table.append(thead, body);
  const missing = columns.map(([title, emotion], k) => (emotion ? null : `${title}: — ${reasons[keys[k]] || 'not given'}`)).filter(Boolean);
  const box = make('div', 'scores');
  box.append(table);
  for (const line of missing) box.append(make('p', 'fine', line));
  return box;
}

function miniBar(kind, value) {
  const svg = draw('svg', { class: 'mini', viewBox: '0 0 80 10', preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  draw('rect', { class: 'track', width: 80, height: 10 }, svg);
  draw('rect', { class: `fill e${kind}`, width: (80 * value) / SCALE, height: 10 }, svg);
  return svg;
}

function factLines(turn) {
  const reasons = reasonsOf(turn), list = make('dl', 'turn-facts');
  const add = (name, value, reason) => {
    const box = make('div'), dd = make('dd', '', value === null ? '—' : value);
    if (value === null && reason && reason !== reasons.emotion) dd.append(make('small', '', reason));
    box.append(make('dt', '', name), dd);
    list.append(box);
  };
  const [seen, change] = [turn[MODALITIES], turn[CHANGE]];
  add('Turn', turn[ID]);
  add('Time', turn[START] === null ? null : `${clock(turn[START], true)} – ${turn[END] === null ? '?' : clock(turn[END], true)}`, reasons.start);
  add('Used', seen ? ['sound', 'words'].filter((_, k) => seen & (k + 1)).join(' and ') : null, reasons.modalities || reasons.emotion);
  add('Intensity', turn[INTENSITY] ? `${(turn[INTENSITY][0] / SCALE).toFixed(2)} ${data.levels[turn[INTENSITY][1]]}` : null, reasons.intensity);
  add('Shift', change ? `${percent(change[0])}${change[1] ? `, ${change[2] < 0 ? 'no direction' : data.directions[change[2]]}` : ''}` : null, reasons.change);
  if (turn[SURE] !== null) add('Words recognised', `${percent(turn[SURE])} sure`);
  add('Loudness', turn[LOUDNESS] === null ? null : `${turn[LOUDNESS].toFixed(1).replace('-', '−')} dBFS`, reasons.loudness_dbfs);
  add('Words per minute', turn[SPEED] === null ? null : String(turn[SPEED]), reasons.words_per_minute);
  if (flagsOf(turn).length) add('Flags', flagsOf(turn).map((flag) => flag.replaceAll('_', ' ')).join(', '));
  return list;
}

function windowList(turn) {
  const list = make('ol', 'windows');
  for (const [start, end, emotion, strength] of turn[WINDOWS]) {
    const item = make('li');
    item.append(make('span', 'num', start === null ? 'part' : `${clock(start)}–${clock(end)}`), ' ', chip(shownEmotion(emotion)));
    if (strength !== null) item.append(make('span', 'quiet', ` ${(strength / SCALE).toFixed(2)}`));
    list.append(item);
  }
  return list;
}

// The turn from moment to moment by sound alone: probabilities stacked over time, changes as dashed lines.
function courseBand(turn) {
  const [, times, rows, changes] = turn[COURSE], box = make('figure', 'course');
  const start = turn[START], length = turn[END] - start, svg = draw('svg', { viewBox: '0 0 1000 100', preserveAspectRatio: 'none', role: 'img', 'aria-label': courseWords(turn) });
  const at = (time) => (1000 * Math.min(Math.max((time - start) / length, 0), 1)).toFixed(1);
  const edges = courseEdges(turn), floor = new Array(times.length).fill(0);
  data.labels.forEach((label, kind) => rows.forEach((row, k) => {
    if (!row[kind]) return;
    const all = row.reduce((sum, value) => sum + value, 0), height = (100 * row[kind]) / all, [from, to] = edges[k];
    floor[k] += height;
    draw('rect', { class: `fill e${kind}`, x: at(from), width: Math.max(at(to) - at(from) + 0.4, 0.4), y: (100 - floor[k]).toFixed(2), height: height.toFixed(2) }, svg);
  }));
  for (const [time] of changes) draw('line', { x1: at(time), x2: at(time), y1: 0, y2: 100 }, svg);
  box.append(svg);
  const caption = make('figcaption', 'fine');
  caption.append('By sound alone, from moment to moment.');
  for (const [time, before, after] of changes) caption.append(' ', make('span', 'num', clock(time, true)), ' ', chip(before), ' → ', chip(after));
  box.append(caption);
  return box;
}

// Each window stands for the time around its middle, up to halfway to its neighbours.
function courseEdges(turn) {
  const [half, times] = turn[COURSE];
  return times.map((time, k) => [
    k && time - times[k - 1] < 2 * half ? (times[k - 1] + time) / 2 : k ? time - half : turn[START],
    k + 1 === times.length ? turn[END] : times[k + 1] - time < 2 * half ? (time + times[k + 1]) / 2 : time + half,
  ]);
}

function courseWords(turn) {
  const top = turn[COURSE][2].map((row) => row.indexOf(Math.max(...row)));
  const runs = top.filter((kind, k) => k === 0 || kind !== top[k - 1]).map((kind) => data.labels[kind]);
  return `Most probable by sound, in order: ${runs.join(', ')}`;
}

function buildDetail(index, onChange, withForm) {
  const turn = turns[index], box = make('div', 'detail');
  if (turn[TEXT] !== null) box.append(isolated('p', isDoubtful(turn) ? 'words doubtful' : 'words', turn[TEXT]));
  else if (data.hasText) box.append(make('p', 'fine', `Words: — ${reasonsOf(turn).text || 'none known'}`));
  if (isConflict(turn)) {
    const note = make('p', 'disagree');
    note.append('Sound and words disagree: ', chip(turn[AUDIO_ONLY][0]), ' by voice, ', chip(turn[TEXT_ONLY][0]), ' by words.');
    box.append(note);
  }
  const grid = make('div', 'grid');
  if (turn[EMOTION] !== null) grid.append(probabilityTable(turn));
  else grid.append(make('p', 'withheld-note', `No emotion — ${reasonsOf(turn).emotion || 'not given'}`));
  grid.append(factLines(turn));
  box.append(grid);
  if (turn[WINDOWS].length > 1) box.append(make('p', 'label', 'Inside this turn'), windowList(turn));
  if (turn[COURSE] !== null) box.append(make('p', 'label', 'From moment to moment'), courseBand(turn));
  if (withForm && turn[EMOTION] !== null) box.append(relabelForm(index, onChange));
  return box;
}

const isDoubtful = (turn) => turn[SURE] !== null && turn[SURE] < DOUBTFUL * SCALE;

function showReadout(index) {
  const turn = turns[index], box = $('readout');
  const head = make('p', 'readout-head');
  head.append(make('span', 'num', timeOf(index)), ' ', isolated('b', '', speakerOf(turn)), ' ', emotionCell(turn));
  if (turn[INTENSITY] !== null) head.append(intensityBar(turn));
  if (turn[EMOTION] !== null && !turn[EMOTION][1]) head.append(make('span', 'quiet', `${percent(turn[EMOTION][2 + turn[EMOTION][0]])} sure`));
  const rest = turn[TEXT] !== null ? isolated('p', isDoubtful(turn) ? 'words doubtful' : 'words', turn[TEXT]) : make('p', 'fine', data.hasText ? 'no words known' : '');
  box.replaceChildren(head, rest);
  if (turn[EMOTION] === null) box.append(make('p', 'fine', reasonsOf(turn).emotion || 'no emotion'));
}
