"""Studies from end to end at a small size: resumed, written, judged, tabulated and drawn."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from nn_experiments import load
from nn_experiments.analysis.one_law import law_tests, one_law_findings, variance_share
from nn_experiments.analysis.settling_studies import atlas_findings, optimizer_findings, rates, rows, settling_table
from nn_experiments.analysis.study_findings import study_findings
from nn_experiments.cli import main
from nn_experiments.report.studies import STUDY_TITLES, draw_study, study_table
from nn_experiments.results.studies import Study, find_studies, load_study, resumed, study_path
from nn_experiments.studies import baselines, conjectures, coupled, influence, one_law, quadratics, settling
from nn_experiments.studies.bank import Bank, join
from nn_experiments.studies.certified import certificate
from nn_experiments.studies.run import STUDIES, run_study
from nn_experiments.studies.setting import Setting

RESULTS = Path(__file__).parents[3] / "results"
RIDGE = Setting(name="ridge", data="digits-halves", weight_decay=0.5, learning_rate=0.05, group="certified")
NOISY = Setting(
    name="noisy", data="least-squares-4x6", loss="mse", learning_rate=0.3, batch_size=1, label_noise=0.3, group="ls"
)
NETWORK = Setting(name="network", data="digits", hidden=(8,), learning_rate=0.05, group="network")


@pytest.fixture(scope="module")
def atlas(tmp_path_factory) -> Study:
    out = tmp_path_factory.mktemp("atlas")
    return settling.run("atlas", out, seeds=3, settings=(RIDGE, NOISY, NETWORK), steps=480)


def test_a_study_is_resumed_bitwise(tmp_path):
    """Parts are kept; what a stopped run has is not computed again, and changed settings are."""
    made = []

    def make() -> dict[str, np.ndarray]:
        made.append(1)
        return {"a": np.arange(3.0)}

    path = tmp_path / "part.npz"
    first = resumed(path, {"seeds": [0]}, make)
    again = resumed(path, {"seeds": [0]}, make)
    assert len(made) == 1
    assert np.array_equal(first["a"], again["a"])
    resumed(path, {"seeds": [1]}, make)
    path.write_bytes(b"broken")
    resumed(path, {"seeds": [1]}, make)
    assert len(made) == 3
    with pytest.raises(ValueError, match="does not hold the results of a study"):
        load_study(tmp_path)


def test_increments_are_the_law_of_the_backward_ones(atlas):
    """The identity in law: backward iterates N/2 and N/2 + 1, made themselves, against forward runs one step apart.

    Three replicates' means of logarithms differ by chance; for the ridge they are within a factor of 2 of each other
    (the replicates' own spread is a factor of 1.3 here), against the factor 400 that one half of the run makes.
    """
    runs, n = list(atlas.about["runs"]), atlas["n"][0]
    middle = int(np.searchsorted(n, n[-1] / 2))
    forward = atlas["parameter"][0, :, middle, runs.index("1 ahead")]
    backward = atlas["backward_parameter"][0, :, 1]
    assert abs(np.log(forward).mean() - np.log(backward).mean()) < np.log(2)
    ends = atlas["parameter"][0, :, -1, runs.index("1 ahead")]
    assert (forward / ends > 20).all()


def test_certified_settings_keep_their_bound_and_settle(atlas):
    ridge, noisy, network = rows(atlas)
    assert ridge.backward == {"settles": 3}
    assert "settles" not in ridge.forward
    assert ridge.last_increment <= ridge.bound
    assert noisy.backward == {"settles": 3}
    bank = Bank(NOISY, range(3))  # off the span of its data no map moves anything: starts stay apart there
    data = torch.cat([bank.inputs, torch.ones(4, 1, dtype=torch.float64)], 1)
    apart = (bank.start().theta - bank.start("second start").theta)[:, 0]
    apart = (apart - apart @ torch.linalg.pinv(data) @ data).norm(dim=-1)
    ends = atlas["parameter"][1, :, -1, atlas.about["runs"].index("other start")]
    assert ends == pytest.approx(apart.numpy(), rel=0.05)
    assert (apart > 0.1).all()
    assert np.isnan(noisy.bound)
    assert "settles" not in network.backward
    found = {row.topic: row for row in atlas_findings(atlas)}
    assert found["Where the theorem applies"].verdict == "agrees"
    assert "backward in 2 of 3, forward in 0" in found["Where training settles: parameters"].verdict
    header, lines = settling_table(atlas)
    assert len(lines) == 3
    assert all(len(line) == len(header) for line in lines)
    assert (atlas["predicted_at"] < atlas["measured_at"]).all()


@pytest.mark.control
def test_an_increment_above_its_bound_is_a_defect(atlas):
    wrong = dict(atlas.arrays) | {"displacement": atlas["displacement"] / 1e3}
    found = {row.topic: row for row in atlas_findings(Study("atlas", wrong, atlas.about))}
    assert found["Where the theorem applies"].verdict == "rejected: a defect"


def test_the_certificate_is_that_of_every_single_datum():
    """k and D against the maps themselves, one datum at a time."""
    setting = dataclasses.replace(RIDGE, batch_size=1)
    known = certificate(setting, range(2))
    assert known is not None
    k, displacement = known
    bank = Bank(setting, range(2))
    start, second = bank.start(), bank.start("second start")
    farthest = torch.zeros(2, dtype=torch.float64)
    for i in range(0, len(bank.inputs), 7):
        batch = (bank.inputs[i].expand(2, 1, 1, -1), bank.targets[i].expand(2, 1))
        one, other = bank.at(start.theta), bank.at(second.theta)
        before = (one.theta - other.theta).norm(dim=-1)[:, 0]
        bank.step(one, batch)
        bank.step(other, batch)
        assert ((one.theta - other.theta).norm(dim=-1)[:, 0] <= k * before * (1 + 1e-12)).all()
        farthest = torch.maximum(farthest, (one.theta - start.theta).norm(dim=-1)[:, 0])
    assert (farthest.numpy() <= displacement * (1 + 1e-12)).all()
    assert (farthest.numpy() > 0.8 * displacement).all()  # a seventh of the data comes near the largest
    assert certificate(dataclasses.replace(setting, weight_decay=0.0), range(2)) is None
    assert certificate(dataclasses.replace(setting, hidden=(3,)), range(2)) is None
    assert certificate(dataclasses.replace(setting, learning_rate=5.0), range(2)) is None  # k is above 1


def test_the_exponent_of_a_linear_contraction_is_known():
    """Least squares on one datum: every map is the same, I − 2h x̃x̃ᵀ − hμ; a random direction shrinks at 1 − hμ."""
    setting = Setting(
        name="one", data="least-squares-1x3", loss="mse", learning_rate=0.1, weight_decay=0.2, batch_size=1
    )
    growth = coupled.exponents(setting, range(3), 960)
    half = growth.shape[1] // 2
    rate = (growth[:, -1] - growth[:, half]) / 480
    assert rate == pytest.approx(np.full(3, np.log(1 - 0.02)), rel=1e-6)


def test_the_growth_of_a_difference_does_not_count_how_far_the_parameters_have_come():
    """Least squares: the difference is the product of I − h H_i applied to the first one, however long θ has grown.

    The parameters grow, so that a growth relative to their length would be off by more than 0.05; the rounding of
    differences of 1e-7 leaves less than 1e-6 a step.
    """
    setting = Setting(
        name="long", data="least-squares-20x4", loss="mse", learning_rate=0.02, weight_decay=0.0, batch_size=2
    )
    steps, seeds = 96, (0, 1, 2)
    growth = coupled.exponents(setting, seeds, steps)
    bank = Bank(setting, seeds)
    chains = join([bank.start(), bank.start()])
    coupled._near(chains, bank, 0, 1)
    first = chains.theta[:, 1] - chains.theta[:, 0]
    moved = join([bank.start(), bank.start()])
    moved.theta[:, 1] += 1e3 * first / first.norm(dim=-1, keepdim=True)  # quadratics: any distance has the same growth
    begun = (moved.theta[:, 1] - moved.theta[:, 0]).norm(dim=-1)
    length = moved.theta[:, 0].norm(dim=-1)
    expected = []
    for n in bank.forward(moved, range(steps + 1)):
        if n in coupled.grid(steps):
            expected.append(torch.log((moved.theta[:, 1] - moved.theta[:, 0]).norm(dim=-1) / begun))
    grown = torch.log((1 + moved.theta[:, 0].norm(dim=-1)) / (1 + length))
    assert (grown > 0.05).all()
    np.testing.assert_allclose(growth, torch.stack(expected, 1).numpy(), rtol=0, atol=steps * 1e-6)


def test_rates_end_where_rounding_begins():
    n = np.arange(0, 1001, 100)
    increment = np.maximum(np.exp(-0.05 * n), 1e-16)[None]
    exponent, rate = rates(n, increment, np.ones((1, 11)), (-0.05 * n)[None])
    assert rate == pytest.approx(-0.05)
    assert exponent == pytest.approx(-0.05)


def test_one_law_is_not_contradicted_and_its_control_is_seen(tmp_path):
    """Ten seeds give no p-value below 2/1024, which is above 0.05/33: they cannot reject. Backward at 1.2 n differs on
    every seed in the training loss and the norm, which training moves; a gross shift is seen by the energy distance."""
    setting = Setting(name="small", data="digits", hidden=(8,), learning_rate=0.1)
    study = one_law.run(tmp_path, seeds=10, steps=200, every=10, setting=setting)
    assert study["values"].shape == (10, 2, 21, 5)
    assert np.array_equal(study["values"][:, 0, 0], study["values"][:, 1, 0])  # iterate 0 is θ_0 in both orders
    tests = law_tests(study)
    assert tests.seeds == 10
    assert tests.level == pytest.approx(0.05 / 33)
    assert min(tests.mean.min(), tests.spread.min(), tests.energy.min()) > tests.level
    losses = [study.about["metrics"].index(name) for name in ("train_loss", "norm")]
    assert tests.control[1:, losses].max() <= 2 / 1024  # at the first quarter training has hardly begun
    one, *paths = one_law_findings(study)
    assert one.verdict == "equal in law (proved); not contradicted"
    assert "10 seeds" in one.measured
    assert all("Share of the variance" in row.measured for row in paths)
    shifted = dict(study.arrays) | {"logits": study["logits"].copy()}
    shifted["logits"][:, 1] += 5
    assert law_tests(Study("one-law", shifted, study.about)).energy.max() <= 2 / 1024 + 5e-4


def test_the_share_of_variance_of_paths_that_never_and_always_move():
    rng = np.random.default_rng(0)
    level, noise = rng.standard_normal((400, 1)), rng.standard_normal((400, 50))
    trend = np.linspace(3, 0, 50)
    values = np.stack([noise, level * np.ones(50)], 1) + trend  # one law at each n: normal, of deviation 1
    forward, backward = variance_share(values)
    assert forward == pytest.approx(1, abs=0.05)
    assert backward < 0.01  # the common mean that is taken out has a variance of 1/800 of its own


def test_influence_is_a_plain_exchange_and_keeps_the_bound(tmp_path):
    study = influence.run(tmp_path, seeds=2, steps=48, settings=(RIDGE,))
    bank = Bank(RIDGE, range(2))
    for place in (0, 4, len(study["j"]) - 1):
        j = int(study["j"][place])
        ends = []
        for changed in (False, True):
            chains = bank.start()
            for i in range(48, 0, -1):
                bank.step(chains, bank.batch(i, "other batch" if changed and i == j else "batch"))
            ends.append(chains.theta[:, 0])
        expected = (ends[0] - ends[1]).norm(dim=-1).numpy()
        assert study["parameter"][0][:, place] == pytest.approx(expected, rel=1e-6, abs=1e-13)
    found = {row.topic: row for row in study_findings(study)}
    assert found["The influence bound"].verdict == "agrees"
    wrong = dict(study.arrays) | {"factor": study["factor"] - 0.1}
    found = {row.topic: row for row in study_findings(Study("influence", wrong, study.about))}
    assert found["The influence bound"].verdict == "rejected: a defect"


def test_strategies_spend_the_same_and_are_what_they_say(tmp_path):
    study = conjectures.run(tmp_path, seeds=1, budget=420, runs=2)
    names, steps = list(study.about["strategies"]), study["steps"]
    assert (study["gradients"] <= 420).all()
    assert (study["gradients"] > 380).all()
    assert steps[names.index("forward")] == 420
    assert steps[names.index("windows")] == 40
    bank = Bank(conjectures.SETTING, (0,), dtype=torch.float32)
    curves = conjectures._Curves(bank)
    full = int(steps[names.index("backward")])
    expected = curves.numbers(bank.backward([full]).theta)[0, 0].numpy()
    assert study["curves"][names.index("backward"), 0, -1] == pytest.approx(expected, rel=1e-5)
    plain = bank.start()
    for i in (*range(20, 0, -1), *range(40, 20, -1)):  # two windows: batches 1 to 20 backward, then 21 to 40
        bank.step(plain, bank.batch(i))
    second = plain.theta
    assert study["curves"][names.index("windows"), 0, -1] == pytest.approx(
        curves.numbers(second)[0, 0].numpy(), rel=1e-5
    )
    chains, rates = bank.start(), conjectures.SETTING.learning_rate
    for n in range(1, 421):
        chains.theta -= rates * (1 - (n - 1) / 420) * bank.gradient(chains.theta, bank.batch(n))
    decayed = curves.numbers(chains.theta)[0, 0].numpy()
    assert study["curves"][names.index("decay to 0"), 0, -1] == pytest.approx(decayed, rel=1e-4)
    assert study["judged"].shape == (3, 2, 2, 2)
    assert [row.topic for row in study_findings(study)][-1] == "Early judgement"


def test_forward_is_the_record_and_averages_are_what_they_say(tmp_path):
    """Figure 4's start, batches and losses, to float32's rounding; the averages against a plain loop."""
    curves = load("fig4", out=RESULTS)
    study = baselines.run(tmp_path, seeds=2, figures=("fig4",), steps=60)
    at = list(curves.iterates).index(60)
    for seed in (0, 1):
        own = [curves[name][seed, curves.orders.index("forward"), at] for name in ("train_loss", "test_loss")]
        assert study["fig4"][seed, 0, :2] == pytest.approx(own, rel=1e-4)
    setting, _ = baselines.EXPERIMENTS["fig4"]
    bank = Bank(setting, (0,), dtype=torch.float32)
    chains, decayed = bank.start(), bank.start().theta
    path = []
    for n in range(1, 61):
        bank.step(chains, bank.batch(n))
        path.append(chains.theta.clone())
        decayed = decayed - 0.05 * (1 - (n - 1) / 60) * bank.gradient(decayed, bank.batch(n))
    weights = 0.01 * 0.99 ** np.arange(59, -1, -1)
    average = sum(float(w) * theta for w, theta in zip(weights, path, strict=True)) + 0.99**60 * bank.start().theta
    for way, theta in ((1, average), (2, torch.stack(path[30:]).mean(0)), (3, decayed)):
        loss, _ = bank.judge(bank.outputs(theta))
        assert study["fig4"][0, way, 1] == pytest.approx(float(loss), rel=1e-4)
    (row,) = study_findings(study)
    assert row.topic == "One end value: Figure 4"
    assert row.verdict.endswith("of 2 seeds: too few to tell")


def test_quadratics_against_their_closed_forms():
    """The numbers of the theory's own notes: ‖M‖ 1.88, ρ .949; exponents −.09, +.06 and +.245 at κ = 8, 12 and 25."""
    M = quadratics.heavy_ball(0.5, 0.9, 1.0)
    assert np.linalg.norm(M, 2) == pytest.approx(1.88, abs=0.005)
    radius = np.sqrt(0.9)  # complex eigenvalues: their product is β
    assert np.abs(np.linalg.eigvals(M)).max() == pytest.approx(radius)
    assert radius < quadratics.weighted_norm(M, (1 + radius) / 2) < 1
    with pytest.raises(ValueError, match="above the spectral radius"):
        quadratics.weighted_norm(M, 0.9)
    limit = 2 * (1 + 0.9) / 3.0  # stable for h below this at λ = 3
    for h, stable in ((limit - 0.01, True), (limit + 0.01, False)):
        assert (np.abs(np.linalg.eigvals(quadratics.heavy_ball(h, 0.9, 3.0))).max() < 1) == stable
    pair = np.stack([quadratics.heavy_ball(1 / 9, 4 / 9, curvature) for curvature in (1.0, 25.0)])
    assert np.abs(np.linalg.eigvals(pair)).max() == pytest.approx(2 / 3)
    assert np.abs(np.linalg.eigvals(pair[1] @ pair[0])).max() == pytest.approx(4 / 3 * (1 + 2 * np.sqrt(2) / 3))
    rate, error = quadratics.top_exponent(pair, steps=4000)
    assert abs(rate - 0.245) < 6 * error + 5e-4
    assert quadratics.adam_amplitude(1e-4, steps=12_000) < 1e-6  # ε above the threshold 2.63e-5
    assert quadratics.adam_amplitude(1.3e-5, steps=12_000) > 1e-5  # and below
    assert quadratics.sign_parity(n=12, seeds=20) >= 1


def test_every_study_can_be_told_and_drawn(atlas, tmp_path):
    assert set(STUDIES) == set(STUDY_TITLES)
    study = Study("optimizers", atlas.arrays, atlas.about)
    assert next(row.sentence for row in optimizer_findings(study)).startswith("Note that backward optimization can")
    for one in (atlas, study):
        pictures = draw_study(one)
        assert len(pictures) == 2
        assert study_table(one)[1]
    with pytest.raises(ValueError, match="no study 'nothing'; the known ones are one-law"):
        study_findings(Study("nothing", {}, {}))
    with pytest.raises(ValueError, match="no study 'nothing'"):
        run_study("nothing", tmp_path)
    with pytest.raises(ValueError, match="seeds must be at least 1"):
        run_study("one-law", tmp_path, seeds=0)


def test_the_commands(tmp_path, capsys):
    assert main(["study"]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("one-law: ")
    assert main(["study", "quadratics", "--seeds", "2", "--out", str(tmp_path)]) == 0
    path = study_path("quadratics", tmp_path)
    assert capsys.readouterr().out == f"{path}\n"
    assert [study.name for study in find_studies([tmp_path])] == ["quadratics"]
    page = tmp_path / "page.html"
    words = ["report", "--no-theory", "--out", str(tmp_path), "--results", str(tmp_path), "--page", str(page)]
    assert main(words) == 0
    text = page.read_text()
    assert "Study: optimizers on quadratics, exactly" in text
    assert "study quadratics: Heavy ball with additive noise: agrees, in a weighted norm" in text
    assert main(["study", "nothing", "--out", str(tmp_path)]) == 2
