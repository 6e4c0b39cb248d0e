"""The kinds of curves, with the form of their names and their labels in legends."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["KINDS", "Kind"]


class Kind(NamedTuple):
    """The form of the names of a kind, and its label in legends."""

    form: str
    label: str


#: Every kind of curve, in the order in which curves are listed.
KINDS = {
    "forward": Kind("forward", "forward"),
    "backward": Kind("backward", "backward"),
    "reset": Kind("reset-P[-P…]", "backward, reset at {}"),
    "late": Kind("late-S", "backward from step {}"),
    "windowed": Kind("windowed-W", "backward in windows of {}"),
    "polyak": Kind("polyak", "Polyak average of forward"),
    "ema": Kind("ema-BETA", "moving average of forward ({})"),
    "decayed": Kind("decayed-TAU", "forward, decayed rate (τ = {})"),
    "large": Kind("large", "large"),
    "small": Kind("small", "small"),
    "regularised": Kind("regularised-MULTIPLE[-h|-hc|-derived[-h|-hc]]", "regularised, {}"),
    "single_order": Kind("single_order-MULTIPLE[-h|-hc|-derived[-h|-hc]]", "term of one order, {}"),
    "suffix_mean": Kind("suffix_mean-START", "mean of the forward iterates after {}"),
    "swa": Kind("swa-START-EVERY-REFRESH", "SWA of forward ({})"),
    "reset_if_better": Kind("reset_if_better-METRIC-EVERY[-higher]", "backward, reset where better ({})"),
    "stop_when_settled": Kind("stop_when_settled-EPS", "backward until settled to {}"),
}
