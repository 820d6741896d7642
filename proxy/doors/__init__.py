"""How requests come in: native HTTP/1.1, ASGI, Lambda events. All drive the same flow."""
