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
