#!/usr/bin/env python3
"""One figure of llama.cpp on the prompts of `softcot bench rows`, as a line of JSON.

usage: llama_cpp_peer.py decode --gguf FILE --rows FILE [--batch 1] [--new-tokens 64] [--threads 2]
       llama_cpp_peer.py convert --source FILE.gguf --gguf FILE

Greedy decoding of `batch` prompts at once. What all prompts begin with is read before the clock
starts, as softcot does it; the rest of the prompts is read in one batch. Placeholders are read as the
tokens they are. convert writes the weights of a GGUF file, quantised or not, as bfloat16.
"""
import argparse
import ctypes
import json
import os
import resource
import time

import llama_cpp
import numpy as np
from llama_cpp._logger import set_verbose


class Batch:
    """Tokens of several sequences for one llama_decode."""

    def __init__(self, capacity):
        self.raw = llama_cpp.llama_batch_init(capacity, 0, 1)
        self.clear()

    def clear(self):
        self.raw.n_tokens = 0

    def add(self, token, position, sequence, wants_logits):
        i = self.raw.n_tokens
        self.raw.token[i], self.raw.pos[i] = token, position
        self.raw.n_seq_id[i], self.raw.seq_id[i][0] = 1, sequence
        self.raw.logits[i] = wants_logits
        self.raw.n_tokens = i + 1
        return i


class Decoder:
    def __init__(self, options, prompts):
        self.prompts, self.shared = prompts, options.shared
        longest = max(map(len, prompts)) + options.new_tokens
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = len(prompts) * longest
        parameters.n_seq_max = len(prompts)
        parameters.n_batch = max(2048, sum(map(len, prompts)))
        parameters.n_threads = parameters.n_threads_batch = options.threads
        model = llama_cpp.llama_model_default_params()
        self.model = llama_cpp.llama_model_load_from_file(os.fsencode(options.gguf), model)
        self.context = llama_cpp.llama_init_from_model(self.model, parameters)
        if not self.context:
            raise SystemExit("llama.cpp made no context")
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        self.batch = Batch(parameters.n_batch)

    def run(self):
        if llama_cpp.llama_decode(self.context, self.batch.raw) != 0:
            raise SystemExit("llama_decode failed")

    def best(self, index):
        logits = llama_cpp.llama_get_logits_ith(self.context, index)
        return int(np.ctypeslib.as_array(logits, (self.vocabulary,)).argmax())

    def read_shared(self):
        memory = llama_cpp.llama_get_memory(self.context)
        llama_cpp.llama_memory_clear(memory, True)
        if self.shared == 0:
            return
        self.batch.clear()
        for position, token in enumerate(self.prompts[0][:self.shared]):
            self.batch.add(token, position, 0, False)
        self.run()
        for sequence in range(1, len(self.prompts)):
            llama_cpp.llama_memory_seq_cp(memory, 0, sequence, -1, -1)
        llama_cpp.llama_synchronize(self.context)

    def answer(self, tokens):
        """The new ids of each prompt, and the seconds at which each step was done."""
        self.batch.clear()
        last = []
        for sequence, prompt in enumerate(self.prompts):
            for position in range(self.shared, len(prompt)):
                index = self.batch.add(prompt[position], position, sequence,
                                       position + 1 == len(prompt))
            last.append(index)
        self.run()
        answers, times = [[] for _ in self.prompts], []
        for step in range(tokens):
            for answer, index in zip(answers, last):
                answer.append(self.best(index))
            times.append(time.perf_counter())
            if step + 1 == tokens:
                break
            self.batch.clear()
            last = [self.batch.add(answer[-1], len(prompt) + step, sequence, True)
                    for sequence, (prompt, answer) in enumerate(zip(self.prompts, answers))]
            self.run()
        return answers, times


def decode(options):
    with open(options.rows) as file:
        rows = [json.loads(line) for line in file]
    options.shared = rows[0]["shared_prefix"]
    prompts = [rows[i % len(rows)] for i in range(options.batch)]
    prompts = [row["ids"][:row["target_begin"]] for row in prompts]
    decoder = Decoder(options, prompts)
    decoder.read_shared()
    decoder.answer(2)
    decoder.read_shared()
    start = time.perf_counter()
    answers, times = decoder.answer(options.new_tokens)
    tokens = options.batch * options.new_tokens
    return {"tokens_per_second": tokens / (times[-1] - start),
            "tokens_per_second_after_first": (tokens - options.batch) / (times[-1] - times[0]),
            "prompt_tokens": sum(len(p) - decoder.shared for p in prompts),
            "threads": options.threads,
            "peak_memory_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            "first_ids": answers[0][:8]}


def convert(options):
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_BF16
    parameters.allow_requantize = True
    part = f"{options.gguf}.part-{os.getpid()}"
    if llama_cpp.llama_model_quantize(os.fsencode(options.source), os.fsencode(part),
                                      ctypes.byref(parameters)) != 0:
        raise SystemExit(f"llama.cpp could not write {part}")
    os.rename(part, options.gguf)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["decode", "convert"])
    parser.add_argument("--gguf", required=True)
    parser.add_argument("--source")
    parser.add_argument("--rows")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    set_verbose(False)
    if options.part == "convert":
        convert(options)
    else:
        print(json.dumps(decode(options)))


if __name__ == "__main__":
    main()
