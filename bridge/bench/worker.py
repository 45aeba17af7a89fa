"""One system in a process of its own: commands come as JSON lines, answers go back as JSON lines.

Run by path, with the Python and the packages of that system: only the system that is the bridge imports the bridge. The
first command loads, those that follow are timed here, where no pipe is in the way.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

Task = Mapping[str, Any]
Answer = dict[str, Any]
BATCH = 32
"""The default of mxbai-rerank's ``rank`` and of CrossEncoder's ``predict``."""
PAGES = 20
V2_TEMPLATE = (
    "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
    "<|im_start|>user\nquery: {{ messages | selectattr('role', 'eq', 'query') | map(attribute='content') | first }}\n"
    "document: {{ messages | selectattr('role', 'eq', 'document') | map(attribute='content') | first }}\n"
    "You are a search relevance expert who evaluates how well documents match search queries. For each query-document "
    "pair, carefully analyze the semantic relationship between them, then provide your binary relevance judgment "
    "(0 for not relevant, 1 for relevant).\nRelevance:<|im_end|>\n<|im_start|>assistant{{ '\\n' }}"
)
"""What mxbai-rerank 0.1.6 writes around a pair, as the chat template that CrossEncoder wants."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A system that can score, and what else it can be asked."""

    score: Callable[[str, list[str]], list[float]]
    """A query and its texts -> one score per text, in the order of the texts."""
    more: Mapping[str, Callable[[Task], Answer]] = field(default_factory=dict)


def bridge(task: Task) -> Loaded:
    """Ours, as the bridge's scorer calls it."""
    catalog = importlib.import_module("bridge.models.catalog")
    model = catalog.load(task["folder"], device=task["device"], precision=task["precision"])

    def sizes(asked: Task) -> Answer:
        read = model.read(asked["query"], asked["texts"])
        return {"sizes": [[len(tokens.shared), len(tokens.own)] for tokens in read], "precision": model.precision}

    def peak(_: Task) -> Answer:
        torch, peaks = importlib.import_module("torch"), importlib.import_module("bridge.bench.matmul_peak")
        return {"flops": peaks.peak_flops(torch.device(model.device), model.precision, task["threads"])}

    def page(asked: Task) -> Answer:
        return {"ms": _page_ms(model, asked["query"], asked["texts"])}

    return Loaded(
        lambda query, texts: list(model.score(model.read(query, texts))), {"sizes": sizes, "peak": peak, "page": page}
    )


def _page_ms(model: Any, query: str, texts: list[str]) -> float:  # noqa: ANN401 - of the bridge, which others lack
    """The median time of a page that was scored before, through the bridge's scorer and its cache of scores."""
    asyncio, scorer = importlib.import_module("asyncio"), importlib.import_module("bridge.scorer")
    cache = importlib.import_module("bridge.score_cache").ScoreCache(1 << 20)
    telemetry = importlib.import_module("bridge.telemetry").Telemetry()

    async def measure() -> float:
        async with scorer.Scorer([model], scorer.Limits(queue_pairs=len(texts)), cache, telemetry) as front:
            await front.score(query, texts)
            times_s = []
            for _ in range(PAGES):
                started_s = time.perf_counter()
                await front.score(query, texts)
                times_s.append(time.perf_counter() - started_s)
        return statistics.median(times_s) * 1000

    return float(asyncio.run(measure()))


def mxbai_rerank(task: Task) -> Loaded:
    """The package mxbai-rerank by its ``rank``, as its users call it."""
    torch, package = importlib.import_module("torch"), importlib.import_module("mxbai_rerank")
    kind = {"v1": package.MxbaiRerankV1, "v2": package.MxbaiRerankV2}[task["family"]]
    model = kind(task["folder"], device=task["device"], torch_dtype=getattr(torch, task["precision"])).eval()

    def score(query: str, texts: list[str]) -> list[float]:
        ranked = model.rank(query, texts, top_k=len(texts), return_documents=False)
        return [float(result.score) for result in sorted(ranked, key=lambda result: int(result.index))]

    return Loaded(score)


def cross_encoder(task: Task) -> Loaded:
    """sentence-transformers' CrossEncoder on torch."""
    torch, package = importlib.import_module("torch"), importlib.import_module("sentence_transformers")
    settings = {"dtype": getattr(torch, task["precision"])}
    if task["family"] == "v1":
        return _predicts(package.CrossEncoder(task["folder"], device=task["device"], model_kwargs=settings))
    modules = importlib.import_module("sentence_transformers.base.modules")
    heads = importlib.import_module("sentence_transformers.cross_encoder.modules")
    body = modules.Transformer(
        task["folder"],
        transformer_task="text-generation",
        model_kwargs=settings,
        processor_kwargs={"chat_template": V2_TEMPLATE},
    )
    chain = [body, heads.LogitScore(*body.tokenizer.convert_tokens_to_ids(["1", "0"]))]
    return _predicts(package.CrossEncoder(modules=chain, device=task["device"], activation_fn=torch.nn.Identity()))


def cross_encoder_onnx(task: Task) -> Loaded:
    """CrossEncoder on ONNX Runtime: float32, or int8 by its own dynamic quantisation."""
    package = importlib.import_module("sentence_transformers")
    folder = _exported(package, task["folder"], "onnx")
    if task["precision"] != "int8":
        return _predicts(package.CrossEncoder(str(folder), device="cpu", backend="onnx"))
    name = "onnx/model_qint8_avx512_vnni.onnx"
    if not (folder / name).is_file():
        whole = package.CrossEncoder(str(folder), device="cpu", backend="onnx")
        backend = importlib.import_module("sentence_transformers.backend")
        backend.export_dynamic_quantized_onnx_model(whole, "avx512_vnni", str(folder))
    settings = {"file_name": name}
    return _predicts(package.CrossEncoder(str(folder), device="cpu", backend="onnx", model_kwargs=settings))


def cross_encoder_openvino(task: Task) -> Loaded:
    """CrossEncoder on OpenVINO: float32, or int8 weights and activations, calibrated on the benchmark's own pairs."""
    package = importlib.import_module("sentence_transformers")
    folder = _exported(package, task["folder"], "openvino")
    if task["precision"] != "int8":
        return _predicts(package.CrossEncoder(str(folder), device="cpu", backend="openvino"))
    name = "openvino/openvino_model_qint8_quantized.xml"
    if not (folder / name).is_file():
        _quantise_openvino(package, folder, folder / name, task["calibration"])
    settings = {"file_name": name}
    return _predicts(package.CrossEncoder(str(folder), device="cpu", backend="openvino", model_kwargs=settings))


def infinity(task: Task) -> Loaded:
    """infinity-emb by its engine in this process, as its documentation shows."""
    asyncio, package = importlib.import_module("asyncio"), importlib.import_module("infinity_emb")
    arguments = package.EngineArgs(
        model_name_or_path=task["folder"],
        engine="torch",
        device="cuda" if task["device"].startswith("cuda") else "cpu",
        dtype=task["precision"],
        batch_size=BATCH,
        bettertransformer=False,  # torch's, which is gone
        model_warmup=False,  # the benchmark warms up itself
    )
    engine = package.AsyncEmbeddingEngine.from_args(arguments)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(engine.astart())

    def score(query: str, texts: list[str]) -> list[float]:
        ranked, _ = loop.run_until_complete(engine.rerank(query=query, docs=texts, raw_scores=False))
        return [float(entry.relevance_score) for entry in sorted(ranked, key=lambda entry: int(entry.index))]

    return Loaded(score)


def padded_bert(task: Task) -> Loaded:
    """The embedded model as its card says: transformers' own class, padded batches, the mean of the tokens."""
    torch, package = importlib.import_module("torch"), importlib.import_module("transformers")
    tokenizer = package.AutoTokenizer.from_pretrained(task["folder"])
    model = package.AutoModel.from_pretrained(task["folder"]).to(task["device"]).eval()

    def vectors(texts: list[str]) -> Any:  # noqa: ANN401 - a tensor
        tokens = tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt").to(task["device"])
        mask = tokens["attention_mask"].unsqueeze(-1)
        means = (model(**tokens).last_hidden_state * mask).sum(1) / mask.sum(1)
        return torch.nn.functional.normalize(means, dim=1)

    @torch.inference_mode()  # type: ignore[untyped-decorator]  # of a module that is looked up
    def score(query: str, texts: list[str]) -> list[float]:
        size = task["batch"]
        read = torch.cat([vectors(texts[start : start + size]) for start in range(0, len(texts), size)])
        cosines: list[float] = (read @ vectors([query])[0]).tolist()
        return cosines

    return Loaded(score)


def ablation(task: Task) -> Loaded:
    """The bridge's optimisations one by one."""
    steps = importlib.import_module("bridge.bench.ablation_steps").Steps(Path(task["folder"]), task["threads"])
    kinds = {"added": steps.added, "left out": steps.left_out}

    def names(_: Task) -> Answer:
        return {"steps": [(kind, name) for kind, found in kinds.items() for name in found]}

    def step(asked: Task) -> Answer:
        read = steps.model.read(asked["query"], asked["texts"])
        started_s = time.perf_counter()
        scores = steps.run(kinds[asked["kind"]][asked["name"]], read)
        return {"wall_s": time.perf_counter() - started_s, "scores": scores}

    return Loaded(
        lambda query, texts: list(steps.model.score(steps.model.read(query, texts))), {"steps": names, "step": step}
    )


SYSTEMS: dict[str, Callable[[Task], Loaded]] = {
    "ablation": ablation,
    "bridge": bridge,
    "mxbai-rerank": mxbai_rerank,
    "cross-encoder": cross_encoder,
    "onnx": cross_encoder_onnx,
    "openvino": cross_encoder_openvino,
    "infinity": infinity,
    "padded-bert": padded_bert,
}


def _predicts(model: Any) -> Loaded:  # noqa: ANN401 - a class of a package that only its process has
    return Loaded(
        lambda query, texts: [
            float(score) for score in model.predict([(query, text) for text in texts], show_progress_bar=False)
        ]
    )


def _exported(package: Any, source: str, backend: str) -> Path:  # noqa: ANN401 - as above
    """The folder with the model in the backend's format, inside the model's own, so that both are made anew at once."""
    target = Path(source) / "exported" / backend
    if not target.is_dir():
        scratch = target.with_suffix(".part")
        package.CrossEncoder(source, device="cpu", backend=backend).save_pretrained(str(scratch))
        scratch.rename(target)
    return target


def _quantise_openvino(package: Any, folder: Path, file: Path, calibration: list[list[str]]) -> None:  # noqa: ANN401
    """Write the int8 model: what sentence-transformers' own export does, on texts that need no hub."""
    optimum, datasets = importlib.import_module("optimum.intel.openvino"), importlib.import_module("datasets")
    model = package.CrossEncoder(str(folder), device="cpu", backend="openvino")
    whole = model.transformers_model
    queries, texts = ([pair[side] for pair in calibration] for side in (0, 1))
    # The length is that of the export in sentence-transformers.
    tokens = model.tokenizer(queries, texts, padding="max_length", max_length=384, truncation=True)
    inputs = {port.get_any_name() for port in whole.model.inputs}
    scratch = file.parent / "scratch"
    optimum.OVQuantizer.from_pretrained(whole).quantize(
        calibration_dataset=datasets.Dataset.from_dict({name: tokens[name] for name in inputs}),
        ov_config=optimum.OVConfig(quantization_config=optimum.OVQuantizationConfig(num_samples=len(queries))),
        save_directory=str(scratch),
    )
    for part in (".bin", ".xml"):  # in this order: what the file names is there
        (scratch / "openvino" / "openvino_model").with_suffix(part).rename(file.with_suffix(part))


def main() -> None:
    """Answer commands until the input ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a package prints is no answer
    loaded: Loaded | None = None
    for line in sys.stdin:
        task = json.loads(line)
        try:
            if loaded is None:
                loaded, answer = _load(task)
            else:
                answer = _timed(loaded, task) if task["do"] == "score" else loaded.more[task["do"]](task)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong in a reference is told, and the rest goes on
            answer = {"error": f"{type(error).__name__}: {error}"}
        _write(answers, answer)


def _load(task: Task) -> tuple[Loaded, Answer]:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: task["threads"]])
    importlib.import_module("torch").set_num_threads(task["threads"])
    started_s = time.perf_counter()
    loaded = SYSTEMS[task["system"]](task)
    return loaded, {"load_s": time.perf_counter() - started_s}


def _timed(loaded: Loaded, task: Task) -> Answer:
    started_s, cpu_started_s = time.perf_counter(), time.process_time()
    scores = loaded.score(task["query"], task["texts"])
    wall_s, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_started_s
    return {"wall_s": wall_s, "cpu_s": cpu_s, "scores": scores, **_memory()}


def _memory() -> dict[str, int]:
    """The resident set at its highest, from Linux's ``/proc``, and the device's memory at its highest."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    peak_kib = next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)
    cuda = importlib.import_module("torch").cuda
    return {"peak_bytes": peak_kib * 1024, "device_bytes": cuda.max_memory_allocated() if cuda.is_available() else 0}


def _write(answers: TextIO, answer: Answer) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
