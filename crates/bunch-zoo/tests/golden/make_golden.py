"""What transformers makes of a model directory of the small world: token ids, chat prompts, logits.

    cargo run --release -p bunch-zoo --example initial_model -- DIR
    python make_golden.py DIR          (needs torch and transformers)

writes golden.json and logits.f32 (little-endian, case after case, position after position) beside this file. The model is untrained, so that the golden depends on the
initial weights alone and not on the recipe.
"""

import json
import pathlib
import sys

import torch
import transformers

folder = pathlib.Path(__file__).parent
torch.set_num_threads(1)
tokenizer = transformers.AutoTokenizer.from_pretrained(sys.argv[1])
model = transformers.AutoModelForCausalLM.from_pretrained(sys.argv[1], attn_implementation="eager").float().eval()

words = [w for w, i in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1]) if not w.startswith("<")]
cases, logits = [], []
for index, length in enumerate([3, 8, 14]):
    text = " ".join(words[(7 + 31 * index + 53 * n) % len(words)] for n in range(length))
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
    )
    ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        logits.append(model(torch.tensor([ids])).logits[0])
    cases.append({"text": text, "prompt": prompt, "ids": ids})
versions = {"torch": torch.__version__, "transformers": transformers.__version__}
(folder / "golden.json").write_text(json.dumps({"versions": versions, "cases": cases}, indent=1) + "\n")
(folder / "logits.f32").write_bytes(torch.cat(logits).numpy().astype("<f4").tobytes())
print(versions, [tuple(t.shape) for t in logits], max(float(t.abs().max()) for t in logits))
