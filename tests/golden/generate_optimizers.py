"""Writes optimizers.safetensors: five steps of every optimizer in PyTorch.

Each case starts from `values` with the five gradients `gradient.0` to `gradient.4` and stores
the values after each step as `CASE.0` to `CASE.4`. The cases' constants are mirrored in
tests/optimizers.rs. Run once by a maintainer: python3 generate_optimizers.py
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

STEPS = 5
CASES = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "sgd-momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "sgd-nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p),
    "adam-decay": lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "rmsprop": lambda p: torch.optim.RMSprop(p),
    "rmsprop-centered": lambda p: torch.optim.RMSprop(
        p, lr=0.02, alpha=0.9, weight_decay=0.01, momentum=0.5, centered=True
    ),
    "adadelta": lambda p: torch.optim.Adadelta(p),
    "adadelta-decay": lambda p: torch.optim.Adadelta(p, lr=0.5, rho=0.8, weight_decay=0.05),
    "clip-norm": lambda p: torch.optim.SGD(p, lr=0.1),
    "clip-value": lambda p: torch.optim.SGD(p, lr=0.1),
}


def main():
    torch.manual_seed(1)
    values = torch.randn(3, 7)
    gradients = [torch.randn(3, 7) * 10.0 ** (step - 2) for step in range(STEPS)]
    tensors = {"values": values.clone()}
    tensors |= {f"gradient.{step}": gradient for step, gradient in enumerate(gradients)}
    for name, make in CASES.items():
        parameter = torch.nn.Parameter(values.clone())
        optimizer = make([parameter])
        for step, gradient in enumerate(gradients):
            parameter.grad = gradient.clone()
            if name == "clip-norm":
                torch.nn.utils.clip_grad_norm_([parameter], 1.0)
            if name == "clip-value":
                torch.nn.utils.clip_grad_value_([parameter], 0.5)
            optimizer.step()
            tensors[f"{name}.{step}"] = parameter.detach().clone()
    save_file(tensors, Path(__file__).with_name("optimizers.safetensors"))


if __name__ == "__main__":
    main()
