"""The population that credit applications come from, with every coefficient of its truth in the open.

Values in, values out: row ``i`` depends on the seed and on ``i`` alone, never on how many rows are drawn or
in what pieces. Rows are drawn in fixed blocks, each from its own random stream.

A person has an age, sex, region, employment, income, housing, credit history and a hidden trait ``strain``
(how stretched the person is), which ties debt ratio, utilisation, delinquencies and inquiries together. One
application in 25 comes from a person who has already applied: the person's facts are the same, the loan's
are new. Whether the loan defaults follows ``TRUTH``. Sex, region, age and channel have no effect of their
own on default; what gaps there are between ages come from credit history, income, employment and housing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

BLOCK_ROWS = 16_384
"""Rows that share one random stream."""

WINDOW_DAYS = 90
"""Applications of a batch are dated within this many days up to its newest date."""

REAPPLYING = 0.04
"""Share of applications by a person with an earlier application in the same block."""

MISSING: Mapping[str, float] = {"income": 0.02, "history_years": 0.03, "utilisation": 0.015}
"""Natural missingness: shares of values missing completely at random. The other columns are complete."""

SEXES: Mapping[str, float] = {"female": 0.48, "male": 0.52}
REGIONS: Mapping[str, float] = {
    "north": 0.22,
    "south": 0.20,
    "east": 0.17,
    "west": 0.17,
    "capital": 0.16,
    "coast": 0.08,
}
CHANNELS: Mapping[str, float] = {"online": 0.52, "branch": 0.27, "broker": 0.21}
PURPOSES: Mapping[str, float] = {
    "car": 0.31,
    "consolidation": 0.24,
    "home": 0.22,
    "education": 0.09,
    "other": 0.14,
}
TERMS: Mapping[int, float] = {12: 0.10, 24: 0.22, 36: 0.28, 48: 0.17, 60: 0.17, 72: 0.06}

EMPLOYMENTS = ("permanent", "fixed_term", "self_employed", "retired", "student", "unemployed")
EMPLOYMENT_BY_AGE: Mapping[int, tuple[float, ...]] = {
    18: (0.40, 0.24, 0.04, 0.00, 0.25, 0.07),
    26: (0.67, 0.13, 0.11, 0.01, 0.03, 0.05),
    60: (0.42, 0.05, 0.11, 0.38, 0.00, 0.04),
    68: (0.03, 0.02, 0.06, 0.89, 0.00, 0.00),
}
"""Shares in the order of ``EMPLOYMENTS``, from the age named until the next."""

LOG_INCOME: Mapping[str, float] = {
    "permanent": 10.50,
    "fixed_term": 10.25,
    "self_employed": 10.45,
    "retired": 10.05,
    "student": 9.35,
    "unemployed": 9.45,
}
"""Median of the natural logarithm of yearly income in euros, before age, sex and region."""

REGION_LOG_INCOME: Mapping[str, float] = {"capital": 0.12, "south": -0.04, "coast": -0.06}
FEMALE_LOG_INCOME = -0.08
INCOME_TAIL_SHARE = 0.015
"""Share of incomes that are multiplied by a Pareto variable of index 2.5: the heavy tail."""

DEFAULT, REPAID = "default", "repaid"

INTERCEPT = -2.25
CENTRE: Mapping[str, float] = {
    "log_income": float(np.log(30_000)),
    "debt_ratio": 0.3,
    "utilisation": 0.4,
    "history_years": 10.0,
}
"""Subtracted from a term before its coefficient is applied; 0 if absent."""
TRUTH: Mapping[str, float] = {
    "log_income": -0.25,
    "log_loan_to_income": 0.45,
    "debt_ratio": 3.00,
    "utilisation": 3.20,
    "delinquencies": 0.65,
    "inquiries": 0.15,
    "history_years": -0.01,
    "fixed_term": 0.25,
    "self_employed": 0.20,
    "unemployed": 0.60,
    "rent": 0.15,
}
"""Log-odds of default per unit of each term of ``terms``, centred; any other column has no effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Complete rows as drawn, before natural missingness and planted faults.

    Args:
        first: Number of its first row.
        columns: Values per column; categories as arrays of their names.
        missing: Per column with natural missingness, which values are missing.
    """

    first: int
    columns: dict[str, NDArray[np.generic]]
    missing: dict[str, NDArray[np.bool_]]


def draw(seed: int, block: int, newest: date) -> Block:
    """Draw one block of ``BLOCK_ROWS`` rows.

    Args:
        seed: Seed of the batch, at least 0.
        block: Number of the block, at least 0.
        newest: Latest possible date of application.
    """
    random = stream(seed, block, purpose=0)
    person = _person(random)
    repeats = random.random(BLOCK_ROWS) < REAPPLYING
    repeats[0] = False
    earlier = np.arange(BLOCK_ROWS)
    earlier[repeats] = (random.random(int(repeats.sum())) * earlier[repeats]).astype(np.int64)
    while (repeats & repeats[earlier]).any():  # who repeats a repeat is the first person of that chain
        earlier = earlier[earlier]
    first = block * BLOCK_ROWS
    columns = {
        "row": first + np.arange(BLOCK_ROWS),
        "person": first + earlier,
        **{name: values[earlier] for name, values in person.items()},
    }
    columns.update(_loan(random, columns))
    days = random.integers(0, WINDOW_DAYS, BLOCK_ROWS)
    columns["application_date"] = np.datetime64(newest, "D") - days.astype("timedelta64[D]")
    log_odds = INTERCEPT + sum(TRUTH[name] * values for name, values in terms(columns).items())
    defaults = random.random(BLOCK_ROWS) < 1 / (1 + np.exp(-log_odds))
    columns["outcome"] = np.where(defaults, DEFAULT, REPAID)
    missing = {name: random.random(BLOCK_ROWS) < share for name, share in MISSING.items()}
    del columns["strain"]
    return Block(first=first, columns=columns, missing=missing)


def terms(columns: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.float64]]:
    """Give the terms that the log-odds of default are linear in, from columns as published."""
    income = np.asarray(columns["income"], np.float64)
    result = {
        "log_income": np.log(income),
        "log_loan_to_income": np.log(np.asarray(columns["loan_amount"], np.float64) / income),
        **{
            name: np.asarray(columns[name], np.float64)
            for name in ("debt_ratio", "utilisation", "delinquencies", "inquiries", "history_years")
        },
        **{name: _is(columns["employment"], name) for name in ("fixed_term", "self_employed", "unemployed")},
        "rent": _is(columns["housing"], "rent"),
    }
    return {name: values - CENTRE.get(name, 0.0) for name, values in result.items()}


def stream(seed: int, block: int, *, purpose: int) -> np.random.Generator:
    """Open the random stream of a block; each purpose (0 draws rows, faults take others) has its own."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(block, purpose))))


def _person(random: np.random.Generator) -> dict[str, NDArray[np.generic]]:
    strain = random.standard_normal(BLOCK_ROWS)
    age = np.floor(18 + 63 * random.beta(1.7, 2.5, BLOCK_ROWS)).astype(np.int64)
    sex = _pick(random, SEXES)
    region = _pick(random, REGIONS)
    employment = _employment(random, age)
    log_income = (
        _looked_up(employment, LOG_INCOME)
        + 0.011 * (np.minimum(age, 55) - 40)
        + FEMALE_LOG_INCOME * _is(sex, "female")
        + _looked_up(region, REGION_LOG_INCOME)
        - 0.05 * strain
        + 0.40 * random.standard_normal(BLOCK_ROWS)
    )
    tail = np.where(random.random(BLOCK_ROWS) < INCOME_TAIL_SHARE, 1 + random.pareto(2.5, BLOCK_ROWS), 1.0)
    income = np.clip(np.round(np.exp(log_income) * tail), 1_200, 5_000_000)
    worked = np.minimum(random.exponential(7.0, BLOCK_ROWS), np.maximum(age - 18, 0))
    owns = random.random(BLOCK_ROWS)
    settled = 1 / (1 + np.exp(-(-1.3 + 0.055 * (age - 25) + 0.5 * np.log(income / 30_000))))
    return {
        "strain": strain,
        "age": age,
        "sex": sex,
        "region": region,
        "employment": employment,
        "employment_years": np.round(
            np.where(np.isin(employment, ("student", "unemployed")), 0.0, worked), 1
        ),
        "income": income,
        "housing": np.where(owns > settled, "rent", np.where(owns > 0.45 * settled, "mortgage", "own")),
        "history_years": np.round((age - 18) * random.beta(2.2, 2.0, BLOCK_ROWS), 1),
        "existing_customer": random.random(BLOCK_ROWS) < 0.35,
    }


def _loan(
    random: np.random.Generator, person: Mapping[str, NDArray[np.generic]]
) -> dict[str, NDArray[np.generic]]:
    strain = np.asarray(person["strain"], np.float64)

    def mixed(share: float) -> NDArray[np.float64]:
        own = random.standard_normal(BLOCK_ROWS)
        mixture: NDArray[np.float64] = share * strain + np.sqrt(1 - share**2) * own
        return mixture

    income = np.asarray(person["income"], np.float64)
    loan = np.exp(2.15 + 0.68 * np.log(income) + 0.55 * random.standard_normal(BLOCK_ROWS))
    return {
        "debt_ratio": np.round(np.minimum(np.exp(-1.35 + 0.50 * mixed(0.55)), 5.0), 4),
        "loan_amount": np.clip(np.round(loan / 100) * 100, 500, 250_000),
        "loan_term_months": _pick_number(random, TERMS),
        "loan_purpose": _pick(random, PURPOSES),
        "delinquencies": np.minimum(random.poisson(np.exp(-1.5 + 0.7 * strain)), 12),
        "utilisation": np.round(1 / (1 + np.exp(-(-0.55 + 1.1 * mixed(0.6)))), 4),
        "open_accounts": np.minimum(1 + random.poisson(2.6, BLOCK_ROWS), 20),
        "inquiries": np.minimum(random.poisson(np.exp(-0.3 + 0.35 * strain)), 15),
        "channel": _pick(random, CHANNELS),
    }


def _employment(random: np.random.Generator, age: NDArray[np.int64]) -> NDArray[np.generic]:
    uniform = random.random(BLOCK_ROWS)
    edges = np.array(sorted(EMPLOYMENT_BY_AGE))
    cumulative = np.cumsum([EMPLOYMENT_BY_AGE[int(edge)] for edge in edges], axis=1)
    rows = cumulative[np.searchsorted(edges, age, side="right") - 1]
    code = np.minimum((uniform[:, None] > rows).sum(axis=1), len(EMPLOYMENTS) - 1)
    names: NDArray[np.generic] = np.array(EMPLOYMENTS)[code]
    return names


def _pick(random: np.random.Generator, shares: Mapping[str, float]) -> NDArray[np.generic]:
    code = np.searchsorted(np.cumsum(list(shares.values())), random.random(BLOCK_ROWS), side="right")
    names: NDArray[np.generic] = np.array(list(shares))[np.minimum(code, len(shares) - 1)]
    return names


def _pick_number(random: np.random.Generator, shares: Mapping[int, float]) -> NDArray[np.int64]:
    code = np.searchsorted(np.cumsum(list(shares.values())), random.random(BLOCK_ROWS), side="right")
    numbers: NDArray[np.int64] = np.array(list(shares), np.int64)[np.minimum(code, len(shares) - 1)]
    return numbers


def _looked_up(names: NDArray[np.generic], values: Mapping[str, float]) -> NDArray[np.float64]:
    result = np.zeros(len(names))
    for name, value in values.items():
        result[names == name] = value
    return result


def _is(names: NDArray[np.generic], name: str) -> NDArray[np.float64]:
    return np.asarray(names == name, np.float64)
