"""The fixture that the comparison is held against: kinds of noise, and kinds of real difference.

`noise`, `habits`, `differences` and `applications` say how two sides answer, `kinds` lists them.
`run` sends requests through a proxy as real processes and judges what its shadow worker tells
(`world`, `verdicts`); `peers` feeds the same answers to simpler rules; `report` writes the table of
the manual.
"""
