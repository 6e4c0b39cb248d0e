"""Deliberate mistakes, each caught by a named test: ``python -m tests.mistakes``.

Every mistake is one edit of one file in a copy of the packages; the named test must pass on the true code and fail on
the edited one. A mistake that no test catches makes this script fail. ``--help`` says how to run only some of them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutation import tree

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("contraction", "nn_experiments", "tests", "proofs", "pyproject.toml")
#: Seconds of the processor that one test may take; a test that computes for ever with a mistake has caught it.
SECONDS = 1800.0


@dataclass(frozen=True)
class Mistake:
    """What goes wrong, where, the edit that does it, and the test that must notice."""

    name: str
    file: str
    old: str
    new: str
    test: str


MISTAKES = (
    Mistake(
        "the rounding of a product of intervals left out",
        "contraction/maps/intervals.py",
        "return Intervals(mid, above(spread + EPS * np.abs(mid), 6))",
        "return Intervals(mid, above(spread, 6))",
        "tests/theory/maps/test_intervals.py::test_arithmetic_encloses_every_pair_of_numbers",
    ),
    Mistake(
        "a certified region without invariance",
        "contraction/certificates/region.py",
        "    _check_invariance(maps, r)\n    factors:",
        "    factors:",
        "tests/theory/certificates/test_region.py::test_contraction_without_invariance_is_refused",
    ),
    Mistake(
        "contraction on a region from the mean derivative, which is enough for invariance only",
        "contraction/certificates/step_bounds.py",
        "one.moduli(1.0) @ w / w",
        "one.moduli(0.5) @ w / w",
        "tests/theory/certificates/test_region.py::test_invariance_by_means_does_not_give_contraction",
    ),
    Mistake(
        "epochs taken for steps on the mean loss",
        "contraction/certificates/region_epochs.py",
        "return above(self.mean.image(r) + self.aside, 2)",
        "return above(self.mean.image(r), 2)",
        "tests/theory/certificates/test_region.py::test_the_end_of_an_epoch_is_not_that_of_the_mean_step",
    ),
    Mistake(
        "rounding left out of the error of a certified limit",
        "contraction/limits/certified.py",
        "return BackwardLimit(value, truncation + rounding, certificate",
        "return BackwardLimit(value, truncation, certificate",
        "tests/theory/limits/test_rounding.py::test_the_error_holds_in_60_digits",
    ),
    Mistake(
        "an even number of further maps behind every fresh start",
        "contraction/limits/settled.py",
        "return m, m + 1, 2 * m + 1",
        "return 2 * m, 2 * m + 2, 4 * m",
        "tests/theory/limits/test_settled.py::test_lengths_are_pairwise_coprime",
    ),
    Mistake(
        "one level for all tests: alpha spent at every horizon",
        "contraction/limits/settled.py",
        "level = self.alpha / ((self.tests + 1) * (self.tests + 2))",
        "level = self.alpha",
        "tests/theory/statements/section_2/test_no_rule_can_tell.py::test_levels_of_the_rule",
    ),
    Mistake(
        "with replacement: moments of batches from independent rows",
        "contraction/maps/second_moments.py",
        "both = 0.0 if N == 1 else N * (size - 1) / (size * (N - 1))  #",
        "both = 1 - 1 / size  #",
        "tests/theory/certificates/test_mean_square.py::test_moments_of_batches_are_those_of_all_batches",
    ),
    Mistake(
        "co-coercivity without its smoothness: 1 - 2 h mu for 1 - h mu (2 - h M)",
        "contraction/families/gradient_steps.py",
        "value = math.sqrt(1 - self.h * mu * (2 - self.h * M))",
        "value = math.sqrt(max(0.0, 1 - 2 * self.h * mu))",
        "tests/theory/certificates/test_mean_square.py::test_co_coercivity_holds_for_drawn_pairs",
    ),
    Mistake(
        "norms of shorter words one letter too early",
        "contraction/certificates/blocks.py",
        "later = np.cumsum(L[::-1])[::-1][rest]",
        "later = np.cumsum(L[::-1])[::-1][(rest + 1) % q]",
        "tests/theory/certificates/test_mean_square.py::test_bounds_from_blocks_are_sums_over_all_later_words",
    ),
    Mistake(
        "the middle map of a paired reversal taken once",
        "contraction/maps/orders.py",
        "return (*range(1, n + 1), *range(n, 0, -1))",
        "return (*range(1, n + 1), *range(n - 1, 0, -1))",
        "tests/theory/statements/section_4_5/test_paired_reversal.py::test_every_order_of_drawn_fields",
    ),
    Mistake(
        "fresh shuffles taken for reversible at every n",
        "contraction/exponents/law_of_maps.py",
        "if n <= law.size or n % law.size == 0:",
        "if n > 0:",
        "tests/theory/exponents/test_synchronisation.py::test_rules_against_enumeration",
    ),
    Mistake(
        "the second forward run starts one map early",
        "contraction/exponents/synchronisation.py",
        "for i in range(1, lag + 1):",
        "for i in range(1, lag):",
        "tests/theory/exponents/test_synchronisation.py::test_increments_and_tails_have_the_law_of_backward_ones",
    ),
    Mistake(
        "a frame of directions that is never orthogonalised",
        "contraction/exponents/lyapunov.py",
        "frame, triangle = np.linalg.qr(np.moveaxis(images, 0, -1))",
        "_, triangle = np.linalg.qr(np.moveaxis(images, 0, -1))",
        "tests/theory/exponents/test_lyapunov.py::test_triangular_laws",
    ),
    Mistake(
        "a singular product given a finite exponent",
        "contraction/exponents/lyapunov.py",
        "        singular |= zero\n",
        "",
        "tests/theory/exponents/test_lyapunov.py::test_kaczmarz_with_gaussian_rows",
    ),
    Mistake(
        "words applied from their outermost map",
        "contraction/maps/iterates.py",
        "position = np.cumsum(lengths + 1) - 1  #",
        "position = np.minimum(np.cumsum(lengths + 1) - 1, np.cumsum(lengths + 1) - lengths)  #",
        "tests/theory/maps/test_reuse_of_maps.py::test_reused_maps_give_the_iterates_of_the_plain_loop",
    ),
    Mistake(
        "an order said to converge with a declaration that is not checked",
        "contraction/maps/order_convergence.py",
        "        if agreement[n] < p:",
        "        if False:",
        "tests/theory/maps/test_order_convergence.py::test_false_declarations_are_refuted",
    ),
    Mistake(
        "singular to rounding: the floor of the growth factors left out",
        "contraction/exponents/derivatives.py",
        "return linear(A, V, maps.kind), 8 * d * EPS * np.linalg.norm(absolute, axis=-1)",
        "return linear(A, V, maps.kind), 0 * np.linalg.norm(absolute, axis=-1)",
        "tests/theory/exponents/test_lyapunov.py::test_singular_products_and_small_factors",
    ),
    Mistake(
        "order swapped: the backward word applied from the wrong end",
        "contraction/maps/orders.py",
        "        return 0\n\n    @override\n    def word(self, n: int) -> Sequence[int]:\n"
        "        return range(1, n + 1)\n",
        "        return 0\n\n    @override\n    def word(self, n: int) -> Sequence[int]:\n"
        "        return range(n, 0, -1)\n",
        "tests/theory/maps/test_orders.py::test_words_are_written_outermost_first",
    ),
    Mistake(
        "exponent shifted: k^(n+1) for k^n in Theorem 2.2's bound",
        "contraction/certificates/bounds.py",
        "return _scaled_power(_over_gap(D, k), k, check_index(n))",
        "return _scaled_power(_over_gap(D, k), k, check_index(n) + 1)",
        "tests/theory/certificates/test_bounds.py::test_sharp_bounds_are_attained_by_kx_plus_D",
    ),
    Mistake(
        "exponent shifted: (1-h)^i for (1-h)^(i-1) in the backward iterates",
        "contraction/maps/affine.py",
        "np.multiply(products[:-1], b, out=rows[1:])",
        "np.multiply(products[1:], b, out=rows[1:])",
        "tests/theory/statements/section_3/test_quadratic_sgd.py::test_closed_forms_and_factor",
    ),
    Mistake(
        "sign flipped: the drift of Section 3.2, as the paper prints it",
        "contraction/families/linearized.py",
        "self._drift = self.h * self.H @ self.theta_star",
        "self._drift = -self.h * self.H @ self.theta_star",
        "tests/theory/statements/section_3/test_linearized_sgd.py::test_family_in_floats",
    ),
    Mistake(
        "k from the spectral radius",
        "contraction/maps/spaces.py",
        "return np.linalg.norm(np.asarray(A, dtype=float), ord=2, axis=(-2, -1))",
        "return np.max(np.abs(np.linalg.eigvals(np.asarray(A, dtype=float))), axis=-1)",
        "tests/theory/maps/test_spaces.py::test_operator_norm_bounds_every_ratio",
    ),
    Mistake(
        "D at the wrong point: the displacement of 0 for that of theta0",
        "contraction/certificates/hypotheses.py",
        "c = family.displacement(theta) if moment is None",
        "c = family.displacement(0 * theta) if moment is None",
        "tests/theory/certificates/test_certificates.py::test_displacement_at_the_wrong_point_is_caught",
    ),
    Mistake(
        "a displacement in floating point taken for an exact number",
        "contraction/certificates/rigorous.py",
        'if D is None or D.origin != "declared":',
        "if D is None:",
        "tests/theory/families/test_families_answer.py::test_a_declared_factor_needs_a_declared_displacement",
    ),
    Mistake(
        "a linear part of maps that are not affine taken for the whole",
        "contraction/maps/answers.py",
        "        if not self.is_affine:\n            return None\n        if (common",
        "        if (common",
        "tests/theory/families/test_families_answer.py::test_a_linear_part_of_maps_that_are_not_affine",
    ),
    Mistake(
        "fresh maps for each n: map i depends on how many are drawn",
        "contraction/maps/draws.py",
        "self.family.draw_block(map_generator(self.seed, i), self.replicas)",
        "self.family.draw_block(map_generator(self.seed + self.n, i), self.replicas)",
        "tests/theory/maps/test_iterates.py::test_a_draw_does_not_depend_on_how_many_are_drawn",
    ),
    Mistake(
        "coordinates independent: a joint law replaced by the product of its marginals (Appendix E)",
        "contraction/statements/appendix_e/coordinates_are_dependent.py",
        "out[x] = (joint, product)",
        "out[x] = (product, product)",
        "tests/theory/statements/appendix_e/test_coordinates_are_dependent.py::test_printed_factorisation_fails",
    ),
    Mistake(
        "noise not frozen on replay: the probe no longer compares",
        "contraction/maps/probe_checks.py",
        "if not equal(saved, again)",
        "if False and not equal(saved, again)",
        "tests/theory/maps/test_iterates.py::test_noise_that_is_not_frozen_is_refused",
    ),
    Mistake(
        "points mixed in a batch: the probe no longer tries stacks",
        "contraction/maps/probe_checks.py",
        "        for shape, chosen in _stacks(x0, operators.family.space.event_ndim):",
        "        for shape, chosen in []:",
        "tests/theory/maps/test_probe.py::test_an_apply_for_one_vector_is_refused_without_batched_false",
    ),
    Mistake(
        "a wrong affine form followed: the probe compares it at zero only",
        "contraction/maps/probe_checks.py",
        "family, x = self.operators.family, np.stack(points).astype(float)",
        "family, x = self.operators.family, 0 * np.stack(points).astype(float)",
        "tests/theory/maps/test_probe_controls.py::test_the_probe_refuses_what_its_mistakes_let_through",
    ),
    Mistake(
        "maps beside the wrong axis: as many starts as maps give wrong rows",
        "contraction/maps/affine.py",
        "return values.reshape(len(values), *(1,) * (ndim - values.ndim), *values.shape[1:])",
        "return values",
        "tests/theory/maps/test_batches_of_starts.py::test_as_many_starts_as_maps_by_hand",
    ),
    Mistake(
        "an h dropped: epsilon for h epsilon in Section 3.1",
        "contraction/families/quadratic.py",
        "return (1 - self.h) * theta + self.h * draw",
        "return (1 - self.h) * theta + draw",
        "tests/theory/maps/test_iterates.py::test_streamed_pair_equals_the_plain_loop",
    ),
    Mistake(
        "bracket with the other sign (Theorem C.2)",
        "contraction/expansions/coefficients.py",
        "return v.differential(theta, (w(theta),)) - w.differential(theta, (v(theta),))",
        "return w.differential(theta, (v(theta),)) - v.differential(theta, (w(theta),))",
        "tests/theory/statements/appendix_c/test_order_difference.py::test_any_two_orders",
    ),
    Mistake(
        "i < j for i > j in the term of T_small (D.1, as the paper prints it)",
        "contraction/expansions/regularisers.py",
        "check_word(range(_count(fields), 0, -1) if word is None",
        "check_word(range(1, _count(fields) + 1) if word is None",
        "tests/theory/statements/appendix_d/test_small_batches.py::test_second_order_of_small_batches",
    ),
    Mistake(
        "a vector-Jacobian product for the Jacobian-vector product",
        "nn_experiments/training/vector_fields.py",
        "return torch.func.jvp(function, (theta,), (v,))[1].detach()",
        "return torch.func.vjp(function, theta)[1](v)[0].detach()",
        "tests/nn/training/test_vector_fields.py::test_a_field_that_is_no_gradient_keeps_its_jvp",
    ),
    Mistake(
        "C updated before g in Corollary C.4",
        "contraction/expansions/streaming.py",
        "            self._g = self._g + previous_start\n            self._remember(previous)\n"
        "            pushed = self._hessian_times(start)\n"
        "            self.correction = self.correction + pushed - self._product(field, self._g)",
        "            self._remember(previous)\n            pushed = self._hessian_times(start)\n"
        "            self.correction = self.correction + pushed - self._product(field, self._g)\n"
        "            self._g = self._g + previous_start",
        "tests/theory/statements/appendix_c/test_streamed_correction.py::test_streams_and_passes_agree",
    ),
    Mistake(
        "batches counted from 0",
        "contraction/expansions/fields.py",
        "not 1 <= i <= available",
        "not 0 <= i <= available",
        "tests/theory/expansions/test_expansions_exact.py::test_words_count_from_one",
    ),
    Mistake(
        "running statistics left behind: a chain goes on with those of the one before it",
        "nn_experiments/engine/kernels/convnet.py",
        "self._put_buffers(state)\n        if self.replaced is None:",
        "pass\n        if self.replaced is None:",
        "tests/nn/engine/test_convnet.py::test_every_iterate_of_every_order[basic-batch-backward]",
    ),
    Mistake(
        "a sign in a compiled kernel that is called from another file",
        "nn_experiments/engine/kernels/blocked.py",
        "x[k] += xp * p[k] + xq * q[k] + xr * r[k] + xs * s[k]",
        "x[k] += xp * p[k] - xq * q[k] + xr * r[k] + xs * s[k]",
        "tests/nn/engine/test_engines.py::test_kernels_equal_the_double_loop_at_every_iterate"
        "[batch of 6-compiled-forward]",
    ),
    Mistake(
        "taps shifted: a convolution on a small image reads the pixel beside the right one",
        "nn_experiments/engine/kernels/im2col.py",
        "before = int(_shape(convolution)[1][axis]) - first",
        "before = int(_shape(convolution)[1][axis])",
        "tests/nn/engine/test_convnet.py::test_every_iterate_of_every_order[bottleneck-batch-backward]",
    ),
    Mistake(
        "chains that were swept along before their time do not start over",
        "nn_experiments/engine/ensemble/wavefront.py",
        "if active < joined and active < swept:",
        "if active > joined and active < swept:",
        "tests/nn/engine/test_resources.py::test_padding_changes_nothing[backward-slow]",
    ),
    Mistake(
        "a tap's gradient goes to the pixel beside the right one",
        "nn_experiments/engine/ensemble/columns.py",
        "first = i * shape.dilation[0], j * shape.dilation[1]",
        "first = i * shape.dilation[0], (shape.taps[1] - 1 - j) * shape.dilation[1]",
        "tests/nn/engine/test_convolutions.py::test_values_and_gradients_are_those_of_one_chain_after_the_other"
        "[2x4x5x4-6 3x3/1+1-products-False]",
    ),
    Mistake(
        "a recorded sweep is replayed on the batch it was recorded with",
        "nn_experiments/engine/ensemble/graphs.py",
        "own_inputs.copy_(inputs)",
        "own_inputs.copy_(own_inputs)",
        "tests/nn/engine/test_graphs.py::test_replayed_sweeps_give_the_double_loops_iterates[backward-wide]",
    ),
    Mistake(
        "every draw trains on the first draw's batches",
        "nn_experiments/engine/ensemble/starts.py",
        "self.draws[which[0]].batches(which[1])",
        "self.draws[0].batches(which[1])",
        "tests/nn/engine/test_starts.py::test_every_start_of_every_draw_is_a_forward_run_by_itself[wide]",
    ),
    Mistake(
        "a reset judged against the first start for ever",
        "nn_experiments/engine/policies.py",
        "start, anchor, best = n, state, value",
        "start, anchor = n, state",
        "tests/nn/runs/test_network_curves.py::test_a_reset_where_the_metric_is_better_by_hand",
    ),
    Mistake(
        "a policy that settles and goes on",
        "nn_experiments/engine/policies.py",
        "stopped = (n, state, segment)",
        "pass",
        "tests/nn/runs/test_network_curves.py::test_stop_when_settled[contracting-True]",
    ),
    Mistake(
        "averaged weights with the batch-norm statistics of others",
        "nn_experiments/engine/batch_norm.py",
        "        if not self.names:\n            return state",
        "        if self.names:\n            return state",
        "tests/nn/runs/test_network_curves.py::test_swa_refreshes_batch_norm_as_torch_does",
    ),
    Mistake(
        "an identity that forgets what a function's closure holds",
        "nn_experiments/runs/fingerprint.py",
        "self.add(cell.cell_contents, where)",
        "str(cell.cell_contents)",
        "tests/nn/runs/test_network_identity.py::test_fingerprints_tell_code_and_data_apart",
    ),
    Mistake(
        "a broken block read as if it had never been computed",
        "nn_experiments/results/blocks.py",
        "            if strict:\n                raise\n",
        "            pass\n",
        "tests/nn/results/test_run_folders.py::test_a_truncated_block_is_named_and_not_left_out",
    ),
    Mistake(
        "moments of noise that underflow taken as they are",
        "contraction/families/noise.py",
        "scaled = None if overridden(self) else self._shifted_and_scaled(about)",
        "return power(self.moment(p, about), 1 / p)",
        "tests/theory/certificates/test_scales.py::test_certified_bounds_of_tiny_noise_scale_with_it",
    ),
    Mistake(
        "a run continued although its step behaves differently",
        "nn_experiments/results/blocks.py",
        "if not _close(now[name], before[name]):",
        "if False:",
        "tests/nn/runs/test_network_identity.py::test_a_step_that_reads_a_file_is_seen_to_behave_differently",
    ),
    Mistake(
        "every seed of a run with the batches of one",
        "nn_experiments/runs/own.py",
        "_with_seed(self.step, seed), _with_seed(self.batches, seed)",
        "_with_seed(self.step, seed), self.batches",
        "tests/nn/runs/test_network.py::test_orders_are_those_of_iterates",
    ),
    Mistake(
        "momentum forgotten by the hand-written kernel",
        "nn_experiments/engine/kernels/flat_state.py",
        'self.memory["velocity"].mul_(rule.momentum).add_(g)',
        'self.memory["velocity"].mul_(0).add_(g)',
        "tests/nn/engine/test_own_networks.py::test_kernels_are_the_step_with_every_optimizer[momentum-relu]",
    ),
    Mistake(
        "gradients of earlier steps unseen in a training function",
        "nn_experiments/training/from_loop.py",
        "    _check_gradients(user, state, batches(1))\n",
        "",
        "tests/nn/training/test_from_loop.py::test_what_cannot_be_replayed_is_refused_with_the_reason[no zero_grad]",
    ),
    Mistake(
        "the second of two steps linearised with the other sign",
        "nn_experiments/orders/brackets.py",
        "None if slope is None else slope + turn[name]",
        "None if slope is None else slope - turn[name]",
        "tests/nn/orders/test_brackets.py::test_closed_form_of_a_quadratic",
    ),
    Mistake(
        "the second of two steps linearised where the first one ends",
        "nn_experiments/orders/brackets.py",
        'here = _Gradient(self.step, batch, after | {"parameters": self.state["parameters"]})',
        "here = _Gradient(self.step, batch, after)",
        "tests/nn/orders/test_brackets.py::test_exact_on_quadratic_losses",
    ),
    Mistake(
        "every test of a law of orders at the level of all",
        "nn_experiments/orders/audit.py",
        "level / number[one[0]]",
        "level",
        "tests/nn/orders/test_audit.py::test_each_law_is_recognised_at_the_stated_rate",
    ),
    Mistake(
        "signs of pairs that overlap",
        "nn_experiments/orders/exact_tests.py",
        "return _ascending(values[:last:2], values[1:last:2])",
        "return _ascending(values[:-1], values[1:])",
        "tests/nn/orders/test_exact_tests.py::test_pairs_are_disjoint_and_take_part_once",
    ),
    Mistake(
        "an audit that leaves a sampler's generators where it has moved them",
        "nn_experiments/orders/recording.py",
        "for restore in restores:",
        "for restore in restores[:1]:",
        "tests/nn/orders/test_audit.py::test_what_is_audited_stays_as_it_was",
    ),
    Mistake(
        "a learning rate changed after from_torch and not seen",
        "nn_experiments/training/own_loop.py",
        "if key not in WITHOUT_EFFECT and not _same(now, before):",
        "if key in WITHOUT_EFFECT and not _same(now, before):",
        "tests/nn/runs/test_own_runs.py::test_a_learning_rate_changed_after_from_torch_is_refused",
    ),
    Mistake(
        "a share that is not shown to be large counts as settled",
        "nn_experiments/diagnosis/rules.py",
        "return self.upper <= SHARE",
        "return self.lower <= SHARE",
        "tests/nn/diagnosis/test_rules.py::test_what_changes_the_word",
    ),
    Mistake(
        "growth without its interval",
        "nn_experiments/diagnosis/rules.py",
        "return derivative[1] > least",
        "return derivative[0] > least",
        "tests/nn/diagnosis/test_rules.py::test_growth_has_to_be_significant",
    ),
    Mistake(
        "growth by jumps that counts as the derivative's",
        "nn_experiments/diagnosis/rules.py",
        "mean_interval(measured.pairs - 2 * measured.derivative, CONFIDENCE)[1] > 0",
        "mean_interval(measured.pairs - 2 * measured.derivative, CONFIDENCE)[2] < 0",
        "tests/nn/diagnosis/test_rules.py::test_what_changes_the_word",
    ),
    Mistake(
        "a number of a row that is an array beside the parameters",
        "contraction/maps/taylor.py",
        "wrap = Intervals if exact else lambda rows: rows.view(Rows)",
        "wrap = Intervals if exact else lambda rows: rows",
        "tests/theory/families/test_own_loss.py::test_a_number_of_a_row_is_one_number_beside_an_array",
    ),
    Mistake(
        "predictions that settle at one lag only",
        "nn_experiments/diagnosis/rules.py",
        'forgotten = all(findings[f"predictions, {name}"].settled',
        'forgotten = any(findings[f"predictions, {name}"].settled',
        "tests/nn/diagnosis/test_rules.py::test_predictions_have_to_settle_at_both_lags",
    ),
    Mistake(
        "a unit of distance that may be as small as rounding",
        "nn_experiments/diagnosis/measured.py",
        "return np.maximum(values[..., INDEPENDENT], FLOOR * values[..., TRAVELLED])",
        "return values[..., INDEPENDENT]",
        "tests/nn/diagnosis/test_rules.py::test_the_unit_has_a_floor",
    ),
    Mistake(
        "targets that torch broadcasts against outputs",
        "nn_experiments/training/calls.py",
        "        if text.startswith(_BROADCAST):",
        "        if text.startswith(_BROADCAST) and not text:",
        "tests/nn/training/test_calls.py::test_broadcast_targets_are_refused",
    ),
    Mistake(
        "a self-check that allows for no magnified rounding",
        "nn_experiments/training/reference.py",
        "[state], [self.limits[t - 1]])",
        "[state])",
        "tests/nn/training/zoo/test_self_check.py::test_comparisons_allow_the_floor_without_another_run",
    ),
    Mistake(
        "attributes taken for global variables of their names",
        "nn_experiments/training/reachable.py",
        'reads = ("LOAD_GLOBAL", "LOAD_NAME")',
        'reads = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_ATTR", "LOAD_METHOD")',
        "tests/nn/training/zoo/test_self_check.py::test_an_attribute_is_not_taken_for_a_global_variable_of_its_name",
    ),
    Mistake(
        "gradients that are not compared where a module works in float32 alone",
        "nn_experiments/training/by_gradients.py",
        "yield self._slope_differs(t, found) or self._update_differs(t, after)",
        "yield self._update_differs(t, after)",
        "tests/nn/training/zoo/test_single_precision.py::test_a_wrong_gradient_is_seen_even_where_adam_magnifies_rounding",
    ),
    Mistake(
        "the ensemble of a network on a GPU not compared on the CPU",
        "nn_experiments/training/self_check.py",
        "[*elsewhere, *references]",
        "references",
        "tests/nn/training/zoo/test_devices.py::test_a_wrong_ensemble_on_one_device_is_refused",
    ),
    Mistake(
        "an exponent that is averaged over one map more than it is divided by",
        "nn_experiments/diagnosis/derivative.py",
        "            if i > from_here:",
        "            if i >= from_here:",
        "tests/nn/diagnosis/test_parts_alone.py::test_the_exponent_is_the_mean_over_the_maps_after_the_first_quarter",
    ),
    Mistake(
        "a tangent that forgets the steps that Adam has missed",
        "nn_experiments/diagnosis/derivative.py",
        'if name.startswith("optimizer/")} | fixed',
        'if name.startswith("optimizer/")}',
        "tests/nn/diagnosis/test_parts_alone.py::test_a_tangent_knows_the_steps_that_adam_has_missed",
    ),
    Mistake(
        "a law that goes on beyond the steps although the rate follows a schedule",
        "nn_experiments/diagnosis/law.py",
        "return self.independent and self.constant",
        "return self.independent",
        "tests/nn/diagnosis/test_parts_alone.py::test_only_a_law_without_schedule_or_epoch_goes_on",
    ),
    Mistake(
        "replicates with the masks of one another",
        "nn_experiments/diagnosis/subject.py",
        "Batch(batch[0], batch[1], i + self.offset) if",
        "Batch(batch[0], batch[1], i) if",
        "tests/nn/diagnosis/test_parts_alone.py::test_shifted_batches_keep_their_own_index",
    ),
    Mistake(
        "predictions in training mode",
        "nn_experiments/diagnosis/subject.py",
        "copy.deepcopy(model).eval()",
        "copy.deepcopy(model)",
        "tests/nn/diagnosis/test_parts_alone.py::test_predictions_are_those_of_evaluation",
    ),
    Mistake(
        "a path that goes on from an iterate which later ones do not lead through",
        "nn_experiments/engine/plan.py",
        "earliest is not None and earliest >= segment.n",
        "earliest is not None",
        "tests/nn/runs/test_unfinished.py::test_all_later_iterates_lead_through_a_bottleneck",
    ),
    Mistake(
        "a path that another program has begun is gone on with",
        "nn_experiments/runs/unfinished.py",
        'fits = kept["maker"] == dict(self.maker) and reached.n in passages',
        "fits = reached.n in passages",
        "tests/nn/runs/test_unfinished.py::test_a_file_that_does_not_fit_is_not_used",
    ),
    Mistake(
        "a path that keeps the iterate before the one that was measured",
        "nn_experiments/runs/job.py",
        """            newest["state"] = state
            yield n, state, segment
""",
        """            newest.setdefault("state", state)
            yield n, state, segment
            newest["state"] = state
""",
        "tests/nn/runs/test_unfinished.py::test_a_stopped_path_goes_on_bit_by_bit",
    ),
)


def _copy(folder: Path) -> None:
    for name in COPIED:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(
                source, target, ignore=shutil.ignore_patterns("__pycache__", "*.vo*", "*.glob", ".hypothesis")
            )
        elif source.exists():
            shutil.copy2(source, target)
    tree.compile_sources(folder)


def _pytest(folder: Path, tests: list[str], *, compile_anew: bool = False) -> tree.Job:
    """Start some tests in a copy, in a process of their own."""
    return tree.start(folder, tests, lambda _: [], lambda _: SECONDS, SECONDS, compile_anew=compile_anew)


def _said(job: tree.Job, tests: list[str]) -> tuple[bool, str]:
    """Return whether the tests of a job that has ended passed, and what they printed; raise if they could not run."""
    output, status = job.output, job.returncode
    job.forget()
    if status not in (0, 1):
        raise RuntimeError(f"{' '.join(tests)} could not be run (pytest's status is {status}):\n{output}")
    return status == 0, output


class _Trial:
    """A mistake in a copy, and its test, which runs in a process of its own; the copy is as before at the end."""

    def __init__(self, mistake: Mistake, folder: Path) -> None:
        self.mistake, self.folder, self._path = mistake, folder, folder / mistake.file
        self._text = self._path.read_text(encoding="utf-8")
        if self._text.count(mistake.old) != 1:
            raise ValueError(
                f"{mistake.file} has the text of {mistake.name!r} {self._text.count(mistake.old)} times, and it must "
                "have it once: tests/mistakes.py needs an update"
            )
        self._path.write_text(self._text.replace(mistake.old, mistake.new), encoding="utf-8")
        self._job = _pytest(folder, [mistake.test], compile_anew=mistake.file.startswith(tree.KERNELS))

    def look(self) -> bool | None:
        """Return whether the mistake was caught, or None while its test runs."""
        if not self._job.look():
            return None
        self._path.write_text(self._text, encoding="utf-8")
        if self._job.hung:
            self._job.forget()
            return True
        return not _said(self._job, [self.mistake.test])[0]

    def stop(self) -> None:
        """End the test of a mistake that nobody waits for any more."""
        self._job.stop()
        self._job.forget()


def caught(chosen: Sequence[Mistake], folders: Sequence[Path], say: Callable[[str], None] = print) -> int:
    """Make every mistake in one of the copies, say which are caught as their tests end, and return their number."""
    waiting, free, running = list(chosen), list(folders), []
    count = 0
    try:
        while waiting or running:
            while waiting and free:
                running.append(_Trial(waiting.pop(0), free.pop()))
            for trial in list(running):
                if (found := trial.look()) is not None:
                    running.remove(trial)
                    free.append(trial.folder)
                    count += found
                    result = "caught" if found else "NOT CAUGHT"
                    say(f"{result:<12} {trial.mistake.name}\n{'':<12} by {trial.mistake.test}")
            time.sleep(0.02)
    finally:
        for trial in running:
            trial.stop()
    return count


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mistakes",
        description=f"Make {len(MISTAKES)} deliberate mistakes, one at a time, each in a copy of the project, and run "
        "the named test that must catch it. Without options all of them are made, which takes many minutes. The exit "
        "status is 0 if every mistake is caught.",
    )
    parser.add_argument(
        "--only", metavar="TEXT", help="make only mistakes whose name, file or test contains TEXT (default: all)"
    )
    parser.add_argument("--list", action="store_true", help="print the mistakes with their tests, and run nothing")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the named tests on the true code, then each on its mistake; return 0 if all are caught."""
    parser = _arguments()
    asked = parser.parse_args(argv)
    chosen = [m for m in MISTAKES if asked.only is None or any(asked.only in text for text in (m.name, m.file, m.test))]
    if not chosen:
        parser.error(f"no mistake has {asked.only!r} in its name, file or test; --list prints them all")
    if asked.list:
        for mistake in chosen:
            print(f"{mistake.name}\n    in {mistake.file}\n    by {mistake.test}")
        return 0
    tests = sorted({m.test for m in chosen})
    tree.preload()
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / f"copy-{k}" for k in range(min(os.cpu_count() or 1, len(chosen)))]
        for folder in folders:
            _copy(folder)
        job = _pytest(folders[0], tests)
        while not job.look():
            time.sleep(0.02)
        passed, output = _said(job, tests)
        if not passed:
            print(f"the named tests must pass on the true code:\n{output}")
            return 1
        count = caught(chosen, folders)
    print(f"\n{count} of {len(chosen)} mistakes caught")
    return 0 if count == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
