"""The http and lambda upstreams against real sockets and hostile peers."""
