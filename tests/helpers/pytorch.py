"""PyTorch networks with the parameters of fastbp networks, and the comparison of the two."""

import numpy as np


def model_of(torch, net):
    """Return a float64 model of PyTorch with one hidden layer of tanh, a copy of the network."""
    first, last = (
        torch.nn.Linear(*W.shape, bias=b.size > 0) for W, b in zip(net.weights, net.biases, strict=True)
    )
    model = torch.nn.Sequential(first, torch.nn.Tanh(), last).double()
    with torch.no_grad():
        for W, b, layer in zip(net.weights, net.biases, model[::2], strict=True):
            layer.weight.copy_(torch.tensor(W.T.copy()))
            if b.size:
                layer.bias.copy_(torch.tensor(b.copy()))
    return model


def assert_same_parameters(net, model):
    for W, b, layer in zip(net.weights, net.biases, model[::2], strict=True):
        np.testing.assert_allclose(W, layer.weight.detach().numpy().T, rtol=1e-9)
        if b.size:
            np.testing.assert_allclose(b, layer.bias.detach().numpy(), rtol=1e-9)


FUNCTIONAL = {  # names in torch.nn.functional that are others than ours
    "log_sigmoid": "logsigmoid",
    "hard_swish": "hardswish",
    "hard_tanh": "hardtanh",
}


def activation_of(torch, activation):
    """Return an activation of fastbp as a function of a tensor; None if PyTorch has none."""
    functional, alpha = torch.nn.functional, activation.alpha
    special = {  # PyTorch's celu and hardsigmoid round 1 / alpha and 1 / 6 to float32
        "identity": lambda z: z,
        "gelu_tanh": lambda z: functional.gelu(z, approximate="tanh"),
        "exponential": torch.exp,
        "celu": lambda z: torch.relu(z) + alpha * torch.expm1(torch.clamp(z, max=0) / alpha),
        "hard_sigmoid": lambda z: torch.clamp(z / 6 + 0.5, 0, 1),
        "sine": torch.sin,
        "gaussian": lambda z: torch.exp(-z * z),
        "softmax": lambda z: torch.softmax(z, dim=-1),
    }
    if activation.name in special:
        return special[activation.name]
    function = getattr(functional, FUNCTIONAL.get(activation.name, activation.name), None)
    if function is None:
        return None
    return (lambda z: function(z, alpha)) if alpha else function


def loss_of(torch, loss):
    """Return J of a loss of fastbp, as a function of last weighted sums z, outputs h and targets, or None.

    z, h (m, n_out) and targets (m, n_targets), or labels (m,), are tensors.
    """
    functional, p, whole = torch.nn.functional, loss.parameter, {"reduction": "sum"}

    def gaussian_nll(z, h, t):
        mean, log_variance = h[:, ::2], h[:, 1::2]
        return (log_variance + (t - mean) ** 2 * torch.exp(-log_variance)).sum()

    def quantile(d, q):
        return torch.maximum(q * d, (q - 1) * d).sum()

    def quantiles(z, h, t):
        levels = torch.tensor(loss.output_parameters, dtype=h.dtype).repeat(t.shape[1])
        return quantile(t.repeat_interleave(len(loss.output_parameters), dim=1) - h, levels)

    total = {
        "half_sse": lambda z, h, t: 0.5 * functional.mse_loss(h, t, **whole),
        "mse": lambda z, h, t: functional.mse_loss(h, t, **whole),
        "mae": lambda z, h, t: functional.l1_loss(h, t, **whole),
        "huber": lambda z, h, t: functional.huber_loss(h, t, delta=p, **whole),
        "log_cosh": lambda z, h, t: torch.log(torch.cosh(h - t)).sum(),
        "quantile": lambda z, h, t: quantile(t - h, p),
        "hinge": lambda z, h, t: torch.relu(1 - t * h).sum(),
        "poisson": lambda z, h, t: functional.poisson_nll_loss(z, t, log_input=True, full=False, **whole),
        "binary_cross_entropy": lambda z, h, t: functional.binary_cross_entropy_with_logits(z, t, **whole),
        "cross_entropy": lambda z, h, t: functional.cross_entropy(z, t, label_smoothing=p, **whole),
        "gaussian_nll": gaussian_nll,
        "quantiles": quantiles,
    }.get(loss.name)
    return total and (lambda z, h, t: total(z, h, t) / loss.divide_by(*h.shape))


def functions_of(torch, net):
    """Return a network as pure functions of its parameters (P,), for `torch.func`.

    The first maps (parameters, x) to (z, h), the last weighted sums and the outputs (m, n_out); the second
    maps (parameters, x, targets) to J, without penalties.
    """
    layers = [
        (W.shape, b.size, activation_of(torch, layer.activation))
        for W, b, layer in zip(net.weights, net.biases, net.layers, strict=True)
    ]
    loss = loss_of(torch, net.loss)

    def outputs(parameters, x):
        at, h = 0, x
        for (n_in, n_out), biases, f in layers:
            z = h @ parameters[at : at + n_in * n_out].reshape(n_in, n_out)
            at += n_in * n_out
            z = z + parameters[at : at + biases] if biases else z
            at += biases
            h = f(z)
        return z, h

    return outputs, lambda parameters, x, t: loss(*outputs(parameters, x), t)
