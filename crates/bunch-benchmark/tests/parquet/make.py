"""Writes the small files of this folder with pyarrow, in the layouts of the Hugging Face data sets."""

import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent


def write(name, columns, **options):
    path = HERE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, **options)


choices = pa.struct([("text", pa.list_(pa.string())), ("label", pa.list_(pa.string()))])
write("arc/ARC-Easy/test-00000-of-00002.parquet", {
    "id": ["own-1", "own-2"],
    "question": ["What is hot?", "What is wet? é"],
    "choices": pa.array([{"text": ["ice", "fire", "snow"], "label": ["A", "B", "C"]},
                         {"text": ["water", "sand"], "label": ["1", "2"]}], choices),
    "answerKey": ["B", "1"],
})
write("arc/ARC-Easy/test-00001-of-00002.parquet", {
    "id": ["own-3"], "question": ["What flies?"],
    "choices": pa.array([{"text": ["a bird", "a stone"], "label": ["A", "B"]}], choices), "answerKey": ["A"],
}, compression="zstd")
write("mmlu/anatomy/test-00000-of-00001.parquet", {
    "question": [" Where is the heart? "], "subject": ["anatomy"],
    "choices": pa.array([["foot", "hand", "chest", "head"]], pa.list_(pa.string())), "answer": pa.array([2], pa.int64()),
})
write("medmcqa/data/validation-00000-of-00001.parquet", {
    "id": ["own"], "question": ["Q"], "opa": ["1"], "opb": ["2"], "opc": ["3"], "opd": ["4"], "cop": pa.array([3], pa.int64()),
    "exp": pa.array([None], pa.string()),
})
