"""A potential's evaluation as a CUDA graph: where shapes stay the same, launching its many small kernels becomes one launch."""

import torch
from torch import Tensor

from workbench.potentials._base import Evaluation, Potential, evaluate

WARM_UP = 3
"""Evaluations before the capture, which PyTorch asks for."""


class Captured:
    """Energy and forces of one batch of positions in one box, captured once and replayed; the next call overwrites what one returned."""

    def __init__(self, potential: Potential, positions: Tensor, box: Tensor | None):
        self._at, self._graph = positions.clone(), torch.cuda.CUDAGraph()
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                evaluate(potential, self._at, box)
        torch.cuda.current_stream().wait_stream(stream)
        with torch.cuda.graph(self._graph):
            self._found = evaluate(potential, self._at, box)

    def __call__(self, positions: Tensor) -> Evaluation:
        self._at.copy_(positions)
        self._graph.replay()
        return self._found
