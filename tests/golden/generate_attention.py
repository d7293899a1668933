"""Writes attention.safetensors beside this file: the values tests/attention_golden.rs expects.

For maintainers: `pip install torch safetensors`, then `python tests/golden/generate_attention.py`.
Everything is computed by PyTorch in float64 and stored in float32, so the file's rounding is the
only error. Cases: NAME/x, NAME/cotangent, NAME/y, NAME/gradient/x, the parameters under PyTorch's
names as NAME/PARAMETER and their gradients of `sum(cotangent * y)` as NAME/gradient/PARAMETER.
"""

import pathlib

import torch
from safetensors.torch import save_file

tensors = {}
metadata = {"torch": torch.__version__}


def record(name, module, function, x):
    """One case: the module's parameters, its output at x and every gradient."""
    module.double()
    x = x.double().requires_grad_()
    y = function(x)
    cotangent = torch.rand(y.shape, dtype=torch.float64) * 2 - 1
    (cotangent * y).sum().backward()
    case = {"x": x, "cotangent": cotangent, "y": y, "gradient/x": x.grad}
    for parameter, value in module.named_parameters():
        case[parameter] = value
        case[f"gradient/{parameter}"] = value.grad
    for key, value in case.items():
        tensors[f"{name}/{key}"] = value.detach().float().contiguous()


def round_parameters(module):
    """Parameters that float32 holds exactly, none of them zero."""
    for value in module.parameters():
        torch.nn.init.uniform_(value, -0.5, 0.5)


def attention(name, batch, steps, dim, heads, causal):
    module = torch.nn.MultiheadAttention(dim, heads, batch_first=True)
    round_parameters(module)
    mask = torch.triu(torch.ones(steps, steps, dtype=torch.bool), 1) if causal else None

    def function(x):
        return module(x, x, x, need_weights=False, attn_mask=mask)[0]

    record(name, module, function, torch.rand(batch, steps, dim) * 4 - 2)
    metadata[f"{name}/heads"] = str(heads)
    metadata[f"{name}/causal"] = str(causal).lower()


def layer_norm(name, rows, dim, offset):
    module = torch.nn.LayerNorm(dim)
    round_parameters(module)
    record(name, module, module, torch.rand(rows, dim) * 2 - 1 + offset)


def main():
    torch.manual_seed(0)
    attention("attention", batch=9, steps=7, dim=12, heads=3, causal=False)
    attention("attention-causal", batch=2, steps=18, dim=16, heads=2, causal=True)
    attention("attention-one-step", batch=3, steps=1, dim=4, heads=4, causal=True)
    layer_norm("layer-norm", rows=5, dim=37, offset=0.0)
    layer_norm("layer-norm-offset", rows=300, dim=3, offset=20.0)
    path = pathlib.Path(__file__).with_name("attention.safetensors")
    save_file(tensors, path, metadata)
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
