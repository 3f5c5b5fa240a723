"""Says what the catalogue holds."""

from babel.numbers import format_decimal

with open("parts.csv") as parts:
    lines = sum(1 for _ in parts)

print(f"{format_decimal(lines, locale='en')} parts in the catalogue.")
