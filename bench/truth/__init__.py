"""The fixture that the comparison is held against: kinds of noise, and kinds of real difference.

`kinds` says how two sides answer; `run` sends requests through a proxy as real processes and asks
the control plane's judgement; `peers` feeds the same answers to simpler rules.
"""
