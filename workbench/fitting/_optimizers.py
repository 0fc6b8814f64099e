"""Optimisers of force matching, and their state as arrays of a checkpoint.

Adam steps after every batch (Kingma and Ba, arXiv 1412.6980, with decoupled decay, Loshchilov and Hutter, arXiv 1711.05101). RPROP
(Riedmiller and Braun, IEEE Int. Conf. Neural Networks 586 (1993)) goes by the signs of the gradient alone and L-BFGS (Liu and Nocedal,
Math. Program. 45, 503 (1989)) by its changes from step to step: the noise of batches would mislead both, so they step after a pass
over all frames.
"""

import torch
from torch import Tensor

CHOICES = ("adam", "rprop", "lbfgs")
MEMORY = 20
"""Steps that L-BFGS remembers."""
SEARCHED = 25
"""Evaluations that one line search of L-BFGS may take."""


def make(name: str, parameters: list[Tensor], learning_rate: float, weight_decay: float) -> torch.optim.Optimizer:
    """The optimiser of one of ``CHOICES``; ``learning_rate`` is RPROP's first step, and L-BFGS searches for its own."""
    if name == "adam":
        return torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=weight_decay, fused=True)
    if name == "rprop":
        return torch.optim.Rprop(parameters, lr=learning_rate, step_sizes=(1e-10, 1.0))
    endless = {"tolerance_grad": 0.0, "tolerance_change": 0.0}
    return torch.optim.LBFGS(parameters, max_iter=1, max_eval=SEARCHED, history_size=MEMORY, line_search_fn="strong_wolfe", **endless)


def pack(optimizer: torch.optim.Optimizer) -> tuple[dict, dict]:
    """State as named arrays, and the rest of it as JSON values."""
    arrays: dict = {}

    def leaf(value, name: str) -> dict:
        if isinstance(value, Tensor):
            arrays[name] = value.detach().cpu().numpy()
            return {"array": name}
        if isinstance(value, list):
            return {"list": [leaf(v, f"{name}.{i}") for i, v in enumerate(value)]}
        return {"value": value}

    state = optimizer.state_dict()["state"]
    return arrays, {str(i): {key: leaf(v, f"optimizer.{i}.{key}") for key, v in of_one.items()} for i, of_one in state.items()}


def unpack(optimizer: torch.optim.Optimizer, arrays: dict, described: dict) -> None:
    """Put back what :func:`pack` gave."""

    def leaf(found: dict):
        if "array" in found:
            return torch.from_numpy(arrays[found["array"]])
        return [leaf(v) for v in found["list"]] if "list" in found else found["value"]

    state = {int(i): {key: leaf(v) for key, v in of_one.items()} for i, of_one in described.items()}
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
