"""Run in a process of its own, without mmser: load a model by its remote code, and print its logits.

    python -I clean_run.py SOURCE REVISION CLIP.npy TEXT

SOURCE is a folder or a Hub id; a REVISION of "-" is none. Downloads go where HF_HOME says.
"""

import importlib.abc
import json
import sys
from types import ModuleType
from typing import Any

SAMPLING_RATE = 16_000
KINDS = ("logits", "audio_logits", "text_logits", "intensity_logits")


class _Without(importlib.abc.MetaPathFinder):
    """Makes a package that is installed one that is not."""

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> None:
        """Refuse mmser; say nothing of others."""
        if name.partition(".")[0] == "mmser":
            raise ModuleNotFoundError(f"No module named {name!r}: the model needs mmser, and must not")


def main(source: str, revision: str, clip: str, text: str) -> None:
    """Print {"logits": [...], …} of one clip with its words."""
    sys.meta_path.insert(0, _Without())
    import numpy as np
    import torch
    import transformers

    torch.set_num_threads(1)
    library: Any = transformers  # its classes are untyped
    options: dict[str, Any] = {"trust_remote_code": True}
    if revision != "-":
        options |= {"revision": revision, "code_revision": revision}
    model = library.AutoModel.from_pretrained(source, dtype=torch.float32, **options).eval()
    processor = library.AutoProcessor.from_pretrained(source, **options)
    waveform = np.load(clip, allow_pickle=False)
    with torch.inference_mode():
        out = model(**processor(audio=waveform, text=text, sampling_rate=SAMPLING_RATE))
    print(json.dumps({kind: out[kind][0].reshape(-1).tolist() for kind in KINDS}))


if __name__ == "__main__":
    main(*sys.argv[1:])
