// Start: build the parts, then listen to the keyboard.
buildTimeline();
buildPlayer();
buildTable();
layout();
$('readout').append(make('p', 'fine', 'Choose a turn in the timeline or the table, or press j.'));

$('download').addEventListener('click', downloadFeedback);
const byId = new Map();
document.addEventListener('click', (event) => {
  const target = event.target.closest('[data-index], button[data-turn]');
  if (!target) return;
  if (!byId.size) turns.forEach((turn, i) => byId.set(turn[ID], i));
  const index = target.dataset.index !== undefined ? Number(target.dataset.index) : byId.get(target.dataset.turn);
  if (index !== undefined) select(index, { seek: true, reveal: true });
});

const KEYS = {
  ' ': togglePlay,
  ArrowLeft: () => audio && seekTo(soundTime() - STEP),
  ArrowRight: () => audio && seekTo(soundTime() + STEP),
  j: () => stepTurn(1),
  k: () => stepTurn(-1),
  e: () => { if (selection.index < 0) return; scrollToTurn(selection.index); toggle(selection.index); },
  '/': () => $('search').focus(),
  '+': () => zoomBy(2),
  '=': () => zoomBy(2),
  '-': () => zoomBy(0.5),
  0: () => zoomTo(1),
};

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const target = event.target;
  if (target.matches('input[type=search], input[type=text], textarea, select')) {
    if (event.key === 'Escape') target.blur();
    return;
  }
  // A focused control keeps its own keys: space presses it, arrows move it.
  if (event.key === ' ' && target.matches('button, a, summary, input')) return;
  if (event.key.startsWith('Arrow') && target.matches('input')) return;
  if (!audio && (event.key === ' ' || event.key.startsWith('Arrow'))) return;
  const action = KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

let screenZoom = 1;
window.addEventListener('beforeprint', () => { screenZoom = view.zoom; view.zoom = 1; layout(700); preparePrint(); });
window.addEventListener('afterprint', () => { endPrint(); layout(); zoomTo(screenZoom); });
