"""How requests come in: native HTTP/1.1, ASGI, Lambda events. All drive the same flow.

native        the door of a container: an HTTP/1.1 server of callbacks (server: what its
              connections share)
asgi          the same flow as an ASGI application, under uvicorn (uvicorn, uvicorn_connection,
              uvicorn_transport)
aws_lambda    one event in, one answer out (aws_lambda_event, aws_lambda_answer)
peer          who the client is, behind proxies that are trusted
refusals      answers of the facade's own that more than one door gives
"""
