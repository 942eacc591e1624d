"""Golden data for supervised fine-tuning, made by PyTorch on transformers' LlamaForCausalLM.

    python make_golden.py            # rewrites everything beside this file

Needs `torch`, `transformers` and `safetensors` (the versions used are in versions.json); no network, no accelerator.
Starts from the model `gqa-tied` in bunch-transformer/tests/golden (run its make_golden.py first); float32, eager attention.

gradients.safetensors       gradient of the loss on batches[0] at the initial weights, by Hugging Face parameter name;
                            the tied embedding appears once, its two uses summed
final_weights.safetensors   weights after the last step, by the same names
training.json               `batches` (rows of `prompt` and `answer` token ids, one batch per step), the optimiser's
                            settings, and per step `learning_rates`, `losses` (before the step), `gradient_norms`
                            (before clipping); also the loss of batches[0] before any step and after the last, each
                            row's loss, the reference's rounding error and what typical mistakes would change

Loss: a row is prompt + answer; rows are right-padded with token 0 and padding is masked out of the attention. Logits
at position t are scored against token t+1 where that token belongs to an answer, and everything else is ignored
(label -100). The loss is the sum of cross-entropies over the batch divided by the number of scored tokens of the batch,
not a mean of row means.

Step s of S, counted from 0: gradients are clipped to a global L2 norm of 1 (times 1 / (norm + 1e-6) where that is
below 1), then AdamW with decoupled weight decay on every parameter, norm weights included, at learning rate
peak * (s + 1) / warmup for s < warmup, else a cosine from peak to 0.05 peak over progress (s - warmup) / (S - warmup).
"""

import copy
import hashlib
import json
import math
import platform
from pathlib import Path

import safetensors
import torch
import transformers
from safetensors.torch import save_file
from transformers import LlamaForCausalLM

HERE = Path(__file__).resolve().parent
MODEL = HERE.parents[2] / "bunch-transformer" / "tests" / "golden" / "gqa-tied" / "model"
VOCAB, PAD, BOS, EOS, IGNORED = 67, 0, 1, 2, -100
SEED, ROWS = 21, 4
STEPS, WARMUP, PEAK, FLOOR = 10, 3, 1e-3, 0.05
BETAS, EPS, WEIGHT_DECAY, MAX_NORM = (0.9, 0.98), 1e-8, 0.01, 1.0


def draw_batches():
    """Rows of very different lengths; an answer ends with EOS. Odd batches repeat a small vocabulary."""
    generator = torch.Generator().manual_seed(SEED)
    number = lambda low, high: int(torch.randint(low, high, (), generator=generator))
    batches = []
    for step in range(STEPS):
        top = VOCAB if step % 2 == 0 else 9
        tokens = lambda n: [number(EOS + 1, top) for _ in range(n)]
        batches.append([dict(prompt=[BOS] + tokens(number(1, 7)), answer=tokens(number(0, 6)) + [EOS])
                        for _ in range(ROWS)])
    return batches


def tensors(batch, answer_only=True):
    """input_ids, attention_mask and labels, each [rows, longest]; labels[t] is the token at t, or -100."""
    rows = [(r["prompt"] + r["answer"], len(r["prompt"])) for r in batch]
    width = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([ids + [PAD] * (width - len(ids)) for ids, _ in rows])
    mask = torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids, _ in rows])
    start = [[IGNORED] * p + ids[p:] if answer_only else ids for ids, p in rows]
    labels = torch.tensor([row + [IGNORED] * (width - len(row)) for row in start])
    return ids, mask, labels


def loss_of(model, batch, shift=1, by_row=False, answer_only=True):
    ids, mask, labels = tensors(batch, answer_only)
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    logits, labels = logits[:, :logits.shape[1] - shift], labels[:, shift:]
    each = torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")
    scored = labels != IGNORED
    return (each.sum(1) / scored.sum(1)).mean() if by_row else each.sum() / scored.sum()


def learning_rate(step, warmup_from_zero=False):
    if step < WARMUP:
        return PEAK * (step + (0 if warmup_from_zero else 1)) / WARMUP
    progress = (step - WARMUP) / (STEPS - WARMUP)
    return PEAK * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * progress)))


def train(model, batches, clip=MAX_NORM, weight_decay=WEIGHT_DECAY, decay_norms=True, betas=BETAS, coupled=False,
          warmup_from_zero=False, **loss_options):
    """The losses, the gradient norms and the final weights; the options past `batches` are for mistakes."""
    parameters = dict(model.named_parameters())
    norms = [p for n, p in parameters.items() if "norm" in n]
    others = [p for n, p in parameters.items() if "norm" not in n]
    groups = [dict(params=others, weight_decay=weight_decay),
              dict(params=norms, weight_decay=weight_decay if decay_norms else 0.0)]
    kind = torch.optim.Adam if coupled else torch.optim.AdamW
    optimizer = kind(groups, lr=PEAK, betas=betas, eps=EPS, foreach=False)
    losses, gradient_norms = [], []
    for step, batch in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, warmup_from_zero)
        optimizer.zero_grad()
        loss = loss_of(model, batch, **loss_options)
        loss.backward()
        gradient_norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), clip, foreach=False).item())
        optimizer.step()
        losses.append(loss.item())
    return losses, gradient_norms, {n: p.detach().clone() for n, p in parameters.items()}


def furthest(a, b):
    return max((a[n].double() - b[n].double()).abs().max().item() for n in a)


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    initial = LlamaForCausalLM.from_pretrained(MODEL, dtype=torch.float32, attn_implementation="eager").eval()
    batches = draw_batches()

    def gradients(model):
        loss = loss_of(model, batches[0])
        loss.backward()
        return loss.item(), {n: p.grad.clone() for n, p in model.named_parameters()}

    first, grads = gradients(copy.deepcopy(initial))
    # transformers' own loss agrees.
    ids, mask, labels = tensors(batches[0])
    with torch.no_grad():
        assert abs(initial(input_ids=ids, attention_mask=mask, labels=labels).loss.item() - first) < 1e-5

    model = copy.deepcopy(initial)
    losses, gradient_norms, final = train(model, batches)
    assert losses[0] == first
    with torch.no_grad():
        after = loss_of(model, batches[0]).item()
        row_losses = [loss_of(initial, [row]).item() for row in batches[0]]

    # The same in float64 (but for what transformers pins to float32: norms, softmax and rotary angles).
    _, exact_grads = gradients(copy.deepcopy(initial).double())
    exact_losses, _, exact_final = train(copy.deepcopy(initial).double(), batches)
    worst = lambda other: max(abs(a - b) for a, b in zip(losses, other))
    rounding = dict(gradients=furthest(grads, exact_grads), losses=worst(exact_losses),
                    final_weights=furthest(final, exact_final))

    mistakes = {}
    for name, options in dict(
        no_clipping=dict(clip=math.inf), no_weight_decay=dict(weight_decay=0.0), no_decay_on_norms=dict(decay_norms=False),
        coupled_weight_decay=dict(coupled=True), beta2_default=dict(betas=(0.9, 0.999)),
        warmup_from_zero=dict(warmup_from_zero=True), mean_of_row_means=dict(by_row=True),
        loss_on_prompt_too=dict(answer_only=False), labels_not_shifted=dict(shift=0),
    ).items():
        wrong_losses, _, wrong_final = train(copy.deepcopy(initial), batches, **options)
        mistakes[name] = dict(losses=worst(wrong_losses), final_weights=furthest(final, wrong_final))
        assert mistakes[name]["final_weights"] > 4 * rounding["final_weights"], (name, mistakes, rounding)

    save_file(grads, HERE / "gradients.safetensors")
    save_file(final, HERE / "final_weights.safetensors")
    training = dict(
        model="bunch-transformer/tests/golden/gqa-tied/model",
        model_sha256=hashlib.sha256((MODEL / "model.safetensors").read_bytes()).hexdigest(),
        seed=SEED, pad_token_id=PAD,
        optimizer=dict(peak_learning_rate=PEAK, warmup_steps=WARMUP, total_steps=STEPS, floor=FLOOR, beta1=BETAS[0],
                       beta2=BETAS[1], epsilon=EPS, weight_decay=WEIGHT_DECAY, max_gradient_norm=MAX_NORM),
        learning_rates=[learning_rate(s) for s in range(STEPS)], losses=losses, gradient_norms=gradient_norms,
        loss_batch0_after=after, row_losses_batch0=row_losses,
        # Largest absolute difference between this float32 run and a float64 one.
        rounding_error=rounding,
        # Largest absolute change by a typical mistake: a tolerance must lie below it to catch the mistake.
        mistakes=mistakes,
        batches=batches)
    # One row of a batch per line keeps the file readable.
    text = json.dumps(dict(training, batches=None), indent=1)
    rows = ",\n".join("  [" + ",\n   ".join(json.dumps(row) for row in batch) + "]" for batch in batches)
    (HERE / "training.json").write_text(text.replace('"batches": null', '"batches": [\n' + rows + "\n ]") + "\n")
    versions = dict(python=platform.python_version(), torch=torch.__version__, transformers=transformers.__version__,
                    safetensors=safetensors.__version__)
    (HERE / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")
    print(json.dumps(dict(losses=losses, after=after, norms=gradient_norms, rounding=rounding, mistakes=mistakes), indent=1))


if __name__ == "__main__":
    main()
