"""What the page to play with draws, read from a real browser, is what `ct.iterates` computes for the same draws."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import contraction as ct
from contraction.families import ConstantMaps, QuadraticSGD, Uniform
from contraction.report.html import Section, compose
from contraction.report.play import DRAWS, LENGTHS, draws, epochs, fern, network, play_html

EPS = 2.0**-52
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no browser: chromium is not installed")

START = (0.9, -1.3, 0.6, 0.2, 0.5, -0.4, 0.7, -0.8, 1.1, 0.0)

#: Applies settings through the controls, as a user does, and leaves the coordinates of all curves in the page.
DRIVER = """
<pre id="found"></pre><script>
const settings = SETTINGS, root = document.getElementById("play-page"), form = root.querySelector("form");
const set = (node, value) => { node.value = value; node.dispatchEvent(new Event("input", { bubbles: true })); };
const pointsOf = (node) =>
  node.tagName === "path" ? node.getAttribute("d").slice(1, -2).split("h0M") : node.getAttribute("points").split(" ");
const curves = (box) => Object.fromEntries([...root.querySelectorAll(box + " polyline, " + box + " path")].map(
  (node) => [node.classList[node.classList.length - 1], pointsOf(node)]));
const found = settings.map((s) => {
  if (s.link !== undefined) { location.hash = s.link; window.dispatchEvent(new HashChangeEvent("hashchange")); }
  else {
    set(root.querySelector("#play-family"), s.family);
    for (const name of ["draw", "h", "noise", "n", "w"]) set(root.querySelector("#play-" + name), s[name]);
    for (const box of form.querySelectorAll("input[type=checkbox]"))
      if (box.checked !== s.orders.includes(box.name)) box.click();
  }
  return { path: curves(".play-path"), distance: curves(".play-distance"),
    text: root.querySelector(".play-certificate").textContent,
    rows: [...root.querySelectorAll("tbody tr")].map((row) => [...row.cells].map((cell) => cell.textContent)),
    link: root.querySelector(".play-link").getAttribute("href") };
});
const unlabelled = [...form.querySelectorAll("input, select")].filter((node) => node.labels.length !== 1).length;
document.getElementById("found").textContent = JSON.stringify({ found, unlabelled });
</script>"""


@dataclass(frozen=True)
class Case:
    """Settings of the page, and the family that they stand for."""

    family: str
    make: Callable[[], ct.RandomOperator]
    start: tuple[float, ...]
    n: int = 120
    h: float = 0.1
    noise: float = 1.0
    w: int = 20
    draw: int = 0
    certified: bool = True

    def settings(self) -> dict:
        names = ("family", "n", "h", "noise", "w", "draw")
        return {name: getattr(self, name) for name in names} | {"orders": [*self.orders()]}

    def orders(self) -> dict[str, ct.orders.Order]:
        return {
            "forward": ct.Forward(),
            "backward": ct.Backward(),
            "windowed": ct.Windowed(self.w),
            "late": ct.Late(self.w),
        }


CASES = {
    "constant": Case("constant", lambda: ConstantMaps([0, 1]), (0.5,), n=40, w=3, draw=1),
    "quadratic": Case("quadratic", lambda: QuadraticSGD(0.1, Uniform(-1, 1)), (1.0,)),
    "quadratic, large h": Case("quadratic", lambda: QuadraticSGD(1.9, Uniform(-2, 2)), (1.0,), h=1.9, noise=2, draw=2),
    "expanding": Case("quadratic", lambda: QuadraticSGD(2.1, Uniform(-1, 1)), (1.0,), n=60, h=2.1, certified=False),
    "fern": Case("fern", fern, (0.0, 0.0), n=100),
    "epochs": Case("epochs", lambda: epochs(0.3, 1.5), (1.0,), h=0.3, noise=1.5, w=7),
    "network": Case("network", lambda: network(0.1, 0.5, 0.0), START, n=60, noise=0.5, certified=False),
    "decayed": Case("decayed", lambda: network(0.2, 1.0, 0.3), START, n=40, h=0.2, certified=False, draw=1),
}


def output(theta: np.ndarray) -> np.ndarray:
    """The network's output at x = 1/2."""
    return (theta[..., 6:9] * np.tanh(theta[..., :3] * 0.5 + theta[..., 3:6])).sum(-1) + theta[..., 9]


def rounding(case: Case, order: ct.orders.Order, size: float) -> np.ndarray:
    """Bound, for every n, the distance of two computations of iterate n that round in every map.

    One map is off by at most 100 eps times the largest number met (fewer than 50 operations, tanh, h and noise
    rounded, in each of the two), and the next one spreads what is there by its derivative at the point, by central
    differences; a factor of 2 covers the terms of second order and the error of the differences.
    """
    operators = case.make().sample(case.n, DRAWS[case.draw])
    rows, off = [np.array(case.start)], [0.0]
    steps = 1e-6 * np.eye(len(case.start))
    for n in range(1, case.n + 1):
        theta, error = rows[order.anchor(n)], off[order.anchor(n)]
        for i in reversed(order.word(n)):
            ends = operators.apply(i, np.concatenate([theta + steps, theta - steps]))
            J = (ends[: len(steps)] - ends[len(steps) :]) / 2e-6
            theta, error = operators.apply(i, theta), error * np.linalg.norm(J, 2) + 100 * EPS * size
        rows.append(theta)
        off.append(error)
    return 2 * np.array(off)


def browse(settings: list[dict], folder: Path, page: str | None = None) -> dict:
    """Open the page, apply the settings in turn, and return what is drawn."""
    text = compose([Section("play", "Play", page or play_html())])
    driver = DRIVER.replace("SETTINGS", json.dumps(settings))
    file = folder / "play.html"
    file.write_text(text.replace("</body>", f"{driver}</body>"), encoding="utf-8")
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    done = subprocess.run([*command, "--dump-dom", file.as_uri()], capture_output=True, text=True, check=True)
    match = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.S)
    assert match, done.stderr
    assert match[1], "the script of the page failed"
    return json.loads(html.unescape(match[1]))


def numbers(points: list[str]) -> np.ndarray:
    return np.array([[float(x) for x in point.split(",")] for point in points])


def compare(case: Case, found: dict, called: dict[str, str] | None = None) -> None:
    """Compare every curve with the iterates of the order of its name; ``called`` takes another order for a name."""
    operators = case.make().sample(case.n, DRAWS[case.draw])
    far = case.make().sample(LENGTHS["network" if not case.certified else case.family][1], DRAWS[case.draw])
    assert set(found["path"]) == set(case.orders())
    for name in case.orders():
        order = case.orders()[(called or {}).get(name, name)]
        rows = ct.iterates(operators, np.array(case.start), order)
        path, shown = numbers(found["path"][name]), rows
        size = 1 + np.abs(rows).max() + case.noise
        allowed = rounding(case, order, size)
        off = allowed.copy()
        if case.family in ("network", "decayed"):
            path, shown = path[:, 1:], output(rows)[:, None]
            allowed *= 2 + 1.2 * np.linalg.norm(np.abs(rows[:, 6:9]).max(0))  # |∇f(1/2)| <= √(4 + 5|v|²/4)
            allowed += 100 * EPS * size  # of f itself
        elif case.family != "fern":
            path = path[:, 1:]
        assert path.shape == shown.shape
        assert np.all(np.abs(path - shown) <= allowed[:, None])
        distance = numbers(found["distance"][name])
        if case.certified:
            values = np.linalg.norm(rows - ct.backward_iterates(far, np.array(case.start), at=[len(far)])[-1], axis=1)
        elif case.family == "quadratic":
            values = np.abs(np.diff(rows[:, 0]))
        else:
            values = np.linalg.norm(np.diff(rows, axis=0), axis=1)
        at = distance[:, 0].astype(int)
        assert set(np.flatnonzero(values > 1e-15 + 2 * off[-1])) <= set(at)  # nothing above rounding is left out
        assert np.all(np.abs(10 ** distance[:, 1] - values[at]) <= 2 * off.max() + 8 * EPS * values[at] + 1e-15)
    if case.certified:
        bound = numbers(found["distance"]["bound"])
        at = bound[:, 0].astype(int)
        claimed = ct.certify(case.make(), np.array(case.start)).bound(at)
        assert len(at) >= 1
        # k carries a few roundings, which the power multiplies by n; the logarithm is rounded too
        assert np.all(np.abs(10 ** bound[:, 1] / claimed - 1) <= 16 * EPS * (at + 16))
        assert "Certificate (Theorem 2.2)" in found["text"]
    else:
        assert "bound" not in found["distance"]
        assert found["text"].startswith("No certificate: ")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> dict:
    settings = [case.settings() for case in CASES.values()]
    return browse(settings, tmp_path_factory.mktemp("browser"))


@needs_browser
@pytest.mark.parametrize("name", CASES)
def test_every_curve_is_that_of_the_iterates(name: str, drawn: dict) -> None:
    compare(CASES[name], drawn["found"][list(CASES).index(name)])


@needs_browser
@pytest.mark.control
@pytest.mark.parametrize("name", CASES)
def test_orders_that_are_exchanged_are_noticed(name: str, drawn: dict) -> None:
    for one, other in (("forward", "backward"), ("windowed", "backward"), ("late", "forward")):
        with pytest.raises(AssertionError):
            compare(CASES[name], drawn["found"][list(CASES).index(name)], {one: other, other: one})


@needs_browser
@pytest.mark.control
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("for (let i = n; i > from; i--)", "for (let i = from + 1; i <= n; i++)"),  # the innermost map last
        ("h * (Math.abs(theta) + noise)", "h * noise"),  # D of the certificate
        ("return n > w ? w : n - 1;", "return n >= w ? w - 1 : n - 1;"),
        ("h * noise * draws[i - 1]", "h * noise * draws[i]"),
    ],
)
def test_a_script_with_a_mistake_is_noticed(right: str, wrong: str, tmp_path: Path) -> None:
    page = play_html()
    assert page.count(right) == 1
    case = CASES["quadratic"]
    (found,) = browse([case.settings()], tmp_path, page.replace(right, wrong))["found"]
    with pytest.raises(AssertionError):
        compare(case, found)


@needs_browser
def test_every_control_has_a_label_and_a_link_restores_the_settings(drawn: dict, tmp_path: Path) -> None:
    assert drawn["unlabelled"] == 0
    first = drawn["found"][list(CASES).index("epochs")]
    (again,) = browse([{"link": first["link"]}], tmp_path)["found"]
    assert again == first


@needs_browser
def test_numbers_in_the_table_are_the_last_of_the_curves(drawn: dict) -> None:
    found = drawn["found"][list(CASES).index("quadratic")]
    for name, iterate, distance in found["rows"]:
        for text, curve in ((iterate, "path"), (distance, "distance")):
            last = numbers(found[curve][name])[-1, 1]
            value = float(text.replace("−", "-"))
            assert value == pytest.approx(last if curve == "path" else 10**last, rel=5.1e-3)


def test_draws_are_those_of_the_families() -> None:
    assert draws("quadratic", 1)[:3] == [
        float(QuadraticSGD(1.0, Uniform(-1, 1)).draws(3, 1, None)[i][0]) for i in range(3)
    ]
    with pytest.raises(KeyError, match="no choice is called 'x'"):
        draws("x", 0)
    assert all(len(draws(name, 2)) == LENGTHS[name][1] for name in LENGTHS)
    epoch = draws("epochs", 0)
    assert all(sorted(epoch[i : i + 6]) == [*range(6)] for i in range(0, 996, 6))
