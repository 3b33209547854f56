"""Solved systems: values, gradients and Hessians against formulas, at any angles."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles.closed_forms import CLOSED_FORMS
from oracles.compare import assert_close
from torch.func import grad, hessian, jacfwd, vmap

import quilt_func as qf
from quilt_func.testing import strategies as qst

each_form = pytest.mark.parametrize("form", CLOSED_FORMS, ids=lambda form: form.name)
each_real = pytest.mark.parametrize("real", [torch.float32, torch.float64], ids=str)
BOUNDS = {"n_gates": 64, "scale": 64.0}  # up to sixteen times the angle, of up to 2π


def value(form):
    def function(theta):
        circuit, words = form.build(qf, theta)
        return qf.expval(circuit(), qf.pauli_sum(words))

    return function


@each_form
@each_real
@given(data=st.data())
def test_value_gradient_and_hessian(form, real, data):
    theta = data.draw(qst.angles(form.n_angles, dtype=real))
    numbers = theta.tolist()
    f = value(form)
    assert_close(f(theta), form.value(*numbers), **BOUNDS)
    assert_close(grad(f)(theta), np.array(form.gradient(*numbers)), **BOUNDS)
    assert_close(jacfwd(f)(theta), np.array(form.gradient(*numbers)), **BOUNDS)
    assert_close(hessian(f)(theta), np.array(form.hessian(*numbers)), **BOUNDS)


@each_form
def test_whole_curves_at_once(form):
    thetas = 12 * qf.uniforms((9, form.n_angles), 0, dtype=torch.float64) - 6
    rows = thetas.tolist()
    f = value(form)
    assert_close(vmap(f)(thetas), np.array([form.value(*row) for row in rows]), **BOUNDS)
    slopes = np.array([form.gradient(*row) for row in rows])
    assert_close(vmap(grad(f))(thetas), slopes, **BOUNDS)
    curvatures = np.array([form.hessian(*row) for row in rows])
    assert_close(vmap(hessian(f))(thetas), curvatures, **BOUNDS)
