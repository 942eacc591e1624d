"""Golden data for the Llama forward pass, made by PyTorch and transformers.

    python make_golden.py            # rewrites everything beside this file
    python make_golden.py NAME ..    # rewrites these models only

Needs `torch`, `transformers` and `safetensors` (the versions used are in versions.json); no network, no accelerator.
The committed outputs are the reference, this script says how they came about: another version of torch may draw
other random weights from the same seeds.

For each of the tiny random models in MODELS, a folder NAME/ with

model/                 the model directory as `save_pretrained` of transformers writes it
config_v4.json         the same config in the older dialect of transformers 4 (`rope_theta` at the top level,
                       `torch_dtype`), checked here to give the same logits
logits.safetensors     `seq{i}.input_ids` [len] i64 and `seq{i}.logits` [len, vocab] f32, one pair per sequence, and
                       `batch.input_ids` [rows, longest] i64, `batch.attention_mask` [rows, longest] i64,
                       `batch.logits` [rows, longest, vocab] f32: the same sequences but the first, right-padded into
                       one batch. At padding the logits mean nothing and are stored as 0: compare where the mask is 1.
cases.json             token ids, greedy generations, log-likelihoods and the rounding error of the reference (key by key: `cases` in `make`)

All arithmetic is float32 with eager attention; weights stored as bf16 or f16 are cast to float32 before running.
A number below is only kept if the greedy choice behind it is not a near tie (`MARGIN`), so that another float32
implementation must make the same choices.
"""

import json
import platform
import shutil
import sys
from pathlib import Path

import safetensors
import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

HERE = Path(__file__).resolve().parent
VOCAB, PAD, BOS, EOS = 67, 0, 1, 2
LENGTHS = (1, 6, 11, 17)
PROMPT_LENGTHS = (1, 4, 9)
NEW_TOKENS = 12
# Smallest distance, in logits, between the best and the second best token wherever a greedy choice is recorded.
MARGIN = 1e-3

COMMON = dict(
    vocab_size=VOCAB, hidden_size=32, num_hidden_layers=2, max_position_embeddings=64,
    pad_token_id=PAD, bos_token_id=BOS, eos_token_id=EOS,
)
LLAMA = dict(model_type="llama", attention_bias=False, mlp_bias=False)
# name -> (seed, stored dtype, largest shard, config fields)
MODELS = {
    # Two query heads per key/value head; the output head is the embedding.
    "gqa-tied": (11, torch.float32, "5GB", dict(
        **LLAMA,
        intermediate_size=40, num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True,
        rope_parameters=dict(rope_type="default", rope_theta=1e4), rms_norm_eps=1e-5)),
    # As many key/value heads as query heads; heads wider than hidden_size / num_attention_heads = 8.
    "mha-head-dim": (12, torch.float32, "5GB", dict(
        **LLAMA,
        intermediate_size=40, num_attention_heads=4, num_key_value_heads=4, head_dim=12, tie_word_embeddings=False,
        rope_parameters=dict(rope_type="default", rope_theta=1e5), rms_norm_eps=1e-6)),
    # Four query heads per key/value head; bf16 in several shards with an index.
    "gqa-bf16-sharded": (13, torch.bfloat16, "16KB", dict(
        **LLAMA,
        intermediate_size=48, num_attention_heads=8, num_key_value_heads=2, tie_word_embeddings=False,
        rope_parameters=dict(rope_type="default", rope_theta=1e4), rms_norm_eps=1e-5)),
    # Biases on queries, keys and values; a window that the upper layer does not look beyond; f16.
    "qwen2-bias": (14, torch.float32, "5GB", dict(
        model_type="qwen2", intermediate_size=40, num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True,
        rope_parameters=dict(rope_type="default", rope_theta=1e6), rms_norm_eps=1e-6)),
    "qwen2-window-f16": (15, torch.float16, "5GB", dict(
        model_type="qwen2", intermediate_size=40, num_attention_heads=4, num_key_value_heads=2,
        tie_word_embeddings=False, use_sliding_window=True, sliding_window=5, max_window_layers=1,
        rope_parameters=dict(rope_type="default", rope_theta=1e4), rms_norm_eps=1e-6)),
}


def random_model(seed, fields):
    """A model whose logits are well spread and whose norm weights are not 1, so that a missing one is seen."""
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**COMMON, **fields)).float().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            # Small embeddings where they are not also the head: the epsilon of the first norm then matters.
            std = 0.05 if "embed" in name and not model.config.tie_word_embeddings else 0.4
            parameter.copy_(1 + 0.25 * noise if "norm" in name else std * noise)
    return model


def load(directory):
    return AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()


def plain_llama(model, ids, theta=None, eps=None, interleaved=False, tiled=False, bias=True, window=0):
    """The same forward pass written out in float64, [len, vocab]: how far float32 rounds, and with the wrong `theta`
    or `eps`, rotary pairs (2i, 2i+1) instead of (i, i + head_dim/2), query head h on key/value head h mod n_kv
    instead of h div group, without the biases or with another window, how far such a mistake moves the logits."""
    config, w = model.config, {k: v.detach().double() for k, v in model.state_dict().items()}
    theta = theta or config.rope_parameters["rope_theta"]
    eps = eps or config.rms_norm_eps
    n, heads, n_kv = len(ids), config.num_attention_heads, config.num_key_value_heads
    hd = getattr(config, "head_dim", None) or config.hidden_size // heads
    window = window or getattr(config, "sliding_window", None)
    layer_types = getattr(config, "layer_types", ["full_attention"] * config.num_hidden_layers)

    def norm(x, name):
        return x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * w[name]

    angle = torch.arange(n).double()[:, None] * theta ** (-torch.arange(0, hd, 2).double() / hd)
    cos, sin = angle.cos(), angle.sin()

    def rope(x):  # [heads, n, head_dim]
        a, b = (x[..., 0::2], x[..., 1::2]) if interleaved else x.chunk(2, -1)
        a, b = a * cos - b * sin, b * cos + a * sin
        return torch.stack([a, b], -1).flatten(-2) if interleaved else torch.cat([a, b], -1)

    group = heads // n_kv
    share = (lambda x: x.repeat(group, 1, 1)) if tiled else (lambda x: x.repeat_interleave(group, 0))
    full = torch.full((n, n), -torch.inf, dtype=torch.float64).triu(1)
    narrow = full + torch.full_like(full, -torch.inf).tril(-window) if window else None
    x = w["model.embed_tokens.weight"][ids]
    for i in range(config.num_hidden_layers):
        p = f"model.layers.{i}."
        h = norm(x, p + "input_layernorm.weight")
        mask = narrow if layer_types[i] == "sliding_attention" else full
        shift = lambda c: w[p + f"self_attn.{c}_proj.bias"] if bias and p + f"self_attn.{c}_proj.bias" in w else 0
        q, k, v = ((h @ w[f"{p}self_attn.{c}_proj.weight"].T + shift(c)).view(n, -1, hd).transpose(0, 1) for c in "qkv")
        scores = rope(q) @ share(rope(k)).transpose(1, 2) / hd**0.5 + mask
        mixed = (scores.softmax(-1) @ share(v)).transpose(0, 1).reshape(n, -1)
        x = x + mixed @ w[p + "self_attn.o_proj.weight"].T
        h = norm(x, p + "post_attention_layernorm.weight")
        gate, up = (h @ w[f"{p}mlp.{c}_proj.weight"].T for c in ("gate", "up"))
        x = x + (gate * gate.sigmoid() * up) @ w[p + "mlp.down_proj.weight"].T
    return norm(x, "model.norm.weight") @ w["lm_head.weight"].T


def logits_of(model, ids):
    """[len, vocab] for one sequence, without a cache."""
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]


def margin(row):
    best = row.topk(2).values
    return (best[0] - best[1]).item()


def greedy(model, prompt):
    """The greedy continuation by recomputing the whole sequence at each step, and its narrowest margin."""
    ids, margins = list(prompt), []
    for _ in range(NEW_TOKENS):
        last = logits_of(model, ids)[-1]
        margins.append(margin(last))
        ids.append(int(last.argmax()))
    # transformers' own loop, with its key/value cache, must agree.
    with torch.no_grad():
        cached = model.generate(
            torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long), do_sample=False,
            max_new_tokens=NEW_TOKENS, eos_token_id=None, pad_token_id=PAD)[0].tolist()
    assert cached == ids, (cached, ids)
    return ids[len(prompt):], min(margins)


def loglikelihood(model, context, continuation):
    """Sum of ln p in float64 from float32 logits; greedy if every continuation token is the argmax of its position."""
    logits = logits_of(model, context + continuation)[len(context) - 1:-1]
    log_p = torch.log_softmax(logits.double(), dim=-1)
    target = torch.tensor(continuation)
    assert min(margin(row) for row in logits) > MARGIN
    return dict(
        context=context, continuation=continuation,
        sum=log_p.gather(1, target[:, None]).sum().item(),
        is_greedy=bool((logits.argmax(-1) == target).all()))


def generation(model, prompt):
    """A prompt's greedy tokens, and the same cut at a stop token (which is not part of the answer)."""
    tokens, narrowest = greedy(model, prompt)
    assert narrowest > MARGIN, f"near tie {narrowest}: change the seed"
    stop = tokens[7]
    return dict(prompt=prompt, tokens=tokens, min_margin=narrowest,
                stop=[stop], tokens_until_stop=tokens[:tokens.index(stop)])


def make(name, seed, dtype, shard, fields):
    out = HERE / name
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    random_model(seed, fields).to(dtype).save_pretrained(out / "model", max_shard_size=shard)
    model = load(out / "model")

    generator = torch.Generator().manual_seed(1000 + seed)
    draw = lambda n: torch.randint(EOS + 1, VOCAB, (n,), generator=generator).tolist()
    sequences = [[BOS] + draw(n - 1) for n in LENGTHS]

    tensors, rounding, largest = {}, 0.0, 0.0
    for i, ids in enumerate(sequences):
        logits = logits_of(model, ids)
        rounding = max(rounding, (logits.double() - plain_llama(model, ids)).abs().max().item())
        largest = max(largest, logits.abs().max().item())
        tensors[f"seq{i}.input_ids"] = torch.tensor(ids)
        tensors[f"seq{i}.logits"] = logits.contiguous()

    rows = sequences[1:]
    # Shortest, longest, middle: padding then differs from row to row and is not sorted.
    rows = [rows[0], rows[2], rows[1]]
    width = max(map(len, rows))
    ids = torch.tensor([r + [PAD] * (width - len(r)) for r in rows])
    mask = torch.tensor([[1] * len(r) + [0] * (width - len(r)) for r in rows])
    with torch.no_grad():
        batch = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    for row, got in zip(rows, batch):
        assert (got[:len(row)] - logits_of(model, row)).abs().max() < 1e-4
    tensors |= {"batch.input_ids": ids, "batch.attention_mask": mask, "batch.logits": batch * mask[..., None]}
    save_file(tensors, out / "logits.safetensors")

    prompts = [[BOS] + draw(n - 1) for n in PROMPT_LENGTHS]
    generations = [generation(model, p) for p in prompts]
    context, answer = prompts[1], generations[1]["tokens"]
    other = lambda token: EOS + 1 + (token - EOS) % (VOCAB - EOS - 1)
    pairs = [
        (context, answer[:5]),  # greedy
        (context, answer[:4] + [other(answer[4])]),  # greedy but for the last token
        (context, [other(answer[0])] + answer[1:5]),  # greedy but for the first token
        (context, answer[:1]),
        ([BOS], draw(7)),
        (prompts[2], draw(3)),
    ] + [(prompts[2], [t]) for t in draw(4)]  # one-token choices after one context
    likelihoods = [loglikelihood(model, c, t) for c, t in pairs]
    assert [p["is_greedy"] for p in likelihoods[:4]] == [True, False, False, True]

    longest = sequences[-1]
    mistakes = dict(
        theta=dict(theta=10 * model.config.rope_parameters["rope_theta"]), eps=dict(eps=10 * model.config.rms_norm_eps),
        interleaved_rope=dict(interleaved=True))
    if 1 < model.config.num_key_value_heads < model.config.num_attention_heads:
        mistakes |= dict(tiled_heads=dict(tiled=True))
    if model.config.model_type == "qwen2":
        mistakes |= dict(no_bias=dict(bias=False))
    if getattr(model.config, "sliding_window", None):
        mistakes |= dict(window=dict(window=model.config.sliding_window + 1))
    right = plain_llama(model, longest)
    mistakes = {k: (plain_llama(model, longest, **v) - right).abs().max().item() for k, v in mistakes.items()}
    assert min(mistakes.values()) > 20 * rounding, (mistakes, rounding)

    cases = dict(
        seed=seed, stored_dtype=str(dtype).removeprefix("torch."),
        sequences=sequences, batch=rows, generations=generations, loglikelihoods=likelihoods,
        # Largest |logit| over `sequences`, and how far these float32 logits lie from `plain_llama` in float64: no
        # float32 implementation can be expected closer than a small multiple of this.
        max_abs_logit=largest, rounding_error=rounding,
        # How far the logits of the longest sequence move under typical mistakes (theta, epsilon ten times too large):
        # a tolerance must lie well below the smallest.
        mistakes=mistakes)
    (out / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")

    v5 = json.loads((out / "model" / "config.json").read_text())
    v4 = {k: v for k, v in v5.items() if k not in ("rope_parameters", "dtype", "transformers_version")}
    v4 |= dict(rope_theta=v5["rope_parameters"]["rope_theta"], rope_scaling=None, torch_dtype=v5["dtype"],
               transformers_version="4.46.0")
    (out / "config_v4.json").write_text(json.dumps(v4, indent=2, sort_keys=True) + "\n")
    v4_config = AutoConfig.for_model(**json.loads((out / "config_v4.json").read_text()))
    old = AutoModelForCausalLM.from_config(v4_config, attn_implementation="eager").float().eval()
    old.load_state_dict(model.state_dict())
    assert torch.equal(logits_of(old, sequences[-1]), logits_of(model, sequences[-1]))

    print(f"{name}: max |logit| {largest:.2f}, rounding {rounding:.1e}, narrowest margin "
          f"{min(g['min_margin'] for g in generations):.3f}, distinct tokens "
          f"{[len(set(g['tokens'])) for g in generations]}, mistakes { {k: f'{v:.1e}' for k, v in mistakes.items()} }, files {sorted(p.name for p in (out / 'model').iterdir())}")


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    versions_path = HERE / "versions.json"
    versions = json.loads(versions_path.read_text())
    for name in sys.argv[1:] or MODELS:
        make(name, *MODELS[name])
        versions[name] = dict(python=platform.python_version(), torch=torch.__version__,
                              transformers=transformers.__version__, safetensors=safetensors.__version__)
    versions_path.write_text(json.dumps(versions, indent=1) + "\n")


if __name__ == "__main__":
    main()
