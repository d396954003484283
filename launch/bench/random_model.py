#!/usr/bin/env python3
"""usage: build/venv/bin/python launch/bench/random_model.py CONFIG TOKENIZER FOLDER [--set KEY=VALUE …]

Makes FOLDER a Hugging Face model of the sizes in CONFIG (a config.json) with random bfloat16 weights:
what speed and memory depend on, where the real weights are not at hand. TOKENIZER is a folder, whose
tokenizer files are copied, or a tokenizer.json. --set changes a size (num_hidden_layers=6). As fast as
the disk: 16 GB for Llama 3.1 8B.
"""
import argparse
import json
import math
import os
import shutil
import struct

import numpy as np

BLOCK = 1 << 24  # numbers that are drawn; each tensor begins somewhere else in them


def copy_tokenizer(source, folder):
    if os.path.isfile(source):
        shutil.copy(source, os.path.join(folder, "tokenizer.json"))
        return
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        if os.path.exists(os.path.join(source, name)):
            shutil.copy(os.path.join(source, name), folder)


def tensor_shapes(config):
    """Name → shape, in the order of the file. Names of Llama; Qwen2 has biases beside."""
    hidden, width = config["hidden_size"], config["intermediate_size"]
    heads = config["num_attention_heads"]
    head = config.get("head_dim") or hidden // heads
    query, key_value = heads * head, config["num_key_value_heads"] * head
    shapes = {"model.embed_tokens.weight": (config["vocab_size"], hidden),
              "model.norm.weight": (hidden,)}
    if not config.get("tie_word_embeddings"):
        shapes["lm_head.weight"] = (config["vocab_size"], hidden)
    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        for name, shape in (("self_attn.q_proj", (query, hidden)),
                            ("self_attn.k_proj", (key_value, hidden)),
                            ("self_attn.v_proj", (key_value, hidden)),
                            ("self_attn.o_proj", (hidden, query)),
                            ("mlp.gate_proj", (width, hidden)), ("mlp.up_proj", (width, hidden)),
                            ("mlp.down_proj", (hidden, width)),
                            ("input_layernorm", (hidden,)),
                            ("post_attention_layernorm", (hidden,))):
            shapes[layer + name + ".weight"] = shape
            if config["model_type"] == "qwen2" and name[-6:-5] in "qkv" and name.endswith("_proj"):
                shapes[layer + name + ".bias"] = (shape[0],)
    return shapes


def write_weights(path, shapes):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes.items():
        size = 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    random = np.random.default_rng(0)
    bits = (random.standard_normal(BLOCK, dtype=np.float32) * 0.02).view(np.uint32) >> 16
    block = bits.astype("<u2")
    one = np.full(1, 0x3F80, dtype="<u2")
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in shapes.items():
            left = math.prod(shape)
            if "norm" in name:
                file.write(np.repeat(one, left).tobytes())
                continue
            begin = int(random.integers(BLOCK))
            while left > 0:
                piece = block[begin:begin + left]
                file.write(memoryview(piece))
                left, begin = left - len(piece), 0


def write_model(folder, config, tokenizer):
    """The model of `config`, a dictionary, with the tokenizer of that folder or file."""
    os.makedirs(folder, exist_ok=True)
    copy_tokenizer(tokenizer, folder)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file, indent=1)
    write_weights(os.path.join(folder, "model.safetensors"), tensor_shapes(config))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("tokenizer")
    parser.add_argument("folder")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", dest="changes")
    options = parser.parse_args()
    with open(options.config) as file:
        config = json.load(file)
    for change in options.changes:
        key, value = change.split("=", 1)
        config[key] = json.loads(value)
    write_model(options.folder, config, options.tokenizer)


if __name__ == "__main__":
    main()
