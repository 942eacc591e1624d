"""Golden data for training on preferences, made by TRL's DPOTrainer and ORPOTrainer.

    python make_preference_golden.py   # rewrites what is listed here

Needs `trl`, `peft`, `torch`, `transformers` and `safetensors` (the versions used are in preference.json); no network, no
accelerator. Starts from the model `gqa-tied` in bunch-transformer/tests/golden and, for the adapters, from lora_start.safetensors
beside this file, which examples/golden_adapter.rs makes. float32, eager attention.

preference.json               `pairs` of `prompt`, `chosen` and `rejected` token ids, in the order in which they are drawn,
                              the settings, and for dpo and orpo, of all weights (`full`) and of an adapter (`lora`), the
                              loss of each step; also the reference log-probabilities behind the gradients of DPO,
                              the rounding error of the losses and what typical mistakes would change
NAME_gradients.safetensors    for dpo and orpo: gradient of the loss of the first batch at the initial weights, by Hugging
                              Face parameter name; DPO's with the made-up reference log-probabilities of preference.json
NAME_lora.safetensors         for dpo and orpo: the adapter after the last step, under PEFT's names

The trainers are TRL's, with the sampler replaced by the order of the data. ORPO's cross-entropy is of the chosen responses
alone, where TRL's is of the prompts too: `ResponseOrpo` replaces it, and `main` checks that for prompts of one token, of
which nothing is predicted, TRL's loss is the same.

Every loss is computed once more in float64 by the equations of the papers (`by_hand`).
"""

import copy
import json
import platform
import tempfile
from pathlib import Path

import peft
import torch
import torch.nn.functional as F
import transformers
import trl
from datasets import Dataset
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from torch.utils.data import SequentialSampler
from transformers import AutoConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer
from trl.experimental.orpo import ORPOConfig, ORPOTrainer

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[2] / "bunch-transformer" / "tests" / "golden" / "gqa-tied"
VOCAB, PAD, BOS, EOS = 67, 0, 1, 2
SEED, STEPS, BATCH, BETA, RATE = 23, 5, 3, 0.1, 2e-3
ADAM_BETAS, EPS, MAX_NORM = (0.9, 0.98), 1e-8, 1.0
LORA = dict(r=2, lora_alpha=4, target_modules=["q_proj", "v_proj", "down_proj"], lora_dropout=0.0)


def letter(token):
    """Every token is one letter, so that text is tokens."""
    return chr(0x4E00 + token)


def text(tokens):
    return "".join(map(letter, tokens))


def tokenizer():
    backend = Tokenizer(models.WordLevel({letter(i): i for i in range(VOCAB)}, unk_token=letter(PAD)))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token=letter(PAD), bos_token=letter(BOS), eos_token=letter(EOS))


def draw_pairs(longest_prompt=6):
    generator = torch.Generator().manual_seed(SEED)
    number = lambda low, high: int(torch.randint(low, high, (), generator=generator))
    tokens = lambda n: [number(EOS + 1, VOCAB) for _ in range(n)]
    return [dict(prompt=[BOS] + tokens(number(0, longest_prompt)), chosen=tokens(number(0, 6)) + [EOS],
                 rejected=tokens(number(0, 6)) + [EOS]) for _ in range(STEPS * BATCH)]


def start_model():
    # Every version of transformers understands the older dialect of the configuration.
    config = AutoConfig.for_model(**json.loads((SOURCE / "config_v4.json").read_text()))
    return LlamaForCausalLM.from_pretrained(
        SOURCE / "model", config=config, dtype=torch.float32, attn_implementation="eager").eval()


def start_factors():
    return load_file(HERE / "lora_start.safetensors")


# By hand, in float64.

def token_log_probs(model, prompt, response):
    logits = model(input_ids=torch.tensor([prompt + response]), use_cache=False).logits[0]
    log_probs = logits.log_softmax(-1)[len(prompt) - 1:-1]
    return log_probs.gather(1, torch.tensor(response)[:, None])[:, 0]


def by_hand(kind, model, batch, references, mistake=None):
    """Rafailov et al. 2023, equation 7, and Hong et al. 2024, equations 6 and 7."""
    log_probs = [[token_log_probs(model, pair["prompt"], pair[side]) for side in ("chosen", "rejected")] for pair in batch]
    if kind == "dpo":
        total = (lambda x: x.mean()) if mistake == "means" else (lambda x: x.sum())
        margins = [(total(w) - r[0]) - (total(l) - r[1]) for (w, l), r in zip(log_probs, references)]
        return -F.logsigmoid(BETA * torch.stack(margins)).mean()
    total = (lambda x: x.sum()) if mistake == "sums" else (lambda x: x.mean())
    chosen, rejected = (torch.stack([total(side[i]) for side in log_probs]) for i in (0, 1))
    log_odds = lambda x: x if mistake == "no_complement" else x - torch.log(-torch.expm1(x))
    nll = -torch.cat([side[0] for side in log_probs]).mean()
    if mistake == "mean_of_row_means":
        nll = -chosen.mean()
    if mistake == "prompt_too":
        rows = [pair["prompt"] + pair["chosen"] for pair in batch]
        nll = -torch.cat([token_log_probs(model, row[:1], row[1:]) for row in rows]).mean()
    return nll - BETA * F.logsigmoid(log_odds(chosen) - log_odds(rejected)).mean()


def train_by_hand(kind, model, pairs, mistake=None):
    with torch.no_grad():
        total = (lambda x: x.mean()) if mistake == "means" else (lambda x: x.sum())
        references = [[total(token_log_probs(model, p["prompt"], p[s])) for s in ("chosen", "rejected")] for p in pairs]
        if mistake == "no_reference":
            references = [[0, 0]] * len(pairs)
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad], lr=RATE, betas=ADAM_BETAS, eps=EPS, weight_decay=0.0)
    losses = []
    for at in range(0, len(pairs), BATCH):
        optimizer.zero_grad()
        loss = by_hand(kind, model, pairs[at:at + BATCH], references[at:at + BATCH], mistake)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_NORM)
        optimizer.step()
        losses.append(loss.item())
    return losses


def exact_losses(kind, lora, pairs, mistake=None):
    model = start_model()
    if lora:
        model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **LORA))
        set_peft_model_state_dict(model, start_factors())
    return train_by_hand(kind, model.double(), pairs, mistake)


# By TRL.

class InOrder:
    """Draws the data in its order, and keeps the loss of each step."""

    def _get_train_sampler(self, dataset=None):
        return SequentialSampler(self.train_dataset)

    def compute_loss(self, model, inputs, *args, **kwargs):
        found = super().compute_loss(model, inputs, *args, **kwargs)
        self.losses.append((found[0] if isinstance(found, tuple) else found).item())
        return found


class Dpo(InOrder, DPOTrainer):
    pass


class Orpo(InOrder, ORPOTrainer):
    pass


class ResponseOrpo(Orpo):
    def concatenated_forward(self, model, batch):
        found = super().concatenated_forward(model, batch)
        lengths = (batch["chosen_labels"] != -100).sum(-1)
        # Means of rows, weighted by the rows' tokens.
        return *found[:4], -(found[0] * lengths).sum() / lengths.sum(), *found[5:]


def trainer(kind, lora, pairs, folder, kind_of_orpo=ResponseOrpo):
    options = dict(
        output_dir=folder, per_device_train_batch_size=BATCH, num_train_epochs=1, learning_rate=RATE,
        lr_scheduler_type="constant", warmup_steps=0, weight_decay=0.0, adam_beta1=ADAM_BETAS[0], adam_beta2=ADAM_BETAS[1],
        adam_epsilon=EPS, max_grad_norm=MAX_NORM, beta=BETA, max_length=64, bf16=False, gradient_checkpointing=False,
        use_cpu=True, report_to=[], save_strategy="no", logging_strategy="no", disable_tqdm=True, seed=0,
        remove_unused_columns=False)
    data = Dataset.from_list([{side: text(pair[side]) for side in ("prompt", "chosen", "rejected")} for pair in pairs])
    config, trainer_of = (DPOConfig, Dpo) if kind == "dpo" else (ORPOConfig, kind_of_orpo)
    made = trainer_of(
        model=start_model(), args=config(**options), train_dataset=data, processing_class=tokenizer(),
        peft_config=LoraConfig(task_type="CAUSAL_LM", **LORA) if lora else None)
    made.losses = []
    if lora:
        set_peft_model_state_dict(made.model, start_factors())
    return made


def gradients(kind, pairs, references, folder):
    """Gradient of the first batch's loss, with DPO's reference as it is given."""
    made = trainer(kind, False, pairs, folder)
    batch = next(iter(made.get_train_dataloader()))
    if kind == "dpo":
        made.precompute_ref_logps = True
        chosen, rejected = torch.tensor(references).T
        batch |= dict(ref_chosen_logps=chosen, ref_rejected_logps=rejected)
    made.model.eval()
    loss = made.compute_loss(made.model, batch)
    loss.backward()
    return loss.item(), {name: p.grad.clone() for name, p in made.model.named_parameters()}


def furthest(a, b):
    return max(abs(x - y) for x, y in zip(a, b))


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    pairs = draw_pairs()
    generator = torch.Generator().manual_seed(SEED)
    references = [[-5 - 20 * torch.rand((), generator=generator).item() for _ in range(2)] for _ in range(BATCH)]
    golden = dict(
        model="bunch-transformer/tests/golden/gqa-tied/model",
        versions=dict(python=platform.python_version(), trl=trl.__version__, peft=peft.__version__, torch=torch.__version__,
                      transformers=transformers.__version__),
        settings=dict(beta=BETA, batch_size=BATCH, learning_rate=RATE, adam_betas=ADAM_BETAS, epsilon=EPS,
                      weight_decay=0.0, max_gradient_norm=MAX_NORM, rank=LORA["r"], alpha=LORA["lora_alpha"],
                      target_modules=LORA["target_modules"]),
        references=references)
    mistakes = dict(dpo=("means", "no_reference"), orpo=("sums", "no_complement", "mean_of_row_means", "prompt_too"))
    with tempfile.TemporaryDirectory() as folder:
        # With prompts of one token, TRL's own ORPO is ResponseOrpo.
        short = draw_pairs(longest_prompt=1)
        runs = [trainer("orpo", False, short, folder, of) for of in (Orpo, ResponseOrpo)]
        for run in runs:
            run.train()
        assert furthest(runs[0].losses, runs[1].losses) < 1e-5, [run.losses for run in runs]
        assert all(len(pair["prompt"]) == 1 for pair in short)

        for kind in ("dpo", "orpo"):
            loss, grads = gradients(kind, pairs, references, folder)
            save_file(grads, HERE / f"{kind}_gradients.safetensors")
            model = start_model().double()
            exact = by_hand(kind, model, pairs[:BATCH], references)
            exact.backward()
            off = max((grads[n].double() - p.grad).abs().max().item() for n, p in model.named_parameters())
            golden[kind] = dict(first_loss=loss, rounding_error=dict(first_loss=abs(loss - exact.item()), gradients=off),
                                largest_gradient=max(g.abs().max().item() for g in grads.values()))
            for name, lora in (("full", False), ("lora", True)):
                made = trainer(kind, lora, pairs, folder)
                made.train()
                exact = exact_losses(kind, lora, pairs)
                golden[kind][name] = made.losses
                golden[kind]["rounding_error"][name] = furthest(made.losses, exact)
                golden[kind][f"{name}_mistakes"] = {
                    m: furthest(exact, exact_losses(kind, lora, pairs, m)) for m in mistakes[kind]}
                if lora:
                    factors = get_peft_model_state_dict(made.model)
                    save_file({n: t.contiguous() for n, t in factors.items()}, HERE / f"{kind}_lora.safetensors")
    text = json.dumps(dict(golden, pairs=None), indent=1)
    rows = ",\n".join("  " + json.dumps(pair) for pair in pairs)
    (HERE / "preference.json").write_text(text.replace('"pairs": null', '"pairs": [\n' + rows + "\n ]") + "\n")
    print(text)


if __name__ == "__main__":
    main()
