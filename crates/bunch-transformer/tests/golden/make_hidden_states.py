"""Golden hidden states of the models that make_golden.py made, by PyTorch and transformers.

    python make_hidden_states.py     # rewrites NAME/hidden_states.safetensors of the models in MODELS

Needs `torch`, `transformers` and `safetensors` (the versions used are in the file's metadata).

hidden_states.safetensors  `state{l}` [tokens, hidden] f32: the residual stream after the embedding (l = 0) and after each
                           layer (l = 1 ..), of all `sequences` in cases.json, one after the other, each run on its own.
                           Entries but the last are transformers' `output_hidden_states`; the last comes from a hook on
                           the last layer, since transformers applies the final norm to what it returns there.

float32, eager attention. Prints how far the states are from the same model in float64.
"""

import json
from pathlib import Path

import safetensors
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

HERE = Path(__file__).resolve().parent
MODELS = ("gqa-tied", "qwen2-window-f16")


def states_of(model, ids):
    last = []
    hook = model.model.layers[-1].register_forward_hook(
        lambda _m, _i, out: last.append(out[0] if isinstance(out, tuple) else out))
    with torch.no_grad():
        out = model(input_ids=torch.tensor([ids]), use_cache=False, output_hidden_states=True)
        hook.remove()
        # What transformers returns last is the final norm of what the hook saw.
        assert torch.allclose(model.model.norm(last[0]), out.hidden_states[-1])
    return [s[0] for s in (*out.hidden_states[:-1], last[0])], out.logits[0]


def main():
    torch.set_num_threads(1)
    for name in MODELS:
        # Every version of transformers understands the older dialect of the configuration.
        config = AutoConfig.for_model(**json.loads((HERE / name / "config_v4.json").read_text()))
        model = AutoModelForCausalLM.from_pretrained(
            HERE / name / "model", config=config, dtype=torch.float32, attn_implementation="eager").eval()
        logits = load_file(HERE / name / "logits.safetensors")
        sequences = json.loads((HERE / name / "cases.json").read_text())["sequences"]
        states = []
        for index, ids in enumerate(sequences):
            states.append(states_of(model, ids))
            assert (states[-1][1] - logits[f"seq{index}.logits"]).abs().max() < 1e-4
        together = [torch.cat(layer).contiguous() for layer in zip(*(layers for layers, _ in states))]
        model = model.double()
        exact = [torch.cat(layer) for layer in zip(*(states_of(model, ids)[0] for ids in sequences))]
        rounding = max((a.double() - b).abs().max().item() for a, b in zip(together, exact))
        largest = max(a.abs().max().item() for a in together)
        versions = dict(torch=torch.__version__, transformers=transformers.__version__, safetensors=safetensors.__version__)
        save_file({f"state{l}": s for l, s in enumerate(together)}, HERE / name / "hidden_states.safetensors", versions)
        print(f"{name}: rounding {rounding:.1e}, largest {largest:.1f}")


if __name__ == "__main__":
    main()
