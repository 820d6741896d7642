"""A booking as a saga: hold a room, charge the deposit, confirm; refund and release when it fails.

`steps` is what each step does, once a saga however often it is called. `orchestrated` and
`choreographed` call the same steps: by a state machine, and by events through queues.
"""
