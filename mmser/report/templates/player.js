// The sound follows the selection and the selection follows the sound. Without sound, selecting still works.
const audio = $('audio');
const STEP = 5;

const soundTime = () => audio.currentTime + data.offset;

function seekTo(time) {
  placePlayhead(time);
  if (!audio) return;
  audio.currentTime = Math.max(0, time - data.offset);
  showTime();
}

function showTime() {
  const time = soundTime();
  $('now').textContent = clock(time);
  if (document.activeElement !== $('seek') || !audio.paused) $('seek').value = audio.currentTime;
  $('seek').setAttribute('aria-valuetext', clock(time));
  placePlayhead(time);
}

function followSound() {
  showTime();
  const index = turnAt(soundTime());
  if (index >= 0 && index !== selection.index) select(index);
  if (!audio.paused) requestAnimationFrame(followSound);
}

function togglePlay() {
  if (!audio) return;
  if (audio.paused) audio.play().catch(() => noteSound('The sound could not be played.')); else audio.pause();
}

function noteSound(text) {
  $('total').textContent = text;
}

function buildPlayer() {
  selection.listeners.push((index, how) => {
    if (how.seek && !data.ordinal && startOf(index) !== null) seekTo(startOf(index));
  });
  if (!audio) return;
  audio.controls = false;
  $('player').hidden = false;
  document.body.classList.add('with-player');
  const showState = () => {
    $('play').setAttribute('aria-label', audio.paused ? 'Play' : 'Pause');
    $('play').classList.toggle('playing', !audio.paused);
    // A screen reader must not talk over the call.
    $('readout').setAttribute('aria-live', audio.paused ? 'polite' : 'off');
  };
  audio.addEventListener('play', () => { showState(); requestAnimationFrame(followSound); });
  audio.addEventListener('pause', showState);
  audio.addEventListener('seeked', followSound);
  audio.addEventListener('loadedmetadata', () => {
    $('seek').max = audio.duration;
    $('total').textContent = clock(audio.duration + data.offset);
  });
  audio.addEventListener('error', () => noteSound('The recording is not beside this page.'));
  $('play').addEventListener('click', togglePlay);
  $('previous').addEventListener('click', () => stepTurn(-1));
  $('next').addEventListener('click', () => stepTurn(1));
  $('seek').addEventListener('input', () => seekTo(Number($('seek').value) + data.offset));
  $('rate').addEventListener('change', () => { audio.playbackRate = Number($('rate').value); });
}

// The next turn that the filters let through.
function stepTurn(step) {
  const list = shownTurns();
  if (!list.length) return;
  let at = list.indexOf(selection.index);
  if (at < 0) at = step > 0 ? list.findIndex((i) => i > selection.index) - 1 : list.length;
  const index = list[Math.min(Math.max(at + step, 0), list.length - 1)];
  select(index, { seek: true, reveal: true });
}
