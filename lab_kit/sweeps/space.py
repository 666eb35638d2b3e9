"""The search space of a sweep: a small TOML file that names flags of the program that trains.

[flags]                                         # the same in every trial
data_class = "MNIST"
max_epochs = 5

[space]                                         # what is tried
optimizer = ["Adam", "AdamW", "SGD"]
fc1 = {low = 64, high = 1024, step = 64}        # whole numbers
lr = {low = 1e-4, high = 1e-1, log = true}      # as many trials from 0.001 to 0.01 as from 0.01 to 0.1
"""

import math
import tomllib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, product
from pathlib import Path

import optuna

from lab_kit.errors import UserError, nearest, sentence
from lab_kit.paths import readable

MOST_BYTES = 100_000
TABLES, KEYS = ("flags", "space"), ("low", "high", "step", "log")
# What the sweep sets itself, and what makes no whole run.
NOT_TO_SET = (
    *("log_dir", "resume", "config", "test_only", "find_lr", "profile", "fast_dev_run", "help", "print_config"),
)
LARGEST_GRID = 5_000

Value = bool | int | float | str
Distribution = optuna.distributions.BaseDistribution


@dataclass(frozen=True)
class Space:
    """What is tried, and what stays.

    Args:
        path: the file.
        text: of the file.
        flags: the same in every trial, by name.
        parameters: what is tried, by name.
    """

    path: Path
    text: str
    flags: Mapping[str, Value]
    parameters: Mapping[str, Distribution]

    def suggest(self, trial: optuna.Trial) -> dict[str, Value]:
        """Return a value for each parameter."""
        return {name: _suggested(trial, name, distribution) for name, distribution in self.parameters.items()}

    def command(self, values: Mapping[str, Value]) -> list[str]:
        """Return the flags of a trial, for the command line."""
        return [f"--{name}={_written(value)}" for name, value in chain(self.flags.items(), values.items())]

    def size(self) -> int:
        """Return how many different settings there are.

        Raises:
            UserError: there is no end of them, because some parameter may be any fraction.
        """
        sizes = {name: _size(distribution) for name, distribution in self.parameters.items()}
        if endless := [name for name, size in sizes.items() if size is None]:
            raise UserError(
                f"{readable(self.path)}: a grid of {endless[0]} has no end: give it a list of values, or a step."
            )
        if (size := math.prod(sizes.values())) > LARGEST_GRID:
            raise UserError(
                f"{readable(self.path)}: a grid of {size:,} trials is too large; most are {LARGEST_GRID:,}."
            )
        return size

    def grid(self) -> list[dict[str, Value]]:
        """Return all settings there are; raises UserError as `size` does."""
        self.size()
        names = list(self.parameters)
        return [
            dict(zip(names, values, strict=True))
            for values in product(*(_all_values(distribution) for distribution in self.parameters.values()))
        ]

    def corners(self) -> list[dict[str, Value]]:
        """Return settings in which each parameter takes its extremes, or each of its choices, at least once."""
        extremes = {name: _extremes(distribution) for name, distribution in self.parameters.items()}
        return [
            {name: values[min(row, len(values) - 1)] for name, values in extremes.items()}
            for row in range(max(map(len, extremes.values())))
        ]


def read_space(path: Path) -> Space:
    """Read the file of a search space.

    Raises:
        UserError: it cannot be read, or a line of it makes no sense.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise UserError(f"{readable(path)} is too long for a search space.")
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
        tables = tomllib.loads(text)
    except OSError as error:
        raise UserError(f"Cannot read {readable(path)}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{readable(path)} is not text in UTF-8.") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UserError(f"{readable(path)} is not a TOML file: {sentence(str(error))}") from error
    for name in tables:
        if name not in TABLES:
            raise UserError(f"{readable(path)}: there is [flags] and [space], and no '{name}'.{nearest(name, TABLES)}")
    flags, space = (tables.get(name, {}) for name in TABLES)
    if not isinstance(flags, dict) or not isinstance(space, dict) or not space:
        raise UserError(
            f"{readable(path)} has no [space]: it should have lines like 'lr = {{low = 0.001, high = 0.1}}'."
        )
    for name in chain(flags, space):
        if name in NOT_TO_SET:
            raise UserError(f"{readable(path)}: a sweep sets --{name} itself, or cannot use it: take it out.")
    if both := [name for name in space if name in flags]:
        raise UserError(f"{readable(path)}: {both[0]} is in [flags] and in [space]: choose one of them.")
    for name, value in flags.items():
        if not isinstance(value, bool | int | float | str):
            raise UserError(f"{readable(path)}: {name} in [flags] must be one value, not {value}.")
    return Space(path, text, flags, {name: _distribution(path, name, entry) for name, entry in space.items()})


def _distribution(path: Path, name: str, entry: object) -> Distribution:
    where = f"{readable(path)}: {name}"
    if isinstance(entry, list):
        if len(entry) < 2 or not all(isinstance(value, bool | int | float | str) for value in entry):
            raise UserError(f"{where} must be a list of at least two values, not {entry}.")
        if len({str(value) for value in entry}) < len(entry) or len(set(entry)) < len(entry):
            raise UserError(f"{where} has a value twice: {entry}.")
        return optuna.distributions.CategoricalDistribution(entry)
    if not isinstance(entry, dict):
        raise UserError(f"{where} must be a list of values, or have low and high; what stays the same is in [flags].")
    for key in entry:
        if key not in KEYS:
            raise UserError(f"{where} has no '{key}'.{nearest(key, KEYS)} Choose from: {', '.join(KEYS)}.")
    low, high, step, log = entry.get("low"), entry.get("high"), entry.get("step"), entry.get("log", False)
    if not _is_number(low) or not _is_number(high):
        raise UserError(f"{where} needs two numbers, low and high.")
    if not isinstance(log, bool):
        raise UserError(f"{where}: log must be true or false, not {log}.")
    if not low < high:
        raise UserError(f"{where}: low must be below high, and {low} is not below {high}.")
    if step is not None and (not _is_number(step) or not 0 < step <= high - low):
        raise UserError(f"{where}: step must be a number above 0, and at most high - low, not {step}.")
    whole = isinstance(low, int) and isinstance(high, int) and isinstance(step, int | None)
    try:
        warnings.simplefilter("ignore", UserWarning)  # that the last step may not reach `high`
        if whole:
            return optuna.distributions.IntDistribution(low, high, log, 1 if step is None else step)
        return optuna.distributions.FloatDistribution(float(low), float(high), log, step)
    except (ValueError, TypeError) as error:
        raise UserError(f"{where}: {sentence(str(error))}") from error


def _suggested(trial: optuna.Trial, name: str, distribution: Distribution) -> Value:
    if isinstance(distribution, optuna.distributions.CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    ask = trial.suggest_int if isinstance(distribution, optuna.distributions.IntDistribution) else trial.suggest_float
    return ask(name, distribution.low, distribution.high, step=distribution.step, log=distribution.log)


def _extremes(distribution: Distribution) -> list[Value]:
    if isinstance(distribution, optuna.distributions.CategoricalDistribution):
        return list(distribution.choices)
    return [distribution.low, distribution.high]


def _size(distribution: Distribution) -> int | None:
    if isinstance(distribution, optuna.distributions.CategoricalDistribution):
        return len(distribution.choices)
    if distribution.step is None:
        return None
    return math.floor((distribution.high - distribution.low) / distribution.step + 1e-9) + 1


def _all_values(distribution: Distribution) -> list[Value]:
    if isinstance(distribution, optuna.distributions.CategoricalDistribution):
        return list(distribution.choices)
    kind = int if isinstance(distribution, optuna.distributions.IntDistribution) else float
    # By decimal fractions: three times 0.1 is not 0.3.
    low, step = Decimal(str(distribution.low)), Decimal(str(distribution.step))
    return [kind(low + place * step) for place in range(_size(distribution))]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _written(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, float) else str(value)
