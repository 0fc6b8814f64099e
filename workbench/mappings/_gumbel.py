"""One step of the autoencoder: both losses under random assignments of atoms to beads, and their gradients.

Gumbel-softmax: Jang, Gu and Poole, arXiv 1611.01144; Maddison, Mnih and Teh, arXiv 1611.00712. Axes: K restarts, samples drawn, b beads,
n atoms.
"""

import numpy as np

FORCE_TEMPERATURE = 0.7
"""Temperature of the assignment that forces are summed by, relative to that of the positions."""


def step(
    logits: np.ndarray,
    decoder: np.ndarray,
    gumbel: np.ndarray,
    positions: np.ndarray,
    forces: np.ndarray,
    share: np.ndarray,
    temperature: float,
    rho: float,
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Both losses (2, K) and the gradients of their weighted sum by ``logits`` (K, b, n) and ``decoder`` (K, n, b).

    Averaged over the samples of ``gumbel`` (2, K, samples, b, n). Written by hand: at this size autograd takes many times as long.
    """
    n, b = decoder.shape[1:]
    p = _softmax((logits[:, None] + gumbel[0]) / temperature)  # (K, samples, b, n)
    weight = p * share
    size = weight.sum(-1, keepdims=True)
    encoder = weight / size
    moved = encoder @ positions  # C S
    spans = moved @ encoder.swapaxes(-1, -2)  # C S C^T
    back = decoder.swapaxes(1, 2)
    inner = (back @ decoder)[:, None]  # D^T D
    recon = (np.trace(positions) - 2 * (back[:, None] * moved).sum((-1, -2)) + (inner * spans).sum((-1, -2))) / n
    slope = (2 / n) * (inner @ moved - (back @ positions)[:, None])  # by C
    slope = share * (slope - (slope * encoder).sum(-1, keepdims=True)) / size  # by p
    by_logits = _through_softmax(p, slope, temperature)
    by_decoder = (2 / n) * (decoder @ spans.mean(1) - moved.mean(1).swapaxes(1, 2))
    cold = FORCE_TEMPERATURE * temperature
    q = _softmax((logits[:, None] + gumbel[1]) / cold)
    pulled = q @ forces
    if rho:
        by_logits = by_logits + _through_softmax(q, (6 * rho / b) * pulled, cold)
    return np.stack([recon.mean(1), (3 / b) * (q * pulled).sum((-1, -2)).mean(1)]), (by_logits.mean(1), by_decoder)


def _softmax(y: np.ndarray) -> np.ndarray:
    """Over beads, the last axis but one."""
    e = np.exp(y - y.max(-2, keepdims=True))
    return e / e.sum(-2, keepdims=True)


def _through_softmax(p: np.ndarray, slope: np.ndarray, temperature: float) -> np.ndarray:
    """Derivative by the logits, given that by the probabilities ``p``."""
    return p * (slope - (p * slope).sum(-2, keepdims=True)) / temperature


class Adam:
    """Kingma and Ba, arXiv 1412.6980, with their constants; changes ``values`` in place."""

    def __init__(self, values: tuple[np.ndarray, ...], rate: float):
        self.values, self.rate, self.count = values, rate, 0
        self.mean, self.square = [np.zeros_like(v) for v in values], [np.zeros_like(v) for v in values]

    def step(self, gradients: list[np.ndarray]) -> None:
        self.count += 1
        for value, mean, square, gradient in zip(self.values, self.mean, self.square, gradients, strict=True):
            mean += 0.1 * (gradient - mean)
            square += 0.001 * (gradient**2 - square)
            value -= self.rate * mean / (1 - 0.9**self.count) / (np.sqrt(square / (1 - 0.999**self.count)) + 1e-8)
