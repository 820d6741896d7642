"""What every implementation of the upstream port keeps to."""
