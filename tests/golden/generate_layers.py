"""Writes layers.safetensors: single layers in PyTorch, with all their gradients.

Every case stores its inputs as `CASE.in.NAME`, the output as `CASE.out`, and for the cotangent
`CASE.cotangent` the gradients as `CASE.gradient.NAME`. The cases' constants are mirrored in
tests/layer_golden.rs. Run once by a maintainer: python3 generate_layers.py
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

# name: (batch, in, out, height, width, kernel, stride, padding, dilation)
CONV2D = {
    "conv2d-plain": (2, 2, 3, 7, 6, 3, 1, 0, 1),
    "conv2d-stride": (2, 3, 4, 8, 9, 3, 2, 0, 1),
    "conv2d-padding": (2, 2, 3, 5, 5, 3, 1, 2, 1),
    "conv2d-dilation": (1, 2, 2, 9, 8, 3, 1, 0, 2),
    "conv2d-all": (2, 3, 2, 11, 10, 3, 2, 2, 2),
    "conv2d-pointwise": (2, 4, 5, 3, 4, 1, 2, 0, 1),
}
# name: (batch, in, out, steps, kernel, stride, padding in front, padding behind, dilation)
CONV1D = {
    "conv1d-same": (2, 3, 4, 10, 3, 1, 1, 1, 1),
    "conv1d-causal": (2, 3, 2, 9, 4, 1, 3, 0, 1),
    "conv1d-causal-dilated": (2, 2, 3, 12, 3, 1, 4, 0, 2),
    "conv1d-stride": (1, 2, 3, 13, 5, 3, 2, 2, 1),
}
# name: (batch, channels, height, width, window, stride)
POOL = {
    "pool-even": (2, 3, 6, 8, 2, 2),
    "pool-rest": (2, 2, 7, 5, 3, 2),
}


def main():
    torch.manual_seed(2)
    tensors = {}

    def case(name, function, **inputs):
        inputs = {key: value.requires_grad_() for key, value in inputs.items()}
        out = function(**inputs)
        cotangent = torch.randn_like(out)
        out.backward(cotangent)
        tensors[f"{name}.out"] = out.detach().contiguous()
        tensors[f"{name}.cotangent"] = cotangent
        for key, value in inputs.items():
            tensors[f"{name}.in.{key}"] = value.detach()
            tensors[f"{name}.gradient.{key}"] = value.grad.contiguous()

    for name, (n, i, o, h, w, k, s, p, d) in CONV2D.items():
        case(
            name,
            lambda x, weight, bias, s=s, p=p, d=d: F.conv2d(x, weight, bias, s, p, d),
            x=torch.randn(n, i, h, w),
            weight=torch.randn(o, i, k, k),
            bias=torch.randn(o),
        )
    for name, (n, i, o, t, k, s, before, after, d) in CONV1D.items():
        case(
            name,
            lambda x, weight, bias, s=s, b=before, a=after, d=d: F.conv1d(
                F.pad(x, (b, a)), weight, bias, s, 0, d
            ),
            x=torch.randn(n, i, t),
            weight=torch.randn(o, i, k),
            bias=torch.randn(o),
        )
    for name, (n, c, h, w, k, s) in POOL.items():
        case(f"max-{name}", lambda x, k=k, s=s: F.max_pool2d(x, k, s), x=torch.randn(n, c, h, w))
        case(f"average-{name}", lambda x, k=k, s=s: F.avg_pool2d(x, k, s), x=torch.randn(n, c, h, w))
    case("global-average", lambda x: x.mean((2, 3)), x=torch.randn(2, 3, 4, 5))
    for name, shape in {"batch-norm-2d": (3, 4, 5, 2), "batch-norm-1d": (6, 4)}.items():
        mean, variance = torch.randn(4), torch.rand(4) + 0.5
        for mode in ("training", "evaluation"):
            running_mean, running_var = mean.clone(), variance.clone()
            case(
                f"{name}-{mode}",
                lambda x, weight, bias, m=running_mean, v=running_var, t=mode == "training": F.batch_norm(
                    x, m, v, weight, bias, t
                ),
                x=torch.randn(shape) * 2 + 1,
                weight=torch.randn(4),
                bias=torch.randn(4),
            )
            tensors[f"{name}-{mode}.mean.before"], tensors[f"{name}-{mode}.variance.before"] = (
                mean.clone(),
                variance.clone(),
            )
            tensors[f"{name}-{mode}.mean.after"] = running_mean
            tensors[f"{name}-{mode}.variance.after"] = running_var
    case(
        "layer-norm",
        lambda x, weight, bias: F.layer_norm(x, (6,), weight, bias),
        x=torch.randn(2, 3, 6) * 3 - 1,
        weight=torch.randn(6),
        bias=torch.randn(6),
    )
    save_file(tensors, Path(__file__).with_name("layers.safetensors"))


if __name__ == "__main__":
    main()
