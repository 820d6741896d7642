"""Schema migrations of the control plane's database. Expand first, contract a release later."""
