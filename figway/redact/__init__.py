"""Redaction: what is captured loses its secrets and personal data before anything is written (trap
35).

    names      which headers, fields and parameters are secret by their name
    detectors  what is secret by its looks: card numbers, IBANs, e-mail addresses, tokens
    looks_random  what is secret because nobody would remember it: keys of kinds unknown
    paths      what is secret in a path: the segment of a one-time link
    policy     what a route adds, or its allowlist
    redactor   text, values, headers, URLs
    markup     HTML and XML, piece by piece
    bodies     a whole body, by its Content-Type

A secret becomes `[redacted:kind:hash]`. The hash is keyed, so that equal secrets stay equal in
what is stored and nobody without the key can find the secret by trying.
"""
