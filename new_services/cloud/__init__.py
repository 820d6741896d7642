"""The shop's new side as a whole on one machine: functions, queues, bus, workflow and bucket."""
