"""What the emulated AWS server has beside moto: recording, faults, and operations that moto lacks.

All of it works in the server's own process, in one WSGI gate in front of moto. Every client passes it: handlers,
the AWS CLI, and moto's Step Functions interpreter, which calls its own server over HTTP on loopback. What moto's
services do among each other in Python (a notification to a queue, an instance of an Auto Scaling group) is no API
call, on AWS neither, and passes no gate.

Nothing here imports a blueprint or knows a scenario. A stand-in is tested against AWS's documented examples, and
goes when the canary in its test says that moto has learnt the operation.
"""
