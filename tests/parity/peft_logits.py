"""What PEFT computes with an adapter folder: peft_logits.py MODEL ADAPTER CASE OUT reads input_ids [B, S] out of
CASE and writes logits [B, S, V], computed in float64, as float32."""
import sys

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

model, adapter, case, out = sys.argv[1:]
base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
peft = PeftModel.from_pretrained(base, adapter).double().eval()
with torch.no_grad():
    logits = peft(input_ids=load_file(case)["input_ids"]).logits
save_file({"logits": logits.float().contiguous()}, out)
