"""Runs lm-evaluation-harness (0.4.13) on the oracle's tasks in the modes that the oracle has no record of.

    python lm_eval_modes.py ../../../bunch-lm/tests/oracle > lm_eval_modes.json

needs lm_eval and transformers, no torch. The model is a formula over token ids, which the test has too. Kept are lm-eval's
scores and, for each document, its hash of the prompt, a hash of all requests' token ids, and the metrics.
With --dump FOLDER whole samples are written there, for looking at a difference.
"""

import hashlib
import json
import os
import pathlib
import sys
import tempfile

import jinja2
from lm_eval import utils
from lm_eval.api.model import TemplateLM
from lm_eval.evaluator import simple_evaluate
from lm_eval.tasks import TaskManager
from transformers import AutoTokenizer

RUNS = [
    # name, tokenizer, arguments of simple_evaluate, add_bos_token, tasks
    ("chat-2shot-multiturn", "llama-gqa-untied", dict(num_fewshot=2, apply_chat_template=True, fewshot_as_multiturn=True), None,
     ["oracle_arc", "oracle_letters", "oracle_wino", "oracle_gen"]),
    ("chat-2shot-one-turn", "llama-gqa-untied", dict(num_fewshot=2, apply_chat_template=True, fewshot_as_multiturn=False), None,
     ["oracle_arc", "oracle_letters", "oracle_wino", "oracle_gen"]),
    ("mutual", "llama-gqa-untied", dict(num_fewshot=0), None, ["oracle_arc_mutual", "oracle_wino_mutual"]),
    ("mutual-2shot-nobos", "mistral-swa16", dict(num_fewshot=2), False, ["oracle_arc_mutual", "oracle_wino_mutual"]),
    ("mutual-chat", "llama-gqa-untied", dict(num_fewshot=1, apply_chat_template=True, fewshot_as_multiturn=True), None,
     ["oracle_arc_mutual", "oracle_wino_mutual"]),
    ("mistral-chat-2shot-multiturn", "mistral-swa16", dict(num_fewshot=2, apply_chat_template=True, fewshot_as_multiturn=True), None,
     ["oracle_arc", "oracle_letters", "oracle_gen"]),
    ("system-instruction", "llama-gqa-untied", dict(num_fewshot=1, system_instruction="Answer briefly."), None,
     ["oracle_arc", "oracle_letters"]),
    ("system-instruction-chat", "llama-gqa-untied",
     dict(num_fewshot=1, system_instruction="Answer briefly.\n", apply_chat_template=True, fewshot_as_multiturn=True), None,
     ["oracle_arc", "oracle_letters"]),
    ("drawn", "mistral-swa16", dict(num_fewshot=3, limit=25), None,
     ["oracle_drawn", "oracle_drawn_others", "oracle_first_others", "oracle_wino", "oracle_gen", "oracle_roll"]),
    ("drawn-other-seed", "llama-gqa-untied", dict(num_fewshot=3, fewshot_random_seed=7), False,
     ["oracle_drawn", "oracle_drawn_others"]),
    ("plain", "mistral-swa16", dict(num_fewshot=0), False, ["oracle_unweighted"]),
]

EXTRA = {
    "oracle_wino_mutual.yaml": """include: {oracle}/tasks/oracle_wino.yaml
task: oracle_wino_mutual
metric_list: [{{metric: acc}}, {{metric: acc_mutual_info}}]
""",
    "oracle_drawn.yaml": """include: {oracle}/tasks/oracle_arc.yaml
task: oracle_drawn
fewshot_config: {{sampler: default}}
""",
    "oracle_drawn_others.yaml": """include: {oracle}/tasks/oracle_arc.yaml
task: oracle_drawn_others
fewshot_split: test
fewshot_config: {{sampler: default}}
""",
    "oracle_first_others.yaml": """include: {oracle}/tasks/oracle_arc.yaml
task: oracle_first_others
fewshot_split: test
""",
    "oracle_greedy.yaml": """include: {oracle}/tasks/oracle_arc.yaml
task: oracle_greedy
metric_list: [{{metric: exact_match}}, {{metric: acc}}]
""",
    "oracle_unweighted.yaml": """group: oracle_unweighted
task: [oracle_letters_a, oracle_letters_b, oracle_greedy]
aggregate_metric_list: [{{metric: acc, weight_by_size: false}}]
metadata: {{version: 3}}
""",
}


def formula(context, continuation):
    h = 0
    for token in [*context, 5000, *continuation]:
        h = (h * 31 + token + 7) % 1000003
    return h


class Formula(TemplateLM):
    def __init__(self, folder, add_bos_token):
        super().__init__()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.add_bos_token = add_bos_token
        self.max_length = 160
        self.asked = {}

    @property
    def eot_token_id(self):
        return self.tokenizer.eos_token_id

    @property
    def prefix_token_id(self):
        bos = self.tokenizer.bos_token_id
        return self.eot_token_id if bos is None else bos

    @property
    def tokenizer_name(self):
        return "formula"

    def tok_encode(self, string, add_special_tokens=None, **kwargs):
        if add_special_tokens is None:
            add_special_tokens = True if self.add_bos_token is None else self.add_bos_token
            if string.startswith(self.tokenizer.decode(self.prefix_token_id)):
                add_special_tokens = False
        return self.tokenizer.encode(string, add_special_tokens=add_special_tokens)

    def score(self, key, context, continuation):
        whole = (context + continuation)[-(self.max_length + 1):]
        context = whole[: len(whole) - len(continuation)]
        self.asked.setdefault(key, []).append((tuple(context), tuple(continuation)))
        h = formula(context, continuation)
        return -(h % 5000) / 100 - 0.01, h % 3 == 0

    def _loglikelihood_tokens(self, requests, **kwargs):
        return [self.score(key, context, continuation) for key, context, continuation in requests]

    def loglikelihood_rolling(self, requests, disable_tqdm=False):
        sums = []
        for request in requests:
            text = request.args[0]
            windows = utils.get_rolling_token_windows(self.tok_encode(text), self.prefix_token_id, self.max_length, 1)
            sums.append(sum(self.score((text,), *utils.make_disjoint_window(window))[0] for window in windows))
        return sums

    def generate_until(self, requests, disable_tqdm=False):
        texts = []
        for request in requests:
            context, kwargs = request.args
            ids = self.tok_encode(context)[-(self.max_length - kwargs["max_gen_toks"]):]
            self.asked.setdefault((context,), []).append((tuple(ids), ()))
            # What the test's model answers, in text.
            texts.append("#### 94 so 4." if formula(ids, []) % 2 else "it is 33")
        return texts

    def apply_chat_template(self, chat_history, add_generation_prompt=True):
        # As HFLM's.
        render = lambda history: self.tokenizer.apply_chat_template(
            history, tokenize=False, add_generation_prompt=add_generation_prompt, continue_final_message=not add_generation_prompt)
        try:
            return render(chat_history)
        except jinja2.exceptions.TemplateError:
            return render([message for message in chat_history if message["role"] != "system"])


def digest(requests):
    text = ";".join(",".join(map(str, context)) + "|" + ",".join(map(str, continuation)) for context, continuation in requests)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run(oracle, name, model, arguments, add_bos_token, tasks, dump):
    lm = Formula(oracle / "models" / model, add_bos_token)
    with tempfile.TemporaryDirectory() as folder:
        for file, text in EXTRA.items():
            pathlib.Path(folder, file).write_text(text.format(oracle=oracle))
        manager = TaskManager(include_path=[str(oracle / "tasks"), folder], include_defaults=False)
        found = simple_evaluate(model=lm, tasks=tasks, task_manager=manager, bootstrap_iters=1, **arguments)
    rows = {}
    for task, samples in found["samples"].items():
        rows[task] = []
        for sample in samples:
            keys = [tuple(argument[:2]) if isinstance(argument[-1], str) else (argument[0],) for argument in sample["arguments"]]
            # A text that is scored as a whole has several windows, every other request one.
            requests = [request for key in dict.fromkeys(keys) for request in dict.fromkeys(lm.asked[key])]
            metrics = {metric: sample[metric] for metric in sample["metrics"]}
            rows[task].append([sample["doc_id"], sample["filter"], sample["prompt_hash"][:16], digest(requests), metrics])
            if dump:
                line = json.dumps({"arguments": sample["arguments"], "requests": requests, "doc_id": sample["doc_id"]}, ensure_ascii=False)
                with open(pathlib.Path(dump, f"{name}.{task}.jsonl"), "a") as file:
                    file.write(line + "\n")
    arguments = {key: arguments.get(key) for key in
                 ["num_fewshot", "apply_chat_template", "fewshot_as_multiturn", "system_instruction", "limit", "fewshot_random_seed"]}
    keep = ["results", "groups", "versions", "n-shot", "higher_is_better", "n-samples", "group_subtasks"]
    scores = {key: found[key] for key in keep if key in found}
    tables = utils.make_table(found) + ("\n" + utils.make_table(found, "groups") if "groups" in found else "")
    return {"name": name, "tables": tables, "model": model, "arguments": arguments, "add_bos_token": add_bos_token, "tasks": tasks,
            "scores": scores, "rows": rows}


if __name__ == "__main__":
    oracle = pathlib.Path(sys.argv[1]).resolve()
    dump = sys.argv[3] if len(sys.argv) > 3 else None
    os.chdir(oracle)
    runs = [run(oracle, *arguments, dump) for arguments in RUNS]
    lines = ",\n".join(json.dumps(entry, default=float) for entry in runs)
    print(f"[\n{lines}\n]")
