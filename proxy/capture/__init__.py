"""The serving worker's side of shadowing: what is chosen, kept and handed over."""
