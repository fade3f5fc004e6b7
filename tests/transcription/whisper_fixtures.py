"""Tiny Whisper checkpoints that say what a script tells them, whatever they hear.

The real ones cannot be fetched where tests run, and random weights say nothing and take minutes over it.
Here all blocks of the decoder are silenced; each position's embedding points at the token that comes next.
"""

from pathlib import Path

import torch
from tokenizers import AddedToken, pre_tokenizers
from torch import Tensor
from transformers import (
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)
from transformers.models.whisper.tokenization_whisper import LANGUAGES
from whisper.model import ModelDimensions, Whisper
from whisper.tokenizer import get_tokenizer

SIZE = 64  # of the hidden state: one direction for each token of a script
PROMPT = 3  # tokens before the first that is predicted: start, language, task
DIMENSIONS = ModelDimensions(
    n_mels=80, n_audio_ctx=1500, n_audio_state=SIZE, n_audio_head=2, n_audio_layer=1,
    n_vocab=51865, n_text_ctx=448, n_text_state=SIZE, n_text_head=2, n_text_layer=1,
)  # fmt: skip


def script(*phrases: tuple[float, str, float]) -> list[int]:
    """Return the tokens of phrases with their start and end in seconds, to the end of the text."""
    tokenizer = get_tokenizer(True, num_languages=99, language="en", task="transcribe")
    tokens: list[int] = []
    for start, text, end in phrases:
        begin, stop = (tokenizer.timestamp_begin + round(time / 0.02) for time in (start, end))
        tokens += [begin, *tokenizer.encode(f" {text}"), stop]
    return [*tokens, tokenizer.eot]


def directions(tokens: list[int], vocabulary: int = 51865) -> tuple[Tensor, Tensor]:
    """Return embeddings of the vocabulary and of the positions, (…, SIZE) each, that say these tokens."""
    places = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    assert len(places) <= SIZE
    embedding, positions = torch.zeros(vocabulary, SIZE), torch.zeros(448, SIZE)
    for token, place in places.items():
        embedding[token, place] = 1.0
    for number in range(448 - PROMPT + 1):
        token = tokens[min(number, len(tokens) - 1)]
        positions[PROMPT - 1 + number, places[token]] = 50.0
    return embedding, positions


def write_openai(path: Path, *phrases: tuple[float, str, float]) -> Path:
    """Write a multilingual checkpoint as openai-whisper publishes them, about 14 MB."""
    torch.manual_seed(0)
    model = Whisper(DIMENSIONS)
    decoder = model.decoder
    embedding, positions = directions(script(*phrases))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.05)
        for block in decoder.blocks:
            for last in (block.attn.out, block.cross_attn.out, block.mlp[2]):
                last.weight.zero_()
                last.bias.zero_()
        decoder.token_embedding.weight.copy_(embedding)
        decoder.positional_embedding.copy_(positions)
        decoder.ln.weight.fill_(3.0)
        decoder.ln.bias.zero_()
    torch.save({"dims": vars(DIMENSIONS), "model_state_dict": model.state_dict()}, path)
    return path


def write_hugging_face(folder: Path, *phrases: tuple[float, str, float]) -> Path:
    """Write a checkpoint as transformers saves them, with one token for each byte, that says a script."""
    special = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in LANGUAGES)]
    special += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>"]
    special += ["<|notimestamps|>", *(f"<|{i * 0.02:.2f}|>" for i in range(1501))]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    ids = {token: number for number, token in enumerate([*letters, *special])}
    tokenizer = WhisperTokenizer(vocab={token: ids[token] for token in letters}, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": special[:-1501]})
    tokenizer.add_tokens([AddedToken(token, special=False) for token in special[-1501:]])
    tokens: list[int] = []
    for start, text, end in phrases:
        spoken = tokenizer(f" {text}", add_special_tokens=False)["input_ids"]
        tokens += [ids[f"<|{start:.2f}|>"], *spoken, ids[f"<|{end:.2f}|>"]]
    embedding, positions = directions([*tokens, ids["<|endoftext|>"]], len(ids))
    sizes = {
        f"{part}_{name}": 1 if name == "layers" else 2
        for part in ("encoder", "decoder")
        for name in ("layers", "attention_heads")
    }
    config = WhisperConfig(
        vocab_size=len(ids), d_model=SIZE, encoder_ffn_dim=64, decoder_ffn_dim=64, **sizes,
        decoder_start_token_id=ids["<|startoftranscript|>"], eos_token_id=ids["<|endoftext|>"],
        bos_token_id=ids["<|endoftext|>"], pad_token_id=ids["<|endoftext|>"], suppress_tokens=None,
        begin_suppress_tokens=None,
    )  # fmt: skip
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(config)
    decoder = model.model.decoder
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.05)
        for layer in decoder.layers:
            for last in (layer.self_attn.out_proj, layer.encoder_attn.out_proj, layer.fc2):
                last.weight.zero_()
                last.bias.zero_()
        decoder.embed_tokens.weight.copy_(embedding)
        decoder.embed_positions.weight.copy_(positions)
        decoder.layer_norm.weight.fill_(3.0)
        decoder.layer_norm.bias.zero_()
    options = model.generation_config
    options._from_model_config = False  # or it would be made anew from the sizes above
    options.is_multilingual = True
    options.lang_to_id = {f"<|{code}|>": ids[f"<|{code}|>"] for code in LANGUAGES}
    options.task_to_id = {"transcribe": ids["<|transcribe|>"], "translate": ids["<|translate|>"]}
    options.no_timestamps_token_id = ids["<|notimestamps|>"]
    options.prev_sot_token_id = ids["<|startofprev|>"]
    options.alignment_heads = [[0, 0]]
    options.max_length = 448
    model.save_pretrained(folder)
    WhisperProcessor(WhisperFeatureExtractor(), tokenizer).save_pretrained(folder)
    return folder
