#!/usr/bin/env python3
"""One figure of Hugging Face Transformers on the rows of `softcot bench rows`, as a line of JSON.

usage: transformers_peer.py train|precompute|decode --model DIR --assistant DIR --rows FILE
                            [--count 0] [--dtype bfloat16] [--batch 4] [--new-tokens 64]
                            [--threads 0] [--device cpu]

The plain way to do it. A training step runs the assistant, projects its states, puts them into the
embeddings of right-padded rows, takes all logits, goes backward through all positions, clips and
steps AdamW. Precompute is the assistant's pass of such a step. Decoding is greedy `generate`, which
reads the prompts too. The first batch warms up, as in `softcot bench`.
"""
import argparse
import json
import os
import resource
import time

os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
from transformers import AutoModelForCausalLM


def process_seconds():
    """Since this process was started."""
    with open("/proc/self/stat") as stat:
        ticks = int(stat.read().rsplit(")", 1)[1].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def load(folder, options):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=options.dtype)
    return model.to(options.device).eval().requires_grad_(False)


def wait(options):
    """Until the device has done what it was given."""
    if options.device == "cuda":
        torch.cuda.synchronize()


def padded(rows, device):
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return ids.to(device), mask.to(device)


class Trainer:
    def __init__(self, options):
        self.device = options.device
        self.backbone = load(options.model, options)
        self.assistant = load(options.assistant, options)
        self.projection = torch.nn.Linear(self.assistant.config.hidden_size,
                                          self.backbone.config.hidden_size, dtype=options.dtype,
                                          device=options.device)
        self.optimizer = torch.optim.AdamW(self.projection.parameters(), lr=2e-5, weight_decay=0.0)

    def step(self, rows):
        x, x_mask = padded([row["assistant"]["ids"] for row in rows], self.device)
        b, b_mask = padded([row["ids"] for row in rows], self.device)
        labels = torch.full_like(b, -100)
        for i, row in enumerate(rows):
            labels[i, row["target_begin"]:len(row["ids"])] = torch.tensor(
                row["ids"][row["target_begin"]:], device=self.device)
        states = self.assistant(input_ids=x, attention_mask=x_mask,
                                output_hidden_states=True).hidden_states[-1]
        projected = self.projection(states)
        embeddings = self.backbone.get_input_embeddings()(b)
        for i, row in enumerate(rows):
            count, begin = row["thoughts"], row["assistant"]["thought_begin"]
            embeddings[i, row["thought_begin"]:row["thought_begin"] + count] = \
                projected[i, begin:begin + count]
        loss = self.backbone(inputs_embeds=embeddings, attention_mask=b_mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.projection.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()


def timed(options, rows, work):
    """rows_per_second of `work` on each batch but the first."""
    batches = [rows[i:i + options.batch] for i in range(0, len(rows) - options.batch + 1,
                                                        options.batch)]
    out = {"start_seconds": process_seconds()}
    work(batches[0])
    wait(options)
    start = time.perf_counter()
    for batch in batches[1:]:
        work(batch)
    wait(options)
    seconds = time.perf_counter() - start
    return {**out, "rows_per_second": options.batch * (len(batches) - 1) / seconds}


def train(options, rows):
    trainer = Trainer(options)
    return timed(options, rows, trainer.step)


@torch.no_grad()
def precompute(options, rows):
    assistant = load(options.assistant, options)

    def work(batch):
        ids, mask = padded([row["assistant"]["ids"] for row in batch], options.device)
        assistant(input_ids=ids, attention_mask=mask, output_hidden_states=True)

    return timed(options, rows, work)


def decode(options, rows):
    backbone = load(options.model, options)
    # Padded on the left, where generate wants it.
    prompts = [rows[i % len(rows)] for i in range(options.batch)]
    prompts = [row["ids"][:row["target_begin"]] for row in prompts]
    longest = max(map(len, prompts))
    ids = torch.tensor([[0] * (longest - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
    ids, mask, times = ids.to(options.device), mask.to(options.device), []

    def note(ids, scores, **_):
        wait(options)
        times.append(time.perf_counter())
        return torch.zeros(len(ids), dtype=torch.bool, device=options.device)

    def generate(tokens):
        times.clear()
        start = time.perf_counter()
        backbone.generate(input_ids=ids, attention_mask=mask, max_new_tokens=tokens,
                          min_new_tokens=tokens, do_sample=False, stopping_criteria=[note])
        return time.perf_counter() - start

    out = {"start_seconds": process_seconds()}
    generate(2)
    seconds = generate(options.new_tokens)
    tokens = options.batch * options.new_tokens
    return {**out, "tokens_per_second": tokens / seconds,
            "tokens_per_second_after_first": (tokens - options.batch) / (times[-1] - times[0]),
            "prompt_tokens": sum(map(len, prompts))}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["train", "precompute", "decode"])
    parser.add_argument("--model", required=True)
    parser.add_argument("--assistant", required=True)
    parser.add_argument("--rows", required=True)
    parser.add_argument("--count", type=int, default=0, help="of the rows, the first so many")
    parser.add_argument("--dtype", default="bfloat16", choices=["float32", "bfloat16"])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    options = parser.parse_args()
    options.dtype = getattr(torch, options.dtype)
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    with open(options.rows) as file:
        rows = [json.loads(line) for line in file][:options.count or None]
    part = {"train": train, "precompute": precompute, "decode": decode}[options.part]
    out = part(options, rows)
    out["threads"] = torch.get_num_threads()
    if options.device == "cuda":
        out["peak_device_bytes"] = torch.cuda.max_memory_reserved()
    out["peak_memory_bytes"] = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps(out))


if __name__ == "__main__":
    main()
