"""Amounts in paise, as people read and charge them."""

from __future__ import annotations


def rupees(paise: int) -> str:
    """The amount with Indian grouping: 12345678 → "₹1,23,456.78"."""
    whole, rest = divmod(abs(paise), 100)
    digits = str(whole)
    groups = [digits[-3:]]
    digits = digits[:-3]
    while digits:
        groups.insert(0, digits[-2:])
        digits = digits[:-2]
    sign = "-" if paise < 0 else ""
    return f"{sign}₹{','.join(groups)}.{rest:02d}"


def fee_paise(amount_paise: int, basis_points: int) -> int:
    """The merchant's fee in paise, rounded up: 1 basis point is 0.01 %."""
    return -(-amount_paise * basis_points // 10_000)


def needs_second_factor(amount_paise: int) -> bool:
    """Whether the payer must confirm with a second factor: from ₹5,000 on."""
    return amount_paise >= 5_000_00
