"""Tiny Whisper checkpoints that say what a script tells them, whatever they hear.

The real ones cannot be fetched where tests run, and random weights say nothing and take minutes over it.
Here all blocks of the decoder are silenced; each position's embedding points at the token that comes next.
Where its heads look, and so when words are said, follows the script as well.
"""

import shutil
from functools import cache
from pathlib import Path

import torch
from tokenizers import AddedToken
from torch import Tensor
from transformers import (
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)
from transformers.convert_slow_tokenizer import bytes_to_unicode
from whisper.model import ModelDimensions, Whisper
from whisper.tokenizer import Tokenizer, get_tokenizer

SIZE = 64  # of the hidden state: one direction for each token of a script, and one for the language
PROMPT = 3  # tokens before the first that is predicted: start, language, task
DIMENSIONS = ModelDimensions(
    n_mels=80, n_audio_ctx=1500, n_audio_state=SIZE, n_audio_head=2, n_audio_layer=1,
    n_vocab=51865, n_text_ctx=448, n_text_state=SIZE, n_text_head=2, n_text_layer=1,
)  # fmt: skip


@cache
def tokens_of_whisper(multilingual: bool) -> Tokenizer:
    """Return Whisper's own tokens, which the package openai-whisper brings along."""
    if not multilingual:
        return get_tokenizer(False)
    return get_tokenizer(True, num_languages=99, language="en", task="transcribe")


def script(*phrases: tuple[float, str, float], multilingual: bool = True, times: bool = True) -> list[int]:
    """Return the tokens of phrases with their start and end in seconds, to the end of the text."""
    tokenizer = tokens_of_whisper(multilingual)
    tokens: list[int] = []
    for start, text, end in phrases:
        begin, stop = (tokenizer.timestamp_begin + round(time / 0.02) for time in (start, end))
        spoken = tokenizer.encode(f" {text}")
        tokens += [begin, *spoken, stop] if times else spoken
    return [*tokens, tokenizer.eot]


def directions(tokens: list[int], vocabulary: int = 51865, prompt: int = PROMPT) -> tuple[Tensor, Tensor]:
    """Return embeddings of the vocabulary and of the positions, (…, SIZE) each, that say these tokens.

    Behind the first token a multilingual checkpoint says English.
    """
    english = tokens_of_whisper(True).sot + 1
    places = {token: i for i, token in enumerate(dict.fromkeys([*tokens, english]))}
    assert len(places) <= SIZE
    embedding, positions = torch.zeros(vocabulary, SIZE), torch.zeros(448, SIZE)
    for token, place in places.items():
        embedding[token, place] = 1.0
    positions[0, places[english]] = 50.0
    for number in range(448 - prompt + 1):
        token = tokens[min(number, len(tokens) - 1)]
        positions[prompt - 1 + number] = 0.0
        positions[prompt - 1 + number, places[token]] = 50.0
    return embedding, positions


def looks(tokens: list[int], first_time: int) -> tuple[Tensor, Tensor]:
    """Return the weights of queries and keys, (SIZE, SIZE) each, by which the decoder looks where tokens are.

    The tokens of a phrase are spread evenly over it; both heads look alike.
    """
    places = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    frames: dict[int, float] = {}
    starts = [i for i, token in enumerate(tokens) if token >= first_time][::2]
    for start in starts:
        stop = next(i for i in range(start + 1, len(tokens)) if tokens[i] >= first_time)
        begin, length = tokens[start] - first_time, tokens[stop] - tokens[start]
        for i in range(start, stop + 1):
            frames.setdefault(tokens[i], begin + length * max(0, i - start - 1) / (stop - start - 1))
    # Whisper tells its encoder the time by sines, then cosines, from fast to slow: the fast ones are enough.
    rates = 10_000.0 ** (-torch.arange(SIZE // 4) / (SIZE // 2 - 1))
    query, key = torch.zeros(SIZE, SIZE), torch.zeros(SIZE, SIZE)
    for head in (0, SIZE // 2):
        for i in range(SIZE // 4):
            key[head + i, i] = key[head + SIZE // 4 + i, SIZE // 2 + i] = 1.0
        for token, frame in frames.items():
            query[head : head + SIZE // 4, places[token]] = torch.sin(rates * frame)
            query[head + SIZE // 4 : head + SIZE // 2, places[token]] = torch.cos(rates * frame)
    # In int8 a row's largest weight is 127, and two such products overflow where a processor adds them in
    # 16 bits, as those before AVX-512 VNNI do: a larger one where no token points keeps the rest small.
    assert len(places) < SIZE - 1
    query[:, SIZE - 1] = 2.0
    return query, key


def write_openai(path: Path, *phrases: tuple[float, str, float]) -> Path:
    """Write a multilingual checkpoint as openai-whisper publishes them, about 14 MB."""
    torch.manual_seed(0)
    model = Whisper(DIMENSIONS)
    decoder = model.decoder
    tokens = script(*phrases)
    embedding, positions = directions(tokens)
    query, key = looks(tokens, tokens_of_whisper(True).timestamp_begin)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.05)
        for block in decoder.blocks:
            for last in (block.attn.out, block.cross_attn.out, block.mlp[2]):
                last.weight.zero_()
                last.bias.zero_()
            block.cross_attn.query.weight.copy_(query)
            block.cross_attn.key.weight.copy_(key)
            block.cross_attn_ln.weight.fill_(1.0)
        model.encoder.ln_post.weight.fill_(1.0)
        decoder.token_embedding.weight.copy_(embedding)
        decoder.positional_embedding.copy_(positions)
        decoder.ln.weight.fill_(3.0)
        decoder.ln.bias.zero_()
    torch.save({"dims": vars(DIMENSIONS), "model_state_dict": model.state_dict()}, path)
    return path


def write_hugging_face(
    folder: Path,
    *phrases: tuple[float, str, float],
    multilingual: bool = True,
    times: bool = True,
    alignment: bool = True,
) -> Path:
    """Write a checkpoint as transformers saves them, about 14 MB, that says a script.

    Args:
        folder: made if it is not there.
        phrases: start, text and end of each.
        multilingual: or of English alone.
        times: whether it has tokens for times.
        alignment: whether it names the heads that tell the times of words.
    """
    tokenizer = hugging_face_tokenizer(multilingual, times)
    ids = tokenizer.get_vocab()
    prompt = 1 + 2 * multilingual + (not times)  # start, language and task, <|notimestamps|>
    tokens = script(*phrases, multilingual=multilingual, times=times)
    embedding, positions = directions(tokens, len(tokenizer), prompt)
    query, key = looks(tokens, ids["<|notimestamps|>"] + 1)
    sizes = {
        f"{part}_{name}": 1 if name == "layers" else 2
        for part in ("encoder", "decoder")
        for name in ("layers", "attention_heads")
    }
    config = WhisperConfig(
        vocab_size=len(tokenizer), d_model=SIZE, encoder_ffn_dim=64, decoder_ffn_dim=64, **sizes,
        decoder_start_token_id=ids["<|startoftranscript|>"], eos_token_id=ids["<|endoftext|>"],
        bos_token_id=ids["<|endoftext|>"], pad_token_id=ids["<|endoftext|>"], suppress_tokens=None,
        begin_suppress_tokens=None,
    )  # fmt: skip
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(config)
    encoder, decoder = model.model.encoder, model.model.decoder
    sines = encoder.embed_positions.weight.detach().clone()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.05)
        encoder.embed_positions.weight.copy_(sines)
        encoder.layer_norm.weight.fill_(1.0)
        for layer in decoder.layers:
            for last in (layer.self_attn.out_proj, layer.encoder_attn.out_proj, layer.fc2):
                last.weight.zero_()
                last.bias.zero_()
            layer.encoder_attn.q_proj.weight.copy_(query)
            layer.encoder_attn.k_proj.weight.copy_(key)
            layer.encoder_attn_layer_norm.weight.fill_(1.0)
        decoder.embed_tokens.weight.copy_(embedding)
        decoder.embed_positions.weight.copy_(positions)
        decoder.layer_norm.weight.fill_(3.0)
        decoder.layer_norm.bias.zero_()
    options = model.generation_config
    options._from_model_config = False  # or it would be made anew from the sizes above
    options.is_multilingual = multilingual
    if multilingual:
        codes = tokens_of_whisper(True).all_language_codes
        options.lang_to_id = {f"<|{code}|>": ids[f"<|{code}|>"] for code in codes}
        options.task_to_id = {"transcribe": ids["<|transcribe|>"], "translate": ids["<|translate|>"]}
    options.no_timestamps_token_id = ids["<|notimestamps|>"]
    options.prev_sot_token_id = ids["<|startofprev|>"]
    if alignment:
        options.alignment_heads = [[0, 0]]
    options.max_length = 448
    model.save_pretrained(folder)
    WhisperProcessor(WhisperFeatureExtractor(), tokenizer).save_pretrained(folder)
    return folder


def hugging_face_tokenizer(multilingual: bool = True, times: bool = True) -> WhisperTokenizer:
    """Return Whisper's tokens as transformers holds them; it can only read, since it knows no merges."""
    encoding, letters = tokens_of_whisper(multilingual).encoding, bytes_to_unicode()
    texts = {
        "".join(letters[byte] for byte in piece): number
        for piece, number in encoding._mergeable_ranks.items()
    }
    tokenizer = WhisperTokenizer(vocab=texts, merges=[])
    others = [token for token, _ in sorted(encoding._special_tokens.items(), key=lambda item: item[1])]
    tokenizer.add_special_tokens({"additional_special_tokens": others[:-1501]})
    if times:
        tokenizer.add_tokens([AddedToken(token, special=False) for token in others[-1501:]])
    return tokenizer


def write_ctranslate2(
    folder: Path, *phrases: tuple[float, str, float], multilingual: bool = True, quantization: str = "int8"
) -> Path:
    """Write a checkpoint as faster-whisper reads them, about 5 MB, that says a script."""
    from ctranslate2.converters import TransformersConverter

    source = folder.with_name(f"{folder.name}-source")
    write_hugging_face(source, *phrases, multilingual=multilingual)
    TransformersConverter(str(source)).convert(str(folder), quantization=quantization)
    shutil.copy(source / "tokenizer.json", folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    shutil.rmtree(source)
    return folder
