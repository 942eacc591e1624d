"""Hashes of every prompt that lm-evaluation-harness (0.4.13) writes for its own tasks.

    python lm_eval_tasks.py DATASETS > lm_eval_tasks.json

needs lm_eval, no torch. DATASETS holds the files that the test reads too. They are turned into the columns of the Hugging
Face data sets here, independently of data/datasets.toml. Kept are, for each task and number of examples, the number of documents
and the SHA-256 of all contexts, continuations and targets.
"""

import csv
import hashlib
import json
import os
import pathlib
import sys
import tempfile

import lm_eval
from lm_eval.tasks import TaskManager

LETTERS = "ABCD"


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def arc(path):
    for row in lines(path):
        labels = list("ABCDE"[: len(row["choices"])])
        yield {"question": row["query"][len("Question: "):], "choices": {"text": row["choices"], "label": labels},
               "answerKey": labels[row["gold"]]}


def winogrande(path):
    for row in lines(path):
        first, second = row["context_options"]
        start = os.path.commonprefix([first, second])
        yield {"sentence": f"{start}_ {row['continuation']}", "option1": first[len(start):], "option2": second[len(start):],
               "answer": str(row["gold"] + 1)}


def medmcqa(path):
    for row in lines(path):
        yield {**row, "cop": row["cop"] - 1}


def medqa(path):
    for row in lines(path):
        endings = {f"ending{at}": row["options"][letter] for at, letter in enumerate(LETTERS)}
        yield {"sent1": row["question"], **endings, "label": LETTERS.index(row["answer_idx"])}


def mmlu(path):
    with open(path, newline="") as file:
        for row in list(csv.reader(file))[1:]:
            yield {"question": row[0], "choices": row[1:5], "answer": int(row[5])}


def hashed(folder, file, task, shots, splits, overrides):
    files = {}
    for split, rows in splits.items():
        files[split] = str(pathlib.Path(folder, f"{task}.{split}.jsonl"))
        pathlib.Path(files[split]).write_text("".join(json.dumps(row) + "\n" for row in rows))
    include = pathlib.Path(lm_eval.__file__).parent / "tasks" / file
    config = {"include": str(include), "task": task, "dataset_path": "json", "dataset_name": None,
              "dataset_kwargs": {"data_files": files}, **overrides}
    with tempfile.TemporaryDirectory() as tasks:
        # JSON is YAML too.
        pathlib.Path(tasks, f"{task}.yaml").write_text(json.dumps(config))
        (loaded,) = TaskManager(include_path=tasks, include_defaults=False).load([task])["tasks"].values()
    loaded.set_config("num_fewshot", shots)
    loaded.set_fewshot_seed(1234)
    loaded.build_all_requests()
    hash = hashlib.sha256()
    for instance in loaded.instances:
        texts = [text for text in instance.args if isinstance(text, str)]
        hash.update(json.dumps([*texts, str(loaded.doc_to_target(instance.doc))], ensure_ascii=False).encode())
    return {"task": task, "n_shot": shots, "docs": len(loaded.eval_docs), "requests": len(loaded.instances), "sha256": hash.hexdigest()}


if __name__ == "__main__":
    data = pathlib.Path(sys.argv[1])
    own = pathlib.Path(__file__).resolve().parents[1] / "hellaswag/data"
    no_train = {"training_split": None, "validation_split": None}
    jobs = [
        ("arc/arc_easy.yaml", "arc_easy", 0, {"test": arc(data / "arc/arc_easy.jsonl")}, no_train),
        ("arc/arc_challenge.yaml", "arc_challenge", 0, {"test": arc(data / "arc/arc_challenge.jsonl")}, no_train),
        ("winogrande/default.yaml", "winogrande", 0, {"validation": winogrande(data / "winogrande/winogrande.jsonl")}, {"training_split": None}),
        ("medmcqa/medmcqa.yaml", "medmcqa", 0, {"validation": medmcqa(data / "medmcqa/dev.jsonl")}, {"training_split": None}),
        ("medqa/medqa.yaml", "medqa_4options", 0, {"test": medqa(data / "medqa/us_4options_test.jsonl")}, no_train),
        ("pubmedqa/pubmedqa.yaml", "pubmedqa", 0, {"test": json.loads((data / "pubmedqa/test_set.json").read_text()).values()}, no_train),
        ("gsm8k/gsm8k.yaml", "gsm8k", 5, {split: lines(data / f"gsm8k/{split}.jsonl") for split in ["train", "test"]}, {}),
        ("hellaswag/hellaswag.yaml", "hellaswag", 0, {"train": lines(own / "hellaswag_train.jsonl"), "validation": lines(own / "hellaswag_val.jsonl")}, {}),
        ("hellaswag/hellaswag.yaml", "hellaswag", 3, {"train": lines(own / "hellaswag_train.jsonl"), "validation": lines(own / "hellaswag_val.jsonl")}, {}),
    ]
    for path in sorted(data.glob("mmlu-stem/test/*_test.csv")):
        subject = path.name[: -len("_test.csv")]
        splits = lambda: {"test": mmlu(path), "dev": mmlu(data / f"mmlu-stem/dev/{subject}_dev.csv")}
        jobs.extend((f"mmlu/default/mmlu_{subject}.yaml", f"mmlu_{subject}", shots, splits(), {}) for shots in [0, 5])
    with tempfile.TemporaryDirectory() as folder:
        entries = [hashed(folder, *job) for job in jobs]
    body = ",\n".join(json.dumps(entry) for entry in entries)
    print(f"[\n{body}\n]")
