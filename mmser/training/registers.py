"""The head of words after the stage "text": heads of written and spoken words, and the register between."""

from collections.abc import Collection, Sequence

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from mmser.data import Example
from mmser.errors import UsageError
from mmser.model import MmserModel, MmserProcessor
from mmser.training.encodings import collate, encode_texts
from mmser.training.text_stage import SHARED, TextConfig, TextTask

TEXTS = 4000  # of each register, from which they are told apart
SURE = 4.0  # log-odds of the one register where the other has no texts
LONE = 1.0  # log-odds by which a text that follows nothing is likelier a comment than its words alone say


def start_words_head(
    model: MmserModel,
    processor: MmserProcessor,
    task: TextTask,
    texts: Sequence[Example],
    config: TextConfig,
    seed: int,
) -> None:
    """Give the model the heads that `config` names, and tell written texts from talk on training texts.

    Args:
        model: changed in place; its text encoder is trained.
        processor: of its texts.
        task: the trained stage.
        texts: all; those of dialogues are talk.
        config: of the stage; the corpora that it names have heads.
        seed: which texts are read.
    """
    for option, head in (("written", model.text_head.written), ("spoken", model.text_head.spoken)):
        corpus = getattr(config, option)
        name = SHARED if corpus == SHARED else task.head_of[corpus]
        head.load_state_dict(task.heads[name].state_dict())
    train = [t for t in texts if t.split == "train" and t.text]
    groups = [[t for t in train if (t.dialogue_id is not None) == spoken] for spoken in (False, True)]
    register = model.text_head.register
    with torch.no_grad():
        if not all(groups):
            register.weight.zero_()
            register.bias.fill_(SURE if groups[True] else -SURE)
            model.text_head.reply.zero_()
            return
        rng = np.random.default_rng(seed)
        chosen = [[g[i] for i in sorted(rng.permutation(len(g))[:TEXTS])] for g in groups]
        vectors = torch.cat([_vectors(model, processor, group) for group in chosen]).numpy()
        spoken = np.repeat([0, 1], [len(group) for group in chosen])
        found = LogisticRegression(max_iter=2000, class_weight="balanced").fit(vectors, spoken)
        register.weight.copy_(torch.from_numpy(found.coef_))
        register.bias.copy_(torch.from_numpy(found.intercept_ - LONE))


def require_heads(config: TextConfig, corpora: Collection[str]) -> None:
    """Refuse heads of corpora that have no training texts.

    Raises:
        UsageError: which option, and what there is.
    """
    for option in ("written", "spoken"):
        corpus = getattr(config, option)
        if corpus != SHARED and corpus not in corpora:
            raise UsageError(
                f"text.{option}: no training texts are of the corpus {corpus!r}; give one of "
                f"{', '.join([*sorted(corpora), SHARED])}"
            )


def _vectors(model: MmserModel, processor: MmserProcessor, texts: Sequence[Example]) -> Tensor:
    model.eval()
    words = encode_texts(model, processor, texts)
    return torch.cat(
        [
            collate(model, [None] * len(part), part).text_vector
            for part in (words[i : i + 256] for i in range(0, len(words), 256))
        ]
    )
