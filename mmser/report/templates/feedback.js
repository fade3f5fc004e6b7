// A reviewer's corrections: kept in memory, downloaded as one JSON line each.
const corrections = new Map();

function feedbackLine(index, correction) {
  const turn = turns[index], emotion = turn[EMOTION];
  const probabilities = {};
  data.labels.forEach((label, k) => { probabilities[label] = emotion[2 + k] / SCALE; });
  return {
    schema: 'mmser.feedback/1',
    call_id: data.call,
    recording_sha256: data.sha256,
    model_id: data.model.id,
    model_revision: data.model.revision,
    turn_id: turn[ID],
    start: turn[START],
    end: turn[END],
    predicted_label: emotion[1] ? null : data.labels[emotion[0]],
    predicted_top: data.labels[emotion[0]],
    probabilities,
    modalities: ['audio', 'text'].filter((_, bit) => turn[MODALITIES] & (1 << bit)),
    predicted_intensity: turn[INTENSITY] ? data.levels[turn[INTENSITY][1]] : null,
    corrected_label: correction.label,
    corrected_intensity: correction.intensity || null,
    comment: correction.comment || null,
  };
}

function downloadFeedback() {
  const lines = [...corrections].sort((a, b) => a[0] - b[0]).map(([index, c]) => JSON.stringify(feedbackLine(index, c)) + '\n');
  const address = URL.createObjectURL(new Blob(lines, { type: 'application/x-ndjson' }));
  const link = make('a');
  link.href = address;
  link.download = 'feedback.jsonl';
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

function showFeedback() {
  $('feedback').hidden = corrections.size === 0;
  $('feedback-count').textContent = `${corrections.size} correction${corrections.size === 1 ? '' : 's'}`;
}

function option(value, text, selected) {
  const node = make('option', '', text);
  node.value = value;
  node.selected = selected;
  return node;
}

function field(title, control) {
  const label = make('label', 'field');
  label.append(make('span', '', title), control);
  return label;
}

function relabelForm(index, onSaved) {
  const turn = turns[index], emotion = turn[EMOTION], old = corrections.get(index);
  const form = make('form', 'relabel');
  const label = make('select'), level = make('select'), comment = make('input');
  label.name = 'label'; level.name = 'intensity'; comment.name = 'comment';
  const chosen = old ? old.label : data.labels[emotion[0]];
  data.labels.forEach((name) => label.append(option(name, name, name === chosen)));
  level.append(option('', 'not judged', !old || !old.intensity));
  data.levels.forEach((name) => level.append(option(name, name, Boolean(old) && old.intensity === name)));
  comment.type = 'text';
  comment.maxLength = 500;
  comment.value = old ? old.comment : '';
  const save = make('button', 'solid', old ? 'Update' : 'Save correction');
  save.type = 'submit';
  const drop = button('link', '', 'Withdraw', () => { corrections.delete(index); showFeedback(); onSaved(); });
  drop.hidden = !old;
  form.append(field('You hear', label), field('Intensity', level), field('Comment', comment), save, drop);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    corrections.set(index, { label: label.value, intensity: level.value, comment: comment.value });
    save.textContent = 'Update';
    drop.hidden = false;
    showFeedback();
    onSaved();
  });
  return form;
}
