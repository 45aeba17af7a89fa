"""What is compared: each system by name, with where it comes from, and which models and devices it is for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bridge.bench.environments import BACKENDS, INFINITY, MXBAI, SENTENCE_TRANSFORMERS, Environment
from bridge.bench.shapes import Family


@dataclass(frozen=True, slots=True)
class System:
    """One row of the comparison."""

    name: str
    worker: str
    """Its name in ``bridge.bench.worker``."""
    environment: Environment | None
    """None: that of the bridge."""
    families: tuple[Family, ...] = ("v1", "v2")
    precision: str | None = None
    """None: bfloat16 on CUDA and float32 on the CPU, or what the command line says."""
    cpu_precision: str | None = None
    """What it computes in on the CPU, whatever it is asked for."""
    is_for_cpu_alone: bool = False

    def precision_on(self, device: str, wanted: str) -> str:
        """What it computes in on a device."""
        own = self.cpu_precision if device == "cpu" else None
        return self.precision or own or wanted

    @property
    def is_ours(self) -> bool:
        """Whether it is the bridge."""
        return self.worker == "bridge"


BRIDGE = System("bridge", "bridge", None)
BRIDGE_INT8 = System("bridge, int8", "bridge", None, precision="int8", is_for_cpu_alone=True)
REFERENCES = {
    system.name: system
    for system in (
        System("mxbai-rerank", "mxbai-rerank", MXBAI, cpu_precision="float32"),
        System("cross-encoder", "cross-encoder", SENTENCE_TRANSFORMERS),
        System("cross-encoder-onnx", "onnx", BACKENDS, ("v1",), "float32", is_for_cpu_alone=True),
        System("cross-encoder-onnx-int8", "onnx", BACKENDS, ("v1",), "int8", is_for_cpu_alone=True),
        System("cross-encoder-openvino", "openvino", BACKENDS, ("v1",), "float32", is_for_cpu_alone=True),
        System("cross-encoder-openvino-int8", "openvino", BACKENDS, ("v1",), "int8", is_for_cpu_alone=True),
        # Its reranker takes sequence classifiers alone; for v2 its makers convert the weights, which changes the model.
        System("infinity", "infinity", INFINITY, ("v1",)),
    )
}
"""By the names that ``--references`` takes."""


def compared(family: Family, references: Sequence[str], *, is_cpu: bool) -> Iterator[System]:
    """Ours first, then the references of these names, as far as they are for the family and the device."""
    for system in (BRIDGE, BRIDGE_INT8, *(REFERENCES[name] for name in references)):
        if family in system.families and (is_cpu or not system.is_for_cpu_alone):
            yield system
