"""Asks rolecall one question and takes anything but a clear yes as no.

    check.py ADDRESS ACCOUNT SUBJECT PERMISSION
    check.py 127.0.0.1:50051 accounts/demo users/beatriz reports.detailed.view

Exits with 0 if it is allowed. Otherwise exits with 1 and says why on standard error.

The stubs are made from the .proto files at run time, which needs the package grpcio-tools. A real project makes them
once, when it is built, and then needs grpcio and protobuf only:

    python -m grpc_tools.protoc -I proto --python_out=. --grpc_python_out=. proto/rolecall/v1/*.proto
"""

import sys
from pathlib import Path

import grpc

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "proto"))
protos, services = grpc.protos_and_services("rolecall/v1/authorization_service.proto")

# For the whole call, connecting too: whoever waits for an answer is not let in meanwhile.
DEADLINE_SECONDS = 1.0


def why_not(address, account, subject, permission):
    """The reason why the subject may not do it, or None if it may."""
    # A server on a Unix socket refuses the path that gRPC would send as the authority.
    options = [("grpc.default_authority", "localhost")] if address.startswith("unix:") else []
    request = protos.CheckRequest(account=account, subject=subject, permission=permission)
    # A real service keeps one channel for as long as it runs.
    with grpc.insecure_channel(address, options) as channel:
        try:
            answer = services.AuthorizationServiceStub(channel).Check(request, timeout=DEADLINE_SECONDS)
        except grpc.RpcError as error:
            return f"{error.code().name}: {error.details()}"
    # Compared with the one yes, never with a no: values that this client does not know are no as well.
    if answer.decision == protos.DECISION_ALLOW:
        return None
    # By number: a server may know reasons that this client does not.
    names = protos.DecisionReason.DESCRIPTOR.values_by_number
    return names[answer.reason].name if answer.reason in names else f"reason {answer.reason}"


def main(arguments):
    if len(arguments) != 4:
        return "usage: check.py ADDRESS ACCOUNT SUBJECT PERMISSION"
    # Whatever goes wrong that nobody thought of ends the program with 1 too, which is a no.
    return why_not(*arguments)


if __name__ == "__main__":
    # None exits with 0; a text is printed on standard error and exits with 1.
    sys.exit(main(sys.argv[1:]))
