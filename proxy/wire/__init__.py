"""HTTP/1.1 as bytes: heads in and out. No sockets, no clocks, no state beyond one message."""
