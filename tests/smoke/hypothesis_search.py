"""hypothesis: finds and shrinks a counterexample, and lets a true property pass."""

from hypothesis import find, given, settings
from hypothesis import strategies as st


@settings(max_examples=50, database=None)
@given(st.lists(st.integers()))
def order_does_not_matter_to_sorting(numbers: list[int]) -> None:
    assert sorted(numbers) == sorted(numbers[::-1])


order_does_not_matter_to_sorting()
assert find(st.integers(min_value=0), lambda n: n >= 1000, settings=settings(database=None)) == 1000
