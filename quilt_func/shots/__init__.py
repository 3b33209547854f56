"""Estimates from samples, with standard errors.

`estimate` measures any Pauli sum: `measurement_groups` tells which words share a circuit. What is
estimated is a mean and an error, which sums and multiples carry along. `shadow` measures before it
is known what of, and `shift_gradient` and `spsa_gradient` differentiate what is estimated.
"""

from quilt_func.shots.clifford import (
    CliffordShadow,
    clifford_shadow,
    clifford_shadow_estimate,
)
from quilt_func.shots.counting import expval_from_counts, histogram
from quilt_func.shots.estimates import (
    estimate,
    estimate_from_samples,
    estimate_jointly,
    sample_groups,
)
from quilt_func.shots.gradients import (
    GradientEstimate,
    WeightedSamples,
    n_shift_runs,
    sample_with_weights,
    shift_gradient,
    spsa_gradient,
)
from quilt_func.shots.grouping import (
    MeasuredGroup,
    allocate_shots,
    measurement_groups,
    n_groups,
)
from quilt_func.shots.shadows import Shadow, shadow, shadow_estimate, shadow_variance_bound
from quilt_func.shots.values import Estimate, JointEstimate

__all__ = [
    "CliffordShadow",
    "Estimate",
    "GradientEstimate",
    "JointEstimate",
    "MeasuredGroup",
    "Shadow",
    "WeightedSamples",
    "allocate_shots",
    "clifford_shadow",
    "clifford_shadow_estimate",
    "estimate",
    "estimate_from_samples",
    "estimate_jointly",
    "expval_from_counts",
    "histogram",
    "measurement_groups",
    "n_groups",
    "n_shift_runs",
    "sample_groups",
    "sample_with_weights",
    "shadow",
    "shadow_estimate",
    "shadow_variance_bound",
    "shift_gradient",
    "spsa_gradient",
]
