"""Where each utterance stands in its dialogue, and what a live call carries to its next batch."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class DialogueState:
    """All that later utterances need of earlier ones; bounded by dialogues × (context + speakers).

    `memory_*` has a row per remembered utterance (the last `context_size` of each dialogue),
    `speaker_*` a row per (dialogue, speaker), `dialogue_*` a row per dialogue.
    """

    memory_embedding: Tensor  # (rows, size)
    memory_key: Tensor  # dialogue, speaker, role, rank: (rows, 4)
    speaker_key: Tensor  # dialogue, speaker: (speakers, 2)
    speaker_count: Tensor  # utterances with audio, (speakers,)
    speaker_total: Tensor  # sum of their vectors, (speakers, vector)
    speaker_squares: Tensor  # (speakers, vector)
    speaker_seen: Tensor  # has an embedding, probabilities and a rank, (speakers,)
    speaker_rank: Tensor  # of the last utterance, how many of the dialogue came before it, (speakers,)
    speaker_embedding: Tensor  # of the last utterance, (speakers, size)
    speaker_probabilities: Tensor  # (speakers, classes)
    dialogue_key: Tensor  # (dialogues,)
    dialogue_length: Tensor  # utterances so far, (dialogues,)

    @classmethod
    def empty(cls, size: int, vector: int, classes: int, device: torch.device) -> "DialogueState":
        """Return the state before the first utterance."""

        def floats(*shape: int) -> Tensor:
            return torch.zeros(*shape, device=device)

        def integers(*shape: int) -> Tensor:
            return torch.zeros(*shape, dtype=torch.long, device=device)

        return cls(
            memory_embedding=floats(0, size),
            memory_key=integers(0, 4),
            speaker_key=integers(0, 2),
            speaker_count=floats(0),
            speaker_total=floats(0, vector),
            speaker_squares=floats(0, vector),
            speaker_seen=integers(0).bool(),
            speaker_rank=integers(0),
            speaker_embedding=floats(0, size),
            speaker_probabilities=floats(0, classes),
            dialogue_key=integers(0),
            dialogue_length=integers(0),
        )

    def without(self, dialogue_ids: Tensor) -> "DialogueState":
        """Return the state without dialogues that have ended, `dialogue_ids` (any number,).

        The rows of the others are as they were.
        """
        memory, speaker, dialogue = (
            ~torch.isin(keys, dialogue_ids)
            for keys in (self.memory_key[:, 0], self.speaker_key[:, 0], self.dialogue_key)
        )
        kept = {"memory": memory, "speaker": speaker, "dialogue": dialogue}
        return DialogueState(**{name: v[kept[name.split("_")[0]]] for name, v in vars(self).items()})


@dataclass
class Layout:
    """Who comes before whom, for rows in any order."""

    same_speaker: Tensor  # row j is an earlier utterance of the speaker of row i, (batch, batch)
    rank: Tensor  # how many utterances of the dialogue came before, (batch,)
    speaker_row: Tensor  # row in the state's speaker table, -1 = new speaker, (batch,)


def lay_out(
    dialogue_ids: Tensor, speaker_ids: Tensor, positions: Tensor, references: Tensor, state: DialogueState
) -> Layout:
    """Order the rows. References count as a speaker's history, not as utterances of the dialogue.

    All arguments but `state` are (batch,).
    """
    dialogue = dialogue_ids[:, None] == dialogue_ids[None]
    earlier = dialogue & ((positions[None] < positions[:, None]) | (references[None] & ~references[:, None]))
    before = earlier & ~references[None]
    same_speaker = earlier & (speaker_ids[:, None] == speaker_ids[None])
    known = (dialogue_ids[:, None] == state.dialogue_key[None]).long()
    rank = before.sum(1) + (known * state.dialogue_length[None]).sum(1)
    keys = torch.stack([dialogue_ids, speaker_ids], 1)
    match = (keys[:, None] == state.speaker_key[None]).all(-1)
    found = match.any(1) if match.shape[1] else torch.zeros_like(references)
    row = torch.full_like(rank, -1)
    if match.shape[1]:
        row = torch.where(found, match.long().argmax(1), row)
    return Layout(same_speaker, rank, row)


def from_table(table: Tensor, row: Tensor) -> Tensor:
    """Look up rows of a state table; -1 gives zeros."""
    if len(table) == 0:
        return table.new_zeros(len(row), *table.shape[1:])
    found = table[row.clamp(min=0)]
    return torch.where((row >= 0).view(-1, *[1] * (table.dim() - 1)), found, torch.zeros_like(found))


def advance(
    state: DialogueState,
    layout: Layout,
    *,
    keys: Tensor,
    references: Tensor,
    has_audio: Tensor,
    vectors: Tensor,
    embedding: Tensor,
    probabilities: Tensor,
    context_size: int,
) -> DialogueState:
    """Return the state after a batch.

    Args:
        state: the state before it.
        layout: where its rows stand.
        keys: dialogue, speaker and role of each row, (batch, 3).
        references: (batch,).
        has_audio: (batch,).
        vectors: utterance vectors of the speaker baseline, (batch, vector).
        embedding: (batch, size).
        probabilities: (batch, classes).
        context_size: how many utterances of each dialogue to remember.
    """
    real = ~references
    dialogue_key, dialogue_length = _count_dialogues(state, keys[real, 0])
    memory_key = torch.cat([state.memory_key, torch.cat([keys, layout.rank[:, None]], 1)[real]])
    memory = torch.cat([state.memory_embedding, embedding[real].detach()])
    # Each memory row's dialogue has one entry in the table, so this sum is that dialogue's length.
    length = ((memory_key[:, :1] == dialogue_key[None]).long() * dialogue_length[None]).sum(1)
    kept = memory_key[:, 3] >= length - context_size
    # Kept in order of rank, so that equal histories give equal states whatever the batching.
    order = torch.argsort(memory_key[kept, 3], stable=True)
    table = torch.unique(torch.cat([state.speaker_key, keys[:, :2]]), dim=0)
    old = _match(table, state.speaker_key)
    new = _match(table, keys[:, :2])
    audio = (new & has_audio[None]).to(vectors.dtype)
    carried = old.to(vectors.dtype)
    last, spoke = _last_of_each(new & real[None], layout.rank)
    seen_before = (old & state.speaker_seen[None]).any(1)
    choose = spoke[:, None]
    return DialogueState(
        memory_embedding=memory[kept][order],
        memory_key=memory_key[kept][order],
        speaker_key=table,
        speaker_count=carried @ state.speaker_count + audio.sum(1),
        speaker_total=carried @ state.speaker_total + audio @ vectors.detach(),
        speaker_squares=carried @ state.speaker_squares + audio @ vectors.detach().square(),
        speaker_seen=spoke | seen_before,
        speaker_rank=torch.where(spoke, layout.rank[last], (old.long() * state.speaker_rank[None]).sum(1)),
        speaker_embedding=torch.where(choose, embedding.detach()[last], carried @ state.speaker_embedding),
        speaker_probabilities=torch.where(
            choose, probabilities.detach()[last], carried @ state.speaker_probabilities
        ),
        dialogue_key=dialogue_key,
        dialogue_length=dialogue_length,
    )


def _count_dialogues(state: DialogueState, dialogue_ids: Tensor) -> tuple[Tensor, Tensor]:
    keys = torch.unique(torch.cat([state.dialogue_key, dialogue_ids]))
    carried = (keys[:, None] == state.dialogue_key[None]).long() * state.dialogue_length[None]
    return keys, carried.sum(1) + (keys[:, None] == dialogue_ids[None]).sum(1)


def _match(table: Tensor, keys: Tensor) -> Tensor:
    """Return True where a row of `table` equals a row of `keys`, (table, keys)."""
    return (table[:, None] == keys[None]).all(-1)


def _last_of_each(belongs: Tensor, rank: Tensor) -> tuple[Tensor, Tensor]:
    """Return the column of highest rank of each row and whether there is one."""
    score = torch.where(belongs, rank[None] + 1, 0)
    return score.argmax(1), belongs.any(1)
