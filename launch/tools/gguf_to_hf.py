#!/usr/bin/env python3
"""Turns a GGUF file of the llama architecture into an ordinary Hugging Face folder in bfloat16.

usage: gguf_to_hf.py FILE.gguf FOLDER     (or package:NAME for the one GGUF file a package ships)

Writes config.json, generation_config.json, model.safetensors, tokenizer.json and
tokenizer_config.json. FOLDER appears only when it is complete. Needs numpy and gguf.
"""

import importlib.util
import json
import os
import pathlib
import re
import shutil
import struct
import sys

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize

# GGUF names of what a decoder layer holds, and Hugging Face's.
LAYER_TENSORS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
OTHER_TENSORS = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
CONTROL_TOKEN = 3  # GGUF's token type of a special token

# A GGUF file names its pre-tokenizer only; these are the names' meanings.
PRE_TOKENIZERS = {
    "smollm": [
        {"type": "Digits", "individual_digits": True},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
    ]
}


def find_source(name):
    if not name.startswith("package:"):
        return pathlib.Path(name)
    spec = importlib.util.find_spec(name.removeprefix("package:"))
    if spec is None:
        sys.exit(f"gguf_to_hf: no package {name.removeprefix('package:')} in {sys.prefix}")
    files = sorted(pathlib.Path(spec.submodule_search_locations[0]).glob("*.gguf"))
    if len(files) != 1:
        sys.exit(f"gguf_to_hf: {spec.name} ships {len(files)} GGUF files, expected 1")
    return files[0]


def hf_name(name):
    if name in OTHER_TENSORS:
        return OTHER_TENSORS[name]
    layer = re.fullmatch(r"blk\.(\d+)\.(\w+)\.weight", name)
    if layer is None or layer[2] not in LAYER_TENSORS:
        sys.exit(f"gguf_to_hf: tensor {name} is not of the llama architecture")
    return f"model.layers.{layer[1]}.{LAYER_TENSORS[layer[2]]}.weight"


def half_split_rows(weight, heads):
    """Rows of q or k from GGUF's order, where a rotated pair is adjacent, to Hugging Face's, where
    it is half a head apart."""
    rows, columns = weight.shape
    pairs = weight.reshape(heads, rows // heads // 2, 2, columns)
    return pairs.swapaxes(1, 2).reshape(rows, columns)


def bfloat16_bits(values):
    """float32 to the bits of bfloat16, rounded to nearest even. [...] float32 -> [...] uint16"""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    if not np.isfinite(values).all():
        sys.exit("gguf_to_hf: a weight is not finite")
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def hf_weight(tensor, config):
    weight = dequantize(tensor.data, tensor.tensor_type)
    if tensor.name.endswith("attn_q.weight"):
        weight = half_split_rows(weight, config["num_attention_heads"])
    elif tensor.name.endswith("attn_k.weight"):
        weight = half_split_rows(weight, config["num_key_value_heads"])
    return bfloat16_bits(weight)


def write_weights(path, tensors, config):
    """One safetensors file: u64 header length, JSON header, data; one tensor in memory at a time."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for tensor in tensors:
        shape = [int(n) for n in reversed(tensor.shape)]  # GGUF counts from the fastest
        size = 2 * int(np.prod(shape))
        header[hf_name(tensor.name)] = {
            "dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors:
            file.write(hf_weight(tensor, config).tobytes())
        file.flush()
        os.fsync(file.fileno())


def model_config(field, tensors):
    hidden, heads = field("llama.embedding_length"), field("llama.attention.head_count")
    epsilon = np.float32(field("llama.attention.layer_norm_rms_epsilon"))
    return {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": field("tokenizer.ggml.bos_token_id"),
        "eos_token_id": field("tokenizer.ggml.eos_token_id"),
        "head_dim": hidden // heads,
        "hidden_act": "silu",
        "hidden_size": hidden,
        "initializer_range": 0.02,
        "intermediate_size": field("llama.feed_forward_length"),
        "max_position_embeddings": field("llama.context_length"),
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": heads,
        "num_hidden_layers": field("llama.block_count"),
        "num_key_value_heads": field("llama.attention.head_count_kv"),
        "pad_token_id": field("tokenizer.ggml.padding_token_id"),
        "rms_norm_eps": float(str(epsilon)),  # the decimal it was before it was a float32
        "rope_scaling": None,
        "rope_theta": field("llama.rope.freq_base"),
        "tie_word_embeddings": all(t.name != "output.weight" for t in tensors),
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "vocab_size": field("llama.vocab_size"),
    }


def tokenizer(field):
    tokens, kinds = field("tokenizer.ggml.tokens"), field("tokenizer.ggml.token_type")
    name = field("tokenizer.ggml.pre")
    if field("tokenizer.ggml.model") != "gpt2" or name not in PRE_TOKENIZERS:
        sys.exit(f"gguf_to_hf: no pre-tokenizer known by the name {name}")
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    special = [i for i, kind in enumerate(kinds) if kind == CONTROL_TOKEN]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, "content": tokens[i], **flags, "special": True} for i in special],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": PRE_TOKENIZERS[name]},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True,
                    "use_regex": True},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": field("tokenizer.ggml.merges"),
        },
    }


def tokenizer_config(field):
    tokens = field("tokenizer.ggml.tokens")
    return {
        "add_prefix_space": field("tokenizer.ggml.add_space_prefix"),
        "bos_token": tokens[field("tokenizer.ggml.bos_token_id")],
        "chat_template": field("tokenizer.chat_template"),
        "clean_up_tokenization_spaces": False,
        "eos_token": tokens[field("tokenizer.ggml.eos_token_id")],
        "model_max_length": field("llama.context_length"),
        "pad_token": tokens[field("tokenizer.ggml.padding_token_id")],
        "tokenizer_class": "GPT2Tokenizer",
        "unk_token": tokens[field("tokenizer.ggml.unknown_token_id")],
    }


def write_json(path, content):
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def convert(source, folder):
    reader = GGUFReader(source)

    def field(key):
        if key not in reader.fields:
            sys.exit(f"gguf_to_hf: {source} has no {key}")
        return reader.fields[key].contents()

    if field("general.architecture") != "llama":
        sys.exit(f"gguf_to_hf: architecture {field('general.architecture')}, expected llama")
    config = model_config(field, reader.tensors)
    part = folder.with_name(folder.name + f".part-{os.getpid()}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        write_json(part / "config.json", config)
        ids = {key: config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
        write_json(part / "generation_config.json", ids)
        write_json(part / "tokenizer.json", tokenizer(field))
        write_json(part / "tokenizer_config.json", tokenizer_config(field))
        write_weights(part / "model.safetensors", reader.tensors, config)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    convert(find_source(sys.argv[1]), pathlib.Path(sys.argv[2]))
