"""Prints the catalogue of parts as a table: the number, the name, and how many there are."""

import random

random.seed(7)
for number in random.sample(range(1_000_000), 400_000):
    print(f"{number:06d},widget-{number * 7919 % 1_000_003:07d},{random.randrange(1000)}")
